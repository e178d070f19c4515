"""Controls stay where they are while settings and notices come and go above them: the browser makes a
control anew that moved, without what was typed into it."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.ui.pages import control, opened, ran
from tests.ui.train_app import save

pytestmark = pytest.mark.usefixtures("world")


def places(app: AppTest) -> dict[str, tuple[int, ...]]:
    """Of every box to type into: how many things stand before each block that it is in."""
    result: dict[str, tuple[int, ...]] = {}

    def walk(node: Any, path: tuple[int, ...]) -> None:
        if getattr(node, "type", "") in ("text_input", "number_input", "text_area"):
            result[node.label] = path[:-1]
        for number, child in getattr(node, "children", {}).items():
            walk(child, (*path, number))

    walk(app._tree, ())
    return result


@pytest.mark.parametrize(
    ("page", "label", "value"),
    [
        ("train", "Synthetic sets", "one"),
        ("train", "Method", "pgd-at"),
        ("train", "Real images", ""),
        ("generate", "Loss", "none"),
        ("generate", "Solver", "ddim"),
        ("evaluate", "Attack", "pgd"),
    ],
)
def test_a_choice_moves_no_other_control(page: str, label: str, value: str) -> None:
    save("one")
    app = opened(page)
    before, box = places(app), control(app, label)
    choose: Any = box.set_value if label in ("Method", "Real images") else box.select
    after = places(ran(choose(value)))
    both = before.keys() & after.keys()
    assert len(both) > 3
    assert {name: after[name] for name in both} == {name: before[name] for name in both}
