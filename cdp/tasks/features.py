"""Features of images, computed once: the cache knows them by the weights and the pixels."""

from __future__ import annotations

import hashlib

import numpy as np

from cdp import paths
from cdp.data import atomic
from cdp.errors import InputError
from cdp.models.encoders import Encoder
from cdp.tasks.engine import features_of


def cached_features(encoder: Encoder, image: np.ndarray) -> np.ndarray:
    """Features of (N,H,W,C) uint8 images, (N,F) float32, from CDP_HOME/cache where the same images met the same weights before."""
    key = hashlib.sha256(encoder.sha256.encode() + np.ascontiguousarray(image).tobytes()).hexdigest()[:24]
    path = paths.cache_dir() / "features" / f"{key}.npy"
    expected = (len(image), encoder.dim)
    try:
        cached = np.load(path, allow_pickle=False)
        if cached.shape == expected and cached.dtype == np.float32 and np.isfinite(cached).all():
            return cached
    except (OSError, ValueError, EOFError):
        pass  # not there, or damaged: what can be computed again is not worth an error
    features = features_of(encoder.net, image).cpu().numpy()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.atomic_file(path) as file:
            np.save(file, features, allow_pickle=False)
    except (OSError, InputError):
        pass  # a home that cannot be written only costs the time again
    return features
