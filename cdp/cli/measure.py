"""measure: how far apart the classes of sets are, how faithful they are, and what changed between
two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cdp.cli.output import print_json, say
from cdp.values.text import interval_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cdp.tasks.measured import Comparison
    from cdp.values.types import Interval


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("measure")(measure)


def measure(
    sets: Annotated[
        list[str],
        typer.Argument(
            metavar="SET...",
            help="Saved sets by name or path, or real splits such as fashion-mnist:test.",
        ),
    ],
    encoder: Annotated[
        str,
        typer.Option(
            help=(
                "In whose features: judge, standard, robust, noise-aware, a path, or pixels. The"
                " judge never guides."
            )
        ),
    ] = "judge",
    dataset: Annotated[
        str,
        typer.Option(
            help="Whose real images to compare with; empty takes the one on the set's card."
        ),
    ] = "",
    rows: Annotated[
        int,
        typer.Option(
            help="Images of each set that are measured, class-balanced, 100 to 20000.",
            min=100,
            max=20_000,
        ),
    ] = 5000,
    seed: Annotated[
        int,
        typer.Option(
            help=(
                "Of how images are dealt to parts for the intervals, and drawn to compare sets at"
                " the same size."
            ),
            min=0,
        ),
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON line instead of tables.")
    ] = False,
) -> None:
    """Measure sets in an encoder's feature space, with 95 % intervals; further sets are also
    compared with the first."""
    from cdp.tasks.measuring import compare, comparisons_json, measure_set

    options = {"encoder": encoder, "dataset": dataset, "rows": rows, "seed": seed}
    found = []
    for name in sets:
        say(f"measuring {name}")
        found.append(measure_set(name, **options))  # type: ignore[arg-type]
    pairs = []
    for name in sets[1:]:
        say(f"comparing {sets[0]} and {name} at the same number of images")
        pairs.append(compare(sets[0], name, **options))  # type: ignore[arg-type]
    if as_json:
        print_json(comparisons_json(found, pairs, encoder=encoder))
        return
    for one in found:
        _table(
            f"{one.name}: {one.result.n:,} of {one.total:,} images, {encoder}",
            one.result.figures,
            one.result.undefined,
        )
        if one.note:
            print(f"  note: {one.note}")
    for pair in pairs:
        print_comparison(pair, [other for other in pairs if other is not pair])


def print_comparison(pair: Comparison, beside: Sequence[Comparison]) -> None:
    """What differs, figure by figure and in sentences. beside: comparisons that are read together
    with this one."""
    from cdp.tasks.measuring import changes, sentences

    _table(f"{pair.first.name} minus {pair.second.name}, {pair.n:,} images each", changes(pair), {})
    for text in sentences(pair, beside):
        print(f"  {text}")


def _table(title: str, figures: dict[str, Interval], undefined: dict[str, str]) -> None:
    from cdp.embedding.measure import METRICS

    print(title)
    for key, figure in figures.items():
        print(f"  {METRICS[key].title:<36}{figure.value:>10.4g}   {interval_text(figure)}")
    for key, reason in undefined.items():
        print(f"  {METRICS[key].title:<36}         -   {reason}")
