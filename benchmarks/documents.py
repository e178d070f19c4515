"""The generated parts of documents: ``<!-- results: NAME -->`` to ``<!-- end of results -->`` holds
the table of NAME.json, and of amx/NAME.json where there is one.

``python -m benchmarks.documents`` makes them anew from the JSON files.
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks import results, tables
from cdp.files.atomic import atomic_file
from cdp.paths import ROOT

DOCUMENTS = (ROOT / "README.md", ROOT / "docs" / "results.md")
_BLOCK = re.compile(
    r"(?P<head><!-- results: (?P<name>[a-z_]+) -->\n).*?(?P<tail><!-- end of results -->)",
    re.DOTALL,
)


def body(name: str, where: Path = results.RESULTS) -> str:
    """The text of one block, made from the results of that name: of processors without AMX, then
    with it."""
    parts = []
    for result in (results.load(name, where), results.load(name, where / results.AMX)):
        if result is not None:
            parts += [tables.of_result(result), result.notes, tables.stamp(result)]
    return "\n\n".join(part for part in parts if part) + "\n" if parts else "Not measured yet.\n"


def filled(text: str, where: Path = results.RESULTS) -> str:
    """The document with every block made anew."""
    return _BLOCK.sub(
        lambda match: match["head"] + body(match["name"], where) + match["tail"], text
    )


def blocks(text: str) -> tuple[str, ...]:
    """The names of the blocks of a document."""
    return tuple(match["name"] for match in _BLOCK.finditer(text))


def refresh(documents: tuple[Path, ...] = DOCUMENTS, where: Path = results.RESULTS) -> list[Path]:
    """Rewrite the documents whose blocks are out of date, atomically; returns those."""
    changed = []
    for path in documents:
        old = path.read_text(encoding="utf-8")
        new = filled(old, where)
        if new != old:
            with atomic_file(path) as file:
                file.write(new.encode("utf-8"))
            changed.append(path)
    return changed


def main() -> None:
    """Refresh, and say what changed."""
    for path in refresh():
        print(f"rewritten: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
