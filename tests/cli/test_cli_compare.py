"""compare as a person uses it: runs, groups, a filter; text, one line of JSON, and files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from cdp.cli.compare import compare, resolved
from cdp.errors import InputError
from cdp.work.launch import delete
from tests.cli.command import run, words
from tests.results.compared_runs import arm, evaluated, training


@pytest.fixture
def _arms() -> None:
    arm("plain", {0: 0.50, 1: 0.52, 2: 0.51}, beta=1.0)
    arm("guided", {0: 0.53, 1: 0.5475, 2: 0.5425})


@pytest.mark.usefixtures("_arms")
def test_two_groups_are_a_table_and_verdicts_in_words() -> None:
    done = run("compare", "plain", "guided")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["ARM", "SEEDS", "STEPS", "CLEAN", "ROBUST", "MEASURED", "BY"]
    assert (
        lines[1].split()[:5] == ["plain", "0,1,2", "60", "80.0", "%"]
        and "80.0 % (the same in all 3, so no interval)" in lines[1]
    )
    assert "51.0 % (48.5 to 53.5)" in lines[1] and lines[1].endswith("AutoAttack, n = 400")
    assert "beta: 1 | 6" in lines
    assert any(
        line.startswith("robust, plain to guided: guided is better by 3.0 points")
        and "paired t, 3 shared seeds" in line
        for line in lines
    )


@pytest.mark.usefixtures("_arms")
def test_json_is_one_line_with_the_rest_compared_where_something_is_missing() -> None:
    delete("plain-s2")
    done = run(*words("compare plain-s0 plain-s1 plain-s2 guided nowhere --json"))
    assert done.returncode == 0 and done.stdout.count("\n") == 1
    found = json.loads(done.stdout, parse_constant=lambda text: pytest.fail(f"{text} in the JSON"))
    expected = [("plain", 2), ("guided", 3)]
    assert [(one["name"], len(one["seeds"])) for one in found["arms"]] == expected
    assert found["differences"][0]["count"] == 2 and found["differences"][0]["difference"]["n"] == 2
    assert len(found["missing"]) == 2
    assert done.stderr.splitlines() == [f"warning: {sentence}" for sentence in found["missing"]]


@pytest.mark.usefixtures("_arms")
def test_reports_are_written_whole_in_place_of_older_ones(tmp_path: Path) -> None:
    page, table = tmp_path / "found.html", tmp_path / "found.csv"
    table.write_text("old")
    done = run(*words("compare plain guided --each --report"), str(page), "--report", str(table))
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [f"wrote {page}", f"wrote {table}"]
    text = page.read_text()
    assert (
        text.lstrip().lower().startswith("<!doctype html")
        and "plain-s0" in text
        and "Comparison of 6 arms" in text
    )
    rows = list(csv.reader(table.read_text().splitlines()))
    assert any("guided-s2" in row for row in rows) and ["old"] not in rows
    assert sorted(
        path.name
        for path in tmp_path.iterdir()
        if path.suffix in (".html", ".csv") or path.name.startswith(".")
    ) == ["found.csv", "found.html"]


@pytest.mark.usefixtures("_arms")
def test_a_filter_finds_runs_too() -> None:
    done = run(*words("compare --where beta=1 guided-s0 --json"))
    assert done.returncode == 0, done.stderr
    assert sorted(one["name"] for one in json.loads(done.stdout)["arms"]) == ["guided-s0", "plain"]


@pytest.mark.usefixtures("_arms")
@pytest.mark.parametrize(
    ("words", "where", "report", "said"),
    [
        ([], None, None, "fewer than two runs"),
        (["plain-s0"], None, None, "fewer than two runs"),
        (["nowhere", "neither"], None, None, "fewer than two runs"),
        (["e-plain-s0", "plain-s0"], None, None, "fewer than two runs"),
        (["plain-"], None, None, "'plain-' is 3 runs"),
        (["plain"], "beta>many", None, "filter"),
        (["plain"], None, "found.pdf", "ends with none of .html, .csv"),
        (["plain"], None, "/nowhere/found.csv", "/nowhere/found.csv cannot be written"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], where: str | None, report: str | None, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        compare(words, where=where, report=None if report is None else [Path(report)])


def test_bad_input_is_exit_code_two() -> None:
    done = run("compare", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["warning", "error"]


def test_a_word_is_an_id_or_a_name_before_it_is_a_group_or_the_beginning_of_an_id() -> None:
    plain = arm("plain", {0: 0.5, 1: 0.5})
    for seed in (0, 1):
        training(f"1{seed}", seed, name="same", beta=1.0)
    training("20", name="x-s0")
    training("plain-s1-long", name="plain-s1x", beta=2.0)
    evaluated("20", 0.5)
    assert resolved(["plain"]) == plain
    assert resolved(["same", "10"]) == ["10", "11"]
    assert resolved(["plain-s1", "x-s0", "2"]) == ["plain-s1", "20"]
    assert resolved(["plain-s1-", "unknown", ""]) == ["plain-s1-long", "unknown", ""]
    assert resolved(["e-2"]) == ["e-20"], "what it is, the comparison says"
    training("plain", name="lone", beta=3.0)
    assert resolved(["plain"]) == ["plain"], "an id comes first"
    training("30", name="plain-s0", beta=4.0)
    with pytest.raises(InputError, match="'1' is 2 runs"):
        resolved(["1"])


def test_two_groups_of_one_name_are_both_meant() -> None:
    ids = []
    for beta in (1.0, 2.0):
        for seed in (0, 1):
            ids.append(f"{beta:g}{seed}")
            training(ids[-1], seed, name=f"night-s{seed}", beta=beta)
    assert resolved(["night"]) == ids
    with pytest.raises(InputError, match="'night-s0' is 2 runs"):
        resolved(["night-s0"])


@pytest.mark.usefixtures("_arms")
def test_the_leaderboard_is_one_line_a_group_with_how_it_was_measured() -> None:
    done = run("leaderboard")
    assert done.returncode == 0
    title, head, first, second = done.stdout.splitlines()
    assert head.split()[:4] == ["NAME", "SEEDS", "ROBUST", "CLEAN"]
    assert first.split()[:2] == ["guided", "3"] and second.split()[:2] == ["plain", "3"]
    assert "AutoAttack" in first and "budget" in title
    (board,) = json.loads(run("leaderboard", "--json").stdout)["boards"]
    assert [entry["seeds"] for entry in board["entries"]] == [3, 3]
