"""Home: the answer, the steps with what is there, and what was worked on last."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cdp.data.sets import list_sets
from cdp.work.records import list_runs
from tests.ui.compare_runs import two_groups
from tests.ui.experiment_runs import measured_grid
from tests.ui.pages import opened, ran, texts


def links(app: AppTest) -> list[str]:
    return [link.proto.label for link in app.get("page_link")]


def test_a_first_visit_is_told_what_this_is_and_what_will_stand_here() -> None:
    app = opened("home")
    said = texts(app)
    assert "Does guiding a diffusion model make its images better training data" in said
    assert "Nobody has asked it on this machine yet" in said
    assert "no saved set yet" in said and "no training yet" in said
    assert not [title for title in app.subheader if title.value.startswith("Newest")]
    ran(app.button(key="to_experiment").click())
    assert app.title[0].value == "Experiment"


def test_the_newest_verdict_its_chart_and_what_was_worked_on_last_are_shown() -> None:
    two_groups(evaluated=False)
    run = measured_grid()
    app = opened("home")
    said = texts(app)
    assert run.name in links(app) and "All arms, images and numbers" in links(app)
    assert "Nobody has asked it" not in said
    trainings = sum(run.kind == "train" for run in list_runs())
    assert trainings and f"{trainings} trainings" in said and "1 experiment" in said
    assert f"{len(list_sets())} saved sets" in said
    assert [title.value for title in app.subheader] == [
        "Newest sets",
        "Newest trainings",
        "Newest experiments",
    ]


def test_the_example_study_stands_before_ones_own_experiments(
    cdp_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured_grid()
    monkeypatch.setenv("CDP_EXAMPLE", str(cdp_home))
    monkeypatch.setenv("CDP_HOME", str(tmp_path / "own"))
    app = opened("home")
    assert "All arms, images and numbers" in links(app)
    assert "Newest experiments" not in [title.value for title in app.subheader]
