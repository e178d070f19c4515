"""Adversarial examples as the page shows them: read safely, amplified honestly, wrong answers
marked by more than colour."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from cdp.ui.kit.images import gain_of, perturbation
from cdp.ui.train.examples import caption, read_examples, table_html
from tests.ui.train_runs import save_examples

NAMES = ("cat", "dog", "<b>cow</b>")


def test_the_factor_on_the_perturbation_brings_the_budget_to_the_end_of_the_scale(
    tmp_path: Path,
) -> None:
    save_examples(tmp_path)
    found = read_examples(tmp_path)
    assert found is not None
    assert gain_of(found.clean, found.adversarial) == 10
    shown = perturbation(found.clean, found.adversarial, 10).astype(int)
    assert shown.shape == (3, 8, 8, 3)
    brighter, darker = shown[0, 0, 0], shown[0, 0, 1]
    assert brighter[0] > brighter[2] and darker[2] > darker[0]


def test_colour_images_show_every_channel_around_mid_grey(tmp_path: Path) -> None:
    save_examples(tmp_path, channels=3)
    found = read_examples(tmp_path)
    assert found is not None
    shown = perturbation(found.clean, found.adversarial, 10)
    assert np.abs(shown[:, :, 0].astype(int) - 255).max() <= 1
    assert shown[:, :, 1].max() <= 1


def test_an_attack_that_changed_nothing_has_a_factor_and_no_colour(tmp_path: Path) -> None:
    save_examples(tmp_path, adversarial=np.full((3, 8, 8, 1), 100 / 255, np.float32))
    found = read_examples(tmp_path)
    assert found is not None
    assert np.unique(
        perturbation(found.clean, found.adversarial, gain_of(found.clean, found.adversarial))
    ).tolist() == [247]


def test_a_wrong_prediction_is_marked_by_a_sign_and_names_are_text(tmp_path: Path) -> None:
    save_examples(tmp_path)
    found = read_examples(tmp_path)
    assert found is not None
    text = table_html(found, NAMES, 10)
    assert re.findall(r"([✓✗]) ([^<]+)<", text) == [
        ("✓", "cat"),
        ("✓", "dog"),
        ("✗", "cat"),
        ("✓", "cat"),
        ("✗", "&lt;b&gt;cow&lt;/b&gt;"),
        ("✗", "cat"),
    ]
    assert "<b>cow" not in text
    assert "Perturbation x 10" in text
    assert text.count("<img") == 9
    assert "class 2" in table_html(found, NAMES[:2], 10)


def test_the_caption_counts_what_the_attack_turned_among_what_was_right(tmp_path: Path) -> None:
    save_examples(tmp_path)
    found = read_examples(tmp_path)
    assert found is not None
    assert caption(found).startswith(
        "Epoch 4: the attack turns 1 of 2 images that are right when clean."
    )


@pytest.mark.parametrize(
    "replaced",
    [
        {"clean": np.zeros((3, 8, 8), np.uint8)},
        {"clean": np.zeros((3, 8, 8, 1), np.float32)},
        {"label": np.array([0, 1])},
        {"predicted": np.array([0.0, 1.0, 2.0])},
        {"adversarial": np.zeros((3, 4, 4, 1), np.float32)},
        {"label": np.array([object()] * 3, dtype=object)},
        {"clean": np.zeros((0, 8, 8, 1), np.uint8)},
        {"epoch": np.array([1, 2])},
    ],
)
def test_a_file_that_is_not_what_it_should_be_shows_nothing_and_breaks_nothing(
    tmp_path: Path, replaced: dict[str, np.ndarray]
) -> None:
    save_examples(tmp_path, **replaced)
    assert read_examples(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x04K\x01."])
def test_a_torn_or_foreign_file_shows_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "examples.npz").write_bytes(content)
    assert read_examples(tmp_path) is None


def test_a_run_without_examples_has_none(tmp_path: Path) -> None:
    assert read_examples(tmp_path) is None
