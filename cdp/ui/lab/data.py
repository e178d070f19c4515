"""What the lab shows, taken from the caches or asked of the helper process; questions that nobody
waits for any more are taken back."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from cdp.config.lab import LabConfig
from cdp.tasks import lab
from cdp.tasks.lab import LabResult, Smallest, Subject
from cdp.ui.kit.side import Kind, side
from cdp.work.helper import Errand, Side

PATIENCE = 0.4
"""Seconds that a page run waits for an attack, so that a quick one is drawn at once and not after a
poll."""
RELOAD = 10.0
"""Seconds that a new helper process takes to load torch on a busy machine: what has less left is
let finish, or ending it would cost more than it saves."""
_ASKED = "lab_asked"


@dataclass
class Question:
    """One model of the lab. subject: its image and weights; result, smallest: None until they are
    there, errand and search ask for them."""

    title: str
    config: LabConfig
    subject: Subject
    result: LabResult | None = None
    smallest: Smallest | None = None
    errand: Errand | None = None
    search: Errand | None = None


def answered(questions: Sequence[Question]) -> None:
    """Fill in what is known and ask for the rest: first every attack, and the smallest budgets once
    all of those are there."""
    attacks = [errand for question in questions if (errand := _attack(question)) is not None]
    if attacks:
        _take_back(
            attacks
        )  # a search must not keep a moved slider waiting; it is asked for again below
        end = time.monotonic() + PATIENCE
        for question in questions:
            if question.errand is not None and question.errand.wait(
                max(0.0, end - time.monotonic())
            ):
                question.result = lab.attack_of(question.config, question.subject).known()
    searches = []
    if all(question.result is not None for question in questions):
        searches = [errand for question in questions if (errand := _search(question)) is not None]
    _take_back([*attacks, *searches])


def pending(
    questions: Sequence[Question],
) -> tuple[list[tuple[str, Kind, Errand]], list[tuple[str, Kind, Errand]]]:
    """(attacks, searches) that are awaited, each with its title."""
    attacks: list[tuple[str, Kind, Errand]] = [
        (f"Attacking {one.title}", "looks", one.errand)
        for one in questions
        if one.result is None and one.errand is not None
    ]
    searches: list[tuple[str, Kind, Errand]] = [
        (f"Smallest budget of {one.title}", "looks", one.search)
        for one in questions
        if one.smallest is None and one.search is not None
    ]
    return attacks, searches


def _attack(question: Question) -> Errand | None:
    question.result = lab.attack_of(question.config, question.subject).known()
    if question.result is None:
        question.errand = _ask(question, search=False)
    return question.errand


def _search(question: Question) -> Errand | None:
    question.smallest = lab.smallest_of(question.config, question.subject).known()
    if question.smallest is None:
        question.search = _ask(question, search=True)
    return question.search


def _ask(question: Question, *, search: bool) -> Errand:
    config, subject = question.config, question.subject
    key = (lab.smallest_of if search else lab.attack_of)(config, subject).key
    payload = {
        "config": config.model_dump(mode="json") | ({"epsilon": None} if search else {}),
        "search": search,
    }
    return side("looks").ask(
        "lab", payload, kind=f"{subject.weights} {search}", size=config.steps, of=key
    )


def _take_back(wanted: Sequence[Errand]) -> None:
    """Withdraw what this session asked for before and does not want any more."""
    outdated = [
        errand
        for errand in st.session_state.get(_ASKED, ())
        if errand not in wanted and not errand.over
    ]
    for errand in outdated:
        withdraw(side("looks"), errand)
    st.session_state[_ASKED] = [*wanted, *(errand for errand in outdated if not errand.over)]


def withdraw(helper: Side, errand: Errand) -> None:
    """Cancel an errand that waits, or one that would go on for long. Another tab that wants the
    same asks anew."""
    spent = 0.0 if errand.began is None else time.monotonic() - errand.began
    left = errand.seconds_left
    if errand.state == "queued" or (left if left is not None else spent) > RELOAD:
        helper.cancel(errand)
        helper.forget(errand)
