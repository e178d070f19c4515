"""The filter, order and groups of the run table."""

from __future__ import annotations

import time
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
from cdp.work.records import Run, State

DAY = time.mktime((2026, 11, 24, 12, 30, 0, 0, 0, -1))


def row(
    run_id: str,
    *,
    name: str = "night",
    state: State = "finished",
    created: float = DAY,
    labels: Labels | None = None,
    robust: float | None = 0.5,
    seconds: float | None = 90.0,
    evaluated: float | None = None,
    images: int | None = 5000,
    **config: Any,
) -> Row:
    run = Run(run_id, Path("runs") / run_id, "train", name, TrainConfig(**config), state, created)
    reached = (
        Reached()
        if robust is None
        else Reached(9, 0.8, robust - 0.1, 5, 0.75, robust, 1000, seconds)
    )
    made = row_of(run, labels or Labels(), reached, {"training": {"synthetic_images": images}})
    of = EvaluateConfig(model=f"run:{run_id}")
    judged = Evaluated(
        "e", run_id, "AutoAttack, n = 400", "autoattack", evaluated or 0.0, 0.7, 400, 1.0, of
    )
    return made if evaluated is None else with_evaluation(made, [judged])


ROWS = [
    row(
        "a",
        seed=0,
        method="trades",
        labels=Labels(star=True, tags=("night", "two words")),
        robust=0.512,
        epochs=30,
    ),
    row(
        "b",
        seed=1,
        method="pgd-at",
        labels=Labels(tags=("nightly",), note="Look AGAIN"),
        robust=0.4,
        evaluated=0.33,
        synthetic=("guided-5k",),
    ),
    row(
        "c",
        seed=2,
        method="mart",
        name="Day",
        state="failed",
        created=DAY - 86_400,
        robust=None,
        epsilon=0.05,
        compile=True,
    ),
    row(
        "d",
        seed=3,
        method="trades",
        dataset="cifar10",
        architecture="wrn-28-10-swish",
        robust=0.62,
        seconds=7300.0,
        epochs=400,
        real=4000,
    ),
    row(
        "e", seed=0, method="trades", labels=Labels(archived=True, star=True), robust=0.7, epochs=30
    ),
    row(
        "f",
        seed=4,
        state="running",
        synthetic=("guided-5k", "/sets/plain-50k"),
        images=None,
        robust=0.505,
        created=DAY + 60,
    ),
]


def ids(text: str) -> str:
    return "".join(one.id for one in matching(ROWS, text))


FOUND = {
    "": "abcdf",
    "  ": "abcdf",
    "-": "abcdf",
    "night": "abdf",
    "NIGHT trades": "adf",
    "day": "c",
    "look again": "b",
    '"look again"': "b",
    '"again look"': "",
    "guided": "bf",
    "plain-50k": "f",
    "/sets": "",
    "wrn": "d",
    "running": "f",
    '"seed 3"': "d",
    "pgd": "b",
    "nothing-like-it": "",
    "method:trades": "adf",
    "method=trades": "adf",
    "method:AT": "b",
    "method=at": "",
    "Network:wrn": "d",
    "data-set:cifar": "d",
    "name:ay": "c",
    "tag:night": "a",
    "tags:nightly": "b",
    'tag:"two words"': "a",
    "tag:two": "",
    "tag:none": "cdf",
    "note:look": "b",
    "note:none": "acdf",
    "is:starred": "a",
    "is:archived": "e",
    "archived:any": "abcdef",
    "archived:no": "abcdf",
    "archived:yes": "e",
    "is:starred archived:any": "ae",
    "-is:archived": "abcdf",
    "is:evaluated": "b",
    "is:tagged": "ab",
    "is:noted": "b",
    "is:finished": "abd",
    "state:finished": "abd",
    "state:run": "f",
    "robust>50": "adf",
    "robust>=62": "d",
    "robust<50%": "b",
    "robust > 50": "adf",
    "robust=51": "af",
    "robust=51.2": "a",
    "robust:none": "c",
    "epochs>=30": "ad",
    "epochs>30": "d",
    "epochs=400": "d",
    "epsilon<0.1": "cd",
    "epsilon=8/255": "d",
    "epsilon<=8/255": "d",
    "epsilon=0.1": "abf",
    "seed=3": "d",
    "seed:3": "d",
    "seed==3": "d",
    "seed!=3": "abcf",
    "-seed=3": "abcf",
    "not:seed=3": "abcf",
    "-not:seed=3": "d",
    "seed>=3": "df",
    "real:all": "abcf",
    "real=4,000": "d",
    "evaluated>30": "b",
    "evaluated_robust=33": "b",
    "label:autoattack": "b",
    "fraction=70%": "abcdf",
    "duration>2h": "d",
    "duration<=90s": "abf",
    "duration=1.5min": "abf",
    "compile:yes": "c",
    "compile:off": "abdf",
    "star:true": "a",
    "synthetic:none": "acd",
    "sets:plain": "f",
    "synthetic=guided-5k": "bf",
    "synthetic_images:none": "f",
    "synthetic_images=0": "acd",
    "created>=2026-11-24": "abdf",
    "created:2026-11": "abcdf",
    "created<2026-11-24": "c",
    "created>2026-11-24T12:30": "f",
    "created=2026-11-23": "c",
    "-night": "c",
    "not:night": "c",
    "-method:trades robust>30": "b",
    "trades -seed=3 -is:starred": "f",
    "id:a": "a",
    'word"quoted': "",
    '"night': "abdf",
}


@pytest.mark.parametrize(("text", "found"), FOUND.items())
def test_a_filter_finds(text: str, found: str) -> None:
    assert ids(text) == found


REFUSED = {
    "metod:trades": r"'metod:trades'.*did you mean method",
    "robust>high": r"'robust>high'.*'high' is no number for robust",
    "epsilon=0,5": "'0,5' is no number",
    "is:stared": "'stared'.*did you mean starred",
    "method>3": "method holds no numbers",
    "compile:maybe": "compile is yes or no",
    "created>monday": "'monday' is no time",
    "method:": "'method:' has no value",
    "seed=": "has no value",
    "duration>2y": "'2y' is no number",
    "epochs>50%%": "no number",
    "seed=1/0": "no number",
    "nothing_like_it=3": "choose one of star, name",
    "seed>": "has no value",
    "a" * 2001: "too many",
    "seed=.": "no number",
    "robust>": "has no value",
}


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_what_cannot_be_read_is_named_with_what_was_meant(text: str, said: str) -> None:
    with pytest.raises(InputError, match=f"^filter: .*{said}"):
        matching(ROWS, text)


def test_in_quotes_what_looks_like_a_term_is_a_word() -> None:
    odd = row("x", labels=Labels(note="method:unknown is what I typed"))
    assert matching([odd], '"method:unknown is"') == [odd]


def test_a_group_is_found_by_its_name() -> None:
    same = [row("g", seed=7, epochs=30), row("h", seed=8, epochs=30), row("i", epochs=31)]
    assert [one.id for one in matching(same, f"group:{same[0].group}")] == ["g", "h"]


TERMS = st.sampled_from([text for text in FOUND if text.strip("- ")])


@given(terms=st.lists(TERMS, max_size=4), order=st.permutations(range(len(ROWS))))
@settings(max_examples=150, deadline=None)
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
    with_it, without = (
        matching(ROWS, f"archived:any {term}"),
        matching(ROWS, f"archived:any -{term}"),
    )
    if term == "archived:any":
        assert (len(with_it), without) == (len(ROWS), [])
    assert sorted(one.id for one in with_it + without) == list("abcdef")


@given(text=st.text(max_size=60))
@settings(max_examples=300, deadline=None)
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
        ("seed", "aebcdf"),
        ("name", "cabdef"),
        ("real", "dabcef"),
        ("star", "bcdfae"),
        ("created", "cabdef"),
        ("synthetic", "bfacde"),
        ("note", "bacdef"),
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
    same = [row("g", seed=7), row("h", seed=8), row("i", epochs=31)]
    assert [[one.id for one in part] for part in group_rows(same, "seed group").values()] == [
        ["g", "h"],
        ["i"],
    ]
    by_tag = {key: "".join(one.id for one in part) for key, part in group_rows(ROWS, "tag").items()}
    assert by_tag == {"night": "a", "two words": "a", "nightly": "b", "none": "cdef"}
    by_method = {
        key: "".join(one.id for one in part) for key, part in group_rows(ROWS, "method").items()
    }
    assert by_method == {"trades": "adef", "pgd-at": "b", "mart": "c"}
    assert list(group_rows(ROWS, "synthetic")) == [
        "none",
        "guided-5k",
        "guided-5k, /sets/plain-50k",
    ]
    assert list(group_rows(ROWS, "compile")) == ["no", "yes"]
    assert list(group_rows(ROWS, "real")) == ["none", "4000"]


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
    titles = [column.title for column in columns()]
    assert len(set(titles)) == len(titles)
    assert {name for name, column in there.items() if column.shown} >= {
        "name",
        "state",
        "robust",
        "evaluated_robust",
        "evaluated_label",
    }


def test_values_come_in_their_unit() -> None:
    values = {column.name: column.value(ROWS[1]) for column in columns()}
    assert (values["robust"], values["clean"], values["evaluated_robust"]) == pytest.approx(
        (40.0, 75.0, 33.0)
    )
    assert (values["duration"], values["created"], values["tags"], values["synthetic_images"]) == (
        90.0,
        DAY,
        ("nightly",),
        5000,
    )
    texts = {column.name: value_text(column, ROWS[1]) for column in columns()}
    said = {
        "robust": "40.0",
        "created": "2026-11-24 12:30",
        "epsilon": "0.1",
        "real": "none",
        "star": "no",
    }
    assert {name: texts[name] for name in said} == said
