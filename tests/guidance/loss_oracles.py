"""The losses again, as naive float64 loops over plain formulas."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cdp.guidance import losses


def _rows(value: Tensor) -> list[Tensor]:
    return list(value.double())


def info_nce(query: Tensor, positive: Tensor, temperature: float) -> Tensor:
    out = []
    for i, q in enumerate(_rows(query)):
        terms = [math.exp(float(q @ k) / temperature) for k in _rows(positive)]
        out.append(-math.log(terms[i] / sum(terms)))
    return torch.tensor(out, dtype=torch.float64)


def info_nce_bank(
    query: Tensor, positive: Tensor, bank: Tensor, temperature: float, ignore: Tensor
) -> Tensor:
    out = []
    for i, (q, k) in enumerate(zip(_rows(query), _rows(positive), strict=True)):
        own = math.exp(float(q @ k) / temperature)
        rivals = sum(
            math.exp(float(q @ b) / temperature)
            for j, b in enumerate(_rows(bank))
            if not ignore[i, j]
        )
        out.append(-math.log(own / (own + rivals)))
    return torch.tensor(out, dtype=torch.float64)


def hard_negative(
    query: Tensor, positive: Tensor, temperature: float, tau_plus: float, beta: float
) -> Tensor:
    views, batch, out = _rows(query) + _rows(positive), len(query), []
    count = 2 * batch - 2
    for i, z in enumerate(views):
        partner = (i + batch) % (2 * batch)
        p = math.exp(float(z @ views[partner]) / temperature)
        n = [
            math.exp(float(z @ v) / temperature)
            for k, v in enumerate(views)
            if k not in (i, partner)
        ]
        r = sum(v**beta * v for v in n) / (sum(v**beta for v in n) / count)
        ng = max((r - tau_plus * count * p) / (1 - tau_plus), count * math.exp(-1 / temperature))
        out.append(-math.log(p / (p + ng)))
    return torch.tensor(out, dtype=torch.float64)


def sup_con(
    query: Tensor,
    labels: Tensor,
    keys: Tensor,
    key_labels: Tensor,
    temperature: float,
    *,
    within: bool,
) -> Tensor:
    """within: keys are the queries themselves, so no row is its own key."""
    out = []
    for i, q in enumerate(_rows(query)):
        others = [
            (float(q @ k) / temperature, int(c))
            for j, (k, c) in enumerate(zip(_rows(keys), key_labels, strict=True))
            if not (within and i == j)
        ]
        total = sum(math.exp(v) for v, _ in others)
        own = [-math.log(math.exp(v) / total) for v, c in others if c == int(labels[i])]
        out.append(sum(own) / len(own) if own else 0.0)
    return torch.tensor(out, dtype=torch.float64)


def class_margin(query: Tensor, labels: Tensor, prototypes: Tensor, margin: float) -> Tensor:
    out = []
    for q, y in zip(_rows(query), labels.tolist(), strict=True):
        cosines = [float(q @ m) for m in _rows(prototypes)]
        rival = max(v for c, v in enumerate(cosines) if c != y)
        out.append(max(0.0, margin - (cosines[y] - rival)))
    return torch.tensor(out, dtype=torch.float64)


def fisher(query: Tensor, labels: Tensor, prototypes: Tensor) -> Tensor:
    out = []
    for q, y in zip(_rows(query), labels.tolist(), strict=True):
        squared = [float(((q - m) ** 2).sum()) for m in _rows(prototypes)]
        out.append(squared[y] / (sum(squared) / len(squared)))
    return torch.tensor(out, dtype=torch.float64)


def boundary(logits: Tensor, labels: Tensor, target: Tensor) -> Tensor:
    out = []
    for row, y, kappa in zip(_rows(logits), labels.tolist(), target.tolist(), strict=True):
        rival = max(float(v) for c, v in enumerate(row) if c != y)
        out.append((float(row[y]) - rival - kappa) ** 2)
    return torch.tensor(out, dtype=torch.float64)


def shares(row: Tensor) -> list[float]:
    powers = [math.exp(float(v)) for v in row]
    return [v / sum(powers) for v in powers]


def uncertainty(logits: Tensor) -> Tensor:
    out = [sum(p * math.log(p) for p in shares(row)) for row in _rows(logits)]
    return torch.tensor(out, dtype=torch.float64)


def robust_gradient(logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
    classes, width = logits.shape[1], features.shape[1]
    total = torch.zeros(classes, classes, width, dtype=torch.float64)
    for y in range(classes):
        rows = [i for i, label in enumerate(labels.tolist()) if label == y]
        for i in rows:
            p = shares(logits[i].double())
            for k in range(classes):
                for f in range(width):
                    slope = p[k] - (1.0 if k == y else 0.0)
                    total[y, k, f] += slope * float(features[i, f]) / len(rows)
    return total


def influence(logits: Tensor, features: Tensor, labels: Tensor, gradient: Tensor) -> Tensor:
    out = []
    for row, f, y in zip(_rows(logits), _rows(features), labels.tolist(), strict=True):
        p = shares(row)
        inner = 0.0
        for k, share in enumerate(p):
            for j in range(len(f)):
                slope = share - (1.0 if k == y else 0.0)
                inner += slope * float(gradient[y, k, j]) * float(f[j])
        out.append(-inner)
    return torch.tensor(out, dtype=torch.float64)


def repulsion(query: Tensor, labels: Tensor, bandwidth: float) -> Tensor:
    rows, out = _rows(query), []
    for i, q in enumerate(rows):
        near = [
            math.exp(-float(((q - other) ** 2).sum()) / (2 * bandwidth**2))
            for j, other in enumerate(rows)
            if j != i and labels[j] == labels[i]
        ]
        out.append(sum(near))
    return torch.tensor(out, dtype=torch.float64)


def supcon(query: Tensor, labels: Tensor, *, temperature: float) -> Tensor:
    """The loss itself within a batch, as the guide asks for it."""
    same, itself = labels[:, None] == labels[None, :], torch.eye(len(query), dtype=torch.bool)
    return losses.keyed_contrastive(query, query, same & ~itself, ~itself, temperature=temperature)


def supcon_keys(
    query: Tensor, labels: Tensor, keys: Tensor, key_labels: Tensor, *, temperature: float
) -> Tensor:
    """And against keys of known class."""
    same = labels[:, None] == key_labels[None, :]
    return losses.keyed_contrastive(
        query, keys, same, torch.ones_like(same), temperature=temperature
    )
