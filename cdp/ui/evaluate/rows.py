"""Evaluations as the list shows them: what, how its number is called, where it stands, what came
out."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cdp.statistics.shares import share_interval
from cdp.ui.kit.run_controls import WORDS, state_line
from cdp.ui.kit.run_lists import bar_html
from cdp.ui.kit.wording import facts
from cdp.ui.train.rows import Followers
from cdp.values.text import share_text, share_with_bounds
from cdp.work.journal import JOURNAL, Follower
from cdp.work.records import Run

WEIGHTS = ("best", "last")
"""Of a training whose both sets of weights are evaluated, in this order."""


@dataclass(frozen=True)
class Bound:
    """No more than ``robust`` of n images withstand, whatever comes after ``attacks`` finished
    attacks. weights: 0 for the first set; so_far: whether a part of the next attack counts too."""

    weights: int
    attacks: int
    robust: float
    n: int
    so_far: bool = False


def evaluations(runs: Sequence[Run]) -> list[Run]:
    """Those that evaluate, in the same order."""
    return [run for run in runs if run.kind == "evaluate"]


def bounds(run: Run, followers: Followers) -> list[Bound]:
    """What stood after every attack, and what stands now, in the order it was measured. followers:
    of this session, so that only what is new is read."""
    follower = followers.get(run.id)
    if follower is None or follower.path.parent != run.folder:
        follower = followers[run.id] = Follower(run.folder / JOURNAL)
    follower.update()
    first: dict[tuple[int, int], Bound] = {}
    last = None
    for point in follower.points:
        one = _bound(point.values)
        if one is not None:
            last = one
            first.setdefault((one.weights, one.attacks), one)
    found = list(first.values())
    if last is not None and last is not found[-1]:
        found.append(replace(last, so_far=True))
    return found


def _bound(values: Mapping[str, float]) -> Bound | None:
    """A point counts the attack under way from 0, which is how many are finished."""
    try:
        one = Bound(
            int(values.get("weights", 0)), int(values["stage"]), values["robust"], int(values["n"])
        )
    except KeyError:
        return None
    return one if 0 <= one.robust <= 1 and one.n > 0 and one.attacks >= 0 else None


def bound_text(found: Sequence[Bound]) -> str:
    """The upper bound as it stands: "at most 64.1 % so far"; of both weights where there are two;
    empty before the first batch."""
    latest = {one.weights: one for one in found}
    if len(latest) < 2:
        return "".join(f"at most {share_text(one.robust)} so far" for one in latest.values())
    return ", ".join(
        f"{WEIGHTS[k]} at most {share_text(one.robust)}"
        for k, one in sorted(latest.items())
        if 0 <= k < len(WEIGHTS)
    )


def outcome_text(run: Run) -> str:
    """What came out: "60.3 % (57.2 to 63.3) withstand, 85.1 % clean"; empty where nothing has."""
    robust, clean, n = (
        _number(run.result, name) for name in ("robust_accuracy", "clean_accuracy", "n")
    )
    if robust is None or n is None or n < 1 or not 0 <= robust <= 1:
        return ""
    told = f"{share_with_bounds(share_interval(robust, n, int(n)))} withstand"
    return told if clean is None else f"{told}, {share_text(clean)} clean"


def label_of(run: Run) -> str:
    """How the number of an evaluation has to be called; empty before there is one."""
    label = (run.result or {}).get("label")
    return str(label)[:200] if isinstance(label, str) else ""


def row_html(run: Run, found: Sequence[Bound], *, shown: bool) -> str:
    """One evaluation. found: of one that moves; shown: whether its report stands below."""
    bold = "font-weight:700" if shown else "font-weight:600"
    mark = "<span aria-hidden='true'>▸ </span>" if shown else ""
    lines = _finished(run) if run.state == "finished" else _unfinished(run, found)
    small = f"<div style='font-size:0.8rem;opacity:0.7'>{html.escape(facts(run.config))}</div>"
    head = f"<div style='{bold}'>{mark}{html.escape(run.name)}</div>"
    return (
        "<div"
        f" style='{_ROOMY};overflow-wrap:anywhere;line-height:1.45'>{head}{''.join(lines)}{small}</div>".replace(
            " %", "&nbsp;%"
        )
    )


ACCENT = "#3b6ea5"
# As narrow as a phone needs it where space is shared, all that is left where there is more.
_ROOMY = "width:11rem;min-width:100%"
_ONE_LINE = "white-space:nowrap;overflow:hidden;text-overflow:ellipsis"


def _finished(run: Run) -> list[str]:
    """What came out, and how it has to be called."""
    return [_line(outcome_text(run), strong=True), _line(state_line(run, "", label_of(run)))]


def _unfinished(run: Run, found: Sequence[Bound]) -> list[str]:
    """How far it is, what is certain so far, and what stopped it."""
    told = [part for part in ("" if run.over else run.notice or "", bound_text(found)) if part]
    lines = [_line(state_line(run)), _line(" · ".join(told)), bar_html(run, ACCENT)]
    if run.error:
        said = html.escape(run.error, quote=True)
        lines.append(f"<div style='font-size:0.85rem;{_ONE_LINE}' title='{said}'>{said}</div>")
    return lines


def _line(text: str, *, strong: bool = False) -> str:
    weight = ";font-weight:600" if strong else ""
    return f"<div style='font-size:0.9rem{weight}'>{html.escape(text)}</div>" if text else ""


def matching(runs: Sequence[Run], text: str) -> list[Run]:
    """Evaluations whose name, state, settings or label have every word of ``text``."""
    words = text.lower().split()
    return [run for run in runs if all(word in _described(run) for word in words)]


def _described(run: Run) -> str:
    return f"{run.name} {run.state} {WORDS[run.state]} {facts(run.config)} {label_of(run)}".lower()


def _number(record: Mapping[str, Any] | None, name: str) -> float | None:
    value = (record or {}).get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
