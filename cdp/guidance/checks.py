"""What every loss asks of its input; each refusal names the argument and the remedy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cdp.errors import InputError


def check_rows(name: str, value: Tensor, like: Tensor | None = None) -> None:
    """value must be floating-point rows (N, D); ``like``: rows whose width and type it must
    share."""
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


def check_views(query: Tensor, positive: Tensor) -> None:
    """Two views of one batch: (B, D) each, row i of one belonging to row i of the other."""
    check_rows("query", query)
    check_rows("positive", positive, query)
    if query.shape != positive.shape:
        raise InputError(
            f"{len(positive)} positives for {len(query)} queries: pass one positive a query"
        )


def check_rivals(batch: int) -> None:
    """A contrast within the batch needs someone to contrast with."""
    if batch < 2:
        raise InputError(f"batch {batch} has no negatives: raise batch size to 2 or more")


def check_labels(name: str, labels: Tensor, count: int) -> None:
    """labels must be (count,) integers."""
    if labels.shape != (count,) or labels.dtype not in (torch.int64, torch.int32):
        raise InputError(
            f"{name} has shape {tuple(labels.shape)} and type {labels.dtype}: pass {count} integer"
            " class numbers"
        )


def check_mask(name: str, mask: Tensor, shape: tuple[int, int]) -> None:
    """A mask must be booleans of exactly this shape: broadcasting one would hide a mistake."""
    if mask.shape != shape or mask.dtype != torch.bool:
        raise InputError(
            f"{name} has shape {tuple(mask.shape)} and type {mask.dtype}: pass booleans of shape"
            f" {shape}"
        )


def check_classes(count: int) -> None:
    """Telling classes apart needs at least two."""
    if count < 2:
        raise InputError(f"{count} class has no rival class: choose 2 classes or more")


def check_number(
    name: str, value: float, *, low: float, high: float = math.inf, open_low: bool = False
) -> None:
    """low <= value < high (low < value where ``open_low``); NaN is refused."""
    if not low <= value < high or (open_low and value == low):
        raise InputError(
            f"{name} is {value}: choose a number {'above' if open_low else 'from'} {low:g}, below"
            f" {high:g}"
        )


def check_temperature(value: float) -> None:
    check_number("temperature", value, low=0, open_low=True)
