"""Data selection: a part of a set, chosen by one score an image, as a new set that says where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from cdp.data.samples import SampleSet
from cdp.data.sets import open_set
from cdp.errors import InputError
from cdp.models.encoders import JUDGE
from cdp.tasks.measuring import ROWS, Measured, measure_source
from cdp.tasks.scoring import score_rows
from cdp.tasks.sources import Source, dataset_of, open_source
from cdp.tasks.subsets import drop_flagged, part_of, save_part, unflagged

Criterion = Literal["separability", "confidence", "entropy", "gradient-norm", "random"]
Order = Literal["highest", "lowest"]


def scores(samples: SampleSet, by: Criterion, *, encoder: str = JUDGE, dataset: str = "", seed: int = 0) -> np.ndarray:
    """One score an image, (n,) float64.

    separability: silhouette against class means in the encoder's features. confidence: probability of the image's own label.
    entropy: of the predicted classes, in nats. gradient-norm: length of the cross-entropy's gradient with respect to weights and
    biases of the encoder's last layer, |p - onehot| sqrt(|features|^2 + 1) (GraNd of Paul et al. 2021, for that layer).
    random: uniform draws of ``seed``. dataset: whose encoder; empty takes the one on the set's card.
    Raises InputError for an encoder that does not fit the images or their classes.
    """
    if by not in get_args(Criterion):
        raise InputError(f"by: {str(by)[:40]!r} is unknown: choose one of {', '.join(get_args(Criterion))}")
    if by == "random":
        return np.random.default_rng(seed).random(len(samples))
    source = Source(
        samples.name, samples.name, samples.image, samples.label, samples.class_names,
        str(samples.card.get("dataset") or ""),
    )  # fmt: skip
    found = score_rows(source, np.arange(len(source)), encoder, dataset_of([source], dataset, encoder=encoder), [by])
    if by in found.undefined:
        raise InputError(found.undefined[by])
    return found.values[by]


def chosen_rows(score: np.ndarray, label: np.ndarray | None, keep: int, *, order: Order = "highest", balanced: bool = True) -> np.ndarray:
    """Rows of the ``keep`` best scores, ascending; ties go to the earlier image. balanced: every class gives its equal share; images without
    labels, where ``label`` is None, are of no class and none has a share.

    Where keep is no multiple of the classes, the lowest classes give one more. Raises InputError for more than there are.
    """
    if not 1 <= keep <= len(score):
        raise InputError(f"keep is {keep}: choose 1 to {len(score)}, the images of the set")
    if order not in get_args(Order):
        raise InputError(f"order: {str(order)[:40]!r} is unknown: choose highest or lowest")
    best = np.argsort(-score if order == "highest" else score, kind="stable")
    if not balanced or label is None:
        return np.sort(best[:keep])
    classes = np.unique(label)
    quota = np.full(len(classes), keep // len(classes)) + (np.arange(len(classes)) < keep % len(classes))
    parts = [best[label[best] == value][:share] for value, share in zip(classes, quota, strict=True)]
    for value, share, part in zip(classes, quota, parts, strict=True):
        if len(part) < share:
            raise InputError(
                f"keep: class {value} has {len(part)} images where its share of {keep} is {share}: keep fewer, or --no-balanced"
            )
    return np.sort(np.concatenate(parts))


def select(
    name: str, out: str, *, by: Criterion = "separability", keep: int | None = None, order: Order = "highest", balanced: bool = True,
    encoder: str = JUDGE, dataset: str = "", seed: int = 0, drop_duplicates: bool = False, drop_memorised: bool = False,
) -> SampleSet:  # fmt: skip
    """Save the chosen part of set ``name`` as set ``out`` of the store; its card names parent, criterion and seed.

    Duplicated and memorised images are dropped first where asked for; keep: how many of the rest, all where not given.
    """
    if keep is None:
        return drop_flagged(name, out, duplicates=drop_duplicates, memorised=drop_memorised, encoder=encoder, dataset=dataset)
    parent = open_set(name)
    score = scores(parent, by, encoder=encoder, dataset=dataset, seed=seed)
    left = np.arange(len(parent))
    dropped_first: dict[str, int] = {}
    if drop_duplicates or drop_memorised:
        left, dropped_first = unflagged(
            open_source(name), duplicates=drop_duplicates, memorised=drop_memorised, encoder=encoder, dataset=dataset
        )
    rows = left[chosen_rows(score[left], None if parent.label is None else parent.label[left], keep, order=order, balanced=balanced)]
    kept, dropped = score[rows], np.delete(score, rows)
    selection = {
        "by": by, "keep": keep, "order": order, "balanced": balanced and parent.label is not None, "encoder": None if by == "random" else encoder, "seed": seed,
        "mean_score_kept": float(kept.mean()), "mean_score_dropped": float(dropped.mean()) if len(dropped) else None,
    } | ({"dropped_first": dropped_first} if dropped_first else {})  # fmt: skip
    return save_part(name, rows, out, kind="selected", told=f"by {by}, {order} first", fields={"selection": selection})


@dataclass(frozen=True)
class Preview:
    """rows: (keep,) that would be kept, ascending; score: (n,) of every image of the set."""

    rows: np.ndarray
    score: np.ndarray


def preview(
    name: str, *, by: Criterion, keep: int, order: Order = "highest", balanced: bool = True, encoder: str = JUDGE, dataset: str = "",
    seed: int = 0,
) -> Preview:  # fmt: skip
    """What ``select`` would keep. Needs no torch where the scores are known; errors as there."""
    samples = open_set(name)
    score = scores(samples, by, encoder=encoder, dataset=dataset, seed=seed)
    return Preview(chosen_rows(score, samples.label, keep, order=order, balanced=balanced), score)


@dataclass(frozen=True)
class PreviewFigures:
    """Figures of the part that would be kept, of the set it comes from, and of a random part of the same size and balance."""

    kept: Measured
    parent: Measured
    control: Measured


def preview_figures(
    name: str, *, by: Criterion, keep: int, order: Order = "highest", balanced: bool = True, encoder: str = JUDGE, dataset: str = "",
    seed: int = 0, rows: int = ROWS,
) -> PreviewFigures:  # fmt: skip
    """What a selection changes, beside what its size alone does. rows: images of each that are measured, as ``measure_set``."""
    source = open_source(name)
    chosen = preview(name, by=by, keep=keep, order=order, balanced=balanced, encoder=encoder, dataset=dataset, seed=seed).rows
    control = preview(name, by="random", keep=keep, balanced=balanced, seed=seed).rows
    options = {"encoder": encoder, "dataset": dataset, "rows": rows, "seed": seed}
    part, whole, any_part = (
        measure_source(each, **options)  # type: ignore[arg-type]
        for each in (part_of(source, chosen, "kept"), source, part_of(source, control, "random part"))
    )
    return PreviewFigures(part, whole, any_part)
