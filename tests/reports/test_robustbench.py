"""An evaluation in RobustBench's shape: its fields as text, its conventions, and our own under one
further key."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cdp.reports.exports import robustbench_record
from cdp.values.evaluation import Check, EvalReport, Masking, Model
from tests.evaluations import report

FIELDS = {
    "link",
    "name",
    "authors",
    "additional_data",
    "number_forward_passes",
    "dataset",
    "venue",
    "architecture",
    "eps",
    "clean_acc",
    "reported",
    "autoattack_acc",
    "footnote",
    "unreliable",
}


def found(**change: Any) -> EvalReport:
    return replace(
        report(n=1000, robust=0.603, run="r1")[0],
        label="AutoAttack (standard), n = 1,000",
        **change,
    )


def test_a_record_has_the_boards_fields_in_its_form_and_one_of_ours() -> None:
    record = robustbench_record(
        found(epsilon=8 / 255, dataset="cifar10"),
        link="https://arxiv.org/abs/1",
        authors="A, B",
        venue="ICML 2026",
    )
    assert set(record) == FIELDS | {"cdp"}
    assert (record["clean_acc"], record["autoattack_acc"], record["reported"]) == (
        "80.00",
        "60.30",
        "60.30",
    )
    assert (record["eps"], record["dataset"], record["number_forward_passes"]) == (
        "8/255",
        "cifar10",
        1,
    )
    assert (record["link"], record["authors"], record["venue"]) == (
        "https://arxiv.org/abs/1",
        "A, B",
        "ICML 2026",
    )
    assert record["unreliable"] is False
    assert json.loads(json.dumps(record, allow_nan=False)) == record


def test_what_is_not_known_is_null() -> None:
    record = robustbench_record(found())
    assert (record["link"], record["authors"], record["venue"]) == (None, None, None)
    assert record["name"] == "night-s0"


@pytest.mark.parametrize("suite", ["pgd", "quick"])
def test_other_suites_have_no_autoattack_number_and_name_their_attack(suite: str) -> None:
    record = robustbench_record(
        replace(found(), suite=suite, quick=suite == "quick", label="PGD-10, n = 512, +/- 4 points")
    )
    assert record["autoattack_acc"] is None
    assert record["reported"] == "60.30"
    assert "PGD-10, n = 512, +/- 4 points" in record["footnote"]
    assert ("quick estimate" in record["footnote"]) is (suite == "quick")


def test_synthetic_images_are_in_the_footnote_as_on_the_board_and_real_ones_are_additional_data() -> (
    None
):
    record = robustbench_record(found())
    assert record["footnote"].startswith("It uses additional 5,000 synthetic images in training.")
    assert record["additional_data"] is False
    assert robustbench_record(found(), additional_data=True)["additional_data"] is True
    alone = robustbench_record(found(model=Model("run:x", "x", "small-cnn")))
    assert "synthetic" not in alone["footnote"]


def test_networks_have_the_boards_names_and_a_users_code_makes_no_promise_of_one_pass() -> None:
    assert (
        robustbench_record(found(model=Model("run:x", "x", "wrn-28-10-swish")))["architecture"]
        == "WideResNet-28-10"
    )
    own = robustbench_record(found(model=Model("code:mine:net", "mine", "MyNet")))
    assert (own["architecture"], own["number_forward_passes"]) == ("MyNet", None)
    assert robustbench_record(found(), number_forward_passes=4)["number_forward_passes"] == 4


def test_a_sign_of_masking_makes_the_number_unreliable() -> None:
    checks = (Check("a", "Steps", "warn", "Falls.", {}),)
    assert robustbench_record(found(masking=Masking(50, checks, None)))["unreliable"] is True
    assert (
        robustbench_record(
            found(masking=Masking(50, (replace(checks[0], verdict="unclear"),), None))
        )["unreliable"]
        is False
    )
    assert robustbench_record(found(masking=None))["unreliable"] is False


def test_the_further_key_holds_interval_seed_versions_hashes_and_settings() -> None:
    one = found()
    ours = robustbench_record(one)["cdp"]
    assert ours["label"] == one.label
    assert ours["n"] == 1000
    assert ours["weights"][0]["robust"]["low"] == one.main.robust.low
    assert ours["weights"][0]["sha256"] == one.main.sha256
    assert ours["rows_sha256"] == one.rows_sha256
    assert ours["versions"] == dict(one.versions)
    assert ours["config"] == dict(one.config)
    assert "confusion" not in ours["weights"][0]
