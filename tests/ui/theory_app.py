"""The Theory page under AppTest: the hands and eyes that its tests have in it."""

from __future__ import annotations

import json
import re
from typing import Any

from streamlit.testing.v1 import AppTest

from cdp.config.fields import fields_of
from cdp.config.theory import TheoryConfig
from tests.ui.pages import opened


def page(**params: str) -> AppTest:
    return opened("theory", **params)


def knob(app: AppTest, name: str) -> Any:
    """The control of a setting, by its name in the config."""
    boxes = (
        *app.number_input,
        *app.selectbox,
        *app.slider,
        *app.select_slider,
        *app.get("button_group"),
    )
    return next(box for box in boxes if re.fullmatch(rf"theory_{name}(_\d+)?", box.key or ""))


def knobs(app: AppTest) -> set[str]:
    """Names of all settings that are on the page."""
    found = set()
    for name in fields_of(TheoryConfig):
        try:
            knob(app, name)
        except StopIteration:
            continue
        found.add(name)
    return found


def address(app: AppTest) -> dict[str, str]:
    return {
        name: value[0] if isinstance(value, list) else value
        for name, value in app.query_params.items()
    }


def alts(app: AppTest) -> list[str]:
    """What the charts on the page say to a screen reader."""
    found = [
        re.search(rb'"alt": "((?:[^"\\]|\\.)*)"', one.proto.bytes)
        for one in app.get("bidi_component")
    ]
    return [str(json.loads(b'"' + one.group(1) + b'"')) for one in found if one]


def alt(app: AppTest) -> str:
    """What the charts say, one after another."""
    said = alts(app)
    assert said
    return ". ".join(said).replace("\u00a0", " ")


def texts(app: AppTest) -> str:
    """Everything that is written, without the marks that keep Markdown from reading it."""
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error, app.get("html"))
    return " ".join(
        str(one.value if hasattr(one, "value") else one.proto.body)
        for kind in kinds
        for one in kind
    ).replace("\\", "")
