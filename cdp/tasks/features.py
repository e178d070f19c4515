"""Features of images, computed once: the cache knows them by the weights and the pixels. A hit
needs no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from cdp import paths
from cdp.config.explore import PIXELS
from cdp.data.fitting import Labelling, fit, labelling_of_card, labelling_of_images
from cdp.errors import InputError
from cdp.files import atomic
from cdp.models.encoders import encoder_card, encoder_weights
from cdp.tasks.sources import looking_for

_CHUNK = 8192


def features(encoder: str, dataset: str, image: np.ndarray) -> np.ndarray:
    """Features of (N,H,W,C) uint8 images, (N,F) float32, from CDP_HOME/cache where the same images
    met the same weights before.

    encoder: of ``dataset`` by name or path, or "pixels". Raises InputError or MissingError for one
    that is not there or does not fit.
    """
    known = cached_features(encoder, dataset, image)
    if known is not None:
        return known
    from cdp.tasks.loaded import encoder_on_device, features_of

    reason = fit(
        labelling_of_images("these images", image), encoder_labelling(encoder, dataset).images
    ).refusal
    if reason:
        raise InputError(
            f"encoder: {encoder} does not fit these images ({reason}): choose an encoder of"
            " their own"
        )
    found = encoder_on_device(encoder, dataset)
    made = features_of(found.net, image).cpu().numpy()
    path = _place(found.sha256, image)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.atomic_file(path) as file:
            np.save(file, made, allow_pickle=False)
    except (OSError, InputError):
        pass  # a home that cannot be written only costs the time again
    return made


def encoder_labelling(encoder: str, dataset: str) -> Labelling:
    """What an encoder's outputs mean and what images it takes, by its card alone. Raises InputError
    or MissingError."""
    with looking_for(encoder, dataset):
        return labelling_of_card(encoder, encoder_card(encoder, dataset))


def cached_features(encoder: str, dataset: str, image: np.ndarray) -> np.ndarray | None:
    """What ``features`` would give where it has to compute nothing, else None."""
    if encoder == PIXELS:
        return (np.asarray(image, np.float32) / 255).reshape(len(image), -1)
    try:
        cached = np.load(_place(weights_of(encoder, dataset), image), allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # not there, or damaged: what can be computed again is not worth an error
    usable = (
        cached.ndim == 2
        and len(cached) == len(image)
        and cached.dtype == np.float32
        and np.isfinite(cached).all()
    )
    return cached if usable else None


def identity(encoder: str, dataset: str, image: np.ndarray) -> str:
    """A name for features of these images in these eyes: equal exactly where weights and pixels
    are."""
    return _key("" if encoder == PIXELS else weights_of(encoder, dataset), image)


def weights_of(encoder: str, dataset: str) -> str:
    """SHA-256 of an encoder's weights, without loading them. Raises MissingError where there is
    none of that name."""
    with looking_for(encoder, dataset):
        return encoder_weights(encoder, dataset)


def _place(weights: str, image: np.ndarray) -> Path:
    return paths.cache_dir() / "features" / f"{_key(weights, image)}.npy"


def _key(weights: str, image: np.ndarray) -> str:
    digest = hashlib.sha256(f"{weights} {image.shape} ".encode())
    for start in range(0, len(image), _CHUNK):
        digest.update(np.ascontiguousarray(image[start : start + _CHUNK]).tobytes())
    return digest.hexdigest()[:24]
