"""The command line as a process: exit codes, what goes to stdout and what to stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cdp.paths import ROOT
from tests.cli.command import run, words


def cdp(
    *args: str, timeout: float = 240, cwd: Path = ROOT, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m cdp``; the environment carries the test's CDP_HOME."""
    command = [sys.executable, "-m", "cdp", *args]
    everything = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | env
    return subprocess.run(
        command,
        cwd=cwd,
        env=everything,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def write_npz(path: Path, count: int = 6) -> Path:
    image = np.random.default_rng(0).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    np.savez(path, image=image, label=np.arange(count) % 3)
    return path


BAD_INPUT = {
    "no such command": (["nope"], "No such command"),
    "no such option": (["sets", "--colour"], "No such option"),
    "an option without its value": (["generate", "--out"], "--out"),
    "out is required": (["generate"], "--out"),
    "a number that is none": (words("generate --out x --strength much"), "--strength"),
    "a choice that is none": (words("generate --out x --loss infonce"), "--loss"),
    "above the range": (
        words("generate --out x --strength 2.5"),
        "strength: must be 2 or less",
    ),
    "below the range": (
        words("generate --out x --temperature 0"),
        "temperature: must be 0.01 or more",
    ),
    "nan": (words("generate --out x --strength nan"), "strength"),
    "too many images": (words("generate --out x --count 1000001"), "count"),
    "classes that are no numbers": (words("generate --out x --classes shirt,boot"), "1,3,7"),
    "a class twice": (words("generate --out x --classes 1,1"), "different numbers"),
    "an empty window": (
        words("generate --out x --window-start 0.2 --window-stop 0.5"),
        "window_stop (0.5) must be below",
    ),
    "a pair that makes no sense": (
        words("generate --out x --loss info_nce --positives same_class"),
        "choose positives",
    ),
    "no rivals": (
        words("generate --out x --count 1 --negatives batch"),
        "raise batch and count to 2 or more",
    ),
    "an unknown preset": (words("generate --out x --preset best"), "choose one of default"),
    "a set name with a dot first": (["generate", "--out", ".hidden"], "name"),
    "import of nothing": (words("import /nowhere/a.npz --name a"), "is not there"),
    "import of test images of nothing": (
        words("import /nowhere/a.npz --name a-test"),
        "import its training images under that name first",
    ),
    "export of an unknown set": (["export", "nothing", "out.npz"], "'nothing' is unknown"),
    "download of an unknown data set": (["download", "imagenet"], "is unknown"),
    "pretrain without steps": (
        ["pretrain", "--steps", "0"],
        "steps: must be 1 or more",
    ),
    "pretrain widths": (["pretrain", "--widths", "33"], "multiples of 32"),
    "an unknown kind of encoder": (["pretrain-encoder", "--kind", "best"], "--kind"),
}


@pytest.mark.parametrize(("args", "fragment"), BAD_INPUT.values(), ids=BAD_INPUT.keys())
def test_bad_input_ends_with_2_and_says_what_is_wrong_on_stderr_alone(
    args: list[str], fragment: str, tmp_path: Path, cdp_home: Path
) -> None:
    done = run(*args, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert fragment in done.stderr
    assert "Traceback" not in done.stderr
    assert not (cdp_home / "sets").exists(), "the store was touched"


def test_a_usage_error_and_a_bad_value_are_each_one_sentence(tmp_path: Path) -> None:
    done = run(*words("generate --out x --strength 3"), cwd=tmp_path)
    assert done.stderr == "error: guidance.strength: must be 2 or less (given: '3.0')\n"


@pytest.mark.parametrize(
    "args",
    [
        words("--debug export nothing out.npz"),
        words("export --debug nothing out.npz"),
        words("export nothing out.npz --debug"),
    ],
)
def test_debug_adds_the_traceback_wherever_it_stands(args: list[str]) -> None:
    done = cdp(*args)
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_a_failure_that_nobody_foresaw_ends_with_1_and_shows_no_traceback(tmp_path: Path) -> None:
    """CDP_HOME is a file: not the user's command, but his machine, is in the way."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    done = cdp("import", str(write_npz(tmp_path / "a.npz")), "--name", "a", CDP_HOME=str(blocked))
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_help_lists_every_command() -> None:
    done = cdp("--help")
    assert done.returncode == 0
    for command in (
        "doctor",
        "download",
        "import",
        "export",
        "sets",
        "generate",
        "pretrain",
        "pretrain-encoder",
    ):
        assert f"\n  {command} " in done.stdout


def test_what_is_imported_is_listed_and_exported_unchanged(tmp_path: Path, cdp_home: Path) -> None:
    source = write_npz(tmp_path / "some.npz")
    assert json.loads(run("import", str(source), "--name", "some", "--json").stdout)["count"] == 6
    assert [entry["name"] for entry in json.loads(run("sets", "--json").stdout)["sets"]] == ["some"]
    done = run("export", "some", str(tmp_path / "out.npz"))
    assert done.returncode == 0, done.stderr
    with np.load(source) as before, np.load(tmp_path / "out.npz") as after:
        assert np.array_equal(before["image"], after["image"])
        assert np.array_equal(before["label"], after["label"])


def test_import_takes_test_images_class_names_and_renumbers_as_the_page_does(
    tmp_path: Path,
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "some.npz", image, np.arange(6) % 3 + 1)
    np.savez(tmp_path / "some-test.npz", image=image[:2], label=[3, 1])
    refused = run("import", str(tmp_path / "some.npz"))
    assert refused.returncode == 2 and "set renumber" in refused.stderr
    made = json.loads(run("import", str(tmp_path / "some.npz"), "--renumber", "--json").stdout)
    expected = ("some", 6, 2, ["1", "2", "3"])
    assert (made["name"], made["count"], made["test_count"], made["class_names"]) == expected
    assert any("1 is now 0" in note for note in made["notes"])
    named = run(
        "import",
        str(tmp_path / "some.npz"),
        "--renumber",
        "--classes",
        "ant, bee, cat",
        "--name",
        "named",
    )
    assert "Labels were renumbered" in named.stderr and "named-test: 2 images" in named.stdout


def test_importing_a_taken_name_is_refused_and_the_old_set_stays(tmp_path: Path) -> None:
    source = write_npz(tmp_path / "some.npz")
    assert run("import", str(source), "--name", "some").returncode == 0
    again = run("import", str(write_npz(tmp_path / "other.npz", 3)), "--name", "some")
    assert again.returncode == 2
    assert json.loads(run("sets", "--json").stdout)["sets"][0]["count"] == 6


def test_an_empty_store_says_how_to_fill_it() -> None:
    done = run("sets")
    assert (done.returncode, done.stdout) == (0, "")
    assert "python -m cdp generate" in done.stderr
