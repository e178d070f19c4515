"""Markdown tables of results."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import PER_CENT, Figure, Result


def of_result(result: Result) -> str:
    """The table of a result, in its layout."""
    return matrix(result.figures) if result.layout == "matrix" else table(result.figures)


def table(figures: Sequence[Figure]) -> str:
    """Markdown. The columns of targets are left out where no figure has one."""
    aimed = any(figure.target for figure in figures)
    head = ["figure", "value", "from .. to", "n"] + (["target", "met"] if aimed else [])
    rows = [head, ["---"] * len(head)]
    for figure in figures:
        target = (
            [f"{figure.target.sense} {plain(figure.target.bound)}", "yes" if figure.met else "no"]
            if figure.target
            else ["", ""]
        )
        rows.append(
            [
                figure.name,
                with_unit(figure.value, figure.unit),
                _range(figure),
                f"{figure.n:,}" if figure.n else "",
            ]
            + (target if aimed else [])
        )
    return _markdown(rows)


def plain(value: float) -> str:
    """Three significant digits, or all of a large number, and never an exponent."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    text = f"{value:.3g}"
    return text if "e" not in text else f"{value:.6f}".rstrip("0")


def with_unit(value: float, unit: str) -> str:
    """ "12.3 s"; shares in per cent and differences of shares in points keep one decimal,
    differences their sign."""
    number = (
        f"{value:+.1f}"
        if unit == "points"
        else f"{value:.1f}"
        if unit in PER_CENT
        else plain(value)
    )
    return f"{number} {unit}".strip()


def _range(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    low, high = (
        with_unit(bound, figure.unit).removesuffix(figure.unit).strip()
        for bound in (figure.low, figure.high)
    )
    return f"{low} .. {high}" + (" (95 %)" if figure.kind == "95 %" else "")


def matrix(figures: Sequence[Figure]) -> str:
    """Markdown: a row a name, a column a key, in order of first appearance; a cell is the value
    with its interval."""
    names, keys = (
        list(dict.fromkeys(values))
        for values in ([f.name for f in figures], [f.key for f in figures])
    )
    cells = {(figure.name, figure.key): _cell(figure) for figure in figures}
    rows = [["arm", *keys], ["---"] * (len(keys) + 1)]
    rows += [[name, *(cells.get((name, key), "") for key in keys)] for name in names]
    return _markdown(rows)


def _cell(figure: Figure) -> str:
    number, bounds = with_unit(figure.value, figure.unit), _range(figure).removesuffix(" (95 %)")
    return f"{number} ({bounds})" if bounds else number


def stamp(result: Result) -> str:
    """One line: machine, threads, load, when."""
    where = result.machine
    if not where:
        return ""
    threads = f"{where['threads']} thread" + ("s" if where["threads"] != 1 else "")
    loads = " to ".join(plain(value) for value in result.load)
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    return (
        f"{where['processor']}, {where['cores']} cores, {threads}, load {loads}; {versions};"
        f" {where['taken']}"
    )


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
