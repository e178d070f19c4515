"""The helper process of ``cdp.work.helper``: reads one JSON line a question, answers in JSON lines,
ends with its parent.

Question: {"task": name, "payload": {...}}. Answers: any number of {"share": 0..1, "words": text},
then one {"result": JSON} or {"error": sentence}. Results of size are not sent: they lie in the disk
caches, where the asker finds them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib import import_module
from typing import IO, Any

from cdp.config.explore import ExploreConfig, pca_of
from cdp.config.knobs import parse
from cdp.config.lab import LabConfig
from cdp.config.theory import TheoryConfig
from cdp.config.train import TrainConfig
from cdp.tasks.watching import Report
from cdp.work.failures import sentence
from cdp.work.slots import give_way

_WATCH_SECONDS = 1.0

logger = logging.getLogger(__name__)


def main() -> int:
    """Until standard input ends. What libraries print goes to standard error; the answers have
    standard output to themselves."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    give_way()
    threading.Thread(target=_end_with, args=(os.getppid(),), name="watch", daemon=True).start()
    for line in sys.stdin:
        question = json.loads(line)
        _say(
            answers,
            _answer(
                question["task"],
                question["payload"],
                lambda share, words: _say(answers, {"share": share, "words": words}),
            ),
        )
    return 0


def _end_with(parent: int) -> None:
    """End in the middle of a task whose asker is gone: its answer would reach nobody, and it costs
    a core."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(0)


def _answer(task: str, payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    try:
        return {"result": TASKS[task](payload, report)}
    except Exception as error:  # the process outlives every failure, and the asker is told
        logger.exception("task %s failed", task)
        return {"error": sentence(error)}


def _say(answers: IO[str], message: Mapping[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _warm(_: Mapping[str, Any], report: Report) -> None:
    from cdp.embedding.projection import warm

    report(0.0, "Preparing UMAP")
    warm()


def _ready(_: Mapping[str, Any], report: Report) -> None:
    """Load what every other task needs, while nobody waits."""
    for name in ("cdp.tasks.loaded", "sklearn.decomposition"):
        import_module(name)


def _embed(payload: Mapping[str, Any], report: Report) -> None:
    from cdp.tasks.atlas import embed

    embed(parse(ExploreConfig, payload), report)


def _quality(payload: Mapping[str, Any], report: Report) -> None:
    from cdp.tasks.atlas import map_quality

    map_quality(parse(ExploreConfig, payload), report)


def _scores(payload: Mapping[str, Any], report: Report) -> None:
    from cdp.tasks.atlas import embed
    from cdp.tasks.mapped import map_scores

    config = pca_of(parse(ExploreConfig, payload))  # every map of these points has the same scores
    map_scores(config, embed(config, report)).get()


def _measure(payload: Mapping[str, Any], report: Report) -> None:
    from cdp.tasks.measuring import measure_set

    sizes = payload.get("sizes")  # pairs, as JSON has no whole numbers for keys
    measure_set(**dict(payload) | {"sizes": None if sizes is None else dict(sizes)}, report=report)


def _closeup(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    from cdp.tasks.closeup import closeup

    return closeup(parse(ExploreConfig, payload["config"]), int(payload["point"])).to_json()


def _score_set(payload: Mapping[str, Any], report: Report) -> None:
    import numpy as np

    from cdp.tasks.scoring import score_rows
    from cdp.tasks.sources import open_source

    source = open_source(payload["name"])
    score_rows(
        source, np.arange(len(source)), payload["encoder"], payload["dataset"], [payload["by"]]
    )


def _flags(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    import numpy as np

    from cdp.tasks.nearest import flagged
    from cdp.tasks.sources import open_source

    source = open_source(payload["name"])
    found = flagged(source, np.arange(len(source)), payload["encoder"], payload["dataset"])
    rows = {"duplicates": found.duplicate, "memorised": found.memorised}
    return {kind: np.flatnonzero(mask).tolist() for kind, mask in rows.items()} | {
        "undefined": found.undefined
    }


def _preview_figures(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    from cdp.tasks.selecting import preview_figures

    found = preview_figures(**payload, report=report)
    sets = (found.kept, found.control, found.parent)
    return {
        "sets": [one.to_json() for one in sets],
        "note": found.note,
        "encoder": found.encoder,
        "identical": found.identical,
    }


def _pseudo_label(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    from cdp.tasks.pseudo_labels import pseudo_label

    made = pseudo_label(**payload, report=report)
    return {"name": made.name, "count": len(made)}


def _estimate(payload: Mapping[str, Any], report: Report) -> dict[str, Any]:
    from cdp.tasks.estimate import estimate

    report(0.0, "Measuring a training step")
    return asdict(estimate(parse(TrainConfig, payload)))


def _lab(payload: Mapping[str, Any], report: Report) -> None:
    from cdp.tasks.lab import attack_image, smallest_budget

    (smallest_budget if payload["search"] else attack_image)(
        parse(LabConfig, payload["config"]), report
    )


def _theory(payload: Mapping[str, Any], report: Report) -> None:
    """A sample set on the map of the Gaussian model, or simulated points of it that take long."""
    if payload["what"] == "images":
        from cdp.tasks.theory_images import place

        place(payload["name"], encoder=payload["encoder"], report=report)
        return
    from cdp.tasks.theory_points import simulated

    simulated(parse(TheoryConfig, payload["config"]), payload["what"], report)


TASKS: dict[str, Callable[[Mapping[str, Any], Report], Any]] = {
    "warm": _warm,
    "ready": _ready,
    "embed": _embed,
    "quality": _quality,
    "scores": _scores,
    "measure": _measure,
    "closeup": _closeup,
    "score_set": _score_set,
    "flags": _flags,
    "preview_figures": _preview_figures,
    "pseudo_label": _pseudo_label,
    "estimate": _estimate,
    "lab": _lab,
    "theory": _theory,
}


if __name__ == "__main__":
    sys.exit(main())
