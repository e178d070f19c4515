"""Pieces of HTML that pages share, written into the page by ``st.html``. All text is escaped; the
classes are in ``cdp/ui/style.css``."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from cdp.values.text import visible

if TYPE_CHECKING:
    from cdp.figures.palette import Sign

ACCENT = "#3b6ea5"
GLYPHS = {
    "circle": "●",
    "square": "■",
    "diamond": "◆",
    "triangle-up": "▲",
    "triangle-down": "▼",
    "triangle-left": "◀",
    "triangle-right": "▶",
    "cross": "✚",
    "x": "✖",
    "hexagon": "⬢",
    "pentagon": "⬟",
    "circle-open": "○",
}
"""Plotly's marker symbols as text: a set or run has the same mark in a list and in a chart."""
_VOID = ("br", "img")


class Html(str):
    """Markup that goes into a tag as it is; any other text is escaped there."""

    __slots__ = ()


def tag(name: str, *content: str, cls: str = "", **attributes: object) -> Html:
    """One element. attributes: with _ for -, such as aria_label; a share keeps its % on the
    line."""
    pairs = ({"class": cls} if cls else {}) | attributes
    text = "".join(
        f' {key.replace("_", "-")}="{_safe(str(value))}"' for key, value in pairs.items()
    )
    inner = "".join(
        part if isinstance(part, Html) else _safe(part).replace(" %", "&nbsp;%") for part in content
    )
    return Html(f"<{name}{text}>" if name in _VOID else f"<{name}{text}>{inner}</{name}>")


def _safe(text: str) -> str:
    return escape(visible(text))


def joined(*parts: str) -> Html:
    """Parts one after another."""
    return Html("".join(part if isinstance(part, Html) else _safe(part) for part in parts))


def line(text: str, cls: str = "") -> Html:
    """A line of its own; nothing for an empty text."""
    return tag("div", text, cls=cls) if text else Html()


def mark(sign: Sign | None) -> Html:
    """The mark of a set or run, in its colour, as on every chart."""
    if sign is None:
        return Html()
    glyph = GLYPHS.get(sign.symbol, "●")
    return Html(f"{tag('span', glyph, aria_hidden='true', style=f'color:{sign.color}')} ")


def finding(text: str, note: str = "") -> Html:
    """What is found, over how it was measured."""
    return tag("div", line(text, "cdp-finding"), line(note, "cdp-quiet"), cls="cdp-found")


def heading(name: str, sign: Sign | None = None, *, cls: str = "cdp-heading") -> Html:
    """A name as a heading, beside its mark."""
    return tag("h3", mark(sign), name, cls=cls)


def bar(share: float, label: str, color: str) -> Html:
    """How much of something is done, as a thin bar. share: in 0..1."""
    done = 100 * share
    return tag(
        "div",
        tag("div", style=f"width:{done:.1f}%;background:{color}"),
        cls="cdp-bar",
        role="progressbar",
        aria_valuemin=0,
        aria_valuemax=100,
        aria_valuenow=f"{done:.0f}",
        aria_label=label,
    )


def row(head: str, *lines: str, small: str = "", error: str | None = None) -> Html:
    """One entry of a list: its name, what there is to say, an error cut to one line, and its
    settings in small print."""
    cut = tag("div", error, cls="cdp-cut", title=error) if error else Html()
    said = (part if isinstance(part, Html) else line(part) for part in lines)
    return tag("div", tag("b", head), *said, cut, line(small, "cdp-small"), cls="cdp-row")


def figure(title: str, value: str, below: str) -> Html:
    """One number, large, under its title and over what it rests on."""
    return tag(
        "div",
        line(title, "cdp-quiet"),
        line(value, "cdp-number"),
        line(below, "cdp-quiet"),
    )


def image(source: str, alt: str, cls: str = "cdp-pixels", **attributes: object) -> Html:
    """An image without smoothing. source: a data URL."""
    return tag("img", src=source, alt=alt, cls=cls, **attributes)


def image_table(
    label: str, heads: Sequence[str], sections: Sequence[tuple[str, Sequence[Html]]]
) -> Html:
    """Images in columns under their heads. sections: a title, which stays in sight while its images
    scroll sideways, and one cell a column (one for all columns where there are fewer)."""
    wide = max(1, len(heads))
    rows = [tag("tr", *(tag("th", head, scope="col") for head in heads))]
    for title, cells in sections:
        rows.append(tag("tr", tag("th", tag("span", title), colspan=wide, cls="cdp-section")))
        if len(cells) == wide:
            rows.append(tag("tr", *(tag("td", cell) for cell in cells)))
        else:
            rows.append(tag("tr", *(tag("td", c, colspan=wide, cls="cdp-all") for c in cells)))
    return tag(
        "div",
        tag("table", *rows),
        cls="cdp-images",
        tabindex=0,
        role="region",
        aria_label=label,
        style=f"--columns:{len(heads)}",
    )
