"""HTML reports are one file: nothing is fetched, strangers' text stays text, every number is there
with what it is called."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from cdp.reports.comparison import comparison_html
from cdp.reports.evaluation import citation, evaluation_html
from cdp.reports.page import POLICY, Page, Section, Table, cell_text, inert, page_html
from cdp.reports.sentences import headline
from cdp.values.evaluation import Curve, EvalReport
from tests.evaluations import CLASSES, outcome, report, weights_report
from tests.figures.arms import arm, comparison, difference

HOSTILE = '</script><script>alert(1)</script><img src=http://x onerror=alert(2)> & "quoted" %{x}'
LABEL = "PGD-10, n = 512, +/- 4 points"
VOID = {"meta", "link", "img", "br", "input", "hr"}


class Reader(HTMLParser):
    """What a browser's parser sees: tags with attributes, the text of scripts, the text that is
    shown; and whether all tags close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        inside = self.open[-1] if self.open else ""
        if inside == "script":
            self.scripts[-1] += data
        elif inside not in ("style", "title"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).replace("\u00a0", " ").split())

    def figures(self) -> list[dict[str, object]]:
        kinds = [attrs.get("type") for tag, attrs in self.tags if tag == "script"]
        scripts = zip(kinds, self.scripts, strict=True)
        return [json.loads(text) for kind, text in scripts if kind == "application/json"]


def hostile_report() -> EvalReport:
    names, result = (HOSTILE, *CLASSES[1:]), report(name=HOSTILE)[0]
    assert result.masking is not None
    checks = tuple(replace(one, sentence=HOSTILE, title=HOSTILE) for one in result.masking.checks)
    changes = {"sets": (HOSTILE,), "training": {HOSTILE: [HOSTILE]}, "architecture": HOSTILE}
    texts = ("label", "part", "dataset_title", "created", "attack")
    return replace(
        result,
        **dict.fromkeys(texts, HOSTILE),
        weights=(weights_report(*outcome(), names),),
        class_names=names,
        warnings=(HOSTILE,),
        masking=replace(result.masking, checks=checks),
        versions={HOSTILE: HOSTILE},
        config={HOSTILE: HOSTILE},
        model=replace(result.model, **changes),
    )


def pages() -> dict[str, str]:
    bad = comparison(
        arms=(arm(HOSTILE, label=HOSTILE, settings={HOSTILE: HOSTILE}), arm("b")),
        differences=(difference(HOSTILE, "b", verdict=HOSTILE),),
        missing=(HOSTILE,),
        notes=(HOSTILE,),
        differs={HOSTILE: (HOSTILE, "x")},
    )
    return {
        "evaluation": evaluation_html(report()[0]),
        "hostile evaluation": evaluation_html(hostile_report()),
        "comparison": comparison_html(comparison(), title="Guided against plain"),
        "hostile comparison": comparison_html(bad, title=HOSTILE, link="javascript:alert(1)"),
    }


@pytest.fixture(scope="module")
def read() -> dict[str, Reader]:
    return {name: Reader(text) for name, text in pages().items()}


def test_nothing_refers_to_anything_outside_the_file(read: dict[str, Reader]) -> None:
    fetching = {"src", "srcset", "action", "background", "poster", "data", "onerror", "onload"}
    for page in read.values():
        for tag, attrs in page.tags:
            assert not fetching & set(attrs), tag
            assert attrs.get("href", "data:,") == "data:,"
        assert not {"iframe", "object", "embed", "base", "a", "img"} & {tag for tag, _ in page.tags}


def test_the_policy_forbids_to_fetch_anything_and_the_style_does_not_try() -> None:
    assert POLICY.startswith(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
    )
    for text in pages().values():
        result = {attrs.get("http-equiv"): attrs.get("content") for _, attrs in Reader(text).tags}
        assert result["Content-Security-Policy"] == POLICY
        style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)[0]
        assert "url(" not in style and "@import" not in style


def test_plotly_is_inside_once_and_hostile_text_adds_no_script(read: dict[str, Reader]) -> None:
    for name, page in read.items():
        assert sum(len(script) > 10**6 for script in page.scripts) == 1, name
        assert len(page.scripts) == len(page.figures()) + 2, name
        assert not [script for script in page.scripts if script.startswith("alert")]
        plots = [attrs["data-figure"] for _, attrs in page.tags if attrs.get("class") == "plot"]
        data = [attrs.get("id") for tag, attrs in page.tags if tag == "script" and "id" in attrs]
        assert plots == data and len(set(plots)) == len(page.figures())


def test_hostile_text_is_shown_as_it_is(read: dict[str, Reader]) -> None:
    for name in ("hostile evaluation", "hostile comparison"):
        assert " ".join(HOSTILE.split()) in read[name].text
    assert "javascript:alert(1)" in read["hostile comparison"].text


def test_json_in_the_page_is_the_same_value_and_no_markup() -> None:
    text = json.dumps({"a": HOSTILE, "b": "<!-- <script>"})
    assert not set("<>&") & set(inert(text))
    assert json.loads(inert(text)) == json.loads(text)


def test_an_evaluation_has_its_number_with_interval_n_label_and_all_that_made_it(
    read: dict[str, Reader],
) -> None:
    result, text = report()[0], read["evaluation"].text
    parts = [headline(result), f"Called: {result.label}", result.rows_sha256, result.main.sha256]
    parts += ["pyautoattack", "0.2.0", "CPU, 2 threads", result.created, "guided-5k"]
    parts += ["largest perturbation that counted, best weights", "part_seed"]
    parts += ["60.0 % (55.1 to 64.7) of 400 test images of Fashion-MNIST withstand"]
    for part in [*parts, "Reliable evaluation of adversarial robustness"]:
        assert part in text
    assert len(read["evaluation"].figures()) == 5


def test_every_table_of_accuracies_says_how_they_are_called() -> None:
    result = replace(report()[0], quick=True, suite="quick", label=LABEL, attack="PGD-10")
    page = Reader(evaluation_html(result))
    captions = [attrs["aria-label"] or "" for tag, attrs in page.tags if tag == "table"]
    assert sum(LABEL in caption for caption in captions) >= 4
    assert f"cite it as {LABEL}" in page.text
    assert LABEL in citation(result) and "AutoAttack" not in citation(result)


def test_best_and_last_weights_stand_beside_each_other() -> None:
    label, last = outcome(400, robust=0.5)
    result = report()[0]
    other = replace(weights_report(label, last, CLASSES, which="last"), sha256="ef" * 32)
    text = Reader(evaluation_html(replace(result, weights=(result.main, other)))).text
    assert "ef" * 32 in text and "last epoch" in text


def test_missing_parts_have_no_chapter_and_any_number_of_classes_makes_a_page() -> None:
    result = replace(report()[0], curves=(), unseen=(), masking=None)
    page = Reader(evaluation_html(result))
    assert len(page.figures()) == 3
    assert "Can the attacks" not in page.text and "Accuracy against" not in page.text
    empty = replace(result, curves=(Curve("best", "PGD-20", 200, ()),))
    assert len(Reader(evaluation_html(empty)).figures()) == 4
    for classes in (2, 43):
        names = tuple(f"sign {k}" for k in range(classes))
        weights = weights_report(*outcome(430, classes=classes), names)
        page = Reader(evaluation_html(replace(result, weights=(weights,), class_names=names)))
        assert len(page.figures()) == 3 and "sign 1" in page.text


def test_a_comparison_leads_with_verdicts_and_names_what_is_missing(
    read: dict[str, Reader],
) -> None:
    result, text = comparison(), read["comparison"].text
    parts = [
        f"{one.second} against {one.first}, {one.metric} accuracy: {one.verdict}"
        for one in result.differences
    ]
    parts += ["Missing: Run 20261101-old was deleted.", result.notes[0], result.equal[0].sentence]
    for part in [*parts, "corrected for their number (Holm)", "plain-id2"]:
        assert part in text
    assert len(read["comparison"].figures()) == 8


def test_one_pair_leads_with_its_verdict_and_the_link_is_text() -> None:
    one, link = difference("plain", "guided"), "http://127.0.0.1:8501/compare?runs=a"
    text = comparison_html(
        comparison(differences=(one,)), title="x", link=link, created="2026-11-24"
    )
    assert f'<p class="lead">{one.verdict[:20]}' in text.replace("\u00a0", " ")
    for part in (one.verdict, link, "2026-11-24"):
        assert part in Reader(text).text


def test_a_comparison_of_what_was_never_evaluated_or_is_all_missing_is_a_page_too() -> None:
    bare = arm("a", None, None, curve=None, classes={}, settings={})
    nothing = {"differences": (), "classes": (), "efficiency": (), "equal": (), "differs": {}}
    alone = comparison(arms=(bare,), **nothing)
    assert "not measured" in Reader(comparison_html(alone, title="x")).text
    page = Reader(comparison_html(replace(alone, arms=()), title="x"))
    assert page.figures() == [] and "Missing: Run 20261101-old was deleted." in page.text


def test_tables_group_thousands_and_leave_nothing_empty() -> None:
    cells = {None: "", True: "yes", 12_345: "12,345", 0.0123456789: "0.0123457", "x": "x"}
    assert {value: cell_text(value) for value in cells} == cells
    assert cell_text(["a"]) == '["a"]'
    table = Table("", [{"a": 1.5, "b": "x" * 25, "c": True}, {"a": None, "b": "y", "c": False}])
    page = Reader(page_html(Page("t", "l", (), (), (Section("s", tables=(table,)),), "f")))
    kinds = [attrs.get("class") for tag, attrs in page.tags if tag in ("th", "td")]
    row = ["number", "text", None]
    assert kinds == [*("number", None, None), *row, *("number", None, None)]
