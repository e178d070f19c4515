"""One HTML file that opens anywhere, offline: plotly.js, figures, tables and style are inside, and
nothing is fetched. Everything that comes from outside (names of runs, classes, settings) is text
here: the template escapes it in the page, and ``inert`` in its JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from plotly.offline import get_plotlyjs

from cdp.figures.frame import heading_of, tied
from cdp.paths import shareable

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'"
)
"""The browser's own guarantee that nothing is fetched, whatever the page holds."""
NUMBERS = "Numbers"
PRINTED_ROWS = 100
"""Folded tables of up to so many rows are opened for printing."""
LONG = 24
"""Text of more letters than this may be broken in its cell."""
_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Table:
    """Rows of equal keys. caption: what they are and how their numbers have to be called; folded:
    behind a line that opens it."""

    caption: str
    rows: Sequence[Mapping[str, object]]
    folded: str = ""

    @property
    def names(self) -> list[str]:
        """Of the columns."""
        return list(self.rows[0])

    @property
    def numeric(self) -> set[str]:
        """Columns of nothing but numbers, some of which may be missing."""
        kinds = {name: {type(row[name]) for row in self.rows} for name in self.names}
        none = type(None)
        return {name for name, k in kinds.items() if k != {none} and k <= {int, float, none}}

    @staticmethod
    def is_long(value: object) -> bool:
        """Whether a cell has so much text that it may be broken."""
        return isinstance(value, str) and len(value) > LONG


@dataclass(frozen=True)
class Section:
    """A chapter: sentences, then figures, each under its finding, then tables; quoted: text to
    copy."""

    title: str
    text: Sequence[str] = ()
    figures: Sequence[go.Figure] = ()
    tables: Sequence[Table] = ()
    quoted: str = ""


@dataclass(frozen=True)
class Page:
    """A report. lead: the sentence to remember; under: further ones; warnings: what limits it;
    footer: what wrote it, and when."""

    title: str
    lead: str
    under: Sequence[str]
    warnings: Sequence[str]
    sections: Sequence[Section]
    footer: str


def page_html(page: Page) -> str:
    """The whole file."""
    style, script = ((_HERE / name).read_text("utf-8") for name in ("page.css", "page.js"))
    parts = {"style": style, "script": script, "plotly": get_plotlyjs()}
    return _template().render(page=page, policy=POLICY, printed_rows=PRINTED_ROWS, **parts)


@cache
def _template() -> Template:
    layout: dict[str, Any] = {
        "trim_blocks": True,
        "lstrip_blocks": True,
        "undefined": StrictUndefined,
        "finalize": shareable,
    }
    environment = Environment(loader=FileSystemLoader(_HERE), autoescape=True, **layout)
    environment.filters |= {"tied": tied, "cell": cell_text, "heading": heading_of, "inert": inert}
    return environment.get_template("page.html")


def inert(text: str) -> str:
    """JSON that no HTML parser takes for markup, whatever its strings hold; the same value once it
    is parsed."""
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def cell_text(value: object) -> str:
    """A value as a table shows it: numbers to six digits, thousands apart; nothing for None."""
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else as_json(value)


def as_json(value: object) -> str:
    """A setting as its config file has it, for a person."""
    return json.dumps(value, ensure_ascii=False, default=str)


def settings_rows(settings: Mapping[str, object]) -> list[dict[str, object]]:
    """Settings as rows of two columns; numbers are written as they are in a config file."""
    return [
        {"setting": name, "value": value if isinstance(value, str) else as_json(value)}
        for name, value in settings.items()
    ]
