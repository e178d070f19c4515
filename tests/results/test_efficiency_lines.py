"""Robust accuracy per synthetic image: which arms make a line, and where lines are equal."""

from __future__ import annotations

import pytest

from cdp import paths
from cdp.results.compare import compare
from cdp.results.efficiency import MAX_EQUAL, without_count
from cdp.statistics.efficiency import equal_count, equality_sentence
from cdp.values.comparison import Comparison
from tests.results.compared_runs import arm, evaluated, took, training, write_card


def counted(
    name: str, images: int, robust: dict[int, float], *, called: str = "", **settings: object
) -> list[str]:
    """An arm on one set of so many images, with the cards of its trainings."""
    ids = arm(name, robust, synthetic=(called or name,), **settings)
    for run_id in ids:
        write_card(run_id, paths.runs_dir(), images, [called or name])
    return ids


def lines(found: Comparison) -> dict[str, list[int]]:
    return {line.name: [point.count for point in line.points] for line in found.efficiency}


@pytest.mark.parametrize(
    ("name", "count", "stem"),
    [
        ("guided-5k", 5000, "guided"),
        ("guided_n4980-b", 5000, "guided-b"),
        ("5k-guided", 5000, "guided"),
        ("guided (5K)", 5000, "guided"),
        ("guided-0.5m", 500_000, "guided"),
        ("guided-s0.2-1k", 1000, "guided-s0.2"),
        ("guided-5k", 1000, "guided-5k"),
        ("guided-5k", None, "guided-5k"),
        ("5k", 5000, "5k"),
        ("v1.5000", 5000, "v1.5000"),
        ("a5kb", 5000, "a5kb"),
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
    def seeds(robust: float, count: int) -> dict[int, float]:
        return {seed: robust + 0.0025 * ((2 * seed + count // 1000) % 3) for seed in range(3)}

    none = {0: 0.40, 1: 0.41, 2: 0.42}
    guided = {1000: 0.47, 5000: 0.50, 20_000: 0.52}
    plain = {1000: 0.44, 5000: 0.48, 20_000: 0.505}
    ids = arm("none", none, fraction=0.5)
    for name, points in (("guided", guided), ("plain", plain)):
        for count, robust in points.items():
            ids += counted(f"{name}-{count // 1000}k", count, seeds(robust, count))
    ids += counted("guided-5k-other-beta", 5000, {0: 0.3, 1: 0.31}, called="guided-5k", beta=1.0)
    found, counts = compare(ids), [0, 1000, 5000, 20_000]
    other = {"guided, guided-5k-other-beta": [5000]}
    assert lines(found) == {"guided": counts, "plain": counts} | other
    arms = {one.name: one for one in found.arms}
    assert found.efficiency[0].points[2].robust == arms["guided-5k"].robust
    first, second = (
        {0: list(none.values())} | {k: list(seeds(r, k).values()) for k, r in points.items()}
        for points in (guided, plain)
    )
    one, wanted = found.equal[0], equal_count(first, second, 1000)
    assert (one.first, one.second, one.count) == ("guided", "plain", 1000)
    assert one.estimate is not None and 1000 < one.estimate < 5000
    bounds = (one.estimate, one.low, one.high)
    assert bounds == pytest.approx((wanted.estimate, wanted.low, wanted.high))
    assert one.sentence == equality_sentence("guided", "plain", 1000, wanted)
    pairs = {(equal.first, equal.second) for equal in found.equal}
    assert pairs == {("guided", "plain")}, "one point is no line to be equal on"
    apart = compare(ids, groups=False)
    assert apart.efficiency == found.efficiency, "a point is a mean over seeds there too"


def test_sets_whose_names_say_nothing_are_joined_by_the_names_of_their_runs() -> None:
    ids = counted("guided-1k", 1000, {0: 0.47, 1: 0.48}, called="tuesday")
    ids += counted("guided-5k", 5000, {0: 0.5, 1: 0.51}, called="friday")
    found = compare(ids)
    assert lines(found) == {"guided": [1000, 5000]} and found.equal == ()


def test_further_real_images_are_a_line_of_their_own_and_no_synthetic_images() -> None:
    ids = arm("none", {0: 0.40}, fraction=0.5)
    ids += counted("guided-1k", 1000, {0: 0.47}) + counted("guided-5k", 5000, {0: 0.5})
    for count, robust in ((1000, 0.5), (5000, 0.55)):
        ids += arm(f"ceiling-{count}", {0: robust}, synthetic=(f"real:{count}",), fraction=0.5)
    found, counts = compare(ids), [0, 1000, 5000]
    assert lines(found) == {"guided": counts, "more real images (the ceiling)": counts}
    assert {(one.synthetic_images, one.sets) for one in found.arms[-2:]} == {(0, ())}
    assert found.differs["synthetic"][-1] == "5,000 more real images"
    assert any("further real images" in equal.sentence for equal in found.equal)


def test_two_sets_of_as_many_images_are_two_lines() -> None:
    ids = counted("guided-1k", 1000, {0: 0.47}) + counted("guided-1000", 1000, {0: 0.48})
    found = compare(ids + counted("guided-5k", 5000, {0: 0.5}))
    assert list(lines(found).values()) == [[1000, 5000], [1000]]


def test_arms_of_unknown_counts_or_other_settings_of_evaluation_are_on_no_line() -> None:
    ids = counted("guided-1k", 1000, {0: 0.47}) + counted("guided-5k", 5000, {0: 0.5})
    found = compare(ids + arm("guided-9k", {0: 0.6}, synthetic=("guided-9k",)))
    assert list(lines(found).values()) == [[1000, 5000]]
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
    assert list(lines(mixed).values()) == [[1000, 5000], [2000, 3000]]
    assert mixed.equal == () and {row.second for row in mixed.classes} == {"guided-5k-s0"}


def test_many_lines_are_asked_for_a_handful_of_equal_counts() -> None:
    ids = []
    for name in "abcdefg":
        for count in (1, 2):
            robust = {seed: 0.4 + 0.05 * count + 0.005 * seed for seed in range(2)}
            ids += counted(f"{name}-{count}k", 1000 * count, robust)
    found = compare(ids)
    assert len(found.efficiency) == 7 and len(found.equal) == MAX_EQUAL


def test_how_many_images_equal_another_arm_is_said_at_equal_compute_only() -> None:
    ids = []
    for name, start in (("guided", 0.5), ("plain", 0.48)):
        for count in (1000, 5000, 20_000):
            robust = {seed: start + 0.01 * (count // 5000) + 0.0025 * seed for seed in range(3)}
            ids += counted(f"{name}-{count // 1000}k", count, robust)
    assert compare(ids).equal
    for run_id in (run_id for run_id in ids if run_id.startswith("plain")):
        took(run_id, 156, 19_968)
    uneven, few = compare(ids), "is not said, as fewer than two of its points took as much compute"
    assert uneven.equal == () and any(few in note for note in uneven.notes)
    took("plain-1k-s0", 45, 5760)
    rise = "so its rise is not of synthetic images alone"
    assert any(rise in note for note in compare(ids).notes)
