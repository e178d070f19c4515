"""The right column of the Attack lab: what was found about each model, in words, pictures and
figures."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cdp.config.lab import LabConfig
from cdp.figures.palette import Sign, named_signs
from cdp.tasks.lab import STARTS, Figures, LabResult
from cdp.ui.kit.side import waiting
from cdp.ui.kit.words import plain
from cdp.ui.lab import words
from cdp.ui.lab.data import Question, pending
from cdp.ui.lab.pictures import heading, told, triptych
from cdp.ui.lab.state import Lab
from cdp.values.text import NORMS, budget_text
from cdp.values.types import DatasetInfo

ROOM_PX = 12
"""Room around the ruler in the slot that it shares with what is being waited for, so that nothing
below it jumps."""
KEPT = 8
"""Results of earlier settings that a session holds, to show them faded until the new ones are
there."""
_LAST = "lab_last"


def draw(
    held: Lab, questions: Sequence[Question], info: DatasetInfo, budget: float, called: str
) -> None:
    """Everything below the slider. budget: what its range is measured in, which ``called``
    names."""
    from cdp.figures.lab import ruler_px
    from cdp.ui.components.chart import load_plotly

    load_plotly()
    attacks, searches = pending(questions)
    signs = named_signs([question.title for question in questions])
    with st.container(height=ROOM_PX + ruler_px(len(questions)), border=False, key="lab_slot"):
        # Each in a place of its own: two fragments that take turns in one place would be one to the
        # browser, and its polls could be lost.
        with st.container():
            waiting(attacks, key="lab_wait")
        with st.container():
            waiting(searches, key="lab_seek")
        least = _ruler(questions, signs, budget, called)
    _jumps(held, questions, least)
    alone = len(questions) == 1
    columns = [st.container()] if alone else st.columns(len(questions), gap="large")
    for number, (question, column) in enumerate(zip(questions, columns, strict=True)):
        with column:
            _model(question, _shown(question), info, signs[question.title], number, alone=alone)
    st.caption(_how(questions[0], budget, called))


def _shown(question: Question) -> tuple[LabResult, LabConfig] | None:
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
    question: Question,
    shown: tuple[LabResult, LabConfig] | None,
    info: DatasetInfo,
    sign: Sign,
    number: int,
    *,
    alone: bool,
) -> None:
    """One model. alone: whether it has the whole width, and so room for two columns."""
    current = question.result is not None
    first, then = st.columns(2, gap="large") if alone else (st.container(), st.container())
    with first:
        said = (
            told(shown[0], question.smallest, info.classes) if shown is not None and current else ""
        )
        st.html(heading(question.title, sign) + said)
        if shown is None:
            return
        result, config = shown
        st.html(triptych(result, info.classes, faded=not current))
        if alone:
            _path(question.title, result.figures, config, number)
    with then:
        _bars(question, result.figures, info.classes, number)
        if not alone:
            _path(question.title, result.figures, config, number)
        _numbers(result.figures, config, info.classes)


def _bars(question: Question, found: Figures, names: tuple[str, ...], number: int) -> None:
    from cdp.figures.lab import probability_bars
    from cdp.ui.components.chart import chart

    finding = words.probability_title(found, names)
    label_is = "true" if question.subject.label is not None else "as said clean"
    figure = probability_bars(
        names,
        found.before,
        found.after,
        title=finding,
        label=found.label,
        target=found.target,
        label_is=label_is,
    )
    chart(
        figure, key=f"lab_bars_{number}", alt=f"Class probabilities of {question.title}: {finding}"
    )


def _path(title: str, found: Figures, config: LabConfig, number: int) -> None:
    from cdp.figures.lab import loss_path
    from cdp.ui.components.chart import chart

    finding, unit = words.path_title(found), words.UNITS[config.attack]
    figure = loss_path(
        found.losses,
        chosen=found.chosen,
        turned_at=found.turned_at,
        unit=unit,
        title=finding,
        zero=config.attack == "margin",
    )
    chart(figure, key=f"lab_path_{number}", alt=f"Loss of the attack on {title}: {finding}")


def _numbers(found: Figures, config: LabConfig, names: tuple[str, ...]) -> None:
    with st.expander("Numbers"):
        rows = [
            {"class": name, "clean": before, "attacked": after, "change": after - before}
            for name, before, after in zip(names, found.before, found.after, strict=True)
        ]
        formats = {
            part: st.column_config.NumberColumn(format="%.4f")
            for part in ("clean", "attacked", "change")
        }
        st.dataframe(rows, hide_index=True, width="stretch", column_config=formats)
        st.caption(
            plain(
                f"The change is {found.size:.4g} long in {NORMS[config.norm]}; the attack"
                f" took {found.seconds:.2f} s."
            )
        )


def _ruler(
    questions: Sequence[Question], signs: dict[str, Sign], budget: float, called: str
) -> dict[str, float | None]:
    """The smallest budget of every model on one axis below the slider, by title; {} until all are
    known."""
    found = {
        one.title: words.least_known(one.result.figures, one.smallest)
        for one in questions
        if one.result and one.smallest
    }
    if len(found) < len(questions):
        return {}
    from cdp.figures.lab import Found, budget_ruler
    from cdp.ui.components.chart import chart

    config = questions[0].config
    largest, epsilon = config.largest or 0.0, config.epsilon or 0.0
    title = words.ruler_title(list(found.values()), largest)
    marks = [Found(name, signs[name], least) for name, least in found.items()]
    unit = f"budget in {NORMS[config.norm]}, of the pixel range"
    figure = budget_ruler(
        marks,
        epsilon=epsilon,
        budget=budget,
        budget_is=called,
        largest=largest,
        unit=unit,
        title=title,
    )
    chart(figure, key="lab_ruler", alt=title)
    return found


def _jumps(held: Lab, questions: Sequence[Question], found: dict[str, float | None]) -> None:
    """The budget set to the smallest that fools a model."""
    with st.container(horizontal=True, gap="small", key="lab_jump"):
        for number, question in enumerate(questions):
            least = found.get(question.title)
            st.button(
                plain(f"Smallest for {question.title}"),
                key=f"lab_jump_{number}",
                on_click=held.replace,
                args=({"epsilon": least},),
                disabled=not least or least == question.config.epsilon,
                help="Set the budget to the smallest one found that fools this model.",
            )


def _how(question: Question, budget: float, called: str) -> str:
    config = question.config
    norm = NORMS[config.norm]
    scale = {
        "after CIFAR-10": (
            f"There is no conventional {norm} budget here, so {budget_text(budget, 3)} is CIFAR-10's,"
            " scaled to these images. "
        ),
        "trained for": (
            f"There is no conventional {norm} budget here, so {budget_text(budget, 3)} is what the"
            " first model was trained for. "
        ),
    }.get(called, "")
    given = question.subject.label is not None
    unknown = (
        ""
        if given
        else (
            "Nobody says the true class, so what each model says before the attack counts as true. "
        )
    )
    return plain(
        f"{unknown}{scale}{words.ATTACKS[config.attack]}: {config.steps} steps of 2.5 × budget /"
        f" steps from {STARTS} random starts, fp32; the strongest is shown. The smallest budget is"
        " an upper bound, found by halving with this attack: a stronger attack may find a smaller"
        " one."
    )
