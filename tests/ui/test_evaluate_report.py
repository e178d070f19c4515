"""A report on the Evaluate page: every part of it, both sets of weights, few and many classes, and
how its number is called."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from cdp.cli.evaluate import report_text
from cdp.reports.evaluation import evaluation_html
from cdp.reports.exports import robustbench_record
from cdp.reports.sentences import headline, masking_sentence, unseen_gap
from cdp.statistics.shares import wilson
from cdp.ui.evaluate.form import VIEWS
from cdp.ui.evaluate.report import exports, measured_rows
from cdp.ui.evaluate.views import checks_html
from cdp.values.evaluation import Check, EvalReport, Masking, Outcomes, Unseen, Verdict, report_json
from tests.evaluations import report, write_evaluation
from tests.ui.evaluate_app import both, knob, page, quick, sized, trained
from tests.ui.pages import address, ran, texts

pytestmark = pytest.mark.usefixtures("world")


@pytest.mark.parametrize("view", VIEWS)
def test_every_part_of_a_report_can_be_seen_and_is_told_by_the_address(view: str) -> None:
    write_evaluation("e", both(warnings=("Square turned more than APGD",)))
    app = page(report="e", view=view)
    told = texts(app)
    assert [
        word
        for word in ("Robust, best (epoch 12)", "Clean, last (epoch 12)", "60.0 %", "50.0 %")
        if word not in told
    ] == []
    assert "Best and last weights differ under attack: last minus best is -10.0 points" in told
    assert "No sign of gradient masking in five checks" in told
    assert "Square turned more than APGD." in told
    expected = {
        "attacks": "Each attack tries the images",
        "classes": "",
        "budgets": "the threat of this report",
        "masking": "A defence that hides its gradients",
        "how": "python -m cdp evaluate",
    }[view]
    assert expected in told or any(expected in str(code.value) for code in app.code)
    assert address(app).get("view", "attacks") == view
    folds = {fold.label for fold in app.expander if fold.label.startswith("Numbers")}
    numbers = {
        "attacks": {"Numbers of the attacks"},
        "classes": {"Numbers of the classes", "Numbers of the confusion"},
        "budgets": {"Numbers of the curve", "Numbers of the unseen threats"},
        "masking": {"Numbers of the checks", "Numbers of the loss surface"},
        "how": set(),
    }[view]
    assert folds == numbers


@pytest.mark.parametrize(
    ("view", "fold", "columns"),
    [
        ("classes", "confusion-best", {"true class", "predicted class", "images"}),
        ("budgets", "unseen", {"threat", "robust [%]"}),
        ("masking", "surface", {"cross-entropy [nats]"}),
    ],
)
def test_the_numbers_of_every_chart_are_one_click_away(
    view: str, fold: str, columns: set[str]
) -> None:
    write_evaluation("e", both())
    app = page(report="e", view=view)
    assert not app.dataframe
    app.session_state[f"evaluate_{fold}_numbers_e"] = True
    ran(app)
    (table,) = app.dataframe
    assert columns <= set(table.value.columns)
    assert len(table.value) > 0
    assert "Download CSV" in {button.proto.label for button in app.get("download_button")}


def test_the_part_is_changed_by_hand_and_the_confusion_shows_the_other_weights() -> None:
    write_evaluation("e", both())
    app = page(report="e")
    views = next(box for box in app.get("button_group") if box.label == "Part of the report")
    ran(views.set_value("classes"))
    assert address(app)["view"] == "classes"
    for label, value in (("Weights", "Last (epoch 12)"), ("Confusion", "Without attack")):
        ran(
            next(
                box
                for box in app.get("button_group")
                if box.label == label and "confusion" in str(box.key)
            ).set_value(value)
        )
    assert "evaluate_confusion-last-clean_numbers_e" in app.session_state


@pytest.mark.parametrize(
    ("classes", "view"), [(2, "classes"), (43, "classes"), (2, "budgets"), (2, "masking")]
)
def test_few_and_many_classes_with_names_from_a_stranger(classes: int, view: str) -> None:
    write_evaluation("e", sized(classes))
    app = page(report="e", view=view)
    assert not app.error
    assert "<class" not in texts(app)
    if view == "budgets":
        assert "Not measured" in texts(app)
    if view == "masking":
        assert "Not looked for" in texts(app)


def test_an_estimate_is_called_one_in_the_list_the_report_and_every_file() -> None:
    found, outcomes = quick()
    write_evaluation("e", (found, outcomes))
    app = page()
    rows = [str(e.proto.body) for e in app.get("html") if found.label in str(e.proto.body)]
    assert len(rows) == 3  # the list, the report and its chart
    assert "Stronger attacks leave fewer images standing" in texts(app)
    for ending, (_, _, make) in exports(found, outcomes).items():
        assert "PGD-10, n = 400" in make() or ending == "-images.csv"


def checks(*verdicts: Verdict) -> Masking:
    titles = ("Large budget", "More steps", "Black box", "Restarts", "Loss surface")
    found = (
        Check(title, title, verdict, f"{title} found <this>.", {})
        for title, verdict in zip(titles, verdicts, strict=False)
    )
    return Masking(200, tuple(found), None)


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (("pass",) * 5, "No sign of gradient masking in five checks."),
        (
            ("warn", "pass", "warn", "pass", "pass"),
            (
                "2 of 5 checks warn of gradient masking: large budget, black box. The number may be"
                " too high."
            ),
        ),
        (
            ("pass", "warn", "pass", "unclear", "unclear"),
            (
                "1 of 5 checks warns of gradient masking: more steps; 2 unclear: restarts, loss"
                " surface. The number may be too high."
            ),
        ),
        (
            ("pass", "pass", "pass", "pass", "unclear"),
            "No sign of gradient masking in five checks, 1 of them unclear: loss surface.",
        ),
        (("unclear",) * 5, "Nothing can be said of gradient masking: all five checks are unclear."),
        (("unclear",), "Nothing can be said of gradient masking: the one check is unclear."),
        ((), "Nothing can be said of gradient masking: no check was made."),
        (("pass",), "No sign of gradient masking in one check."),
    ],
)
def test_all_checks_in_one_sentence(verdicts: tuple[Verdict, ...], sentence: str) -> None:
    assert masking_sentence(checks(*verdicts)) == sentence


def test_a_sign_of_masking_warns_beside_the_number_and_every_verdict_is_a_word() -> None:
    masking = checks("warn", "pass", "unclear")
    write_evaluation("e", report(masking=masking))
    app = page(report="e", view="masking")
    assert [warning for warning in app.warning if "may be too high" in str(warning.value)]
    table = checks_html(masking)
    assert [word for word in ("A sign", "No sign", "Unclear") if word not in table] == []
    assert "&lt;this&gt;" in table and "<this>" not in table


@pytest.mark.parametrize(
    "verdicts",
    [("pass", "unclear", "unclear"), ("warn", "unclear", "pass"), ("pass", "pass", "pass")],
)
def test_page_html_report_and_command_line_say_the_same_sentences(
    verdicts: tuple[Verdict, ...],
) -> None:
    weak = "The outputs are probabilities, as after a softmax: return the logits."
    found, outcomes = report(
        masking=checks(*verdicts),
        warnings=(weak,),
        contract={"probabilities": weak},
        dataset_title="Kuzushiji-MNIST",
    )
    found = replace(
        found,
        unseen=tuple(one for one in found.unseen if one.norm == found.norm)
        or (Unseen("twice", "linf", 0.2, "PGD-20", wilson(3, 9)),),
    )
    write_evaluation("e", (found, outcomes))
    said = [headline(found), masking_sentence(checks(*verdicts)), unseen_gap(found), weak]
    assert all(said) and "Kuzushiji-MNIST has no conventional budget" in said[2]
    page_text = (texts(page(report="e")) + texts(page(report="e", view="budgets"))).replace(
        "\\", ""
    )
    html_text = html.unescape(evaluation_html(found)).replace("\u00a0", " ")
    line_text = report_text(found, outcomes)
    for sentence in said:
        assert sentence in page_text, sentence
        assert sentence in html_text, sentence
        assert sentence in line_text, sentence
    assert robustbench_record(found)["unreliable"]


def test_how_it_was_measured_names_model_images_attack_settings_versions_and_hashes() -> None:
    rows = {row["what"]: row["value"] for row in measured_rows(both(run="r1")[0])}
    assert (
        rows["source"],
        rows["SHA-256 of last weights"],
        rows["SHA-256 of images and labels"],
    ) == ("run:r1", "ab" * 32, "cd" * 32)
    assert (rows["pyautoattack"], rows["device"], rows["time"], rows["images (count)"]) == (
        "0.2.0",
        "CPU, 2 threads",
        "2 min",
        "1,000",
    )
    assert rows["data set (dataset)"] == "as the model says"
    assert {
        row["what"] for row in measured_rows(replace(report()[0], config={"of a later version": 3}))
    } >= {"of a later version"}


def test_settings_of_a_report_come_back_to_the_form() -> None:
    trained("one")
    found, outcomes = report(run="one")
    settings = dict(found.config) | {"attack": "pgd", "seed": 5, "weights": "both"}
    write_evaluation("e", (replace(found, config=settings), outcomes))
    app = page(report="e", view="how", attack="quick")
    ran(app.button(key="use-e").click())
    assert [knob(app, name).value for name in ("attack", "seed", "weights")] == ["pgd", 5, "both"]


@pytest.mark.parametrize("made", [report, both, quick, lambda: sized(43), lambda: sized(2)])
def test_every_file_can_be_made_and_says_the_figures(
    made: Callable[[], tuple[EvalReport, Outcomes]],
) -> None:
    found, outcomes = made()
    files = texts_of(found, outcomes)
    assert json.loads(files[".json"]) == report_json(found)
    assert isinstance(json.loads(files[".robustbench.json"]), dict)
    assert len(list(csv.DictReader(io.StringIO(files["-images.csv"])))) == found.n * len(
        found.weights
    )
    assert found.label in files[".csv"]
    assert files[".html"].lstrip().lower().startswith("<!doctype html")


def texts_of(found: EvalReport, outcomes: Outcomes) -> dict[str, str]:
    return {ending: make() for ending, (_, _, make) in exports(found, outcomes).items()}
