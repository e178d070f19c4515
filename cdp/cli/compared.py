"""A comparison as text: a table of the arms, what they differ in, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from cdp.values.comparison import Arm, Comparison, Difference
from cdp.values.evaluation import without_width
from cdp.values.text import share_with_bounds, span_text

HEAD = ("ARM", "SEEDS", "STEPS", "CLEAN", "ROBUST", "MEASURED BY")


def told(comparison: Comparison) -> str:
    """All of it, one sentence a line."""
    parts = [
        _aligned([HEAD, *(_row(arm) for arm in comparison.arms)]),
        "95 % intervals: t over seeds, or Wilson of the images where an arm has one seed.",
        *(f"{name}: {' | '.join(values)}" for name, values in comparison.differs.items()),
        *(_difference(one) for one in comparison.differences),
        *(one.sentence for one in comparison.equal),
        *(f"note: {note}" for note in comparison.notes),
    ]
    return "\n".join(parts)


def _row(arm: Arm) -> tuple[str, ...]:
    # The width in a label is one run's; the mean of several has its own beside it.
    called = {
        without_width(seed.label) if len(arm.seeds) > 1 else seed.label
        for seed in arm.seeds
        if seed.label
    }
    seeds = [str(seed.seed) for seed in arm.seeds if seed.robust is not None]
    steps = [one.steps for one in arm.compute if one is not None]
    taken = span_text(steps) if steps else "-"
    return (
        arm.name,
        ",".join(seeds) or "-",
        taken,
        "-" if arm.clean is None else share_with_bounds(arm.clean),
        "-" if arm.robust is None else share_with_bounds(arm.robust),
        "; ".join(sorted(called)) or "not measured yet",
    )


def _difference(one: Difference) -> str:
    p = "" if one.adjusted is None or one.withheld else f", p = {one.adjusted:.2g}"
    return f"{one.metric}, {one.first} to {one.second}: {one.verdict}" + (
        f" [{one.method}{p}]" if one.method else ""
    )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
