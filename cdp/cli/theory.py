"""theory: the Gaussian model's figures for one setting, or its curve over n."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.options import chosen, with_options
from cdp.cli.output import AsJson, print_json
from cdp.config_theory import TheoryConfig
from cdp.knobs import parse

if TYPE_CHECKING:
    from cdp.theory.expectation import Estimate
    from cdp.theory.results import Curve
    from cdp.types import Interval


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("theory")(theory)


@with_options(TheoryConfig)
def theory(
    curve: Annotated[bool, typer.Option("--curve", help="Robust accuracy over n from 1 to 10^7 in place of one n.")] = False,
    as_json: AsJson = False,
    **given: Any,
) -> None:
    """Robust accuracy in the Gaussian model: what the best classifier has, what a learner has after n synthetic samples, and how many a target takes.

    Each figure says whether it is exact, asymptotic (a formula for many coordinates) or simulated. The derivation: docs/theory.md.
    """
    config = parse(TheoryConfig, chosen(given, TheoryConfig))
    found = _rows(config) if curve else _figures(config)
    if as_json:
        print_json({"config": config.model_dump(mode="json")} | found)
    elif curve:
        _print_rows(found)
    else:
        _print_figures(config, found)


def _figures(config: TheoryConfig) -> dict[str, Any]:
    from cdp.theory import best_accuracy, expected, problem_of, simulate, synthetic_of
    from cdp.theory.needed import samples_needed
    from cdp.theory.settings import degrees_between, optimum
    from cdp.theory.views import lawful

    problem, made = problem_of(config), synthetic_of(config)
    needed: dict[str, Any] | None = None
    value = expected(problem, made, config.n, config.learner)
    if value is not None:
        n = samples_needed(problem, made, config.target, config.learner)
        needed = {"target": config.target, "n": n, "kind": value.kind, "c_squared_law": lawful(config)}
    return {
        "best": {"value": best_accuracy(problem.mu, sigma=problem.sigma, epsilon=problem.epsilon, norm=problem.norm), "kind": "exact"},
        "angles": {"synthetic_to_optimum": degrees_between(made.mean, optimum(problem)), "mu_to_optimum": degrees_between(problem.mu, optimum(problem))},
        "expected": _estimate(value),
        "limit": _estimate(expected(problem, made, math.inf, config.learner)),
        "simulated": _interval(simulate(problem, made, config.n, config.learner, draws=config.draws, seed=config.seed, ridge=config.ridge)),
        "needed": needed,
    }  # fmt: skip


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    return None if found is None else {"value": found.value, "kind": found.kind}


def _interval(found: Interval) -> dict[str, Any]:
    return {"value": found.value, "low": found.low, "high": found.high, "level": found.level, "draws": found.n, "kind": "simulated"}


def _rows(config: TheoryConfig) -> dict[str, Any]:
    from cdp.theory.views import curves

    line = curves(config, [config.separation])[0]
    return {"best": {"value": line.best, "kind": "exact"}, "limit": line.limit, "rows": [*_line_rows(line), *_point_rows(line)]}


def _line_rows(line: Curve) -> list[dict[str, Any]]:
    if line.value is None:
        return []
    return [{"n": int(n), "value": float(v), "kind": line.kind} for n, v in zip(line.n, line.value, strict=True)]


def _point_rows(line: Curve) -> list[dict[str, Any]]:
    points = line.simulated
    if points is None:
        return []
    return [
        {"n": int(n), "value": float(v), "kind": points.kind, "low": float(low), "high": float(high), "draws": points.draws}
        for n, v, low, high in zip(points.n, points.value, points.low, points.high, strict=True)
    ]


def _print_rows(found: dict[str, Any]) -> None:
    print(f"{'n':>10}  {'accuracy':>8}  {'kind':<10}  95 % interval")
    for row in found["rows"]:
        interval = f"  {row['low']:.4f} to {row['high']:.4f}, {row['draws']} draws" if "low" in row else ""
        print(f"{row['n']:>10,}  {row['value']:>8.4f}  {row['kind']:<10}{interval}")


def _print_figures(config: TheoryConfig, found: dict[str, Any]) -> None:
    simulated = found["simulated"]
    lines = [
        ("best classifier", f"{found['best']['value']:.4f}", "exact"),
        (f"{config.learner}, n = {config.n:,}", *_said(found["expected"])),
        ("  simulated", f"{simulated['value']:.4f}", f"95 % interval {simulated['low']:.4f} to {simulated['high']:.4f}, {simulated['draws']} draws"),
        ("  as n grows without bound", *_said(found["limit"])),
        ("mean to optimum", f"{found['angles']['synthetic_to_optimum']:.1f}", f"degrees; mu to optimum {found['angles']['mu_to_optimum']:.1f}"),
        (f"samples for {config.target:g}", *_needed(found["needed"])),
    ]  # fmt: skip
    for name, value, note in lines:
        print(f"{name:<36}{value:>10}   {note}")


def _said(figure: dict[str, Any] | None) -> tuple[str, str]:
    return ("-", "no formula: see the simulated value") if figure is None else (f"{figure['value']:.4f}", figure["kind"])


def _needed(figure: dict[str, Any] | None) -> tuple[str, str]:
    if figure is None:
        return "-", "no formula to solve"
    if figure["n"] is None:
        return "-", "not reached by any number of samples"
    law = {"exact": ", exactly as 1/c^2", "asymptotic": ", for many samples as 1/c^2", None: ""}[figure["c_squared_law"]]
    return f"{figure['n']:,.4g}" if figure["n"] < 100 else f"{figure['n']:,.0f}", f"{figure['kind']}{law}"
