"""What every attack and every accuracy takes for granted of a network, looked at before the first
attack.

Each image has an answer of its own, the same whenever it is asked for: finite logits, one a class,
of images in [0,1]. A network whose answer depends on the rest of the batch is refused, as no number
of it is of an image; what only weakens a number is named with what it means.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.robust.trial import ShouldStop, Trial
from cdp.values.text import share_text

RANDOM, PROBABILITIES, LOG_PROBABILITIES, BATCH, RANGE, ORDER, CONSTANT, PLAIN = (
    "random",
    "probabilities",
    "log-probabilities",
    "batch",
    "input range",
    "class order",
    "constant",
    "plain images",
)
"""Kinds of findings; ``cdp.values.evaluation.UNRELIABLE`` are those that make a robust accuracy
wrong."""
LOOKED, ALONE, RANGED = 32, 8, 128
"""Images of the batch that is asked for again and again; those asked for one by one; those whose
accuracy in other ranges is measured."""
ROUNDING, DEPENDS = 1e-4, 2e-3
"""Neighbours alone change, at the same place of a batch of the same size: what that moves, as a
share of the spread of the logits. Rows of one kernel do not see each other, so ordinary networks
move by nothing at all, in any precision; beyond the first it is named, beyond the second refused.
"""
RESIZED, RESIZED_DEPENDS = 2e-3, 0.1
"""The same where size or order change, and with them the kernels: measured, fp32 networks move by
up to 1e-5, those in bf16 by up to 4e-2."""
NOISES = 4.0
"""Differences within so many times what two calls with the same seed differ by are no finding."""
GAIN, SURE = 0.1, 16.0
"""Another range, or another order of the outputs, has to be right for so many more images, as a
share, and by so much more than chance (McNemar's statistic, one degree of freedom), than the
network is and than the same answer to every image would be."""


def network_contract(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    *,
    classes: int,
    should_stop: ShouldStop | None = None,
) -> dict[str, str]:
    """What has to be said of a network's answers beside every number of it: a sentence by kind, {}
    for an ordinary network.

    image: (n,H,W,C) uint8, of which at most 128 are looked at. Raises InputError for no finite
    logits, answers that depend on the rest of the batch, or a network that writes into its images.
    """
    rows = np.unique(np.linspace(0, len(image) - 1, min(len(image), RANGED)).astype(int))
    trial = Trial(net, image[rows], label[rows], classes=classes, should_stop=should_stop)
    with trial.still(), torch.no_grad():
        x, y = trial.images(np.arange(len(trial)))
        asked = _Asked(trial, _batch(x))
        findings = asked.random() | asked.neighbours() | asked.resized()
        logits = trial.logits(x.clone(), "images")
        predicted = logits.argmax(dim=1)
        # In a range that is not its own a network may well take one class for another.
        return (
            findings
            | _outputs(logits)
            | _nothing_to_tell(x, logits)
            | (_input_range(trial, x, y, predicted == y) or _class_order(predicted, y, classes))
        )


def _batch(x: Tensor) -> Tensor:
    """At most ``LOOKED`` of the images spread over all, with noise beside too few."""
    picked = x[torch.from_numpy(np.linspace(0, len(x) - 1, min(len(x), LOOKED)).astype(int))]
    return torch.cat([picked, _noise((max(0, ALONE - len(picked)), *x.shape[1:])).to(x)])


def _noise(shape: Sequence[int]) -> Tensor:
    return torch.rand(tuple(shape), generator=torch.Generator().manual_seed(0))


@dataclass(frozen=True)
class _Moved:
    """How far logits are off. share: of their spread; changed: predictions that are others."""

    share: float
    changed: int


class _Asked:
    """A network asked for the same images in several ways, with the same random numbers."""

    def __init__(self, trial: Trial, x: Tensor) -> None:
        self.trial, self.x = trial, x
        given = x.clone()
        self.logits = self._ask(given)
        if not torch.equal(given, x):
            raise InputError(
                "the network writes into the images that it is given: copy them first in its"
                " forward pass"
            )
        centred = self.logits - self.logits.mean(dim=1, keepdim=True)
        self.spread = max(
            float(centred.std()),
            64 * torch.finfo(torch.float32).eps * float(self.logits.abs().max()),
            1e-12,
        )
        self.repeated = self._moved(self._ask(x.clone()), self.logits).share
        # Another order gives an image other random numbers, also with the same seed.
        self.redrawn = max(
            self.repeated, self._moved(self._ask(x.clone(), seed=1), self.logits).share
        )

    def random(self) -> dict[str, str]:
        if self.redrawn <= ROUNDING:
            return {}
        return {
            RANDOM: (
                "The network answers differently when asked again (logits move by"
                f" {share_text(self.redrawn)} of their spread): attacks that average over no random"
                " numbers find less than there is, so its robustness is overrated."
            )
        }

    def neighbours(self) -> dict[str, str]:
        """Half of the images stay where they are, and the others are replaced."""
        worst = _Moved(0.0, 0)
        even = torch.arange(len(self.x), device=self.x.device) % 2 == 0
        for others in (
            torch.zeros_like(self.x),
            1 - self.x,
            self.x.flip(0),
            _noise(self.x.shape).to(self.x),
        ):
            for stay in (even, ~even):
                mixed = torch.where(stay.view(-1, 1, 1, 1), self.x, others)
                moved = self._moved(self._ask(mixed)[stay], self.logits[stay])
                worst = max(worst, moved, key=lambda move: move.share)
        return self._judged(worst, ROUNDING, DEPENDS, self.repeated, "only its neighbours change")

    def resized(self) -> dict[str, str]:
        """Each of some images alone, and all in another order."""
        try:
            alone = torch.cat([self._ask(self.x[k : k + 1].clone()) for k in range(ALONE)])
        except InputError as error:
            raise InputError(
                f"one image alone: {error}: it has to answer for an image without others beside it"
            ) from error
        order = torch.randperm(len(self.x), generator=torch.Generator().manual_seed(0)).to(
            self.x.device
        )
        moves = [
            (self._moved(alone, self.logits[:ALONE]), "it is asked for alone"),
            (self._moved(self._ask(self.x[order]), self.logits[order]), "a batch is shuffled"),
        ]
        moved, when = max(moves, key=lambda move: move[0].share)
        return self._judged(moved, RESIZED, RESIZED_DEPENDS, self.redrawn, when)

    def _judged(
        self, moved: _Moved, named: float, refused: float, noise: float, when: str
    ) -> dict[str, str]:
        """noise: what calls differ by anyway, which says nothing about the batch."""
        if moved.share <= max(named, NOISES * noise):
            return {}
        effect = f"logits move by {share_text(moved.share)} of their spread when {when}"
        if moved.share > max(refused, NOISES * noise):
            raise InputError(
                "the network's answer for an image depends on the other images of its batch"
                f" ({effect}; {moved.changed} of the {len(self.x)} predictions looked at change),"
                " so no accuracy of it is of single images: normalise by running statistics or"
                " each image by itself, not over the batch"
            )
        return {
            BATCH: (
                f"The network's answer for an image depends a little on its batch ({effect}):"
                " batches of another size give other numbers."
            )
        }

    def _ask(self, x: Tensor, seed: int = 0) -> Tensor:
        torch.manual_seed(seed)
        return self.trial.logits(x, "images").float()

    def _moved(self, logits: Tensor, before: Tensor) -> _Moved:
        share = float((logits - before).abs().max()) / self.spread
        return _Moved(share, int((logits.argmax(dim=1) != before.argmax(dim=1)).sum()))


def _outputs(logits: Tensor) -> dict[str, str]:
    """Whether they are logits. logits: (B,K)."""
    if bool(((logits >= -1e-6) & (logits <= 1 + 1e-6)).all()) and logits.shape[1] > 1:
        sums = bool(((logits.sum(dim=1) - 1).abs() < 1e-3).all())
        if sums or bool((logits.amax(dim=1) > 0).any()):
            what = (
                "probabilities, as after a softmax"
                if sums
                else "between 0 and 1, as after a sigmoid"
            )
            return {
                PROBABILITIES: (
                    f"The outputs are {what}: where the network is sure its gradients vanish, so"
                    " attacks find less than there is and its robustness is overrated; return the"
                    " logits and evaluate again."
                )
            }
    if bool((logits <= 1e-6).all()) and bool((logits.logsumexp(dim=1).abs() < 1e-3).all()):
        return {
            LOG_PROBABILITIES: (
                "The outputs are logarithms of probabilities, as after a log_softmax: every attack"
                " here looks at differences of outputs, which are those of the logits, so no number"
                " changes."
            )
        }
    return {}


def _nothing_to_tell(x: Tensor, logits: Tensor) -> dict[str, str]:
    """Whether images (B,C,H,W) hold nothing to tell, or the network tells none apart."""
    if len(x) < 2:
        return {}
    if bool((x.amax(dim=(2, 3)) == x.amin(dim=(2, 3))).all()):
        return {PLAIN: f"Each of the {len(x)} images looked at is of one colour throughout."}
    if bool((logits == logits[:1]).all()):
        return {
            CONSTANT: (
                "The network's outputs are the same for all images: it tells no classes apart, and"
                " its accuracies are the share of the one class that it names."
            )
        }
    return {}


def _far_better(there: Tensor, right: Tensor, y: Tensor) -> bool:
    """Whether answers are right for far more images than the network's and than one class."""
    same = y == y.mode().values
    return all(
        won - lost >= GAIN * len(y) and (won - lost) ** 2 > SURE * (won + lost)
        for won, lost in (
            (int((there & ~other).sum()), int((other & ~there).sum())) for other in (right, same)
        )
    )


def _class_order(predicted: Tensor, y: Tensor, classes: int) -> dict[str, str]:
    """Whether the outputs mean the classes in another order, by halves of the images."""
    from scipy.optimize import linear_sum_assignment

    given, truth = predicted.cpu().numpy(), y.cpu().numpy()
    there = np.zeros(len(truth), bool)
    place = np.zeros(
        len(truth), int
    )  # of an image among those of its class, so that both halves have every class
    for number in np.unique(truth):
        place[truth == number] = np.arange(np.count_nonzero(truth == number))
    for half in (place % 2 == 0, place % 2 == 1):
        counts = np.zeros((classes, classes))
        np.add.at(counts, (given[~half], truth[~half]), 1)
        there[half] = linear_sum_assignment(counts, maximize=True)[1][given[half]] == truth[half]
    if not _far_better(torch.from_numpy(there).to(y.device), predicted == y, y):
        return {}
    return {
        ORDER: (
            f"The network is right for {share_text(float((given == truth).mean()))} of {len(truth)}"
            f" images and would be for {share_text(float(there.mean()))} with its outputs in"
            " another order: it seems to number the classes otherwise than the data set, so put"
            " its outputs in that order and evaluate again."
        )
    }


def _input_range(trial: Trial, x: Tensor, y: Tensor, right: Tensor) -> dict[str, str]:
    """Whether the network is right far more often in another range than [0,1]."""
    best: tuple[float, str] | None = None
    for name, scaled in _ranges(x):
        try:
            there = trial.logits(scaled, "images").argmax(dim=1) == y
        except InputError:
            continue  # it does not take them
        if _far_better(there, right, y) and (best is None or float(there.float().mean()) > best[0]):
            best = float(there.float().mean()), name
    if best is None:
        return {}
    return {
        RANGE: (
            f"The network is right for {share_text(float(right.float().mean()))} of {len(y)} images"
            f" in [0,1], which it is given, and for {share_text(best[0])} of the same images"
            f" {best[1]}: it seems to be made for those, so scale inside its forward pass and"
            " evaluate again."
        )
    }


def _ranges(x: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Other ranges that networks are made for, as a clause after "images"."""
    yield "in [-1,1]", 2 * x - 1
    yield "in 0..255", 255 * x
    mean, std = (
        x.mean(dim=(0, 2, 3), keepdim=True),
        x.std(dim=(0, 2, 3), keepdim=True).clamp_min(1e-3),
    )
    yield "with mean 0 and variance 1 over the data set", (x - mean) / std
