"""Arithmetic on logarithms whose values and gradients stay finite at any temperature, in float32
too."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def versus(log_own: Tensor, log_rivals: Tensor) -> Tensor:
    """-log(a / (a + b)) from log a and log b, elementwise; log b may be -inf.

    A plain softmax computes the gradient of a won contrast as p - 1 with p rounded to 1, so all of
    the pull towards the positive is lost. Relative strength rescales small gradients to full
    length, so their direction has to be right.
    """
    return -F.logsigmoid(log_own - log_rivals)


def masked_logsumexp(logits: Tensor, keep: Tensor) -> Tensor:
    """Row-wise log of the sum of exp over the kept entries. logits, keep: (N, M) -> (N,); -inf,
    without gradient, where none is kept."""
    empty = ~keep.any(dim=1)
    filled = logits.masked_fill(~(keep | empty[:, None]), -torch.inf)
    return filled.logsumexp(dim=1).masked_fill(empty, -torch.inf)


def log_sub_exp(log_a: Tensor, log_b: Tensor) -> Tensor:
    """log(a - b) from log a and log b, elementwise; -inf, without gradient, where a <= b."""
    gap = log_b - log_a
    # Closer to 0 than this the gradient, 1/gap, would leave the range of the type.
    positive = gap < -(torch.finfo(gap.dtype).tiny ** 0.5)
    safe = torch.where(positive, gap, -1.0)
    return torch.where(positive, log_a + torch.log(-torch.expm1(safe)), -torch.inf)


def l_out(logits: Tensor, attract: Tensor, repel: Tensor) -> Tensor:
    """Mean over an anchor's positives of -log softmax over its positives and negatives (Khosla
    2020, Eq. 2).

    logits: (B, M); attract, repel: (B, M) bool, disjoint -> (B,) nats; 0, without gradient, where
    nothing attracts. Split as the contrast among the positives + versus(positives, negatives). The
    two are computed apart: if they shared the log sum over positives, its gradient of 1 + tiny
    would round the tiny part, all that a won contrast has left, away.
    """
    partners = attract.sum(dim=1)
    alone = (partners == 0)[:, None]
    log_share = logits.masked_fill(~(attract | alone), -torch.inf).log_softmax(dim=1)
    evenness = -torch.where(attract, log_share, 0.0).sum(dim=1) / partners.clamp_min(1)
    loss = evenness + versus(masked_logsumexp(logits, attract), masked_logsumexp(logits, repel))
    return torch.where(partners > 0, loss, 0.0)
