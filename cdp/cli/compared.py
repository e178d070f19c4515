"""A comparison as text: a table of the arms, what they differ in, and the verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from cdp.statistics.verdicts import no_width
from cdp.values.comparison import Arm, Comparison, Difference, span_text
from cdp.values.evaluation import without_width
from cdp.values.types import Interval

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
        _share(arm.clean),
        _share(arm.robust),
        "; ".join(sorted(called)) or "not measured yet",
    )


def _difference(one: Difference) -> str:
    p = "" if one.adjusted is None or one.withheld else f", p = {one.adjusted:.2g}"
    return f"{one.metric}, {one.first} to {one.second}: {one.verdict}" + (
        f" [{one.method}{p}]" if one.method else ""
    )


def _share(interval: Interval | None) -> str:
    if interval is not None and not interval.wide:
        return f"{100 * interval.value:.1f} % ({no_width(interval)})"
    return (
        "-"
        if interval is None
        else f"{100 * interval.value:.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
    )


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
