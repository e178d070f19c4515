"""What a page lacks for whoever works by keyboard."""

from __future__ import annotations

from cdp.ui.components import renderer


def keyboard() -> None:
    """A link to the main button before everything else, and focus that follows a start to its
    result. Call it last: it takes a line."""
    renderer("keyboard", isolated=False)(key="cdp_keyboard")
