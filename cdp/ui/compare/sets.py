"""What the arms were trained on: sample images of their synthetic sets under each other, the same
classes in the same columns, and those sets on one map."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.config.explore import MOST_SETS, PIXELS, ExploreConfig
from cdp.data.samples import SampleSet
from cdp.data.sets import is_saved, open_set
from cdp.errors import CdpError
from cdp.figures.palette import Sign
from cdp.results.signs import set_signs
from cdp.ui.compare.result import Result, bullets
from cdp.ui.explore.data import embedding, map_key
from cdp.ui.explore.mapview import draw_map
from cdp.ui.gallery.parts import first_of, names_in, number_in, stamp
from cdp.ui.kit.ask import Waiting
from cdp.ui.kit.frame import link
from cdp.ui.kit.images import data_url, grid_png
from cdp.ui.kit.markup import Html, image, image_table, joined, mark, tag
from cdp.ui.kit.words import plain
from cdp.values.text import class_name, counted
from cdp.work.failures import sentence

MOST_STRIPS = 8
POINTS = 2000
MAP_PX = 440
_WANTED = "compare_map"
IMAGES = 20
"""Of each set, about."""
MOST_CLASSES = 20


def sets(result: Result) -> None:
    """The section; nothing where no arm saw a synthetic image."""
    users = _users(result)
    if not users:
        return
    st.subheader("What were they trained on?", anchor=False)
    opened, gone = _opened(list(users))
    if gone:
        st.warning(bullets(gone))
    without = [arm.name for arm in result.comparison.arms if not arm.sets]
    if without:
        st.caption(plain(f"On real images alone: {', '.join(without)}."))
    if not opened:
        return
    signs = set_signs(samples.name for samples in opened)
    first = opened[:MOST_STRIPS]
    facts = [f"{counted(len(item), 'image')} · {', '.join(users[item.name])}" for item in first]
    st.html(strips_html(first, [signs[item.name] for item in first], facts))
    if more := len(opened) - len(first):
        st.caption(f"{more} more sets are in the gallery.")
    _map(opened)


def _users(result: Result) -> dict[str, list[str]]:
    """The arms that saw each set."""
    users: dict[str, list[str]] = {}
    for arm in result.comparison.arms:
        for name in arm.sets:
            users.setdefault(name, []).append(arm.name)
    return users


def _opened(names: Sequence[str]) -> tuple[list[SampleSet], list[str]]:
    """The sets that are here, and one sentence for each that cannot be shown."""
    opened, gone = [], []
    for name in names:
        try:
            opened.append(open_set(name))
        except (CdpError, OSError, RuntimeError) as error:  # the last: "~somebody" without a home
            why = "is gone: it was deleted, or is of another workspace"
            why = f"cannot be read: {sentence(error)}" if is_saved(name) else why
            gone.append(f"Set {name[:200]} {why}.")
    return opened, gone


def columns_of(sets: Sequence[SampleSet]) -> tuple[list[str], int]:
    """The classes that get a column, by name, and images of each: about ``IMAGES`` a set in all. A
    set without labels has no classes, and spans them."""
    visible = names_in(sets)[:MOST_CLASSES]
    return visible, max(1, round(IMAGES / max(1, len(visible))))


def strips_html(sets: Sequence[SampleSet], signs: Sequence[Sign], facts: Sequence[str]) -> Html:
    """A head of classes, then for each set a line with its name and what it says of itself (facts),
    and a line of images."""
    visible, each = columns_of(sets)

    def images(samples: SampleSet) -> list[Html]:
        if samples.label is None:
            return [joined(_pictures(samples, None, IMAGES), "no labels")]
        return [_pictures(samples, number_in(samples, name), each) for name in visible]

    def title(samples: SampleSet, sign: Sign, fact: str) -> Html:
        return joined(mark(sign), tag("b", samples.name), " ", tag("span", fact, cls="cdp-quiet"))

    rows = zip(sets, signs, facts, strict=True)
    sections = [(title(samples, sign, fact), images(samples)) for samples, sign, fact in rows]
    return image_table("Sample images of the sets", visible, sections)


def _pictures(samples: SampleSet, value: int | None, each: int) -> Html:
    """value: None for all images in file order."""
    png = _png(str(samples.folder), stamp(samples.folder), value, each)
    if png is None:
        return tag("span", "none", cls="cdp-quiet")
    what = "images" if value is None else class_name(samples.class_names, value)
    return image(data_url(png), f"{what} in {samples.name}")


@st.cache_data(max_entries=2000, show_spinner=False)
def _png(folder: str, changed: int, value: int | None, each: int) -> bytes | None:
    """The first images of a class under each other, of all side by side where ``value`` is None;
    None where there are none. changed: of the set, so that another of its name is read anew."""
    samples = open_set(Path(folder))
    rows = first_of(samples, value, each)
    columns = each if value is None else 1
    return grid_png(np.asarray(samples.image[rows]), columns, gap=2) if len(rows) else None


def _map(opened: Sequence[SampleSet]) -> None:
    """The sets on one map, once it was asked for or lies in the cache; the rest of the tools is on
    the Explore page."""
    config, why = _config(opened)
    if config is None:
        st.caption(plain(why))
        return
    key = map_key(config)
    asked: set[str] = st.session_state.setdefault(_WANTED, set())
    try:
        if key not in asked and not _known(config):
            with st.container(horizontal=True, vertical_alignment="center", key="compare_map_ask"):
                label, draw = "Draw these sets on one map (UMAP)", partial(asked.add, key)
                st.button(label, key="compare_map_draw", on_click=draw)
                _explore(config)
            return
        _drawn(config)
    except (CdpError, OSError) as error:
        st.error(plain(f"{sentence(error)}."))


def _known(config: ExploreConfig) -> bool:
    from cdp.tasks.atlas import map_of

    return map_of(config).known() is not None


def _config(opened: Sequence[SampleSet]) -> tuple[ExploreConfig | None, str]:
    """The map of the first sets in the judge's eyes where their data set has one; None and why
    where they do not fit on one."""
    from cdp.ui.kit.choices import read_choices

    shapes = {samples.image.shape[1:] for samples in opened}
    if len(shapes) > 1:
        return None, "No map: these sets have images of different shapes."
    choices = read_choices()
    names = [choices.aliases.get(samples.name, samples.name) for samples in opened]
    names = [name for name in names if name in choices.explorable][:MOST_SETS]
    if not names:
        return None, "No map: only saved sets can be drawn on one."
    encoder = next(iter(choices.eyes(names)), PIXELS)
    return ExploreConfig(sets=tuple(names), encoder=encoder, points=POINTS), ""


def _drawn(config: ExploreConfig) -> None:
    pending = Waiting()
    points, drawn = embedding(config, pending)
    pending.show("compare_map_wait")
    if points is None or drawn is None:
        st.skeleton(height=MAP_PX)
        return
    draw_map(points, drawn, height=MAP_PX, prefix="compare_map")
    later = " This is PCA; UMAP takes its place when it is ready."
    note = "" if drawn.method == config.method else later
    many = " · ".join(
        f"{int((points.which == k).sum()):,} of {total:,} images of {name}"
        for k, (name, total) in enumerate(zip(points.names, points.totals, strict=True))
    )
    far = "Distances between far groups mean little on a UMAP map."
    with st.container(horizontal=True, vertical_alignment="center", key="compare_map_said"):
        st.caption(plain(f"{many}; encoder: {drawn.encoder}. {far}{note}"))
        _explore(config)


def _explore(config: ExploreConfig) -> None:
    flat = {"sets": ",".join(config.sets), "encoder": config.encoder, "points": str(config.points)}
    link("explore", "Explore these sets", **flat)
