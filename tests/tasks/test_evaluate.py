"""An evaluation from its settings to its files: right figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from cdp.data.sets import save_set
from cdp.errors import Cancelled, InputError
from cdp.models.checkpoints import write_tensors
from cdp.models.classifiers import build_classifier
from cdp.paths import runs_dir
from cdp.results.evaluations import read_outcomes, read_report
from cdp.tasks.evaluate import evaluate_run
from cdp.values.evaluation import OUTCOMES, REPORT, STANDS, EvalReport, Outcomes
from cdp.work.launch import launch
from cdp.work.registry import TASKS
from tests.robust import tiny
from tests.robust.suited import short as short
from tests.tasks.evaluating_world import N, Told, config, make_data, make_run, trained
from tests.tasks.training_world import NAMES

# That AutoAttack at full length does what it says is a test of its own.
pytestmark = pytest.mark.usefixtures("short")


@pytest.fixture(autouse=True)
def world() -> Path:
    make_data()
    return make_run()


OWN = {"model": "code:own:net", "dataset": "small", "epsilon": 0.05}
"""A network of the user's own code."""


def outcomes(folder: Path) -> Outcomes:
    return read_outcomes(folder / OUTCOMES)


def evaluated(folder: Path, told: Told | None = None, net: Any = None, **change: Any) -> EvalReport:
    """The report of an evaluation to its end."""
    return evaluate_run(config(**change), folder, (told or Told()).heard(), net=net)


def test_the_report_says_what_the_outcomes_of_the_images_say(tmp_path: Path) -> None:
    told = Told()
    report = evaluated(tmp_path, told, attack="pgd", restarts=2, steps=5, epsilon=0.2)
    assert read_report(tmp_path / REPORT) == report
    found = outcomes(tmp_path)
    one, label = found.of["best"], found.label
    main = report.main
    assert main.clean.value == (one.clean == label).mean()
    assert (
        main.robust.value
        == one.robust.mean()
        == ((one.clean == label) & (one.attacked == label)).mean()
    )
    assert main.robust.n == report.n == len(label) == 40
    assert sum(stage.broken for stage in main.stages) == int((one.broken_by >= 0).sum())
    assert 0 < main.largest <= 0.2 + 1e-6
    assert [sum(row) for row in main.confusion] == np.bincount(label, minlength=3).tolist()
    assert "PGD-5" in report.label and "n = 40" in report.label and not report.quick
    assert told.progress[-1][0] == told.progress[-1][1] and told.progress[0][0] == 0
    assert [done for done, _ in told.batches] == sorted(done for done, _ in told.batches)
    assert told.batches[-1][1]["robust"] == main.robust.value


def test_a_quick_estimate_says_so_in_its_label(tmp_path: Path) -> None:
    report = evaluated(tmp_path)
    assert report.quick and report.label.startswith("PGD-10, n = 40, +/- ")
    assert report.label.endswith(": a quick estimate")


@pytest.mark.parametrize(
    ("attack", "more"),
    [("pgd", {"weights": "both", "curve": True, "unseen": True}), ("autoattack", {})],
)
def test_stopped_after_every_batch_it_ends_with_the_same_outcome_for_every_image(
    attack: str, more: dict[str, object], tmp_path: Path
) -> None:
    settings = {"attack": attack, "count": 12, "batch": 5, "restarts": 1, "steps": 3} | more
    settings |= {"epsilon": 0.4, "side_count": 10}
    whole = evaluated(tmp_path / "whole", **settings)
    stops = 0
    for _ in range(60):
        try:
            parts = evaluated(tmp_path / "parts", Told(stop_after=1), **settings)
        except Cancelled:
            stops += 1
        else:
            break
    assert stops >= 2
    for before, after in zip(whole.weights, parts.weights, strict=True):
        for name in ("clean", "robust", "confusion", "largest"):
            assert getattr(before, name) == getattr(after, name)
    assert (parts.curves, parts.unseen) == (whole.curves, whole.unseen)
    first, second = outcomes(tmp_path / "whole"), outcomes(tmp_path / "parts")
    for which in first.of:
        for name in ("clean", "attacked", "broken_by"):
            assert np.array_equal(getattr(first.of[which], name), getattr(second.of[which], name))


def test_a_resumed_one_says_first_what_was_done_before(tmp_path: Path) -> None:
    settings = {"attack": "pgd", "restarts": 1, "steps": 2, "epsilon": 0.2}
    told, again = Told(stop_after=2), Told()
    with pytest.raises(Cancelled):
        evaluated(tmp_path, told, **settings)
    evaluated(tmp_path, again, **settings)
    assert again.progress[0][0] == told.progress[-1][0] > 0


def test_damaged_state_costs_its_work_and_nothing_else(tmp_path: Path) -> None:
    settings = {"attack": "pgd", "restarts": 1, "steps": 2, "epsilon": 0.2, "curve": True}
    whole = evaluated(tmp_path, **settings)
    (tmp_path / REPORT).unlink()
    for name in ("suite-best.npz", "curve-best.json"):
        (tmp_path / "state" / name).write_bytes(b"PK\x03\x04 not a zip")
    again = evaluated(tmp_path, **settings)
    assert again.main.robust == whole.main.robust and again.curves == whole.curves


def test_other_weights_under_the_same_name_do_not_go_on(world: Path, tmp_path: Path) -> None:
    with pytest.raises(Cancelled):
        evaluated(tmp_path, Told(stop_after=1), attack="pgd")
    net = trained()
    with torch.no_grad():
        net.head.bias += 0.1
    write_tensors(world / "best" / "model.safetensors", dict(net.state_dict()))
    with pytest.raises(InputError, match="weights: this evaluation was begun with"):
        evaluated(tmp_path, attack="pgd")


def test_bare_weights_of_one_of_our_networks_need_its_name_and_a_data_set(tmp_path: Path) -> None:
    write_tensors(tmp_path / "bare.safetensors", dict(trained().state_dict()))
    settings = OWN | {"model": str(tmp_path / "bare.safetensors"), "norm": "linf"}
    bare = evaluated(tmp_path / "a", architecture="small-cnn", **settings)
    assert bare.main.which == "given"
    assert bare.main.robust == evaluated(tmp_path / "b").main.robust
    assert evaluated(tmp_path / "d", **settings).main.robust == bare.main.robust
    with pytest.raises(InputError, match="holds the weights of none of small-cnn"):
        evaluated(tmp_path / "e", **settings | {"dataset": "fashion-mnist"})
    with pytest.raises(InputError, match=r"preact-resnet-18|tensor|lacks"):
        evaluated(tmp_path / "c", architecture="preact-resnet-18", **settings)


class Wrong(nn.Module):
    """Gives what no evaluation can use."""

    def __init__(self, give: str) -> None:
        super().__init__()
        self.give, self.head = give, nn.Linear(64, 3)

    def forward(self, x):
        logits = self.head(x.flatten(1))
        return {
            "columns": logits[:, :2],
            "nan": logits * float("nan"),
            "tuple": (logits,),
            "detached": logits.detach(),
        }[self.give]


@pytest.mark.parametrize("give", ["columns", "nan", "tuple", "detached"])
def test_an_own_network_that_gives_no_logits_is_refused(give: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the network"):
        evaluated(tmp_path, net=Wrong(give), **OWN)


class OverTheBatch(nn.Module):
    """Normalises over the batch, whatever its mode."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.asked_with_gradient = trained(), False

    def forward(self, x):
        self.asked_with_gradient |= x.requires_grad
        return self.body((x - x.mean(dim=0)) / (x.std(dim=0) + 0.1))


@pytest.mark.parametrize("attack", ["quick", "pgd", "autoattack"])
def test_normalising_over_the_batch_is_refused(attack: str, tmp_path: Path) -> None:
    net, told = OverTheBatch(), Told()
    with pytest.raises(InputError, match="depends on the other images of its batch"):
        evaluated(tmp_path, told, net, attack=attack, **OWN)
    assert not told.batches and not net.asked_with_gradient
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize("attack", ["quick", "pgd"])
def test_probabilities_are_named_in_every_report_and_file(attack: str, tmp_path: Path) -> None:
    net = nn.Sequential(trained(), nn.Softmax(dim=1))
    found = evaluated(tmp_path, net=net, attack=attack, **OWN)
    sentence = found.contract["probabilities"]
    assert sentence in found.warnings and "as after a softmax" in sentence
    assert read_report(tmp_path / "report.json").contract == {"probabilities": sentence}


def test_which_of_two_sets_of_weights_was_evaluated_stands_in_the_report(tmp_path: Path) -> None:
    plain = build_classifier("small-cnn", classes=3, shape=(1, 8, 8), seed=5).state_dict()
    averaged = {f"ema.{name}": value for name, value in trained().state_dict().items()}
    write_tensors(tmp_path / "two.safetensors", plain | averaged)
    settings = OWN | {"model": str(tmp_path / "two.safetensors"), "norm": "linf"}
    found = evaluated(tmp_path / "a", **settings)
    assert any("ema.*, are used" in text for text in found.warnings)
    assert found.main.robust == evaluated(tmp_path / "b").main.robust


@pytest.mark.parametrize("kind", ["file", "file of a network", "folder"])
def test_weights_of_no_network_are_not_queued(kind: str, tmp_path: Path, world: Path) -> None:
    model, more, where = str(tmp_path / "w.safetensors"), {}, tmp_path / "w.safetensors"
    if kind == "folder":
        model, where = str(world / "best"), world / "best" / "model.safetensors"
    elif kind == "file of a network":
        more = {"architecture": "preact-resnet-18"}
    write_tensors(where, {"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(1000)})
    with pytest.raises(InputError) as caught:
        launch(TASKS["evaluate"], config(**OWN | {"model": model, "norm": "linf"} | more), "mine")
    message = str(caught.value)
    assert all(
        word in message
        for word in ("'conv1.weight' [64, 3, 7, 7]", "'fc.bias' [1000]", "no tensor", where.name)
    )
    assert ("'body.0.0.weight' [32, 4, 3, 3]" in message) == (kind != "file of a network")
    assert [run.name for run in runs_dir().iterdir() if not run.name.startswith(".")] == [
        world.name
    ]


def test_pickled_weights_are_refused_with_lines_that_lead_on(tmp_path: Path) -> None:
    torch.save({"model": trained().state_dict(), "epoch": 3}, tmp_path / "w.pt")
    settings = config(model=str(tmp_path / "w.pt"), dataset="small", epsilon=0.05, norm="linf")
    with pytest.raises(InputError, match="is a pickle") as caught:
        launch(TASKS["evaluate"], settings, "mine")
    assert "safetensors" in str(caught.value).partition("\n")[2]


def test_a_network_of_ones_own_is_evaluated_like_any_other(tmp_path: Path) -> None:
    mine = evaluated(tmp_path / "a", net=trained(), **OWN)
    assert mine.main.robust == evaluated(tmp_path / "b").main.robust
    assert mine.main.sha256 == "" and mine.model.source == "code:own:net"


def test_a_data_set_of_two_classes_and_one_image_is_evaluated(tmp_path: Path) -> None:
    report = evaluated(tmp_path, attack="autoattack", count=1, epsilon=0.01)
    assert report.n == 1 and report.main.robust.n == 1
    assert any("3 classes" in text for text in report.warnings)
    assert (outcomes(tmp_path).of["best"].broken_by >= STANDS - 1).all()


def test_images_numbered_otherwise_come_to_the_same_figures_class_by_class(tmp_path: Path) -> None:
    """The same images, once as the network numbers its classes and once in an order of their
    own."""
    image, label = tiny.images(N, 5)
    names = [NAMES[2], NAMES[0], NAMES[1]]
    save_set("turned", *tiny.images(60, 0), {"class_names": names})
    save_set("turned-test", image, (label + 1) % 3, {"class_names": names})
    plain = evaluated(tmp_path / "a", count=N)
    turned = evaluated(tmp_path / "b", count=N, dataset="turned", epsilon=0.05)
    for name in ("clean", "robust", "classes", "confusion"):
        assert getattr(turned.main, name) == getattr(plain.main, name)
    assert plain.main.clean.value > 0.8 and turned.class_names == plain.class_names
    assert any("by name" in warning for warning in turned.warnings)
    assert not any("by name" in warning for warning in plain.warnings)


def test_a_class_without_images_has_no_figures(tmp_path: Path) -> None:
    image, label = tiny.images(N, 5)
    rows = label != 1
    save_set(
        "two",
        image[rows],
        (label[rows] == 2).astype(np.int64),
        {"class_names": [NAMES[0], NAMES[2]]},
    )
    report = evaluated(tmp_path, part="two")
    assert [(one.name, one.n > 0, one.robust is not None) for one in report.main.classes] == [
        (NAMES[0], True, True),
        (NAMES[1], False, False),
        (NAMES[2], True, True),
    ]
    assert report.main.clean.value > 0.8
    assert ", on two, over 2 of 3 classes" in report.label
    assert any(f"no image of '{NAMES[1]}'" in warning for warning in report.warnings)
