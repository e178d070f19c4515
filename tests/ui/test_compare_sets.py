"""What the compared runs were trained on: images of their sets under each other, gone sets, and the
map that a helper process draws."""

from __future__ import annotations

import numpy as np
import pytest

from cdp.data.catalog import CATALOG
from cdp.data.samples import SampleSet
from cdp.data.sets import save_set
from cdp.figures.palette import GUIDED, UNGUIDED
from cdp.ui.compare.sets import columns_of, strips_html
from tests.ui.compare_runs import page, training
from tests.ui.pages import ran, texts, until

pytestmark = pytest.mark.usefixtures("server")


def save(
    name: str, *, side_px: int = 28, label: np.ndarray | None = None, dataset: str = "fashion-mnist"
) -> SampleSet:
    label = np.arange(80) % 10 if label is None else label
    image = np.random.default_rng(0).integers(
        0, 256, (len(label), side_px, side_px, 1), dtype=np.uint8
    )
    return save_set(
        name,
        image,
        label,
        {
            "class_names": list(CATALOG["fashion-mnist"].classes),
            "source": "test",
            "dataset": dataset,
        },
    )


def two_arms(*sets: str) -> None:
    for number, name in enumerate(sets):
        training(f"on-{name}", synthetic=(name,), created=1e9 + number)


def test_the_sets_stand_under_each_other_and_gone_ones_are_named() -> None:
    save("here")
    two_arms("here", "gone")
    said = texts(page(runs="on-here,on-gone"))
    assert "Set gone is gone" in said
    assert said.count("<img") == 10 and "Ankle boot in here" in said


def test_runs_without_a_set_show_none() -> None:
    for number in range(2):
        training(f"r{number}", beta=1.0 + number)
    assert "What were they trained on?" not in texts(page(runs="r0,r1"))


def test_a_damaged_set_says_so_and_the_others_are_shown() -> None:
    folder = save("torn").folder
    save("whole")
    (folder / "label.npy").write_bytes(b"no array")
    two_arms("torn", "whole")
    said = texts(page(runs="on-torn,on-whole"))
    assert "Set torn cannot be read" in said and "in whole" in said


def test_the_same_class_is_in_the_same_column_also_where_a_set_lacks_some() -> None:
    full, part = save("full"), save("part", label=np.repeat([0, 7, 9], 4))
    assert columns_of([full, part]) == (list(full.class_names), 2)
    head, first, second = strips_html([full, part], [GUIDED, UNGUIDED], ["", ""]).split(
        "cdp-section"
    )
    assert head.count("<th scope") == first.count("<td") == second.count("<td") == 10
    filled = ["<img" in cell for cell in second.split("<td")[1:]]
    assert [k for k, there in enumerate(filled) if there] == [0, 7, 9]


def test_names_in_strips_are_text() -> None:
    one = save("plain")
    assert "<script>" not in strips_html([one], [GUIDED], ["<script>"])


def test_sets_of_different_shapes_have_no_map_and_say_why() -> None:
    save("small")
    save("large", side_px=32)
    two_arms("small", "large")
    assert "images of different shapes" in texts(page(runs="on-small,on-large"))


def test_the_map_is_drawn_when_it_is_asked_for_and_explore_is_a_click_away() -> None:
    # Of no data set, so that pixels are looked at and no network is loaded.
    for name in ("one", "two"):
        save(name, dataset="")
    two_arms("one", "two")
    app = page(runs="on-one,on-two")
    assert not app.get("skeleton") and "Distances between" not in texts(app)
    ran(app.button(key="compare_map_draw").click())
    until(lambda: "Distances between far groups" in texts(ran(app)))
    assert "80 of 80 images of one · 80 of 80 images of two" in texts(app)
    assert "encoder: pixels" in texts(app)
    links = [
        link.proto.query_string
        for link in app.get("page_link")
        if "sets=" in link.proto.query_string
    ]
    assert links and "one%2Ctwo" in links[0]
