"""select: keep the part of a set that scores best, as a new set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.measure import print_comparison
from cdp.cli.output import AsJson, print_json, say
from cdp.errors import InputError

if TYPE_CHECKING:
    from cdp.tasks.selecting import PreviewFigures


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("select")(select)


def select(
    name: Annotated[
        str, typer.Argument(metavar="SET", help="A saved set, by name or by path to its folder.")
    ],
    out: Annotated[str, typer.Option(help="Name of the new set.")],
    keep: Annotated[
        int | None,
        typer.Option(
            help="Images to keep; all that are left where only --drop-... is given.", min=1
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(help="separability, confidence, entropy, gradient-norm or random.")
    ] = "separability",
    order: Annotated[
        str, typer.Option(help="Which scores are kept: highest or lowest.")
    ] = "highest",
    balanced: Annotated[bool, typer.Option(help="The same number of every class.")] = True,
    encoder: Annotated[
        str, typer.Option(help="Who scores: judge, standard, robust, noise-aware, or a path.")
    ] = "judge",
    dataset: Annotated[
        str, typer.Option(help="Whose encoder; empty takes the data set on the set's card.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Of random selection.", min=0)] = 0,
    drop_duplicates: Annotated[
        bool,
        typer.Option("--drop-duplicates", help="First drop images that came earlier in the set."),
    ] = False,
    drop_memorised: Annotated[
        bool,
        typer.Option(
            "--drop-memorised",
            help=(
                "First drop images as near to a training image as 1 in 1,000 held-out real ones"
                " are."
            ),
        ),
    ] = False,
    measure: Annotated[
        bool,
        typer.Option(
            "--measure",
            help=(
                "Also compare the kept part with a random part of the same size, in the eyes of"
                " another encoder."
            ),
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Keep the best part of a set by one score an image, or drop what is there twice or copied. The
    new set names its parent and how."""
    from cdp.files.atomic import refuse_existing
    from cdp.paths import sets_dir
    from cdp.tasks import selecting

    if measure and keep is None:
        raise InputError(
            "--measure compares what --keep chooses with a random part: say how many to keep"
        )
    found = None
    if measure and keep is not None:
        refuse_existing(sets_dir() / out)  # before minutes are spent
        say("measuring the kept part, a random one and the whole set")
        found = selecting.preview_figures(
            name,
            by=by,  # type: ignore[arg-type]
            keep=keep,
            order=order,  # type: ignore[arg-type]
            balanced=balanced,
            encoder=encoder,
            dataset=dataset,
            seed=seed,
            drop_duplicates=drop_duplicates,
            drop_memorised=drop_memorised,
        )
    made = selecting.select(
        name,
        out,
        by=by,  # type: ignore[arg-type]
        keep=keep,
        order=order,  # type: ignore[arg-type]
        balanced=balanced,
        encoder=encoder,
        dataset=dataset,
        seed=seed,
        drop_duplicates=drop_duplicates,
        drop_memorised=drop_memorised,
    )
    if as_json:
        told = {} if found is None else {"figures": _json(found)}
        selection = made.card.get("selection") or made.card["subset"]
        parent = made.card["parent"]["name"]
        print_json(
            {
                "name": made.name,
                "path": str(made.folder),
                "count": len(made),
                "selection": selection,
                "parent": parent,
            }
            | told
        )
        return
    print(f"{made.name}: {made.card['source']}, in {made.folder}")
    if found is not None:
        print(found.note)
        for pair in found.comparisons:
            print_comparison(pair, [])


def _json(found: PreviewFigures) -> dict[str, Any]:
    """The kept part, the random part and the whole set, as ``measure --json`` has them."""
    from cdp.tasks.claims import comparisons_json

    sets = [found.kept, found.control, found.parent]
    return comparisons_json(sets, found.comparisons, encoder=found.encoder) | {"note": found.note}
