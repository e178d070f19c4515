"""project as a person uses it: files of three kinds with the numbers of the page, one line of JSON,
one sentence of refusal."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from cdp.config.explore import ExploreConfig
from cdp.data.sets import save_set
from cdp.tasks.atlas import embed, map_quality
from cdp.values.types import Embedding
from tests.cli.command import run

OPTIONS = ("--encoder", "pixels", "--method", "pca", "--points", "100")


@pytest.fixture
def config(cdp_home: Path) -> ExploreConfig:
    """Two sets in the store, one of them with a comma and a quote in its classes, and the config
    that OPTIONS mean."""
    rng = np.random.default_rng(0)
    for name, count in (("one", 40), ("two", 200)):
        image, label = rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8), np.arange(count) % 2
        save_set(name, image, label, {"class_names": ['left, or "port"', "right"]})
    return ExploreConfig(sets=("one", "two"), encoder="pixels", method="pca", points=100)


def check(embedding: Embedding, found: dict[str, np.ndarray]) -> None:
    """Every array as it is on the page, bit for bit."""
    for name in ("coordinates", "which", "row", "label"):
        np.testing.assert_array_equal(
            np.asarray(found[name], getattr(embedding, name).dtype), getattr(embedding, name)
        )
    assert (
        tuple(found["names"]) == embedding.names
        and tuple(found["class_names"]) == embedding.class_names
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_a_csv_has_a_line_a_point_with_the_numbers_of_the_page(
    config: ExploreConfig, tmp_path: Path, dims: int
) -> None:
    out = tmp_path / "map.csv"
    done = run("project", "one", "two", *OPTIONS, "--dims", str(dims), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "100 points" in done.stdout and "two: 60 of 200 images" in done.stdout
    with out.open(newline="", encoding="utf-8") as file:
        head, *lines = csv.reader(file)
    assert head == ["set", "row", "label", "class", *"xyz"[:dims]]
    made = embed(config.model_copy(update={"dims": dims}))
    columns = list(zip(*lines, strict=True))
    assert list(columns[0]) == [made.names[which] for which in made.which]
    assert list(columns[3]) == [made.class_names[label] for label in made.label]
    np.testing.assert_array_equal(np.array(columns[1], int), made.row)
    np.testing.assert_array_equal(np.array(columns[2], int), made.label)
    np.testing.assert_array_equal(np.array(columns[4:], np.float32).T, made.coordinates)


def test_an_npz_and_a_json_hold_the_same_and_replace_a_file_only_when_told_to(
    config: ExploreConfig, tmp_path: Path
) -> None:
    outs = tmp_path / "map.npz", tmp_path / "map.json"
    for out in outs:
        out.write_text("mine")
        refused = run("project", "one", "two", *OPTIONS, "--out", str(out))
        assert refused.returncode == 2 and "--force" in refused.stderr and out.read_text() == "mine"
        done = run("project", "one", "two", *OPTIONS, "--out", str(out), "--force")
        assert done.returncode == 0, done.stderr
    made = embed(config)
    with np.load(outs[0], allow_pickle=False) as archive:
        check(made, dict(archive))
        assert ExploreConfig.model_validate_json(str(archive["config"])) == config
    found = json.loads(outs[1].read_text())
    check(made, found)
    assert ExploreConfig.model_validate(found["config"]) == config
    expected = ["map.json", "map.npz"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == expected


def test_one_json_line_says_points_sets_quality_path_and_seconds(
    config: ExploreConfig, tmp_path: Path
) -> None:
    out = tmp_path / "map.csv"
    done = run("project", "one", "two", *OPTIONS, "--out", str(out), "--quality", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    found = json.loads(done.stdout)
    assert found.keys() == {"points", "sets", "quality", "path", "seconds"}
    assert found["points"] == 100 and found["path"] == str(out) and found["seconds"] > 0
    assert found["sets"] == [
        {"name": "one", "images": 40, "points": 40},
        {"name": "two", "images": 200, "points": 60},
    ]
    quality = map_quality(config)
    assert found["quality"] == {
        "trustworthiness": quality.trustworthiness,
        "disparity": None,
        "n": 100,
        "neighbors": quality.neighbors,
    }


@pytest.mark.parametrize(
    ("args", "out", "said"),
    [
        (("one",), "map.txt", ".csv, .npz, .json"),
        (("one",), "absent/map.csv", "absent"),
        (("nothing",), "map.csv", "'nothing' is unknown"),
        (("one", "one"), "map.csv", "once only"),
        (("one", "--points", "5"), "map.csv", "points"),
        (("one", "--metric", "guess"), "map.csv", "--metric"),
        (("one", "--encoder", "judge"), "map.csv", "set dataset"),
    ],
)
def test_bad_input_is_one_sentence_exit_code_two_and_no_file(
    config: ExploreConfig, tmp_path: Path, args: tuple[str, ...], out: str, said: str
) -> None:
    done = run("project", *args, "--out", str(tmp_path / out))
    assert done.returncode == 2 and not done.stdout
    assert said in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / out).exists()
