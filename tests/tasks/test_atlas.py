"""Maps of sample sets: which images are drawn, whose numbers come out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import procrustes
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from cdp.config.explore import ExploreConfig
from cdp.data.samples import SampleSet
from cdp.data.sets import delete_set, open_set, save_set
from cdp.errors import InputError, MissingError
from cdp.paths import ROOT, cache_dir
from cdp.tasks.atlas import embed, map_of, map_quality, point_images, quality_of, shares
from cdp.values.types import Embedding, MapQuality

PIXELS = {"encoder": "pixels", "method": "pca", "points": 200}
TORCH_FREE = """
import sys, json, numpy as np
from cdp.config.explore import ExploreConfig
from cdp.tasks.atlas import map_of, quality_of, point_images
config = ExploreConfig.model_validate_json(sys.argv[1])
embedding = map_of(config).known()
np.save(sys.argv[2], embedding.coordinates)
point_images(embedding, [0])
quality = quality_of(config).known()
heavy = {"torch", "sklearn", "scipy", "umap", "numba"} & set(sys.modules)
print(json.dumps([sorted(heavy), quality and quality.trustworthiness]))
"""


def save(
    name: str,
    count: int,
    seed: int = 0,
    *,
    side: int = 8,
    classes: int = 4,
    names: tuple[str, ...] = (),
) -> SampleSet:
    """A set of noise in which a class is a bright quarter."""
    rng = np.random.default_rng(seed)
    label = rng.permutation(np.arange(count) % classes)
    image = rng.integers(0, 60, (count, side, side, 1), dtype=np.uint8)
    half = side // 2
    for number, (top, left) in enumerate([(0, 0), (0, half), (half, 0), (half, half)]):
        image[label == number, top : top + half, left : left + half] += 150
    return save_set(
        name,
        image,
        label,
        {"class_names": list(names) or [f"quarter {number}" for number in range(classes)]},
    )


def config(*sets: str, **options: object) -> ExploreConfig:
    return ExploreConfig.model_validate({"sets": sets} | PIXELS | options)


def same(first: Embedding | None, second: Embedding | None) -> bool:
    """Whether two maps are the same, bit for bit."""
    if first is None or second is None:
        return False
    arrays = ("coordinates", "which", "row", "label")
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in arrays) and (
        (first.names, first.class_names, first.totals)
        == (second.names, second.class_names, second.totals)
    )


def elsewhere(config: ExploreConfig, tmp_path: Path) -> tuple[np.ndarray, list[str], float | None]:
    """The cached map in a process of its own, which heavy packages that took, and the cached
    trustworthiness."""
    done = subprocess.run(
        [sys.executable, "-c", TORCH_FREE, config.model_dump_json(), str(tmp_path / "seen.npy")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    heavy, trust = json.loads(done.stdout)
    return np.load(tmp_path / "seen.npy"), heavy, trust


@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4), total=st.integers(4, 150))
def test_sets_share_points_and_small_ones_pass_on_the_rest(sizes: list[int], total: int) -> None:
    found = shares(sizes, total)
    # dealt out one by one
    dealt = [0] * len(sizes)
    while sum(dealt) < min(total, sum(sizes)):
        dealt[
            min((n for n in range(len(sizes)) if dealt[n] < sizes[n]), key=lambda n: dealt[n])
        ] += 1
    assert sorted(found) == sorted(dealt)
    assert all(share <= size for share, size in zip(found, sizes, strict=True))


def test_points_are_class_balanced_rows_of_each_set_with_their_labels(cdp_home: Path) -> None:
    few, many = save("few", 20), save("many", 300, 1)
    found = embed(config("few", "many", points=100))
    assert (found.names, found.totals, len(found)) == (("few", "many"), (20, 300), 100)
    np.testing.assert_array_equal(found.which, [0] * 20 + [1] * 80)
    np.testing.assert_array_equal(found.row[:20], np.arange(20))
    np.testing.assert_array_equal(
        found.label, np.concatenate([few.label, many.label[found.row[20:]]])
    )
    np.testing.assert_array_equal(np.bincount(found.label[20:]), [20] * 4)
    assert len(np.unique(found.row[20:])) == 80


def test_a_pca_of_pixels_is_that_of_scikit_learn(cdp_home: Path) -> None:
    image = np.concatenate([save("one", 60).image, save("two", 60, 1).image])
    found = embed(config("one", "two", dims=3))
    expected = PCA(3).fit_transform(image.reshape(120, -1) / 255)
    np.testing.assert_allclose(np.abs(found.coordinates), np.abs(expected), atol=1e-5)
    assert found.coordinates.dtype == np.float32


def test_classes_of_one_name_are_one_class_on_the_map(cdp_home: Path) -> None:
    save("two", 60, classes=2, names=("a", "b"))
    save("three", 60, classes=3, names=("b", "c", "a"))
    found = embed(config("two", "three"))
    assert found.class_names == ("a", "b", "c")
    for number, name in enumerate(config("two", "three").sets):
        own = open_set(name)
        mine = found.which == number
        assert [found.class_names[k] for k in found.label[mine]] == [
            own.class_names[k] for k in own.label[found.row[mine]]
        ]


def test_the_judge_sees_real_images_and_neighbours_share_their_class(cdp_home: Path) -> None:
    said: list[tuple[float, str]] = []
    wanted = ExploreConfig(sets=("fashion-mnist:test",), points=100, method="pca", dims=3)
    found = embed(wanted, lambda share, words: said.append((share, words)))
    assert found.class_names[0] == "T-shirt/top" and found.totals == (10_000,)
    near = np.linalg.norm(found.coordinates[:, None] - found.coordinates[None], axis=2) + np.diag(
        np.full(100, np.inf)
    )
    assert (found.label[near.argmin(axis=1)] == found.label).mean() > 0.6
    assert [words for _, words in said] == ["features of fashion-mnist:test", "PCA of 100 points"]
    assert [share for share, _ in said] == [0, 0.5]


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_a_known_map_needs_no_heavy_library(method: str, cdp_home: Path, tmp_path: Path) -> None:
    save("one", 60)
    wanted = config("one", method=method)
    assert map_of(wanted).known() is None and quality_of(wanted).known() is None
    made, quality = embed(wanted), map_quality(wanted)
    coordinates, heavy, trust = elsewhere(wanted, tmp_path)
    assert heavy == [] and trust == quality.trustworthiness
    np.testing.assert_array_equal(coordinates, made.coordinates)
    said: list[str] = []
    assert same(embed(wanted, lambda _, words: said.append(words)), made) and same(
        map_of(wanted).known(), made
    )
    assert (
        quality_of(wanted).known()
        == quality
        == map_quality(wanted, lambda _, words: said.append(words))
    )
    assert said == []


def test_other_pixels_or_settings_are_another_map(cdp_home: Path) -> None:
    image, label = save("one", 60).image.copy(), np.array(save("same", 60, 9).label)
    made = embed(config("one"))
    for change in ({"seed": 5}, {"neighbors": 3}, {"metric": "cosine"}, {"min_dist": 0.5}):
        assert same(map_of(config("one", **change)).known(), made)
    for change in ({"dims": 3}, {"method": "umap"}, {"points": 50}):
        assert map_of(config("one", **change)).known() is None
    delete_set("one")
    image[7, 3, 3, 0] ^= 1
    save_set("one", image, label, {"class_names": ["a", "b", "c", "d"]})
    assert map_of(config("one")).known() is None
    assert not np.array_equal(embed(config("one")).coordinates, made.coordinates)


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_on_a_map_of_real_images_a_set_keeps_its_place(method: str, cdp_home: Path) -> None:
    save("a", 40, side=28)
    save("b", 50, 1, side=28)
    options = {"fit": "real", "dataset": "fashion-mnist", "method": method}
    alone, both = embed(config("a", **options)), embed(config("a", "b", **options))
    np.testing.assert_array_equal(both.coordinates[:40], alone.coordinates)
    assert len(both) == 90
    assert not np.array_equal(embed(config("a", method=method)).coordinates, alone.coordinates)


def test_quality_is_what_known_libraries_say_of_two_maps(cdp_home: Path) -> None:
    image = save("one", 80).image
    wanted = config("one", method="umap", neighbors=6)
    quality, first, second = (
        map_quality(wanted),
        embed(wanted),
        map_of(config("one", method="umap", neighbors=6, seed=1)).known(),
    )
    assert second is not None, "the second map is kept like any other"
    assert (quality.n, quality.neighbors) == (80, 6)
    pixels = image.reshape(80, -1) / 255
    assert quality.trustworthiness == pytest.approx(
        trustworthiness(pixels, first.coordinates, n_neighbors=6), abs=1e-6
    )
    assert quality.disparity == pytest.approx(
        procrustes(first.coordinates, second.coordinates)[2], abs=1e-9
    )
    assert quality.disparity is not None and quality.disparity > 0


def test_neighbourhoods_stay_under_half_of_a_small_set(cdp_home: Path) -> None:
    save("one", 60)
    assert map_quality(config("one", neighbors=40)) == MapQuality(
        pytest.approx(0.8, abs=0.2),
        None,
        60,
        29,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    "damage", [b"", b"not what it was", b"\x93NUMPY\x01\x00\xff\xff", b"[1]", b'{"n": "many"}']
)
def test_a_damaged_cache_only_costs_the_time_again(damage: bytes, cdp_home: Path) -> None:
    save("one", 60)
    made, quality = embed(config("one")), map_quality(config("one"))
    files = [path for path in (cache_dir() / "projections").iterdir() if path.is_file()]
    assert len(files) == 2
    for path in files:
        path.write_bytes(damage)
    assert map_of(config("one")).known() is None and quality_of(config("one")).known() is None
    assert same(embed(config("one")), made) and map_quality(config("one")) == quality
    assert (
        same(map_of(config("one")).known(), made) and quality_of(config("one")).known() == quality
    )


def test_a_home_that_cannot_be_written_still_gives_the_map(cdp_home: Path) -> None:
    save("one", 60)
    cache_dir().write_text("a file where the folder should be")
    first = embed(config("one"))
    assert same(embed(config("one")), first) and map_of(config("one")).known() is None
    assert map_quality(config("one")).n == 60


def test_images_of_points_come_in_the_order_asked_for(cdp_home: Path) -> None:
    sets = [save("one", 60), save("two", 300, 1)]
    found = embed(config("one", "two", points=100))
    asked = [99, 0, 70, 0, 59]
    images = point_images(found, asked)
    assert images.dtype == np.uint8 and images.shape == (5, 8, 8, 1)
    for image, point in zip(images, asked, strict=True):
        np.testing.assert_array_equal(image, sets[found.which[point]].image[found.row[point]])
    assert point_images(found, []).shape == (0, 8, 8, 1)
    for outside in (100, -1):
        with pytest.raises(InputError, match=str(outside)):
            point_images(found, [3, outside])
    delete_set("one")
    save("one", 50)
    with pytest.raises(InputError, match="no longer"):
        point_images(found, np.flatnonzero(found.row > 50))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sets": ("one", "wide")}, "shape"),
        ({"sets": ("one", "absent")}, "absent"),
        ({"encoder": "judge"}, "dataset"),
        ({"fit": "real"}, "dataset"),
        ({"fit": "real", "dataset": "fashion-mnist"}, "shape"),
        ({"encoder": "absent", "dataset": "fashion-mnist"}, "absent"),
        ({"method": "umap", "neighbors": 200}, "neighbors"),
    ],
)
def test_what_makes_no_map_is_refused_with_the_remedy(
    options: dict[str, object], said: str, cdp_home: Path
) -> None:
    save("one", 60)
    save("wide", 60, side=12)
    with pytest.raises((InputError, MissingError), match=said):
        embed(ExploreConfig.model_validate({"sets": ("one",)} | PIXELS | options))
