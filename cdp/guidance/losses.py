"""Guidance losses: pure functions from unit feature rows to one value per anchor.

No loss is averaged here: the guide sums the anchors, so one image's gradient does not shrink with
the batch.
The label-free losses live in this file; those that know classes are in class_losses.py and are
importable from here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cdp.errors import InputError
from cdp.guidance.checks import (
    check_mask,
    check_number,
    check_rivals,
    check_rows,
    check_temperature,
    check_views,
)
from cdp.guidance.class_losses import (
    class_margin,
    classifier,
    fisher,
    smooth_class_margin,
    supervised_contrastive,
    supervised_contrastive_keys,
)
from cdp.guidance.logspace import l_out, log_sub_exp, masked_logsumexp, versus

__all__ = [
    "class_margin",
    "classifier",
    "fisher",
    "hard_negative",
    "info_nce",
    "info_nce_bank",
    "keyed_contrastive",
    "smooth_class_margin",
    "supervised_contrastive",
    "supervised_contrastive_keys",
]


def info_nce(query: Tensor, positive: Tensor, *, temperature: float) -> Tensor:
    """InfoNCE per anchor over the positives of the batch (van den Oord 2018, Eq. 4).

    query, positive: (B, D) unit rows, B >= 2, row i of one belonging to row i of the other -> (B,)
    nats:
    ``-log softmax_j(q_i . k_j / temperature)`` at ``j = i``.
    Raises InputError on mismatched shapes, a batch of 1, or a temperature that is not positive.
    """
    check_views(query, positive)
    check_rivals(len(query))
    check_temperature(temperature)
    own = torch.eye(len(query), dtype=torch.bool, device=query.device)
    return l_out(query @ positive.T / temperature, own, ~own)


def info_nce_bank(
    query: Tensor,
    positive: Tensor,
    bank: Tensor,
    *,
    temperature: float,
    ignore: Tensor | None = None,
) -> Tensor:
    """InfoNCE per anchor against a bank of negatives (He 2020, MoCo, Eq. 1).

    query, positive: (B, D) unit rows; bank: (M, D) unit rows, M >= 1; ignore: (B, M) bool, True
    where a key is no negative of that anchor (say, of its own class). -> (B,) nats:
    ``-log(exp(q.k+ / t) / (exp(q.k+ / t) + sum_m exp(q.b_m / t)))``; 0, without gradient, where all
    keys are ignored. Raises InputError on mismatched shapes, an empty bank, or a temperature that
    is not positive.
    """
    check_views(query, positive)
    check_rows("bank", bank, query)
    check_temperature(temperature)
    if not len(bank):
        raise InputError(
            "the bank is empty, so there are no negatives: fill it first, or take negatives from"
            " the batch"
        )
    shape = (len(query), len(bank))
    if ignore is not None:
        check_mask("ignore", ignore, shape)
    negative = (
        ~ignore if ignore is not None else torch.ones(shape, dtype=torch.bool, device=query.device)
    )
    own = (query * positive).sum(dim=1) / temperature
    return versus(own, masked_logsumexp(query @ bank.T / temperature, negative))


def keyed_contrastive(
    query: Tensor, keys: Tensor, positive: Tensor, valid: Tensor, *, temperature: float
) -> Tensor:
    """The contrast over any set of keys: InfoNCE with one positive an anchor, SupCon's L_out with
    many (Khosla 2020, Eq. 2).

    query: (B, D), keys: (M, D) unit rows; positive, valid: (B, M) bool, where every positive is
    valid -> (B,) nats: mean over an anchor's positives of ``-log softmax over its valid keys``. 0,
    without gradient, for an anchor without positive. Raises InputError on mismatched shapes,
    positives that are not valid, or a temperature that is not positive.
    """
    check_rows("query", query)
    check_rows("keys", keys, query)
    check_temperature(temperature)
    check_mask("positive", positive, (len(query), len(keys)))
    check_mask("valid", valid, (len(query), len(keys)))
    if bool((positive & ~valid).any()):
        raise InputError("a positive key is not valid: let valid include every positive")
    return l_out(query @ keys.T / temperature, positive, valid & ~positive)


def hard_negative(
    query: Tensor, positive: Tensor, *, temperature: float, tau_plus: float, beta: float
) -> Tensor:
    """Debiased hard-negative contrast per anchor over both views (Robinson 2021; the floor is
    Chuang 2020's).

    query, positive: (B, D) unit rows, B >= 2 -> (2B,) nats, the queries first. With ``p = exp(z.z+
    / t)`` and ``n_k = exp(z.z_k / t)`` over the ``N = 2B - 2`` other rows of both views::

        R    = sum(n_k^beta * n_k) / mean(n_k^beta)
        Ng   = max((R - tau_plus * N * p) / (1 - tau_plus), N * exp(-1 / t))
        loss = -log(p / (p + Ng))

    tau_plus: assumed share of same-class images among the negatives, in [0, 1); beta >= 0: 0 counts
    all negatives alike. Where the floor is active, negatives carry no gradient: that is the
    subgradient of the max.
    Raises InputError on mismatched shapes, a batch of 1, or a parameter outside its range.
    """
    check_views(query, positive)
    check_rivals(len(query))
    check_temperature(temperature)
    check_number("tau_plus", tau_plus, low=0, high=1)
    check_number("beta", beta, low=0)
    views = torch.cat([query, positive])
    logits = views @ views.T / temperature
    log_p = ((query * positive).sum(dim=1) / temperature).repeat(2)
    # A 2x2 tiling of the identity marks each row itself and its other view.
    related = torch.eye(len(query), dtype=torch.bool, device=query.device).repeat(2, 2)
    log_n = math.log(2 * len(query) - 2)
    # Shifting by the nearest negative leaves the weights as they are and beta * logits small where
    # it matters.
    nearest = logits.detach().masked_fill(related, -torch.inf).amax(dim=1, keepdim=True)
    log_weight = (beta * (logits - nearest)).masked_fill(related, -torch.inf).log_softmax(dim=1)
    log_r = (log_weight + logits).logsumexp(dim=1) + log_n
    log_same_class = log_p + log_n + (math.log(tau_plus) if tau_plus else -math.inf)
    log_ng = log_sub_exp(log_r, log_same_class) - math.log1p(-tau_plus)
    return versus(log_p, log_ng.clamp_min(log_n - 1 / temperature))
