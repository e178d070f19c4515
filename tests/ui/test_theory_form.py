"""The settings of the Theory page: the way through an address and back, what an address gets wrong,
what follows when a knob moves."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cdp.cli.options import chosen, with_options
from cdp.config.fields import fields_of
from cdp.config.knobs import parse
from cdp.config.theory import TheoryConfig, fitted
from cdp.ui.kit.settings import from_link, to_link
from cdp.ui.theory.form import FORM, VIEWS, Theory, command

PLAIN = FORM.plain()


def linked(params: dict[str, str]) -> Theory:
    """The settings that an address tells, put right."""
    settings = from_link(FORM, params)
    settings.fit()
    settings.turn = 0
    return settings


def any_value(name: str) -> st.SearchStrategy[Any]:
    field = fields_of(TheoryConfig)[name]
    if field.kind == "choice":
        return st.sampled_from(field.choices)
    assert field.low is not None and field.high is not None
    if field.kind == "integer":
        return st.integers(int(field.low), int(field.high))
    return st.floats(field.low, field.high, exclude_min=field.low_open, exclude_max=field.high_open)


FLAT = {name: any_value(name) for name in fields_of(TheoryConfig)}


@given(st.fixed_dictionaries({}, optional=FLAT), st.sampled_from(list(VIEWS)))
def test_every_setting_survives_the_way_through_an_address(
    moved: dict[str, Any], view: str
) -> None:
    flat, _ = fitted(PLAIN | moved)
    held = Theory(FORM, flat, "", view, "fashion-mnist:test", "judge")
    back = linked(to_link(held))
    assert not back.notes
    assert back.config() == held.config() == parse(TheoryConfig, flat)
    assert (back.view, back.chosen, back.encoder) == (view, "fashion-mnist:test", "judge")


def test_the_first_visit_is_the_defaults_with_a_bare_address() -> None:
    held = linked({})
    assert (held.flat, held.view, held.notes) == (PLAIN, "curves", [])
    assert to_link(held) == {}


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"norm": "l1"}, "norm: 'l1' is not one of linf, l2, so linf is used"),
        ({"epsilon": "-1"}, "epsilon"),
        ({"learner": "l2-optimal"}, "so averaging is used"),
        ({"label_noise": "0.2"}, "not a setting"),
        ({"dim": "1"}, "dim"),
        ({"dim": "1e9"}, "dim"),
        ({"dim": "3.5"}, "dim"),
        ({"target": "1"}, "target"),
        ({"separation": "0"}, "separation"),
        ({"view": "__class__"}, "view: '__class__' is not one of"),
        ({"x" * 300: "y" * 3000}, "not a setting"),
        ({"epsilom": "3"}, "did you mean epsilon"),
        ({"set": "s" * 500}, "is not a name, so it was left out"),
        ({"encoder": "e" * 500}, "is not a name, so it was left out"),
    ],
)
def test_what_an_address_gets_wrong_costs_that_setting_only_and_is_said(
    params: dict[str, str], word: str
) -> None:
    held = linked(params | {"angle": "30"})
    assert len(held.notes) == 1
    assert word in held.notes[0] and len(held.notes[0]) < 300
    assert (held.flat, held.view, held.chosen, held.encoder) == (
        PLAIN | {"angle": 30},
        "curves",
        "",
        "",
    )


@pytest.mark.parametrize(
    ("params", "now", "word"),
    [
        (
            {"dim": "20", "nonzero": "60"},
            {"dim": 20, "nonzero": 20},
            "nonzero: 60 informative coordinates do not fit into dim 20, so it became 20",
        ),
        (
            {"sigma": "0.1", "size": "20"},
            {"sigma": 0.1, "size": 4.0},
            "size: |mu| is at most 40 times sigma, so it became 4",
        ),
        (
            {"norm": "l2", "learner": "linf-threshold"},
            {"norm": "l2"},
            "thresholds at an l_inf budget, so it became averaging",
        ),
    ],
)
def test_values_that_do_not_fit_together_are_put_right_and_it_is_said(
    params: dict[str, str], now: dict[str, Any], word: str
) -> None:
    held = linked(params)
    assert [word in note for note in held.notes] == [True]
    assert held.config() == TheoryConfig(**now)


def test_a_knob_that_moves_takes_those_along_that_would_not_fit() -> None:
    held = linked({"learner": "linf-threshold"})
    held.put("norm", "l2")
    assert held.config().learner == "averaging"
    assert len(held.notes) == 1 and held.turn == 1
    held.put("epsilon", 0.5)
    assert not held.notes and held.turn == 1


def understood(words: list[str]) -> TheoryConfig:
    """What the command line makes of these words after ``cdp theory --json``."""
    got: list[dict[str, Any]] = []
    app = typer.Typer()

    @app.command()
    @with_options(TheoryConfig)
    def take(machine: Annotated[bool, typer.Option("--json")] = False, **given: Any) -> None:
        got.append(chosen(given, TheoryConfig))

    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    return parse(TheoryConfig, got[0])


@given(st.fixed_dictionaries({}, optional=FLAT))
def test_the_line_for_a_shell_says_exactly_these_settings(moved: dict[str, Any]) -> None:
    config = parse(TheoryConfig, fitted(PLAIN | moved)[0])
    words = command(Theory(FORM, PLAIN | moved, "", "map"), config)
    assert words[:7] == ["python", "-m", "cdp", "theory", "--view", "map", "--json"]
    assert understood(words[6:]) == config


def test_the_line_for_a_shell_names_the_set_that_is_on_the_map() -> None:
    held = Theory(FORM, dict(PLAIN), "", "images", "my set", "pixels")
    assert (command(held, held.config()))[3:] == [
        "theory",
        "--set",
        "my set",
        "--encoder",
        "pixels",
        "--json",
    ]
