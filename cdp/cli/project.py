"""project: the map of the Explore page as a file, with the same numbers."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

from cdp.cli.options import AsJson, Sets, config_given, option, with_options
from cdp.cli.output import answer, say
from cdp.config.explore import ExploreConfig
from cdp.errors import InputError
from cdp.values.text import duration

if TYPE_CHECKING:
    from cdp.values.types import Embedding


@with_options(ExploreConfig, skip=frozenset({"sets"}))
def project(
    sets: Sets,
    out: Annotated[Path, option("The file to write; its ending says what: .csv, .npz or .json.")],
    force: Annotated[bool, option("Replace the file where it exists.", "--force")] = False,
    quality: Annotated[
        bool, option("Also measure how far the map can be trusted.", "--quality")
    ] = False,
    as_json: AsJson = False,
    **given: Any,
) -> None:
    """Draw sets, see them by an encoder and write where each image lies on a map: the numbers of
    the Explore page.

    CSV has the columns set, row, label, class, x, y and, in three dimensions, z. npz and JSON hold
    coordinates, which (number of the set), row, label, names, class_names, totals and config. What
    was computed once is read from the cache.
    """
    config = config_given(ExploreConfig, given, {"sets": sets})
    out = out.expanduser()
    write = _writer(out, force)
    from cdp.embedding.projection import trust_sentence
    from cdp.files.atomic import atomic_file
    from cdp.files.private import as_given
    from cdp.tasks.atlas import embed, map_quality

    began = time.monotonic()
    embedding = embed(config, _tell)
    measured = map_quality(config, _tell) if quality else None
    with as_given(), atomic_file(out) as file:
        write(file, embedding, config)
    seconds = time.monotonic() - began
    counts = _counts(embedding)
    value: dict[str, Any] = {"points": len(embedding), "sets": counts}
    value |= {"quality": asdict(measured) if measured else None}
    value |= {"path": str(out.resolve()), "seconds": round(seconds, 3)}
    text = [f"{out}: {len(embedding):,} points in {duration(seconds)}"]
    text += [f"  {e['name']}: {e['points']:,} of {e['images']:,} images" for e in counts]
    text += [f"  {trust_sentence(config.method, measured)}"] if measured else []
    answer("\n".join(text), value, as_json=as_json)


def _tell(share: float, words: str) -> None:
    say(words)


def _counts(embedding: Embedding) -> list[dict[str, Any]]:
    """Of each set: its name, its images, and how many of them are on the map."""
    return [
        {"name": name, "images": total, "points": int((embedding.which == number).sum())}
        for number, (name, total) in enumerate(zip(embedding.names, embedding.totals, strict=True))
    ]


Writer = Callable[[IO[bytes], "Embedding", ExploreConfig], None]


def _writer(out: Path, force: bool) -> Writer:
    """Who writes such a file. Raises InputError before anything is computed where it cannot be
    written."""
    if out.suffix not in WRITERS:
        raise InputError(f"--out {out} does not end in {', '.join(WRITERS)}: give a name that does")
    if not out.parent.is_dir():
        raise InputError(f"--out: {out.parent} is not a folder: create it first")
    if out.is_dir():
        raise InputError(f"--out: {out} is a folder: give the name of a file")
    if out.exists() and not force:
        raise InputError(
            f"--out: {out} already exists: choose another name, or replace it with --force"
        )
    return WRITERS[out.suffix]


def _write_csv(file: IO[bytes], embedding: Embedding, config: ExploreConfig) -> None:
    """Coordinates are written as short as gives the same float32 back."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["set", "row", "label", "class", *"xyz"[: config.dims]])
    for which, row, label, place in zip(
        embedding.which, embedding.row, embedding.label, embedding.coordinates, strict=True
    ):
        rows.writerow(
            [embedding.names[which], row, label, embedding.class_name(int(label)), *place]
        )
    text.detach()


def _write_npz(file: IO[bytes], embedding: Embedding, config: ExploreConfig) -> None:
    import numpy as np

    arrays = {name: np.asarray(value) for name, value in asdict(embedding).items()}
    np.savez(file, allow_pickle=False, **arrays, config=np.array(config.model_dump_json()))


def _write_json(file: IO[bytes], embedding: Embedding, config: ExploreConfig) -> None:
    """Coordinates are float32 written as the double of the same value."""
    import numpy as np

    whole = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in asdict(embedding).items()
    }
    file.write(
        json.dumps(whole | {"config": config.model_dump(mode="json")}, allow_nan=False).encode()
    )


WRITERS: dict[str, Writer] = {".csv": _write_csv, ".npz": _write_npz, ".json": _write_json}
