"""Charts, pictures and tables of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import streamlit as st

from cdp.config.experiment import ExperimentConfig
from cdp.data.sets import begun_images
from cdp.errors import CdpError
from cdp.ui.components.chart import chart
from cdp.ui.kit.ask import remembered
from cdp.ui.kit.images import showable, sprite
from cdp.ui.kit.markup import Html, image, tag
from cdp.ui.kit.tables import table
from cdp.ui.kit.words import plain
from cdp.values.experiment import CellState, ExperimentResult
from cdp.values.text import number_text
from cdp.work.records import Run, get_run

if TYPE_CHECKING:
    pass

EACH, IN_GRID = 8, 4
"""Images of an arm in a row, and in a cell of the sheet of two settings."""
MOST_ROWS = 24


def draw_views(run: Run, config: ExperimentConfig, result: ExperimentResult) -> None:
    """What there is to see so far."""
    from cdp.figures import experiment as figures
    from cdp.figures.experiment_tables import arm_summary

    known = figures.measured(result)
    if known:
        varied = _varied(result)
        st.subheader(_question(varied), anchor=False)
        first = _first_figure(result, known)
        figure = _choose("Figure", known, first, figures.FIGURES, f"experiment_figure_{run.id}")
        _dose(run, result, figure, key="dose")
        if len(varied) > 1:
            _heat(run, result, varied, figure)
        if len(result.objective) > 1 and set(result.objective) <= set(known):
            chart(figures.pareto_front(result), key=f"front_{run.id}")
    _pictures(config, result)
    if result.proxies:
        st.subheader("Which figure of the images deserves trust?", anchor=False)
        st.markdown("\n".join(f"- {plain(proxy.sentence)}" for proxy in result.proxies))
    if known:
        st.subheader("All arms", anchor=False)
        table(arm_summary(result))
        st.caption(
            f"Shares in per cent, differences to {plain(result.control)} in points, with"
            f" {100 * result.level:.3g} % intervals over seeds; p corrected by Holm."
        )
    for note in result.notes:
        st.caption(plain(note))


def main_chart(run: Run, result: ExperimentResult, *, key: str) -> None:
    """What the verdict rests on: the objective against the setting that was varied."""
    from cdp.figures.experiment import measured
    from cdp.ui.components.chart import load_plotly

    if known := measured(result):
        _dose(run, result, _first_figure(result, known), key=key)
        load_plotly()


def _first_figure(result: ExperimentResult, known: Sequence[str]) -> str:
    return result.objective[0] if result.objective[0] in known else known[0]


def _varied(result: ExperimentResult) -> list[str]:
    from cdp.figures.experiment import factors

    return [name for name in factors(result) if _tried(result, name)]


def _dose(run: Run, result: ExperimentResult, figure: str, *, key: str) -> None:
    from cdp.figures import experiment as figures

    draw = figures.dose_response if _varied(result) else figures.arm_points
    chart(draw(result, figure), key=f"{key}_{run.id}_{figure}")


def _tried(result: ExperimentResult, name: str) -> bool:
    """Whether an arm with a value of this setting is measured."""
    return any(arm.figures and name in arm.settings for arm in result.arms)


def _question(varied: Sequence[str]) -> str:
    from cdp.figures.experiment import short

    return f"What {short(varied[0]).replace('_', ' ')} does" if varied else "Arm by arm"


def _choose(
    label: str, names: Sequence[str], first: str, titles: Mapping[str, str], key: str
) -> str:
    chosen: str = st.selectbox(
        label,
        names,
        list(names).index(first),
        format_func=lambda name: titles.get(name, name),
        key=key,
        width=320,
        label_visibility="collapsed",
    )
    return chosen


def _heat(run: Run, result: ExperimentResult, varied: Sequence[str], figure: str) -> None:
    from cdp.figures.experiment import heat_map

    chart(heat_map(result, varied[0], varied[1], figure), key=f"heat_{run.id}_{figure}")


def first_images(result: ExperimentResult) -> dict[str, np.ndarray]:
    """By arm the first images of the first seed that has any, which start from the same noise in
    all arms; of a set that is being made those that are there."""
    seeds = sorted({cell.seed for cell in result.cells if cell.set or cell.stage == "generate"})
    images = {}
    for cell in result.cells if seeds else ():
        known = _images_of(cell) if cell.seed == seeds[0] else None
        if known is not None:
            images[cell.arm] = known
    return {arm.name: images[arm.name] for arm in result.arms if arm.name in images}


def _images_of(cell: CellState) -> np.ndarray | None:
    if cell.set:
        return remembered(f"experiment images {cell.set}", partial(_read, cell.set))
    if cell.stage != "generate" or not cell.run:
        return None
    try:
        return begun_images(get_run(cell.run).name, EACH)
    except CdpError:
        return None


def _read(name: str) -> np.ndarray | None:
    from cdp.data.sets import open_set

    try:
        return np.asarray(open_set(name).image[:EACH])
    except (CdpError, OSError):
        return None


def _pictures(config: ExperimentConfig, result: ExperimentResult) -> None:
    """The same noise under every arm: a sheet of two settings where two vary, else a row an
    arm."""
    images = first_images(result)
    waiting = sum(arm.generate is not None for _, arm in config.all_arms()) - len(images)
    if not images:
        return
    st.subheader("The same noise in every arm", anchor=False)
    links = _set_links(result)
    sheet = grid_html(result, images, links)
    if sheet is not None:
        st.html(sheet, width="stretch")
    if sheet is None or len(images) <= MOST_ROWS // 2:
        st.html(rows_html(images, links), width="stretch")
    if any(not cell.over for cell in result.cells):  # polling would close what was opened
        if waiting > 0:
            st.caption("Further arms appear here as their images are made.")
    elif st.button("Open large", icon=":material/open_in_full:", key="experiment_large"):
        _large(sheet or rows_html(images, links))


@st.dialog("The same noise in every arm", width="large")
def _large(sheet: Html) -> None:
    """The sheet over the page, its images several times as large."""
    st.html(sheet, width="stretch")


def _set_links(result: ExperimentResult) -> dict[str, str]:
    """By arm the address of the set whose images are shown, where it is finished."""
    links: dict[str, str] = {}
    for cell in sorted(result.cells, key=lambda cell: cell.seed):
        if cell.set:
            links.setdefault(cell.arm, f"gallery?{urlencode({'set': cell.set})}")
    return links


def _linked(picture: Html, address: str | None) -> Html:
    return tag("a", picture, href=address) if address else picture


def rows_html(images: Mapping[str, np.ndarray], links: Mapping[str, str]) -> Html:
    """A row of images for each arm, which leads to its set."""
    rows = [
        tag(
            "div",
            tag("div", name),
            _linked(
                image(
                    sprite(showable(of), len(of)), f"first images of {name}", "cdp-pixels cdp-strip"
                ),
                links.get(name),
            ),
        )
        for name, of in list(images.items())[:MOST_ROWS]
    ]
    return tag("div", *rows, cls="cdp-strips")


def grid_html(
    result: ExperimentResult, images: Mapping[str, np.ndarray], links: Mapping[str, str]
) -> Html | None:
    """Images over two settings, each cell of which leads to its set; None where not two vary."""
    from cdp.figures.experiment import factors, short

    varied = factors(result)
    if len(varied) < 2:
        return None
    across, down = varied[:2]
    at: dict[tuple[Any, Any], str] = {}
    for arm in result.arms:
        place = arm.settings.get(across), arm.settings.get(down)
        if arm.name in images and None not in place:
            at.setdefault(place, arm.name)
    if len(at) < 2:
        return None
    columns, rows = (sorted({place[k] for place in at}) for k in (0, 1))
    if len(columns) * len(rows) > 2 * len(at) + 4:
        return None  # a search tries no grid
    corner = tag("th", f"{short(down)} \\ {short(across)}", scope="col")
    head = tag("tr", corner, *(tag("th", number_text(c), scope="col") for c in columns))
    body = [
        tag(
            "tr",
            tag("th", number_text(r), scope="row"),
            *(tag("td", _few(images, links, at.get((c, r)))) for c in columns),
        )
        for r in rows
    ]
    return tag(
        "div",
        tag("table", head, *body),
        cls="cdp-matrix cdp-sheet",
        tabindex=0,
        role="region",
        aria_label="Images over two settings",
    )


def _few(images: Mapping[str, np.ndarray], links: Mapping[str, str], arm: str | None) -> Html:
    if arm is None:
        return Html("")
    picture = image(sprite(showable(images[arm][:IN_GRID]), 2), f"first images of {arm}")
    return _linked(picture, links.get(arm))
