"""The encoders in assets: complete, measured, independent of each other."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cdp.models.encoders import JUDGE, list_encoders, load_encoder

# Floors a little under what was measured when they were trained (see their cards): a damaged or
# swapped file falls below.
CLEAN = {"standard": 0.90, "robust": 0.80, "noise-aware": 0.80, JUDGE: 0.91}


def test_all_four_are_listed_without_a_problem() -> None:
    assert {entry.name: entry.problem for entry in list_encoders("fashion-mnist")} == dict.fromkeys(
        CLEAN, ""
    )


@pytest.mark.parametrize("name", CLEAN)
def test_card_says_how_it_was_trained_and_how_good_it_is(name: str) -> None:
    encoder = load_encoder(name, "fashion-mnist")
    card = encoder.card
    assert card["shape"] == [1, 28, 28]
    assert len(card["class_names"]) == encoder.net.classes == 10
    assert "MIT" in card["licence"]
    assert {"epochs", "seed", "images", "held_out"} <= card["training"].keys()
    assert card["accuracy"]["clean"]["n"] == 10_000
    assert card["accuracy"]["clean"]["value"] >= CLEAN[name]


def test_the_robust_one_states_its_attack() -> None:
    measured = load_encoder("robust", "fashion-mnist").card["accuracy"]["pgd"]
    assert (measured["epsilon"], measured["steps"], measured["norm"]) == (0.1, 20, "linf")
    assert measured["value"] >= 0.65


def test_the_judge_is_a_network_of_its_own() -> None:
    nets = {name: load_encoder(name, "fashion-mnist") for name in CLEAN}
    assert len({encoder.sha256 for encoder in nets.values()}) == len(nets)
    assert nets[JUDGE].net.widths != nets["standard"].net.widths
    assert len({encoder.card["training"]["seed"] for encoder in nets.values()}) == len(nets)


def test_listing_imports_neither_torch_nor_diffusers() -> None:
    code = (
        "import sys; from cdp.models import encoders, pipelines; import cdp.config.pretrain;"
        " encoders.list_encoders('fashion-mnist'); pipelines.list_models(); print(sorted({'torch',"
        " 'diffusers'} & set(sys.modules)))"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
