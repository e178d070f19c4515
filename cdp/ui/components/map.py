"""The map of embedded images: redrawn in place, so zoom, hidden classes and lasso survive; a card
shows the image under the pointer. The images travel once, as raw bytes, and are never encoded as
PNG."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from cdp.errors import InputError
from cdp.ui.components import renderer
from cdp.values.types import Embedding

if TYPE_CHECKING:
    import plotly.graph_objects as go


MOST_BYTES = 12 * 1024 * 1024
LEAST_SIDE = 7
"""Pixels; a smaller picture shows nothing."""
_CHUNK = 4096


@dataclass(frozen=True)
class MapEvent:
    """Point numbers in the lasso or box, None where there is none; the point clicked last."""

    selected: tuple[int, ...] | None
    picked: int | None


def card_of(embedding: Embedding, scores: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """What the card says of each point, as compact columns, JSON-ready: class, set and row, and
    scores by their titles, (n,) each. Raises InputError for a score of another length."""
    for title, values in scores.items():
        if np.shape(values) != (len(embedding),):
            raise InputError(
                f"{title}: shape {np.shape(values)} does not fit {len(embedding)} points: give one"
                " value a point"
            )
    return {
        "classes": embedding.class_names,
        "sets": embedding.names,
        "label": _packed(embedding.label, "<i4"),
        "which": _packed(embedding.which, "<i4"),
        "row": _packed(embedding.row, "<i4"),
        "scores": [[title, _packed(values, "<f4")] for title, values in scores.items()],
    }


@dataclass(frozen=True)
class Thumbs:
    """Picture i is of point i. key: names the points; images: (n,h,w,1 or 3) uint8."""

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
    """(n,H,W,C) uint8 -> (n,H//block,W//block,C) uint8, halves rounded up."""
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
    """Hand the browser the pictures, once a page; call it outside polled fragments."""
    if thumbs is not None:
        renderer("thumbs")(key=f"cdp_thumbs_{thumbs.key}", data=thumbs.payload)


def embedding_map(
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    points: int,
    thumbs: Thumbs | None = None,
    card: Mapping[str, Any] | None = None,
) -> MapEvent:
    """Draw or redraw a figure of ``cdp.figures.embedding`` and return what is selected and picked
    on it.

    points: how many there are; alt: what the map shows, for a screen reader; thumbs: what
    ``load_thumbs`` was given. Events of another map than the figure's (its uirevision) do not
    count. Needs ``load_plotly``.
    """
    of = str(figure.layout.uirevision)
    data = {
        "figure": figure.to_json(),
        "of": of,
        "alt": alt,
        "thumbs": thumbs.key if thumbs else None,
        "card": dict(card) if card else None,
    }
    changes: Any = {f"on_{name}_change": lambda: None for name in ("selected", "picked")}
    result = renderer("map", isolated=False)(key=key, data=data, **changes)
    return map_event(result.selected, result.picked, n=points, of=of)


def map_event(selected: object, picked: object, *, n: int, of: str) -> MapEvent:
    """Read what a browser sent, which may be anything: {"of": map, "points": [..]} and {"of": map,
    "point": i} with whole numbers in 0..n-1; whatever else is taken for nothing."""
    chosen = _field(selected, "points", of)
    item = _field(picked, "point", of)
    valid = (
        isinstance(chosen, list) and 0 < len(chosen) <= n and all(_is_point(p, n) for p in chosen)
    )
    return MapEvent(
        tuple(sorted(set(chosen))) if valid and isinstance(chosen, list) else None,
        item if _is_point(item, n) else None,
    )


def _field(value: object, name: str, of: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) and value.get("of") == of else None


def _is_point(value: object, n: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < n


def _packed(values: np.ndarray, dtype: str) -> str:
    return base64.b64encode(np.asarray(values).astype(dtype).tobytes()).decode("ascii")
