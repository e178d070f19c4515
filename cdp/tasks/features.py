"""Features of images, kept by the weights and the pixels. A hit needs no torch."""

from __future__ import annotations

import numpy as np

from cdp.config.explore import PIXELS
from cdp.data.fitting import Labelling, fit, labelling_of_card, labelling_of_images
from cdp.errors import InputError
from cdp.files import cache
from cdp.models.encoders import encoder_card, encoder_weights
from cdp.tasks.sources import looking_for

KIND = "features"


def features(encoder: str, dataset: str, image: np.ndarray) -> np.ndarray:
    """Features of (N,H,W,C) uint8 images, (N,F) float32, from the cache where the same images met
    the same weights before. encoder: of ``dataset`` by name or path, or "pixels". Raises InputError
    or MissingError for one that is not there or does not fit."""
    if encoder == PIXELS:
        return (np.asarray(image, np.float32) / 255).reshape(len(image), -1)
    known = cache.load_array(KIND, identity(encoder, dataset, image))
    if known is not None and _sound(known, len(image)):
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
    network = encoder_on_device(encoder, dataset)
    rows = features_of(network.net, image).cpu().numpy()
    # By the weights that were loaded: a training that goes on replaces those that were named.
    cache.keep(KIND, cache.digest(network.sha256, image), rows)
    return rows


def encoder_labelling(encoder: str, dataset: str) -> Labelling:
    """What an encoder's outputs mean, by its card. Raises InputError or MissingError."""
    with looking_for(encoder, dataset):
        return labelling_of_card(encoder, encoder_card(encoder, dataset))


def identity(encoder: str, dataset: str, image: np.ndarray) -> str:
    """A name for features of these images: equal exactly where weights and pixels are."""
    return cache.digest("" if encoder == PIXELS else weights_of(encoder, dataset), image)


def weights_of(encoder: str, dataset: str) -> str:
    """SHA-256 of an encoder's weights, without loading them. Raises MissingError."""
    with looking_for(encoder, dataset):
        return encoder_weights(encoder, dataset)


def _sound(seen: np.ndarray, count: int) -> bool:
    return (
        seen.ndim == 2
        and len(seen) == count
        and seen.dtype == np.float32
        and bool(np.isfinite(seen).all())
    )
