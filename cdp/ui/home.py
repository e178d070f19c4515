"""The first page: the answer so far, the way through the studio with what is there already, and
what was worked on last. What needs the store is imported when it is read, so that a fresh server
has painted the rest by then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from cdp.ui.kit.frame import link
from cdp.ui.kit.markup import Html, image, line, tag

if TYPE_CHECKING:
    from cdp.config.experiment import ExperimentConfig
    from cdp.data.sets import SetEntry
    from cdp.values.experiment import ExperimentResult
    from cdp.work.records import Run

RECENT = 3
"""Sets, trainings and experiments of the last days, of each."""
MOST_ARMS = 4
"""Arms of which images are shown beside the finding."""
WIDE = 1040
"""Pixels that text, chart and cards take at most, so that lines can be read."""
STEPS = (
    ("Make", "generate", "auto_awesome", "Steer the sampler, guided beside unguided"),
    ("Look", "explore", "scatter_plot", "See how well the classes can be told apart"),
    ("Train", "train", "model_training", "Train robust classifiers on real and synthetic"),
    ("Judge", "experiment", "experiment", "Compare arms over seeds, to a verdict"),
)


def opening() -> None:
    """What this is, and the one thing to do."""
    st.title("Contrastive-DP Studio", anchor=False)
    with st.container(width=760, gap="small"):
        st.markdown(
            "Does guiding a diffusion model make its images better training data for a robust"
            " classifier, and at which setting? Make images, train on them, attack, and read the"
            " answer with its error bars."
        )
        with st.container(horizontal=True, vertical_alignment="center", key="home_actions"):
            if st.button("Ask it with an experiment", type="primary", key="to_experiment"):
                st.switch_page("pages/experiment.py")
            link("generate", "Make images")
            link("theory", "Why it should help")


def store() -> None:
    """The answer, the steps and what was worked on last; reads cards, names and results only."""
    from cdp.data.sets import list_sets
    from cdp.experiments.begin import KIND
    from cdp.ui.kit.choices import read_choices
    from cdp.work.records import list_runs, shipped_runs

    runs, sets = list_runs(), list_sets()
    asked = [run for run in runs if run.kind == KIND]
    shipped = [run for run in shipped_runs() if run.kind == KIND]
    with st.container(width=WIDE, gap="medium"):
        _answer(shipped, asked)
        _workflow(sets, runs)
        _recent(sets, [run for run in runs if run.kind == "train"], asked)
        if not read_choices().models:
            st.warning(
                "No diffusion model is here yet. Train one with `python -m cdp pretrain`, or run"
                " `python -m cdp doctor` to see what is missing."
            )


def _answer(shipped: Sequence[Run], asked: Sequence[Run]) -> None:
    """The example study's finding, the one about how strong guidance should be first, or that of
    the newest experiment where none is shipped: in a sentence, as a chart, and the images that it
    is about."""
    known = [answer for run in shipped if (answer := _result(run))]
    known += [answer for run in asked if not known and (answer := _result(run))][:1]
    chosen = next((answer for answer in known if _varied(answer[2])), known[0] if known else None)
    with st.container(border=True, key="home_answer"):
        if chosen is None:
            st.html(_question())
            return
        run, config, result = chosen
        from cdp.ui.experiment.live import verdict_html
        from cdp.ui.experiment.views import main_chart

        st.html(verdict_html(run, result), width="stretch")
        left, right = st.columns([3, 2], gap="large")
        with left:
            main_chart(run, result, key="home")
        with right:
            _images(config, result)
            link("experiment", "All arms, images and numbers", experiment=run.id)


def _varied(result: ExperimentResult) -> bool:
    """Whether its arms differ in a number, such as the strength of guidance."""
    from cdp.figures.experiment import factors

    return bool(factors(result))


def _result(run: Run) -> tuple[Run, ExperimentConfig, ExperimentResult] | None:
    """What a finished experiment came to; None where it has no verdict that can be read."""
    from cdp.config.experiment import ExperimentConfig
    from cdp.errors import CdpError
    from cdp.ui.experiment.live import result_now

    if run.state != "finished" or not isinstance(run.config, ExperimentConfig):
        return None
    try:
        result = result_now(run, run.config)
    except CdpError:
        return None
    return (run, run.config, result) if result.verdict else None


def _question() -> Html:
    """Where the finding will stand."""
    return tag(
        "div",
        tag("p", "Nobody has asked it on this machine yet.", cls="cdp-headline cdp-open"),
        tag(
            "p",
            "An experiment makes images with and without guidance, trains a robust classifier on"
            " each over several seeds, attacks them all, and says here which is better and how sure"
            " that is.",
        ),
        cls="cdp-said",
    )


def _images(config: ExperimentConfig, result: ExperimentResult) -> None:
    """A row of images for some of the arms, from the same noise."""
    from cdp.ui.experiment.views import first_images, rows_html

    images: dict[str, np.ndarray] = {}
    for arm, of in first_images(result).items():  # arms that train on the same set share a row
        if len(images) < MOST_ARMS and not any(np.array_equal(of, x) for x in images.values()):
            images[arm] = of
    if images:
        st.html(tag("div", "The same noise in every arm", cls="cdp-quiet"))
        st.html(rows_html(images, {}), width="stretch")


def _workflow(sets: Sequence[SetEntry], runs: Sequence[Run]) -> None:
    """The four steps, each with what is there already."""
    there = dict(zip((name for name, *_ in STEPS), _counts(sets, runs), strict=True))
    with st.container(horizontal=True, key="home_steps", gap="small"):
        for number, (name, page, icon, about) in enumerate(STEPS, 1):
            with st.container(border=True, key=f"home_step_{page}", gap=None, width="stretch"):
                link(page, f"{number}. {name}", icon)
                st.html(tag("div", line(about), line(there[name], "cdp-quiet"), cls="cdp-step"))


def _counts(sets: Sequence[SetEntry], runs: Sequence[Run]) -> list[str]:
    """What is there of each step."""
    from cdp.ui.kit.choices import read_choices
    from cdp.values.text import counted

    def made(kind: str, noun: str) -> str:
        over = [run.over for run in runs if run.kind == kind]
        going = f", {over.count(False)} at work" * (False in over)
        return f"{counted(len(over), noun)}{going}" if over else f"no {noun} yet"

    datasets, known = read_choices().datasets, len(sets)
    return [
        counted(known, "saved set") if known else "no saved set yet",
        f"{counted(len(datasets), 'data set')} of real images" if datasets else "no real images",
        made("train", "training"),
        f"{made('experiment', 'experiment')}, {made('evaluate', 'evaluation')}",
    ]


def _recent(sets: Sequence[SetEntry], trainings: Sequence[Run], asked: Sequence[Run]) -> None:
    """The newest sets as pictures, trainings and experiments as numbers; nothing on a first
    visit."""
    draws: list[tuple[str, Callable[[], None]]] = []
    newest = sorted(sets, key=lambda entry: str((entry.card or {}).get("created")), reverse=True)
    whole = [entry for entry in newest if not entry.error][:RECENT]
    if whole:
        draws.append(("Newest sets", lambda: _newest_sets(whole)))
    if trainings:
        draws.append(("Newest trainings", lambda: _newest_trainings(trainings[:RECENT])))
    if asked:
        draws.append(("Newest experiments", lambda: _newest_experiments(asked[:RECENT])))
    if draws:
        for place, (title, draw) in zip(st.columns(len(draws), gap="large"), draws, strict=True):
            with place:
                st.subheader(title, anchor=False)
                draw()


def _newest_sets(entries: Sequence[SetEntry]) -> None:
    from cdp.errors import InputError
    from cdp.ui.gallery.entries import GalleryLine
    from cdp.ui.gallery.parts import OPEN, facts, thumbnail
    from cdp.ui.kit.images import data_url

    for entry in entries:
        try:
            picture = data_url(thumbnail(entry.folder))
        except (InputError, OSError):
            continue  # the gallery says what is wrong with it
        alt = f"first images of {entry.name}, one of each class"
        text = facts(GalleryLine(entry))
        with st.container(gap=None, key=f"home_set_{entry.name}"):
            link("gallery", entry.name, "photo_library", **{OPEN: entry.name})
            st.html(tag("div", image(picture, alt), line(text, "cdp-small"), cls="cdp-recent"))


def _newest_trainings(runs: Sequence[Run]) -> None:
    from cdp.results.reached import reached_of
    from cdp.ui.kit.runlist import run_bar
    from cdp.ui.train.runs import accuracy_line, epoch_line

    for run in runs:
        now = reached_of(run)
        with st.container(gap=None, key=f"home_run_{run.id}"):
            link("train", run.name, "model_training", run=run.id)
            text = accuracy_line(now) or epoch_line(run, now)
            st.html(tag("div", line(text, "cdp-small"), run_bar(run), cls="cdp-recent"))


def _newest_experiments(runs: Sequence[Run]) -> None:
    from cdp.ui.kit.runlist import run_bar, state_line

    for run in runs:
        verdict = str((run.result or {}).get("verdict") or "").partition(": ")[0]
        with st.container(gap=None, key=f"home_run_{run.id}"):
            link("experiment", run.name, "experiment", experiment=run.id)
            text = line(verdict or state_line(run), "cdp-small")
            st.html(tag("div", text, run_bar(run), cls="cdp-recent"))
