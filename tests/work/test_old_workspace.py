"""A workspace that an earlier version wrote (tests/assets/README.md) opens: its runs, sets, models
and links, and what was stopped in it goes on."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cdp.cli import main
from cdp.ui.kit.ask import side
from tests.ui.pages import opened, served
from tests.work.inprocess import here as here

PLAIN, GUIDED = "20261130-023909-3088fd", "20261130-023919-17c800"
ARCHIVE = Path(__file__).parents[1] / "assets" / "workspace-44f3d00.zip"


@pytest.fixture
def old_home(cdp_home: Path) -> Path:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(cdp_home)
    for file in cdp_home.glob("runs/*/*.json"):  # the place that it was written in
        file.write_text(file.read_text().replace("HOME/", f"{cdp_home}/"))
    return cdp_home


def cdp(*words: str) -> str:
    result = CliRunner().invoke(main.app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*words: str) -> Any:
    return json.loads(cdp(*words, "--json").splitlines()[-1])


def test_runs_are_listed_shown_and_compared_with_their_numbers(old_home: Path) -> None:
    runs = {run["name"]: run for run in answer("runs")["runs"]}
    expected = {"plain-s0", "plain-s1", "guided-s0", "guided-s1", "report-old", "stopped-old"}
    assert set(runs) == expected
    assert runs["stopped-old"]["state"] == "stopped"
    shown = answer("show", "guided-s1")
    assert (shown["steps"], shown["images_seen"]) == (12, 768)
    assert "robust: 1.7 %, clean 13.3 %" in cdp("show", "report-old")
    compared = cdp("compare", "plain-s0", "plain-s1", "guided-s0", "guided-s1")
    assert "difference +1.2 points" in compared and "plain-old | guided-old" in compared


def test_sets_with_their_tags_models_and_encoders_are_there(old_home: Path) -> None:
    assert "guided-old" in cdp("sets") and "plain-old" in cdp("sets")
    assert cdp("tag", "guided-old").strip() == "guided-old: first, old"
    from cdp.models.encoders import list_encoders
    from cdp.models.pipelines import list_models

    assert "tiny-old" in {model.name for model in list_models()}
    entries = {entry.name: entry.problem for entry in list_encoders("fashion-mnist")}
    assert entries["enc-old"] == ""


def test_a_training_that_was_stopped_goes_on_to_its_end(old_home: Path, here: None) -> None:
    assert answer("show", "stopped-old")["progress"]["done"] == 45
    cdp("resume", "stopped-old", "--wait")
    finished = answer("show", "stopped-old")
    assert finished["state"] == "finished" and finished["progress"]["done"] == 72
    assert finished["progress"]["resumed_from"] == 45


@pytest.mark.parametrize(
    ("page", "params", "text"),
    [
        ("compare", {"runs": f"{PLAIN},{GUIDED}"}, "guided"),
        ("evaluate", {"report": "20261130-023948-6178f6"}, "Evaluate"),
        ("train", {"beta": "3.0", "synthetic": "guided-old", "runs": PLAIN}, "plain-s0"),
        ("generate", {"loss": "supcon", "strength": "0.3", "count": "48"}, "0.3"),
        ("gallery", {"set": "guided-old"}, "guided-old"),
        (
            "explore",
            {"sets": "guided-old,plain-old", "encoder": "pixels", "method": "pca"},
            "guided-old",
        ),
    ],
)
def test_links_of_before_open_their_page(
    old_home: Path, page: str, params: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served(monkeypatch)
    app = opened(page, **params)
    assert not app.exception and not app.error
    unread = [str(each.value) for each in app.warning if "is not" in str(each.value)]
    assert not unread and text in str(app.main)
    for lane in ("maps", "looks"):
        side(lane).close()
    side.clear()
