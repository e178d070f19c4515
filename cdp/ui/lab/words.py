"""What the lab says in sentences. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cdp.values.lab import AttackFigures, Smallest
from cdp.values.text import budget_text, class_name

Verdict = Literal["fooled", "stands", "wrong"]
ATTACKS = {
    "cross-entropy": "PGD, cross-entropy",
    "margin": "PGD, CW margin",
    "targeted": "PGD, towards a class",
}
UNITS = {
    "cross-entropy": "cross-entropy [nats]",
    "margin": "margin [logits]",
    "targeted": "log p of the target [nats]",
}
HEADS: dict[Verdict, str] = {
    "fooled": "✗ Fooled",
    "stands": "✓ Stands",
    "wrong": "✗ Wrong without an attack",
}


def verdict(figures: AttackFigures) -> Verdict:
    """What became of the image."""
    if figures.fooled:
        return "fooled"
    return "wrong" if figures.wrong_before and figures.target is None else "stands"


def sentence(figures: AttackFigures, smallest: Smallest | None, names: Sequence[str]) -> str:
    """What the attack did, and the smallest budget that does, as far as it is known."""
    least = _least(figures, smallest)
    return f"{_outcome(figures, names)}{f'; {least}' if least else ''}."


def least_known(figures: AttackFigures, smallest: Smallest) -> float | None:
    """The smallest budget known to fool: of the search, or of the attack that is shown."""
    own = figures.epsilon if figures.fooled else None
    return min((value for value in (smallest.epsilon, own) if value is not None), default=None)


def probability_title(figures: AttackFigures, names: Sequence[str]) -> str:
    """The finding of the bars, such as "Shirt takes the place of Coat as the likeliest class"."""
    first, then = class_name(names, figures.clean), class_name(names, figures.attacked)
    if figures.clean == figures.attacked:
        return f"{first} stays the likeliest class"
    return f"{then} takes the place of {first} as the likeliest class"


def path_title(figures: AttackFigures) -> str:
    """The finding of the path."""
    path, at = figures.losses[figures.chosen], figures.turned_at
    success = "no success" if at is None else f"first success at step {at}"
    return f"Loss {path[0]:.3g} → {path[-1]:.3g}, {success}"


def ruler_title(least: Sequence[float | None], largest: float, budget: float) -> str:
    """What the smallest budgets of one model or two come to. least: None where none was found up
    to ``largest``; budget: the conventional one."""
    end = budget_text(largest, 3)
    if len(least) == 1:
        if least[0] is None:
            return f"No budget up to {end} fools it"
        less = "Less" if least[0] < budget else "No less"
        return f"{less} than the conventional budget fools it"
    names = ("the first", "the second")
    fooled = [(value, name) for value, name in zip(least, names, strict=True) if value is not None]
    if not fooled:
        return f"No budget up to {end} fools either"
    (low, weaker), *more = sorted(fooled)
    other = names[weaker == names[0]]
    if not more:
        text = f"{weaker} is fooled, {other} by no budget up to {end}"
    elif not low:
        text = f"{weaker} is wrong without an attack"
    else:
        text = f"{other} takes {more[0][0] / low:.2g} times the budget that fools {weaker}"
    return f"{text[:1].upper()}{text[1:]}"


def _outcome(figures: AttackFigures, names: Sequence[str]) -> str:
    true, predicted = class_name(names, figures.label), class_name(names, figures.attacked)
    at = f"At {budget_text(figures.epsilon, 3)} the attack"

    def change(value: int) -> str:
        name, before, after = class_name(names, value), figures.before[value], figures.after[value]
        return f"(p of {name} {before:.2f} → {after:.2f})"

    if figures.target is not None:
        aim = class_name(names, figures.target)
        if figures.fooled:
            return f"{at} turns {true} into {aim}, its target {change(figures.target)}"
        moved = figures.attacked != figures.label
        other = f"; the model predicts {predicted} instead" if moved else ""
        return f"{at} does not reach {aim} {change(figures.target)}{other}"
    if figures.wrong_before:
        return (
            f"Predicted as {class_name(names, figures.clean)} before any attack (p of {true}"
            f" {figures.before[figures.label]:.2f}), so there is nothing to fool"
        )
    if figures.fooled:
        return f"{at} turns {true} into {predicted} {change(figures.attacked)}"
    return f"{at} fails: still {true} {change(figures.label)}"


def _least(figures: AttackFigures, smallest: Smallest | None) -> str:
    if smallest is None or (figures.wrong_before and figures.target is None):
        return ""
    known = least_known(figures, smallest)
    if known is None:
        return f"none up to {budget_text(smallest.largest, 3)} fools it"
    if not figures.fooled and known <= figures.epsilon:
        return f"yet one of {budget_text(known, 3)} succeeds"
    return f"smallest budget found: {budget_text(known, 3)}"
