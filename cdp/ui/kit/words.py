"""Text that every page needs: strangers' text made safe, marks, tags."""

from __future__ import annotations

import re

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
    "star": "★",
    "circle-open": "○",
}
"""Plotly's marker symbols as text, so that a set or run has the same mark in a list and in a chart.
"""


def plain(text: str) -> str:
    """Text from a file or a person, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|$~:])", r"\\\1", text)


def split_tags(text: str) -> list[str]:
    """What was typed, as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]
