"""Numbers in YAML are what a person means by them."""

from __future__ import annotations

import pytest

from cdp.files.settings import mapping_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("1e-3", 1e-3),
        ("1.5e2", 150.0),
        ("0x1F", 31),
        ("-12", -12),
        (".5", 0.5),
        ("1_000", 1000),
        ("0.1.2", "0.1.2"),
        ("2026-11-30x", "2026-11-30x"),
    ],
)
def test_what_is_a_number(text: str, value: object) -> None:
    assert mapping_of(f"steps: {text}", "here", remedy="write another")["steps"] == value
