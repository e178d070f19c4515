"""The data sets that the page "Your data" offers, and how it writes of one. Pure: reads cards,
draws nothing."""

from __future__ import annotations

from dataclasses import dataclass

from cdp.data.facts import Facts
from cdp.data.importing import TEST
from cdp.data.registry import available
from cdp.data.sets import SetEntry, list_sets
from cdp.models.checkpoints import is_name


@dataclass(frozen=True)
class Choice:
    """A data set that can be chosen. origin: "built in", "imported", "generated" or "no labels";
    count: training images, 0 where not known unopened."""

    name: str
    title: str
    origin: str
    count: int = 0


def choices() -> list[Choice]:
    """Saved sets that can be trained on, newest first, imported ones before generated ones and
    those that need labels first last, then the built-in sets that are here."""
    saved = [entry for entry in list_sets() if entry.card is not None and is_name(entry.name)]
    names = {entry.name for entry in saved}
    own = [_choice(entry) for entry in saved if not _tests_of_another(entry.name, names)]
    own.sort(key=lambda choice: ("imported", "generated", "no labels").index(choice.origin))
    return own + [
        Choice(info.name, info.title, "built in") for info, state in available() if state.ready
    ]


def held_out(seen: Facts, wanted: int) -> str:
    """What is kept apart from training, in one sentence."""
    kept = min(wanted, seen.images // 10)
    tests = f"; the {seen.tests:,} test images are only measured on" if seen.tests else ""
    return (
        f"Of {seen.images:,} training images each encoder holds out {kept:,} to choose its best"
        f" epoch by{tests}."
    )


def _choice(entry: SetEntry) -> Choice:
    card = entry.card or {}
    origin = "imported" if card.get("kind") == "imported" else "generated"
    return Choice(
        entry.name,
        entry.name,
        origin if card.get("class_names") else "no labels",
        int(card.get("count", 0)),
    )


def _tests_of_another(name: str, names: set[str]) -> bool:
    return name.endswith(TEST) and name.removesuffix(TEST) in names
