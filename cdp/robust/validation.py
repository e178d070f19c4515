"""Accuracy on validation images, clean and under PGD: a quick estimate that is the same at every
epoch but for the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from cdp.robust.attacks import pgd
from cdp.robust.augment import to_tensor

BATCH = 250
"""Fixed, as the random start of a row follows from its place in its batch: no other number of
images may move it."""


@dataclass(frozen=True)
class Validation:
    """What a network made of n validation images.

    clean, robust: (n,) bool: right as it is; right as it is and under attack (the worst case of the
    two). predicted_clean, predicted: (n,) int64, the second under attack. adversarial: (k,H,W,C)
    float32 in [0,1], of the rows asked for.
    """

    clean: np.ndarray
    robust: np.ndarray
    predicted_clean: np.ndarray
    predicted: np.ndarray
    adversarial: np.ndarray


def validate(
    net: nn.Module,
    image: np.ndarray,
    label: np.ndarray,
    *,
    epsilon: float,
    norm: str,
    steps: int,
    keep: Sequence[int] = (),
    on_batch: Callable[[], None] | None = None,
) -> Validation:
    """Predict and attack every image, in eval mode and fp32, with a random start that is a function
    of the row alone.

    image: (n,H,W,C) uint8; keep: rows whose attacked images are handed back; on_batch: called after
    every batch, may raise. The PGD step is 2.5 budgets over all steps (Madry's rule), whatever was
    trained with.
    """
    device = next(net.parameters()).device
    clean, attacked = np.empty(len(label), np.int64), np.empty(len(label), np.int64)
    kept: dict[int, np.ndarray] = {}
    was_training = net.training
    net.eval()
    try:
        # No TF32 either, which has bf16's exponent and hardly more digits.
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            for first in range(0, len(label), BATCH):
                rows = slice(first, first + BATCH)
                x = to_tensor(image[rows]).to(device)
                y = torch.from_numpy(label[rows].astype(np.int64)).to(device)
                generator = torch.Generator().manual_seed(first)
                x_adv = pgd(
                    net,
                    x,
                    y,
                    epsilon=epsilon,
                    step_size=2.5 * epsilon / steps,
                    steps=steps,
                    norm=norm,
                    generator=generator,
                )
                with torch.no_grad():
                    clean[rows], attacked[rows] = (
                        net(shown).argmax(dim=1).cpu().numpy() for shown in (x, x_adv)
                    )
                for row in keep:
                    if first <= row < first + len(y):
                        kept[row] = x_adv[row - first].permute(1, 2, 0).cpu().numpy()
                if on_batch:
                    on_batch()
    finally:
        net.train(was_training)
    adversarial = (
        np.stack([kept[row] for row in keep])
        if len(keep)
        else np.empty((0, *image.shape[1:]), np.float32)
    )
    right = clean == label
    return Validation(right, right & (attacked == label), clean, attacked, adversarial)
