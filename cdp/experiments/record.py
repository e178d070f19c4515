"""The result of an experiment as a JSON object: the line that the command prints, and what the record
of its run holds."""

from __future__ import annotations

from typing import Any

from cdp.values.experiment import ArmResult, ExperimentResult
from cdp.values.types import Interval


def line_of(result: ExperimentResult) -> dict[str, Any]:
    """What the command line prints and the run's record holds, JSON-ready."""
    return {
        "name": result.name,
        "control": result.control,
        "objective": list(result.objective),
        "verdict": result.verdict,
        "measure": result.basis,
        "best": result.best,
        "arms": [_arm_line(arm) for arm in result.arms],
        "proxies": [
            {"name": proxy.name, **_bounds(proxy.correlation), "sentence": proxy.sentence}
            for proxy in result.proxies
        ],
        "notes": list(result.notes),
    }


def _arm_line(arm: ArmResult) -> dict[str, Any]:
    figures = {name: _bounds(figure) for name, figure in arm.figures.items()}
    tested = arm.difference.difference if arm.difference is not None else None
    return {
        "name": arm.name,
        "seeds": list(arm.seeds),
        "steps": arm.steps,
        "robust": None,
        "clean": None,
        **figures,
        "difference": None if tested is None else _bounds(tested),
        "p": None if arm.difference is None else arm.difference.adjusted,
        "sentence": "" if arm.difference is None else arm.difference.verdict,
        "settings": dict(arm.settings),
        "front": arm.front,
    }


def _bounds(figure: Interval) -> dict[str, Any]:
    low, high = figure.bounds
    return {"value": figure.value, "low": low, "high": high, "n": figure.n, "level": figure.level}
