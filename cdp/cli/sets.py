"""Sample sets: in and out of the store, tags, labels by a classifier, selection, and what is
measured of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cdp.cli.options import AsJson, SavedSet, Sets, argument, option
from cdp.cli.output import ProgressLine, answer, interruptible, print_json, say
from cdp.config.fields import split
from cdp.errors import InputError
from cdp.values.text import image_size, interval_text

if TYPE_CHECKING:
    from cdp.data.samples import SampleSet
    from cdp.data.sets import SetEntry
    from cdp.tasks.measured import SetComparison
    from cdp.tasks.selecting import PreviewFigures
    from cdp.values.types import Interval


def download(
    name: Annotated[
        str, argument("DATASET", "A built-in data set, such as mnist; doctor lists them.")
    ],
) -> None:
    """Fetch a built-in data set through torchvision, into CDP_HOME."""
    from cdp.data.registry import load_split

    for part in ("train", "test"):
        images = load_split(name, part, download=True)
        print(f"{name} ({part}): {len(images):,} images of {image_size(*images.image.shape[1:])}")


def import_(
    source: Annotated[
        Path,
        argument(
            "FILE_OR_FOLDER",
            "An .npz with `image` and `label`, a folder of class folders, or a folder with train"
            " and test (or val) of such.",
        ),
    ],
    name: Annotated[
        str,
        option(
            "What to call it: letters, digits, dots, dashes; empty takes the file's or folder's."
            " NAME-test adds test images."
        ),
    ] = "",
    test: Annotated[
        str,
        option(
            "Test images elsewhere; empty finds them: a folder test (or val) beside train, or"
            " FILE-test.npz beside FILE.npz."
        ),
    ] = "",
    classes: Annotated[
        str,
        option(
            "Class names of an .npz in the order of its labels, commas between them, or the data"
            " set whose labels these are."
        ),
    ] = "",
    renumber: Annotated[
        bool, option("Labels with gaps, or from 1, become 0, 1, ... in their order.", "--renumber")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check labelled images and copy them into the store, memory-mapped. Nothing is kept of a file
    that is refused."""
    from cdp.data.importing import bring

    brought = bring(source, name, test=test or None, class_names=split(classes), renumber=renumber)
    train, tests = brought.train, brought.test
    if as_json:
        form = {"shape": list(train.image.shape[1:]), "labelled": train.label is not None}
        form |= {"class_names": list(train.class_names), "test_count": len(tests) if tests else 0}
        print_json(_made(train) | form | {"notes": list(brought.notes)})
        return
    for part in (train, *([tests] if tests else [])):
        size, without = image_size(*part.image.shape[1:]), _without(part.label is not None)
        print(f"{part.name}: {len(part):,} images of {size}{without} in {part.folder}")
    for note in brought.notes:
        say(note)


def hold_out(name: SavedSet, as_json: AsJson = False) -> None:
    """A fifth of an imported set as test images of the rest, as two new sets: NAME-held-out and
    NAME-held-out-test."""
    from cdp.data.importing import hold_out_tests

    brought = hold_out_tests(name)
    if as_json:
        print_json(_made(brought.train) | {"test_count": len(brought.test or ())})
        return
    for part in (brought.train, brought.test):
        if part is not None:
            print(f"{part.name}: {len(part):,} images in {part.folder}")


def export(
    name: SavedSet,
    out: Annotated[Path, argument("OUT.npz", "The file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write a set as .npz with `image` (N,H,W,C uint8) and `label`, the format other
    projects read."""
    from cdp.data.importing import export_npz
    from cdp.data.sets import open_set
    from cdp.files.private import as_given

    saved = open_set(name)
    with as_given():
        export_npz(saved, out)
    written = {"path": str(out.resolve()), "bytes": out.stat().st_size}
    value = {"name": saved.name, "count": len(saved)} | written
    answer(f"{out}: {len(saved):,} images of {saved.name}", value, as_json=as_json)


def sets(as_json: AsJson = False) -> None:
    """List the saved sets."""
    from cdp.data.sets import list_sets
    from cdp.paths import sets_dir

    rows = [_row(entry) for entry in list_sets()]
    if as_json:
        print_json({"folder": str(sets_dir()), "sets": rows})
        return
    if not rows:
        say(
            f"no sets in {sets_dir()} yet: make one with python -m cdp generate, or bring one with"
            " python -m cdp import"
        )
    for row in rows:
        print(_line(row))


def _row(entry: SetEntry) -> dict[str, Any]:
    """One set, JSON-ready; ``error`` instead of the figures where it is broken."""
    card = entry.card
    if card is None:
        return {"name": entry.name, "error": entry.error}
    figures = {key: card[key] for key in ("count", "shape", "created")}
    return {"name": entry.name} | figures | {"labelled": bool(card["class_names"])}


def _line(row: dict[str, Any]) -> str:
    if "error" in row:
        return f"{row['name']:<24} cannot be read: {row['error']}"
    size, without = image_size(*row["shape"]), _without(row["labelled"])
    return f"{row['name']:<24} {row['count']:>9,} images of {size}{without}, made {row['created']}"


def _without(labelled: bool) -> str:
    return "" if labelled else ", no labels (python -m cdp pseudo-label)"


def _made(samples: SampleSet) -> dict[str, Any]:
    return {"name": samples.name, "path": str(samples.folder), "count": len(samples)}


def tag(
    name: SavedSet,
    tags: Annotated[
        list[str] | None,
        argument("TAG...", "Up to 40 characters each; none only shows those there."),
    ] = None,
    remove: Annotated[
        bool, option("Take these tags off instead of putting them on.", "--remove")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put tags on a saved set (at most 20), or take them off with --remove. Nothing else of the set
    changes."""
    from cdp.data.sets import open_set
    from cdp.tasks.subsets import set_tags, tags_of

    saved = open_set(name)
    now, given = tags_of(saved.card), tags or []
    absent = [word for word in given if word not in now]
    if remove and not given:
        raise InputError("name the tags to remove")
    if remove and absent:
        there = ", ".join(now) or "no tags"
        raise InputError(f"{saved.name} has no tag {absent[0][:60]!a}: {there}")
    if given:
        wanted = [word for word in now if word not in given] if remove else [*now, *given]
        saved = set_tags(name, wanted)
        now = tags_of(saved.card)
    text = f"{saved.name}: {', '.join(now) or 'no tags'}"
    answer(text, {"name": saved.name, "tags": now}, as_json=as_json)


def pseudo_label(
    source: SavedSet,
    name: Annotated[str, option("Name of the new set.")],
    encoder: Annotated[
        str,
        option(
            "Who gives the labels: judge, standard, robust, noise-aware, run:ID of a training, or"
            " the path of a folder; empty takes a classifier of the data set, first one that"
            " neither guided the images nor judges."
        ),
    ] = "",
    min_confidence: Annotated[
        float,
        option("Probability that a label needs, 0 to 1; images below are left out.", min=0, max=1),
    ] = 0.9,
    dataset: Annotated[
        str, option("Whose encoder; empty takes the data set on the set's card.")
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
        choices: dict[str, Any] = {"encoder": encoder, "min_confidence": min_confidence}
        choices |= {"dataset": dataset, "should_stop": should_stop}

        def report(share: float, words: str) -> None:
            line.show(round(100 * share), 100, None, f", {words}")

        new = pseudo_labels.pseudo_label(source, name, report=report, **choices)
    labels = pseudo_labels.pseudo_labels_of(new.card)
    assert labels is not None  # it was just written
    if as_json:
        made = {"parent": new.card["parent"]["name"], "class_names": list(new.class_names)}
        print_json(_made(new) | made | {"pseudo_labels": new.card["pseudo_labels"]})
        return
    print(f"{new.name}: {new.card['source']}, in {new.folder}")
    for text in pseudo_labels.sentences(labels, new.class_names):
        print(f"  {text}")
    for class_name, count in zip(new.class_names, labels.balance, strict=True):
        print(f"  {class_name:<24}{count:>9,}")


def select(
    name: SavedSet,
    out: Annotated[str, option("Name of the new set.")],
    keep: Annotated[
        int | None,
        option("Images to keep; all that are left where only --drop-... is given.", min=1),
    ] = None,
    by: Annotated[
        str,
        option(
            "separability, confidence, entropy, gradient-norm, margin or random; a wrong name lists"
            " all."
        ),
    ] = "separability",
    order: Annotated[
        str,
        option(
            "Which scores are kept: highest, lowest, or mixed (half from the lowest, half evenly over"
            " the others)."
        ),
    ] = "highest",
    balanced: Annotated[bool, option("The same number of every class.")] = True,
    encoder: Annotated[
        str, option("Who scores: judge, standard, robust, noise-aware, or a path.")
    ] = "judge",
    dataset: Annotated[
        str, option("Whose encoder; empty takes the data set on the set's card.")
    ] = "",
    seed: Annotated[int, option("Of random selection.", min=0)] = 0,
    drop_duplicates: Annotated[
        bool, option("First drop images that came earlier in the set.", "--drop-duplicates")
    ] = False,
    drop_memorised: Annotated[
        bool,
        option(
            "First drop images as near to a training image as 1 in 1,000 held-out real ones are.",
            "--drop-memorised",
        ),
    ] = False,
    measure: Annotated[
        bool,
        option(
            "Also compare the kept part with a random part of the same size, in the eyes of"
            " another encoder.",
            "--measure",
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
    choices: selecting.Wish = {
        "by": by,
        "keep": keep,
        "order": order,  # type: ignore[typeddict-item]  # select refuses any other
        "balanced": balanced,
        "encoder": encoder,
        "dataset": dataset,
        "seed": seed,
        "drop_duplicates": drop_duplicates,
        "drop_memorised": drop_memorised,
    }
    figures = None
    if measure:
        refuse_existing(sets_dir() / out)  # before minutes are spent
        say("measuring the kept part, a random one and the whole set")
        figures = selecting.preview_figures(name, **choices)
    new = selecting.select(name, out, **choices)
    if as_json:
        selection = new.card.get("selection") or new.card["subset"]
        parent = new.card["parent"]["name"]
        measured = {} if figures is None else {"figures": _figures_json(figures)}
        print_json(_made(new) | {"selection": selection, "parent": parent} | measured)
        return
    print(f"{new.name}: {new.card['source']}, in {new.folder}")
    if figures is not None:
        print(figures.note)
        for pair in figures.comparisons:
            print_comparison(pair, [])


def _figures_json(figures: PreviewFigures) -> dict[str, Any]:
    """The kept part, the random part and the whole set, as ``measure --json`` has them."""
    from cdp.tasks.claims import comparisons_json

    parts = [figures.kept, figures.control, figures.parent]
    pairs = comparisons_json(parts, figures.comparisons, encoder=figures.encoder)
    return pairs | {"note": figures.note}


def measure(
    sets: Sets,
    encoder: Annotated[
        str,
        option(
            "In whose features: judge, standard, robust, noise-aware, a path, or pixels. The judge"
            " never guides."
        ),
    ] = "judge",
    dataset: Annotated[
        str, option("Whose real images to compare with; empty takes the one on the set's card.")
    ] = "",
    rows: Annotated[
        int,
        option(
            "Images of each set that are measured, class-balanced, 100 to 20000.",
            min=100,
            max=20_000,
        ),
    ] = 5000,
    seed: Annotated[
        int,
        option(
            "Of how images are dealt to parts for the intervals, and drawn to compare sets at the"
            " same size.",
            min=0,
        ),
    ] = 0,
    as_json: Annotated[bool, option("Print one JSON line instead of tables.", "--json")] = False,
) -> None:
    """Measure sets in an encoder's feature space, with 95 % intervals; further sets are also
    compared with the first."""
    from cdp.tasks.claims import comparisons_json
    from cdp.tasks.measuring import compare, measure_set

    choices: dict[str, Any] = {"encoder": encoder, "dataset": dataset, "rows": rows, "seed": seed}
    measured, pairs = [], []
    for name in sets:
        say(f"measuring {name}")
        measured.append(measure_set(name, **choices))
    for name in sets[1:]:
        say(f"comparing {sets[0]} and {name} at the same number of images")
        pairs.append(compare(sets[0], name, **choices))
    if as_json:
        print_json(comparisons_json(measured, pairs, encoder=encoder))
        return
    for figures_of_set in measured:
        result = figures_of_set.result
        title = f"{figures_of_set.name}: {result.n:,} of {figures_of_set.total:,} images, {encoder}"
        _table(title, result.figures, result.undefined)
        if figures_of_set.note:
            print(f"  note: {figures_of_set.note}")
    for pair in pairs:
        print_comparison(pair, [other for other in pairs if other is not pair])


def print_comparison(pair: SetComparison, beside: Sequence[SetComparison]) -> None:
    """What differs, figure by figure and in sentences. beside: comparisons that are read together
    with this one."""
    from cdp.tasks.claims import sentences
    from cdp.tasks.measured import changes

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
