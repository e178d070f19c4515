"""select: keep the part of a set that scores best, as a new set."""

from __future__ import annotations

from typing import Annotated

import typer

from cdp.cli.output import print_json


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("select")(select)


def select(
    name: Annotated[str, typer.Argument(metavar="SET", help="A saved set, by name or by path to its folder.")],
    keep: Annotated[int, typer.Option(help="Images to keep.", min=1)],
    out: Annotated[str, typer.Option(help="Name of the new set.")],
    by: Annotated[str, typer.Option(help="separability, confidence, entropy, gradient-norm or random.")] = "separability",
    order: Annotated[str, typer.Option(help="Which scores are kept: highest or lowest.")] = "highest",
    balanced: Annotated[bool, typer.Option(help="The same number of every class.")] = True,
    encoder: Annotated[str, typer.Option(help="Who scores: judge, standard, robust, noise-aware, or a path.")] = "judge",
    dataset: Annotated[str, typer.Option(help="Whose encoder; empty takes the data set on the set's card.")] = "",
    seed: Annotated[int, typer.Option(help="Of random selection.", min=0)] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line instead of text.")] = False,
) -> None:
    """Keep the best part of a set by one score an image. The new set names its parent, criterion and seed."""
    from cdp.tasks import selecting

    made = selecting.select(
        name, out, by=by, keep=keep, order=order, balanced=balanced, encoder=encoder, dataset=dataset, seed=seed,  # type: ignore[arg-type]
    )  # fmt: skip
    if as_json:
        print_json(
            {
                "name": made.name,
                "path": str(made.folder),
                "count": len(made),
                "selection": made.card["selection"],
                "parent": made.card["parent"]["name"],
            }
        )
    else:
        print(f"{made.name}: {made.card['source']}, in {made.folder}")
