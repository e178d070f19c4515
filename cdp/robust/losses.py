"""The losses of robust training: pure, one value an image, in log space, so that extreme logits
stay finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.errors import InputError
from cdp.robust.attacks import full_precision


@dataclass(frozen=True)
class Parts:
    """A loss and what it is made of, each (B,) nats.

    total: what is trained on; clean: the term on the images as they are, 0 where the method has
    none; robust: the term that ties or pushes the attacked images, without its weight beta.
    """

    total: Tensor
    clean: Tensor
    robust: Tensor


def pgd_at(logits_adv: Tensor, y: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Adversarial training (Madry 2018, Eq. 2): cross-entropy on attacked images. logits_adv:
    (B,K), y: (B,) -> (B,) nats.

    label_smoothing: share of the target spread evenly over all K classes, in 0..1. Raises
    InputError for K = 1 or other shapes.
    """
    return _pgd_at(None, logits_adv, y, 0.0, label_smoothing).total


def trades(
    logits: Tensor, logits_adv: Tensor, y: Tensor, *, beta: float, label_smoothing: float = 0.0
) -> Tensor:
    """TRADES (Zhang 2019, Eq. 5): CE(x, y) + beta KL(p(x) || p(x_adv)). Logits: (B,K), y: (B,) ->
    (B,) nats.

    Both sides of the divergence are differentiated. label_smoothing acts on the cross-entropy
    alone, for the divergence knows no label. Raises InputError for K = 1 or shapes that do not
    match.
    """
    return _trades(logits, logits_adv, y, beta, label_smoothing).total


def mart(
    logits: Tensor, logits_adv: Tensor, y: Tensor, *, beta: float, label_smoothing: float = 0.0
) -> Tensor:
    """MART (Wang 2020, Eq. 12): BCE(x_adv, y) + beta KL(p(x) || p(x_adv)) (1 - p_y(x)). Logits:
    (B,K), y: (B,) -> (B,) nats.

    BCE = -log p_y(x_adv) - log(1 - max over k != y of p_k(x_adv)). label_smoothing acts on its
    first half alone, which is a cross-entropy; the margin and the weight mean the label itself.
    Raises InputError for K = 1 or shapes that do not match.
    """
    return _mart(logits, logits_adv, y, beta, label_smoothing).total


PartsOf = Callable[[Tensor | None, Tensor, Tensor, float, float], Parts]


@dataclass(frozen=True)
class Method:
    """A way to train. inner: the loss its attack ascends (cdp.robust.attacks: cross_entropy with
    labels, or kl with p(x)); needs_clean: whether it looks at p(x) at all; parts(logits or None,
    logits_adv, y, beta, label_smoothing)."""

    inner: Literal["ce", "kl"]
    needs_clean: bool
    parts: PartsOf


def _pgd_at(
    logits: Tensor | None, logits_adv: Tensor, y: Tensor, beta: float, label_smoothing: float
) -> Parts:
    """Without a clean term, and without beta."""
    logits_adv = _checked(logits_adv, y, beta, label_smoothing)
    loss = F.cross_entropy(logits_adv, y, reduction="none", label_smoothing=label_smoothing)
    return Parts(loss, torch.zeros_like(loss), loss)


def _trades(
    logits: Tensor | None, logits_adv: Tensor, y: Tensor, beta: float, label_smoothing: float
) -> Parts:
    logits, logits_adv = _pair(logits, logits_adv, y, beta, label_smoothing)
    clean = F.cross_entropy(logits, y, reduction="none", label_smoothing=label_smoothing)
    robust = _divergence(logits.log_softmax(dim=1), logits_adv.log_softmax(dim=1))
    return Parts(clean + beta * robust, clean, robust)


def _mart(
    logits: Tensor | None, logits_adv: Tensor, y: Tensor, beta: float, label_smoothing: float
) -> Parts:
    """All of MART looks at attacked images, so its clean term is 0, and total - beta robust is the
    boosted cross-entropy."""
    logits, logits_adv = _pair(logits, logits_adv, y, beta, label_smoothing)
    log_p, log_p_adv = logits.log_softmax(dim=1), logits_adv.log_softmax(dim=1)
    others = log_p_adv.detach().scatter(1, y.unsqueeze(1), -torch.inf)
    boosted = F.cross_entropy(logits_adv, y, reduction="none", label_smoothing=label_smoothing)
    boosted = boosted - _log_complement(log_p_adv, others.argmax(dim=1))
    robust = _divergence(log_p, log_p_adv) * _log_complement(log_p, y).exp()
    return Parts(boosted + beta * robust, torch.zeros_like(boosted), robust)


METHODS: dict[str, Method] = {
    "pgd-at": Method("ce", False, _pgd_at),
    "trades": Method("kl", True, _trades),
    "mart": Method("ce", True, _mart),
}


def _divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) of rows of log-probabilities. (B,K) each -> (B,) nats."""
    return F.kl_div(log_q, log_p, reduction="none", log_target=True).sum(dim=1)


def _log_complement(log_p: Tensor, index: Tensor) -> Tensor:
    """log(1 - p_index), exact also where p_index rounds to 1: the sum over all others. (B,K), (B,)
    -> (B,) nats."""
    return log_p.scatter(1, index.unsqueeze(1), -torch.inf).logsumexp(dim=1)


def _pair(
    logits: Tensor | None, logits_adv: Tensor, y: Tensor, beta: float, label_smoothing: float
) -> tuple[Tensor, Tensor]:
    if logits is None or logits.shape != logits_adv.shape:
        given = "none" if logits is None else list(logits.shape)
        raise InputError(
            f"clean logits have shape {given} and attacked ones {list(logits_adv.shape)}: give both"
            " of the same images"
        )
    return full_precision(logits), _checked(logits_adv, y, beta, label_smoothing)


def _checked(logits_adv: Tensor, y: Tensor, beta: float, label_smoothing: float) -> Tensor:
    if logits_adv.dim() != 2 or logits_adv.shape[1] < 2:
        raise InputError(
            f"logits have shape {list(logits_adv.shape)}: give (B,K) with 2 classes or more"
        )
    if y.shape != logits_adv.shape[:1]:
        raise InputError(
            f"labels have shape {list(y.shape)} where logits have {list(logits_adv.shape)}: give"
            " one label a row"
        )
    if not 0 <= beta < float("inf"):
        raise InputError(f"beta {beta} cannot weigh a loss: give a finite number of 0 or more")
    if not 0 <= label_smoothing < 1:
        raise InputError(
            f"label_smoothing {label_smoothing} is not a share: give 0 or more and less than 1"
        )
    return full_precision(logits_adv)
