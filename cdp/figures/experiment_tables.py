"""The tables behind the figures of an experiment: its arms in full and in short, and its cells."""

from __future__ import annotations

from cdp.figures.experiment import FIGURES, measured, scale_of, short
from cdp.figures.frame import Row, cells
from cdp.values.experiment import SHARES, ExperimentResult


def arm_rows(result: ExperimentResult) -> list[Row]:
    """The numbers of all arms: figures in per cent where they are shares, differences in points."""
    rows = []
    for arm in result.arms:
        difference = arm.difference.difference if arm.difference else None
        row: Row = {"arm": arm.name, "seeds": len(arm.seeds), "optimiser steps": arm.steps}
        raw = arm.difference is not None and arm.difference.metric not in SHARES
        row |= cells(
            difference, "difference", **({"unit": "", "factor": 1} if raw else {"unit": "points"})
        )
        row["p"] = None if arm.difference is None else arm.difference.adjusted
        for key in measured(result):
            value = arm.figures.get(key)
            if key in SHARES:
                row |= cells(value, FIGURES[key].lower())
            else:
                row[FIGURES[key].lower()] = None if value is None else round(value.value, 4)
        for name, value in arm.settings.items():
            row[short(name) if short(name) not in row else name] = str(value)
        rows.append(row)
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


def arm_summary(result: ExperimentResult) -> list[Row]:
    """The numbers that a page has room for: no bounds but those of the difference, in one cell, and
    no settings, which the arms are called by."""
    known = measured(result)
    rows = []
    for arm, row in zip(result.arms, arm_rows(result), strict=True):
        figures: Row = {
            f"{key} [%]" if key in SHARES else key: round(scale_of(key) * value.value, 2)
            for key in known
            if (value := arm.figures.get(key)) is not None
        }
        name = next(name for name in row if name.startswith("difference"))
        ends = row["difference low"], row["difference high"]
        bounds = None if None in ends else "{:+.3g} to {:+.3g}".format(*ends)
        tested: Row = {name: row[name], "its interval": bounds, "p": row["p"]}
        rows.append({"arm": arm.name, "seeds": len(arm.seeds)} | tested | figures)
    return rows


def cell_rows(result: ExperimentResult) -> list[Row]:
    """Every cell: where it stands, its set and runs, and what was measured, shares in 0..1."""
    arms = {arm.name: arm for arm in result.arms}
    rows = []
    for cell in result.cells:
        row: Row = {"arm": cell.arm, "seed": cell.seed, "state": cell.stage}
        row |= {"set": cell.set, "training": cell.train, "evaluation": cell.evaluate}
        row |= {"reused": ", ".join(cell.reused), "error": cell.error}
        arm = arms.get(cell.arm)
        values = arm.values if arm else {}
        rows.append(row | {key: values.get(key, {}).get(cell.seed) for key in FIGURES})
    return rows
