"""theory as a person uses it: one setting, a curve, each figure with the word for how it was found;
mistakes are named."""

from __future__ import annotations

import csv
import io
import json
from typing import Any, get_args

import pytest
from typer.testing import CliRunner

from cdp.cli import main
from cdp.cli.theory import View
from cdp.config.theory import TheoryConfig
from cdp.errors import InputError
from cdp.theory.expectation import expected, samples_needed
from cdp.theory.model import best_accuracy, problem_of, synthetic_of
from cdp.theory.simulation import simulate
from tests.cli.command import words

SMALL = ("--dim", "30", "--nonzero", "10", "--draws", "50")


def told(*args: str) -> str:
    done = CliRunner().invoke(main.app, ["theory", *args])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.stdout


def figures(*args: str) -> dict[str, Any]:
    text = told(*args, "--json")
    assert text.count("\n") == 1
    return json.loads(text)


def test_the_figures_of_a_setting_are_those_of_the_model() -> None:
    found = figures(
        *SMALL, *words("--norm l2 --epsilon 1 --n 40 --separation 0.5 --angle 20 --seed 3")
    )
    config = TheoryConfig(
        dim=30, nonzero=10, draws=50, norm="l2", epsilon=1, n=40, separation=0.5, angle=20, seed=3
    )
    problem, made = problem_of(config), synthetic_of(config)
    value, drawn = (
        expected(problem, made, 40, "averaging"),
        simulate(problem, made, 40, "averaging", draws=50, seed=3),
    )
    assert value is not None
    assert found["config"] == config.model_dump(mode="json")
    assert found["best"] == {"value": best_accuracy(problem), "kind": "exact"}
    assert found["expected"] == {"value": value.value, "kind": "exact"}
    assert (
        found["simulated"]["value"],
        found["simulated"]["draws"],
        found["simulated"]["kind"],
    ) == (drawn.value, 50, "simulated")
    assert (
        found["needed"]["n"] == samples_needed(problem, made, 0.9, "averaging")
        and found["needed"]["c_squared_law"] == "exact"
    )
    assert found["angles"]["synthetic_to_optimum"] == pytest.approx(20)


def test_a_learner_without_a_formula_says_so_and_is_simulated() -> None:
    found = figures(*SMALL, *words("--learner adversarial-logistic --n 60"))
    assert (
        found["expected"] is None and found["needed"] is None and found["limit"]["kind"] == "exact"
    )
    assert found["simulated"]["low"] < found["simulated"]["value"] < found["simulated"]["high"]
    text = told(*SMALL, *words("--learner adversarial-logistic --n 60"))
    assert "no formula: see the simulated value" in text and "no formula to solve" in text


def test_a_curve_has_a_row_for_every_n_of_the_line_and_every_point_as_on_the_page() -> None:
    found = figures(*SMALL, "--view", "curves")
    rows = [row for row in found["rows"] if row["separation"] == 1]
    line, points, limits = (
        [row for row in rows if row["kind"] == kind]
        for kind in ("asymptotic", "simulated", "exact")
    )
    assert [row["n"] for row in points] == [10**k for k in range(8)] and {
        row["draws"] for row in points
    } == {50}
    assert all(row["robust low"] <= row["robust [%]"] <= row["robust high"] for row in points)
    assert line[0]["n"] == 1 and line[-1]["n"] == 10_000_000
    (limit,) = limits
    assert (
        limit["n"] is None and limit["robust [%]"] <= 100 * figures(*SMALL)["best"]["value"] + 1e-4
    )


@pytest.mark.parametrize("view", get_args(View))
def test_every_view_is_json_and_the_same_rows_as_csv(view: str) -> None:
    found = figures(*SMALL, "--view", view, "--n", "50")
    rows = list(csv.DictReader(io.StringIO(told(*SMALL, "--view", view, "--n", "50"))))
    assert found["view"] == view and found["config"]["n"] == 50
    assert len(rows) == len(found["rows"]) > 10
    for written, row in zip(rows, found["rows"], strict=True):
        assert list(written) == list(row)
        for name, value in row.items():
            assert written[name] == ("" if value is None else str(value)) or (
                value is None and written[name] in ("inf", "nan")
            )


def test_views_without_a_formula_say_so() -> None:
    for view in ("map", "needed"):
        with pytest.raises(InputError, match="adversarial-logistic has no formula"):
            told(*SMALL, "--learner", "adversarial-logistic", "--view", view)


def test_trainings_of_a_view_come_as_points() -> None:
    found = figures(
        *words("--dim 8 --nonzero 4 --learner adversarial-logistic --n 20 --view guided")
    )
    assert {
        row["draws"]
        for row in figures(
            *words("--dim 8 --nonzero 4 --learner adversarial-logistic --view curves")
        )["rows"]
    } == {20, None}
    assert {row["kind"] for row in found["rows"]} == {"simulated", "exact"}


def test_a_real_split_is_measured_in_the_terms_of_the_model() -> None:
    found = figures(*words("--set fashion-mnist:test --encoder pixels"))
    by = {row["figure"]: row for row in found["rows"]}
    assert (
        by["separation c"]["low"] < 1 < by["separation c"]["high"]
        and by["angle to the real class means [degrees]"]["value"] < 10
    )
    assert 1 < by["effective dimension"]["value"] < 784 and len(found["rows"]) == 5 + 45
    assert (
        found["against"] == "fashion-mnist:train"
        and "not how robust a network becomes" in found["caveats"][0]
    )
    text = told(*words("--set fashion-mnist:test --encoder pixels"))
    assert (
        "separation c" in text and "95 % interval" in text and "- Features are not Gaussian" in text
    )


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ("n: must be 1 or more", ["--n", "0"]),
        ("nonzero: 50 informative coordinates do not fit", ["--dim", "20"]),
        ("linf-threshold thresholds", words("--norm l2 --learner linf-threshold")),
        ("epsilon", ["--epsilon", "nan"]),
        (
            "n: adversarial-logistic takes at most",
            words("--learner adversarial-logistic --n 1000000"),
        ),
        ("leave out the other options", words("--set fashion-mnist:test --n 5")),
        ("nobody", ["--set", "nobody"]),
        ("--set is empty: name a saved set", ["--set", ""]),
        ("--set is empty", ["--set", " ", "--encoder", "pixels"]),
        ("--encoder says in whose features --set is measured: add --set", ["--encoder", "pixels"]),
        ("set: aaa.* is longer than any name: pass", ["--set", "a" * 5000]),
        ("set: aaa.* is longer than any name", ["--set", "a" * 300]),
    ],
)
def test_mistakes_are_one_sentence(message: str, args: list[str]) -> None:
    with pytest.raises(InputError, match=message):
        told(*args)


@pytest.mark.parametrize(
    ("args", "notes"),
    [
        (words("--view map --strength 1.5"), ["strength"]),
        (words("--view map --target 0.8"), ["target"]),
        (words("--ridge 0.1 --strength 1"), ["ridge", "strength"]),
        (words("--view guided --strength 1.5"), []),
        (words("--target 0.8"), []),
    ],
)
def test_an_option_that_changes_nothing_here_is_noted_and_the_rest_is_done(
    args: list[str], notes: list[str]
) -> None:
    done = CliRunner().invoke(main.app, ["theory", *SMALL[:4], *args])
    assert done.exit_code == 0
    said = [
        line.partition(" ")[0] for line in done.stderr.splitlines() if "changes nothing" in line
    ]
    assert sorted(said) == [f"--{name}" for name in notes]


def test_guidance_has_a_row_of_the_strength_that_was_asked_for() -> None:
    plain, asked = (
        figures(*SMALL, "--view", "guided", *more)["rows"] for more in ((), ("--strength", "0.333"))
    )
    formula = [row["strength"] for row in asked if row["kind"] == "asymptotic"]
    assert formula == sorted(
        {row["strength"] for row in plain if row["kind"] == "asymptotic"} | {0.333}
    )
    assert [row for row in asked if row["strength"] != 0.333] == plain
    assert any("samples for 0.6" in line for line in told(*SMALL, "--target", "0.6").splitlines())
    assert "not reached by any number of samples" in told(*SMALL, "--target", "0.9999")


@pytest.mark.parametrize(
    "args",
    [["--epsilon", "4"], words("--norm l2 --epsilon 3"), words("--norm l2 --epsilon 5 --angle 40")],
)
def test_where_no_direction_beats_guessing_there_is_no_angle_to_the_optimum(
    args: list[str],
) -> None:
    found = figures(*SMALL, *args)
    assert found["angles"] == {"synthetic_to_optimum": None, "mu_to_optimum": None} and found[
        "best"
    ]["value"] == pytest.approx(0.5)
    (line,) = [
        line for line in told(*SMALL, *args).splitlines() if line.startswith("mean to optimum")
    ]
    assert line.endswith("-   no direction beats guessing")
    assert figures(*SMALL, *words("--norm l2 --epsilon 2.99 --angle 40"))["angles"][
        "synthetic_to_optimum"
    ] == pytest.approx(40)


def test_trainings_are_counted_on_stderr_and_stdout_stays_one_line() -> None:
    done = CliRunner().invoke(
        main.app, ["theory", *SMALL, "--learner", "adversarial-logistic", "--n", "60", "--json"]
    )
    assert done.stderr.splitlines()[-1] == "50 of 50 trainings" and done.stdout.count("\n") == 1
    assert json.loads(done.stdout)["simulated"]["draws"] == 50
    assert CliRunner().invoke(main.app, ["theory", *SMALL]).stderr == ""
