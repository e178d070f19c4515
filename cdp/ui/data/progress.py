"""The fourth step of "Your data": the trainings as they go, with live samples and curves. Polls
files; talks to no process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.config.pretrain import EncoderConfig
from cdp.data.facts import Facts
from cdp.files import npy
from cdp.results.history import history_of
from cdp.ui.components.chart import chart
from cdp.ui.data.plan import DIFFUSION, ENCODER, TITLES, of_dataset, role_of
from cdp.ui.data.sets import class_rows
from cdp.ui.kit.frame import nothing_yet
from cdp.ui.kit.markup import Html, line, row
from cdp.ui.kit.runlist import POLL_SECONDS, RunList, moving, run_bar, run_list, state_line
from cdp.ui.kit.tables import numbers
from cdp.ui.kit.words import plain
from cdp.values.text import duration, share_text
from cdp.work.records import Run, list_runs

SHEET = "sheet.npz"
MOST_BYTES = 64 << 20
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Samples:
    """What a diffusion model makes in the middle of its training. image: (n,H,W,C) uint8; label:
    (n,)."""

    image: np.ndarray
    label: np.ndarray
    step: int


def progress(seen: Facts, runs: Sequence[Run]) -> None:
    """Runs and what they show. Polls while one of them moves; once one ends, the whole page is
    drawn anew."""

    def now() -> list[Run]:
        return of_dataset(list_runs(), seen.name)

    def draw(run: Run, _: None) -> None:
        st.html(row_html(run), width="stretch")

    left, right = st.columns([4, 11], gap="large")
    with left:
        of = RunList(
            "data",
            "",
            "checkpoint",
            "filter by name or state",
            lambda run: "",
            runs=now,
            removable=lambda run: run.state != "finished",
        )
        run_list(of, runs, lambda listed: None, draw)
    with right:
        st.fragment(_draw, run_every=POLL_SECONDS if moving(runs) else None)(seen, now)


def row_html(run: Run) -> Html:
    """One training: what it is of, how far it is; once it is over, what it took and came to."""
    title = TITLES.get(role_of(run), "Encoder")
    named = run.kind == DIFFUSION or role_of(run) not in TITLES
    more = []
    if run.state == "finished" and run.started and run.ended:
        more.append(f"took {duration(run.ended - run.started)}")
    score = (run.result or {}).get("score") if run.kind == ENCODER else None
    if isinstance(score, int | float):
        more.append(f"held out {share_text(score)}")
    state = state_line(run, None, *more)
    head = f"{title} {run.name}" if named else title
    wrong = line(run.wrong or "", "cdp-wrong")
    return row(head, state, run_bar(run), wrong, small=run.notice or "")


def samples(path: Path) -> Samples | None:
    """The sheet of a run; None where there is none, or where it is not what it should be."""
    try:
        sheet = npy.read_arrays(path, MOST_BYTES)
        image, label, step = sheet["image"], sheet["label"], int(sheet["step"])
    except (OSError, ValueError, KeyError, TypeError):  # InputError is a ValueError
        return None
    fits = image.ndim == 4 and image.dtype == np.uint8 and 1 <= image.shape[-1] <= 4
    fits = fits and len(image) > 0 and label.dtype.kind in "iu"
    return Samples(image, label, step) if fits and label.shape == image.shape[:1] else None


def _draw(seen: Facts, now: Callable[[], Sequence[Run]]) -> None:
    runs = now()
    _sheet(seen, runs)
    _curves(seen, runs)


def _sheet(seen: Facts, runs: Sequence[Run]) -> None:
    """Samples of the newest diffusion model that has some."""
    models = [run for run in runs if run.kind == DIFFUSION]
    sheets = ((run, samples(run.folder / SHEET)) for run in models)
    run, sheet = next(((run, sheet) for run, sheet in sheets if sheet), (None, None))
    if run is None or sheet is None:
        if any(not run.over for run in models):
            nothing_yet(
                "Samples of the diffusion model appear here",
                ":small[From its first checkpoint on, about once a minute. It waits for the"
                " encoders.]",
            )
        return
    total = run.progress.count if run.progress else sheet.step
    st.markdown(f"**Samples of {plain(run.name)} at step {sheet.step:,}** :gray[of {total:,}]")
    st.html(class_rows(sheet.image, sheet.label, seen.classes))
    st.caption("20-step DDIM samples of the averaged weights, always from the same noise.")


def _curves(seen: Facts, runs: Sequence[Run]) -> None:
    losses, scores = _points(runs)
    if not (losses or scores):
        return
    from cdp.figures.training import held_out_curves, loss_curve

    columns = iter(st.columns(2, gap="medium"))
    rows: list[dict[str, object]] = []
    if losses:
        run, points = losses
        total = run.progress.count if run.progress else int(points[-1][0])
        with next(columns):
            chart(loss_curve(points, total), key="data_loss")
        rows += [{"training": run.name, "step": int(s), "loss": v} for s, v in points]
    if scores:
        n = min(EncoderConfig().held_out, seen.images // 10)
        how = f"robust: under attack; noise-aware: on noised images; n = {n:,} at most"
        with next(columns):
            chart(held_out_curves(scores, 1 / len(seen.classes), how), key="data_scores")
        rows += [
            {"training": name, "epoch": round(epoch, 2), "held-out accuracy": score}
            for name, points in scores.items()
            for epoch, score in points
        ]
    numbers("the curves", lambda: rows, "training.csv", key="data_numbers")


def _points(runs: Sequence[Run]) -> tuple[tuple[Run, Points] | None, dict[str, Points]]:
    """(step, loss) of the newest diffusion model, and (epoch, accuracy) of the newest training of
    each encoder."""
    losses, scores = None, dict[str, Points]()
    for run in runs:
        if run.kind == DIFFUSION and losses is None:
            points = [(float(s), float(v)) for s, v in _journal(run, "loss") if v > 0]
            losses = (run, points) if points else None
        count = run.progress.count if run.progress else 0
        if isinstance(run.config, EncoderConfig) and count and run.name not in scores:
            epoch = run.config.epochs / count
            if points := [(float(s * epoch), float(v)) for s, v in _journal(run, "score")]:
                scores[run.name] = points
    return losses, scores


def _journal(run: Run, name: str) -> np.ndarray:
    return history_of(run.folder).rows("point", name)
