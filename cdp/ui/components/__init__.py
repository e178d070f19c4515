"""Small browser components (st.components.v2) that update in place, where Streamlit's own elements
would flicker or lose the zoom: a Python function with typed parameters beside its JavaScript and
CSS."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer


def closing_menu() -> None:
    """Close the menu of pages after a choice, where it lies over the page, and make lists of its
    groups. Call it last: it takes a line."""
    renderer("menu", isolated=False)(key="cdp_menu")


def keyboard() -> None:
    """A link to the main button before everything else, and focus that follows a start to its
    result. Call it last: it takes a line."""
    renderer("keyboard", isolated=False)(key="cdp_keyboard")


@cache
def renderer(name: str, *, isolated: bool = True) -> ComponentRenderer:
    """What mounts NAME.js, with NAME.css where there is one. isolated: False for plotly, which
    writes its styles into the page's head, where a shadow root would not see them."""
    js, css = (Path(__file__).with_name(f"{name}.{kind}") for kind in ("js", "css"))
    return st.components.v2.component(
        f"cdp_{name}",
        js=js.read_text("utf-8"),
        css=css.read_text("utf-8") if css.is_file() else None,
        isolate_styles=isolated,
    )
