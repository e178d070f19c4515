"""The right column of the Attack lab: models attacked, in words, pictures and figures."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from cdp.config.lab import LabConfig
from cdp.figures.palette import Sign
from cdp.results.signs import model_sign
from cdp.tasks import lab
from cdp.ui.components.chart import chart, load_plotly
from cdp.ui.kit.ask import ask, take_back, waiting
from cdp.ui.kit.images import gain_of, in_levels, perturbation, png
from cdp.ui.kit.markup import Html, heading, image, joined, tag
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.tables import numbers
from cdp.ui.kit.words import plain
from cdp.ui.lab import words
from cdp.values.lab import STARTS, AttackFigures, LabResult, LabSubject, Smallest
from cdp.values.text import NORMS, budget_text, class_name
from cdp.values.types import DatasetInfo
from cdp.work.helper import Errand

PATIENCE = 0.25
"""Seconds that a page run waits for an attack, so that a quick one is drawn at once and not after a
poll."""
ROOM_PX = 76
"""Room around the ruler in the slot that it shares with what is being waited for, so that nothing
below it jumps."""
KEPT = 8
"""Results of earlier settings that a session holds, to show them faded until the new ones are
there."""
_LAST = "lab_last"


@dataclass
class Question:
    """One model of the lab. subject: image and weights; attack, search: asked for what is None."""

    title: str
    config: LabConfig
    subject: LabSubject
    result: LabResult | None = None
    smallest: Smallest | None = None
    attack: Errand | None = None
    search: Errand | None = None

    def look(self) -> None:
        """The attack from the cache, else asked for."""
        cached = lab.attack_of(self.config, self.subject)
        self.result = cached.known()
        if self.result is None:
            self.attack = self._ask(cached.key, "Attacking", search=False)

    def look_for_smallest(self) -> None:
        """The smallest budget from the cache, else asked for."""
        cached = lab.smallest_of(self.config, self.subject)
        self.smallest = cached.known()
        if self.smallest is None:
            self.search = self._ask(cached.key, "Smallest budget of", search=True)

    def _ask(self, key: str, title: str, *, search: bool) -> Errand:
        config = self.config.model_dump(mode="json") | ({"epsilon": None} if search else {})
        settings, what = {"config": config, "search": search}, f"{self.subject.weights} {search}"
        title = f"{title} {self.title}"
        return ask("lab", settings, title=title, what=what, size=self.config.steps, of=key)


def answered(questions: Sequence[Question]) -> None:
    """Fill in what is known and ask for the rest: attacks first, then the smallest budgets."""
    for question in questions:
        question.look()
    attacks = [question.attack for question in questions if question.attack]
    if attacks:
        # A search must not keep a moved slider waiting; it is asked for again below.
        take_back("lab", attacks)
        end = time.monotonic() + PATIENCE
        for question in questions:
            if question.attack and question.attack.wait(max(0.0, end - time.monotonic())):
                question.result = lab.attack_of(question.config, question.subject).known()
    if all(question.result for question in questions):
        for question in questions:
            question.look_for_smallest()
    take_back("lab", [*attacks, *(question.search for question in questions if question.search)])


def draw(
    settings: Settings[LabConfig],
    questions: Sequence[Question],
    info: DatasetInfo,
    budget: float,
    called: str,
) -> None:
    """Everything below the slider. budget: the unit of its range, which ``called`` names."""
    from cdp.figures.lab import ruler_px

    load_plotly()
    signs = {q.title: model_sign(q.config.model, q.title) for q in questions}
    with st.container(height=ROOM_PX + ruler_px(len(questions)), border=False, key="lab_slot"):
        # Each in a place of its own: two fragments that take turns in one place would be one to the
        # browser, and its polls could be lost.
        with st.container():
            waiting([q.attack for q in questions if q.attack and not q.result], key="lab_wait")
        with st.container():
            waiting([q.search for q in questions if q.search and not q.smallest], key="lab_seek")
        least = _ruler(questions, signs, budget, called)
    _jumps(settings, questions, least)
    alone = len(questions) == 1
    columns = [st.container()] if alone else st.columns(len(questions), gap="large")
    for number, (question, column) in enumerate(zip(questions, columns, strict=True)):
        with column:
            _model(question, info.classes, signs[question.title], number, alone=alone)
    st.caption(plain(_how(questions[0], budget, called)))


def _latest(question: Question) -> tuple[LabResult, LabConfig] | None:
    """The result of a model, or the one it had at earlier settings."""
    last: dict[tuple[str, str], tuple[LabResult, LabConfig]] = st.session_state.setdefault(
        _LAST, {}
    )
    name = (question.config.dataset, question.config.model)
    if question.result is not None:
        last.pop(name, None)
        last[name] = question.result, question.config
        for old in list(last)[:-KEPT]:
            del last[old]
    return last.get(name)


def _model(
    question: Question, names: tuple[str, ...], sign: Sign, number: int, *, alone: bool
) -> None:
    """One model. alone: whether it has the whole width, and so room for two columns."""
    current, visible = question.result is not None, _latest(question)
    first, then = st.columns(2, gap="large") if alone else (st.container(), st.container())
    with first:
        head = heading(question.title, sign, cls="cdp-heading cdp-first")
        if visible is None:
            st.html(head)
            return
        result, config = visible
        st.html(joined(head, verdict_html(result, question.smallest, names) if current else ""))
        st.html(triptych(result, names, faded=not current))
    with first if alone else then:
        if not alone:
            _bars(question, result.figures, names, number)
        _path(question.title, result.figures, config, number)
    with then:
        if alone:
            _bars(question, result.figures, names, number)
        _numbers(result.figures, config, names, number)


def verdict_html(result: LabResult, smallest: Smallest | None, names: Sequence[str]) -> Html:
    """The verdict: its sign and word first, so that colour is not the only sign."""
    kind = words.verdict(result.figures)
    head = tag("strong", f"{words.HEADS[kind]}.", cls="" if kind == "stands" else "cdp-wrong")
    text = words.sentence(result.figures, smallest, names)
    return tag("p", head, f" {text}", role="status", cls="cdp-verdict")


def triptych(result: LabResult, names: Sequence[str], *, faded: bool = False) -> Html:
    """Clean image, perturbation, attacked image. faded: of settings that changed since."""
    figures, clean, adversarial = result.figures, result.image[None], result.adversarial[None]
    gain = gain_of(clean, adversarial)
    grey = result.image.shape[-1] == 1
    text = f"× {gain}, {'blue darker, orange brighter' if grey else 'around mid-grey'}"
    if not np.any(np.abs(adversarial - clean / np.float32(255)) > 1e-6):
        text = "no change"
    # Without the alpha channel of a perturbation, which would hide it.
    change = perturbation(clean, adversarial, gain)[0][..., :3]
    attacked = in_levels(result.adversarial)
    cells = (
        ("Clean", result.image, _predicted(figures.clean, figures.before, names, figures.label)),
        ("Perturbation", change, tag("span", text)),
        ("Attacked", attacked, _predicted(figures.attacked, figures.after, names, figures.label)),
    )
    pictures = [
        tag(
            "figure",
            tag("figcaption", title, cls="cdp-quiet"),
            image(png(pixels), f"{title} image", "cdp-pixels cdp-framed"),
            tag("div", below),
        )
        for title, pixels, below in cells
    ]
    return tag("div", *pictures, cls="cdp-triptych" + (" cdp-faded" if faded else ""))


def thumbnail(pixels: np.ndarray, alt: str) -> Html:
    """The chosen image, in the left column."""
    return image(png(pixels), alt, "cdp-pixels cdp-framed cdp-thumb")


def _predicted(
    value: int, probabilities: Sequence[float], names: Sequence[str], label: int
) -> Html:
    """What the model says; marked where it is wrong."""
    name = class_name(names, value)
    word = f"✓ {name}" if value == label else tag("span", f"✗ {name}", cls="cdp-wrong")
    return joined(word, f" {probabilities[value]:.2f}")


def _bars(question: Question, figures: AttackFigures, names: tuple[str, ...], number: int) -> None:
    from cdp.figures.lab import probability_bars

    finding = words.probability_title(figures, names)
    figure = probability_bars(
        names,
        figures.before,
        figures.after,
        title=finding,
        label=figures.label,
        target=figures.target,
        label_is="true" if question.subject.label is not None else "as predicted clean",
    )
    alt = f"Class probabilities of {question.title}: {finding}"
    chart(figure, key=f"lab_bars_{number}", alt=alt)


def _path(title: str, figures: AttackFigures, config: LabConfig, number: int) -> None:
    from cdp.figures.lab import loss_path

    finding = words.path_title(figures)
    figure = loss_path(
        figures.losses,
        chosen=figures.chosen,
        turned_at=figures.turned_at,
        unit=words.UNITS[config.attack],
        title=finding,
        zero=config.attack == "margin",
    )
    chart(figure, key=f"lab_path_{number}", alt=f"Loss of the attack on {title}: {finding}")


def _numbers(figures: AttackFigures, config: LabConfig, names: tuple[str, ...], at: int) -> None:
    rows = [
        {"class": name, "clean": before, "attacked": after, "change": after - before}
        for name, before, after in zip(names, figures.before, figures.after, strict=True)
    ]
    length = f"The perturbation's {NORMS[config.norm]} norm is {figures.size:.4g}"
    note = f"{length}; the attack took {figures.seconds:.2f} s."
    numbers("the attack", lambda: rows, "attack.csv", key=f"lab_numbers_{at}", note=note)


def _ruler(
    questions: Sequence[Question], signs: dict[str, Sign], budget: float, called: str
) -> dict[str, float | None]:
    """The smallest budget of every model on one axis, by title; {} until all are known."""
    from cdp.figures.lab import RulerMark, budget_ruler

    least = {
        question.title: words.least_known(question.result.figures, question.smallest)
        for question in questions
        if question.result and question.smallest
    }
    if len(least) < len(questions):
        return {}
    config = questions[0].config
    largest = config.largest or 0.0
    title = words.ruler_title(list(least.values()), largest, budget)
    figure = budget_ruler(
        [RulerMark(name, signs[name], value) for name, value in least.items()],
        epsilon=config.epsilon or 0.0,
        budget=budget,
        budget_is=called,
        largest=largest,
        unit=f"budget in {NORMS[config.norm]}, of the pixel range",
        title=title,
    )
    found = (
        f"none up to {budget_text(largest, 3)}" if value is None else budget_text(value, 3)
        for value in least.values()
    )
    chart(figure, key="lab_ruler", alt=f"Smallest budget found: {'; '.join(found)}. {title}")
    return least


def _jumps(
    settings: Settings[LabConfig], questions: Sequence[Question], known: dict[str, float | None]
) -> None:
    """The budget set to the smallest that fools a model."""
    with st.container(horizontal=True, gap="small", key="lab_jump"):
        for number, question in enumerate(questions):
            least = known.get(question.title)
            st.button(
                plain(f"Smallest for {question.title}"),
                key=f"lab_jump_{number}",
                on_click=settings.replace,
                args=({"epsilon": least},),
                disabled=not least or least == question.config.epsilon,
                help="Sets the budget to the smallest one known to fool this model.",
            )


def _how(question: Question, budget: float, called: str) -> str:
    """What is not said elsewhere: where label and range come from, and how it was attacked."""
    config, parts = question.config, []
    if question.subject.label is None:
        parts.append(
            "The true class is unknown, so each model's own clean prediction counts as it."
        )
    origin = {
        "after CIFAR-10": "CIFAR-10's, scaled to these images",
        "trained for": "what the first model was trained for",
    }.get(called)
    if origin:
        none = f"There is no conventional {NORMS[config.norm]} budget here"
        parts.append(f"{none}, so {budget_text(budget, 3)} is {origin}.")
    parts.append(
        f"{words.ATTACKS[config.attack]}: {config.steps} steps of 2.5 × budget / steps from"
        f" {STARTS} random starts, fp32; the strongest is shown. The smallest budget is an upper"
        " bound, found by bisection with this attack; a stronger attack may find a smaller one."
    )
    return " ".join(parts)
