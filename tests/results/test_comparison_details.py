"""What arms differ in, class by class, and per synthetic image."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from cdp import paths
from cdp.data.sets import save_set
from cdp.results.compare import compare
from cdp.results.efficiency import MAX_EQUAL, without_count
from cdp.statistics.efficiency import equal_count, equality_sentence
from cdp.statistics.shares import newcombe, share_difference, wilson
from cdp.values.evaluation import read_outcomes, read_report
from tests.evaluations import CLASSES
from tests.results.compared_runs import N, arm, evaluated, training, write_card


def counted(
    name: str, images: int, robust: dict[int, float], *, called: str = "", **settings: object
) -> list[str]:
    """An arm on one set of so many images, with the cards of its trainings."""
    ids = arm(name, robust, synthetic=(called or name,), **settings)
    for run_id in ids:
        write_card(run_id, paths.runs_dir(), images, [called or name])
    return ids


def test_only_settings_that_differ_are_listed_and_never_the_seed() -> None:
    found = compare(
        arm("a", {0: 0.5}, beta=1.0, real=None)
        + arm("b", {1: 0.5}, synthetic=("x", "y"), compile=True)
    )
    assert found.differs == {
        "real": ("all", "2,000"),
        "synthetic": ("none", "x, y"),
        "beta": ("1", "6"),
        "compile": ("off", "on"),
        "synthetic_images": ("0", "unknown"),
    }
    assert any(
        "How many synthetic images b-s1 was trained on is not known" in note for note in found.notes
    )


def test_synthetic_images_are_those_of_the_card_else_those_of_the_sets_here() -> None:
    save_set("here", np.zeros((30, 4, 4, 1), np.uint8), np.arange(30) % 2, {})
    ids = arm("card", {0: 0.5}, synthetic=("here",)) + arm(
        "disk", {0: 0.5}, synthetic=("here",), beta=1.0
    )
    write_card(ids[0], paths.runs_dir(), 5000, ["here"])
    ids += arm("unused", {0: 0.5}, synthetic=("here",), beta=1.0, fraction=0.0)
    assert [one.synthetic_images for one in compare(ids).arms] == [5000, 30, 0]


@pytest.mark.parametrize(
    "card",
    [
        "",
        "{",
        "[]",
        '{"training": 3, "sets": 4}',
        '{"training": {"synthetic_images": "many"}, "sets": [{"name": 1}, 2]}',
    ],
)
def test_a_damaged_card_is_an_unknown_number_of_images(card: str) -> None:
    ids = arm("a", {0: 0.5}, synthetic=("absent",))
    place = paths.runs_dir() / ids[0] / "best" / "card.json"
    place.parent.mkdir()
    place.write_text(card)
    assert compare([*ids, *arm("b", {0: 0.5})]).differs["synthetic_images"] == ("unknown", "0")


def test_sets_that_share_a_name_only_are_told_apart_but_not_by_their_tags() -> None:
    ids = [
        *arm("a", {0: 0.5}, synthetic=("guided",)),
        *arm("b", {0: 0.5}, synthetic=("guided",), beta=1.0),
        *arm("c", {0: 0.5}, beta=2.0),
    ]
    write_card(ids[0], paths.runs_dir(), 500, ["guided"], sha="11" * 32)
    write_card(ids[1], paths.runs_dir(), 500, ["guided"], sha="22" * 32, created="2026-11-02")
    found = compare(ids)
    assert found.differs["set guided"] == (
        "500 images, 2026-11-01, card 111111111111",
        "500 images, 2026-11-02, card 222222222222",
        "not used",
    )
    tagged = arm("d", {0: 0.5}, synthetic=("guided",), beta=3.0)
    write_card(tagged[0], paths.runs_dir(), 500, ["guided"], sha="33" * 32)
    assert "set guided" not in compare([ids[0], *tagged]).differs


def test_seeds_of_one_arm_on_different_sets_of_one_name_are_told() -> None:
    ids = arm("a", {0: 0.5, 1: 0.5}, synthetic=("guided",))
    for run_id, images in zip(ids, (500, 600), strict=True):
        write_card(run_id, paths.runs_dir(), images, ["guided"])
    assert any("2 different sets that are all called guided" in note for note in compare(ids).notes)


def test_class_by_class_one_seed_each_is_paired_by_image() -> None:
    ids = arm("a", {0: 0.5}) + arm("b", {3: 0.56}, beta=1.0)
    found = compare(ids)
    one, other = (read_outcomes(paths.runs_dir() / f"e-{name}" / "outcomes.npz") for name in ids)
    assert [(row.name, row.first, row.second) for row in found.classes] == [
        (name, *ids) for name in CLASSES
    ]
    for number, row in enumerate(found.classes):
        there = one.label == number
        assert row.difference == share_difference(
            other.of["best"].robust[there], one.of["best"].robust[there]
        )
    assert any("rest on images alone" in note for note in found.notes)


def test_class_by_class_several_seeds_are_a_t_interval_over_their_differences() -> None:
    first, second = {0: 0.50, 1: 0.52, 2: 0.51}, {0: 0.53, 1: 0.5325, 2: 0.55}
    found = compare(arm("a", first) + arm("b", second, beta=1.0))
    for number, row in enumerate(found.classes):
        shares = np.array(
            [
                [
                    read_report(paths.runs_dir() / f"e-{name}-s{seed}" / "report.json")
                    .main.classes[number]
                    .robust.value
                    for seed in range(3)
                ]
                for name in ("a", "b")
            ]
        )
        low, high = stats.ttest_rel(shares[1], shares[0]).confidence_interval(0.95)
        wanted = (float((shares[1] - shares[0]).mean()), max(-1.0, low), min(1.0, high))
        assert (row.difference.value, row.difference.low, row.difference.high) == pytest.approx(
            wanted
        )
        mean = found.arms[1].classes[row.name]
        assert (mean.value, mean.n) == (
            pytest.approx(shares[1].mean()),
            N // 10,
        ), "seeds see the same images: no more of them"
    assert not any("rest on images alone" in note for note in found.notes)


def test_newcombes_interval_is_that_of_his_example() -> None:
    """Newcombe 1998, table II, 56 of 70 minus 48 of 80: method 10 gives 0.0524 to 0.3339."""
    found = newcombe(wilson(48, 80), wilson(56, 70))
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(
    ("name", "count", "stem"),
    [
        ("guided-5k", 5000, "guided"),
        ("guided-5000", 5000, "guided"),
        ("guided_n4980-b", 5000, "guided-b"),
        ("5k-guided", 5000, "guided"),
        ("guided (5K)", 5000, "guided"),
        ("guided5k", 5000, "guided"),
        ("guided-0.5m", 500_000, "guided"),
        ("guided-s0.2-1k", 1000, "guided-s0.2"),
        ("guided-5k", 1000, "guided-5k"),
        ("guided-5k", None, "guided-5k"),
        ("5k", 5000, "5k"),
        ("v1.5000", 5000, "v1.5000"),
        ("a5kb", 5000, "a5kb"),
        ("guided-5k", 4000, "guided-5k"),
        ("9" * 400, 5000, "9" * 400),
    ],
)
def test_a_name_loses_the_number_of_its_images_and_no_other(
    name: str, count: int | None, stem: str
) -> None:
    assert without_count(name, count) == stem


def test_arms_that_differ_in_their_number_of_synthetic_images_are_a_line_that_starts_without_any() -> (
    None
):
    def of(robust: float, count: int) -> dict[int, float]:
        return {seed: robust + 0.0025 * ((2 * seed + count // 1000) % 3) for seed in range(3)}

    ids = arm("none", {0: 0.40, 1: 0.41, 2: 0.42}, fraction=0.5)
    lines = {
        "guided": {1000: 0.47, 5000: 0.50, 20_000: 0.52},
        "plain": {1000: 0.44, 5000: 0.48, 20_000: 0.505},
    }
    for name, points in lines.items():
        for count, robust in points.items():
            ids += counted(f"{name}-{count // 1000}k", count, of(robust, count))
    ids += counted("guided-5k-other-beta", 5000, {0: 0.3, 1: 0.31}, called="guided-5k", beta=1.0)
    found = compare(ids)
    assert [
        (line.name, [(point.count, point.seeds) for point in line.points])
        for line in found.efficiency
    ] == [
        ("guided", [(0, 3), (1000, 3), (5000, 3), (20_000, 3)]),
        ("plain", [(0, 3), (1000, 3), (5000, 3), (20_000, 3)]),
        ("guided, guided-5k-other-beta", [(5000, 2)]),
    ]
    arms = {one.name: one for one in found.arms}
    assert found.efficiency[0].points[2].robust == arms["guided-5k"].robust
    values = {
        line: (
            {0: [0.40, 0.41, 0.42]}
            | {count: list(of(robust, count).values()) for count, robust in points.items()}
        )
        for line, points in lines.items()
    }
    one = found.equal[0]
    wanted = equal_count(values["guided"], values["plain"], 1000)
    assert (one.first, one.second, one.count) == ("guided", "plain", 1000)
    assert one.estimate is not None and 1000 < one.estimate < 5000
    assert (one.estimate, one.low, one.high) == pytest.approx(
        (wanted.estimate, wanted.low, wanted.high)
    )
    assert one.low is not None and one.low < one.estimate
    assert one.sentence == equality_sentence("guided", "plain", 1000, wanted)
    assert {(two.first, two.second) for two in found.equal} == {("guided", "plain")}, (
        "one point is no line to be equal on"
    )
    assert compare(ids, groups=False).efficiency == found.efficiency, (
        "a point is a mean over seeds there too"
    )


def test_sets_whose_names_say_nothing_are_joined_by_the_names_of_their_runs() -> None:
    ids = counted("guided-1k", 1000, {0: 0.47, 1: 0.48}, called="tuesday") + counted(
        "guided-5k", 5000, {0: 0.5, 1: 0.51}, called="friday"
    )
    found = compare(ids)
    assert [(line.name, [point.count for point in line.points]) for line in found.efficiency] == [
        ("guided", [1000, 5000])
    ]
    assert found.equal == ()


def test_further_real_images_are_a_line_of_their_own_and_no_synthetic_images() -> None:
    ids = (
        arm("none", {0: 0.40}, fraction=0.5)
        + counted("guided-1k", 1000, {0: 0.47})
        + counted("guided-5k", 5000, {0: 0.5})
    )
    for count, robust in ((1000, 0.5), (5000, 0.55)):
        ids += arm(f"ceiling-{count}", {0: robust}, synthetic=(f"real:{count}",), fraction=0.5)
    found = compare(ids)
    assert [(line.name, [point.count for point in line.points]) for line in found.efficiency] == [
        ("guided", [0, 1000, 5000]),
        ("more real images (the ceiling)", [0, 1000, 5000]),
    ]
    assert [(one.synthetic_images, one.sets) for one in found.arms][-2:] == [(0, ()), (0, ())]
    assert found.differs["synthetic"][-1] == "5,000 more real images"
    assert any(
        "(the ceiling) with" in equal.sentence and "further real images" in equal.sentence
        for equal in found.equal
    )


def test_two_sets_of_as_many_images_are_two_lines() -> None:
    ids = (
        counted("guided-1k", 1000, {0: 0.47})
        + counted("guided-1000", 1000, {0: 0.48})
        + counted("guided-5k", 5000, {0: 0.5})
    )
    found = compare(ids)
    assert [[point.count for point in line.points] for line in found.efficiency] == [
        [1000, 5000],
        [1000],
    ]
    assert len({line.name for line in found.efficiency}) == 2


def test_arms_of_unknown_counts_or_other_settings_of_evaluation_are_on_no_line() -> None:
    ids = counted("guided-1k", 1000, {0: 0.47}) + counted("guided-5k", 5000, {0: 0.5})
    lost = arm("guided-9k", {0: 0.6}, synthetic=("guided-9k",))
    found = compare(ids + lost)
    assert [[point.count for point in line.points] for line in found.efficiency] == [[1000, 5000]]
    assert any("guided-9k-s0" in note and "not known" in note for note in found.notes)
    odd = []
    for count in (2, 3):
        odd.append(f"odd-{count}k")
        training(odd[-1], synthetic=(f"guided-{count}k",))
        write_card(odd[-1], paths.runs_dir(), 1000 * count, [f"guided-{count}k"])
        evaluated(odd[-1], 0.46 + 0.02 * count, epsilon=0.3)
    for run_id in (*ids, *odd):
        (paths.runs_dir() / run_id / "metrics.jsonl").unlink()
    mixed = compare([*ids, *odd])
    assert [[point.count for point in line.points] for line in mixed.efficiency] == [
        [1000, 5000],
        [2000, 3000],
    ]
    assert mixed.equal == () and {row.second for row in mixed.classes} == {"guided-5k-s0"}


def test_many_lines_are_asked_for_a_handful_of_equal_counts() -> None:
    ids = [
        run_id
        for line in "abcdefg"
        for count in (1, 2)
        for run_id in counted(
            f"{line}-{count}k", 1000 * count, {0: 0.4 + 0.05 * count, 1: 0.405 + 0.05 * count}
        )
    ]
    found = compare(ids)
    assert len(found.efficiency) == 7 and len(found.equal) == MAX_EQUAL
