"""What a person says of a run: star, archive, tags, note. labels.json in its folder, which nothing
that works on the run reads or writes."""

from __future__ import annotations

import contextlib
import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from cdp import paths
from cdp.errors import CdpError, InputError, MissingError
from cdp.files.atomic import write_json
from cdp.files.reading import read_object
from cdp.work.records import get_run, require_own

LABELS = "labels.json"
MOST_TAGS, LONGEST_TAG, LONGEST_NOTE = 20, 40, 2000
_MOST_BYTES = 1 << 16
"""More than the longest labels take, with every character escaped."""
_ASIDE = "labels.damaged.json"
_REMEDY = f"labels count as empty, and the next change keeps the file as {_ASIDE}"


@dataclass(frozen=True)
class Labels:
    """star: to find it again; archived: out of the way; tags: as they were added; note: may have
    several lines. problem: why the file in the run's folder could not be used, one sentence; all
    else is empty then."""

    star: bool = False
    archived: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    problem: str = ""


def read_labels(folder: Path) -> Labels:
    """The labels of the run in ``folder``; empty ones where it has none. Never raises for what is
    in the file."""
    path = folder / LABELS
    try:
        stored = read_object(path, missing="it has none", remedy=_REMEDY, most=_MOST_BYTES)
        return _labels(stored)
    except MissingError:
        return Labels()
    except InputError as error:
        problem = str(error)
        if str(path) not in problem:
            problem = f"{path} is damaged ({problem[:200]}): {_REMEDY}"
        return Labels(problem=problem)


def labels_json(labels: Labels) -> dict[str, Any]:
    """JSON-ready. ``problem`` is there only where there is one."""
    value = asdict(labels) | {"tags": list(labels.tags)}
    if not labels.problem:
        del value["problem"]
    return value


def change_labels(
    run_id: str,
    *,
    star: bool | None = None,
    archived: bool | None = None,
    add_tags: Sequence[str] = (),
    remove_tags: Sequence[str] = (),
    note: str | None = None,
) -> Labels:
    """Change what is given and keep the rest; returns all labels of the run as they are now.

    Changes made at the same time, also of several processes, are all kept. A tag is not there
    twice; one that is not there needs no removing; note: "" takes it away. The run may be in any
    state, and its other files are not touched.

    Raises MissingError where there is no such run; InputError that names the field for tags or a
    note that cannot be, with nothing changed; CdpError where the file cannot be written.
    """
    added, removed = checked_tags(add_tags), checked_tags(remove_tags)
    changes: dict[str, Any] = {"star": star, "archived": archived}
    changes["note"] = None if note is None else checked_note(note)
    run = get_run(run_id)
    require_own(run)
    folder = run.folder
    try:
        with FileLock(paths.runs_dir() / ".labels.lock"):
            before = read_labels(folder)
            tags = tuple(tag for tag in dict.fromkeys((*before.tags, *added)) if tag not in removed)
            given = {name: value for name, value in changes.items() if value is not None}
            now = replace(before, tags=_few(tags), problem="", **given)
            if now != before:
                _write(folder, now, damaged=bool(before.problem))
    except FileNotFoundError as error:
        raise MissingError(
            f"run {run_id} was deleted meanwhile: choose one of the list of runs"
        ) from error
    except OSError as error:
        raise CdpError(
            f"{folder / LABELS} cannot be written ({error.strerror}): make it writable, or free"
            " some disk space"
        ) from error
    return now


def checked_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Each once, in their order. Raises InputError for what is no tag."""
    if isinstance(tags, str):
        raise InputError("tags: give a list of tags, not one text")
    for tag in tags:
        if not (isinstance(tag, str) and tag.isprintable() and tag == tag.strip()) or not (
            1 <= len(tag) <= LONGEST_TAG
        ):
            raise InputError(
                f"tags: {str(tag)[:60]!a} is none: use 1 to {LONGEST_TAG} printable characters,"
                " without spaces at either end"
            )
    return _few(tuple(dict.fromkeys(tags)))


def checked_note(note: str) -> str:
    """The note without space around it. Raises InputError for one that is too long or holds what
    cannot be shown."""
    if not isinstance(note, str):
        raise InputError(f"note: {str(note)[:60]!a} is no text: give one")
    text = note.replace("\r\n", "\n").strip()
    if len(text) > LONGEST_NOTE:
        raise InputError(
            f"note: {len(text):,} characters are too many: use at most {LONGEST_NOTE:,}"
        )
    control = (c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cs"))
    hidden = next(control, None)
    if hidden is not None:
        raise InputError(f"note: the character {hidden!a} cannot be shown: leave it out")
    return text


def _labels(value: dict[str, Any]) -> Labels:
    """What a file says. Raises InputError for anything that ``change_labels`` does not write."""
    star, archived = value.get("star", False), value.get("archived", False)
    tags = value.get("tags", [])
    if not (isinstance(star, bool) and isinstance(archived, bool)):
        raise InputError("star and archived must be true or false")
    if not isinstance(tags, list):
        raise InputError("tags must be a list")
    return Labels(star, archived, checked_tags(tags), checked_note(value.get("note", "")))


def _few(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(tags) > MOST_TAGS:
        raise InputError(f"tags: {len(tags)} are too many for one run: use at most {MOST_TAGS}")
    return tags


def _write(folder: Path, labels: Labels, *, damaged: bool) -> None:
    if damaged:
        with contextlib.suppress(FileNotFoundError):
            (folder / LABELS).replace(folder / _ASIDE)
    write_json(folder / LABELS, labels_json(labels))
