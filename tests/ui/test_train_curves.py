"""The curves of the Train page, driven without a browser: what is drawn, its options, its numbers,
and what an address says of them."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cdp.figures.curves import Look
from cdp.ui.components.chart import pack
from cdp.ui.train.curves import drawn_from, groups_of, look_of, there
from cdp.work.records import get_run
from tests.ui.curve_runs import lines, write_run, write_status


def opened(*ids: str, **params: str) -> AppTest:
    script = f"""
import streamlit as st
from cdp.ui.kit.settings import to_link
from cdp.ui.train.curves import show_curves
from cdp.ui.train.form import FORM

held = FORM.open()
if held.fresh:
    st.session_state["read"] = held.notes
if st.toggle("elsewhere"):
    st.stop()
show_curves(held, {ids!r}, held.turn)
FORM.close(held)
st.session_state["said"] = to_link(held)
"""
    app = AppTest.from_string(script, default_timeout=30)
    for name, value in params.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def words(app: AppTest) -> str:
    return "\n".join(part.value for part in [*app.caption, *app.markdown])


def figure_of(app: AppTest) -> dict[str, Any]:
    """The figure as the browser gets it, arrays read back."""
    packed: bytes = app.session_state["train_curves_drawn"].packed
    return unpacked(packed)


def unpacked(packed: bytes) -> dict[str, Any]:
    length = int.from_bytes(packed[:4], "little")
    head, body = json.loads(packed[4 : 4 + length]), packed[4 + length :]
    assert (4 + length) % 8 == 0
    arrays = []
    for kind, first, n, k in head["columns"]:
        assert first % 8 == 0
        arrays.append(
            np.frombuffer(body, "<" + kind, n * (k or 1), first).reshape((n, k) if k else n)
        )
    for trace in head["figure"]["data"]:
        for name, value in trace.items():
            if isinstance(value, dict) and "column" in value:
                trace[name] = arrays[value["column"]]
    return dict(head)


def lines_of(app: AppTest) -> dict[str, dict[str, Any]]:
    return {trace["uid"]: trace for trace in figure_of(app)["figure"]["data"]}


def test_the_points_of_the_journals_are_what_is_sent() -> None:
    folder = write_run("first", epochs=20)
    app = opened("first", "gone")
    points = [json.loads(text) for text in (folder / "metrics.jsonl").read_text().splitlines()]
    line = lines_of(app)["first/0/robust/line"]
    assert line["x"].tolist() == [point["values"]["step"] for point in points]
    assert line["y"] == pytest.approx(
        [100 * point["values"]["robust_accuracy"] for point in points], abs=1e-4
    )
    assert "first" in figure_of(app)["alt"] and "epoch 20" in figure_of(app)["alt"]


def test_without_runs_and_without_epochs_it_says_what_comes_next() -> None:
    write_run("queued", epochs=0, state="running")
    write_run("failed", epochs=0, state="failed")
    assert "No run is chosen" in words(opened())
    assert "No run is chosen" in words(opened("gone"))
    assert "Nothing is validated yet" in words(opened("queued"))
    assert "ended before their first validation" in words(opened("failed"))


def test_a_new_epoch_is_in_the_next_run_of_the_script() -> None:
    folder = write_run("first", epochs=20, state="running")
    app = opened("first")
    with (folder / "metrics.jsonl").open("a") as journal:
        journal.write(lines(range(21, 24)))
    app.run()
    assert lines_of(app)["first/0/robust/line"]["x"][-1] == 2300


def test_a_tick_without_news_sends_the_same_bytes_and_one_with_news_others() -> None:
    folder = write_run("first", epochs=20, state="running")
    runs = there(("first",))
    first = drawn_from(runs, groups_of(runs), Look())
    assert drawn_from(runs, groups_of(runs), Look(), first) is first
    with (folder / "metrics.jsonl").open("a") as journal:
        journal.write(lines(range(21, 22)))
    assert drawn_from(runs, groups_of(runs), Look(), first).packed != first.packed
    assert drawn_from(runs, groups_of(runs), Look(smoothing=5), first).packed != first.packed


def test_seeds_are_joined_and_the_toggle_is_there_only_for_them() -> None:
    for seed in range(3):
        write_run(f"a-s{seed}", epochs=9, seed=seed)
    write_run("b", epochs=9, beta=2.0)
    app = opened("a-s0", "a-s1", "a-s2", "b")
    assert {uid.split("/")[0].split(" of ")[0] for uid in lines_of(app)} == {"mean", "b"}
    next(t for t in app.toggle if t.label == "Mean over seeds").set_value(False).run()
    assert {uid.split("/")[0] for uid in lines_of(app)} == {"a-s0", "a-s1", "a-s2", "b"}
    assert [t.label for t in opened("a-s0", "b").toggle if t.label == "Mean over seeds"] == []


def test_a_second_run_of_the_same_seed_is_no_further_seed() -> None:
    for name, seed in (("a", 0), ("b", 1), ("again", 1)):
        write_run(name, epochs=3, seed=seed)
    groups = groups_of([get_run(name) for name in ("a", "b", "again")])
    assert groups["a"] == groups["b"] != groups["again"] == "again"


def test_options_change_the_curves_and_survive_a_detour_and_the_address() -> None:
    write_run("first", epochs=20)
    app = opened("first")
    assert app.session_state["said"] == {}
    app.selectbox[0].select("images").run()
    app.selectbox[1].select(10).run()
    wanted = {"axis": "images", "smooth": "10"}
    assert app.session_state["said"] == wanted
    line = lines_of(app)["first/0/robust/line"]
    assert line["x"][-1] == 20 * 12800 and "first/0/robust/raw" in lines_of(app)
    app.toggle[0].set_value(True).run()
    app.toggle[0].set_value(False).run()
    assert not app.exception
    assert (app.selectbox[0].value, app.selectbox[1].value) == ("images", 10)
    assert app.session_state["said"] == wanted
    assert lines_of(opened("first", **wanted))["first/0/robust/line"]["x"][-1] == 20 * 12800


def test_every_option_comes_back_from_the_address() -> None:
    write_run("first", epochs=5)
    params = {"axis": "seconds", "curves": "losses,gap", "smooth": "5", "mean": "off", "log": "x,y"}
    app = opened("first", **params)
    assert app.session_state["said"] == params
    assert look_of(app.session_state["train_settings"]) == Look(
        "seconds", ("losses", "gap"), 5, False, True, True
    )


def test_a_run_that_is_deleted_while_it_is_watched_leaves_the_others() -> None:
    write_run("first", epochs=5)
    shutil.rmtree(write_run("second", epochs=5))
    app = opened("first", "second")
    assert {uid.split("/")[0] for uid in lines_of(app)} == {"first"}


def test_a_run_that_ends_draws_the_page_anew_without_polling() -> None:
    folder = write_run("first", epochs=5, state="running")
    app = opened("first")
    write_status(folder, "finished")
    app.run()
    assert not app.exception and "first/0/robust/line" in lines_of(app)


def test_what_packing_sends_is_what_was_given() -> None:
    x, pairs = np.arange(5.0), np.arange(6, dtype=np.float32).reshape(3, 2)
    figure = {
        "data": [
            {"x": x, "y": x.astype(np.float32), "z": None},
            {"x": x.copy(), "customdata": pairs, "name": "é"},
        ],
        "layout": {"a": 1},
    }
    head = unpacked(pack(figure, alt='a "b"'))
    first, second = head["figure"]["data"]
    assert (
        (first["x"] == x).all()
        and (first["y"] == x).all()
        and (second["customdata"] == pairs).all()
    )
    assert len(head["columns"]) == 3 and "z" not in first and second["name"] == "é"
    assert (head["alt"], head["figure"]["layout"]) == ('a "b"', {"a": 1})
    assert head["stamp"] != unpacked(pack(figure | {"layout": {"a": 2}}, alt='a "b"'))["stamp"]
