"""Results: ratios that cancel a slow round, JSON that survives the way there and back, tables that
say what the JSON says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import documents, results, tables
from benchmarks.measuring import interleaved, paired_ratio, spread
from benchmarks.results import Figure, Result, Target
from cdp.errors import InputError
from cdp.values.types import Interval


def example() -> Result:
    figures = (
        Figure.of_spread("time", spread([2.0, 1.5, 3.0]), "s", Target("<=", 1.9)),
        Figure.of_interval(
            "agreement",
            Interval(0.895, 0.889, 0.901, 10_000),
            "%",
            Target(">=", 82),
            key="agreement",
        ),
        Figure("count", 1234567.0),
    )
    where = {
        "processor": "a processor",
        "cores": 2,
        "threads": 1,
        "versions": {"torch": "2.0"},
        "taken": "2026-01-01",
    }
    return Result("example", "An example", figures, {"steps": 20}, where, (0.5, 1.25), "A note.")


def test_a_round_that_is_slow_for_both_arms_leaves_the_ratio_alone() -> None:
    slow = 10.0
    ratio = paired_ratio([1.2, 1.2 * slow, 1.2], [1.0, slow, 1.0])
    assert (ratio.value, ratio.low, ratio.high, ratio.n) == pytest.approx((1.2, 1.2, 1.2, 3))


def test_a_ratio_of_unequal_numbers_of_repeats_is_refused() -> None:
    with pytest.raises(InputError, match="do not pair"):
        paired_ratio([1.0], [1.0, 2.0])


def test_a_median_comes_with_the_smallest_and_largest_repeat() -> None:
    found = spread([3.0, 1.0, 2.0])
    assert (found.value, found.low, found.high, found.n) == (2.0, 1.0, 3.0, 3)
    with pytest.raises(InputError, match="at least once"):
        spread([])


def test_arms_take_turns_step_by_step_after_one_untimed_round() -> None:
    calls: list[str] = []

    def arm(name: str, steps: int) -> Iterator[None]:
        for _ in range(steps):
            calls.append(name)
            yield

    seconds = interleaved({"a": lambda: arm("a", 2), "b": lambda: arm("b", 3)}, 2)
    assert "".join(calls) == "ababb" * 3
    assert {name: len(times) for name, times in seconds.items()} == {"a": 2, "b": 2}


def test_an_arm_is_charged_for_its_own_work_only() -> None:
    def arm(seconds: float) -> Iterator[None]:
        time.sleep(seconds)
        yield
        time.sleep(seconds)

    seconds = interleaved({"slow": lambda: arm(0.05), "quick": lambda: arm(0.0)}, 1)
    assert seconds["slow"][0] >= 0.1 > seconds["quick"][0]


@pytest.mark.parametrize(
    ("sense", "bound", "reaching", "missing"),
    [
        ("<=", 1.35, 1.35, 1.36),
        (">=", 0.9, 0.9, 0.89),
        ("within", 2, -2.0, -2.1),
        ("within", 2, 2, 3),
    ],
)
def test_a_target_is_met_on_its_own_side_of_the_bound(
    sense: str, bound: float, reaching: float, missing: float
) -> None:
    assert Target(sense, bound).met(reaching) and not Target(sense, bound).met(missing)


def test_shares_are_kept_in_per_cent() -> None:
    figure = Figure.of_interval("share", Interval(0.5, 0.4, 0.6, 10), "%")
    assert (figure.value, figure.low, figure.high) == pytest.approx((50, 40, 60))


def test_a_result_survives_the_way_to_disk_and_back(tmp_path: Path) -> None:
    path = results.save(example(), tmp_path)
    found = results.load("example", tmp_path)
    assert (
        found is not None
        and results.save(found, tmp_path / "again").read_text() == path.read_text()
    )
    assert (found.figures[1].target, found.figures[2].value, found.load) == (
        Target(">=", 82),
        1234567.0,
        (0.5, 1.25),
    )
    assert results.load("another", tmp_path) is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"name": "x", "figures": [{"target": null, "colour": 1}], "load": []}'],
)
def test_a_damaged_result_is_named_with_the_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / "example.json").write_text(content)
    with pytest.raises(InputError, match="again"):
        results.load("example", tmp_path)


def test_a_table_says_value_range_n_and_whether_the_target_is_met() -> None:
    lines = tables.of_result(example()).splitlines()
    assert lines[0] == "| figure | value | from .. to | n | target | met |"
    assert lines[2] == "| time | 2 s | 1.5 .. 3 | 3 | <= 1.9 | no |"
    assert lines[3] == "| agreement | 89.5 % | 88.9 .. 90.1 (95 %) | 10,000 | >= 82 | yes |"
    assert lines[4] == "| count | 1,234,567 |  |  |  |  |"


def test_a_matrix_has_a_row_an_arm_and_a_column_a_figure() -> None:
    figures = [
        Figure.of_interval(arm, Interval(value, value - 0.1, value + 0.1, 10), "points", key=key)
        for arm, value in (("a", 0.2), ("b", -0.2))
        for key in ("agreement", "recall")
    ]
    assert tables.matrix(figures).splitlines() == [
        "| arm | agreement | recall |",
        "| --- | --- | --- |",
        "| a | +20.0 points (+10.0 .. +30.0) | +20.0 points (+10.0 .. +30.0) |",
        "| b | -20.0 points (-30.0 .. -10.0) | -20.0 points (-30.0 .. -10.0) |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.00001234, "0.000012"),
        (0.987654, "0.988"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
    ],
)
def test_numbers_are_printed_without_exponents(value: float, text: str) -> None:
    assert tables.plain(value) == text


def test_a_document_keeps_what_a_person_wrote_and_gets_its_tables_anew(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "before\n<!-- results: example -->\nold\n<!-- end of results -->\nafter\n<!-- results: none"
        " -->\n<!-- end of results -->\n"
    )
    results.save(example(), tmp_path)
    assert documents.refresh((page,), tmp_path) == [page]
    text = page.read_text()
    assert text.startswith("before\n<!-- results: example -->\n| figure |") and "old" not in text
    assert (
        "A note.\n\na processor, 2 cores, 1 thread, load 0.5 to 1.25; torch 2.0; 2026-01-01\n<!--"
        " end of results -->\nafter" in text
    )
    assert text.endswith("<!-- results: none -->\nNot measured yet.\n<!-- end of results -->\n")
    assert documents.refresh((page,), tmp_path) == []
    results.save(replace(example(), machine={}, notes="With AMX."), tmp_path / results.AMX)
    documents.refresh((page,), tmp_path)
    assert "2026-01-01\n\n| figure |" in page.read_text() and "With AMX.\n<!--" in page.read_text()


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=lambda path: path.name)
def test_the_numbers_in_a_document_are_those_of_the_json_files(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text == documents.filled(text), (
        f"{path.name} is out of date: run python -m benchmarks.documents"
    )


def test_every_result_in_the_repository_is_shown_and_none_is_of_a_quick_run() -> None:
    shown = {
        name
        for path in documents.DOCUMENTS
        for name in documents.blocks(path.read_text(encoding="utf-8"))
    }
    for path in results.RESULTS.rglob("*.json"):
        result = results.load(path.stem, path.parent)
        assert result is not None and result.name == path.stem and path.stem in shown
        assert (
            result.settings.get("quick") is False
            and result.machine["threads"] >= 1
            and len(result.load) == 2
        )


def test_a_figure_without_an_interval_is_kept_without_bounds(tmp_path: Path) -> None:
    from cdp.embedding.intervals import without_interval

    result = Result("x", "X", (Figure.of_interval("f", without_interval(0.5, 40, "why"), "%"),))
    results.save(result, tmp_path)
    stored = results.load("x", tmp_path)
    assert (
        stored is not None
        and stored.figures[0].value == 50
        and stored.figures[0].low is None
        and stored.figures[0].n == 40
    )
