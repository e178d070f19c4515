"""theory: the Gaussian model's figures for one setting, the numbers behind a view of the Theory
page, or a sample set in the model's terms."""

from __future__ import annotations

import math
import time
from typing import Annotated, Any, Literal

from cdp.cli.options import AsJson, chosen, option, with_options
from cdp.cli.output import ProgressLine, print_json, say
from cdp.config.knobs import parse
from cdp.config.theory import TRAINED, TheoryConfig, matters
from cdp.errors import InputError

View = Literal["curves", "map", "needed", "picture", "coordinates", "guided"]
LONGEST = 400
"""Characters of a set's name or path; of each part file systems take 255 bytes."""


@with_options(TheoryConfig)
def theory(
    view: Annotated[
        View | None,
        option("The numbers behind a view of the page, as CSV or with --json.", "--view"),
    ] = None,
    sample_set: Annotated[
        str | None,
        option(
            "A sample set in the model's terms: separation, angle and effective dimension of its"
            " features.",
            "--set",
            metavar="SET",
        ),
    ] = None,
    encoder: Annotated[
        str | None,
        option(
            "In whose features --set is measured: judge, standard, robust, noise-aware, a path, or"
            " pixels. [default: judge]"
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
        if not matters(name, config.model_dump(), view) or (name == "strength" and not view):
            where = "this view" if view else "the figures of one setting"
            say(f"--{name} changes nothing here: leave it out, it does not count for {where}")
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
    if len(name) > LONGEST or any(len(part.encode()) > 255 for part in name.split("/")):
        raise InputError(
            f"set: {name[:40]}... is longer than any name: pass the name or the path of a saved"
            f" set, {LONGEST} characters at most"
        )
    return name


def _figures(config: TheoryConfig) -> dict[str, Any]:
    from cdp.theory.expectation import expected, samples_needed
    from cdp.theory.model import (
        beatable,
        best_accuracy,
        degrees_between,
        optimum,
        problem_of,
        synthetic_of,
    )

    model = problem, synthetic = problem_of(config), synthetic_of(config)
    value, limit = (expected(*model, n, config.learner) for n in (config.n, math.inf))
    angles, needed = {"synthetic_to_optimum": synthetic.mean, "mu_to_optimum": problem.mu}, None
    if value is not None:
        n = samples_needed(*model, config.target, config.learner)
        law = "exact" if config.learner == "averaging" else None
        needed = {"target": config.target, "n": n, "kind": value.kind, "c_squared_law": law}
    return {
        "best": {"value": best_accuracy(problem), "kind": "exact"},
        "angles": {
            name: degrees_between(vector, optimum(problem)) if beatable(problem) else None
            for name, vector in angles.items()
        },
        "expected": value and {"value": value.value, "kind": value.kind},
        "limit": limit and {"value": limit.value, "kind": limit.kind},
        "simulated": _simulated(config),
        "needed": needed,
    }


def _simulated(config: TheoryConfig) -> dict[str, Any]:
    """The simulated value; trainings that take long are counted on stderr."""
    from cdp.theory.model import problem_of, synthetic_of
    from cdp.theory.simulation import simulate

    begun = time.monotonic()
    with ProgressLine("trainings") as line:

        def report(share: float) -> None:
            if config.learner == TRAINED:
                left = (time.monotonic() - begun) * (1 - share) / share
                line.show(round(share * config.draws), config.draws, left)

        result = simulate(
            problem_of(config),
            synthetic_of(config),
            config.n,
            config.learner,
            draws=config.draws,
            seed=config.seed,
            ridge=config.ridge,
            report=report,
        )
    bounds = {"value": result.value, "low": result.low, "high": result.high}
    return bounds | {"level": result.level, "draws": result.n, "kind": "simulated"}


def _view(config: TheoryConfig, view: View, *, as_json: bool) -> None:
    """The rows of a view; JSON has no infinity, so the n of a limit and the width of a band that is
    the whole plane are null there."""
    from cdp.reports.exports import to_csv
    from cdp.tasks.theory import points_of
    from cdp.theory.views import VIEWS

    rows = VIEWS[view](config)
    if view in ("curves", "guided"):
        rows += points_of(config, view).get(lambda share, words: say(f"{words}: {share:.0%}"))
    if not as_json:
        print(to_csv(rows), end="")
        return
    finite = [
        {name: None if value == math.inf else value for name, value in row.items()} for row in rows
    ]
    print_json({"config": config.model_dump(mode="json"), "view": view, "rows": finite})


def _place(name: str, encoder: str, *, as_json: bool) -> None:
    from cdp.tasks.theory import caveats, place_of, place_rows

    place = place_of(name, encoder=encoder).get(lambda share, what: say(what) if what else None)
    sentences, rows, reason = caveats(place, encoder), place_rows(place), place.unplaced
    if as_json:
        about = {"set": name, "encoder": encoder, "against": place.against, "missing": reason}
        print_json(about | {"rows": rows, "caveats": sentences})
        return
    for row in rows:
        low, high = row["low"], row["high"]
        bounds = "" if low is None else f"   95 % interval {low:.4g} to {high:.4g}"
        print(f"{row['figure']:<44}{row['value']:>9.4g}{bounds}")
    for sentence in [*sentences, *([f"No place on the map: {reason}."] if reason else [])]:
        print(f"- {sentence}")


def _print_figures(config: TheoryConfig, result: dict[str, Any]) -> None:
    simulated, angles, needed = result["simulated"], result["angles"], result["needed"]
    bounds = f"95 % interval {simulated['low']:.4f} to {simulated['high']:.4f}"
    mean, mu = angles["synthetic_to_optimum"], angles["mu_to_optimum"]
    turned = ("-", "no direction beats guessing")
    if mean is not None:
        turned = (f"{mean:.1f}", f"degrees; mu to optimum {mu:.1f}")
    count = ("-", "no formula to solve")
    if needed is not None:
        law = ", exactly as 1/c^2" if needed["c_squared_law"] else ""
        count = ("-", "not reached by any number of samples")
        if (n := needed["n"]) is not None:
            count = (f"{n:,.4g}" if n < 100 else f"{n:,.0f}", needed["kind"] + law)
    lines = [
        ("best classifier", *_line(result["best"])),
        (f"{config.learner}, n = {config.n:,}", *_line(result["expected"])),
        ("  simulated", f"{simulated['value']:.4f}", f"{bounds}, {simulated['draws']} draws"),
        ("  as n grows without bound", *_line(result["limit"])),
        ("mean to optimum", *turned),
        (f"samples for {config.target:g}", *count),
    ]
    for name, value, note in lines:
        print(f"{name:<36}{value:>10}   {note}")


def _line(figure: dict[str, Any] | None) -> tuple[str, str]:
    if figure is None:
        return "-", "no formula: see the simulated value"
    return f"{figure['value']:.4f}", figure["kind"]
