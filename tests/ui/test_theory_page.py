"""The Theory page driven without a browser: every view, knobs that do something, links, and what
comes after the lines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import parse_qsl

import pytest

from cdp import __version__, paths
from cdp.config.fields import fields_of
from cdp.config.theory import TheoryConfig
from cdp.ui.kit.ask import side
from cdp.ui.theory.form import VIEWS
from tests.ui.pages import APP, ran, served
from tests.ui.theory_app import address, alt, knob, knobs, page, texts

MODEL = [view for view in VIEWS if view != "images"]


@pytest.fixture(autouse=True)
def page_served(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    served(monkeypatch)
    yield
    side("looks").close()
    side.clear()


def test_the_first_visit_shows_curves_with_formula_and_simulation_and_a_bare_address() -> None:
    app = page()
    assert app.title[0].value == "Theory"
    assert re.match(
        r"1,000 synthetic samples give [\d.]+ % at c = 0.5, [\d.]+ % at c = 1, [\d.]+ % at c = 2"
        r" \(asymptotic\)",
        alt(app),
    )
    assert "points: simulated, 200 draws each" in alt(app)
    assert not app.warning and not app.error and not app.info
    assert address(app) == {}


@pytest.mark.parametrize(
    ("view", "told"),
    [
        ("curves", "asymptotic"),
        ("map", "asymptotic in the dimension"),
        ("needed", "solved for n: asymptotic"),
        ("picture", "accuracies of these boundaries exact, dots simulated"),
        ("coordinates", "exact, but the learned w is simulated"),
        ("guided", "directions exact. 7"),
    ],
)
def test_every_view_is_drawn_from_its_link_and_says_how_its_numbers_were_found(
    view: str, told: str
) -> None:
    app = page(view=view)
    assert told in alt(app)
    assert not app.error and not app.info
    assert app.get("button_group")[-1].value == view
    fold = next(one for one in app.expander if one.label.startswith("Numbers of"))
    assert not fold.proto.expanded


@pytest.mark.parametrize("view", MODEL)
def test_moving_a_knob_changes_what_is_drawn_and_the_address_and_the_link_brings_it_back(
    view: str,
) -> None:
    app = page(view=view)
    before = alt(app)
    ran(knob(app, "epsilon").set_value(0.4))
    after = alt(app)
    assert after != before
    assert address(app) == ({"view": view} if view != "curves" else {}) | {"epsilon": "0.4"}
    again = page(**address(app))
    assert alt(again) == after
    assert knob(again, "epsilon").value == 0.4
    assert not again.warning


def test_knobs_are_shown_only_where_they_do_something() -> None:
    shown = {view: knobs(page(view=view)) for view in MODEL}
    assert [view for view in MODEL if "target" in shown[view]] == ["needed"]
    assert [view for view in MODEL if "strength" in shown[view]] == ["guided"]
    assert [view for view in MODEL if "angle" not in shown[view]] == ["guided"]
    assert [view for view in MODEL if "n" not in shown[view]] == ["needed"]
    assert [view for view in MODEL if "draws" in shown[view]] == ["curves", "guided"]
    assert [view for view in MODEL if "noise" in shown[view]] == ["picture", "coordinates"]
    assert not any("ridge" in names for names in shown.values())
    assert "noise" in knobs(page(learner="linf-threshold"))
    assert "profile" not in knobs(page(nonzero="1"))
    assert {"ridge"} <= knobs(page(learner="adversarial-logistic", view="picture", n="20"))


def test_what_does_nothing_here_computes_nothing_here() -> None:
    assert alt(page(view="map", target="0.6", strength="1.5", seed="9")) == alt(page(view="map"))


def test_another_norm_takes_the_learner_along() -> None:
    app = page(learner="linf-threshold")
    ran(knob(app, "norm").set_value("l2"))
    assert knob(app, "learner").value == "averaging"
    assert "so it became averaging" in texts(app)
    assert address(app) == {"norm": "l2"}


def test_a_smaller_dimension_takes_the_informative_coordinates_along() -> None:
    app = page()
    ran(knob(app, "dim").set_value(20))
    assert knob(app, "nonzero").value == 20
    assert address(app) == {"dim": "20", "nonzero": "20"}


@pytest.mark.parametrize(
    "params",
    [
        {"norm": "<script>"},
        {"dim": "0"},
        {"dim": "1e300"},
        {"epsilon": "inf"},
        {"view": "../.."},
        {"x" * 300: "y" * 3000},
        {"targett": "0.5"},
        {"nonzero": "9999"},
        {"label_noise": "0.2"},
        {"learner": "l2-optimal"},
        {"n": ""},
    ],
)
def test_a_broken_link_says_so_and_the_page_stands(params: dict[str, str]) -> None:
    app = page(**params)
    assert len(app.warning) == 1
    assert len(str(app.warning[0].value)) < 500
    assert "synthetic samples give" in alt(app)


@pytest.mark.parametrize("view", MODEL)
@pytest.mark.parametrize(
    "params",
    [
        {"epsilon": "0", "angle": "180"},
        {"epsilon": "100", "separation": "0.01", "n": "1"},
        {"dim": "2", "nonzero": "1", "target": "0.01", "strength": "2", "size": "20"},
    ],
)
def test_the_ends_of_the_knobs_are_drawn(view: str, params: dict[str, str]) -> None:
    app = page(view=view, **params)
    assert alt(app)
    assert not app.warning and not app.error and not app.info


def test_a_learner_without_formula_says_so_where_one_is_needed() -> None:
    for view in ("map", "needed"):
        app = page(learner="adversarial-logistic", view=view)
        assert "has no formula" in str(app.info[0].value)


def test_a_training_that_has_no_room_says_what_to_lower() -> None:
    app = page(learner="adversarial-logistic", view="picture", n="1000000")
    assert "lower n or dim" in str(app.info[0].value)


def test_trainings_are_the_helper_processes_and_come_as_points() -> None:
    params = {"learner": "adversarial-logistic", "dim": "10", "nonzero": "5"}
    app = page(**params)
    assert "no formula for finite n" in alt(app) and "simulated, " not in alt(app)
    errand = next(iter(side("looks")._errands.values()))
    assert errand.wait(60) and errand.error is None
    assert "points: simulated, 20 draws each" in alt(page(**params))


def test_numbers_are_a_click_away_as_table_and_csv() -> None:
    app = page(view="needed")
    assert not app.dataframe
    app.session_state["theory_numbers_needed"] = True
    ran(app)
    assert list(app.dataframe[0].value.columns) == [
        "separation",
        "target [%]",
        "samples needed",
        "by the c-squared law",
        "kind",
    ]
    (download,) = app.get("download_button")
    assert download.proto.label == "Download CSV"


def test_reference_link_and_command_line_are_in_a_fold() -> None:
    app = page(norm="l2", n="500", view="map")
    line, reference, link = [code.value for code in app.code]
    assert reference.startswith(
        f"Gaussian model for class distinguishability, Contrastive-DP Studio {__version__}"
    )
    assert "norm l2, epsilon 0.25, dim 500," in reference and "ridge" not in reference
    assert line == "python -m cdp theory --view map --json --norm l2 --n 500"
    params = dict(parse_qsl(link.partition("?")[2]))
    assert set(params) == {*fields_of(TheoryConfig), "view"}
    again = page(**params)
    assert alt(again) == alt(app) and not again.warning
    assert address(again) == address(app)


def test_painting_the_form_imports_neither_torch_nor_charts_nor_scipy() -> None:
    """The chart imports the last two after the form is on the screen."""
    script = (
        "import sys\nimport streamlit, cdp.ui.theory.page, cdp.ui.theory.images\nassert not {'torch', 'cdp.figures.frame', 'scipy', 'umap',"
        " 'sklearn'} & set(sys.modules), 'imported'\nfrom streamlit.testing.v1 import"
        f" AppTest\napp = AppTest.from_file({APP!r},"
        " default_timeout=60).run()\napp.switch_page('pages/theory.py')\napp.run()\nassert not"
        " app.exception\nassert 'torch' not in sys.modules, 'torch'\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
