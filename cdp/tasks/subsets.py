"""Parts of sets as sets of their own, and tags on the cards of saved sets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from cdp.data import samples
from cdp.data.rows import Chunk
from cdp.data.samples import SampleSet
from cdp.data.sets import open_set, stream_set
from cdp.errors import InputError
from cdp.files import atomic
from cdp.models.encoders import JUDGE
from cdp.tasks.scoring import flagged
from cdp.tasks.sources import Source, dataset_of, open_source

MOST_TAGS, LONGEST_TAG = 20, 40
LONGEST_HOW = 200_000
"""Characters of JSON that may say how a part was chosen, so that the card stays readable."""
_CHUNK = 4096


def save_subset(
    source_name: str,
    rows: Sequence[int] | np.ndarray,
    out: str,
    *,
    how: Mapping[str, Any],
    tags: Sequence[str] = (),
) -> SampleSet:
    """Save images ``rows`` of a set or real split as set ``out``, in the set's own order. how: what
    chose them, any JSON object. Raises InputError for rows that the set does not have and for what
    cannot stand on a card."""
    return save_part(
        source_name,
        rows,
        out,
        kind="subset",
        reason="chosen by hand",
        fields={"subset": dict(how)},
        tags=tags,
    )


def drop_flagged(
    name: str,
    out: str,
    *,
    duplicates: bool = False,
    memorised: bool = False,
    encoder: str = JUDGE,
    dataset: str = "",
) -> SampleSet:
    """Save a set without the images that come twice or look copied (``scoring.flagged``)."""
    source = open_source(name)
    rows, dropped = unflagged(
        source, duplicates=duplicates, memorised=memorised, encoder=encoder, dataset=dataset
    )
    if not len(rows):
        raise InputError(
            f"all {len(source)} images of {source.title} are flagged, so nothing would be left:"
            " drop less"
        )
    fields = {"subset": {"dropped": dropped, "encoder": encoder}}
    return save_part(
        name, rows, out, kind="subset", reason=f"without {' and '.join(dropped)}", fields=fields
    )


def unflagged(
    source: Source, *, duplicates: bool, memorised: bool, encoder: str = JUDGE, dataset: str = ""
) -> tuple[np.ndarray, dict[str, int]]:
    """Rows without the images of each kind asked for, and how many images each kind has."""
    if not (duplicates or memorised):
        raise InputError(
            "nothing to keep or drop was named: set keep to how many, or drop_duplicates or"
            " drop_memorised"
        )
    known = flagged(
        source, np.arange(len(source)), encoder, dataset_of([source], dataset, encoder=encoder)
    )
    if memorised and known.undefined:
        raise InputError(f"memorised images cannot be told: {known.undefined}")
    flags = ({"duplicates": known.duplicate} if duplicates else {}) | (
        {"memorised": known.memorised} if memorised else {}
    )
    gone = np.any(list(flags.values()), axis=0)
    return np.flatnonzero(~gone), {kind: int(flag.sum()) for kind, flag in flags.items()}


def part_of(source: Source, rows: np.ndarray, what: str) -> Source:
    """Images ``rows`` of a set as a set to look at; what: for its title."""
    return replace(
        source,
        title=f"{source.title}, {what}",
        image=source.image[rows],
        label=None if source.label is None else source.label[rows],
    )


@dataclass(frozen=True)
class NewLabels:
    """Labels that a part gets. label: (N,) of the whole set; dataset: whose classes."""

    label: np.ndarray
    class_names: tuple[str, ...]
    dataset: str


def save_part(
    name: str,
    rows: Sequence[int] | np.ndarray,
    out: str,
    *,
    kind: str,
    reason: str,
    fields: Mapping[str, Any],
    tags: Sequence[str] = (),
    labels: NewLabels | None = None,
) -> SampleSet:
    """Save images ``rows`` of a set as ``out``. reason: in words; fields: for the card; labels: new
    ones."""
    source = open_source(name)
    chosen = _rows(rows, source)
    parent = {
        "name": source.title,
        "count": len(source),
        "sha256": content(source),
        "config": None if source.split else open_set(name).card.get("config"),
    }
    if labels is not None:
        source = replace(
            source, label=labels.label, class_names=labels.class_names, dataset=labels.dataset
        )
    card = {
        "kind": kind,
        "dataset": source.dataset or None,
        "class_names": list(source.class_names),
        "source": f"{len(chosen)} of {len(source)} images of {source.title} {reason}",
        **fields,
        "parent": parent,
    }
    wanted = checked_tags(tags)
    _require_json(fields)
    if wanted:
        card["tags"] = wanted
    shape = (len(chosen), *source.image.shape[1:])
    return stream_set(
        out,
        shape,
        _chunks(source, chosen),
        card,
        source.image.dtype,
        labelled=source.label is not None,
    )


def set_tags(name: str, tags: Sequence[str]) -> SampleSet:
    """Put exactly these tags on the card of a saved set: at most 20 of 1 to 40 printable
    characters."""
    wanted = checked_tags(tags)
    folder = open_set(name).folder
    card = samples.read_card(folder)
    card.pop("tags", None)
    if wanted:
        card["tags"] = wanted
    if len(json.dumps(card, indent=1)) > samples.MAX_BYTES:
        raise InputError(
            f"the card of {name} would be over {samples.MAX_BYTES} bytes: use fewer or shorter tags"
        )
    try:
        atomic.write_json(folder / samples.CARD, card)
    except ValueError as error:
        raise InputError(
            f"the card of {name} holds a number that JSON does not have: put"
            f" {folder / samples.CARD} right first"
        ) from error
    return open_set(name)


def tags_of(card: Mapping[str, Any]) -> list[str]:
    """The tags on a card; whatever else a stranger wrote there is left out."""
    listed = card.get("tags")
    return [tag for tag in listed if _is_tag(tag)][:MOST_TAGS] if isinstance(listed, list) else []


def checked_tags(tags: Sequence[str]) -> list[str]:
    """Each once, in their order. Raises InputError for what is no tag."""
    if isinstance(tags, str):
        raise InputError("tags: give a list of tags, not one text")
    for tag in tags:
        if not _is_tag(tag):
            raise InputError(
                f"tag {str(tag)[:60]!a} cannot be one: use 1 to {LONGEST_TAG} printable characters,"
                " without spaces at either end"
            )
    wanted = list(dict.fromkeys(tags))
    if len(wanted) > MOST_TAGS:
        raise InputError(f"{len(wanted)} tags are too many for one set: use at most {MOST_TAGS}")
    return wanted


def _is_tag(tag: Any) -> bool:
    return (
        isinstance(tag, str)
        and 1 <= len(tag) <= LONGEST_TAG
        and tag.isprintable()
        and tag == tag.strip()
    )


def _rows(rows: Sequence[int] | np.ndarray, source: Source) -> np.ndarray:
    """Ascending, each once."""
    given = np.asarray(rows)
    if given.ndim != 1 or given.dtype.kind not in "iu" or not len(given):
        raise InputError(f"rows of {source.title}: choose at least one image by its whole number")
    chosen = np.unique(given)
    if chosen[0] < 0 or chosen[-1] >= len(source):
        bad = chosen[0] if chosen[0] < 0 else chosen[-1]
        raise InputError(f"rows: {source.title} has no image {bad}: choose 0 to {len(source) - 1}")
    return chosen.astype(np.int64)


def _require_json(fields: Mapping[str, Any]) -> None:
    try:
        size = len(json.dumps(fields, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"how: {str(error)[:120]} cannot stand on a card: use texts, numbers, lists and objects"
        ) from error
    if size > LONGEST_HOW:
        raise InputError(
            f"how takes {size:,} characters, which are too many for a card: say it in at most"
            f" {LONGEST_HOW:,}"
        )


def _chunks(source: Source, rows: np.ndarray) -> Iterator[Chunk]:
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        yield source.image[part], None if source.label is None else source.label[part]


def content(source: Source) -> str:
    """SHA-256 over images and labels, so that the parent can be told from another."""
    digest = hashlib.sha256()
    for start in range(0, len(source), _CHUNK):
        digest.update(np.ascontiguousarray(source.image[start : start + _CHUNK]).tobytes())
        if source.label is not None:
            digest.update(np.asarray(source.label[start : start + _CHUNK], np.int64).tobytes())
    return digest.hexdigest()
