"""The run table of the Compare page without a browser: filter, order, groups, columns that are
kept, and what is said of runs."""

from __future__ import annotations

import json

import pytest

from cdp import paths
from cdp.ui.compare.state import kept_file, plain_columns
from tests.ui.compare_runs import IDS, labels, names, page, table, training, two_groups
from tests.ui.curve_runs import lines, write_run, write_status
from tests.ui.pages import address, control, ran, texts

pytestmark = pytest.mark.usefixtures("server")


def test_without_runs_the_page_leads_to_train() -> None:
    app = page()
    assert "No training run yet" in texts(app)
    assert not app.dataframe
    assert address(app) == {}


def test_a_filter_and_an_order_are_told_by_the_address_and_come_back_with_it() -> None:
    two_groups()
    app = page()
    ran(control(app, "Filter").set_value("beta>6.5"))
    ran(control(app, "Sort by").set_value("seed"))
    assert names(app) == ["guided-s0", "guided-s1"]
    ran(control(app, "Order").set_value(True))
    assert names(app) == ["guided-s1", "guided-s0"]
    assert address(app) == {"q": "beta>6.5", "sort": "-seed"}
    ran(control(app, "Sort by").set_value("clean"))
    assert address(app)["sort"] == "-clean"
    ran(control(app, "Order").set_value(False))
    again = page(**address(app))
    assert names(again) == names(app) and address(again) == {"q": "beta>6.5", "sort": "clean"}
    assert control(again, "Filter").value == "beta>6.5"


def test_a_filter_that_cannot_be_read_says_why_and_the_table_stays() -> None:
    two_groups()
    app = page()
    ran(control(app, "Filter").set_value("seed=0"))
    ran(control(app, "Filter").set_value("robst>50"))
    assert names(app) == ["guided-s0", "plain-s0"]
    assert [str(e.value) for e in app.error if "did you mean robust" in str(e.value)]
    wrong = page(q="seed=many")
    assert len(names(wrong)) == 4 and len(wrong.error) == 1
    ran(control(wrong, "Filter").set_value("nothing:of:that>"))
    assert len(names(wrong)) == 4


def test_columns_are_kept_in_the_workspace_and_told_by_the_link() -> None:
    two_groups()
    app = page()
    ran(control(app, "Columns, in their order").set_value(["name", "beta", "seed"]))
    assert list(table(app)) == ["★", "Mark", "Name", "Beta", "Seed"]
    assert address(app) == {"columns": "name,beta,seed"}
    assert list(table(page())) == ["★", "Mark", "Name", "Beta", "Seed"]
    assert list(table(page(columns="name,epochs"))) == ["★", "Mark", "Name", "Epochs"]
    assert json.loads(kept_file().read_text()) == {"columns": ["name", "beta", "seed"]}
    other = page()
    ran(other.button(key="compare_columns_plain").click())
    assert len(list(table(page()))) == 2 + len(plain_columns()) - 2  # no tag, no problem


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"columns": "name"}', '{"columns": [["x"], 7, "nope"]}', '{"columns": []}'],
)
def test_damaged_kept_columns_are_the_usual_ones(content: str) -> None:
    two_groups()
    kept_file().write_text(content)
    assert len(list(table(page()))) == 2 + len(plain_columns()) - 2  # no tag, no problem


def test_groups_of_seeds_show_their_mean_and_only_of_numbers_measured_in_one_way() -> None:
    two_groups()
    training("alone", method="mart", created=5.0)
    app = page(by="seeds")
    found = table(app).set_index("Group")
    assert list(found.index) == ["guided", "plain", "alone"]
    assert found.loc["guided", "Robust, evaluated [%]"] == pytest.approx(63.625)
    assert found.loc["guided", "SD over runs [points]"] == pytest.approx(1.25 / 2**0.5)
    assert found.loc["plain", "Evaluated by"] == "AutoAttack, n = 400, 2 of 2 runs"
    assert list(found["Seeds"]) == [2, 2, 1]
    report = paths.runs_dir() / "e-plain-s0" / "status.json"
    status = json.loads(report.read_text())
    report.write_text(
        json.dumps(
            status | {"result": status["result"] | {"label": "PGD-10, n = 512, +/- 4 points"}}
        )
    )
    found = table(page(by="seeds")).set_index("Group")
    assert found.loc["plain", "Evaluated by"] == "several ways, so no mean"
    assert found.loc["plain", "Optimiser steps"] == "1,200"
    assert not found.loc["plain", "Robust, evaluated [%]"] > 0


def test_stars_tags_notes_and_the_archive_come_back_from_the_files() -> None:
    two_groups()
    app = page(runs="plain-s0,plain-s1", groups="off")
    ran(app.button(key="compare_star_all").click())
    ran(control(app, "Add tags").set_value("night, slow"))
    ran(control(app, "Note").set_value("a first look"))
    ran(app.button(key="compare_note_save").click())
    assert labels("plain-s0") == {
        "star": True,
        "archived": False,
        "tags": ["night", "slow"],
        "note": "a first look",
    }
    ran(app.button(key="compare_untag_slow").click())
    assert [list(tags) for tags in table(app)["Tags"]] == [[], [], ["night"], ["night"]]
    assert list(table(app)["★"]) == ["☆", "☆", "★", "★"]
    ran(app.button(key="compare_archive_all").click())
    assert names(app) == ["guided-s1", "guided-s0"]
    # Out of the table, and still compared.
    assert control(app, "Runs to compare").value == ["plain-s0", "plain-s1"]
    ran(app.button(key="compare_archived").click())
    assert len(names(app)) == 4 and address(app)["q"] == "archived:any"
    ran(app.button(key="compare_archive_all").click())
    ran(app.button(key="compare_star_all").click())
    assert labels("plain-s1") == {
        "star": False,
        "archived": False,
        "tags": ["night"],
        "note": "a first look",
    }


def test_a_tag_that_cannot_be_one_says_so_and_changes_nothing() -> None:
    two_groups()
    app = page(runs="plain-s0", groups="off")
    ran(control(app, "Add tags").set_value("x" * 60))
    assert [str(e.value) for e in app.error if "tags" in str(e.value).lower()]
    assert not (paths.runs_dir() / "plain-s0" / "labels.json").exists()


def test_chosen_runs_stay_chosen_when_a_filter_hides_them() -> None:
    two_groups()
    app = page(runs=",".join(IDS[:2]))
    ran(control(app, "Filter").set_value("guided"))
    assert names(app) == ["guided-s1", "guided-s0"]
    assert address(app)["runs"] == "plain-s0,plain-s1"
    assert control(app, "Runs to compare").value == ["plain-s0", "plain-s1"]
    ran(app.button(key="compare_clear").click())
    assert "runs" not in address(app)


def test_damaged_runs_and_labels_do_not_bring_the_page_down() -> None:
    two_groups()
    (paths.runs_dir() / "plain-s0" / "config.json").write_text(
        '{"kind": "train", "name": "x", "config": {"epochs": "many"}}'
    )
    (paths.runs_dir() / "plain-s1" / "labels.json").write_text("{")
    (paths.runs_dir() / "guided-s0" / "metrics.jsonl").write_bytes(b"\xff\x00{")
    (paths.runs_dir() / "guided-s1" / "status.json").write_text("[1]")
    app = page(runs=",".join(IDS))
    assert len(names(app)) == 4
    assert "cannot be used" in texts(app)


def test_a_run_that_is_on_its_way_is_in_the_table_and_its_end_is_seen() -> None:
    folder = write_run("moving", epochs=3, total=12, state="running")
    app = page(runs="moving")
    assert list(table(app)["State"]) == ["running"] and list(table(app)["Epoch"]) == [3]
    with (folder / "metrics.jsonl").open("a") as journal:
        journal.write(lines(range(4, 13), total=12))
    write_status(folder, "finished")
    ran(app)
    assert list(table(app)["State"]) == ["finished"] and list(table(app)["Epoch"]) == [12]


def test_a_group_of_several_budgets_or_validation_attacks_has_no_mean() -> None:
    for number, change in enumerate(({}, {"epsilon": 0.05}, {"validation_steps": 20})):
        training(f"r{number}", method="mart" if number else "trades", **change)
    training("r3", method="trades", seed=1)
    found = table(page(by="method")).set_index("Group")
    assert found.loc["MART", "Evaluated by"] == "several ways, so no mean"
    assert found.loc["MART", ["Robust, validation [%]", "SD over runs [points]"]].isna().all()
    assert found.loc["TRADES", "Robust, validation [%]"] > 0
