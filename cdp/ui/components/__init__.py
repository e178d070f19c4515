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
