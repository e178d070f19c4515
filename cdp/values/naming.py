"""What several runs are called together, and how names that occur twice are told apart."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile


def common_name(names: Sequence[str]) -> str:
    """What the names of several seeds share at their beginning, without a trailing "seed"; the
    first name where that is nothing."""
    shared = "".join(
        letters[0]
        for letters in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False))
    )
    return re.sub(r"[\s_.,(-]*(?:[\s_.,(-]s|seed)?[\s_.=,(-]*\d*$", "", shared) or names[0]


def told_apart(names: Sequence[str], ids: Sequence[str]) -> list[str]:
    """The names, each once: those that occur twice carry their id. ids: of the same length, all
    different."""
    result = list(names)
    while len(set(result)) < len(result):
        counts = Counter(result)
        result = [
            f"{name} ({item})" if counts[name] > 1 else name
            for name, item in zip(result, ids, strict=True)
        ]
    return result
