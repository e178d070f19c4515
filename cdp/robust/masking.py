"""Five checks of gradient masking, after Athalye 2018 and Carlini 2019."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from cdp.robust.attacks import cross_entropy, margin, unit_step
from cdp.robust.autoattack import square_attack
from cdp.robust.trial import Attacker, Trial, batches, seeded
from cdp.statistics.shares import share_difference, share_of
from cdp.values.evaluation import Check, Masking, Surface, Verdict
from cdp.values.text import bounds_text, share_text
from cdp.values.types import Interval

SPARE = 0.03
"""A check passes only where the upper end of its interval is within 3 points of the limit, so that
a few images never pass it."""
MORE_STEPS, BLACK_BOX, RESTARTS, FLAT = 0.02, 0.02, 0.05, 0.05
"""Limits, in shares: what 200 steps may turn beyond 40; what Square may turn beyond PGD; what ten
restarts together may turn beyond the first; images whose loss does not rise most along the
gradient."""
SINGLE_STARTS, QUERIES, LARGE_STEPS = 10, 500, 50


def masking_panel(attacker: Attacker, epsilon: float) -> Masking:
    """Whether gradients can be trusted, by the n images of the attacker's trial.

    Each check measures a share with its 95 % interval. It passes where the share is within its
    limit and the interval ends within 3 points of it; it warns where the whole interval is beyond
    the limit; otherwise, as with too few images, it is unclear.

    - large-budget: PGD-50 with a budget that reaches any image from any other (1 in l_inf; half the
      diagonal of [0,1]^d, from where grey is within reach, in l_2), from the image itself, as noise
      of that size fools any network. Limit: chance, one class of K. An attack that fails there
      fails for want of a gradient.
    - steps: accuracy under PGD-40 minus that of the same images under PGD-200 as well. Limit: 2
      points.
    - black-box: images that PGD-40 on cross-entropy and on the margin leave and the first 500
      queries of Square turn. Limit: 2 points.
    - restarts: accuracy under PGD-40 from one random start minus that under ten. Limit: 5 points.
    - surface: right images whose cross-entropy rises no further along the gradient, by steps up to
      epsilon, than along the best of eight random directions. Limit: 5 %.

    No check proves the absence of masking, and a network may fail one for another reason; they are
    signs. Raises Cancelled when stopped.
    """
    return _MaskingPanel(attacker, epsilon).masking()


class _MaskingPanel:
    """What the checks share: who is right, and who withstands PGD-40 from the first start."""

    def __init__(self, attacker: Attacker, epsilon: float) -> None:
        self.attacker, self.trial, self.epsilon = attacker, attacker.trial, epsilon
        self.right = attacker.right()
        self.first = self._pgd(self.right, 40)

    def masking(self) -> Masking:
        check, surface = self._surface()
        return Masking(
            len(self.trial),
            (self._large_budget(), self._steps(), self._black_box(), self._restarts(), check),
            surface,
        )

    def _pgd(self, among: np.ndarray, steps: int, *, start: int = 0) -> np.ndarray:
        return self.attacker.left_of(among, steps=steps, epsilon=self.epsilon, start=start)

    def _large_budget(self) -> Check:
        size = math.prod(self.trial.image.shape[1:])
        budget = 1.0 if self.attacker.norm == "linf" else math.sqrt(size) / 2
        classes = self.trial.classes
        assert classes is not None  # the first prediction counted them
        chance = 1 / classes
        left = share_of(
            self.attacker.left_of(self.right, steps=LARGE_STEPS, epsilon=budget, start=None)
        )
        finding = (
            f"PGD-{LARGE_STEPS} at a budget of {budget:.3g}, which reaches every image, leaves"
            f" {share_text(left.value)} right, and chance is {100 * chance:.3g} %"
        )
        figures = {"budget": budget, "left": left.value, "chance": chance}
        return _check("large-budget", finding, judged(left, chance), figures)

    def _steps(self) -> Check:
        few, many = self._pgd(self.right, 10), self._pgd(self.first, 200)
        fall = share_difference(self.first, many)
        figures = {
            "pgd10": float(few.mean()),
            "pgd40": float(self.first.mean()),
            "pgd200": float(many.mean()),
            "fall": fall.value,
        }
        ten, forty, most = (100 * figures[name] for name in ("pgd10", "pgd40", "pgd200"))
        finding = (
            f"PGD with 10, 40 and 200 steps leaves {ten:.1f}, {forty:.1f} and {most:.1f} % right,"
            f" the last a fall by {_change(fall)}"
        )
        return _check("steps", finding, judged(fall, MORE_STEPS), figures)

    def _black_box(self) -> Check:
        left = self.attacker.left_of(
            self.first, steps=40, epsilon=self.epsilon, loss=margin, start=SINGLE_STARTS
        )
        square = square_attack(
            self.trial.net,
            norm=self.attacker.norm,
            epsilon=self.epsilon,
            seed=self.attacker.seed,
            queries=QUERIES,
        )
        turned = left & ~self.attacker.left_by(left, square.run, self.epsilon)
        share = share_of(turned)
        finding = (
            f"Square, without gradients, turns {turned.sum()} of the {left.sum()} images that PGD"
            f" leaves, {share_text(share.value)} of all"
        )
        figures = {"left": float(left.sum()), "turned": float(turned.sum())}
        return _check(
            "black-box", finding, judged(share, BLACK_BOX), figures | {"share": share.value}
        )

    def _restarts(self) -> Check:
        others = (self._pgd(self.right, 40, start=start) for start in range(1, SINGLE_STARTS))
        starts = np.stack([self.first, *others])
        shares, worst = starts.mean(axis=1), np.logical_and.reduce(starts)
        gain = share_difference(self.first, worst)
        apart = int((starts.any(axis=0) & ~worst).sum())
        low, high = float(shares.min()), float(shares.max())
        finding = (
            f"Ten random starts of PGD-40 leave {100 * low:.1f} to {100 * high:.1f} % right and"
            f" disagree on {apart} images; together they turn {_change(gain)} more than the first"
        )
        figures = {
            "lowest": low,
            "highest": high,
            "worst_case": float(worst.mean()),
            "disagree": float(apart),
            "gain": gain.value,
        }
        return _check("restarts", finding, judged(gain, RESTARTS), figures)

    def _surface(self) -> tuple[Check, Surface | None]:
        """The check, and the surface of the image whose loss rises by the median."""
        rows = np.flatnonzero(self.right)
        if not len(rows):
            nothing = "No image is right to begin with"
            return _check("surface", nothing, "unclear", {"flat": 0.0}), None
        along, across = loss_rises(self.attacker, rows, self.epsilon)
        flat = share_of(along <= across)
        median, other = float(np.median(along)), float(np.median(across))
        finding = (
            f"Loss rises no further along the gradient than along the best of {DIRECTIONS} random"
            f" directions for {share_text(flat.value)} of {len(rows)} right images (medians"
            f" {median:.3g} and {other:.3g} nats)"
        )
        figures = {"flat": flat.value, "along": median, "across": other}
        check = _check("surface", finding, judged(flat, FLAT), figures)
        middle = int(rows[np.argsort(along, kind="stable")[len(rows) // 2]])
        return check, loss_surface(self.attacker, middle, self.epsilon)


def judged(share: Interval, limit: float) -> Verdict:
    """Of a share that should be within the limit, as ``masking_panel`` says."""
    if share.value <= limit and share.high <= limit + SPARE:
        return "pass"
    return "warn" if share.low > limit else "unclear"


_MEANING = {
    "large-budget": (
        "Large budget",
        "attacks can reach every image",
        "gradients do not lead where they should",
    ),
    "steps": ("More steps", "40 steps are enough", "attacks have not converged, use more steps"),
    "black-box": ("Black box", "gradients find what there is to find", "gradients are masked"),
    "restarts": (
        "Restarts",
        "one start is about as good as ten",
        "attacks depend on luck, use more restarts",
    ),
    "surface": ("Loss surface", "gradients point uphill", "gradients do not point uphill"),
}
"""Title of a check, and what it means that it passes or warns."""


def _check(name: str, finding: str, verdict: Verdict, figures: dict[str, float]) -> Check:
    title, passed, warned = _MEANING[name]
    said = {"pass": passed, "warn": warned}.get(verdict, "too close or too few images to tell")
    return Check(name, title, verdict, f"{finding}: {said}.", figures)


def _change(difference: Interval) -> str:
    """A difference without its sign, which the sentence says."""
    return f"{100 * difference.value:.1f} points ({bounds_text(difference)})"


POINTS, DIRECTIONS, SHARES = 21, 8, (0.25, 1.0)
_STREAM = 1 << 20
"""Keeps these random directions apart from the random starts of attacks."""


def loss_rises(
    attacker: Attacker, rows: np.ndarray, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """How far the cross-entropy of each of b images rises, in nats: (b,) along the gradient, and
    (b,) along the best of eight random directions of signs; each the larger rise of two steps cut
    to [0,1], one of epsilon and one of a quarter of it."""
    trial, norm = attacker.trial, attacker.norm
    along, across = [np.zeros(0)], [np.zeros(0)]
    for number, some in enumerate(batches(rows, attacker.batch)):
        x, y = trial.images(some)
        generator = seeded(attacker.seed, _STREAM, number)
        with trial.still(), torch.no_grad():
            before = cross_entropy(trial.net(x), y)
            directions = [
                _gradient_step(trial, x, y, norm),
                *(_signs(x, norm, generator) for _ in range(DIRECTIONS)),
            ]
            highest = [_highest(trial, x, y, epsilon * direction) for direction in directions]
            rises = torch.stack(highest) - before
        along.append(rises[0].cpu().numpy())
        across.append(rises[1:].amax(dim=0).cpu().numpy())
    return np.concatenate(along), np.concatenate(across)


def _highest(trial: Trial, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    losses = [cross_entropy(trial.net((x + share * step).clamp(0, 1)), y) for share in SHARES]
    return torch.stack(losses).amax(dim=0)


def loss_surface(attacker: Attacker, row: int, epsilon: float) -> Surface:
    """The loss around the image of ``row``, 21 x 21 points along and across the gradient."""
    trial, norm = attacker.trial, attacker.norm
    x, y = trial.images(np.array([row]))
    lengths = torch.linspace(-epsilon, epsilon, POINTS, dtype=torch.float64)
    with trial.still(), torch.no_grad():
        predicted = int(trial.net(x).argmax(dim=1))
        along = _gradient_step(trial, x, y, norm)
        across = _signs(x, norm, seeded(attacker.seed, _STREAM + 1))
        steps = lengths.to(x).view(-1, 1, 1, 1)
        grid = (x + steps.unsqueeze(1) * across + steps * along).clamp(0, 1).flatten(0, 1)
        parts = grid.split(attacker.batch)
        loss = torch.cat([cross_entropy(trial.net(part), y.expand(len(part))) for part in parts])
    axis = tuple(lengths.tolist())
    grid_of_loss = tuple(tuple(line) for line in loss.view(POINTS, POINTS).tolist())
    return Surface(row, int(y), predicted, axis, axis, grid_of_loss)


def _gradient_step(trial: Trial, x: Tensor, y: Tensor, norm: str) -> Tensor:
    leaf = x.clone().requires_grad_(True)
    with torch.enable_grad():
        (gradient,) = torch.autograd.grad(cross_entropy(trial.net(leaf), y).sum(), leaf)
    return unit_step(gradient, norm)


def _signs(x: Tensor, norm: str, generator: torch.Generator) -> Tensor:
    """A random sign in every place, of length 1 in the norm."""
    signs = (2 * torch.randint(2, x.shape, generator=generator) - 1).to(x)
    return signs if norm == "linf" else signs / math.sqrt(x[0].numel())
