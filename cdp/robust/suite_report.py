"""What a finished suite of attacks comes to, as an evaluation's report holds it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cdp.errors import InputError
from cdp.robust.suite_state import SuiteState
from cdp.robust.suites import Attack
from cdp.statistics.shares import wilson
from cdp.values.evaluation import ClassFigures, Outcome, Stage, WeightsReport, Which
from cdp.values.types import Interval

SURPRISE = 0.002
"""Share of all images that Square may turn after the gradients: the package's own bound."""


def outcome_of(state: SuiteState) -> Outcome:
    """What became of each image. Raises InputError before the last attack has ended."""
    _require_done(state)
    return Outcome(state.clean.copy(), state.attacked.copy(), state.broken_by.copy())


def weights_report(
    state: SuiteState,
    label: np.ndarray,
    class_names: Sequence[str],
    attacks: Sequence[Attack],
    *,
    which: Which,
    epoch: int,
    sha256: str,
) -> WeightsReport:
    """Accuracies with Wilson intervals, by attack and class, and confusion, of a finished suite.
    label: (n,) true classes.

    Raises InputError before the last attack has ended, or where labels or attacks are not those of
    the suite.
    """
    _require_done(state)
    state.require(
        len(label),
        [attack.name for attack in attacks],
        norm=state.norm,
        epsilon=state.epsilon,
        batch=state.batch_size,
    )
    right, stands = state.clean == label, outcome_of(state).robust
    return WeightsReport(
        which,
        epoch,
        sha256,
        _share(right),
        _share(stands),
        _stages(state, attacks),
        _classes(label, right, stands, class_names),
        _confusion(label, state.clean, len(class_names)),
        _confusion(label, state.attacked, len(class_names)),
        state.largest,
    )


def suite_warnings(state: SuiteState) -> list[str]:
    """What is odd about the outcome of a finished suite, a sentence each."""
    found, n = [], len(state.clean)
    refused = int(state.refused.sum())
    if refused:
        found.append(
            f"{refused} attacked images were beyond the budget or no images and did not count:"
            " attack this network otherwise as well."
        )
    if "square" in state.names[1:]:
        turned = int(state.broken[state.names.index("square")])
        if turned > SURPRISE * n:
            found.append(
                f"Square, which sees no gradients, turned {turned} of {n} images that gradients had"
                " left: these may be masked."
            )
    return found


def _require_done(state: SuiteState) -> None:
    if not state.done:
        raise InputError("the attacks have not all ended: resume the evaluation first")


def _share(hits: np.ndarray) -> Interval:
    return wilson(int(hits.sum()), len(hits))


def _stages(state: SuiteState, attacks: Sequence[Attack]) -> tuple[Stage, ...]:
    found, n, left = [], len(state.clean), int(state.tried[0]) if len(attacks) else 0
    for number, attack in enumerate(attacks):
        broken = int(state.broken[number])
        left -= broken
        found.append(
            Stage(
                attack.name,
                attack.title,
                int(state.tried[number]),
                broken,
                wilson(left, n),
                float(state.seconds[number]),
            )
        )
    return tuple(found)


def _classes(
    label: np.ndarray, right: np.ndarray, stands: np.ndarray, names: Sequence[str]
) -> tuple[ClassFigures, ...]:
    members = [label == number for number in range(len(names))]
    return tuple(
        ClassFigures(
            name,
            int(there.sum()),
            _share(right[there]) if there.any() else None,
            _share(stands[there]) if there.any() else None,
        )
        for name, there in zip(names, members, strict=True)
    )


def _confusion(
    label: np.ndarray, predicted: np.ndarray, classes: int
) -> tuple[tuple[int, ...], ...]:
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (label, predicted), 1)
    return tuple(tuple(row) for row in counts.tolist())
