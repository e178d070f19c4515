"""The study's records: what is shipped of an experiment is read as the experiment itself, by an
empty workspace, and cannot be changed."""

from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp import paths
from cdp.config.generate import GenerateConfig
from cdp.data.sets import list_sets, open_set
from cdp.errors import InputError, MissingError
from cdp.experiments.begin import extend_run, more
from cdp.experiments.files import yaml_of
from cdp.experiments.record import line_of
from cdp.results.labels import change_labels
from cdp.results.rows import run_rows
from cdp.work import launch
from cdp.work.records import get_run, list_runs, shipped_runs
from scripts import digits, study
from tests.experiments.test_experiments import ARMS, begin, config, done, fast, home, result
from tests.work.inprocess import here

__all__ = ["fast", "here", "home"]


@pytest.fixture
def shipped(fast: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> study.Study:
    """An experiment of which the records are shipped; the workspace is an empty one by now."""
    target = tmp_path / "assets" / "study"
    monkeypatch.setenv("CDP_EXAMPLE", str(target))
    monkeypatch.setattr(study, "EXAMPLES", {"trial"})
    arms = ARMS | {"unguided": {"generate": {"preset": "unguided", "count": 100, "steps": 2}}}
    experiment = config(arms=arms, seeds=[0, 1], name="trial")
    path = tmp_path / "trial.yaml"
    path.write_text(f"# Does it help?\n{yaml_of(experiment)}")
    assert study.read_study(path).run is None
    done(begin(experiment))
    seen = study.read_study(path)
    study.export([seen])
    monkeypatch.setenv("CDP_HOME", str(tmp_path / "empty"))
    return seen


def test_what_is_shipped_reads_as_the_experiment_itself_and_cannot_be_changed(
    shipped: study.Study,
) -> None:
    assert shipped.run is not None
    assert list_runs() == []
    assert run_rows() == []
    assert list_sets() == []
    again = next(run for run in shipped_runs() if run.kind == "experiment")
    assert again.id == shipped.run.id
    assert line_of(result(again)) == shipped.run.result
    guided = next(cell for cell in result(again).cells if (cell.arm, cell.seed) == ("guided", 0))
    images = open_set(guided.set)
    assert len(images) == 20
    assert open_set(result(again).cells[0].set or guided.set).card["count"] <= study.SHEET
    with pytest.raises(MissingError):
        open_set("../sets")
    # It cannot be changed.
    run = again
    for act in (
        lambda: launch.delete(run.id),
        lambda: launch.resume(run.id),
        lambda: extend_run(run.id, more(shipped.config, seeds=1)),
        lambda: change_labels(run.id, star=True),
    ):
        with pytest.raises(InputError, match="read only"):
            act()
    launch.stop(run.id)
    assert get_run(run.id).state == "finished"
    # The document says what every experiment came to.
    known = study.read_study(shipped.path)
    assert known.run is None
    assert known.outcome is not None
    assert known.outcome == shipped.outcome
    text = study.document([known, replace(known, question="And this?", outcome=None)])
    verdict = known.outcome["verdict"]
    assert f"| trial | Does it help? | {verdict} |" in text
    assert "| trial | And this? | not finished yet |" in text
    row = next(line for line in text.splitlines() if line.startswith("| guided "))
    arm = next(arm for arm in known.outcome["arms"] if arm["name"] == "guided")
    assert f"{100 * arm['robust']['value']:.1f} % (" in row
    assert row.count("|") == 10


def test_every_experiment_of_the_study_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    from cdp.experiments.plan import cells

    names = []
    for path in sorted(study.STUDIES.glob("**/*.yaml")):
        asked = study.read_study(path)
        assert asked.question.endswith(("?", ".")), path
        names.append(asked.config.name)
        for cell in cells(asked.config, seeds=asked.config.seeds[:1]):
            assert cell.generate is None or isinstance(cell.generate, GenerateConfig)
    assert len(set(names)) == len(names) > 20


def test_the_document_is_what_the_shipped_records_say(
    cdp_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDP_EXAMPLE", str(paths.ASSETS / "study"))
    known = [study.read_study(path) for path in sorted(study.STUDIES.glob("*.yaml"))]
    assert study.DOCUMENT.read_text(encoding="utf-8") == study.document(known)


def test_arms_of_several_counts_say_how_many_images_equal_another_arms(fast: Path) -> None:
    plain = {"preset": "unguided", "steps": 2}
    arms = {
        "unguided 10": {"generate": {**plain, "count": 10}},
        "unguided 20": {"generate": {**plain, "count": 20}},
        "guided 10": {"generate": {"strength": 0.2, "steps": 2, "count": 10}},
    }
    experiment = config(arms=arms, seeds=[0, 1, 2], control="unguided 10")
    run = done(begin(experiment))
    (sentence,) = study.equal_counts(experiment, result(run))
    assert sentence.startswith(
        "unguided with 20 synthetic images, the most it was trained with, is"
    )
    assert "still below guided with 10; 95 % interval wholly above 20" in sentence
    one = config(arms={name: arms[name] for name in ("unguided 10", "guided 10")})
    assert study.equal_counts(one, result(done(begin(one, "second")))) == []


def test_the_model_is_held_against_the_order_of_the_trainings() -> None:
    def rows(robust: list[float]) -> list[dict[str, Any]]:
        return [
            {"arm": f"{k}", "separation": k, "angle": 0.0, "model": 0.5 + k / 10, "robust": value}
            for k, value in enumerate(robust)
        ]

    said = list(study.place_sentences(rows([0.1, 0.2, 0.3, 0.4, 0.5])))
    assert "The Gaussian model orders the arms with a rank correlation of +1.00" in said[0]
    assert "correlation of -1.00" in next(study.place_sentences(rows([0.5, 0.4, 0.3, 0.2, 0.1])))
    assert list(study.place_sentences(rows([0.1, 0.2]))) == []


def test_digits_are_read_from_the_package_and_no_other(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="this is not mnist"):
        digits.save(b"something else", tmp_path)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for digit in range(10):
            levels = np.arange(5 * 784) % 256
            text = json.dumps({"data": [round(float(level) / 255, 3) for level in levels]}).encode()
            member = tarfile.TarInfo(f"package/src/digits/{digit}.json")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    image, label = digits.digits(buffer.getvalue())
    assert image.shape == (50, 28, 28, 1)
    assert (image[:5].ravel() == np.arange(5 * 784) % 256).all()
    parts = digits.split(image, label)
    assert [list(np.bincount(part[1])) for part in parts.values()] == [[4] * 10, [1] * 10]
