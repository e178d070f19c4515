"""doctor: honest about what is here, with a remedy for all that is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cdp import doctor
from cdp.cli.system import lines
from cdp.config.generate import GenerateConfig
from cdp.models.encoders import JUDGE
from cdp.paths import ROOT


@pytest.fixture(scope="module")
def report() -> doctor.Report:
    """This machine. Made once: hashing and importing torch takes seconds."""
    return doctor.examine()


def test_json_and_text_of_the_process_agree_with_its_exit_code(cdp_home: Path) -> None:
    command = [sys.executable, "-m", "cdp", "doctor", "--json"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = json.loads(done.stdout)
    assert done.stdout.count("\n") == 1
    assert done.returncode == (0 if found["ready"] else 1)
    assert found["home"]["path"] == str(cdp_home)
    assert not cdp_home.exists(), "looking must change nothing"


def test_a_fresh_clone_can_generate(report: doctor.Report) -> None:
    assert report.ready, report.problems


def test_what_the_default_config_needs_is_listed_with_its_digest(report: doctor.Report) -> None:
    config = GenerateConfig()
    assert {row["name"] for row in report.models} >= {config.model}
    assert {row["name"] for row in report.encoders} >= {config.guidance.encoder, JUDGE}
    assert all(len(row["sha256"]) == 64 for row in [*report.models, *report.encoders])


def test_the_judge_is_no_encoder_under_another_name(report: doctor.Report) -> None:
    digest = {row["name"]: row["sha256"] for row in report.encoders}
    assert [name for name in digest if name != JUDGE and digest[name] == digest[JUDGE]] == []


def test_every_problem_has_a_remedy_and_both_are_printed(report: doctor.Report) -> None:
    text = "\n".join(lines(report))
    for problem in report.problems:
        assert problem.remedy
        assert problem.what in text
        assert problem.remedy in text


def test_a_folder_that_cannot_be_written_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("CDP_HOME", str(file))
    problems: list[doctor.Trouble] = []
    home = doctor._home(problems)
    assert home["writable"] is False
    assert [problem.blocking for problem in problems if "CDP_HOME" in problem.what] == [True]


def test_little_disk_is_said_but_does_not_block(
    monkeypatch: pytest.MonkeyPatch, cdp_home: Path
) -> None:
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 1 << 62)
    problems: list[doctor.Trouble] = []
    doctor._home(problems)
    assert [problem.blocking for problem in problems] == [False]


def test_a_missing_and_a_different_package_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        doctor,
        "_version",
        lambda name: (
            None if name == "plotly" else "0.0.1" if name == "numpy" else doctor.pinned()[name]
        ),
    )
    problems: list[doctor.Trouble] = []
    doctor._versions(problems)
    assert {(problem.what.split()[0], problem.blocking) for problem in problems} == {
        ("plotly", True),
        ("numpy", False),
    }
