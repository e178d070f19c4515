"""Robust training: a generator of metrics, one a validation, that can be stopped after any step and
goes on as if it had not been."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Mapping
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cdp.config.train import TrainConfig, attack_steps_of, step_size_of
from cdp.data.holdout import nested_subset
from cdp.data.mixing import Mixture
from cdp.data.pools import TrainingData
from cdp.models.frozen import frozen
from cdp.models.precision import autocast, pick_dtype
from cdp.models.training_state import (
    flatten_state,
    load_optimiser,
    part_of,
    update_average,
    young_decay,
)
from cdp.robust.attacks import TRADES_START, Loss, cross_entropy, kl, pgd
from cdp.robust.augment import augmentation_of, to_tensor
from cdp.robust.health import Watch, require_finite
from cdp.robust.history import History
from cdp.robust.losses import METHODS, Parts
from cdp.robust.schedules import (
    cycled_momentum,
    one_cycle,
    pass_gain,
    validation_interval,
    warmed_up,
)
from cdp.robust.validation import Validation, validate
from cdp.values.types import EpochMetrics

MOMENTUM = 0.9
CLIP = 5.0
"""Largest gradient of a network without normalisation, whose first steps can have 20 times the
usual one: of 18 trainings of a tiny one at the default rate 5 broke without it and none with it.
With BatchNorm nothing is clipped, as in the published recipe."""
SHOWN = 8
"""Validation images whose attacked versions are handed out after every validation."""
_STREAM = 2
"""Sets augmentation and attack apart from the orders of the rows, which have streams 0 and 1."""
_SUMS = ("loss", "loss_clean", "loss_robust", "train_clean", "train_robust")

OnStep = Callable[["RobustTrainer"], None]


def train(
    net: nn.Module,
    data: TrainingData,
    config: TrainConfig,
    *,
    epsilon: float,
    state: Mapping[str, Tensor] | None = None,
    on_step: OnStep | None = None,
) -> Generator[EpochMetrics, None, None]:
    """Train ``net`` in place on its device; the metrics of every validation. epsilon: the full
    budget, in [0,1] units.

    state: what ``RobustTrainer.state`` gave, to go on from there. on_step: called after every
    optimiser step and every batch of validation; may raise to stop, and ``state()`` is whole
    whenever it is called. Raises Diverged for NaN and for a loss that stays far above what guessing
    gives.
    """
    trainer = RobustTrainer(net, data, config, epsilon=epsilon)
    if state is not None:
        trainer.load(state)
    yield from trainer.run(on_step)


class RobustTrainer:
    """Network, weight average and optimiser. Randomness is a function of (seed, step), so a stop
    loses nothing.

    net: the network as it is trained; average: the one that is validated and kept; step: optimiser
    steps done, of ``total``; every: steps from one validation to the next; history: of the
    validations; shown: validation rows handed out as examples; checked: what the last validation
    saw, None before it.
    """

    def __init__(
        self,
        net: nn.Module,
        data: TrainingData,
        config: TrainConfig,
        *,
        epsilon: float,
        dtype: torch.dtype | None = None,
    ) -> None:
        """dtype: of the attack and the forward pass, the config's where not given."""
        self.net, self.data, self.config, self.epsilon = net, data, config, epsilon
        self.device = next(net.parameters()).device
        self.dtype = dtype or pick_dtype(config.precision, self.device)
        self.mixture = Mixture(
            len(data.real or ()),
            len(data.synthetic or ()),
            batch=config.batch,
            synthetic_per_batch=config.synthetic_per_batch,
            seed=config.seed,
        )
        self.total = config.total_steps(self.mixture.steps_per_epoch)
        gain = pass_gain(self.device.type, half=self.dtype != torch.float32)
        self.every = validation_interval(
            config,
            total=self.total,
            steps_per_epoch=self.mixture.steps_per_epoch,
            images=len(data.label),
            gain=gain,
        )
        height, width, channels = data.image.shape[1:]
        self._augment = augmentation_of(
            config.augmentation, config.dataset, (channels, height, width)
        )
        self._method, self._step_size = METHODS[config.method], step_size_of(config, epsilon)
        self._attack_steps = attack_steps_of(config)
        self._normalised = any(isinstance(module, _BatchNorm) for module in net.modules())
        # One graph for each shape: there are three, and a graph for any shape is slower.
        self._forward = (
            cast(nn.Module, torch.compile(net, dynamic=False)) if config.compile else net
        )
        self.average = copy.deepcopy(net).eval().requires_grad_(False)
        self._ema = self.average.state_dict()
        self._optimiser = torch.optim.SGD(
            net.parameters(),
            lr=config.learning_rate,
            momentum=MOMENTUM,
            weight_decay=config.weight_decay,
            nesterov=True,
        )
        self.step = 0
        self.history = History()
        self.shown = nested_subset(data.label, SHOWN, seed=0, balanced=True)
        self.checked: Validation | None = None
        self._sums = torch.zeros(len(_SUMS), device=self.device)
        self._pending: list[Tensor] = []
        self._watch = Watch(data.classes)
        self._seconds = 0.0
        self._began = time.perf_counter()
        self.validation_seconds = 0.0

    @property
    def validations_left(self) -> int:
        """Until the last step, with that of the last step."""
        return -(-(self.total - self._validated) // self.every)

    @property
    def _validated(self) -> int:
        """The step of the last validation, 0 before the first."""
        return self.history[-1].metrics.step if len(self.history) else 0

    @property
    def seconds(self) -> float:
        """Of training and validation since the start, without pauses."""
        return self._seconds + time.perf_counter() - self._began

    def run(self, on_step: OnStep | None = None) -> Generator[EpochMetrics, None, None]:
        """All that is left to do. on_step: as in ``train``."""
        self._began = time.perf_counter()
        self.net.train()
        while self._validated < self.total:
            due = min(self.total, (self._validated // self.every + 1) * self.every)
            while self.step < due:
                self.advance()
                if on_step:
                    on_step(self)
            yield self._validate(on_step)

    def advance(self) -> None:
        """One optimiser step."""
        entropy = np.random.SeedSequence([self.config.seed, _STREAM, self.step]).generate_state(
            1, np.uint64
        )[0]
        generator = torch.Generator().manual_seed(int(entropy))
        x, y = self._batch(generator)
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate(self.step)
            if self.config.momentum_cycle:
                group["momentum"] = cycled_momentum(self.step, self.total)
        # Reproducible kernels: a resumed training must end with the same numbers.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            with autocast(self.device, self.dtype):
                x_adv = self._attack(x, y, generator)
                logits, logits_adv = self._logits(x, x_adv)
            parts = self._method.parts(
                logits, logits_adv, y, self.config.beta, self.config.label_smoothing
            )
            loss = parts.total.mean()
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
        if not self._normalised:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self._optimiser.step()
        update_average(self._ema, self.net, decay=self._decay(self.step))
        self.step += 1
        self._note(parts, logits, logits_adv, y)

    def state(self) -> dict[str, Tensor]:
        """Everything that changes while training, as flat tensors. Raises Diverged where any of it
        is not finite."""
        self._look()
        state = flatten_state(self.step, self.net.state_dict(), self._ema, self._optimiser)
        require_finite(state, self.step)
        own = {
            "sums": self._sums.cpu().clone(),
            "seconds": torch.tensor(self.seconds, dtype=torch.float64),
        }
        return state | own | self.history.state() | self._watch.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Take back what ``state`` gave. Raises KeyError, ValueError or RuntimeError for a state of
        another training."""
        self.net.load_state_dict(part_of(state, "net"))
        # Copied into the averaged network's own tensors, which _ema names.
        self.average.load_state_dict(part_of(state, "ema"))
        load_optimiser(self._optimiser, part_of(state, "opt"))
        self._sums.copy_(state["sums"])
        self.history.load(state)
        self._watch.load(state)
        self.step = int(state["step"])
        self._pending.clear()
        self._seconds, self._began = float(state["seconds"]), time.perf_counter()

    def _rate(self, step: int) -> float:
        return one_cycle(step, self.total, peak=self.config.learning_rate)

    def _decay(self, step: int) -> float:
        """Of the weight average: 0 while it is a copy of the weights; without such a part it
        forgets faster while young."""
        start, decay = self.config.ema_warm_up, self.config.ema_decay
        if not start:
            return young_decay(decay, step)
        return 0.0 if step < start * self.total else decay

    def _share(self, step: int) -> float:
        return warmed_up(step, self.total, share=self.config.warm_up)

    def _batch(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images (B,C,H,W) in [0,1], augmented, and labels (B,), of the step to come; real ones
        first."""
        pools = (self.data.real, self.data.synthetic)
        taken = [
            pool.take(rows)
            for pool, rows in zip(pools, self.mixture.rows(self.step), strict=True)
            if pool is not None and len(rows)
        ]
        image, label = (np.concatenate(arrays) for arrays in zip(*taken, strict=True))
        x = self._augment(to_tensor(image), generator)
        form = torch.channels_last if self.device.type == "cuda" else torch.preserve_format
        return x.to(self.device, memory_format=form), torch.from_numpy(label).to(self.device)

    def _attack(self, x: Tensor, y: Tensor, generator: torch.Generator) -> Tensor:
        """The images as the inner attack leaves them, in the budget of this step; its step size
        grows with it."""
        share = self._share(self.step)
        target: Tensor = y
        loss: Loss = cross_entropy
        if self._method.inner == "kl":
            with frozen(self.net), torch.no_grad():
                target, loss = self._forward(x).float().softmax(dim=1), kl
        return pgd(
            self._forward,
            x,
            target,
            epsilon=share * self.epsilon,
            step_size=share * self._step_size,
            steps=self._attack_steps,
            norm=self.config.norm,
            loss=loss,
            start_noise=TRADES_START if self.config.attack_start == "noise" else None,
            generator=generator,
        )

    def _logits(self, x: Tensor, x_adv: Tensor) -> tuple[Tensor | None, Tensor]:
        """Of the clean images where the method looks at them, and of the attacked ones."""
        if not self._method.needs_clean:
            return None, self._forward(x_adv)
        if self._normalised:
            # Statistics of clean and attacked images differ, and one pass would mix them.
            return self._forward(x), self._forward(x_adv)
        logits, logits_adv = self._forward(torch.cat([x, x_adv])).chunk(2)
        return logits, logits_adv

    def _note(self, parts: Parts, logits: Tensor | None, logits_adv: Tensor, y: Tensor) -> None:
        """Add to the sums since the last validation, on the device: reading them would make a GPU
        wait at every step."""
        with torch.no_grad():
            losses = [part.mean() for part in (parts.total, parts.clean, parts.robust)]
            right = [
                (
                    (found.argmax(dim=1) == y).float().mean()
                    if found is not None
                    else losses[0].new_tensor(float("nan"))
                )
                for found in (logits, logits_adv)
            ]
            self._sums += torch.stack([value.float() for value in (*losses, *right)])
            self._pending.append(losses[0].detach())
        if self.step % Watch.EVERY == 0:
            self._look()
            self._watch.require_converging()

    def _look(self) -> None:
        """Read the losses that wait on the device."""
        if self._pending:
            values = torch.stack(self._pending).tolist()
            self._pending.clear()
            self._watch.add(values, self.step)

    def _validate(self, on_step: OnStep | None) -> EpochMetrics:
        self._look()
        require_finite(self._ema, self.step)
        began, config, per_epoch = time.perf_counter(), self.config, self.mixture.steps_per_epoch
        checked = validate(
            self.average,
            self.data.image,
            self.data.label,
            epsilon=self.epsilon,
            norm=config.norm,
            steps=config.validation_steps,
            keep=self.shown.tolist(),
            on_batch=(lambda: on_step(self)) if on_step else None,
        )
        self.validation_seconds = time.perf_counter() - began
        means = (self._sums / (self.step - self._validated)).tolist()
        self._sums.zero_()
        self.checked = checked
        return self.history.add(
            checked,
            self.data.classes,
            epoch=-(-self.step // per_epoch),
            epochs=-(-self.total // per_epoch),
            step=self.step,
            steps=self.total,
            images=self.step * config.batch,
            synthetic_images=0 if config.further_real else self.step * config.synthetic_per_batch,
            seconds=self.seconds,
            learning_rate=self._rate(self.step - 1),
            epsilon=self._share(self.step - 1) * self.epsilon,
            **dict(zip(_SUMS, means, strict=True)),
        )
