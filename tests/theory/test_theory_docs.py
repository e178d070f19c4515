"""The derivation names tests that exist, and none of the files of tests is left out of it."""

from __future__ import annotations

import ast
import re

from cdp.paths import ROOT

NAMED = re.compile(r"\[`(\w+\.py)::(\w+)`\]\(\.\./tests/theory/(\w+\.py)\)")
TEXT = (ROOT / "docs" / "theory.md").read_text()


def test_every_test_that_the_derivation_names_exists() -> None:
    found = NAMED.findall(TEXT)
    assert len(found) == TEXT.count("::test_") > 30
    for file, name, linked in found:
        assert file == linked
        tree = ast.parse((ROOT / "tests" / "theory" / file).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (
            f"{file}::{name}"
        )


def test_every_section_that_the_code_points_to_exists() -> None:
    sections = set(re.findall(r"^## (\d+)\.", TEXT, re.MULTILINE))
    for path in (ROOT / "cdp" / "theory").glob("*.py"):
        for part in re.findall(r"docs/theory\.md, ([\d to]+)", path.read_text()):
            assert set(part.replace("to", " ").split()) <= sections, path.name
