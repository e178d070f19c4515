"""Guidance losses: pure functions from unit feature rows to one value per anchor.

No loss is averaged here: the guide sums the anchors, so one image's gradient does not shrink with
the batch. Arithmetic is on logarithms, so that values and gradients stay finite and point the right
way at any temperature, in float32 too. Every refusal is an InputError that names the argument and
the remedy. What a person can choose is listed in ``cdp.config.choices``.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from cdp.errors import InputError


def info_nce(query: Tensor, positive: Tensor, *, temperature: float) -> Tensor:
    """InfoNCE per anchor over the positives of the batch (van den Oord 2018, Eq. 4).

    query, positive: (B, D) unit rows, B >= 2, row i of one belonging to row i of the other -> (B,)
    nats:
    ``-log softmax_j(q_i . k_j / temperature)`` at ``j = i``.
    """
    _require_views(query, positive)
    _require_rivals(len(query))
    _require_temperature(temperature)
    own = torch.eye(len(query), dtype=torch.bool, device=query.device)
    return _l_out(query @ positive.T / temperature, own, ~own)


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
    keys are ignored.
    """
    _require_views(query, positive)
    _require_rows("bank", bank, query)
    _require_temperature(temperature)
    if not len(bank):
        raise InputError(
            "the bank is empty, so there are no negatives: fill it first, or take negatives from"
            " the batch"
        )
    shape = (len(query), len(bank))
    if ignore is not None:
        _require_mask("ignore", ignore, shape)
    negative = (
        ~ignore if ignore is not None else torch.ones(shape, dtype=torch.bool, device=query.device)
    )
    own = (query * positive).sum(dim=1) / temperature
    return _versus(own, _masked_logsumexp(query @ bank.T / temperature, negative))


def keyed_contrastive(
    query: Tensor, keys: Tensor, positive: Tensor, valid: Tensor, *, temperature: float
) -> Tensor:
    """The contrast over any set of keys: InfoNCE with one positive an anchor, SupCon's L_out with
    many (Khosla 2020, Eq. 2).

    query: (B, D), keys: (M, D) unit rows; positive, valid: (B, M) bool, where every positive is
    valid -> (B,) nats: mean over an anchor's positives of ``-log softmax over its valid keys``. 0,
    without gradient, for an anchor without positive.
    """
    _require_rows("query", query)
    _require_rows("keys", keys, query)
    _require_temperature(temperature)
    _require_mask("positive", positive, (len(query), len(keys)))
    _require_mask("valid", valid, (len(query), len(keys)))
    if bool((positive & ~valid).any()):
        raise InputError("a positive key is not valid: let valid include every positive")
    return _l_out(query @ keys.T / temperature, positive, valid & ~positive)


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
    """
    _require_views(query, positive)
    _require_rivals(len(query))
    _require_temperature(temperature)
    _require_number("tau_plus", tau_plus, low=0, high=1)
    _require_number("beta", beta, low=0)
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
    log_ng = _log_sub_exp(log_r, log_same_class) - math.log1p(-tau_plus)
    return _versus(log_p, log_ng.clamp_min(log_n - 1 / temperature))


def smooth_class_margin(
    query: Tensor,
    labels: Tensor,
    prototypes: Tensor,
    classes: Tensor,
    *,
    margin: float,
    temperature: float,
) -> Tensor:
    """The cosine margin between the own and the nearest other class, with soft maxima: temperature
    times additive-margin softmax (Wang 2018, CosFace, Eq. 4).

    query: (B, D) unit rows; labels: (B,); prototypes: (K, D) unit rows, K >= 2; classes: (K,) the
    class each stands for -> (B,), in units of cosine:
    ``t * log(1 + sum over c != y of exp((margin - q . m_y + q . m_c) / t))``, which lies between
    the hinge (Crammer and Singer 2001) and the hinge + t * log K. All rivals count, and there is
    always a direction to go.
    """
    own, others = _split(query @ prototypes.T, _membership(query, labels, prototypes, classes))
    _require_number("margin", margin, low=0)
    _require_temperature(temperature)
    return temperature * _versus(
        (own - margin) / temperature, (others / temperature).logsumexp(dim=1)
    )


def fisher(query: Tensor, labels: Tensor, prototypes: Tensor, classes: Tensor) -> Tensor:
    """Fisher's criterion one image at a time: squared distance to the own class mean over the mean
    to all class means.

    Arguments as in ``smooth_class_margin`` -> (B,) without unit, in 0..K: ``|q - m_y|^2 /
    mean_c |q - m_c|^2``; 0 at the own mean, 1 where all are equally far. Our own form, for
    comparison.
    """
    own_class = _membership(query, labels, prototypes, classes)
    squared = (query[:, None, :] - prototypes[None, :, :]).square().sum(dim=2)
    # The floor only matters where query and all prototypes coincide; there the value and gradient
    # are 0.
    return torch.where(own_class, squared, 0.0).sum(dim=1) / squared.mean(dim=1).clamp_min(
        torch.finfo(query.dtype).eps
    )


def classifier(logits: Tensor, labels: Tensor) -> Tensor:
    """Classifier guidance: cross-entropy per image (Dhariwal and Nichol 2021, Sec. 4).

    logits: (B, K), K >= 2; labels: (B,) in 0..K-1 -> (B,) nats: ``-log softmax(logits)_y``.
    """
    own, others = _own_and_others(logits, labels)
    return _versus(own, others.logsumexp(dim=1))


def boundary(logits: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    """How far an image's margin is from where it should lie (after Ghosh et al. 2025, arXiv
    2501.10466).

    logits: (B, K), K >= 2; labels: (B,) in 0..K-1; target: (B,) margins, in units of logits: 0 is
    the decision boundary, negative the far side of it -> (B,): ``(m_y - max_{c != y} m_c -
    target)^2``.
    """
    own, others = _own_and_others(logits, labels)
    return (own - others.amax(dim=1) - target).square()


def uncertainty(logits: Tensor) -> Tensor:
    """Minus the entropy of the classifier's answer: descending it leads to images of which the
    classifier is unsure (Hemmat et al. 2023, arXiv 2310.00158).

    logits: (B, K), K >= 2 -> (B,) nats in -log K..0: ``sum_c p_c log p_c``.
    """
    _require_rows("logits", logits)
    _require_classes(logits.shape[1])
    log_p = logits.log_softmax(dim=1)
    return (log_p.exp() * log_p).sum(dim=1)


def influence(logits: Tensor, features: Tensor, labels: Tensor, gradient: Tensor) -> Tensor:
    """Minus how much a training step on the image lowers a loss elsewhere, to first order in the
    last layer: the inner product of the two gradients.

    logits: (B, K), K >= 2; features: (B, F) that the last layer takes; labels: (B,) in 0..K-1;
    gradient: (K, K, F), by class y the gradient of that loss with respect to the weights, (K, F)
    -> (B,): ``-(p - e_y)^T gradient_y f``. The gradient of cross-entropy on the image itself is
    ``(p - e_y) f^T``.
    """
    _require_rows("features", features)
    own_class = _own_class(logits, labels)
    wanted = (*own_class.shape[1:], *own_class.shape[1:], features.shape[1])
    if gradient.shape != wanted:
        raise InputError(f"gradient has shape {tuple(gradient.shape)}: pass {wanted}")
    slope = logits.softmax(dim=1) - own_class.to(logits.dtype)
    return -torch.einsum("bk,bkf,bf->b", slope, gradient[labels], features)


def repulsion(query: Tensor, labels: Tensor, *, bandwidth: float) -> Tensor:
    """How near an image is to the others of its class in the batch, by a Gaussian kernel (Particle
    Guidance, Corso et al. 2023, arXiv 2310.13102).

    query: (B, D) unit rows; labels: (B,); bandwidth: of the kernel, above 0 -> (B,), in 0..B - 1:
    ``sum over j != i with y_j = y_i of exp(-|q_i - q_j|^2 / (2 bandwidth^2))``.
    """
    _require_rows("query", query)
    _require_labels("labels", labels, len(query))
    _require_number("bandwidth", bandwidth, low=0, open_low=True)
    same = labels[:, None] == labels[None, :]
    same = same & ~torch.eye(len(query), dtype=torch.bool, device=query.device)
    near = ((query @ query.T - 1) / bandwidth**2).exp()  # of unit rows |a - b|^2 = 2 - 2 a.b
    return torch.where(same, near, 0.0).sum(dim=1)


def _l_out(logits: Tensor, attract: Tensor, repel: Tensor) -> Tensor:
    """Mean over an anchor's positives of -log softmax over its positives and negatives (Khosla
    2020, Eq. 2), (B, M) -> (B,) nats; 0, without gradient, where nothing attracts. Evenness among
    the positives and _versus(positives, negatives) are computed apart: sharing the log sum would
    round the tiny gradient of a won contrast away."""
    partners = attract.sum(dim=1)
    alone = (partners == 0)[:, None]
    log_share = logits.masked_fill(~(attract | alone), -torch.inf).log_softmax(dim=1)
    evenness = -torch.where(attract, log_share, 0.0).sum(dim=1) / partners.clamp_min(1)
    loss = evenness + _versus(_masked_logsumexp(logits, attract), _masked_logsumexp(logits, repel))
    return torch.where(partners > 0, loss, 0.0)


def _versus(log_own: Tensor, log_rivals: Tensor) -> Tensor:
    """-log(a / (a + b)) from log a and log b, elementwise; log b may be -inf.

    A plain softmax computes the gradient of a won contrast as p - 1 with p rounded to 1, so all of
    the pull towards the positive is lost. Relative strength rescales small gradients to full
    length, so their direction has to be right.
    """
    return -F.logsigmoid(log_own - log_rivals)


def _masked_logsumexp(logits: Tensor, keep: Tensor) -> Tensor:
    """Log of the sum of exp over kept entries, (N, M) -> (N,); -inf where none is kept."""
    empty = ~keep.any(dim=1)
    filled = logits.masked_fill(~(keep | empty[:, None]), -torch.inf)
    return filled.logsumexp(dim=1).masked_fill(empty, -torch.inf)


def _log_sub_exp(log_a: Tensor, log_b: Tensor) -> Tensor:
    """log(a - b) from log a and log b, elementwise; -inf, without gradient, where a <= b."""
    gap = log_b - log_a
    # Closer to 0 than this the gradient, 1/gap, would leave the range of the type.
    positive = gap < -(torch.finfo(gap.dtype).tiny ** 0.5)
    safe = torch.where(positive, gap, -1.0)
    return torch.where(positive, log_a + torch.log(-torch.expm1(safe)), -torch.inf)


def _membership(query: Tensor, labels: Tensor, prototypes: Tensor, classes: Tensor) -> Tensor:
    """(B, K) bool: which prototype is the anchor's own."""
    _require_rows("query", query)
    _require_rows("prototypes", prototypes, query)
    _require_classes(len(prototypes))
    _require_labels("classes", classes, len(prototypes))
    return _one_hot(labels, len(query), classes)


def _one_hot(labels: Tensor, count: int, classes: Tensor) -> Tensor:
    _require_labels("labels", labels, count)
    own_class = labels[:, None] == classes[None, :]
    lost = (own_class.sum(dim=1) != 1).nonzero().flatten().tolist()
    if lost:
        raise InputError(
            f"label {int(labels[lost[0]])} is not one of the {len(classes)} classes: use each class"
            " exactly once"
        )
    return own_class


def _own_class(logits: Tensor, labels: Tensor) -> Tensor:
    """(B, K) bool of logits (B, K) whose columns are the classes 0..K-1."""
    _require_rows("logits", logits)
    _require_classes(logits.shape[1])
    return _one_hot(labels, len(logits), torch.arange(logits.shape[1], device=logits.device))


def _own_and_others(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    return _split(logits, _own_class(logits, labels))


def _split(scores: Tensor, own_class: Tensor) -> tuple[Tensor, Tensor]:
    """(B, K) -> the score of the own class (B,), and all (B, K) with that one at -inf."""
    return torch.where(own_class, scores, 0.0).sum(dim=1), scores.masked_fill(own_class, -torch.inf)


def _require_rows(name: str, value: Tensor, like: Tensor | None = None) -> None:
    """Floating-point rows (N, D); ``like``: rows whose width and type they share."""
    if value.ndim != 2 or not value.is_floating_point():
        raise InputError(
            f"{name} has shape {tuple(value.shape)} and type {value.dtype}: pass floating-point"
            " rows (N, D)"
        )
    if like is not None and (value.shape[1] != like.shape[1] or value.dtype != like.dtype):
        raise InputError(
            f"{name} has rows of {value.shape[1]} {value.dtype} where the query has {like.shape[1]}"
            f" {like.dtype}: take both from the same encoder"
        )


def _require_views(query: Tensor, positive: Tensor) -> None:
    """Two views of one batch: (B, D) each, row i of one belonging to row i of the other."""
    _require_rows("query", query)
    _require_rows("positive", positive, query)
    if query.shape != positive.shape:
        raise InputError(
            f"{len(positive)} positives for {len(query)} queries: pass one positive a query"
        )


def _require_rivals(batch: int) -> None:
    """A contrast within the batch needs someone to contrast with."""
    if batch < 2:
        raise InputError(f"batch {batch} has no negatives: raise batch size to 2 or more")


def _require_labels(name: str, labels: Tensor, count: int) -> None:
    """labels must be (count,) integers."""
    if labels.shape != (count,) or labels.dtype not in (torch.int64, torch.int32):
        raise InputError(
            f"{name} has shape {tuple(labels.shape)} and type {labels.dtype}: pass {count} integer"
            " class numbers"
        )


def _require_mask(name: str, mask: Tensor, shape: tuple[int, int]) -> None:
    """A mask must be booleans of exactly this shape: broadcasting one would hide a mistake."""
    if mask.shape != shape or mask.dtype != torch.bool:
        raise InputError(
            f"{name} has shape {tuple(mask.shape)} and type {mask.dtype}: pass booleans of shape"
            f" {shape}"
        )


def _require_classes(count: int) -> None:
    """Telling classes apart needs at least two."""
    if count < 2:
        raise InputError(f"{count} class has no rival class: choose 2 classes or more")


def _require_number(
    name: str, value: float, *, low: float, high: float = math.inf, open_low: bool = False
) -> None:
    """low <= value < high (low < value where ``open_low``); NaN is refused."""
    if not low <= value < high or (open_low and value == low):
        raise InputError(
            f"{name} is {value}: choose a number {'above' if open_low else 'from'} {low:g}, below"
            f" {high:g}"
        )


def _require_temperature(value: float) -> None:
    _require_number("temperature", value, low=0, open_low=True)
