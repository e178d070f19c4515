"""The settings of the Evaluate page: the way through an address and back, what an address gets
wrong, and the command line of the same."""

from __future__ import annotations

import shlex
from typing import Annotated, Any

import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cdp.cli.options import chosen, with_options
from cdp.config.evaluate import EvaluateConfig
from cdp.config.knobs import parse
from cdp.ui.evaluate.form import (
    FIRST_VIEW,
    FORM,
    VIEWS,
    EvaluationPage,
    command,
    models_on_offer,
    settle,
    shown_run,
)
from cdp.ui.kit.choices import read_choices
from cdp.ui.kit.settings import from_link, to_link
from cdp.work.records import list_runs
from tests.evaluations import report, write_evaluation
from tests.ui.evaluate_app import ROBUST, trained
from tests.ui.train_runs import train_run

FLAT: dict[str, st.SearchStrategy[Any]] = {
    "model": st.sampled_from(["run:20261124-1", "/weights/it's mine", "a b"]),
    "weights": st.sampled_from(["best", "last", "both"]),
    "dataset": st.sampled_from(["", "cifar10", "/data/mine, all.npz"]),
    "part": st.sampled_from(["", "guided-5k"]),
    "count": st.none() | st.integers(1, 10_000_000),
    "part_seed": st.integers(0, 2**31 - 1),
    "epsilon": st.none() | st.floats(1e-6, 100),
    "attack": st.sampled_from(["autoattack", "pgd", "quick"]),
    "norm": st.sampled_from(["trained", "linf", "l2"]),
    "steps": st.integers(1, 1000),
    "restarts": st.integers(1, 100),
    "curve": st.booleans(),
    "unseen": st.booleans(),
    "masking": st.booleans(),
    "side_count": st.integers(10, 100_000),
    "batch": st.integers(1, 10_000),
    "seed": st.integers(0, 2**31 - 1),
}
MODEL = {"model": "run:x"}
PLAIN = FORM.plain()


@given(
    st.fixed_dictionaries(
        {"model": FLAT["model"]}, optional={k: v for k, v in FLAT.items() if k != "model"}
    ),
    st.sampled_from(list(VIEWS)),
)
def test_every_setting_survives_the_way_through_an_address(flat: dict[str, Any], view: str) -> None:
    held = EvaluationPage(FORM, PLAIN | flat, report="20261124-2", view=view)
    back = from_link(FORM, to_link(held))
    assert not back.notes
    back.replace(back.unread)  # as the button does for paths
    assert back.config() == held.config()
    assert (back.report, back.view) == (held.report, held.view)


def test_the_first_visit_is_the_defaults_with_a_bare_address() -> None:
    held = from_link(FORM, {})
    assert (held.flat, held.view, held.report, held.notes) == (PLAIN, FIRST_VIEW, "", [])
    assert to_link(held) == {}


def test_a_model_of_ones_own_code_is_left_out_of_a_link() -> None:
    held = from_link(FORM, {"model": "code:os:system"})
    settle(held, {}, [], [])
    assert "from the command line only" in held.notes[0] and held.flat == PLAIN


def test_the_first_model_on_offer_is_chosen_where_none_is() -> None:
    held = from_link(FORM, {})
    settle(held, {"run:a": "a", "b": "b"}, [], [])
    assert held.config() == EvaluateConfig(model="run:a")
    other = from_link(FORM, {"model": "b"})
    settle(other, {"run:a": "a", "b": "b"}, [], [])
    assert other.flat["model"] == "b"


def test_a_finished_training_is_chosen_before_one_that_has_just_begun() -> None:
    train_run("done", state="finished", created=1.0)
    train_run("begun", state="running", created=2.0)
    held = from_link(FORM, {})
    settle(held, {"run:begun": "begun", "run:done": "done", "b": "b"}, [], list_runs())
    assert held.flat["model"] == "run:done"


def test_a_link_to_a_report_brings_its_model() -> None:
    write_evaluation("old", report(), created=1.0)
    (run,) = list_runs()
    assert isinstance(run.config, EvaluateConfig)
    held = from_link(FORM, {"report": "old"})
    settle(held, {"first": "first", run.config.model: "its own"}, [run], [])
    assert held.flat["model"] == run.config.model


def test_a_report_that_is_gone_is_named_where_a_link_named_it_and_the_newest_finished_one_shows() -> (
    None
):
    write_evaluation("old", report(), created=1.0)
    write_evaluation("new", report(), created=2.0)
    write_evaluation("failed", None, state="failed", created=3.0)
    runs = list_runs()
    held = from_link(FORM, {"report": "gone"})
    held.fresh = True
    settle(held, {}, runs, [])
    assert held.notes == ["report: 'gone' is not here."]
    shown = shown_run(held, runs)
    assert shown is not None and shown.id == "new"
    later = EvaluationPage(FORM, dict(PLAIN), report="gone")
    settle(later, {}, runs, [])
    assert (later.notes, later.report) == ([], "")
    assert shown_run(held, []) is None


def test_on_offer_are_trainings_with_weights_newest_first_then_encoders_robust_ones_first() -> None:
    train_run("early")
    trained("one", name="first")
    final = {"epoch": 4, "n": 500, "best": {"robust_accuracy": 0.7}}
    trained("two", name="second", created=2.0, result=final)
    trained(
        "odd", name="odd", created=3.0, epochs=0, card={"accuracy": [1]}, result={"best": "high"}
    )
    offered = models_on_offer(list_runs(), read_choices())
    assert list(offered)[:4] == ["run:odd", "run:two", "run:one", ROBUST]
    titles = list(offered.values())
    assert titles[:4] == [
        "odd",
        "second · 70.0 % robust on validation",
        "first · 56.0 % robust on validation",
        "robust encoder of Fashion-MNIST (shipped)",
    ]
    assert "standard encoder of Fashion-MNIST (shipped)" in titles


def understood(words: list[str]) -> EvaluateConfig:
    """What the command line makes of these words after ``cdp evaluate MODEL``."""
    got: list[dict[str, Any]] = []
    app = typer.Typer()

    @app.command()
    @with_options(EvaluateConfig, skip=frozenset({"model"}))
    def take(everything: Annotated[bool, typer.Option("--all")] = False, **given: Any) -> None:
        got.append(chosen(given, EvaluateConfig) | ({"count": None} if everything else {}))

    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return parse(EvaluateConfig, MODEL | got[0])


@given(st.fixed_dictionaries({}, optional={k: v for k, v in FLAT.items() if k != "model"}))
def test_the_line_for_a_shell_says_exactly_these_settings(flat: dict[str, Any]) -> None:
    config = parse(EvaluateConfig, MODEL | flat)
    words = shlex.split(command(config))
    assert words[:5] == ["python", "-m", "cdp", "evaluate", "x"]
    assert understood(words[5:]) == config


def test_a_path_stands_quoted_in_the_line() -> None:
    assert (
        shlex.split(command(EvaluateConfig(model="/weights/it's mine")))[4] == "/weights/it's mine"
    )


def test_a_model_of_ones_own_code_is_an_option_of_its_own() -> None:
    line = command(EvaluateConfig(model="code:mine.nets:best", dataset="fashion-mnist"))
    assert line == "python -m cdp evaluate --model mine.nets:best --dataset fashion-mnist"
