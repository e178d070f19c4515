"""CSV text is what a spreadsheet shows and never what it runs."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.reports.exports import to_csv


@pytest.mark.parametrize("text", ["=1+1", "+cmd|'/c calc'!A1", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_text_that_starts_a_formula_is_led_by_an_apostrophe(text: str) -> None:
    cell = next(csv.reader(io.StringIO(to_csv([{"name": text}]).split("\r\n", 1)[1])))[0]
    assert cell == f"'{text}"


def test_numbers_keep_their_sign_and_nothing_is_empty() -> None:
    assert to_csv([{"a": -0.5, "b": None, "c": 1}]) == "a,b,c\r\n-0.5,,1\r\n"


def test_the_header_alone_needs_no_rows() -> None:
    assert to_csv([]).strip() == ""


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=1, max_size=5))
def test_any_other_text_comes_back_as_it_was(values: list[str]) -> None:
    rows = list(
        csv.DictReader(
            io.StringIO(to_csv([{"cell": value, "n": 1} for value in values]), newline="")
        )
    )
    assert [row["cell"].removeprefix("'") for row in rows] == [
        value.removeprefix("'") for value in values
    ]
