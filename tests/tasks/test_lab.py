"""The attack lab without its page: attacks stay in their ball."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from cdp import paths
from cdp.config.lab import GRID, LabConfig, budgets, conventional_budget
from cdp.data.catalog import CATALOG
from cdp.errors import InputError, MissingError
from cdp.models.classifiers import Classifier
from cdp.models.encoders import Encoder
from cdp.tasks import lab_attack
from cdp.tasks.lab import attack_of, smallest_of, subject_of
from cdp.tasks.lab_attack import bisect
from cdp.tasks.lab_images import save_upload
from cdp.values.lab import AttackFigures, LabSubject
from cdp.values.types import DatasetInfo
from tests.tasks.lab_world import (
    DATASET,
    PLAIN,
    RUN,
    attack_image,
    config,
    make_world,
    network,
    save_run,
    smallest_budget,
)
from tests.tasks.small_world import without_torch


@pytest.fixture
def world(cdp_home: Path) -> None:
    make_world()
    lab_attack.encoder_on_device.cache_clear()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("attack", ["cross-entropy", "margin", "targeted"])
def test_an_attack_stays_in_its_ball_and_says_so(world: None, norm: str, attack: str) -> None:
    epsilon = 0.1 if norm == "linf" else 0.8
    asked = config(
        norm=norm, attack=attack, epsilon=epsilon, target=2 if attack == "targeted" else None
    )
    made = attack_image(asked)
    found, change = made.figures, made.adversarial - made.image / np.float32(255)
    length = np.abs(change).max() if norm == "linf" else np.linalg.norm(change)
    assert length <= epsilon * 1.0001 and found.size == pytest.approx(length, abs=1e-6)
    assert made.adversarial.min() >= 0 and made.adversarial.max() <= 1
    assert found.size > 0.9 * epsilon  # it uses its budget
    x = torch.from_numpy(np.stack([made.image / np.float32(255), made.adversarial])).permute(
        0, 3, 1, 2
    )
    expected = network()(x).softmax(dim=1).numpy()
    np.testing.assert_allclose([found.before, found.after], expected, atol=1e-5)
    assert all(len(path) == asked.steps + 1 for path in found.losses)
    assert len(found.predicted) == asked.steps + 1
    last = found.losses[found.chosen][-1]
    logits = network()(x[1:]).double()[0]
    oracle = {
        "cross-entropy": -logits.log_softmax(0)[1],
        "margin": max(logits[0], logits[2]) - logits[1],
        "targeted": logits.log_softmax(0)[2],
    }
    assert last == pytest.approx(float(oracle[attack]), abs=1e-4)
    assert found.predicted[-1] == found.attacked


def test_the_strongest_start_is_shown(world: None) -> None:
    found = attack_image(config(attack="margin", norm="l2", epsilon=0.05, steps=1)).figures
    ends = [path[-1] for path in found.losses]
    assert not found.fooled and max(ends) > min(ends)
    assert ends[found.chosen] == max(ends)


def test_the_smallest_budget_fools_and_one_step_below_does_not(world: None) -> None:
    least = smallest_budget(config())
    assert least.epsilon is not None and 0 < least.epsilon < least.largest
    assert least.step <= least.largest / 256
    assert attack_image(config(epsilon=least.epsilon)).figures.fooled
    below = budgets(0.6)[budgets(0.6).index(least.epsilon) - 1]
    assert not attack_image(config(epsilon=below)).figures.fooled


class Linear(Classifier):
    """Two classes apart by a plane: the distance to it is known."""

    def __init__(self, weight: Tensor, bias: float) -> None:
        super().__init__()
        self.classes, self.channels, self.dim = 2, 1, weight.numel()
        self.head = nn.Linear(self.dim, 2)
        self.head.weight.data = torch.stack([torch.zeros_like(weight), weight])
        self.head.bias.data = torch.tensor([bias, 0.0])

    def features(self, image: Tensor) -> Tensor:
        return image.flatten(1)

    def settings(self) -> dict[str, object]:
        return {}


@pytest.mark.parametrize("attack", ["cross-entropy", "margin", "targeted"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_the_smallest_budget_of_a_plane_is_the_distance_to_it(
    norm: str, attack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Distance of x to w.x = b: |w.x - b| / |w|_1 in l_inf, / |w|_2 in l_2. The image is grey, so
    that no pixel meets 0 or 1."""
    weight = torch.randn(64, generator=torch.Generator().manual_seed(3))
    x = np.full((8, 8, 1), 128, np.uint8)
    distance = 0.11
    dual = weight.abs().sum() if norm == "linf" else weight.norm()
    bias = float(weight.sum() * 128 / 255 - distance * dual)  # the image is of class 1
    encoder = Encoder("plane", Linear(weight, bias).eval().requires_grad_(False), {}, "sha", Path())
    monkeypatch.setattr(lab_attack, "encoder_on_device", lambda name, dataset: encoder)
    info = DatasetInfo("plane", "Plane", ("below", "above"), (1, 8, 8), None, "")
    asked = LabConfig(model="plane", dataset="plane", norm=norm, attack=attack, steps=60)
    found = lab_attack.AttackLab(asked, LabSubject(x, 1, info, "sha")).smallest(
        budgets(0.3), lambda share, words: None
    )
    assert found.epsilon is not None
    # An upper bound, met to a step of the grid; in l_2 the iterates turn towards the normal only in
    # the limit.
    assert distance <= found.epsilon <= distance * (1 if norm == "linf" else 1.02) + 2 * found.step


@given(st.integers(1, 500), st.data())
def test_halving_finds_the_threshold(steps: int, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(1, steps))
    tried: list[int] = []

    def fools(k: int) -> bool:
        tried.append(k)
        return k >= threshold

    assert bisect(fools, steps) == threshold
    assert len(tried) <= 1 + steps.bit_length() and min(tried) >= 1


@given(st.sets(st.integers(1, GRID)))
def test_halving_never_claims_a_budget_that_does_not_fool(where: set[int]) -> None:
    found = bisect(lambda k: k in where, GRID)
    assert found in where if found is not None else not where & {GRID, 2 * GRID // 3, GRID // 3}


def test_none_is_found_where_none_fools(world: None) -> None:
    least = smallest_budget(config(largest=0.01))
    assert (least.epsilon, least.largest) == (None, 0.01)


def test_an_image_that_is_wrong_without_an_attack_needs_no_budget(world: None) -> None:
    image = np.full((8, 8, 1), 40, np.uint8)
    key = save_upload(image)
    found = attack_image(config(image=key, label=2)).figures
    assert (found.label, found.clean, found.wrong_before, found.fooled) == (2, 0, True, False)
    assert smallest_budget(config(image=key, label=2)).epsilon == 0
    # Without a true class it counts as what the model says.
    found = attack_image(config(image=key)).figures
    assert (found.label, found.wrong_before) == (0, False)


def test_a_targeted_attack_aims_at_its_class_or_at_the_likeliest_other_one(world: None) -> None:
    for target in (0, 2):
        found = attack_image(config(attack="targeted", target=target, epsilon=0.5)).figures
        assert found.attacked == found.target == target and found.fooled
    free = attack_image(config(attack="targeted", epsilon=0.5)).figures
    assert free.target == max((c for c in range(3) if c != 1), key=lambda c: free.before[c])


def test_what_does_not_fit_together_is_one_sentence(world: None) -> None:
    for change, word in (
        ({"row": 12}, "row 12 is not there"),
        ({"model": "gone"}, "gone"),
        ({"dataset": "nowhere"}, "nowhere"),
        ({"target": 3}, "target 3"),
        ({"attack": "targeted", "target": 1}, "own class"),
        ({"image": "0" * 24}, "upload it again"),
        ({"model": "run:../x"}, "run"),
    ):
        with pytest.raises((InputError, MissingError), match=word) as error:
            attack_image(config(**change))
        assert "\n" not in str(error.value)


def test_results_are_kept_by_content_and_read_without_torch(world: None) -> None:
    made, least = attack_image(config()), smallest_budget(config())
    program = (
        "from cdp.config.lab import LabConfig; from cdp.tasks.lab import *\nc ="
        f" LabConfig.model_validate_json('''{config().model_dump_json()}'''); s ="
        " subject_of(c)\nprint(attack_of(c, s).known().figures.after, smallest_of(c, s).known().epsilon)"
    )
    assert without_torch(program) == f"{made.figures.after} {least.epsilon}"
    again = attack_of(config(), subject_of(config())).known()
    assert again is not None and again.figures == made.figures
    assert np.array_equal(again.adversarial, made.adversarial)
    for path in (paths.cache_dir() / "lab").iterdir():
        path.write_bytes(b"{}")
    assert attack_of(config(), subject_of(config())).known() is None
    fresh = attack_image(config())
    assert np.array_equal(fresh.adversarial, made.adversarial)
    assert fresh.figures.losses == made.figures.losses


def test_a_result_is_known_by_image_weights_and_settings_alone(world: None) -> None:
    def keys(**change: object) -> tuple[str, str]:
        asked = config(**change)
        subject = subject_of(asked)
        return attack_of(asked, subject).key, smallest_of(asked, subject).key

    first = keys()
    for change in (
        {"row": 2},
        {"steps": 11},
        {"seed": 1},
        {"norm": "l2"},
        {"attack": "margin"},
        {"model": f"run:{RUN}"},
    ):
        assert not set(keys(**change)) & set(first), change
    assert keys(epsilon=0.2)[0] != first[0] and keys(epsilon=0.2)[1] == first[1]
    assert keys(largest=0.5)[0] == first[0] and keys(largest=0.5)[1] != first[1]
    assert keys(target=2) == first  # which means nothing to an attack without one
    assert keys(model=str(paths.encoders_dir() / DATASET / PLAIN)) == first


def test_a_training_that_goes_on_is_attacked_at_its_new_weights(world: None) -> None:
    before = attack_image(config(model=f"run:{RUN}")).figures.before
    save_run(2)
    after = attack_image(config(model=f"run:{RUN}")).figures.before
    assert before != after
    x = torch.from_numpy(subject_of(config()).image / np.float32(255)).permute(2, 0, 1)[None]
    np.testing.assert_allclose(after, F.softmax(network(2)(x), dim=1)[0], atol=1e-5)


def test_a_classifier_of_other_images_is_refused(world: None) -> None:
    other = str(paths.ASSETS / "encoders" / "fashion-mnist" / "standard")
    with pytest.raises(InputError, match=r"shape \(1, 8, 8\).*\(1, 28, 28\)"):
        attack_image(config(model=other))


def test_where_an_attack_succeeds_first_is_told() -> None:
    figures = AttackFigures(
        1, None, 0.1, 0.1, (0.1, 0.9), (0.8, 0.2), ((0.0, 1.0, 2.0),), (1, 0, 0), 0, 0.1
    )
    assert (figures.turned_at, figures.fooled) == (1, True)
    stands = replace(figures, after=(0.2, 0.8), predicted=(1, 0, 1))
    assert (stands.turned_at, stands.fooled) == (1, False)
    aimed = replace(figures, target=0, predicted=(1, 1, 0))
    assert (aimed.turned_at, aimed.fooled) == (2, True)


def test_every_data_set_has_a_budget_to_measure_the_slider_in() -> None:
    assert conventional_budget(CATALOG["fashion-mnist"], "linf") == 0.1
    assert conventional_budget(CATALOG["cifar10"], "l2") == pytest.approx(128 / 255, abs=1e-6)
    assert (
        conventional_budget(CATALOG["kmnist"], "linf") == 0.1
    )  # grey images of this size, without a convention
    # Where there is none: as long, for its number of pixel values, as CIFAR-10's is beside its
    # l_inf budget.
    assert conventional_budget(CATALOG["kmnist"], "l2") == pytest.approx(
        16 * 0.1 * (784 / 3072) ** 0.5, rel=0.01
    )
    steps = budgets(0.3)
    assert (steps[0], steps[100], steps[-1], len(set(steps))) == (0, 0.1, 0.3, GRID + 1)


def test_a_config_survives_its_json_and_refuses_what_is_no_attack() -> None:
    asked = config(image="ab" * 12, attack="targeted", target=2)
    assert LabConfig.model_validate_json(asked.model_dump_json()) == asked
    for change in (
        {"epsilon": float("nan")},
        {"image": "../../x"},
        {"steps": 0},
        {"attack": "targeted", "label": 1, "target": 1},
        {"norm": "l1"},
    ):
        with pytest.raises(InputError):
            config(**change)
