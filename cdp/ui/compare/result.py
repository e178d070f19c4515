"""The comparison that is on the page: computed again only where a file behind it changed, with its
charts as they were packed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from cdp import paths
from cdp.results.rows import Row
from cdp.ui.components.chart import pack, packed_chart
from cdp.ui.kit.frame import found
from cdp.ui.kit.tables import Rows, numbers
from cdp.ui.kit.words import plain
from cdp.values.comparison import Comparison
from cdp.values.evaluation import OUTCOMES, REPORT
from cdp.work.records import STATUS

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from cdp.figures.frame import Heading
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
    packed: dict[str, tuple[bytes, Heading]] = field(default_factory=dict)

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
        drawn = (arm.settings for arm in self.comparison.arms if arm.curve is not None)
        return str(next(drawn, {}).get("norm", "linf"))


def comparison_of(ids: Sequence[str], rows: Sequence[Row], *, groups: bool) -> Result:
    """The comparison of these runs as they are now. rows: all there are."""
    wanted = set(ids)
    of = tuple(row for row in rows if row.id in wanted)
    key = _stamp(ids, of, rows, groups=groups)
    state: Result | None = st.session_state.get(_KEY)
    if state is not None and state.key == key:
        return state
    with st.spinner("Comparing"):
        from cdp.results.compare import compare
        from cdp.results.signs import arm_signs

        comparison = compare(ids, groups=groups)
    signs = arm_signs(comparison.arms)
    result = st.session_state[_KEY] = Result(key, comparison, signs, tuple(ids), of)
    return result


def _stamp(ids: Sequence[str], of: Sequence[Row], rows: Sequence[Row], *, groups: bool) -> str:
    """Another one whenever the comparison may be. What a person says of a run changes nothing."""
    reached = [
        (row.id, row.name, row.state, row.group, row.reached, row.ended, row.synthetic_images)
        for row in sorted(of, key=lambda row: row.id)
    ]
    written = _evaluations({row.id for row in rows})
    text = repr((str(paths.home()), tuple(ids), groups, reached, written))
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _evaluations(trainings: set[str]) -> list[tuple[object, ...]]:
    """When the files of finished evaluations were last written. One that still works has no report
    yet, so its signs of life do not count."""
    folders = sorted(paths.runs_dir().glob("*")) if paths.runs_dir().is_dir() else []
    stamps = (
        (folder.name, *(_written(folder / file) for file in (REPORT, STATUS, OUTCOMES)))
        for folder in folders
        if folder.name not in trainings
    )
    return [stamp for stamp in stamps if stamp[1]]


def _written(path: Path) -> tuple[int, ...]:
    try:
        stat = path.stat()
    except OSError:
        return ()
    return stat.st_mtime_ns, stat.st_size


def chart_of(
    result: Result, name: str, make: Callable[[], go.Figure], *, alt: str, said: bool = False
) -> None:
    """A chart of the comparison under its finding, built once. alt: what it shows in words, for a
    screen reader; said: whether the page has said the finding already."""
    if name not in result.packed:
        from cdp.figures.frame import heading_of

        figure = make()
        result.packed[name] = pack(figure.to_json(), alt=alt), heading_of(figure)
    packed, heading = result.packed[name]
    found("" if said else heading.finding, heading.note)
    packed_chart(packed, key=f"compare_{name}_{result.key}")


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
