"""Numbers in YAML are what a person means by them."""

from __future__ import annotations

import pytest

from cdp.errors import InputError
from cdp.files.settings import mapping_of


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1:30", "1:30"),
        ("1e-3", 1e-3),
        ("1.5e2", 150.0),
        ("0x1F", 31),
        ("-12", -12),
        ("010", 8),
        ("08", "08"),
        (".5", 0.5),
        ("1_000", 1000),
        ("0.1.2", "0.1.2"),
        ("2026-11-30x", "2026-11-30x"),
    ],
)
def test_what_is_a_number(text: str, value: object) -> None:
    assert mapping_of(f"steps: {text}", "here", remedy="write another")["steps"] == value


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("steps: 1\nseed: 2\nsteps: 3", "line 3: steps is set twice"),
        ("arms:\n  a: {}\n  b:\n    x: 1\n    x: 1", "line 5: x is set twice"),
        ("list:\n- a: 1\n- {b: 1,\n   b: 2}", "line 4: b is set twice"),
        ('{"steps": 1,\n "steps": 2}', "line 2: steps is set twice"),
        ('steps: 1\n"steps": 2', "line 2: steps is set twice"),
        ("1: a\n0x1: b", "line 2: 1 is set twice"),
    ],
)
def test_a_setting_that_is_there_twice_is_refused_with_its_line(text: str, where: str) -> None:
    with pytest.raises(InputError, match=where):
        mapping_of(text, "here", remedy="write another")


def test_the_same_name_in_two_places_is_no_duplicate() -> None:
    text = "arms:\n  a: {x: 1}\n  b: {x: 1}"
    assert mapping_of(text, "here", remedy="")["arms"] == {"a": {"x": 1}, "b": {"x": 1}}
