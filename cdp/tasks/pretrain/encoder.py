"""Training an encoder: data in, a checkpoint an epoch, the best epoch's averaged weights at the
end.

"Best" is chosen on training images held out from training; the test split is only measured, once,
for the card.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cdp.config.pretrain import EncoderConfig
from cdp.data.catalog import MIRRORED
from cdp.data.registry import load_split
from cdp.errors import InputError, MissingError
from cdp.models.classifiers import SmallCNN
from cdp.models.encoders import save_encoder
from cdp.models.noise_schedule import COSINE, alpha_bars
from cdp.models.places import encoder_folder
from cdp.models.precision import pick_device, pick_dtype
from cdp.models.training_state import part_of
from cdp.robust.encoder_training import EncoderTrainer, View, accuracy, adversarial, noised, plain
from cdp.tasks.pretrain.cards import encoder_card
from cdp.tasks.pretrain.progress import OnProgress, Progress, ShouldStop, drive, finite
from cdp.tasks.pretrain.workplace import Workplace
from cdp.values.types import DatasetInfo, Split

WARM_UP = 0.3
CHOICE_IMAGES, CHOICE_STEPS, TEST_STEPS = 1000, 10, 20


def run_pretrain_encoder(
    config: EncoderConfig,
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """Train an encoder to the end; returns its folder.

    on_progress is called after every optimiser step, should_stop asked there. Raises Cancelled once
    stopped; started again with the same config it goes on after the last whole epoch.
    """
    drive(pretrain_encoder(config), on_progress, should_stop)
    return encoder_folder(config)


def pretrain_encoder(
    config: EncoderConfig, target: Path | None = None
) -> Generator[Progress, None, None]:
    """One Progress an optimiser step; a checkpoint an epoch; ends with the encoder's folder
    (``target`` where given)."""
    target = target or encoder_folder(config)
    if config.flip is None:
        config = config.model_copy(update={"flip": config.dataset in MIRRORED})
    split = load_split(config.dataset, "train")
    _tests(config)  # what does not fit is said before the training, not after it
    epsilon = _epsilon(config, split.info)
    rows, held = hold_out(len(split), config.held_out, config.seed)
    work = Workplace(target, config)
    trainer = _trainer(config, split.info, count=len(rows))
    history: list[float] = []
    best: dict[str, Tensor] = {}

    def take(state: dict[str, Tensor]) -> None:
        trainer.load(state)
        history.extend(state["history"].tolist())
        best.update(part_of(state, "best"))

    work.restore(take)
    first = trainer.step
    for step in trainer.run(split.image[rows], split.label[rows]):
        finite(step.loss, step.step)
        if step.epoch_ended:
            net = _network(config, split.info, trainer.ema)
            history.append(_choose_by(config, net, split, held))
            if history[-1] >= max(history):
                best.update(
                    {name: value.detach().cpu().clone() for name, value in trainer.ema.items()}
                )
        seconds_left = step.seconds / (step.step - first) * (step.total - step.step)
        try:
            yield Progress(
                step.step, step.total, step.loss, seconds_left, history[-1] if history else None
            )
        finally:
            # After the caller has written down this step: a kill in between costs doing the epoch
            # again, not its point of the curve.
            if step.epoch_ended:
                kept = {f"best.{name}": value for name, value in best.items()}
                work.save(
                    trainer.state() | kept | {"history": torch.tensor(history, dtype=torch.float64)}
                )
    net = _network(config, split.info, best)
    measured = _measure(config, net)
    save_encoder(
        target,
        net,
        encoder_card(
            config, split, epsilon=epsilon, held_out=len(held), history=history, measured=measured
        ),
    )
    work.remove()


def hold_out(count: int, wanted: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to choose by (at most a tenth), ascending, from one seeded
    permutation."""
    size = min(wanted, count // 10)
    if not size:
        raise InputError(
            f"the data set has {count} training images, too few to hold some out: give it 10 or"
            " more"
        )
    rows = np.random.default_rng([seed, count]).permutation(count)
    return np.sort(rows[size:]), np.sort(rows[:size])


def _trainer(config: EncoderConfig, info: DatasetInfo, *, count: int) -> EncoderTrainer:
    device = pick_device()
    return EncoderTrainer(
        _network(config, info, None),
        _view(config, info, steps=config.attack_steps, warm_up=WARM_UP),
        seed=config.seed,
        epochs=config.epochs,
        batch=min(config.batch, count),
        count=count,
        learning_rate=config.learning_rate,
        shift=config.shift,
        flip=bool(config.flip),
        dtype=pick_dtype(config.precision, device),
        label_smoothing=config.label_smoothing,
        weight_decay=config.weight_decay,
    )


def _network(
    config: EncoderConfig, info: DatasetInfo, weights: dict[str, Tensor] | None
) -> SmallCNN:
    """The network on its device, with the weights given or its seeded first ones; the caller's
    random stream is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = SmallCNN(len(info.classes), info.shape[0], widths=config.widths, blocks=config.blocks)
    if weights is not None:
        net.load_state_dict(weights)
    return net.to(pick_device())


def _epsilon(config: EncoderConfig, info: DatasetInfo) -> float:
    return config.epsilon or info.usual_linf


def _view(config: EncoderConfig, info: DatasetInfo, *, steps: int, warm_up: float) -> View:
    epsilon = _epsilon(config, info)
    if config.kind == "robust":
        return adversarial(epsilon=epsilon, steps=steps, warm_up=warm_up)
    return (
        noised(torch.from_numpy(alpha_bars(COSINE)).float())
        if config.kind == "noise-aware"
        else plain
    )


def _choose_by(config: EncoderConfig, net: SmallCNN, split: Split, held: np.ndarray) -> float:
    """Held-out accuracy on what the encoder is meant for: plain images, images under PGD, or noised
    images."""
    if config.kind == "robust":
        held = held[:CHOICE_IMAGES]
    view = _view(config, split.info, steps=CHOICE_STEPS, warm_up=0)
    return accuracy(net, view, split.image[held], split.label[held], seed=config.seed)


def _tests(config: EncoderConfig) -> Split | None:
    """The test images, None where there are none. Raises InputError where they have other classes
    or another shape."""
    try:
        return load_split(config.dataset, "test")
    except MissingError:
        return None


def _measure(config: EncoderConfig, net: SmallCNN) -> dict[str, Any]:
    """Test accuracies for the card, each with its n; empty where the data set has no test split."""
    test = _tests(config)
    if test is None:
        return {}
    count = len(test)
    measured: dict[str, Any] = {
        "clean": {"value": accuracy(net, plain, test.image, test.label, seed=0), "n": count}
    }
    if config.kind == "standard":
        return measured
    value = accuracy(
        net, _view(config, test.info, steps=TEST_STEPS, warm_up=0), test.image, test.label, seed=0
    )
    if config.kind == "noise-aware":
        return measured | {
            "noised": {
                "value": value,
                "n": count,
                "noise": "one uniform t an image, cosine schedule",
            }
        }
    how = {
        "attack": "PGD",
        "steps": TEST_STEPS,
        "restarts": 1,
        "norm": "linf",
        "epsilon": _epsilon(config, test.info),
    }
    return measured | {
        "pgd": {
            "value": value,
            "n": count,
            **how,
            "note": "a quick estimate: stronger attacks find less",
        }
    }
