"""One experiment: its verdict, how far it is, what can be done with it, and the matrix of its
cells."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from cdp.config.experiment import ExperimentConfig
from cdp.errors import CdpError
from cdp.experiments.begin import extend_run, more
from cdp.experiments.cells import CELLS
from cdp.experiments.search import trial_count
from cdp.ui.compare.state import MOST_COMPARED
from cdp.ui.experiment import views
from cdp.ui.experiment.doors import changed
from cdp.ui.experiment.state import ExperimentPage
from cdp.ui.experiment.take import keep, take
from cdp.ui.kit.ask import remembered
from cdp.ui.kit.frame import link
from cdp.ui.kit.markup import ACCENT, Html, bar, tag
from cdp.ui.kit.runlist import (
    POLL_SECONDS,
    act,
    log_fold,
    resumable,
    said,
    share,
    state_line,
    why_over,
)
from cdp.ui.kit.words import plain, sentence_of, split_verdict
from cdp.values.experiment import CellState, ExperimentResult
from cdp.values.text import counted, rough_duration
from cdp.work import launch
from cdp.work.records import CONFIG, Run, get_run

STRONGER = {"quick": "pgd", "pgd": "autoattack"}
WORDS = {
    "waiting": "waiting",
    "pretrain": "diffusion model",
    "generate": "images",
    "prepare": "choosing images",
    "train": "training",
    "evaluate": "attacking",
    "done": "done",
    "failed": "failed",
    "dropped": "ended early",
}
MOST_SEEDS_SHOWN = 12
DOUBLE_CLICK_SECONDS = 1.5


def show_experiment(state: ExperimentPage, run: Run) -> None:
    """Polls while it runs; the whole page is drawn anew once it is over."""
    _head(state, run)
    with st.container():
        st.fragment(_live, run_every=None if run.over else POLL_SECONDS)(state, run.id, run.over)
    from cdp.ui.components.chart import load_plotly

    load_plotly()


def _head(state: ExperimentPage, run: Run) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="experiment_head"):
        st.button(
            "New experiment",
            icon=":material/arrow_back:",
            type="tertiary",
            key="experiment_new",
            on_click=partial(setattr, state, "experiment", ""),
        )
        if isinstance(run.config, ExperimentConfig):
            st.button(
                "Use these settings",
                type="tertiary",
                key="experiment_use",
                on_click=_use,
                args=(state, run.config),
                help="Puts them on the form; nothing is started.",
            )
    with st.container(key="experiment_name"):
        st.title(plain(run.name), anchor=False)


def _use(state: ExperimentPage, config: ExperimentConfig) -> None:
    state.experiment = ""
    state.use(changed(config, {"name": ""}))


def result_now(run: Run, config: ExperimentConfig) -> ExperimentResult:
    """What it has come to, read anew once a cell has changed. Raises CdpError."""
    from cdp.experiments.results import result_of

    cells = run.folder / CELLS
    stamp = cells.stat().st_mtime_ns if cells.exists() else 0

    def read() -> ExperimentResult:
        return result_of(config, run.folder, run.name)

    known = remembered(
        f"experiment {run.id} {stamp} {run.state} {hash(config.model_dump_json())}", read
    )
    assert known is not None
    return known


def _live(state: ExperimentPage, run_id: str, was_over: bool) -> None:
    try:
        run = get_run(run_id)
    except CdpError:
        st.info("This experiment was removed.")
        return
    if run.over != was_over:
        st.rerun()
    config = run.config
    if not isinstance(config, ExperimentConfig):
        st.error(plain(sentence_of(run.error or "its settings cannot be read")))
        return
    try:
        result = result_now(run, config)
    except CdpError as error:
        st.error(plain(sentence_of(error)))
        return
    st.html(verdict_html(run, result))
    _progress(run, config, result)
    if run.shipped:
        st.html(
            tag(
                "div", "An example, read only. Use these settings to ask it again.", cls="cdp-quiet"
            ),
            width="stretch",
        )
        _example_links(result)
    else:
        _buttons(state, run, config)
    said()
    if run.over and run.state != "finished":
        why_over(replace(run, notice=None), "finished piece of work")  # the verdict, said above
    st.html(matrix_html(config, result, shipped=run.shipped), width="stretch")
    views.draw_views(run, config, result)
    if run.over:
        keep(run, config, result)
    take(state, run, config, result)
    log_fold(run)


def _example_links(result: ExperimentResult) -> None:
    """The ways to what is there of an example: its trainings' numbers and some of its images."""
    trained = [cell.train for cell in result.cells if cell.train][:MOST_COMPARED]
    seed = min((cell.seed for cell in result.cells), default=0)
    sets = [cell.set for cell in result.cells if cell.set and cell.seed == seed]
    with st.container(horizontal=True, gap="small", key="experiment_example"):
        if trained:
            link("compare", "Compare its trainings", runs=",".join(trained))
        if sets:
            link("explore", "Explore its images", sets=",".join(dict.fromkeys(sets)))


def verdict_html(run: Run, result: ExperimentResult) -> Html:
    """The sentence to remember, large; what it rests on under it."""
    if not result.verdict:
        text = "No pair of arms is finished yet"
        under = "The verdict begins with the first pair, and grows surer with every further one."
        if run.over:
            under = "Resume it for a verdict." if run.state != "finished" else ""
        return tag(
            "div", tag("p", text, cls="cdp-headline cdp-open"), tag("p", under), cls="cdp-said"
        )
    head, rest = split_verdict(result.verdict)
    parts = [tag("p", head, cls="cdp-headline"), tag("p", rest)]
    parts += [tag("p", result.basis, cls="cdp-basis")] if result.basis else []
    return tag("div", *parts, cls="cdp-said")


def _progress(run: Run, config: ExperimentConfig, result: ExperimentResult) -> None:
    done = sum(cell.stage in ("done", "dropped") for cell in result.cells)
    failed = sum(cell.stage == "failed" for cell in result.cells)
    # Arms of a search are not known beforehand.
    trials = trial_count(config) if config.search else 0
    explicit = sum(1 for _ in config.all_arms())
    count = max(len(result.cells), (explicit + trials) * len(config.seeds))
    words = (
        f"{done} of {'up to ' if trials else ''}{counted(count, 'cell')} done"
        + f", {failed} failed" * bool(failed)
    )
    if run.state == "running" and run.progress and run.progress.seconds_left is not None:
        words += f" · {rough_duration(run.progress.seconds_left)} left"
    line = state_line(run, "").split(" · ")[0]
    text = " · ".join(part for part in (line, words) if part)
    shown = "" if run.state == "finished" else bar(share(run), f"{run.name}: done", ACCENT)
    st.html(tag("div", tag("div", text, cls="cdp-quiet"), shown), width="stretch")


def _buttons(state: ExperimentPage, run: Run, config: ExperimentConfig) -> None:
    def press(label: str, icon: str, action: Callable[[], object], about: str, **kind: Any) -> None:
        st.button(
            label,
            icon=f":material/{icon}:",
            key=f"experiment_{icon}",
            help=about,
            on_click=_acted,
            args=(action,),
            **kind,
        )

    with st.container(horizontal=True, key="experiment_buttons", gap="small"):
        if not run.over:
            press(
                "Stop",
                "stop",
                partial(launch.stop, run.id),
                "Keeps everything that is done; it can be resumed.",
                disabled=run.state == "stopping",
            )
        elif resumable(run):
            about = "Goes on from what is done."
            press("Resume", "play_arrow", partial(launch.resume, run.id), about, type="primary")
        if run.state == "stopping":
            return
        press(
            "Two more seeds",
            "exposure_plus_2",
            partial(_more_seeds, run, config),
            "Only what is new is computed.",
        )
        attack = str(config.evaluate.get("attack", "quick"))
        if (stronger := STRONGER.get(attack)) and config.stage == "evaluate":
            press(
                "Stronger attack",
                "bolt",
                lambda: extend_run(run.id, more(config, attack=stronger)),
                f"Evaluates with {'AutoAttack' if stronger == 'autoattack' else 'PGD'}; trainings are kept.",
            )


def _more_seeds(run: Run, config: ExperimentConfig) -> None:
    """Two more, once: a second press of a double click comes with the settings of the first."""
    if time.time() - (run.folder / CONFIG).stat().st_mtime > DOUBLE_CLICK_SECONDS:
        extend_run(run.id, more(config, seeds=2))


def _acted(action: Callable[[], object]) -> None:
    act(action, "Not done")


def matrix_html(
    config: ExperimentConfig, result: ExperimentResult, *, shipped: bool = False
) -> Html:
    """Arms by seeds: what each cell is doing, and the way to what it made. shipped: that is not
    here, as with the example study."""
    states = {(cell.arm, cell.seed): cell for cell in result.cells}
    seeds = sorted({*config.seeds, *(seed for _, seed in states)})[:MOST_SEEDS_SHOWN]
    arms = [arm.name for arm in result.arms]
    head = tag(
        "tr", tag("th", "Arm", scope="col"), *(tag("th", f"seed {s}", scope="col") for s in seeds)
    )
    rows = [
        tag(
            "tr",
            tag(
                "th",
                name,
                *([tag("span", "control", cls="cdp-tag")] if name == result.control else []),
                scope="row",
            ),
            *(
                _cell(states.get((name, seed)) or CellState(name, seed), shipped=shipped)
                for seed in seeds
            ),
        )
        for name in arms
    ]
    return tag(
        "div",
        tag("table", tag("thead", head), tag("tbody", *rows)),
        cls="cdp-matrix",
        tabindex=0,
        role="region",
        aria_label="Arms by seeds",
    )


def _cell(cell: CellState, *, shipped: bool) -> Html:
    words, done = WORDS[cell.stage], 0.0
    if cell.run and not cell.over:
        done = _share_now(cell)
        words = f"{words} {100 * done:.0f} %"
    elif cell.stage in ("pretrain", "generate", "train", "evaluate"):  # its turn has not come
        words = "trained" if cell.train else "images there" if cell.set else "waiting"
    if cell.stage == "done" and len(cell.reused) > 1:
        words = "done, reused"
    links = () if shipped else _links(cell)
    stage = tag("div", words, cls="cdp-stage")
    parts = [tag("div", stage, tag("div", *links, cls="cdp-links"), cls="cdp-cell-head")]
    if cell.run and not cell.over:
        parts.append(bar(done, words, ACCENT))
    if cell.error:
        parts.append(tag("div", cell.error, cls="cdp-cut", title=cell.error))
    return tag("td", *parts, cls=f"cdp-cell cdp-is-{cell.stage}")


def _share_now(cell: CellState) -> float:
    try:
        return share(get_run(cell.run))
    except CdpError:
        return cell.share


def _links(cell: CellState) -> Sequence[Html]:
    links = []
    if cell.set:
        links.append(_link("set", "gallery", set=cell.set))
    if cell.train:
        links.append(_link("run", "train", run=cell.train))
    elif cell.run and cell.stage == "train":
        links.append(_link("run", "train", run=cell.run))
    if cell.evaluate:
        links.append(_link("report", "evaluate", report=cell.evaluate))
    return links


def _link(text: str, page: str, **query: str) -> Html:
    return tag("a", text, href=f"{page}?{urlencode(query)}")
