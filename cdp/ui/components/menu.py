"""The menu of pages as a phone needs it."""

from __future__ import annotations

from cdp.ui.components import renderer


def closing_menu() -> None:
    """Close the menu after a choice, where it lies over the page. Call it last: it takes a line."""
    renderer("menu", isolated=False)(key="cdp_menu")
