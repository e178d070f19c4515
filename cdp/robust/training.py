"""Training of classifiers: one trainer, which goes on after any step as if it had not been stopped,
for robust classifiers with their validations and for small ones that serve as encoders."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd
from torch.optim import Optimizer

from cdp.config.pretrain import EncoderConfig
from cdp.config.train import TrainConfig
from cdp.data.training import Mixture, TrainingData, nested_subset
from cdp.models.precision import autocast, pick_dtype
from cdp.models.state import (
    flatten_state,
    frozen,
    load_optimiser,
    part_of,
    update_average,
    young_decay,
)
from cdp.robust.attacks import TRADES_START, Loss, cross_entropy, kl, pgd
from cdp.robust.recipes import (
    METHODS,
    Augmentation,
    LossParts,
    Method,
    augmentation_of,
    cycled_momentum,
    noised,
    one_cycle,
    pass_gain,
    to_tensor,
    validation_interval,
    warm_cosine,
    warmed_up,
)
from cdp.robust.validation import Validation, ValidationHistory, Watch, require_finite, validate
from cdp.values.types import EpochMetrics

MOMENTUM = 0.9
CLIP = 5.0
"""Largest gradient of a network without normalisation, whose first steps can have 20 times the
usual one: of 18 trainings of a tiny one at the default rate 5 broke without it and none with it.
With BatchNorm nothing is clipped, as in the published recipe."""
ENCODER_CLIP, ENCODER_DECAY, ENCODER_WARM_UP = 1.0, 0.998, 0.3
"""Of an encoder: largest gradient, decay of the weight average, and share of training over which
its budget grows."""
ENCODER_METHODS = {"standard": "standard", "robust": "pgd-at", "noise-aware": "noised"}
"""The method of ``METHODS`` that trains each kind of encoder."""
SHOWN = 8
"""Validation images whose attacked versions are handed out after every validation."""
_STREAM = 2
"""Sets augmentation and attack apart from the orders of the rows, which have streams 0 and 1."""
_SUMS = ("loss", "loss_clean", "loss_robust", "train_clean", "train_robust")

BatchOf = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]
"""(step, generator) -> images (B,C,H,W) in [0,1], augmented, and labels (B,), on the device."""
Attack = Mapping[str, Any]
"""Keyword arguments of ``pgd``: norm, epsilon, step_size, steps, start_noise."""
OnStep = Callable[["RobustTrainer"], None]


@dataclass(frozen=True)
class Recipe:
    """How weights follow from batches. rate, decay, attack, momentum: at a step from 0; clip:
    largest norm of a gradient; seeds: of all that is random in a step, with its number behind
    them."""

    method: Method
    optimiser: Callable[[Iterable[nn.Parameter]], Optimizer]
    rate: Callable[[int], float]
    decay: Callable[[int], float]
    attack: Callable[[int], Attack]
    seeds: tuple[int, ...]
    clip: float | None = None
    momentum: Callable[[int], float] | None = None
    beta: float = 0.0
    label_smoothing: float = 0.0


class ClassifierTrainer:
    """Network, weight average and optimiser. Randomness is a function of seeds and step, so a stop
    loses nothing. average: what is validated and kept; step: steps done, of ``total``."""

    def __init__(
        self,
        net: nn.Module,
        batch_of: BatchOf,
        recipe: Recipe,
        *,
        total: int,
        dtype: torch.dtype,
        compiled: bool = False,
    ) -> None:
        """dtype: of the attack and the forward pass."""
        self.net, self.batch_of, self.recipe = net, batch_of, recipe
        self.total, self.dtype = total, dtype
        self.device = next(net.parameters()).device
        self._normalised, self._one_mode = _normalised(net), not _mode_matters(net)
        # Made before the layout changes, so that it is validated as an evaluation sees it.
        self.average = copy.deepcopy(net).eval().requires_grad_(False)
        cast(Any, net).to(memory_format=torch.channels_last)
        # One graph for each shape: there are three, and a graph for any shape is slower.
        self._forward = cast(nn.Module, torch.compile(net, dynamic=False)) if compiled else net
        self._ema = self.average.state_dict()
        self._optimiser = recipe.optimiser(net.parameters())
        self.step = 0

    def advance(self) -> Tensor:
        """One optimiser step; its loss in nats, on the device."""
        recipe = self.recipe
        entropy = np.random.SeedSequence([*recipe.seeds, self.step])
        generator = torch.Generator().manual_seed(int(entropy.generate_state(1, np.uint64)[0]))
        x, y = self.batch_of(self.step, generator)
        for group in self._optimiser.param_groups:
            group["lr"] = recipe.rate(self.step)
            if recipe.momentum is not None:
                group["momentum"] = recipe.momentum(self.step)
        # Reproducible kernels: a resumed training must end with the same numbers.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            with autocast(self.device, self.dtype):
                logits, logits_seen = self._logits(x, y, generator)
            parts = recipe.method.parts(logits, logits_seen, y, recipe.beta, recipe.label_smoothing)
            loss = parts.total.mean()
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(self.net.parameters(), recipe.clip)
        self._optimiser.step()
        update_average(self._ema, self.net, decay=recipe.decay(self.step))
        self.step += 1
        self._note(parts, logits, logits_seen, y)
        return loss.detach()

    def state(self) -> dict[str, Tensor]:
        """Everything that changes while training, as flat tensors."""
        return flatten_state(self.step, self.net.state_dict(), self._ema, self._optimiser)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Raises KeyError, ValueError or RuntimeError for another training."""
        self.net.load_state_dict(part_of(state, "net"))
        # Copied into the averaged network's own tensors, which _ema names.
        self.average.load_state_dict(part_of(state, "ema"))
        load_optimiser(self._optimiser, part_of(state, "opt"))
        self.step = int(state["step"])

    def _logits(
        self, x: Tensor, y: Tensor, generator: torch.Generator
    ) -> tuple[Tensor | None, Tensor]:
        """Of the clean images where the method looks at them, and of its view."""
        method, attack = self.recipe.method, self.recipe.attack(self.step)
        if method.view == "kl" and self._one_mode:
            # What the attack departs from is what the loss looks at: one pass for both.
            logits = self._forward(x)
            seen = view(self._forward, method, x, y, attack, generator, clean=logits.detach())
            return logits, self._forward(seen)
        seen = view(self._forward, method, x, y, attack, generator)
        if not method.needs_clean:
            return None, self._forward(seen)
        if self._normalised:
            # Statistics of clean and attacked images differ, and one pass would mix them.
            return self._forward(x), self._forward(seen)
        logits, logits_seen = self._forward(torch.cat([x, seen])).chunk(2)
        return logits, logits_seen

    def _note(
        self, parts: LossParts, logits: Tensor | None, logits_seen: Tensor, y: Tensor
    ) -> None:
        """What a step came to, for those who keep account."""


def _normalised(net: nn.Module) -> bool:
    return any(isinstance(module, _BatchNorm) for module in net.modules())


def _mode_matters(net: nn.Module) -> bool:
    """Whether training mode gives other answers than eval mode."""
    return any(isinstance(module, _BatchNorm | _DropoutNd) for module in net.modules())


def view(
    net: nn.Module,
    method: Method,
    x: Tensor,
    y: Tensor,
    attack: Attack,
    generator: torch.Generator,
    *,
    clean: Tensor | None = None,
) -> Tensor:
    """What a method shows the network in place of images x (B,C,H,W) with labels y (B,). clean:
    (B,K), the network's logits of x in eval mode where they are known."""
    if method.view == "clean":
        return x
    if method.view == "noised":
        return noised(x, generator)
    target, loss = y, cast(Loss, cross_entropy)
    if method.view == "kl":
        if clean is None:
            with frozen(net), torch.no_grad():
                clean = net(x)
        target, loss = clean.float().softmax(dim=1), kl
    return pgd(net, x, target, loss=loss, generator=generator, **attack)


def encoder_attack(epsilon: float, steps: int) -> Attack:
    """PGD in l_inf of encoders: its steps lead a quarter beyond the budget."""
    return {"epsilon": epsilon, "step_size": 1.25 * epsilon / max(1, steps - 1), "steps": steps}


def encoder_trainer(
    net: nn.Module, image: np.ndarray, label: np.ndarray, config: EncoderConfig, *, epsilon: float
) -> ClassifierTrainer:
    """Training of a small classifier on (N,H,W,C) uint8 images and (N,) labels, as encoders and
    judges are: AdamW, every epoch in another order, the images that are left over dropped.

    epsilon: the budget, which grows over the first ``ENCODER_WARM_UP`` of training: at full size
    from the start a small network stays at chance.
    """
    batch, seed, peak = min(config.batch, len(label)), config.seed, config.learning_rate
    per_epoch = len(label) // batch
    total = config.epochs * per_epoch
    device = next(net.parameters()).device
    augmentation = Augmentation(config.shift, bool(config.flip))

    def batch_of(step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        epoch, index = divmod(step, per_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(len(label))
        rows = order[index * batch : (index + 1) * batch]
        x = augmentation(to_tensor(image[rows]), generator).to(device)
        return x, torch.from_numpy(label[rows].astype(np.int64)).to(device)

    def attack(step: int) -> Attack:
        share = min(1.0, step / total / ENCODER_WARM_UP)
        return encoder_attack(epsilon * share, config.attack_steps)

    recipe = Recipe(
        METHODS[ENCODER_METHODS[config.kind]],
        lambda weights: torch.optim.AdamW(weights, lr=peak, weight_decay=config.weight_decay),
        lambda step: warm_cosine(step, total, peak=peak),
        lambda step: young_decay(ENCODER_DECAY, step),
        attack,
        (seed,),
        ENCODER_CLIP,
        label_smoothing=config.label_smoothing,
    )
    net.train()
    dtype = pick_dtype(config.precision, device)
    return ClassifierTrainer(net, batch_of, recipe, total=total, dtype=dtype)


class RobustTrainer(ClassifierTrainer):
    """A trainer whose weight average is validated on the way. every: steps from one validation to
    the next; shown: validation rows handed out; checked: what the last validation saw."""

    def __init__(
        self, net: nn.Module, data: TrainingData, config: TrainConfig, *, epsilon: float
    ) -> None:
        self.data, self.config, self.epsilon = data, config, epsilon
        self.mixture = Mixture(
            len(data.real or ()),
            len(data.synthetic or ()),
            batch=config.batch,
            synthetic_per_batch=config.synthetic_per_batch,
            seed=config.seed,
        )
        device = next(net.parameters()).device
        super().__init__(
            net,
            self._batch,
            self._recipe(net),
            total=config.total_steps(self.mixture.steps_per_epoch),
            dtype=pick_dtype(config.precision, device),
            compiled=config.compile,
        )
        self.every = validation_interval(
            config,
            total=self.total,
            steps_per_epoch=self.mixture.steps_per_epoch,
            images=len(data.label),
            gain=pass_gain(device.type, half=self.dtype != torch.float32),
        )
        height, width, channels = data.image.shape[1:]
        self._augment = augmentation_of(
            config.augmentation, config.dataset, (channels, height, width)
        )
        self.history = ValidationHistory()
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
        """The metrics of every validation left. on_step: called after every step and batch of
        validation; may raise to stop. Raises Diverged for NaN and for a loss far above guessing."""
        self._began = time.perf_counter()
        self.net.train()
        while self._validated < self.total:
            due = min(self.total, (self._validated // self.every + 1) * self.every)
            while self.step < due:
                self.advance()
                if on_step:
                    on_step(self)
            yield self._validate(on_step)

    def state(self) -> dict[str, Tensor]:
        """As above. Raises Diverged where any of it is not finite."""
        self._look()
        state = super().state()
        require_finite(state, self.step)
        own = {
            "sums": self._sums.cpu().clone(),
            "seconds": torch.tensor(self.seconds, dtype=torch.float64),
        }
        return state | own | self.history.state() | self._watch.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """As ``ClassifierTrainer.load``."""
        super().load(state)
        self._sums.copy_(state["sums"])
        self.history.load(state)
        self._watch.load(state)
        self._pending.clear()
        self._seconds, self._began = float(state["seconds"]), time.perf_counter()

    def _recipe(self, net: nn.Module) -> Recipe:
        config = self.config
        steps: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
        return Recipe(
            METHODS[config.method],
            partial(torch.optim.SGD, momentum=MOMENTUM, nesterov=True, **steps),
            self._rate,
            self._decay,
            self._attack,
            (config.seed, _STREAM),
            None if _normalised(net) else CLIP,
            (lambda step: cycled_momentum(step, self.total)) if config.momentum_cycle else None,
            config.beta,
            config.label_smoothing,
        )

    def _rate(self, step: int) -> float:
        return one_cycle(step, self.total, peak=self.config.learning_rate)

    def _decay(self, step: int) -> float:
        """Of the weight average: 0 while it is a copy; else it forgets faster while young."""
        start, decay = self.config.ema_warm_up, self.config.ema_decay
        if not start:
            return young_decay(decay, step)
        return 0.0 if step < start * self.total else decay

    def _share(self, step: int) -> float:
        return warmed_up(step, self.total, share=self.config.warm_up)

    def _attack(self, step: int) -> Attack:
        """The inner attack, whose step size grows with the budget."""
        config, share = self.config, self._share(step)
        return {
            "epsilon": share * self.epsilon,
            "step_size": share * config.pgd_step_size(self.epsilon),
            "steps": config.pgd_steps,
            "norm": config.norm,
            "start_noise": TRADES_START if config.attack_start == "noise" else None,
        }

    def _batch(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """As ``BatchOf``; real images first."""
        pools = (self.data.real, self.data.synthetic)
        taken = [
            pool.take(rows)
            for pool, rows in zip(pools, self.mixture.rows(step), strict=True)
            if pool is not None and len(rows)
        ]
        image, label = (np.concatenate(arrays) for arrays in zip(*taken, strict=True))
        x = self._augment(to_tensor(image), generator)
        form = torch.channels_last if self.device.type == "cuda" else torch.preserve_format
        return x.to(self.device, memory_format=form), torch.from_numpy(label).to(self.device)

    def _note(
        self, parts: LossParts, logits: Tensor | None, logits_seen: Tensor, y: Tensor
    ) -> None:
        """Add to the sums since the last validation, on the device, so no GPU waits."""
        with torch.no_grad():
            losses = [part.mean() for part in (parts.total, parts.clean, parts.robust)]
            right = [
                losses[0].new_tensor(float("nan"))
                if answers is None
                else (answers.argmax(dim=1) == y).float().mean()
                for answers in (logits, logits_seen)
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
        self.checked = validate(
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
        return self.history.add(
            self.checked,
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
