"""The comparison that is on the page: computed again only where a file behind it changed, with its
charts as they were packed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from cdp import paths
from cdp.results.rows import Row
from cdp.ui.components.chart import pack, packed_chart
from cdp.ui.kit.tables import Rows, numbers
from cdp.ui.kit.words import plain
from cdp.values.comparison import Comparison
from cdp.values.evaluation import OUTCOMES, REPORT
from cdp.work.records import STATUS

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cdp.figures.palette import Sign

_KEY = "compare_result"
VALIDATION = "validation"
"""How labels of numbers begin that no evaluation stands behind."""


@dataclass
class Result:
    """key: what it was computed from; signs: how each arm is drawn, by its name, as in the curves;
    ids: of the runs compared; rows: of those; packed: charts by name, made when they are first
    drawn."""

    key: str
    comparison: Comparison
    signs: Mapping[str, Sign]
    ids: tuple[str, ...]
    rows: tuple[Row, ...]
    packed: dict[str, bytes] = field(default_factory=dict)

    @property
    def estimated(self) -> bool:
        """Whether any number is of validation images."""
        return any(
            seed.label.startswith(VALIDATION) for arm in self.comparison.arms for seed in arm.seeds
        )

    @property
    def epsilon(self) -> float | None:
        """The budget trained for, None where arms differ in it or it is not known."""
        result = {row.resolved.get("epsilon") for row in self.rows}
        return result.pop() if len(result) == 1 else None

    @property
    def norm(self) -> str:
        """Of the arms whose curve is drawn, which all have one."""
        return next(
            (
                str(arm.settings.get("norm", "linf"))
                for arm in self.comparison.arms
                if arm.curve is not None
            ),
            "linf",
        )


def comparison_of(ids: Sequence[str], rows: Sequence[Row], *, groups: bool) -> Result:
    """The comparison of these runs as they are now. rows: all there are."""
    wanted = set(ids)
    of = tuple(row for row in rows if row.id in wanted)
    key = _stamp(ids, of, rows, groups=groups)
    state: Result | None = st.session_state.get(_KEY)
    if state is not None and state.key == key:
        return state
    with st.spinner("Comparing"):
        from cdp.figures.palette import named_signs
        from cdp.results.compare import compare

        found = compare(ids, groups=groups)
    result = Result(key, found, named_signs([arm.name for arm in found.arms]), tuple(ids), of)
    st.session_state[_KEY] = result
    return result


def _stamp(ids: Sequence[str], of: Sequence[Row], rows: Sequence[Row], *, groups: bool) -> str:
    """Another one whenever the comparison may be. What a person says of a run changes nothing."""
    reached = [
        (
            row.id,
            row.name,
            row.state,
            row.group,
            row.reached,
            row.ended,
            row.synthetic_images,
        )
        for row in sorted(of, key=lambda row: row.id)
    ]
    text = repr(
        (str(paths.home()), tuple(ids), groups, reached, _evaluations({row.id for row in rows}))
    )
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _evaluations(trainings: set[str]) -> list[tuple[object, ...]]:
    """When the files of finished evaluations were last written. One that still works has no report
    yet, so its signs of life do not count."""
    result: list[tuple[object, ...]] = []
    try:
        names = sorted(
            entry.name for entry in os.scandir(paths.runs_dir()) if entry.name not in trainings
        )
    except FileNotFoundError:
        return result
    for name in names:
        folder = paths.runs_dir() / name
        report = _written(folder / REPORT)
        if report:
            result.append((name, report, _written(folder / STATUS), _written(folder / OUTCOMES)))
    return result


def _written(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_mtime_ns, stat.st_size


def chart_of(result: Result, name: str, make: Callable[[], go.Figure], *, alt: str) -> None:
    """A chart of the comparison, built once. alt: what it shows in words, for a screen reader."""
    if name not in result.packed:
        result.packed[name] = pack(make().to_json(), alt=alt)
    packed_chart(result.packed[name], key=f"compare_{name}_{result.key}")


def numbers_of(
    result: Result, name: str, title: str, rows: Callable[[], Rows], *, note: str = ""
) -> None:
    """The numbers of a section, a click away."""
    key = f"compare_numbers_{name}_{result.key}"
    numbers(title, rows, f"comparison-{name}.csv", key=key, note=note)


def bullets(sentences: Sequence[str]) -> str:
    """Sentences as text for Markdown, a list where there are several. What is in them is shown as
    it is."""
    texts = [plain(text) for text in sentences]
    return texts[0] if len(texts) == 1 else "\n".join(f"- {text}" for text in texts)
