"""measure and select as a person uses them: real images in a set of one's own, the shipped judge,
one line of JSON or a table."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp.data.registry import load_split
from cdp.data.sets import open_set, save_set
from cdp.embedding import distances
from cdp.embedding.classes import between_within_ratio
from cdp.tasks.sources import balanced_rows
from tests.cli.command import run as run_command
from tests.cli.command import words
from tests.tasks.small_world import left_out
from tests.tasks.small_world import quick as quick

COUNT = 200


def run(*args: str, command: str = "measure") -> subprocess.CompletedProcess[str]:
    return run_command(command, *args)


@pytest.fixture
def sets(cdp_home: Path) -> tuple[np.ndarray, np.ndarray]:
    """Two sets: real training images, and the same with labels that mean nothing."""
    real = load_split("fashion-mnist", "train")
    rows = balanced_rows(np.asarray(real.label[:5000]), COUNT)
    image, label = real.image[rows], np.asarray(real.label[rows])
    card = {"dataset": "fashion-mnist", "class_names": list(real.info.classes)}
    save_set("sound", image, label, card)
    save_set("muddled", image, np.random.default_rng(0).permutation(label), card)
    return image, label


def test_two_sets_are_measured_and_compared_and_reality_wins(
    sets: tuple[np.ndarray, np.ndarray], quick: None
) -> None:
    done = run(*words("sound muddled --rows 200 --json"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    found: dict[str, Any] = json.loads(done.stdout)
    first, second = found["sets"]
    assert (first["name"], first["images"], first["measured"]) == ("sound", COUNT, COUNT)
    # 200 images in 192 features: the figure that is extrapolated says so.
    assert "too few for 192 features" in first["undefined"]["frechet"]
    assert [row["name"] for row in first["per_class"]][:2] == ["T-shirt/top", "Trouser"]
    accuracy, other = (part["figures"]["knn_accuracy"]["value"] for part in (first, second))
    assert accuracy > 0.8 > 0.3 > other
    # Copies of training images are what the nearest-image figure is there to show.
    assert first["figures"]["nearest"]["value"] < 0.9
    pair = {(row["first"], row["second"]): row for row in first["pairs"]}[0, 6]
    assert len(first["pairs"]) == 100
    assert pair["confusion"]["low"] <= pair["confusion"]["value"] <= pair["confusion"]["high"]
    change = found["differences"][0]["figures"]
    assert change["separation"]["low"] > 0
    for figures in (first["figures"], second["figures"], change):
        assert all(
            f["low"] <= f["value"] <= f["high"] if f["low"] is not None else f["note"]
            for f in figures.values()
        )
        assert figures["recall"]["low"] is not None
    read = run(*words("sound muddled --rows 200")).stdout
    assert "further apart, 95 % interval" in read or "scatter rose by" in read


def test_pixels_need_no_encoder_and_give_what_the_formula_gives(
    sets: tuple[np.ndarray, np.ndarray], quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distances, "frechet_interval", left_out)  # in 784 dimensions
    image, label = sets
    done = run(*words("sound --encoder pixels --rows 200"))
    assert done.returncode == 0, done.stderr
    expected = between_within_ratio(image.reshape(COUNT, -1) / 255, label)
    line = next(line for line in done.stdout.splitlines() if "Between / within" in line)
    assert f"{expected:.4g}" in line and "95 % interval" in line


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("nothing",), "'nothing' is unknown"),
        (("fashion-mnist:validation",), "is unknown"),
        (("plain",), "set dataset"),
        (("plain", "--dataset", "fashion-mnist"), "channels"),
        (("sound", "--rows", "5"), "--rows"),
        (("sound", "--encoder", "absent"), "absent"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_two(
    sets: object, args: tuple[str, ...], said: str
) -> None:
    save_set(
        "plain",
        np.zeros((200, 28, 28, 3), np.uint8),
        np.arange(200) % 2,
        {"class_names": ["a", "b"]},
    )
    done = run(*args)
    assert done.returncode == 2 and not done.stdout
    assert said in done.stderr and "Traceback" not in done.stderr


def test_select_makes_a_set_that_the_other_commands_take(sets: object) -> None:
    done = run(*words("sound --by confidence --keep 100 --out sure --json"), command="select")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    expected = ("sure", 100, "sound", "confidence")
    assert (made["name"], made["count"], made["parent"], made["selection"]["by"]) == expected
    assert made["selection"]["mean_score_kept"] > made["selection"]["mean_score_dropped"]
    again = run(*words("sound --keep 100 --out sure"), command="select")
    assert again.returncode == 2 and "sure" in again.stderr and "Traceback" not in again.stderr


def test_select_compares_what_it_kept_with_a_random_part_in_the_eyes_of_another_encoder(
    sets: object, quick: None
) -> None:
    done = run(
        *words("sound --by confidence --keep 120 --out sure --measure --json"), command="select"
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["figures"]
    assert (
        found["encoder"] == "standard"
        and "eyes of judge, and measured in the eyes of standard" in found["note"]
    )
    (change,) = found["differences"]
    expected = ("sound, kept", "sound, random part of the same size", 120)
    assert (change["first"], change["second"], change["images"]) == expected
    assert (
        set(change["claims"]) <= set(change["corrected"])
        and "At 120 images each" in change["sentences"][0]
    )
    alone = run(*words("sound --drop-duplicates --out other --measure"), command="select")
    assert alone.returncode == 2 and "--keep" in alone.stderr


def test_select_drops_what_comes_twice_with_or_without_a_number_to_keep(
    sets: tuple[np.ndarray, np.ndarray],
) -> None:
    image, label = sets
    save_set(
        "twice",
        np.concatenate([image, image[:7]]),
        np.concatenate([label, label[:7]]),
        open_set("sound").card,
    )
    done = run(
        *words("twice --drop-duplicates --encoder pixels --out once --json"), command="select"
    )
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert (made["count"], made["selection"]["dropped"]) == (COUNT, {"duplicates": 7})
    nothing = run("twice", "--out", "nothing", command="select")
    assert (
        nothing.returncode == 2
        and "set keep" in nothing.stderr
        and "drop_duplicates" in nothing.stderr
    )


def test_tags_are_put_on_shown_and_taken_off(sets: object) -> None:
    assert run("sound", command="tag").stdout == "sound: no tags\n"
    expected = {"name": "sound", "tags": ["good", "to keep"]}
    assert json.loads(run("sound", "good", "to keep", "--json", command="tag").stdout) == expected
    assert run("sound", "good", "--remove", command="tag").stdout == "sound: to keep\n"
    for args, said in (
        (("sound", "x\ny"), "printable"),
        (("none", "x"), "none"),
        (("sound", "absent", "--remove"), "absent"),
        (("sound", "--remove"), "name"),
    ):
        done = run(*args, command="tag")
        assert done.returncode == 2 and said in done.stderr and done.stderr.count("\n") == 1
