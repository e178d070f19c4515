"""Clean against robust accuracy: what each arm pays for what it withstands, and how far the field
has come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from cdp.figures.accuracy import Row, axis, cells, heading, marker, nothing, panels, shown, whisker
from cdp.figures.comparison import labels_of
from cdp.figures.palette import INK, Sign, named_sign
from cdp.figures.references import Reference
from cdp.statistics.verdicts import FEW
from cdp.values.comparison import Arm, compute_text, equal_compute
from cdp.values.text import share_text, share_with_bounds
from cdp.values.types import Interval

Placed = tuple[Arm, Interval, Interval]
"""An arm with its clean and its robust accuracy."""


def front(arms: Sequence[Arm]) -> tuple[str, ...]:
    """Names of the arms that no other equals or betters in both accuracies (and betters in one), by
    rising clean accuracy; none where they cannot be ranked (``unranked``)."""
    placed = [] if unranked(arms) else _placed(arms)
    best = [one for one in placed if not any(_dominates(other, one) for other in placed)]
    return tuple(
        arm.name for arm, *_ in sorted(best, key=lambda one: (one[1].value, -one[2].value))
    )


def unranked(arms: Sequence[Arm]) -> str:
    """Why the arms that have both accuracies are put on no front, as a clause; "" where they can
    be."""
    placed = [arm for arm, *_ in _placed(arms)]
    if len(placed) < 2:
        return ""
    ways = {arm.setting for arm in placed}
    if len(ways) > 1:
        return f"they were measured in {len(ways)} ways"
    spent = [one for arm in placed for one in arm.compute]
    if not equal_compute(spent):
        return f"their compute differs or is not known ({compute_text(spent)})"
    return f"they rest on {FEW}" if any(arm.few for arm in placed) else ""


def _dominates(one: Placed, other: Placed) -> bool:
    gains = (one[1].value - other[1].value, one[2].value - other[2].value)
    return min(gains) >= 0 and max(gains) > 0


def _placed(arms: Sequence[Arm]) -> list[Placed]:
    return [
        (arm, arm.clean, arm.robust)
        for arm in arms
        if arm.clean is not None and arm.robust is not None
    ]


def pareto(
    arms: Sequence[Arm], signs: Mapping[str, Sign], references: Sequence[Reference]
) -> go.Figure:
    """Clean accuracy across, robust accuracy up, whiskers both ways; a step line through the arms
    of the front.

    signs: by the arm's name; references: published points, hollow
    (``cdp.figures.references.matching_arms``). ``pareto_notes`` says how to read them.
    """
    placed = _placed(arms)
    if not placed:
        return nothing("No arm has both a clean and a robust accuracy")
    ahead, why = front(arms), unranked(arms)
    title = (
        f"{len(ahead)} of {len(placed)} arms {'is' if len(ahead) == 1 else 'are'} on the front of"
        " clean and robust accuracy"
    )
    if why:
        title = f"No front of {len(placed)} arms: {why}"
    if len(placed) == 1:
        title = f"{share_text(placed[0][2].value)} robust at {share_text(placed[0][1].value)} clean accuracy"
    published = (
        "hollow: published"
        if references
        else "no published numbers for this data set, norm and budget"
    )
    note = f"{labels_of([arm for arm, *_ in placed])}; whiskers: 95 %; {published}"
    figure = panels([heading(title, note)], panel_px=340, left_px=54, key="pareto", legend=True)
    steps = sorted(
        ((clean, robust) for arm, clean, robust in placed if arm.name in ahead),
        key=lambda one: (one[0].value, -one[1].value),
    )
    if len(steps) > 1:
        figure.add_scatter(
            x=[100 * clean.value for clean, _ in steps],
            y=[100 * robust.value for _, robust in steps],
            mode="lines",
            name="front",
            line={"color": INK, "width": 1.2, "dash": "dot", "shape": "vh"},
            hoverinfo="skip",
        )
    if references:
        figure.add_trace(_published(references))
    for one in placed:
        figure.add_trace(_point(one, signs.get(one[0].name) or named_sign(one[0].name)))
    axis(figure, "xaxis", "clean accuracy [%]", nticks=7)
    axis(figure, "yaxis", "robust accuracy [%]", nticks=7)
    return figure


def _point(placed: Placed, sign: Sign) -> go.Scatter:
    arm, clean, robust = placed
    words = (
        f"<b>{shown(arm.name)}</b><br>clean {share_with_bounds(clean, level=True)}<br>robust"
        f" {share_with_bounds(robust, level=True)}<br>{shown(labels_of([arm]), 80)}<br>{shown(arm.interval, 80)}"
    )
    return go.Scatter(
        x=[100 * clean.value],
        y=[100 * robust.value],
        mode="markers",
        name=shown(arm.name),
        marker=marker(sign.color, sign.symbol, size=11),
        error_x=whisker([clean], sign.color),
        error_y=whisker([robust], sign.color),
        hovertext=[words],
        hoverinfo="text",
    )


def _published(references: Sequence[Reference]) -> go.Scatter:
    far = max(one.clean for one in references)
    words = [
        f"<b>{shown(one.name)}</b>, published<br>{shown(one.architecture)},"
        f" {one.synthetic_images:,} synthetic images<br>clean {share_text(one.clean)}, robust"
        f" {share_text(one.robust)}<br>{shown(one.attack)}, n = {one.n:,}<br>{shown(one.source, 90)}"
        for one in references
    ]
    return go.Scatter(
        x=[100 * one.clean for one in references],
        y=[100 * one.robust for one in references],
        mode="markers+text",
        name="published, AutoAttack",
        marker=marker(INK, "diamond", filled=False, size=9),
        text=[shown(one.name) for one in references],
        textposition=[
            "middle left" if one.clean > far - 0.03 else "middle right" for one in references
        ],
        textfont={"size": 10, "color": INK},
        hovertext=words,
        hoverinfo="text",
    )


def pareto_notes(arms: Sequence[Arm], references: Sequence[Reference]) -> tuple[str, ...]:
    """What a reader of ``pareto`` has to know."""
    placed, names = _placed(arms), [arm.name for arm, *_ in _placed(arms)]
    notes = []
    if why := unranked(arms):
        notes.append(f"There is no front of these arms: {why}.")
    elif len(placed) > 1:
        notes.append("The front goes by means: arms whose whiskers overlap may change places.")
    if left_out := [arm.name for arm in arms if arm.name not in names]:
        notes.append(
            f"Not drawn, because clean or robust accuracy was not measured: {', '.join(left_out)}."
        )
    if not references:
        notes.append("There are no published numbers here for this data set, norm and budget.")
    elif other := [arm.name for arm, *_ in placed if not _by_autoattack(arm)]:
        notes.append(
            f"Published points are AutoAttack's; {', '.join(other)}"
            f" {'was' if len(other) == 1 else 'were'} measured with other attacks, which leave more"
            " images standing, and cannot be set against them."
        )
    if any(abs(one.epsilon - references[0].epsilon) > 1e-6 for one in references):
        notes.append(
            "Budgets of published points differ in the third digit: some papers write 8/255 as"
            " 0.031."
        )
    return tuple(notes)


def _by_autoattack(arm: Arm) -> bool:
    return all(seed.label.startswith("AutoAttack") for seed in arm.seeds if seed.robust is not None)


def pareto_rows(arms: Sequence[Arm], references: Sequence[Reference]) -> list[Row]:
    """The numbers behind ``pareto``: arms, then published points."""
    ahead, ranked = front(arms), not unranked(arms)
    own: list[Row] = [
        {"arm": arm.name}
        | cells(clean, "clean")
        | cells(robust, "robust")
        | {
            "on the front": arm.name in ahead if ranked else None,
            "label": labels_of([arm]),
            "source": "",
        }
        for arm, clean, robust in _placed(arms)
    ]
    return own + [_published_row(one) for one in references]


def _published_row(one: Reference) -> Row:
    """No interval was published."""
    row: Row = {"arm": f"{one.name} (published)"} | cells(None, "clean") | cells(None, "robust")
    values = {"clean [%]": round(100 * one.clean, 2), "robust [%]": round(100 * one.robust, 2)}
    return (
        row
        | values
        | {
            "on the front": None,
            "label": f"{one.attack}, n = {one.n:,}",
            "source": one.source,
        }
    )
