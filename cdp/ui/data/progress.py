"""The fourth step of "Your data": the trainings as they go, with live samples and curves. Polls
files; talks to no process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from cdp.config.pretrain import EncoderConfig
from cdp.data.facts import Facts
from cdp.results.history import history_of
from cdp.ui.components.chart import chart
from cdp.ui.data.plan import DIFFUSION, ENCODER, ROLES, of_dataset, role_of
from cdp.ui.data.sets import class_rows
from cdp.ui.kit.runlist import POLL_SECONDS, Help, buttons, moving, said, share, state_line
from cdp.ui.kit.words import plain
from cdp.values.text import duration, share_text
from cdp.work.records import Run, list_runs

SHEET = "sheet.npz"
SHOWN = 8
"""Trainings in the list: the newest."""
HELP = Help(
    "Goes on from its last checkpoint when resumed.",
    "Goes on from its last checkpoint.",
    "Moves this training and its checkpoint to the trash.",
)


@dataclass(frozen=True)
class Samples:
    """What a diffusion model makes in the middle of its training. image: (n,H,W,C) uint8; label:
    (n,)."""

    image: np.ndarray
    label: np.ndarray
    step: int


def progress(seen: Facts, runs: Sequence[Run]) -> None:
    """Runs and what they show. Polls while one of them is on its way; once one ends, the whole page
    is drawn anew."""
    going = moving(runs)
    st.fragment(_draw, run_every=POLL_SECONDS if going else None)(seen, going)


def samples(path: Path) -> Samples | None:
    """The sheet of a run; None where there is none, or where it is not what it should be."""
    try:
        with np.load(path, allow_pickle=False) as samples_here:
            image, label, step = (
                samples_here["image"],
                samples_here["label"],
                int(samples_here["step"]),
            )
    except (OSError, ValueError, KeyError, EOFError, TypeError):
        return None
    fits = (
        image.ndim == 4
        and image.dtype == np.uint8
        and 1 <= image.shape[-1] <= 4
        and label.shape == image.shape[:1]
    )
    return Samples(image, label, step) if fits else None


def training_line(run: Run) -> str:
    """State, steps and time left; once it is over, what it took and came to."""
    took = (
        f"took {duration(run.ended - run.started)}"
        if run.state == "finished" and run.started and run.ended
        else ""
    )
    score = (run.result or {}).get("score") if run.kind == ENCODER else None
    return state_line(
        run, None, took, f"held out {share_text(score)}" if isinstance(score, int | float) else ""
    )


def _draw(seen: Facts, going: frozenset[str]) -> None:
    """going: runs that were on their way when the page was drawn."""
    runs = of_dataset(list_runs(), seen.name)
    if moving(runs) != going:
        st.rerun()
    said()
    left, right = st.columns([4, 11], gap="large")
    with left:
        for run in sorted(runs[:SHOWN], key=lambda run: (run.created, run.id)):
            _run(run)
    with right:
        _sheet(seen, runs)
        _curves(seen, runs)


def _run(run: Run) -> None:
    titles = {role.key: role.title for role in ROLES}
    with st.container(border=True, key=f"data-run-{run.id}", gap="xsmall"):
        name = (
            f" :gray[{plain(run.name)}]"
            if run.kind == DIFFUSION or role_of(run) not in titles
            else ""
        )
        st.markdown(f"**{titles.get(role_of(run), 'Encoder')}**{name}")
        if run.state == "finished":
            st.caption(training_line(run))
        else:
            st.progress(share(run), training_line(run))
        if run.error:
            st.error(plain(run.error))
        if run.notice:
            st.caption(plain(run.notice))
        with st.container(horizontal=True):
            buttons(run, HELP, removable=run.state != "finished")


def _sheet(seen: Facts, runs: Sequence[Run]) -> None:
    """Samples of the newest diffusion model that has some."""
    models = [run for run in runs if run.kind == DIFFUSION]
    samples_here = next(
        ((run, latest) for run in models if (latest := samples(run.folder / SHEET)) is not None),
        None,
    )
    if samples_here is None:
        if any(not run.over for run in models):
            with st.container(border=True):
                st.markdown("**Samples of the diffusion model appear here**")
                st.caption(
                    "The first ones at its first checkpoint, then about once a minute. It waits for"
                    " the encoders to be done."
                )
        return
    run, latest = samples_here
    total = run.progress.count if run.progress else latest.step
    st.markdown(f"**Samples of {plain(run.name)} at step {latest.step:,}** :gray[of {total:,}]")
    st.html(class_rows(latest.image, latest.label, seen.classes))
    st.caption(
        "A preview: 20-step DDIM samples of the averaged weights, always from the same noise."
    )


def _curves(seen: Facts, runs: Sequence[Run]) -> None:
    losses, scores = _points(seen, runs)
    if not (losses or scores):
        return
    from cdp.figures.training import held_out_curves, loss_curve

    columns = iter(st.columns(2, gap="medium"))
    if losses:
        with next(columns):
            run, points = losses
            total = run.progress.count if run.progress else int(points[-1][0])
            chart(
                loss_curve(points, total),
                key="data_loss",
                alt=f"Loss of {run.name}, at last {points[-1][1]:.4f}",
            )
    if scores:
        with next(columns):
            last = ", ".join(
                f"{name} {share_text(points[-1][1])}" for name, points in scores.items()
            )
            chart(
                held_out_curves(scores, 1 / len(seen.classes)),
                key="data_scores",
                alt=f"Held-out accuracy: {last}",
            )
            count = min(EncoderConfig().held_out, seen.images // 10)
            st.caption(
                f"{last}. The robust encoder is scored under attack, the noise-aware one on noised"
                f" images; n = {count:,} at most."
            )
    _numbers(losses, scores)


def _points(
    seen: Facts, runs: Sequence[Run]
) -> tuple[tuple[Run, list[tuple[float, float]]] | None, dict[str, list[tuple[float, float]]]]:
    """(step, loss) of the newest diffusion model, and (epoch, accuracy) of the newest training of
    each encoder."""
    losses = None
    scores: dict[str, list[tuple[float, float]]] = {}
    for run in runs:
        if run.kind == DIFFUSION and losses is None:
            points = [(s, v) for s, v in _points_of(run, "loss") if v > 0]
            losses = (run, points) if points else None
        if (
            isinstance(run.config, EncoderConfig)
            and run.name not in scores
            and run.progress
            and run.progress.count
        ):
            epoch = run.config.epochs / run.progress.count
            points = [(s * epoch, v) for s, v in _points_of(run, "score")]
            if points:
                scores[run.name] = points
    return losses, scores


def _points_of(run: Run, name: str) -> list[tuple[float, float]]:
    """Steps and values of a run, by its journal."""
    return [
        (float(step), float(value)) for step, value in history_of(run.folder).rows("point", name)
    ]


def _numbers(
    losses: tuple[Run, list[tuple[float, float]]] | None,
    scores: dict[str, list[tuple[float, float]]],
) -> None:
    with st.expander("Numbers of the curves"):
        rows = [
            {"training": name, "epoch": round(epoch, 2), "held-out accuracy": score}
            for name, points in scores.items()
            for epoch, score in points
        ]
        if rows:
            st.dataframe(rows, hide_index=True, width="stretch", height=220)
        if losses:
            run, points = losses
            st.dataframe(
                [{"training": run.name, "step": int(s), "loss": v} for s, v in points],
                hide_index=True,
                width="stretch",
                height=220,
            )
