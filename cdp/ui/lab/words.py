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
    outcome = _outcome_text(figures, names)
    least = _least(figures, smallest)
    return f"{outcome}; {least}." if least else f"{outcome}."


def least_known(figures: AttackFigures, smallest: Smallest) -> float | None:
    """The smallest budget known to fool: that of the search, or of the attack that is shown where
    it is smaller."""
    known = [
        value
        for value in (smallest.epsilon, figures.epsilon if figures.fooled else None)
        if value is not None
    ]
    return min(known, default=None)


def probability_title(figures: AttackFigures, names: Sequence[str]) -> str:
    """The finding of the bars, such as "Coat 0.92 → Shirt 0.74"."""
    first, then = figures.clean, figures.attacked
    other = "" if first == then else f"{class_name(names, then)} "
    return (
        f"{class_name(names, first)} {figures.before[first]:.2f} → {other}{figures.after[then]:.2f}"
    )


def path_title(figures: AttackFigures) -> str:
    """The finding of the path."""
    path, at = figures.losses[figures.chosen], figures.turned_at
    return (
        f"Loss {path[0]:.3g} → {path[-1]:.3g},"
        f" {'no success' if at is None else f'first success at step {at}'}"
    )


def ruler_title(budgets: Sequence[float | None], largest: float) -> str:
    """Who withstands more, in the order of the models. budgets: the smallest budget of each, None
    where none was found."""
    return "Smallest budget found: " + "; ".join(
        f"none up to {budget_text(largest, 3)}" if value is None else budget_text(value, 3)
        for value in budgets
    )


def _outcome_text(figures: AttackFigures, names: Sequence[str]) -> str:
    true, said, at = (
        class_name(names, figures.label),
        class_name(names, figures.attacked),
        f"At {budget_text(figures.epsilon, 3)} the attack",
    )
    if figures.target is not None:
        aim = class_name(names, figures.target)
        if figures.fooled:
            return (
                f"{at} turns {true} into {aim}, its target"
                f" ({_change(figures, figures.target, names)})"
            )
        other = f"; it says {said} in its place" if figures.attacked != figures.label else ""
        return f"{at} does not reach {aim} ({_change(figures, figures.target, names)}){other}"
    if figures.wrong_before:
        clean = class_name(names, figures.clean)
        return (
            f"It takes this {true} for {clean} before any attack (p of {true}"
            f" {figures.before[figures.label]:.2f}), so there is nothing to fool"
        )
    if figures.fooled:
        return f"{at} turns {true} into {said} ({_change(figures, figures.attacked, names)})"
    return f"{at} does not fool it: still {true} ({_change(figures, figures.label, names)})"


def _least(figures: AttackFigures, smallest: Smallest | None) -> str:
    if smallest is None or (figures.wrong_before and figures.target is None):
        return ""
    known = least_known(figures, smallest)
    if known is None:
        return f"none found that fools up to {budget_text(smallest.largest, 3)}"
    missed = not figures.fooled and known <= figures.epsilon
    return (
        f"yet one of {budget_text(known, 3)} does"
        if missed
        else f"smallest budget found: {budget_text(known, 3)}"
    )


def _change(figures: AttackFigures, value: int, names: Sequence[str]) -> str:
    return (
        f"p of {class_name(names, value)} {figures.before[value]:.2f} → {figures.after[value]:.2f}"
    )
