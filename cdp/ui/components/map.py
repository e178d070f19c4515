"""The map of embedded images: redrawn in place, so zoom, hidden classes and lasso survive; a card
shows the image under the pointer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import streamlit as st

from cdp.errors import InputError
from cdp.ui.components.thumbs import Thumbs, load_thumbs
from cdp.values.types import Embedding

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from streamlit.components.v2.types import ComponentRenderer

__all__ = ["Card", "MapEvent", "Thumbs", "embedding_map", "load_thumbs", "map_event"]


@dataclass(frozen=True)
class MapEvent:
    """What was done on the map. selected: point numbers in the lasso or box, ascending, None where
    there is none; picked: the point that was clicked last."""

    selected: tuple[int, ...] | None
    picked: int | None


@dataclass(frozen=True)
class Card:
    """What the card says of each point, as compact columns. data: JSON-ready."""

    data: Mapping[str, Any]

    @classmethod
    def of(cls, embedding: Embedding, scores: Mapping[str, np.ndarray]) -> Self:
        """Class, set and row of every point, and scores by their titles, (n,) each. Raises
        InputError for a score of another length."""
        for title, values in scores.items():
            if np.shape(values) != (len(embedding),):
                raise InputError(
                    f"{title}: shape {np.shape(values)} does not fit {len(embedding)} points: give"
                    " one value a point"
                )
        return cls(
            {
                "classes": embedding.class_names,
                "sets": embedding.names,
                "label": _packed(embedding.label, "<i4"),
                "which": _packed(embedding.which, "<i4"),
                "row": _packed(embedding.row, "<i4"),
                "scores": [[title, _packed(values, "<f4")] for title, values in scores.items()],
            }
        )


def embedding_map(
    figure: go.Figure,
    *,
    key: str,
    alt: str,
    points: int,
    thumbs: Thumbs | None = None,
    card: Card | None = None,
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
        "card": dict(card.data) if card else None,
    }
    result = _renderer()(
        key=key, data=data, on_selected_change=lambda: None, on_picked_change=lambda: None
    )
    return map_event(result.selected, result.picked, n=points, of=of)


def map_event(selected: object, picked: object, *, n: int, of: str) -> MapEvent:
    """Read what a browser sent, which may be anything: {"of": map, "points": [..]} and {"of": map,
    "point": i} with whole numbers in 0..n-1; whatever else is taken for nothing."""
    chosen = _field(selected, "points", of)
    one = _field(picked, "point", of)
    valid = (
        isinstance(chosen, list) and 0 < len(chosen) <= n and all(_is_point(p, n) for p in chosen)
    )
    return MapEvent(
        tuple(sorted(set(chosen))) if valid and isinstance(chosen, list) else None,
        one if _is_point(one, n) else None,
    )


def _field(value: object, name: str, of: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) and value.get("of") == of else None


def _is_point(value: object, n: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < n


def _packed(values: np.ndarray, dtype: str) -> str:
    return base64.b64encode(np.asarray(values).astype(dtype).tobytes()).decode("ascii")


@cache
def _renderer() -> ComponentRenderer:
    folder = Path(__file__).parent
    # Plotly writes its styles into the page's head, where a shadow root would not see them.
    return st.components.v2.component(
        "cdp_map",
        js=(folder / "map.js").read_text("utf-8"),
        css=(folder / "map.css").read_text("utf-8"),
        isolate_styles=False,
    )
