"""label and runs --where: labels from the command line, and runs found by them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cdp import paths
from cdp.results.labels import Labels, read_labels
from cdp.values.text import share_text
from tests.cli.command import cdp, words
from tests.evaluations import report, write_evaluation
from tests.ui.train_runs import SHORT, train_run


@pytest.fixture(autouse=True)
def _runs() -> None:
    for number in range(4):
        config = SHORT.model_copy(update={"seed": number, "method": ("trades", "mart")[number % 2]})
        name, created = f"night-s{number}", float(number)
        train_run(f"2026-{number}", name=name, config=config, epochs=3, created=created)
    write_evaluation("2026-evaluation", report(run="2026-1"), created=9.0)


def labels(number: int) -> Labels:
    return read_labels(paths.runs_dir() / f"2026-{number}")


def listed(*args: str) -> list[str]:
    found: list[dict[str, Any]] = json.loads(cdp("runs", *args, "--json"))["runs"]
    return [run["run"] for run in found]


def test_labels_are_put_on_several_runs_and_taken_off_again() -> None:
    printed = cdp(
        *words("label 2026-0 night-s1 --star --tag night --tag"),
        "two words",
        "--note",
        "look\nagain",
    )
    assert (
        "2026-0: night-s0: starred, night, two words\nnote: look\nagain\n2026-1: night-s1: starred"
        in printed
    )
    assert (
        labels(0) == labels(1) == Labels(star=True, tags=("night", "two words"), note="look\nagain")
    )
    cdp(*words("label 2026-0 --no-star --untag night --note"), "", "--archive")
    assert (labels(0), labels(1).star) == (Labels(archived=True, tags=("two words",)), True)
    cdp(*words("label 2026-0 --no-archive --untag"), "two words")
    assert labels(0) == Labels()


def test_without_options_labels_are_shown_and_nothing_is_written() -> None:
    assert cdp("label", "2026-2", "2026-2") == "2026-2: night-s2: no labels\n"
    assert not (paths.runs_dir() / "2026-2" / "labels.json").exists()
    cdp(*words("label 2026-2 --tag é"))
    labels = {"star": False, "archived": False, "tags": ["é"], "note": ""}
    expected = {"runs": [{"run": "2026-2", "name": "night-s2", "labels": labels}]}
    assert json.loads(cdp("label", "2026-2", "--json")) == expected


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["2026-9", "--star"], "'2026-9' is unknown"),
        (["2026-", "--star"], "give the whole id"),
        (["2026-evaluation", "--star"], "only trainings have labels"),
        (["2026-0", "--tag", ""], "tags"),
        (["2026-0", "--tag", "x" * 41], "tags"),
        (["2026-0", "--note", "x" * 2001], "note"),
        (
            words("2026-0 2026-1 --star --untag nigth"),
            "none of these runs has that tag; tags there: night",
        ),
    ],
)
def test_what_cannot_be_is_one_sentence_and_changes_nothing(args: list[str], said: str) -> None:
    cdp(*words("label 2026-1 --tag night"))
    before = [labels(number) for number in range(4)]
    error = cdp("label", *args, code=2)
    assert said in error and error.startswith("error: ") and error.count("\n") == 1
    assert [labels(number) for number in range(4)] == before


def test_archived_trainings_are_listed_only_when_they_are_asked_for() -> None:
    cdp("label", "2026-1", "--archive")
    assert listed() == ["2026-evaluation", "2026-3", "2026-2", "2026-0"]
    assert listed("--where", "is:archived") == ["2026-1"]
    assert listed("--where", "archived:any") == ["2026-3", "2026-2", "2026-1", "2026-0"]
    assert "2026-1" not in cdp("runs") and "2026-1" in cdp("runs", "--where", "is:archived")
    assert cdp("show", "2026-1").count("labels: archived") == 1


def test_runs_are_found_by_settings_figures_labels_and_evaluations() -> None:
    cdp(*words("label 2026-2 --tag kept"))
    assert listed("--where", "method:mart") == ["2026-3", "2026-1"]
    assert listed("--where", "night seed>=2 -tag:kept", "--kind", "train") == ["2026-3"]
    assert listed("--where", "is:evaluated robust>50") == ["2026-1"]
    assert cdp("runs", "--where", "nothing-like-it") == "no training matches\n"


def test_a_filter_that_cannot_be_read_and_one_of_another_kind_are_refused() -> None:
    assert "did you mean method" in cdp("runs", "--where", "metod:mart", code=2)
    assert "--where is about trainings" in cdp(*words("runs --where night --kind generate"), code=2)


def test_the_table_says_the_figures_of_the_whole_record_and_the_labels() -> None:
    cdp(*words("label 2026-3 --star --tag night"))
    line = next(line for line in cdp("runs").splitlines() if line.startswith("2026-3"))
    best = next(run for run in json.loads(cdp("runs", "--json"))["runs"] if run["run"] == "2026-3")[
        "best"
    ]
    assert (
        f"{share_text(best['clean_accuracy'])}  {share_text(best['robust_accuracy'])}" in line
        and line.endswith("starred, night")
    )


def test_a_record_keeps_all_it_had_and_says_the_labels() -> None:
    (run,) = json.loads(cdp(*words("runs --where seed=0 --json")))["runs"]
    assert run["labels"] == {"star": False, "archived": False, "tags": [], "note": ""}
    known = "run kind name state pid folder created started ended progress error notice"
    assert {*known.split(), "epoch", "best", "last", "metrics"} <= run.keys()
    assert run == json.loads(cdp("show", "2026-0", "--json"))


def test_damaged_labels_are_said_and_hide_no_run() -> None:
    (paths.runs_dir() / "2026-0" / "labels.json").write_text("{")
    assert "2026-0" in listed()
    assert "labels.damaged.json" in cdp("show", "2026-0")


def test_the_two_commands_for_tags_tell_themselves_apart() -> None:
    assert "Sample sets have tags of their own" in " ".join(cdp("label", "--help").split())
