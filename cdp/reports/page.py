"""One HTML file that opens anywhere, offline: plotly.js, figures, tables and style are inside, and
nothing is fetched.

Everything that comes from outside (names of runs, classes, settings) is text here: it is escaped in
the page and in its JSON.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from cdp.figures.frame import tied

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'"
)
"""The browser's own guarantee that nothing is fetched, whatever the page holds."""
NUMBERS = "Numbers"
PRINTED_ROWS = 100
"""Folded tables of up to so many rows are opened for printing."""


@dataclass(frozen=True)
class Table:
    """Rows of equal keys. caption: what they are and how their numbers have to be called; folded:
    behind a line that opens it."""

    caption: str
    rows: Sequence[Mapping[str, object]]
    folded: str = ""


@dataclass(frozen=True)
class Section:
    """A chapter: sentences, then a figure, then tables; quoted: text to copy."""

    title: str
    text: tuple[str, ...] = ()
    figures: tuple[go.Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    quoted: str = ""


@dataclass(frozen=True)
class Page:
    """A report. lead: the sentence to remember; under: further ones; warnings: what limits it;
    footer: what wrote it, and when."""

    title: str
    lead: str
    under: tuple[str, ...]
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str


def page_html(page: Page) -> str:
    """The whole file."""
    here = Path(__file__).parent
    scripts: list[str] = []
    body = "\n".join(_section(section, scripts) for section in page.sections)
    warnings = "\n".join(
        f'<p class="warning" role="note">{_text(text)}</p>' for text in page.warnings
    )
    under = "\n".join(f"<p>{_text(text)}</p>" for text in page.under)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{html.escape(page.title)}</title>
<style>
{(here / "page.css").read_text("utf-8")}</style>
</head>
<body>
<main>
<h1>{html.escape(page.title)}</h1>
<p class="lead">{_text(page.lead)}</p>
{under}
{warnings}
{body}
</main>
<footer>{html.escape(page.footer)}</footer>
{"".join(scripts)}
<script>{get_plotlyjs()}</script>
<script>
{(here / "page.js").read_text("utf-8")}</script>
</body>
</html>
"""


def _section(section: Section, scripts: list[str]) -> str:
    parts = [
        f"<section>\n<h2>{html.escape(section.title)}</h2>",
        *(f"<p>{_text(text)}</p>" for text in section.text),
    ]
    for figure in section.figures:
        name = f"figure-{len(scripts) + 1}"
        scripts.append(
            f'<script type="application/json" id="{name}">{inert(figure.to_json())}</script>\n'
        )
        parts.append(
            '<div class="scroll"><div class="plot" role="img"'
            f' aria-label="{html.escape(alt_of(figure))}" data-figure="{name}"></div></div>'
        )
    parts += [table_html(table) for table in section.tables if table.rows]
    if section.quoted:
        parts.append(f"<pre>{html.escape(section.quoted)}</pre>")
    return "\n".join([*parts, "</section>"])


def inert(text: str) -> str:
    """JSON that no HTML parser takes for markup, whatever its strings hold; the same value once it
    is parsed."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def alt_of(figure: go.Figure) -> str:
    """A figure's headings as plain text, for a screen reader."""
    titles = [
        note.text
        for note in figure.layout.annotations
        if note.xref == "paper" and note.yref == "paper"
    ]
    return html.unescape(re.sub(r"<[^>]*>", " ", ". ".join(titles)))


def table_html(table: Table) -> str:
    """A table that scrolls sideways where it is too wide."""
    names = list(table.rows[0])
    right = {
        name
        for name in names
        if all(_is_number(row[name]) for row in table.rows)
        and any(row[name] is not None for row in table.rows)
    }
    head = "".join(
        f'<th scope="col"{_side(name in right)}>{html.escape(name)}</th>' for name in names
    )
    lines = "\n".join(
        "<tr>" + "".join(_cell(row[name], name in right) for name in names) + "</tr>"
        for row in table.rows
    )
    caption = f'<p class="quiet">{_text(table.caption)}</p>\n' if table.caption else ""
    label = html.escape(table.caption or table.folded)
    grid = (
        "<table"
        f' aria-label="{label}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{lines}\n</tbody></table>'
    )
    whole = f'{caption}<div class="scroll">{grid}</div>'
    if not table.folded:
        return whole
    kind = ' class="long"' if len(table.rows) > PRINTED_ROWS else ""
    return f"<details{kind}><summary>{html.escape(table.folded)}</summary>\n{whole}\n</details>"


def _text(text: str) -> str:
    return html.escape(tied(text))


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _side(right: bool) -> str:
    return ' class="number"' if right else ""


def _cell(value: object, right: bool) -> str:
    kind = (
        ' class="number"'
        if right
        else ' class="text"'
        if isinstance(value, str) and len(value) > 24
        else ""
    )
    return f"<td{kind}>{_text(cell_text(value))}</td>"


def cell_text(value: object) -> str:
    """A value as a table shows it: numbers to six digits, thousands apart; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def settings_rows(
    settings: Mapping[str, object], names: tuple[str, str] = ("setting", "value")
) -> list[dict[str, object]]:
    """A mapping as rows of two columns; numbers are written as they are in a config file."""

    def written(value: object) -> str:
        return (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        )

    return [{names[0]: key, names[1]: written(value)} for key, value in settings.items()]
