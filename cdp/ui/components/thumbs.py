"""The images of a map's points as raw bytes: handed to the browser once, drawn there without ever
being encoded as PNG."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
import streamlit as st

from cdp.errors import InputError

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

MOST_BYTES = 12 * 1024 * 1024
LEAST_SIDE = 7
"""Pixels; a smaller picture shows nothing."""
_CHUNK = 4096


@dataclass(frozen=True)
class Thumbs:
    """Picture i belongs to point i. key: names the points; images: (n,h,w,c) uint8, c 1 (grey) or 3
    (RGB)."""

    key: str
    images: np.ndarray

    @classmethod
    def of(cls, images: np.ndarray, key: str) -> Self | None:
        """Of images (n,H,W,C) uint8, maybe memory-mapped, averaged over blocks of 2, 4, .. pixels
        until all together are at most 12 MB.

        None where they would have to be smaller than 7 pixels: the card then has text only. Rows
        and columns that do not fill a block are left out. Raises InputError for another type or
        shape.
        """
        if images.ndim != 4 or images.dtype != np.uint8 or images.shape[3] not in (1, 3):
            raise InputError(
                f"thumbnails are made of (n,H,W,1) or (n,H,W,3) uint8 images, not of {images.shape}"
                f" {images.dtype}"
            )
        n, height, width, channels = images.shape
        block = 1
        while n * (height // block) * (width // block) * channels > MOST_BYTES:
            block *= 2
            if min(height, width) // block < LEAST_SIDE:
                return None
        return cls(key, block_means(images, block))

    @cached_property
    def payload(self) -> bytes:
        """A 32-bit little-endian length, so many bytes of JSON (key and shape), and the pixels."""
        head = json.dumps({"key": self.key, "shape": self.images.shape}).encode()
        return len(head).to_bytes(4, "little") + head + self.images.tobytes()


def block_means(images: np.ndarray, block: int) -> np.ndarray:
    """(n,H,W,C) uint8 -> (n,H//block,W//block,C) uint8: means over block x block pixels, halves
    rounded up."""
    if block == 1:
        return np.ascontiguousarray(images)
    n, height, width, channels = images.shape
    rows, columns = height // block, width // block
    means = np.empty((n, rows, columns, channels), np.uint8)
    for start in range(0, n, _CHUNK):
        chunk = images[start : start + _CHUNK, : rows * block, : columns * block]
        total = np.full((len(chunk), rows, columns, channels), block * block // 2, np.uint32)
        for y in range(block):
            for x in range(block):
                total += chunk[:, y::block, x::block]
        means[start : start + _CHUNK] = total // (block * block)
    return means


def load_thumbs(thumbs: Thumbs | None) -> None:
    """Hand the browser the pictures, once a page; ``embedding_map`` finds them by their key. Call
    it outside polled fragments."""
    if thumbs is not None:
        _renderer()(key=f"cdp_thumbs_{thumbs.key}", data=thumbs.payload)


@cache
def _renderer() -> ComponentRenderer:
    return st.components.v2.component(
        "cdp_thumbs", js=(Path(__file__).parent / "thumbs.js").read_text("utf-8")
    )
