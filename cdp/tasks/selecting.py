"""Data selection: a part of a set, chosen by one score an image, as a new set."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, TypedDict, Unpack, get_args

import numpy as np

from cdp.config.choices import Order
from cdp.config.explore import PIXELS
from cdp.data.samples import SampleSet
from cdp.data.sets import open_set
from cdp.errors import InputError
from cdp.files.cache import Report, ignore
from cdp.models.encoders import JUDGE, TRAINED, list_encoders
from cdp.tasks.features import weights_of
from cdp.tasks.measured import Measured, SetComparison
from cdp.tasks.measuring import ROWS, measure_source
from cdp.tasks.scoring import criteria, score_rows
from cdp.tasks.sources import Source, dataset_of, open_source
from cdp.tasks.subsets import drop_flagged, part_of, save_part, unflagged
from cdp.values.text import counted

IDENTICAL = (
    "The random part, which has as many images of each class, is the very same images, so nothing"
    " is compared: keep fewer images of a class than there are to choose from."
)


def scores(
    samples: SampleSet, by: str, *, encoder: str = JUDGE, dataset: str = "", seed: int = 0
) -> np.ndarray:
    """One score an image, (n,) float64, or uniform draws of ``seed`` for "random". Raises
    InputError for an encoder that does not fit."""
    if by not in criteria():
        raise InputError(f"by: {str(by)[:40]!r} is unknown: choose one of {', '.join(criteria())}")
    if by == "random":
        return np.random.default_rng(seed).random(len(samples))
    source = Source(
        samples.name,
        samples.name,
        samples.image,
        samples.label,
        samples.class_names,
        str(samples.card.get("dataset") or ""),
    )
    answers = score_rows(
        source,
        np.arange(len(source)),
        encoder,
        dataset_of([source], dataset, encoder=encoder),
        [by],
    )
    if by in answers.undefined:
        raise InputError(answers.undefined[by])
    return answers.values[by]


def chosen_rows(
    score: np.ndarray,
    label: np.ndarray | None,
    keep: int,
    *,
    order: Order = "highest",
    balanced: bool = True,
) -> np.ndarray:
    """Rows of the ``keep`` best scores, ascending; ties go to the earlier image. order: what is
    best; mixed takes half from the lowest scores and half evenly over the ranks of the others.
    balanced: every class gives its equal share, the lowest one more where it does not divide.
    Raises InputError for more than there are."""
    if not 1 <= keep <= len(score):
        raise InputError(f"keep is {keep}: choose 1 to {len(score)}, the images of the set")
    if order not in get_args(Order):
        raise InputError(
            f"order: {str(order)[:40]!r} is unknown: choose one of {', '.join(get_args(Order))}"
        )
    best = np.argsort(-score if order == "highest" else score, kind="stable")
    if not balanced or label is None:
        return np.sort(_first(best, keep, order))
    classes = np.unique(label)
    quota = np.full(len(classes), keep // len(classes)) + (
        np.arange(len(classes)) < keep % len(classes)
    )
    parts = [
        _first(best[label[best] == value], share, order)
        for value, share in zip(classes, quota, strict=True)
    ]
    for value, share, part in zip(classes, quota, parts, strict=True):
        if len(part) < share:
            raise InputError(
                f"keep: class {value} has {counted(len(part), 'image')} where its share"
                f" of {keep} is {share}: keep fewer, or switch balanced off"
            )
    return np.sort(np.concatenate(parts))


def _first(best: np.ndarray, keep: int, order: Order) -> np.ndarray:
    """The rows to keep of those that are ``best`` first; fewer where there are no more."""
    if order != "mixed" or keep >= len(best):
        return best[:keep]
    lowest = (keep + 1) // 2
    rest, others = best[lowest:], keep - lowest
    return np.concatenate([best[:lowest], rest[_evenly(len(rest), others)]])


def _evenly(count: int, of: int) -> np.ndarray:
    """``of`` places out of ``count``, evenly spaced."""
    return ((np.arange(of) + 0.5) * count / of).astype(int)


class Wish(TypedDict, total=False):
    """What is kept of a set. by: one of ``scoring.criteria``; keep: how many images, all that are
    left where not given; balanced: as many of every class; encoder, dataset: in whose eyes; seed:
    of chance; drop_duplicates, drop_memorised: whether these go first."""

    by: str
    keep: int | None
    order: Order
    balanced: bool
    encoder: str
    dataset: str
    seed: int
    drop_duplicates: bool
    drop_memorised: bool


DEFAULT: Wish = {
    "by": "separability",
    "keep": None,
    "order": "highest",
    "balanced": True,
    "encoder": JUDGE,
    "dataset": "",
    "seed": 0,
    "drop_duplicates": False,
    "drop_memorised": False,
}


def select(name: str, out: str, **wish: Unpack[Wish]) -> SampleSet:
    """Save the chosen part of a set as set ``out``; its card names parent, criterion and seed."""
    given: Wish = {**DEFAULT, **wish}
    if given["keep"] is None:
        return drop_flagged(
            name,
            out,
            duplicates=given["drop_duplicates"],
            memorised=given["drop_memorised"],
            encoder=given["encoder"],
            dataset=given["dataset"],
        )
    chosen, by, order = preview(name, **given), given["by"], given["order"]
    chosen_scores, left = chosen.score[chosen.rows], np.delete(chosen.score, chosen.rows)
    selection = {
        "by": by,
        "keep": given["keep"],
        "order": order,
        "balanced": given["balanced"] and chosen.labelled,
        "encoder": None if by == "random" else given["encoder"],
        "seed": given["seed"],
        "mean_score_kept": float(chosen_scores.mean()),
        "mean_score_dropped": float(left.mean()) if len(left) else None,
    } | ({"dropped_first": chosen.dropped_first} if chosen.dropped_first else {})
    which = "half from the lowest" if order == "mixed" else f"{order} first"
    how = "at random" if by == "random" else f"by {by}, {which}"
    fields = {"selection": selection}
    return save_part(name, chosen.rows, out, kind="selected", reason=how, fields=fields)


@dataclass(frozen=True)
class Preview:
    """rows: (keep,) that are kept, ascending; pool: (m,) those they were chosen among; score: (n,)
    of every image of the set; dropped_first: how many images of each kind were left out of the
    pool; labelled: whether the set has labels."""

    rows: np.ndarray
    pool: np.ndarray
    score: np.ndarray
    dropped_first: dict[str, int]
    labelled: bool


def preview(name: str, **wish: Unpack[Wish]) -> Preview:
    """What ``select`` keeps. Needs no torch where the scores are known; errors as there."""
    given: Wish = {**DEFAULT, **wish}
    samples, encoder, dataset = open_set(name), given["encoder"], given["dataset"]
    score = scores(samples, given["by"], encoder=encoder, dataset=dataset, seed=given["seed"])
    pool = np.arange(len(samples))
    dropped_first: dict[str, int] = {}
    if given["drop_duplicates"] or given["drop_memorised"]:
        pool, dropped_first = unflagged(
            open_source(name),
            duplicates=given["drop_duplicates"],
            memorised=given["drop_memorised"],
            encoder=encoder,
            dataset=dataset,
        )
    label = None if samples.label is None else samples.label[pool]
    keep = len(pool) if given["keep"] is None else given["keep"]
    order, balanced = given["order"], given["balanced"]
    rows = pool[chosen_rows(score[pool], label, keep, order=order, balanced=balanced)]
    return Preview(rows, pool, score, dropped_first, label is not None)


def random_like(label: np.ndarray | None, chosen: Preview, seed: int = 0) -> np.ndarray:
    """Rows of a random part of the pool with as many images of each class as were chosen."""
    rng = np.random.default_rng(
        (seed, len(chosen.rows))
    )  # never the draw of the criterion "random"
    if label is None:
        return np.sort(rng.permutation(chosen.pool)[: len(chosen.rows)])
    sizes = zip(*np.unique(label[chosen.rows], return_counts=True), strict=True)
    of_pool = label[chosen.pool]
    parts = [rng.permutation(chosen.pool[of_pool == value])[:count] for value, count in sizes]
    return np.sort(np.concatenate(parts))


def measuring_encoder(by: str, encoder: str, dataset: str) -> str:
    """In whose eyes a part is measured that ``encoder`` chose: the judge, else another encoder that
    is not the very same network; ``encoder`` itself where there is no other."""
    if by == "random" or not dataset:
        return encoder
    own = "" if encoder == PIXELS else weights_of(encoder, dataset)
    usable = [entry.name for entry in list_encoders(dataset) if not entry.problem]
    for name in sorted(
        usable, key=lambda name: (name != JUDGE, name != "standard", name.startswith(TRAINED))
    ):
        if weights_of(name, dataset) != own:
            return name
    return encoder


@dataclass(frozen=True)
class PreviewFigures:
    """Figures of the part that would be kept, of a random part of the same size and classes, and of
    the whole set. encoder: in whose eyes; identical: whether both parts are the same images."""

    kept: Measured
    control: Measured
    parent: Measured
    encoder: str
    note: str
    identical: bool

    @property
    def comparisons(self) -> list[SetComparison]:
        """What the choice is worth beside chance; empty where both parts are the same images."""
        return [] if self.identical else [SetComparison(self.kept, self.control)]

    def to_json(self) -> dict[str, Any]:
        """The same, JSON-ready."""
        return {
            "sets": [part.to_json() for part in (self.kept, self.control, self.parent)],
            "note": self.note,
            "encoder": self.encoder,
            "identical": self.identical,
        }


def preview_figures(
    name: str, *, rows: int = ROWS, report: Report = ignore, **wish: Unpack[Wish]
) -> PreviewFigures:
    """The figures of what ``select`` would keep beside chance, in the eyes of
    ``measuring_encoder``."""
    given: Wish = {**DEFAULT, **wish}
    chosen = preview(name, **given)
    by, encoder, dataset, seed = (given["by"], given["encoder"], given["dataset"], given["seed"])
    source = open_source(name)
    if len(chosen.rows) == len(chosen.pool):
        raise InputError(
            f"keep is {len(chosen.rows)}, which is every image there is to choose from, so nothing"
            " was selected: keep fewer to compare"
        )
    measurer = measuring_encoder(by, encoder, dataset_of([source], dataset, encoder=encoder))
    drawn = random_like(source.label, chosen, seed)
    parts = [
        part_of(source, chosen.rows, "kept"),
        part_of(source, drawn, "random part of the same size"),
        source,
    ]
    figures = []
    for number, part in enumerate(parts):
        report(number / len(parts), f"figures of {part.title}")
        figures.append(
            measure_source(
                part, encoder=measurer, dataset=dataset, rows=rows, seed=seed, by_class=False
            )
        )
    chosen_part, control, parent = figures
    identical = np.array_equal(drawn, chosen.rows)
    note = _note(by, encoder, measurer, source.dataset or dataset) + (
        f" {IDENTICAL}" if identical else ""
    )
    return PreviewFigures(chosen_part, control, parent, measurer, note, identical)


def _note(by: str, encoder: str, measurer: str, dataset: str) -> str:
    if by == "random":
        return f"Chosen at random, and measured in the eyes of {measurer}."
    if measurer != encoder:
        return (
            f"Chosen by {by} in the eyes of {encoder}, and measured in the eyes of {measurer},"
            " which took no part in the choice."
        )
    remedy = (
        f": train another (python -m cdp pretrain-encoder --dataset {shlex.quote(dataset)} --name"
        " second --seed 1) before you rely on them"
        if dataset
        else ""
    )
    return (
        f"Chosen by {by} and measured in the eyes of the same encoder, {encoder}, because the data"
        f" set has no other. That flatters the choice, so take these figures with care{remedy}."
    )
