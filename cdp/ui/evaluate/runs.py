"""Evaluations as the page lists them: settings, how far each is, what came out; in detail what
withstands after every attack, an upper bound that only falls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path, PurePath
from typing import Any

import streamlit as st

from cdp import paths
from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.titles import TITLES
from cdp.errors import CdpError
from cdp.figures.palette import Sign
from cdp.results.history import history_of
from cdp.results.reached import share, whole
from cdp.results.rows import group_of
from cdp.results.signs import model_sign
from cdp.statistics.shares import share_interval
from cdp.statistics.significance import mean_interval
from cdp.ui.evaluate.form import EvaluationPage, model_of, shown_run
from cdp.ui.evaluate.report import report_of, show_report
from cdp.ui.kit.markup import Html, heading, joined, line, mark, row, tag
from cdp.ui.kit.runlist import (
    POLL_SECONDS,
    RunList,
    differing,
    log_fold,
    run_bar,
    run_list,
    state_line,
    use_settings,
    why_over,
)
from cdp.ui.kit.words import plain
from cdp.values.text import counted, exact_text, share_text, share_with_bounds
from cdp.work.records import Run, get_run

WEIGHTS = ("best", "last")
"""Of a training whose both sets of weights are evaluated, in this order."""


@dataclass(frozen=True)
class Bound:
    """No more than ``robust`` of n images withstand, whatever comes after ``attacks`` finished
    attacks. weights: 0 for the first set; so_far: whether a part of the next attack counts too."""

    weights: int
    attacks: int
    robust: float
    n: int
    so_far: bool = False


def facts(config: Any) -> str:
    """The settings in short: attack, images, budget, weights."""
    if not isinstance(config, EvaluateConfig):
        return "settings cannot be read"
    images = "all images" if config.images is None else f"at most {config.images:,} images"
    norm = "" if config.norm == "trained" else TITLES[config.norm]
    budget = "" if config.epsilon is None else f"budget {exact_text(config.epsilon)}"
    threat = " ".join(part for part in (norm, budget) if part) or "budget as trained"
    which = f"{config.weights} weights" if config.model.startswith(RUN) else ""
    data = PurePath(config.part or config.dataset).name
    parts = (TITLES[config.attack], images, threat, which, data, f"seed {config.seed}")
    return " · ".join(part for part in parts if part)


def list_of_evaluations(settings: EvaluationPage, runs: Sequence[Run]) -> None:
    """Nothing where there is none."""

    def opened(listed: Sequence[Run]) -> str:
        run = shown_run(settings, listed)
        return run.id if run else ""

    differ = differing(runs, EvaluateConfig, but=("model",))

    def draw(run: Run, open_id: str) -> None:
        so_far = [] if run.over else bounds(run)
        small = differ.get(run.id) or facts(run.config)
        st.html(row_html(run, so_far, small, visible=run.id == open_id), width="stretch")

    def show(run: Run, open_id: str) -> None:
        if run.id != open_id:
            choose = partial(setattr, settings, "report", run.id)
            st.button("Show", key=f"show-{run.id}", on_click=choose, help="Above the list.")

    run_list(RUNS, runs, opened, draw, show)


def _open(settings: EvaluationPage, run: Run) -> None:
    """Show its report, with its model on the form."""
    settings.report = run.id
    if (model := model_of(run)) and model != settings.flat["model"]:
        settings.replace({"model": model})


def bounds(run: Run) -> list[Bound]:
    """What stood after every attack, and what stands now, in the order it was measured."""
    first: dict[tuple[int, int], Bound] = {}
    last = None
    points = history_of(run.folder).rows("weights", "stage", "robust", "n", weights=0.0)
    for weights, stage, robust, n in points:
        # A point counts the attack under way from 0, which is how many are finished.
        if 0 <= robust <= 1 and n >= 1 and stage >= 0:
            last = Bound(int(weights), int(stage), float(robust), int(n))
            first.setdefault((last.weights, last.attacks), last)
    stages = list(first.values())
    if last is not None and last is not stages[-1]:
        stages.append(replace(last, so_far=True))
    return stages


def bound_text(result: Sequence[Bound]) -> str:
    """The upper bound as it stands: "at most 64.1 % so far"; of both weights where there are two;
    empty before the first batch."""
    latest = {item.weights: item for item in result}
    if len(latest) < 2:
        return "".join(f"at most {share_text(item.robust)} so far" for item in latest.values())
    return ", ".join(
        f"{WEIGHTS[k]} at most {share_text(item.robust)}"
        for k, item in sorted(latest.items())
        if 0 <= k < len(WEIGHTS)
    )


def outcome_text(run: Run) -> str:
    """What came out: "60.3 % (57.2 to 63.3) withstand, 85.1 % clean"; empty where nothing has."""
    result = run.result or {}
    robust, clean = share(result.get("robust_accuracy")), share(result.get("clean_accuracy"))
    n = whole(result.get("n"))
    if robust is None or n < 1:
        return ""
    text = f"{share_with_bounds(share_interval(robust, n, n))} withstand"
    return text if clean is None else f"{text}, {share_text(clean)} clean"


def withstand_together(group: Sequence[Run]) -> str:
    """Robust accuracy on test images: the mean over seeds with its interval."""
    known = [share((run.result or {}).get("robust_accuracy")) for run in group]
    shares = [value for value in known if value is not None]
    return f"{share_with_bounds(mean_interval(shares))} withstand" if len(shares) > 1 else ""


def seeds_of(run: Run) -> str:
    """What evaluations have in common whose models differ in their seed only and that measured them
    in the same way. Any other is alone."""
    config = run.config
    if not isinstance(config, EvaluateConfig) or not config.model.startswith(RUN):
        return run.id
    try:
        group = _group_of_training(config.model.removeprefix(RUN), paths.runs_dir())
    except CdpError:  # removed since
        return run.id
    return f"{group} {config.model_dump_json(exclude={'model'})}"


@lru_cache(maxsize=4096)
def _group_of_training(run_id: str, _runs: Path) -> str:
    """A list asks for hundreds of them, and the settings of a run never change."""
    return group_of(get_run(run_id))


def _most_robust(run: Run) -> float:
    return -(share((run.result or {}).get("robust_accuracy")) or 0.0)


def label_of(run: Run) -> str:
    """How the number of an evaluation has to be called; empty before there is one."""
    label = (run.result or {}).get("label")
    return str(label)[:200] if isinstance(label, str) else ""


def _sign(run: Run) -> Sign:
    """Of the model that is evaluated."""
    config = run.config
    return model_sign(config.model if isinstance(config, EvaluateConfig) else run.id, run.name)


def row_html(run: Run, stages: Sequence[Bound], small: str = "", *, visible: bool) -> Html:
    """One evaluation. stages: of one that moves; small: its settings, in short where empty;
    visible: whether its report stands above."""
    arrow = tag("span", "▸ ", aria_hidden="true") if visible else ""
    head = joined(arrow, mark(_sign(run)), run.name)
    if run.state == "finished":
        lines = [line(outcome_text(run), "cdp-strong"), state_line(run, "", label_of(run))]
    else:
        notice = "" if run.over else run.notice or ""
        status = " · ".join(part for part in (notice, bound_text(stages)) if part)
        lines = [state_line(run), status, run_bar(run)]
    problem = "" if run.over else history_of(run.folder).problem
    wrong = run.wrong or problem
    return row(head, *lines, small=small or facts(run.config), error=wrong)


def detail(settings: EvaluationPage, run: Run) -> None:
    """Everything of one evaluation: its report, how far it is, or why it has none; polls while it
    moves."""
    st.html(heading(run.name, _sign(run)))
    with st.container(key="evaluate_detail"):
        if not run.over:
            st.fragment(_moving, run_every=POLL_SECONDS)(run.id)
            return
        try:
            if run.state == "finished":
                show_report(settings, run, report_of(run.folder))
                return
        except CdpError as error:
            st.error(plain(f"{error}."))
        else:
            why_over(run, RUNS.saved)
            _stages(run)
        if isinstance(run.config, EvaluateConfig):
            use_settings(run.id, partial(settings.use, run.config))
        log_fold(run)


def _moving(run_id: str) -> None:
    try:
        run = get_run(run_id)
    except CdpError:
        st.caption("This evaluation was removed.")
        return
    _stages(run)
    st.caption("The report appears here once everything is measured.")
    log_fold(run)


def _stages(run: Run) -> None:
    if stages := bounds(run):
        st.html(stages_html(stages, None if run.over else run.notice))


def stages_html(stages: Sequence[Bound], notice: str | None) -> Html:
    """One bar for each attack that is done and one for what stands now. stages: one or more;
    notice: what is on its way, in words, whose beginning names the attack."""
    several = len({bound.weights for bound in stages}) > 1
    attack, colon, _ = (notice or "").partition(":")
    attack = attack if colon else ""
    text = (
        f"Share of {stages[-1].n:,} images that withstand so far: an upper bound of robust accuracy"
        " until the last attack is done."
    )
    rows = (_stage(bound, attack, several=several) for bound in stages)
    return tag("div", tag("p", text, cls="cdp-quiet"), *rows, cls="cdp-stages")


def _stage(bound: Bound, attack: str, *, several: bool) -> Html:
    known = several and 0 <= bound.weights < len(WEIGHTS)
    which = f"{WEIGHTS[bound.weights]} weights, " if known else ""
    if bound.so_far:
        title = f"{which}{f'during {attack}' if attack else 'now'}"
    elif bound.attacks:
        title = f"{which}after {counted(bound.attacks, 'attack')}"
    else:
        title = f"{which}without attack"
    # Dashed where it will fall further; the words say so too.
    falling = "cdp-falling" if bound.so_far else ""
    level = tag("span", cls=falling, style=f"width:{bound.robust * 100:.1f}%")
    return tag(
        "div",
        tag("span", title[:1].upper() + title[1:]),
        tag("span", level, cls="cdp-level"),
        tag("b", share_text(bound.robust)),
    )


RUNS = RunList(
    "evaluate",
    "Evaluations",
    "finished batch",
    "filter by name, state, attack or data",
    lambda run: f"{facts(run.config)} {label_of(run)}",
    size=6,
    group=seeds_of,
    together=withstand_together,
    orders={"Most robust first": _most_robust, "Name": lambda run: run.name.lower()},
)
