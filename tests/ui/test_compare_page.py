"""The comparison on the Compare page without a browser: verdicts, links, what is missing, and what
cannot be read."""

from __future__ import annotations

import pytest

from cdp import paths
from cdp.results.compare import compare
from tests.evaluations import report, write_evaluation
from tests.ui.compare_runs import IDS, page, says, training, two_groups
from tests.ui.pages import address, control, ran, texts

pytestmark = pytest.mark.usefixtures("server")


def test_two_groups_are_compared_in_the_words_of_the_verdict_with_their_label_and_settings() -> (
    None
):
    two_groups()
    app = page(runs="plain-s0,guided-s0")
    said = texts(app)
    for one in compare(IDS).differences:
        assert says(said, one.verdict)
    assert "Measured by: AutoAttack, n = 400" in said
    assert "The arms differ in 1 setting" in said
    settings, figures = app.dataframe[1].value, app.dataframe[2].value
    assert settings.to_dict("records") == [{"Setting": "Beta", "plain": "6", "guided": "7"}]
    assert list(figures["Arm"]) == ["plain", "guided"]
    assert figures.loc[1, "Robust [%]"].startswith("63.6 (")
    assert list(figures["Seeds"]) == ["0, 1", "0, 1"]


def test_unequal_compute_withholds_the_verdict_on_the_page_as_everywhere() -> None:
    two_groups()
    for seed in range(2):
        path = paths.runs_dir() / f"plain-s{seed}" / "metrics.jsonl"
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    app = page(runs="plain-s0,guided-s0")
    said, one = texts(app), compare(IDS).differences[0]
    assert one.withheld and says(said, one.verdict) and "is better" not in said
    assert "train plain again with --steps 1200" in said
    settings, figures = app.dataframe[1].value, app.dataframe[2].value
    listed = {row["Setting"]: (row["plain"], row["guided"]) for row in settings.to_dict("records")}
    assert listed["Optimiser steps"] == ("400", "1,200") and listed["Images seen"] == (
        "51,200",
        "153,600",
    )
    assert list(figures["Steps"]) == ["400", "1,200"] and list(figures["Images seen"]) == [
        "51,200",
        "153,600",
    ]
    assert "There is no front of these arms: their compute differs" in said


def test_without_groups_every_chosen_run_is_an_arm_of_its_own() -> None:
    two_groups()
    app = page(runs="plain-s0,guided-s0", groups="off")
    one, _ = compare(["plain-s0", "guided-s0"], groups=False).differences
    assert says(texts(app), one.verdict) and "shared images" in one.verdict
    ran(control(app, "Whole seed groups").set_value(True))
    assert "groups" not in address(app)
    assert says(texts(app), compare(IDS).differences[0].verdict)


def test_a_missing_run_in_a_link_is_named_and_the_others_are_compared() -> None:
    two_groups()
    app = page(runs="plain-s0,gone-for-good,guided-s0")
    assert [str(e.value) for e in app.warning if "gone-for-good" in str(e.value).replace("\\", "")]
    assert says(texts(app), compare(IDS).differences[0].verdict)
    assert address(app)["runs"] == "plain-s0,gone-for-good,guided-s0"
    ran(control(app, "Runs to compare").set_value(["plain-s0", "guided-s0"]))
    assert address(app)["runs"] == "plain-s0,guided-s0"
    assert "gone-for-good" not in texts(app)
    assert "None of the chosen runs can be compared" in texts(page(runs="gone"))


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"sort": "-nothing"}, "sort"),
        ({"by": "<b>"}, "by"),
        ({"groups": "maybe"}, "groups"),
        ({"columns": "name,__class__"}, "columns"),
        ({"runs": "../../etc/passwd,plain-s0"}, "passwd"),
        ({"axis": "nowhere"}, "axis"),
        ({"colour": "x" * 3000}, "colour"),
    ],
)
def test_a_broken_link_says_so_and_the_page_stands(params: dict[str, str], word: str) -> None:
    two_groups()
    app = page(**params)
    assert [str(e.value) for e in app.warning if word in str(e.value).replace("\\", "")]
    assert all(len(str(e.value)) < 600 for e in app.warning)
    assert len(app.dataframe[0].value) == 4


def test_without_an_evaluation_the_numbers_are_called_estimates_and_evaluate_is_a_click_away() -> (
    None
):
    two_groups(evaluated=False)
    app = page(runs="plain-s0,guided-s0")
    assert "validation" in texts(app) and "estimate" in texts(app)
    links = [e.proto for e in app.get("page_link")]
    assert any(
        "run%3Aplain-s0" in link.query_string or "run:plain-s0" in link.query_string
        for link in links
    )


def test_a_new_evaluation_is_seen_and_a_star_computes_nothing_again() -> None:
    two_groups(evaluated=False)
    app = page(runs=",".join(IDS))
    before = app.session_state["compare_result"]
    ran(app.button(key="compare_star_all").click())
    assert app.session_state["compare_result"] is before
    for number, run_id in enumerate(IDS):
        write_evaluation(
            f"e-{run_id}",
            report(
                400, robust=0.5 + 0.05 * (number // 2), seed=number % 2, run=run_id, name=run_id
            ),
        )
    ran(app)
    assert "AutoAttack, n = 400" in texts(app)


def test_damaged_reports_are_named_and_the_rest_is_compared() -> None:
    two_groups()
    (paths.runs_dir() / "e-plain-s0" / "report.json").write_text("{")
    (paths.runs_dir() / "e-guided-s0" / "outcomes.npz").write_bytes(b"PK")
    app = page(runs=",".join(IDS))
    assert "e-plain-s0" in texts(app)
    assert app.dataframe[2].value.shape[0] == 2


def test_twenty_runs_are_compared_at_a_time_and_the_others_are_counted() -> None:
    for k in range(23):
        training(f"r{k:02}", beta=1.0 + k, created=1e9 + k)
    app = page(runs=",".join(f"r{k:02}" for k in range(23)))
    assert "20 runs are compared at a time, so 3 of those chosen" in texts(app)
    assert app.dataframe[2].value.shape[0] == 20


def test_names_are_text_and_never_markup() -> None:
    training("one", name="<b>*x*</b>")
    training("two", name="a|b `c`", beta=2.0)
    app = page(runs="one,two")
    assert not [e for e in app.get("html") if "<b>*x*" in e.proto.body]
    assert "&lt;b&gt;*x*" in texts(app)


def test_while_nothing_is_ticked_the_best_stand_below_the_table_and_lead_to_their_runs() -> None:
    two_groups()
    said = texts(page())
    assert "Leaderboard" in said and "Fashion-MNIST, l_inf budget 0.1" in said
    assert said.index(">guided</a>") < said.index(">plain</a>")
    assert "compare?runs=guided-s" in said
    assert "Leaderboard" not in texts(page(runs=",".join(IDS)))
