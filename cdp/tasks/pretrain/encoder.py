"""Training an encoder: data in, a checkpoint an epoch, the best epoch's averaged weights at the
end.

"Best" is chosen on training images held out from training; the test split is only measured, once,
for the card.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from cdp.config.pretrain import EncoderConfig
from cdp.data.catalog import mirrored
from cdp.data.registry import load_split
from cdp.errors import InputError, MissingError
from cdp.models.classifiers import SmallCNN
from cdp.models.encoders import encoder_folder, save_encoder
from cdp.models.precision import pick_device
from cdp.models.state import part_of
from cdp.robust.recipes import METHODS
from cdp.robust.training import ENCODER_METHODS, encoder_attack, encoder_trainer, view
from cdp.robust.validation import accuracy
from cdp.tasks.pretrain.shared import TrainingProgress, checkpoint_of, encoder_card, finite
from cdp.values.types import DatasetInfo, Split
from cdp.work.cost import time_left

CHOICE_IMAGES, CHOICE_STEPS, TEST_STEPS = 1000, 10, 20


def pretrain_encoder(config: EncoderConfig) -> Generator[TrainingProgress, None, None]:
    """One TrainingProgress a step; a checkpoint an epoch; ends with the encoder's folder."""
    target = encoder_folder(config)
    if config.flip is None:
        config = config.model_copy(update={"flip": mirrored(config.dataset)})
    split = load_split(config.dataset, "train")
    _tests(config)  # what does not fit is said before the training, not after it
    rows, chosen_by = hold_out(len(split), config.held_out, config.seed)
    work = checkpoint_of(target, config)
    trainer = encoder_trainer(
        _network(config, split.info),
        split.image[rows],
        split.label[rows],
        config,
        epsilon=config.budget(split.info),
    )
    per_epoch = trainer.total // config.epochs
    history: list[float] = []
    best: dict[str, Tensor] = {}

    def take(state: dict[str, Tensor]) -> None:
        trainer.load(state)
        history.extend(state["history"].tolist())
        best.update(part_of(state, "best"))

    work.restore(take)
    first, began = trainer.step, time.monotonic()
    while trainer.step < trainer.total:
        loss = finite(trainer.advance().item(), trainer.step)
        step, epoch_ended = trainer.step, trainer.step % per_epoch == 0
        if epoch_ended:
            history.append(_choose_by(config, trainer.average, split, chosen_by))
            if history[-1] >= max(history):
                weights = trainer.average.state_dict()
                best.update({name: value.cpu().clone() for name, value in weights.items()})
        seconds_left = time_left(time.monotonic() - began, step - first, trainer.total - step)
        try:
            yield TrainingProgress(
                step, trainer.total, loss, seconds_left, history[-1] if history else None
            )
        finally:
            # After the caller has written down this step: a kill in between costs doing the epoch
            # again, not its point of the curve.
            if epoch_ended:
                best_weights = {f"best.{name}": value for name, value in best.items()}
                work.save(
                    trainer.state()
                    | best_weights
                    | {"history": torch.tensor(history, dtype=torch.float64)}
                )
    net = _network(config, split.info)
    net.load_state_dict(best)
    card = encoder_card(
        config,
        split,
        epsilon=config.budget(split.info),
        held_out=len(chosen_by),
        history=history,
        measured=_measure(config, net),
    )
    save_encoder(target, net, card)
    work.remove()


def hold_out(count: int, wanted: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows to choose by (at most a tenth), by one seeded permutation."""
    size = min(wanted, count // 10)
    if not size:
        raise InputError(
            f"the data set has {count} training images, too few to hold some out: give it 10 or"
            " more"
        )
    rows = np.random.default_rng([seed, count]).permutation(count)
    return np.sort(rows[size:]), np.sort(rows[:size])


def _network(config: EncoderConfig, info: DatasetInfo) -> SmallCNN:
    """The network with its seeded first weights; the caller's random stream is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        net = SmallCNN(len(info.classes), info.shape[0], widths=config.widths, blocks=config.blocks)
    return net.to(pick_device())


def _choose_by(config: EncoderConfig, net: nn.Module, split: Split, rows: np.ndarray) -> float:
    """Held-out accuracy on plain images, images under PGD, or noised ones, by the kind."""
    if config.kind == "robust":
        rows = rows[:CHOICE_IMAGES]
    part = replace(split, image=split.image[rows], label=split.label[rows])
    return _accuracy(config, net, part, CHOICE_STEPS, config.seed)


def _accuracy(
    config: EncoderConfig, net: nn.Module, split: Split, attack_steps: int, seed: int
) -> float:
    """On the images as the encoder's kind sees them, attacked with the full budget."""
    method = METHODS[ENCODER_METHODS[config.kind]]
    attack = encoder_attack(config.budget(split.info), attack_steps)

    def seen(x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        return view(net, method, x, y, attack, generator)

    return accuracy(net, seen, split.image, split.label, seed=seed)


def _tests(config: EncoderConfig) -> Split | None:
    """The test images, None for none. Raises InputError for other classes or another shape."""
    try:
        return load_split(config.dataset, "test")
    except MissingError:
        return None


def _measure(config: EncoderConfig, net: nn.Module) -> dict[str, Any]:
    """Test accuracies for the card, each with its n; empty where the data set has no test split."""
    test = _tests(config)
    if test is None:
        return {}
    count = len(test)
    clean = accuracy(net, lambda x, y, generator: x, test.image, test.label, seed=0)
    measured: dict[str, Any] = {"clean": {"value": clean, "n": count}}
    if config.kind == "standard":
        return measured
    value = _accuracy(config, net, test, TEST_STEPS, 0)
    if config.kind == "noise-aware":
        noise = "one uniform t an image, cosine schedule"
        return measured | {"noised": {"value": value, "n": count, "noise": noise}}
    how = {
        "attack": "PGD",
        "steps": TEST_STEPS,
        "restarts": 1,
        "norm": "linf",
        "epsilon": config.budget(test.info),
    }
    note = "a quick estimate: stronger attacks find less"
    return measured | {"pgd": {"value": value, "n": count, **how, "note": note}}
