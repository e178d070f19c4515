"""A page with nothing but a map, for the browser tests of the map and for
``benchmarks.explore_pan``: its points come from a file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from cdp.values.types import Embedding
from tests.e2e.driver import SLOW_MS, Server

CLASSES = ("shoe", "bag", "<b>shirt</b>", "hat")
SETS = ("alpha", "beta")
SCRIPT = """
import json
import streamlit as st
from tests.e2e.map_page import read
from cdp.figures.embedding import embedding_scatter
from cdp.ui.components.chart import load_plotly
from cdp.ui.components.map import Thumbs, card_of, embedding_map, load_thumbs

st.set_page_config(layout="wide")
points, images, score = read({data!r})
colour = st.radio("Colour by", ["class", "set", "score"], horizontal=True)
layout = st.radio("Sets", ["overlaid", "side by side"], horizontal=True)
mask = score > 0 if st.checkbox("Only above 0") else None
load_plotly()
thumbs = Thumbs.of(images, "pictures")
load_thumbs(thumbs)
figure = embedding_scatter(points, color_by=colour, layout=layout, score=score, score_title="Score", key="points", mask=mask)
event = embedding_map(figure, key="map", alt="the map", points=len(points), thumbs=thumbs, card=card_of(points, {{"Score": score}}))
with st.container(key="said"):
    st.text(json.dumps([event.selected, event.picked]))
"""
PLOT = ".cdp-map .plot"


def write(folder: Path, n: int, dims: int = 2) -> Path:
    """The script for n random points, in four clusters, with their images, 8 x 10 RGB; returns its
    path."""
    rng = np.random.default_rng(3)
    label = rng.integers(0, len(CLASSES), n)
    centre = np.array([[0, 0, 0], [4, 1, 2], [1, 4, -2], [-3, 3, 1]], np.float64)[:, :dims]
    data = folder / "points.npz"
    np.savez(
        data,
        coordinates=(centre[label] + rng.normal(size=(n, dims))).astype(np.float32),
        label=label,
        which=np.sort(rng.integers(0, len(SETS), n)),
        image=rng.integers(0, 256, (n, 8, 10, 3), dtype=np.uint8),
        score=rng.normal(size=n),
    )
    script = folder / "map_script.py"
    script.write_text(SCRIPT.format(data=str(data)))
    return script


def read(data: str | Path) -> tuple[Embedding, np.ndarray, np.ndarray]:
    """Points, images and scores of a page that was written to a folder."""
    with np.load(data, allow_pickle=False) as file:
        columns: Mapping[str, np.ndarray] = dict(file)
    n = len(columns["label"])
    points = Embedding(
        SETS,
        CLASSES,
        (n, n),
        columns["coordinates"],
        columns["which"],
        np.arange(n) * 2,
        columns["label"],
    )
    return points, columns["image"], columns["score"]


def open_map(page: Page, server: Server) -> None:
    """Load the page and wait until the map is drawn."""
    page.set_viewport_size({"width": 1280, "height": 1100})
    page.goto(server.url, wait_until="commit")
    drawn(page)


def drawn(page: Page) -> None:
    """Until there is a plot."""
    page.wait_for_function(
        f"() => document.querySelector('{PLOT}')?._fullLayout?._modeBar", timeout=SLOW_MS
    )
    page.wait_for_function(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>"
        " done(true))))"
    )


def recolour(page: Page, name: str, legend: str) -> None:
    """Choose what colours mean and wait until an entry of the new legend is there."""
    page.locator("label", has_text=name).first.click()
    page.locator(".cdp-map .legendtext", has_text=legend).first.wait_for(timeout=SLOW_MS)


def axes(page: Page) -> dict[str, Any]:
    """Where the axes of the first panel lie: {"x": [first, last, pixel of the first, pixels], "y":
    ..}; y grows upwards."""
    found = page.evaluate(f"""() => {{
          const plot = document.querySelector('{PLOT}'), box = plot.getBoundingClientRect(), {{ xaxis, yaxis }} = plot._fullLayout;
          return {{
            x: [...xaxis.range, box.left + xaxis._offset, xaxis._length],
            y: [...yaxis.range, box.top + yaxis._offset + yaxis._length, -yaxis._length],
          }};
        }}""")
    return dict(found)


def pixels(page: Page, coordinates: np.ndarray) -> np.ndarray:
    """(n, 2) coordinates of the first panel -> (n, 2) pixels of the window: its axes are linear."""
    places = axes(page)
    columns = [
        start + (coordinates[:, k] - a) / (b - a) * length
        for k, (a, b, start, length) in enumerate((places["x"], places["y"]))
    ]
    return np.stack(columns, axis=1)


def said(page: Page) -> tuple[list[int] | None, int | None]:
    """What Python was told: selected points, picked point."""
    selected, picked = json.loads(page.locator(".st-key-said").inner_text())
    return selected, picked
