"""An evaluation from its settings to its files: right figures, and the same outcome for every image however often it was stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cdp.errors import Cancelled, InputError
from cdp.evaluation import STANDS, Outcomes
from cdp.evaluation_files import OUTCOMES, REPORT, read_outcomes, read_report
from cdp.models.checkpoints import write_tensors
from cdp.tasks.evaluate import evaluate_run
from tests.tasks.evaluating_world import Told, config, make_data, make_run, trained


@pytest.fixture(autouse=True)
def world() -> Path:
    make_data()
    return make_run()


def outcomes(folder: Path) -> Outcomes:
    return read_outcomes(folder / OUTCOMES)


def test_the_report_says_what_the_outcomes_of_the_images_say(tmp_path: Path) -> None:
    told = Told()
    report = evaluate_run(config(attack="pgd", restarts=2, steps=5, epsilon=0.2), tmp_path, told.heard())
    assert read_report(tmp_path / REPORT) == report
    found = outcomes(tmp_path)
    one, label = found.of["best"], found.label
    main = report.main
    assert main.clean.value == (one.clean == label).mean()
    assert main.robust.value == one.robust.mean() == ((one.clean == label) & (one.attacked == label)).mean()
    assert main.robust.n == report.n == len(label) == 40
    assert sum(stage.broken for stage in main.stages) == int((one.broken_by >= 0).sum())
    assert 0 < main.largest <= 0.2 + 1e-6
    assert [sum(row) for row in main.confusion] == np.bincount(label, minlength=3).tolist()
    assert "PGD-5" in report.label and "n = 40" in report.label and not report.quick
    assert told.progress[-1][0] == told.progress[-1][1] and told.progress[0][0] == 0
    assert [done for done, _ in told.batches] == sorted(done for done, _ in told.batches)
    assert told.batches[-1][1]["robust"] == main.robust.value


def test_a_quick_estimate_says_so_in_its_label(tmp_path: Path) -> None:
    report = evaluate_run(config(), tmp_path, Told().heard())
    assert report.quick and report.label.startswith("PGD-10, n = 40, +/- ") and report.label.endswith(": a quick estimate")


@pytest.mark.parametrize(("attack", "more"), [("pgd", {"weights": "both", "curve": True, "unseen": True}), ("autoattack", {})])
def test_stopped_after_every_batch_it_ends_with_the_same_outcome_for_every_image(
    attack: str, more: dict[str, object], tmp_path: Path
) -> None:
    settings = config(**{"attack": attack, "count": 12, "batch": 5, "restarts": 1, "steps": 3, "epsilon": 0.4, "side_count": 10} | more)
    whole = evaluate_run(settings, tmp_path / "whole", Told().heard())
    stops = 0
    for _ in range(60):
        told = Told(stop_after=1)
        try:
            parts = evaluate_run(settings, tmp_path / "parts", told.heard())
        except Cancelled:
            stops += 1
        else:
            break
    assert stops >= 2
    for before, after in zip(whole.weights, parts.weights, strict=True):
        assert (before.clean, before.robust, before.confusion, before.largest) == (
            after.clean,
            after.robust,
            after.confusion,
            after.largest,
        )
    assert (parts.curves, parts.unseen) == (whole.curves, whole.unseen)
    first, second = outcomes(tmp_path / "whole"), outcomes(tmp_path / "parts")
    for which in first.of:
        for name in ("clean", "attacked", "broken_by"):
            assert np.array_equal(getattr(first.of[which], name), getattr(second.of[which], name))


def test_a_resumed_one_says_first_what_was_done_before(tmp_path: Path) -> None:
    settings = config(attack="pgd", restarts=1, steps=2, epsilon=0.2)
    told = Told(stop_after=2)
    with pytest.raises(Cancelled):
        evaluate_run(settings, tmp_path, told.heard())
    again = Told()
    evaluate_run(settings, tmp_path, again.heard())
    assert again.progress[0][0] == told.progress[-1][0] > 0


def test_damaged_state_costs_its_work_and_nothing_else(tmp_path: Path) -> None:
    settings = config(attack="pgd", restarts=1, steps=2, epsilon=0.2, curve=True)
    whole = evaluate_run(settings, tmp_path, Told().heard())
    (tmp_path / REPORT).unlink()
    for name in ("suite-best.npz", "curve-best.json"):
        (tmp_path / "state" / name).write_bytes(b"PK\x03\x04 not a zip")
    again = evaluate_run(settings, tmp_path, Told().heard())
    assert again.main.robust == whole.main.robust and again.curves == whole.curves


def test_other_weights_under_the_same_name_do_not_go_on(world: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        evaluate_run(config(attack="pgd"), tmp_path, Told(stop_after=1).heard())
    net = trained()
    with torch.no_grad():
        net.head.bias += 0.1
    write_tensors(world / "best" / "model.safetensors", dict(net.state_dict()))
    with pytest.raises(InputError, match="weights: this evaluation was started with"):
        evaluate_run(config(attack="pgd"), tmp_path, Told().heard())


def test_bare_weights_of_one_of_our_networks_need_its_name_and_a_data_set(tmp_path: Path) -> None:
    write_tensors(tmp_path / "bare.safetensors", dict(trained().state_dict()))
    settings = config(model=str(tmp_path / "bare.safetensors"), architecture="small-cnn", dataset="small", epsilon=0.05, norm="linf")
    bare = evaluate_run(settings, tmp_path / "a", Told().heard())
    assert bare.main.which == "given"
    assert bare.main.robust == evaluate_run(config(), tmp_path / "b", Told().heard()).main.robust
    found = evaluate_run(settings.model_copy(update={"architecture": ""}), tmp_path / "d", Told().heard())
    assert found.main.robust == bare.main.robust
    with pytest.raises(InputError, match="holds the weights of none of small-cnn"):
        evaluate_run(settings.model_copy(update={"architecture": "", "dataset": "fashion-mnist"}), tmp_path / "e", Told().heard())
    with pytest.raises(InputError, match=r"preact-resnet-18|tensor|lacks"):
        evaluate_run(settings.model_copy(update={"architecture": "preact-resnet-18"}), tmp_path / "c", Told().heard())


class Wrong(nn.Module):
    """Gives what no evaluation can use."""

    def __init__(self, give: str) -> None:
        super().__init__()
        self.give, self.head = give, nn.Linear(64, 3)

    def forward(self, x):
        logits = self.head(x.flatten(1))
        return {"columns": logits[:, :2], "nan": logits * float("nan"), "tuple": (logits,), "detached": logits.detach()}[self.give]


@pytest.mark.parametrize("give", ["columns", "nan", "tuple", "detached"])
def test_a_network_of_ones_own_that_gives_no_logits_is_refused_in_a_sentence(give: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the network"):
        evaluate_run(config(model="code:own:net", dataset="small", epsilon=0.05), tmp_path, Told().heard(), net=Wrong(give))


def test_a_network_of_ones_own_is_evaluated_like_any_other(tmp_path: Path) -> None:
    mine = evaluate_run(config(model="code:own:net", dataset="small", epsilon=0.05), tmp_path / "a", Told().heard(), net=trained())
    assert mine.main.robust == evaluate_run(config(), tmp_path / "b", Told().heard()).main.robust
    assert mine.main.sha256 == "" and mine.model.source == "code:own:net"


def test_a_data_set_of_two_classes_and_one_image_is_evaluated(tmp_path: Path) -> None:
    report = evaluate_run(config(attack="autoattack", count=1, epsilon=0.01), tmp_path, Told().heard())
    assert report.n == 1 and report.main.robust.n == 1
    assert any("3 classes" in text for text in report.warnings)
    assert (outcomes(tmp_path).of["best"].broken_by >= STANDS - 1).all()
