"""What the Compare page remembers: choices in the table and in the list, links there and back,
which seeds a choice brings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp import paths
from cdp.errors import CdpError
from cdp.results.labels import change_labels
from cdp.results.rows import run_rows
from cdp.ui.compare.page import command
from cdp.ui.compare.state import (
    GROUPED,
    MOST_TOLD,
    ComparisonPage,
    compared_ids,
    few,
    from_params,
    keep_columns,
    offered_columns,
    plain_columns,
    read_columns,
    shown_rows,
    to_params,
)
from cdp.ui.compare.table import Lines
from tests.ui.compare_runs import training, two_groups

LINES = (("a0", "a1"), ("b0",), ("c0", "c1", "c2"))


def state(**change: Any) -> ComparisonPage:
    return ComparisonPage(columns=plain_columns(), **change)


def test_a_tick_adds_the_runs_of_a_line_and_taking_it_away_leaves_all_others() -> None:
    held = state(chosen=("hidden", "b0"))
    held.pick(LINES, [1], [0, 1])
    assert held.chosen == ("hidden", "b0", "a0", "a1")
    held.pick(LINES, [0, 1], [0])
    assert held.chosen == ("hidden", "a0", "a1")
    held.pick(LINES, [0], [])
    assert (held.chosen, held.picks) == (("hidden",), 3)
    # The table repeats what it was given: no hand did that, and the list keeps its focus.
    held.pick(LINES, [1], [1])
    assert (held.chosen, held.picks) == (("hidden",), 3)


@given(st.lists(st.sets(st.integers(0, 2)), max_size=6))
def test_after_any_ticks_exactly_the_ticked_lines_are_marked_and_what_is_hidden_stays(
    ticks: list[set[int]],
) -> None:
    table, held = Lines(LINES, {}), state(chosen=("hidden",))
    for now in ticks:
        held.pick(table.ids, table.marked(held.chosen), sorted(now))
        assert set(table.marked(held.chosen)) == now
        assert held.chosen[0] == "hidden"
        assert len(set(held.chosen)) == len(held.chosen)


names = st.lists(st.sampled_from(sorted(offered_columns())), unique=True, min_size=1, max_size=8)


@given(
    query=st.text(max_size=30),
    by=st.sampled_from(["", *GROUPED]),
    shown=names,
    groups=st.booleans(),
    column=st.sampled_from(sorted(offered_columns())),
    down=st.booleans(),
    chosen=st.lists(st.text("abc-019", min_size=1, max_size=9), unique=True, max_size=5),
)
def test_a_link_says_all_and_is_read_back_without_a_word(
    query: str, by: str, shown: list[str], groups: bool, column: str, down: bool, chosen: list[str]
) -> None:
    held = state(query=query, by=by, groups=groups, chosen=tuple(chosen))
    held.columns = tuple(shown)
    held.put("sort", f"{'-' * down}{column}")
    again = from_params(to_params(held))
    assert again.notes == []
    # The usual columns need no word in a link.
    assert again.columns == held.columns
    assert (again.query, again.by, again.groups, again.sort, again.chosen) == (
        query,
        by,
        groups,
        held.sort,
        tuple(chosen),
    )


def test_the_page_as_it_first_is_has_a_bare_address_and_a_link_stays_within_bounds() -> None:
    assert to_params(state()) == {}
    many = from_params({"runs": ",".join(f"run-{k}" for k in range(5000))})
    assert len(many.chosen) == MOST_TOLD
    assert (
        len(to_params(state(chosen=tuple(f"r{k}" for k in range(500))))["runs"].split(","))
        == MOST_TOLD
    )


def test_columns_that_cannot_be_kept_are_said_and_read_as_the_usual_ones() -> None:
    keep_columns(["name"])
    assert read_columns(["name", "seed"], ["seed"]) == ("name",)
    (paths.home() / "compare.json").unlink()
    (paths.home() / "compare.json").mkdir()
    with pytest.raises(CdpError, match="cannot be written"):
        keep_columns(["name"])
    assert read_columns(["name", "seed"], ["seed"]) == ("seed",)


def test_a_chosen_run_brings_its_other_seeds_but_not_archived_ones_and_gone_ones_keep_their_place() -> (
    None
):
    two_groups(evaluated=False)
    training("guided-s2", seed=2, beta=7.0)
    change_labels("guided-s2", archived=True)
    rows = run_rows()
    assert compared_ids(rows, ["guided-s1", "gone", "plain-s0"], groups=True) == [
        "guided-s1",
        "guided-s0",
        "gone",
        "plain-s0",
        "plain-s1",
    ]
    assert compared_ids(rows, ["guided-s1", "gone"], groups=False) == ["guided-s1", "gone"]
    assert few([f"r{k}" for k in range(25)], {"r0", "r22", "r24"}) == (
        [f"r{k}" for k in range(20)],
        2,
    )


def test_a_filter_that_cannot_be_read_leaves_the_last_good_one() -> None:
    two_groups(evaluated=False)
    rows, held = run_rows(), state(query="seed=1")
    assert [row.id for row in shown_rows(rows, held)[0]] == ["guided-s1", "plain-s1"]
    held.query = "seed>many"
    found, wrong = shown_rows(rows, held)
    assert [row.id for row in found] == ["guided-s1", "plain-s1"] and "many" in wrong


@pytest.mark.parametrize(("groups", "end"), [(True, "a 'b c'"), (False, "a 'b c' --each")])
def test_the_command_line_does_what_the_page_does(groups: bool, end: str) -> None:
    assert command(["a", "b c"], groups=groups) == f"python -m cdp compare {end}"
