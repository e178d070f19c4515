"""import, export, sets: labelled images in and out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.output import AsJson, print_json, say
from cdp.values.text import image_size

if TYPE_CHECKING:
    from cdp.data.sets import SetEntry


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("download")(download)
    app.command("import")(import_)
    app.command("export")(export)
    app.command("sets")(sets)


def download(
    name: Annotated[
        str,
        typer.Argument(
            metavar="DATASET", help="A built-in data set, such as mnist; doctor lists them."
        ),
    ],
) -> None:
    """Fetch a built-in data set through torchvision, into CDP_HOME."""
    from cdp.data.registry import load_split

    for split in ("train", "test"):
        found = load_split(name, split, download=True)
        print(f"{name} ({split}): {len(found):,} images of {image_size(*found.image.shape[1:])}")


def import_(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE_OR_FOLDER",
            help=(
                "An .npz with `image` and `label`, a folder of class folders, or a folder with"
                " train and test (or val) of such."
            ),
        ),
    ],
    name: Annotated[
        str,
        typer.Option(
            help=(
                "What to call it: letters, digits, dots, dashes; empty takes the file's or"
                " folder's. NAME-test adds test images."
            )
        ),
    ] = "",
    test: Annotated[
        str,
        typer.Option(
            help=(
                "Test images elsewhere; empty finds them: a folder test (or val) beside train, or"
                " FILE-test.npz beside FILE.npz."
            )
        ),
    ] = "",
    classes: Annotated[
        str,
        typer.Option(
            help=(
                "Class names of an .npz in the order of its labels, commas between them, or the"
                " data set whose labels these are."
            )
        ),
    ] = "",
    renumber: Annotated[
        bool,
        typer.Option(
            "--renumber", help="Labels with gaps, or from 1, become 0, 1, ... in their order."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check labelled images and copy them into the store, memory-mapped. Nothing is kept of a file
    that is refused."""
    from cdp.data.importing import bring

    brought = bring(
        source,
        name,
        test=test or None,
        class_names=[part.strip() for part in classes.split(",") if part.strip()],
        renumber=renumber,
    )
    made = brought.train
    if as_json:
        print_json(
            {
                "name": made.name,
                "path": str(made.folder),
                "count": len(made),
                "shape": list(made.image.shape[1:]),
                "labelled": made.label is not None,
                "class_names": list(made.class_names),
                "test_count": len(brought.test) if brought.test else 0,
                "notes": list(brought.notes),
            }
        )
        return
    for one in (made, *([brought.test] if brought.test else [])):
        print(
            f"{one.name}: {len(one):,} images of"
            f" {image_size(*one.image.shape[1:])}{_without(one.label is not None)} in {one.folder}"
        )
    for note in brought.notes:
        say(note)


def export(
    name: Annotated[
        str, typer.Argument(metavar="SET", help="A saved set, by name or by path to its folder.")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT.npz", help="The file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write a set as .npz with `image` (N,H,W,C uint8) and `label`, the format other
    projects read."""
    from cdp.data.importing import export_npz
    from cdp.data.sets import open_set

    chosen = open_set(name)
    export_npz(chosen, out)
    if as_json:
        print_json(
            {
                "name": chosen.name,
                "path": str(out.resolve()),
                "count": len(chosen),
                "bytes": out.stat().st_size,
            }
        )
    else:
        print(f"{out}: {len(chosen):,} images of {chosen.name}")


def sets(as_json: AsJson = False) -> None:
    """List the saved sets."""
    from cdp.data.sets import list_sets
    from cdp.paths import sets_dir

    found = list_sets()
    if as_json:
        print_json({"folder": str(sets_dir()), "sets": [_row(entry) for entry in found]})
        return
    if not found:
        say(
            f"no sets in {sets_dir()} yet: make one with python -m cdp generate, or bring one with"
            " python -m cdp import"
        )
    for entry in found:
        print(_line(_row(entry)))


def _row(entry: SetEntry) -> dict[str, Any]:
    """One set, JSON-ready; ``error`` instead of the figures where it is broken."""
    if entry.card is None:
        return {"name": entry.name, "error": entry.error}
    return (
        {"name": entry.name}
        | {key: entry.card[key] for key in ("count", "shape", "created")}
        | {"labelled": bool(entry.card["class_names"])}
    )


def _line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['name']:<24} broken: {row['error']}"
    return (
        f"{row['name']:<24} {row['count']:>9,} images of"
        f" {image_size(*row['shape'])}{_without(row['labelled'])}, made {row['created']}"
    )


def _without(labelled: bool) -> str:
    return "" if labelled else ", no labels (python -m cdp pseudo-label)"
