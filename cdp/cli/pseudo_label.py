"""pseudo-label: labels for a set without any, from a classifier, as a new set."""

from __future__ import annotations

from typing import Annotated

import typer

from cdp.cli.interrupt import interruptible
from cdp.cli.output import AsJson, ProgressLine, print_json


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("pseudo-label")(pseudo_label)


def pseudo_label(
    source: Annotated[
        str, typer.Argument(metavar="SET", help="A saved set, by name or by path to its folder.")
    ],
    name: Annotated[str, typer.Option(help="Name of the new set.")],
    encoder: Annotated[
        str,
        typer.Option(
            help=(
                "Who gives the labels: judge, standard, robust, noise-aware, run:ID of a training,"
                " or the path of a folder; empty takes a "
                "classifier of the data set, first one that neither guided the images nor judges."
            )
        ),
    ] = "",
    min_confidence: Annotated[
        float,
        typer.Option(
            help="Probability that a label needs, 0 to 1; images below are left out.", min=0, max=1
        ),
    ] = 0.9,
    dataset: Annotated[
        str, typer.Option(help="Whose encoder; empty takes the data set on the set's card.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Let a classifier label the images of a set and keep those that it is sure of, as a new set
    with its parent on the card.

    Sets of models without classes have no labels, and training needs some. Where the labels come
    from another network than the judge, the judge looks at them as well: its agreement says how far
    they can be trusted.
    """
    from cdp.tasks import pseudo_labels

    with interruptible() as should_stop, ProgressLine("%") as line:
        made = pseudo_labels.pseudo_label(
            source,
            name,
            encoder=encoder,
            min_confidence=min_confidence,
            dataset=dataset,
            should_stop=should_stop,
            report=lambda share, words: line.show(round(100 * share), 100, None, f", {words}"),
        )
    found = pseudo_labels.pseudo_labels_of(made.card)
    assert found is not None  # it was just written
    if as_json:
        print_json(
            {
                "name": made.name,
                "path": str(made.folder),
                "count": len(made),
                "parent": made.card["parent"]["name"],
                "class_names": list(made.class_names),
                "pseudo_labels": made.card["pseudo_labels"],
            }
        )
        return
    print(f"{made.name}: {made.card['source']}, in {made.folder}")
    for text in pseudo_labels.sentences(found, made.class_names):
        print(f"  {text}")
    for class_name, count in zip(made.class_names, found.balance, strict=True):
        print(f"  {class_name:<24}{count:>9,}")
