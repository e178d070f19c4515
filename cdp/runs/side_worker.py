"""The helper process of ``cdp.runs.side``: reads one JSON line a question, answers in JSON lines, ends with its parent.

Question: {"task": name, "payload": {...}}. Answers: any number of {"share": 0..1, "words": text}, then one {"result": JSON} or
{"error": sentence}. Results of size are not sent: they lie in the disk caches, where the asker finds them.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping
from typing import IO, Any

from cdp.config_explore import ExploreConfig
from cdp.knobs import parse
from cdp.runs.failures import sentence

Report = Callable[[float, str], None]
_NICENESS = 5

logger = logging.getLogger(__name__)


def main() -> int:
    """Until standard input ends. What libraries print goes to standard error; the answers have standard output to themselves."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    os.nice(_NICENESS)
    for line in sys.stdin:
        question = json.loads(line)
        _say(answers, _answer(question["task"], question["payload"], lambda share, words: _say(answers, {"share": share, "words": words})))
    return 0


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


def _embed(payload: Mapping[str, Any], report: Report) -> None:
    from cdp.tasks.atlas import embed

    embed(parse(ExploreConfig, payload), report)


def _quality(payload: Mapping[str, Any], report: Report) -> None:
    from cdp.tasks.atlas import map_quality

    map_quality(parse(ExploreConfig, payload), report)


TASKS: dict[str, Callable[[Mapping[str, Any], Report], Any]] = {"warm": _warm, "embed": _embed, "quality": _quality}


if __name__ == "__main__":
    sys.exit(main())
