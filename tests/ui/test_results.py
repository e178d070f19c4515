"""The sentences never claim what the interval does not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cdp.config.generate import GenerateConfig
from cdp.config.presets import preset
from cdp.figures.generation import report_rows
from cdp.ui.generate.detail import judge_says
from cdp.ui.generate.results import sentences, to_csv
from tests.ui.worlds import result_of


def test_an_interval_over_zero_is_told_as_no_difference_and_one_beside_it_as_a_change() -> None:
    agreement, separation = (text for _, text in sentences(result_of(GenerateConfig())))
    assert "cannot be told apart: +5.0 points (95 % interval -1.0 to +10.0), n = 12" in agreement
    assert (
        "+0.60 with guidance (95 % interval +0.10 to +1.10), n = 12; 4.90 against 4.30 unguided"
        in separation
    )


def test_too_few_images_of_a_class_are_told_without_a_verdict() -> None:
    few = replace(result_of(GenerateConfig()), label=np.arange(64) % 7)
    for _, text in sentences(few):
        assert (
            "no verdict, fewer than 10 images a class: difference +" in text
            and "95 % interval" in text
        )
        assert "told apart" not in text and "with guidance" not in text


def test_identical_arms_are_told_once_and_without_a_difference() -> None:
    result = result_of(GenerateConfig())
    agreement, separation = (text for _, text in sentences(replace(result, unguided=result.guided)))
    assert (
        agreement
        == "**Agreement with the label** identical so far: both 94.0 % (95 % interval 86.0 to 98.0),"
        " n = 12"
    )
    assert "identical so far: both 4.90" in separation


def test_a_single_arm_is_told_with_its_own_interval_and_without_a_comparison() -> None:
    texts = [text for _, text in sentences(result_of(preset("unguided")))]
    assert "94.0 % (95 % interval 86.0 to 98.0), n = 12" in texts[0]
    assert not any("guided" in text for text in texts)


def test_the_judges_view_of_an_image_names_both_arms_and_keeps_silent_without_a_judge() -> None:
    names, both = ("shirt", "shoe"), result_of(GenerateConfig())
    assert (
        judge_says(both, 1, names)
        == "The judge, which guided nothing, sees: guided shoe (98 % sure), unguided shirt (61 %"
        " sure)."
    )
    assert judge_says(both, 2, names).startswith(
        "The judge, which guided nothing, sees: guided class 2 (98 % sure)"
    )
    assert (
        judge_says(result_of(preset("unguided")), 0, names)
        == "The judge, which guided nothing, sees: shirt (98 % sure)."
    )
    assert judge_says(replace(both, guided_view=None, unguided_view=None), 0, names) == ""
    assert judge_says(both, 10**6, names) == ""


def test_the_csv_has_every_number_of_the_sentences() -> None:
    lines = to_csv(report_rows(result_of(GenerateConfig()))).splitlines()
    assert lines[0].split(",") == ["arm", "measure", "value", "low", "high", "n", "level"]
    assert len(lines) == 1 + 3 * 2
