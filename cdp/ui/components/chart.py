"""A plotly figure that is redrawn in place (Plotly.react): Streamlit's own chart is remounted at
every change and loses its zoom. Figures travel as bytes, their numpy arrays as they are, because as
text they take longer to write, send and read."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from cdp.files.atomic import jsonable
from cdp.ui.components import renderer
from cdp.ui.kit.frame import found

if TYPE_CHECKING:
    import plotly.graph_objects as go


_TYPES = {"f4": "<f4", "f8": "<f8"}
_STEP = 8
"""Columns begin at multiples of so many bytes, as the browser's typed arrays have to."""


def load_plotly() -> None:
    """Hand the browser plotly.js, once a page; call it outside polled fragments."""
    renderer("plotly", isolated=False)(key="cdp_plotly", data=_plotly_source())


def chart(figure: go.Figure, *, key: str, alt: str = "") -> None:
    """Draw or redraw a figure under its finding. alt: what it shows, for a screen reader, where the
    finding does not say it."""
    from cdp.figures.frame import heading_of

    heading = heading_of(figure)
    found(*heading)
    packed_chart(pack(figure.to_json(), alt=alt or heading.words), key=key)


def packed_chart(packed: bytes, *, key: str) -> None:
    """Draw or redraw what ``pack`` made; the same bytes again cost next to nothing."""
    renderer("chart", isolated=False)(key=key, data=packed)


@cache
def _plotly_source() -> bytes:
    return files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()


def pack(figure: Mapping[str, Any] | str, *, alt: str) -> bytes:
    """The length of a JSON head (uint32, little endian), the head, padding, columns.

    figure: plotly's data and layout, with arrays of shape (n,) or (n, k), or JSON text of the same
    without arrays; alt: what it shows, for a screen reader. In the head an array is {"column": i},
    and columns[i] = [type, first byte after the head, n, k or 0].
    """
    columns: list[tuple[str, int, int, int]] = []
    blocks: list[bytes] = []
    known: dict[tuple[bytes, str, tuple[int, ...]], int] = {}
    filled = 0

    def placed(value: Any) -> Any:
        nonlocal filled
        if not isinstance(value, np.ndarray):
            return value
        kind = "f8" if value.dtype == np.float64 else "f4"
        block = np.ascontiguousarray(value, _TYPES[kind]).tobytes()
        number = known.setdefault((block, kind, value.shape), len(columns))
        if number == len(columns):
            columns.append((kind, filled, len(value), value.shape[1] if value.ndim == 2 else 0))
            blocks.append(block + bytes(-len(block) % _STEP))
            filled += len(blocks[-1])
        return {"column": number}

    if isinstance(figure, str):
        text = figure
    else:
        data = [
            {name: placed(value) for name, value in trace.items() if value is not None}
            for trace in figure["data"]
        ]
        # What is not known is a gap in the chart.
        text = json.dumps(jsonable({"data": data, "layout": figure["layout"]}), allow_nan=False)
    body = b"".join(blocks)
    stamp = zlib.crc32(body, zlib.crc32(text.encode()))
    head = (
        f'{{"figure": {text}, "alt": {json.dumps(alt)}, "columns": {json.dumps(columns)}, "stamp":'
        f" {stamp}}}".encode()
    )
    head += b" " * (-(len(head) + 4) % _STEP)
    return len(head).to_bytes(4, "little") + head + body
