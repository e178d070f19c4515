"""Workspaces whose files are not what they should be: one that earlier versions wrote, with an
experiment of the example study as one's own, and changes to a few of its files that hypothesis draws."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from cdp import paths

ARCHIVE = Path(__file__).parents[1] / "assets" / "workspace-44f3d00.zip"
_SMALL = (".json", ".jsonl", ".log", ".txt", ".npz")
DEEP = b'{"a":' * 100_000
VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 1, 3.5, -1e17, 1e17, 1e308, 2**63, 10**400, float("nan"), float("inf")),
    *("", "x" * 70_000, "\ud800", "\u202egnp.exe", "\x1b[31mred\x07", "a\nb\r", "../../etc", "nan"),
    *("run:", "2026-13-45T99:99", [], {}, [[]], [None], ["x", 1], {"a": {"b": []}}, [1e999] * 3),
)
WHOLE: tuple[bytes, ...] = (
    *(b"", b"\0" * 64, b"\xff\xfe{}", b"[]", b"null", b'"x"', b"{", b"NaN", DEEP, b"[" * 9_000),
    *(b'{"a": 1e999}', b'{"a": 1, "a": 2}', b"1" * 5_000, b"PK\x03\x04 torn", b"x" * (17 << 20)),
)
Content = bytes | str
"""Of a file; a text stands for what is there in place of a file."""
IN_PLACE = ("folder", "nothing", "dangling link", "link to itself", "pipe")


@dataclass(frozen=True)
class Change:
    """One file of the workspace that is another. where: what was changed in it, for a person."""

    file: str
    content: Content
    where: str = ""

    def __repr__(self) -> str:
        content = self.content[:60] if isinstance(self.content, bytes) else self.content
        return f"Change({self.file}, {self.where or content!r})"


def sound_home(home: Path) -> dict[str, bytes]:
    """Fill an empty CDP_HOME; the small files of it by their path in it."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(home)
    for card in (paths.ASSETS / "study").glob("*/*/*.json"):
        kind, name = card.parts[-3:-1]
        called = (
            json.loads(card.read_text()).get("name", "") if card.name == "config.json" else name
        )
        if called.startswith("headroom-"):
            shutil.copytree(card.parent, home / kind / name, dirs_exist_ok=True)
    for file in home.glob("runs/*/*.json"):
        file.write_text(file.read_text().replace("HOME/", f"{home}/"))
    for file in (*home.rglob("*.safetensors"), *home.rglob("suite-*.npz")):
        file.unlink()
    return files_of(home)


def files_of(home: Path) -> dict[str, bytes]:
    """The small files of a workspace by their path in it."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.suffix in _SMALL and not path.name.startswith(".")
    }


@contextlib.contextmanager
def spoiled(home: Path, files: Mapping[str, bytes], changes: list[Change]) -> Iterator[None]:
    """The workspace with these changes, and as it was afterwards."""
    try:
        for change in changes:
            _put(home / change.file, change.content)
        yield
    finally:
        for change in changes:
            _put(home / change.file, files[change.file])


def _put(path: Path, content: Content) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "folder":
        path.mkdir()
    elif content == "pipe":
        os.mkfifo(path)
    elif content != "nothing":
        targets = {"dangling link": "nowhere", "link to itself": path.name}
        path.symlink_to(targets.get(content, "/dev/zero"))


@st.composite
def changes(draw: st.DrawFn, files: Mapping[str, bytes]) -> list[Change]:
    """One to three files of the workspace, each changed in its own way."""
    names = draw(st.lists(st.sampled_from(sorted(files)), min_size=1, max_size=12, unique=True))
    return [draw(_change(name, files[name])) for name in names]


def _change(name: str, content: bytes) -> st.SearchStrategy[Change]:
    ways = [
        st.builds(Change, st.just(name), st.sampled_from(IN_PLACE)),
        st.builds(Change, st.just(name), st.sampled_from(WHOLE)),
        st.builds(Change, st.just(name), st.integers(0, len(content)).map(lambda n: content[:n])),
    ]
    if name.endswith((".json", ".jsonl")):
        ways = [*ways, *[_other_value(name, content)] * 4]
    return st.one_of(ways)


@st.composite
def _other_value(draw: st.DrawFn, name: str, content: bytes) -> Change:
    """A value in it, or a key, is another or gone. Of a journal, in one of its lines."""
    lines = content.splitlines() if name.endswith(".jsonl") else [content]
    number = draw(st.integers(0, max(0, len(lines) - 1)))
    value = json.loads(lines[number]) if lines else {}
    spots = list(_spots(value))
    if not spots:
        return Change(name, b"")
    holder, key = draw(st.sampled_from(spots))
    new = draw(st.sampled_from([*VALUES, "gone"]))
    if new == "gone":
        del holder[key]
    else:
        holder[key] = new
    lines = [*lines[:number], json.dumps(value).encode(), *lines[number + 1 :]]
    end = b"\n" if name.endswith(".jsonl") else b""
    return Change(name, b"\n".join(lines) + end, f"{key} = {str(new)[:30]!r}")


def _spots(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a value in a JSON document: what holds it, and its key."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for key, part in list(pairs):
        yield value, key
        if isinstance(part, dict | list):
            yield from _spots(part)
