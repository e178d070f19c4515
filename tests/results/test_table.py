"""The filter, order and groups of the run table."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.config.evaluate import EvaluateConfig
from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.results.labels import Labels
from cdp.results.reached import Reached
from cdp.results.rows import Evaluated, Row, row_of, with_evaluation
from cdp.results.table import column_named, columns, group_rows, matching, sort_rows, value_text
from cdp.work.records import Run

DAY = time.mktime((2026, 11, 24, 12, 30, 0, 0, 0, -1))


def row(
    run_id: str,
    *,
    labels: Labels | None = None,
    robust: float | None = 0.5,
    seconds: float | None = 90.0,
    evaluated: float | None = None,
    images: int | None = 5000,
    **config: Any,
) -> Row:
    settings = TrainConfig(**config)
    run = Run(run_id, Path("runs") / run_id, "train", "night", settings, "finished", DAY)
    reached = Reached()
    if robust is not None:
        reached = Reached(9, 0.8, robust - 0.1, 5, 0.75, robust, 1000, seconds)
    found = row_of(run, labels or Labels(), reached, {"training": {"synthetic_images": images}})
    if evaluated is None:
        return found
    of, label = EvaluateConfig(model=f"run:{run_id}"), "AutoAttack, n = 400"
    judged = Evaluated("e", run_id, label, "autoattack", evaluated, 0.7, 400, 1.0, of)
    return with_evaluation(found, [judged])


STAR, AGAIN = (
    Labels(True, tags=("night", "two words")),
    Labels(tags=("nightly",), note="Look AGAIN"),
)
SETS = ("guided-5k", "/sets/plain-50k")
C = row("c", seed=2, method="mart", robust=None, epsilon=0.05, compile=True)
F = row("f", seed=4, synthetic=SETS, images=None, robust=0.505)
WIDE = {"method": "trades", "dataset": "cifar10", "architecture": "wrn-28-10-swish"}
ROWS = [
    row("a", method="trades", labels=STAR, robust=0.512, epochs=30),
    row("b", seed=1, method="pgd-at", labels=AGAIN, robust=0.4, evaluated=0.33, synthetic=SETS[:1]),
    replace(C, name="Day", state="failed", created=DAY - 86_400),
    row("d", seed=3, robust=0.62, seconds=7300.0, epochs=400, real=4000, **WIDE),
    row("e", method="trades", labels=Labels(True, archived=True), robust=0.7, epochs=30),
    replace(F, state="running", created=DAY + 60),
]


def ids(text: str) -> str:
    return "".join(one.id for one in matching(ROWS, text))


FOUND = {
    "": "abcdf",
    "-": "abcdf",
    "night": "abdf",
    "day": "c",
    '"look again"': "b",
    '"again look"': "",
    "guided": "bf",
    "plain-50k": "f",
    '"seed 3"': "d",
    "nothing-like-it": "",
    "method:trades": "adf",
    "method=trades": "adf",
    "method:AT": "b",
    "method=at": "",
    "data-set:cifar": "d",
    "tag:night": "a",
    'tag:"two words"': "a",
    "tag:two": "",
    "tag:none": "cdf",
    "note:none": "acdf",
    "is:starred": "a",
    "is:archived": "e",
    "archived:any": "abcdef",
    "is:starred archived:any": "ae",
    "is:evaluated": "b",
    "is:finished": "abd",
    "robust>50": "adf",
    "robust>=62": "d",
    "robust<50%": "b",
    "robust=51": "af",
    "robust=51.2": "a",
    "robust:none": "c",
    "epochs>=30": "ad",
    "epsilon=8/255": "d",
    "seed=3": "d",
    "seed!=3": "abcf",
    "not:seed=3": "abcf",
    "-not:seed=3": "d",
    "real:all": "abcf",
    "real=4,000": "d",
    "evaluated>30": "b",
    "label:autoattack": "b",
    "fraction=70%": "abcdf",
    "duration>2h": "d",
    "duration=1.5min": "abf",
    "compile:yes": "c",
    "compile:off": "abdf",
    "synthetic:none": "acd",
    "synthetic=guided-5k": "bf",
    "synthetic_images:none": "f",
    "created>=2026-11-24": "abdf",
    "created>2026-11-24T12:30": "f",
    "created=2026-11-23": "c",
    "-night": "c",
    "-method:trades robust>30": "b",
    "trades -seed=3 -is:starred": "f",
    'word"quoted': "",
    '"night': "abdf",
}


@pytest.mark.parametrize(("text", "found"), FOUND.items())
def test_a_filter_finds(text: str, found: str) -> None:
    assert ids(text) == found


REFUSED = {
    "metod:trades": r"'metod:trades'.*did you mean method",
    "robust>high": r"'robust>high'.*'high' is no number for robust",
    "is:stared": "'stared'.*did you mean starred",
    "method>3": "method holds no numbers",
    "compile:maybe": "compile is yes or no",
    "created>monday": "'monday' is no time",
    "method:": "'method:' has no value",
    "duration>2y": "'2y' is no number",
    "seed=1/0": "no number",
    "nothing_like_it=3": "choose one of star, name",
    "a" * 2001: "too many",
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_what_cannot_be_read_is_named_with_what_was_meant(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"^filter: .*{said}"):
        matching(ROWS, text)


def test_quotes_keep_what_looks_like_a_term_a_word_and_a_group_is_found_by_its_name() -> None:
    odd = row("x", labels=Labels(note="method:unknown is what I typed"))
    assert matching([odd], '"method:unknown is"') == [odd]
    same = [row("g", seed=7, epochs=30), row("h", seed=8, epochs=30), row("i", epochs=31)]
    assert matching(same, f"group:{same[0].group}") == same[:2]


TERMS = st.sampled_from([text for text in FOUND if text.strip("- ")])


@given(terms=st.lists(TERMS, max_size=4), order=st.permutations(range(len(ROWS))))
@settings(max_examples=150)
def test_a_filter_keeps_the_order_finds_no_more_the_second_time_and_all_terms_hold(
    terms: list[str], order: list[int]
) -> None:
    rows, text = [ROWS[k] for k in order], " ".join(terms)
    found = matching(rows, text)
    assert found == [one for one in rows if one in found]
    assert matching(found, text) == found
    for term in terms:
        assert set(map(id, found)) <= set(map(id, matching(rows, f"archived:any {term}")))


@given(term=TERMS.filter(lambda text: " " not in text))
def test_a_term_and_its_negation_share_the_rows_between_them(term: str) -> None:
    both = [matching(ROWS, f"archived:any {sign}{term}") for sign in ("", "-")]
    assert sorted(one.id for part in both for one in part) == list("abcdef")


@given(text=st.text(max_size=60))
@settings(max_examples=300)
def test_any_text_is_a_filter_or_is_refused_in_a_sentence(text: str) -> None:
    try:
        found = matching(ROWS, text)
    except InputError as error:
        assert str(error).startswith("filter: ")
    else:
        assert [one for one in ROWS if one in found] == found


@pytest.mark.parametrize(
    ("column", "rising"),
    [
        ("robust", "bfadec"),
        ("evaluated_robust", "bacdef"),
        ("name", "cabdef"),
        ("real", "dabcef"),
        ("duration", "abefdc"),
        ("tags", "abcdef"),
        ("Attack budget", "dcabef"),
    ],
)
def test_rows_are_sorted_by_a_column_with_missing_values_last_and_equal_ones_in_their_order(
    column: str, rising: str
) -> None:
    assert "".join(one.id for one in sort_rows(ROWS, column)) == rising
    falling = [one.id for one in sort_rows(ROWS, column, descending=True)]
    read = column_named(column).value
    missing = [one.id for one in ROWS if read(one) in (None, "", ())]
    assert falling[len(falling) - len(missing) :] == missing
    assert sorted(falling) == list("abcdef")


def test_rows_are_grouped_by_seeds_tags_and_settings() -> None:
    def groups(rows: list[Row], by: str) -> dict[str, str]:
        parts = group_rows(rows, by)
        return {key: "".join(one.id for one in part) for key, part in parts.items()}

    same = [row("g", seed=7), row("h", seed=8), row("i", epochs=31)]
    assert list(groups(same, "seed group").values()) == ["gh", "i"]
    assert groups(ROWS, "tag") == {"night": "a", "two words": "a", "nightly": "b", "none": "cdef"}
    assert groups(ROWS, "method") == {"trades": "adef", "pgd-at": "b", "mart": "c"}
    assert list(groups(ROWS, "synthetic")) == ["none", "guided-5k", ", ".join(SETS)]
    assert groups(ROWS, "compile") == {"no": "abdef", "yes": "c"}


@pytest.mark.parametrize(
    "work",
    [
        lambda: sort_rows(ROWS, "robusst"),
        lambda: group_rows(ROWS, "robusst"),
        lambda: column_named("robusst"),
    ],
)
def test_an_unknown_column_is_refused_with_the_nearest(work: Any) -> None:
    with pytest.raises(InputError, match=r"column 'robusst' is unknown: did you mean .*robust"):
        work()


def test_every_setting_is_a_column_with_the_title_and_unit_of_the_form() -> None:
    there = {column.name: column for column in columns()}
    for name, field in TrainConfig.model_fields.items():
        extra: Any = field.json_schema_extra
        assert (there[name].title, there[name].unit) == (extra["label"], extra["unit"])
        assert there[name].value(ROWS[0]) == (
            ROWS[0].resolved[name] if name != "synthetic" else tuple(ROWS[0].settings[name])
        )
    assert len(there) == len(columns())
    assert len({column.title for column in columns()}) == len(columns())


def test_values_come_in_their_unit() -> None:
    values = {column.name: column.value(ROWS[1]) for column in columns()}
    accuracies = [values[name] for name in ("robust", "clean", "evaluated_robust")]
    assert accuracies == pytest.approx([40.0, 75.0, 33.0])
    wanted = (90.0, ("nightly",), 5000)
    assert (values["duration"], values["tags"], values["synthetic_images"]) == wanted
    texts = {column.name: value_text(column, ROWS[1]) for column in columns()}
    expected = {"robust": "40.0", "created": "2026-11-24 12:30", "epsilon": "0.1", "real": "none"}
    assert {name: texts[name] for name in expected} == expected
