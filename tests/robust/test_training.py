"""The robust trainer: a stop loses nothing, the schedule is torch's."""

from __future__ import annotations

import copy
import dataclasses
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from cdp.config.presets import train_preset
from cdp.config.train import TrainConfig
from cdp.data.training import TrainingData
from cdp.models.classifiers import SmallCNN
from cdp.robust.attacks import cross_entropy, kl, pgd
from cdp.robust.recipes import (
    WARM,
    cycled_momentum,
    one_cycle,
    pass_gain,
    validation_interval,
    warmed_up,
)
from cdp.robust.training import RobustTrainer
from cdp.robust.validation import Diverged
from cdp.values.types import EpochMetrics
from tests.robust import tiny

EPSILON = 0.05


def _figures(metrics: list[EpochMetrics]) -> list[tuple]:
    """Everything but the time it took, with nan equal to nan."""
    rows = [dataclasses.asdict(m) | {"seconds": 0.0} for m in metrics]
    return [tuple("nan" if value != value else value for value in row.values()) for row in rows]


def _trainer(config: TrainConfig, net: nn.Module | None = None) -> RobustTrainer:
    return RobustTrainer(net or tiny.network(), tiny.data(), config, epsilon=EPSILON)


def _last(
    config: TrainConfig,
    data: TrainingData | None = None,
    net: nn.Module | None = None,
    epsilon: float = EPSILON,
) -> EpochMetrics:
    """The last validation of a whole training."""
    trainer = RobustTrainer(net or tiny.network(), data or tiny.data(), config, epsilon=epsilon)
    return list(trainer.run())[-1]


class _Stop(Exception):
    pass


def _until(
    trainer: RobustTrainer, calls: int
) -> tuple[list[EpochMetrics], dict[str, torch.Tensor] | None]:
    """Train until the ``calls``-th call of the hook; the metrics so far and the state there, None
    at the end."""
    left, metrics = calls, []

    def on_step(_: RobustTrainer) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise _Stop

    try:
        metrics.extend(trainer.run(on_step))
    except _Stop:
        return metrics, trainer.state()
    return metrics, None


@pytest.mark.parametrize("method", ["pgd-at", "trades", "mart"])
@pytest.mark.parametrize("normalised", [False, True])
def test_resumed_at_any_step_it_equals_uninterrupted(method: str, normalised: bool) -> None:
    """Stops in mid-epoch, in mid-validation (after the sixth step), and at both again."""
    published = (
        {"momentum_cycle": True, "ema_warm_up": 0.3, "attack_start": "noise"} if normalised else {}
    )
    config = tiny.config(method=method, augmentation="cutout", **published)
    make = tiny.Normalised if normalised else tiny.network
    whole = _trainer(config, make())
    expected = list(whole.run())
    final = whole.state()
    for stops in ((1,), (6,), (7,), (8, 1), (3, 3, 3, 3)):
        metrics, state = [], None
        for calls in (*stops, 0):
            trainer = _trainer(config, make())
            if state is not None:
                trainer.load(copy.deepcopy(state))
            found, state = _until(trainer, calls)
            metrics += found
        assert _figures(metrics) == _figures(expected)
        resumed = trainer.state()
        assert resumed.keys() == final.keys()
        for name in final.keys() - {"seconds", "history"}:
            assert torch.equal(resumed[name], final[name]), name
        assert trainer.seconds > 0


def test_a_state_does_not_change_while_training_goes_on() -> None:
    trainer = _trainer(tiny.config())
    _, state = _until(trainer, 3)
    kept = copy.deepcopy(state)
    trainer.advance()
    assert all(torch.equal(state[name], kept[name]) for name in kept)


@pytest.mark.parametrize("total", [5, 8, 30, 1000])
def test_rate_and_momentum_are_torch_s_one_cycle(total: int) -> None:
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=0.3, total_steps=total, pct_start=WARM
    )
    expected, momentum = [], []
    for _ in range(total):
        expected.append(schedule.get_last_lr()[0])
        momentum.append(optimiser.param_groups[0]["momentum"])
        optimiser.step()
        if len(expected) < total:
            schedule.step()
    assert [one_cycle(step, total, peak=0.3) for step in range(total)] == pytest.approx(
        expected, rel=1e-9
    )
    assert [cycled_momentum(step, total) for step in range(total)] == pytest.approx(
        momentum, rel=1e-9
    )


@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_the_rate_of_the_shortest_trainings_is_finite_and_at_most_the_peak(total: int) -> None:
    assert all(0 < one_cycle(step, total, peak=0.3) <= 0.3 for step in range(total))
    assert all(0.85 <= cycled_momentum(step, total) <= 0.95 for step in range(total))


def test_the_budget_grows_in_proportion_and_stays_full() -> None:
    assert [warmed_up(step, 10, share=0.4) for step in (0, 1, 3, 4, 9)] == pytest.approx(
        [0.25, 0.5, 1, 1, 1]
    )
    assert warmed_up(0, 10, share=0) == 1


def test_the_step_is_that_of_a_plain_loop_written_out() -> None:
    """Two steps of TRADES with Nesterov momentum and one-cycle rate, by torch's own optimiser and
    separate forward passes."""
    config = tiny.config(warm_up=0.5, augmentation="none")
    trainer, net, total = _trainer(config), tiny.network(), 12
    optimiser = torch.optim.SGD(
        net.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4
    )
    average = {name: value.clone() for name, value in net.state_dict().items()}
    for step in range(2):
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence([0, 2, step]).generate_state(1, np.uint64)[0])
        )
        pools, rows = (trainer.data.real, trainer.data.synthetic), trainer.mixture.rows(step)
        image, label = (
            np.concatenate(part)
            for part in zip(*(p.take(r) for p, r in zip(pools, rows, strict=True)), strict=True)
        )
        x, y = torch.from_numpy(image).permute(0, 3, 1, 2).float() / 255, torch.from_numpy(label)
        share = (step + 1) / (0.5 * total)
        p = net(x).softmax(dim=1).detach()
        x_adv = pgd(
            net,
            x,
            p,
            epsilon=share * EPSILON,
            step_size=share * 2.5 * EPSILON / 2,
            steps=2,
            loss=kl,
            generator=generator,
        )
        loss = cross_entropy(net(x), y).mean() + 6 * kl(net(x_adv), net(x).softmax(dim=1)).mean()
        optimiser.param_groups[0]["lr"] = one_cycle(step, total, peak=0.1)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        decay = min(0.995, (1 + step) / (10 + step))
        average = {
            name: decay * value + (1 - decay) * net.state_dict()[name]
            for name, value in average.items()
        }
        trainer.advance()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(trainer.net.state_dict()[name], value, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(
            trainer.average.state_dict()[name], average[name], atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("method", ["pgd-at", "trades", "mart"])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_it_learns_separable_classes_under_attack(method: str, norm: str) -> None:
    config = tiny.config(method=method, norm=norm, epochs=8, epsilon=None)
    last = _last(config, epsilon=0.05 if norm == "linf" else 0.3)
    assert last.robust_accuracy > 0.9
    assert last.clean_accuracy >= last.robust_accuracy
    assert (last.epoch, last.step, last.images, last.synthetic_images) == (8, 48, 768, 384)
    assert math.isnan(last.train_clean) == (method == "pgd-at")
    assert (last.loss_clean > 0) == (method == "trades")
    assert last.epsilon == pytest.approx(0.05 if norm == "linf" else 0.3)


def test_steps_make_arms_of_any_data_equally_long_where_epochs_do_not() -> None:
    """48 real images: three steps an epoch alone, six with as many synthetic ones in every
    batch."""
    alone, mixed = tiny.data(synthetic=0), tiny.data()
    for length, expected in (({"epochs": 2}, (6, 12)), ({"epochs": None, "steps": 9}, (9, 9))):
        ends = []
        for data, change in ((alone, {"synthetic": ()}), (mixed, {})):
            last = _last(tiny.config(**length, **change), data)
            assert (last.steps, last.images) == (last.step, 16 * last.step)
            ends.append(last.step)
        assert tuple(ends) == expected


@pytest.mark.parametrize(
    ("every", "points"),
    [
        ("4 steps", [(4, 1), (8, 2), (12, 2), (14, 3)]),
        ("1 epoch", [(6, 1), (12, 2), (14, 3)]),
        ("2 epochs", [(12, 2), (14, 3)]),
        ("500 steps", [(14, 3)]),
    ],
)
def test_validation_comes_after_steps_or_epochs(every: str, points: list[tuple[int, int]]) -> None:
    found = list(_trainer(tiny.config(epochs=None, steps=14, validate_every=every)).run())
    assert [(m.step, m.epoch) for m in found] == points
    assert [m.point for m in found] == list(range(1, len(points) + 1))
    assert {(m.steps, m.epochs) for m in found} == {(14, 3)}


def test_losses_between_two_validations_are_means_over_their_steps() -> None:
    """The loss of four validations of three steps is that of two of six, two by two, and the
    network is the same."""
    often, seldom = (
        _trainer(tiny.config(epochs=None, steps=12, validate_every=every))
        for every in ("3 steps", "6 steps")
    )
    losses = [m.loss for m in often.run()]
    assert [m.loss for m in seldom.run()] == pytest.approx(
        [np.mean(losses[:2]), np.mean(losses[2:])], rel=1e-5
    )
    ours, theirs = often.state(), seldom.state()
    assert all(
        torch.equal(ours[name], theirs[name]) for name in ours if name.startswith(("net", "ema"))
    )


def test_automatic_validation_is_counted_work_below_a_tenth_of_training() -> None:
    """Passes an image: training 5 attack steps and 2 1/3 more of TRADES; validation 10 attack steps
    and two forward passes."""
    quick = train_preset("quick").model_copy(update={"validation_steps": 10})
    (every,) = {
        validation_interval(quick, total=375, steps_per_epoch=each, images=500, gain=1.0)
        for each in (15, 52)
    }
    points = -(-375 // every)
    share = points * 500 * (10 + 2 / 3) / (375 * 128 * (5 + 7 / 3))
    assert 0.04 < share <= 0.1
    assert (
        validation_interval(
            quick, total=375, steps_per_epoch=15, images=500, gain=pass_gain("cpu", half=True)
        )
        > every
    )
    long = validation_interval(quick, total=100_000, steps_per_epoch=15, images=500, gain=1.0)
    assert -(-100_000 // long) == 100
    assert validation_interval(quick, total=3, steps_per_epoch=15, images=500, gain=1.0) == 3


def test_batch_statistics_see_clean_and_attacked_images_apart_and_the_attack_moves_none() -> None:
    trainer = _trainer(tiny.config(augmentation="none"), tiny.Normalised())
    norm = trainer.net.body[1]
    seen = []
    norm.register_forward_hook(
        lambda module, args, out: seen.append((module.training, len(args[0])))
    )
    trainer.advance()
    assert [count for training, count in seen if training] == [16, 16]
    assert len([1 for training, _ in seen if not training]) == 1 + 2
    assert norm.num_batches_tracked == 2
    assert torch.equal(trainer.average.body[1].running_mean, norm.running_mean)
    assert not torch.equal(trainer.average.body[1].weight, norm.weight)


def test_bf16_trains_like_fp32_and_validates_in_fp32() -> None:
    runs = {}
    for precision in ("fp32", "bf16"):
        trainer = _trainer(tiny.config(epochs=4, precision=precision))
        *_, runs[precision] = trainer.run()
        assert all(
            value.dtype == torch.float32
            for value in trainer.state().values()
            if value.dtype not in (torch.float64, torch.int64, torch.uint8)
        )
    assert runs["bf16"].loss != runs["fp32"].loss
    assert runs["bf16"].loss == pytest.approx(runs["fp32"].loss, rel=0.25)


def test_validation_does_not_depend_on_what_was_before() -> None:
    trainer = _trainer(tiny.config(epochs=2))
    list(trainer.run())
    checked = trainer.checked
    assert checked is not None
    assert len(trainer.shown) == 8
    assert sorted(np.bincount(trainer.data.label[trainer.shown]).tolist()) == [2, 3, 3]
    clean = trainer.data.image[trainer.shown] / 255
    assert np.abs(checked.adversarial - clean).max() == pytest.approx(EPSILON, abs=1e-6)
    with torch.no_grad():
        shown = (
            trainer.average(torch.from_numpy(checked.adversarial).permute(0, 3, 1, 2))
            .argmax(dim=1)
            .numpy()
        )
    assert np.array_equal(shown, checked.predicted[trainer.shown])


def test_nan_is_found_and_never_kept() -> None:
    trainer = _trainer(tiny.config(epochs=20, learning_rate=10.0, warm_up=0.0, attack_steps=1))
    with torch.no_grad():
        trainer.net.head.weight[0, 0] = float("nan")
    with pytest.raises(Diverged, match="step 1: lower learning_rate"):
        list(trainer.run())
    trainer = _trainer(tiny.config())
    with torch.no_grad():
        trainer.net.head.weight[0, 0] = float("inf")
    with pytest.raises(Diverged, match=r"head\.weight"):
        trainer.state()


def test_the_caller_s_random_stream_is_left_alone() -> None:
    trainer = _trainer(tiny.config(epochs=1))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    list(trainer.run())
    assert torch.equal(torch.rand(1), expected)


def test_a_compiled_network_trains_to_the_same_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced as ever; machine code for it would only cost the test a minute."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    plain, compiled = (_last(tiny.config(epochs=1, compile=answer)) for answer in (False, True))
    assert compiled.loss == pytest.approx(plain.loss, rel=1e-3)


def test_a_network_without_normalisation_survives_gradients_that_break_others() -> None:
    """MART's first gradients: without a limit this training ends in NaN."""
    torch.manual_seed(3)
    config = tiny.config(method="mart", epochs=8, seed=3)
    last = _last(config, net=SmallCNN(3, 1, widths=(8, 8)))
    assert last.robust_accuracy > 0.9
