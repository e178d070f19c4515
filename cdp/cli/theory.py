"""theory: the Gaussian model's figures for one setting, the numbers behind a view of the Theory
page, or a sample set in the model's terms."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cdp.cli.options import AsJson, chosen, option, with_options
from cdp.cli.output import ProgressLine, print_json, say
from cdp.config.knobs import parse
from cdp.config.theory import TheoryConfig
from cdp.errors import InputError

if TYPE_CHECKING:
    from cdp.theory import Problem, Synthetic
    from cdp.theory.expectation import Expectation
    from cdp.values.types import Interval

View = Literal["curves", "map", "needed", "picture", "coordinates", "guided"]
LONGEST_NAME, LONGEST_PART = 400, 255
"""Characters of a set's name or path, and bytes of each part between slashes: what file systems
take."""
_USES: dict[str, tuple[Callable[[TheoryConfig, View | None], bool], str]] = {
    "strength": (lambda config, view: view == "guided", "--view guided"),
    "target": (
        lambda config, view: view in (None, "needed"),
        "--view needed, or for no view at all",
    ),
    "ridge": (
        lambda config, view: config.learner == "adversarial-logistic",
        "--learner adversarial-logistic",
    ),
}
"""Settings that count in some cases only: when, and in words."""


@with_options(TheoryConfig)
def theory(
    view: Annotated[
        View | None,
        option("The numbers behind a view of the page, as CSV or with --json.", "--view"),
    ] = None,
    sample_set: Annotated[
        str | None,
        option(
            "A sample set in the model's terms: separation, angle and effective"
            " dimension of its features.",
            "--set",
            metavar="SET",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        option(
            "In whose features --set is measured: judge, standard, robust,"
            " noise-aware, a path, or pixels. [default: judge]"
        ),
    ] = None,
    as_json: AsJson = False,
    **given: Any,
) -> None:
    """Robust accuracy in the Gaussian model: what the best classifier has, what a learner has after
    n synthetic samples, and how many a target takes.

    Each figure says whether it is exact, asymptotic (a formula for many coordinates) or simulated.
    The derivation: docs/theory.md.
    """
    settings = chosen(given, TheoryConfig)
    if sample_set is not None:
        if view or settings:
            raise InputError(
                "--set measures images, which no setting of the model changes: leave out the other"
                " options but --encoder and --json"
            )
        _place(_named(sample_set), "judge" if encoder is None else encoder, as_json=as_json)
        return
    if encoder is not None:
        raise InputError(
            "--encoder says in whose features --set is measured: add --set, or leave --encoder out"
        )
    config = parse(TheoryConfig, settings)
    for name in settings:
        counts, where = _USES.get(name, (None, ""))
        if counts and not counts(config, view):
            say(f"--{name} changes nothing here: it is for {where}")
    if view:
        _view(config, view, as_json=as_json)
        return
    result = _figures(config)
    if as_json:
        print_json({"config": config.model_dump(mode="json")} | result)
    else:
        _print_figures(config, result)


def _named(name: str) -> str:
    if not name.strip():
        raise InputError(
            "--set is empty: name a saved set, its path, or a real split such as fashion-mnist:test"
        )
    if len(name) > LONGEST_NAME or any(
        len(part.encode()) > LONGEST_PART for part in name.split("/")
    ):
        raise InputError(
            f"set: {name[:40]}... is longer than any name: pass the name or the path of a saved"
            f" set, {LONGEST_NAME} characters at most"
        )
    return name


def _figures(config: TheoryConfig) -> dict[str, Any]:
    from cdp.theory import best_accuracy, expected, problem_of, samples_needed, synthetic_of
    from cdp.theory.views import lawful

    problem, synthetic = problem_of(config), synthetic_of(config)
    needed: dict[str, Any] | None = None
    value = expected(problem, synthetic, config.n, config.learner)
    if value is not None:
        n = samples_needed(problem, synthetic, config.target, config.learner)
        needed = {"target": config.target, "n": n, "kind": value.kind}
        needed["c_squared_law"] = lawful(config)
    return {
        "best": {"value": best_accuracy(problem), "kind": "exact"},
        "angles": _angles(problem, synthetic),
        "expected": _estimate(value),
        "limit": _estimate(expected(problem, synthetic, math.inf, config.learner)),
        "simulated": _interval(_simulated(config, problem, synthetic)),
        "needed": needed,
    }


def _angles(problem: Problem, synthetic: Synthetic) -> dict[str, float | None]:
    """Degrees to the robust optimum; None where no direction beats guessing, so that there
    is none."""
    from cdp.theory.model import beatable, degrees_between, optimum

    there = beatable(problem)
    return {
        "synthetic_to_optimum": degrees_between(synthetic.mean, optimum(problem))
        if there
        else None,
        "mu_to_optimum": degrees_between(problem.mu, optimum(problem)) if there else None,
    }


def _simulated(config: TheoryConfig, problem: Problem, synthetic: Synthetic) -> Interval:
    """The simulated value; trainings that take long are counted on stderr."""
    from cdp.theory import simulate

    begun = time.monotonic()
    with ProgressLine("trainings") as line:

        def report(share: float) -> None:
            line.show(
                round(share * config.draws),
                config.draws,
                (time.monotonic() - begun) * (1 - share) / share,
            )

        return simulate(
            problem,
            synthetic,
            config.n,
            config.learner,
            draws=config.draws,
            seed=config.seed,
            ridge=config.ridge,
            report=report if config.learner == "adversarial-logistic" else None,
        )


def _estimate(result: Expectation | None) -> dict[str, Any] | None:
    return None if result is None else {"value": result.value, "kind": result.kind}


def _interval(result: Interval) -> dict[str, Any]:
    return {
        "value": result.value,
        "low": result.low,
        "high": result.high,
        "level": result.level,
        "draws": result.n,
        "kind": "simulated",
    }


def _view(config: TheoryConfig, view: View, *, as_json: bool) -> None:
    rows = _rows(config, view)
    if as_json:
        # JSON has no infinity: what is without bound (the n of a limit, the width of a band that is
        # the whole plane) is null.
        finite = [{name: _finite(value) for name, value in row.items()} for row in rows]
        print_json({"config": config.model_dump(mode="json"), "view": view, "rows": finite})
        return
    from cdp.reports.exports import to_csv

    print(to_csv(rows), end="")


def _rows(config: TheoryConfig, view: View) -> Sequence[Mapping[str, Any]]:
    """The numbers behind a view of the page, computed as there."""
    from cdp.figures import theory as figures
    from cdp.figures import theory_map, theory_plane
    from cdp.tasks.theory import points_of
    from cdp.theory import geometry, views

    def report(share: float, words: str) -> None:
        say(f"{words}: {share:.0%}")

    if view == "curves":
        lines, points = views.curves(config), points_of(config, "curves").get(report)
        pairs = zip(lines, points, strict=True)
        return figures.curve_rows([replace(line, simulated=each) for line, each in pairs])
    if view == "guided":
        points = points_of(config, "guided").get(report)
        return theory_plane.guided_rows(views.guided(config), points[0])
    rows: dict[str, Callable[[], Sequence[Mapping[str, Any]]]] = {
        "map": lambda: theory_map.map_rows(views.heat_map(config)),
        "needed": lambda: figures.needed_rows(views.needed_table(config)),
        "picture": lambda: theory_plane.plane_rows(geometry.picture(config)),
        "coordinates": lambda: theory_map.coordinate_rows(geometry.coordinates(config)),
    }
    return rows[view]()


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _place(name: str, encoder: str, *, as_json: bool) -> None:
    from cdp.tasks.theory import caveats, place_of, place_rows

    place = place_of(name, encoder=encoder).get(lambda share, what: say(what) if what else None)
    sentences, rows, reason = caveats(place, encoder), place_rows(place), place.unplaced
    if as_json:
        print_json(
            {
                "set": name,
                "encoder": encoder,
                "against": place.against,
                "missing": reason,
                "rows": rows,
                "caveats": sentences,
            }
        )
        return
    for row in rows:
        bounds = (
            "" if row["low"] is None else f"   95 % interval {row['low']:.4g} to {row['high']:.4g}"
        )
        print(f"{row['figure']:<44}{row['value']:>9.4g}{bounds}")
    for sentence in [*sentences, *([f"No place on the map: {reason}."] if reason else [])]:
        print(f"- {sentence}")


def _print_figures(config: TheoryConfig, result: dict[str, Any]) -> None:
    simulated = result["simulated"]
    lines = [
        ("best classifier", f"{result['best']['value']:.4f}", "exact"),
        (f"{config.learner}, n = {config.n:,}", *_said(result["expected"])),
        (
            "  simulated",
            f"{simulated['value']:.4f}",
            (
                f"95 % interval {simulated['low']:.4f} to {simulated['high']:.4f},"
                f" {simulated['draws']} draws"
            ),
        ),
        ("  as n grows without bound", *_said(result["limit"])),
        ("mean to optimum", *_turned(result["angles"])),
        (f"samples for {config.target:g}", *_needed(result["needed"])),
    ]
    for name, value, note in lines:
        print(f"{name:<36}{value:>10}   {note}")


def _turned(angles: dict[str, float | None]) -> tuple[str, str]:
    mean, mu = angles["synthetic_to_optimum"], angles["mu_to_optimum"]
    return (
        ("-", "no direction beats guessing")
        if mean is None or mu is None
        else (f"{mean:.1f}", f"degrees; mu to optimum {mu:.1f}")
    )


def _said(figure: dict[str, Any] | None) -> tuple[str, str]:
    return (
        ("-", "no formula: see the simulated value")
        if figure is None
        else (f"{figure['value']:.4f}", figure["kind"])
    )


def _needed(figure: dict[str, Any] | None) -> tuple[str, str]:
    if figure is None:
        return "-", "no formula to solve"
    if figure["n"] is None:
        return "-", "not reached by any number of samples"
    law = {"exact": ", exactly as 1/c^2", "asymptotic": ", for many samples as 1/c^2", None: ""}[
        figure["c_squared_law"]
    ]
    return (
        f"{figure['n']:,.4g}" if figure["n"] < 100 else f"{figure['n']:,.0f}"
    ), f"{figure['kind']}{law}"
