"""Wrong files of experiments: each is one clear sentence that names the field and the remedy, before
anything starts."""

from __future__ import annotations

import copy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from cdp.config.experiment import ExperimentConfig
from cdp.config.knobs import parse
from cdp.data.sets import save_set
from cdp.errors import CdpError, InputError, MissingError
from cdp.experiments.begin import extend_run
from cdp.experiments.estimate import estimate
from cdp.experiments.files import experiment_of, read_experiment
from cdp.experiments.plan import cells, require_ready


def parsed(**settings: Any) -> ExperimentConfig:
    return parse(ExperimentConfig, settings)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "there are no arms"),
    ({"arms": {"a": {"generate": {"strengh": 1}}}}, "generate.strengh is not a setting"),
    ({"arms": {"a": {"generate": {}, "set": "x"}}}, "generate and set contradict each other"),
    ({"arms": {"a": {"train": {"steps": 3}}}}, "train.steps has to be the same for all arms"),
    ({"arms": {"a": {"train": {"seed": 3}}}}, "train.seed is set by the experiment itself"),
    ({"arms": {"a": {"select": {"keep": 5}}}}, "select and pseudo_label need images"),
    ({"arms": {"a": {}}, "control": "b"}, "'b' is none of the arms"),
    ({"arms": {"a": {}}, "seeds": [1, 1]}, "a seed is there twice"),
    ({"arms": {"a": {}}, "seeds": []}, "one entry or more"),
    ({"arms": {"a": {}}, "hours": 0}, "must be above 0"),
    ({"arms": {"a": {}}, "trials": 0}, "must be 1 or more"),
    ({"arms": {"a": {}}, "precision": 0}, "must be above 0"),
    ({"arms": {"a": {}}, "seeds": 1, "precision": 1}, "precision needs two seeds"),
    ({"arms": {"a": {}}, "format": 3, "later": 1}, "format 3 is of a later version"),
    ({"arms": {" ": {}}}, "is no name"),
    ({"grid": {"strength": [1]}}, "is no setting of a stage"),
    ({"grid": {"generate.strength": []}}, "has no values"),
    ({"grid": {"generate.strength": [1, 1]}}, "has a value twice"),
    ({"grid": {"train.steps": [1, 2]}}, "has to be the same for all arms"),
    ({"grid": {"evaluate.epsilon": [0.1, 0.2]}}, "all arms are measured alike"),
    ({"arms": {"a": {"learner": "a"}}}, "add generate"),
    ({"arms": {"a": {"generate": {}, "learner": "b"}}}, "none of the arms"),
    ({"arms": {"a": {"generate": {}, "learner": "a"}}}, "waits for itself"),
    ({"arms": {"a": {"generate": {"encoder": "x"}, "learner": "a"}}}, "contradict each other"),
    ({"arms": {"a": {"generate": {}, "learner": "b"}, "b": {}}, "stage": "samples"}, "is samples"),
    ({"arms": {"a": {}}, "prune": True}, "prune compares the validation"),
    (
        {"grid": {f"generate.{name}": list(range(100)) for name in ("strength", "eta", "beta")}},
        "this asks for 1,000,000 arms",
    ),
    ({"search": {"generate.strength": {"low": 1, "high": 0}}}, "must be below high"),
    (
        {"search": {"generate.strength": {"low": 0, "high": 1, "log": True}}},
        "must be above 0 where log",
    ),
    (
        {"grid": {"generate.beta": [1]}, "search": {"generate.strength": [1]}},
        "grid and search contradict each other",
    ),
    ({"arms": {"a": {}}, "stage": "samples", "objective": ["clean"]}, "needs a training"),
    ({"search": {"generate.strength": 3}}, r"strength: must be a range, such as .* or a list"),
    ({"search": {"generate.strength": {"low": 1}}}, "strength.high is missing"),
    ({"search": {"generate.strength": {"lo": 1, "high": 2}}}, "lo is not .* did you mean low"),
    ({"search": {"generate.strength": {"low": "a", "high": 2}}}, "low: must be a number"),
    ({"grid": {"generate.strength": [float("nan")]}}, "strength.0: must be a finite number"),
    ({"grid": {"generate.strength": [[1]]}}, "must be text or a number or true or false"),
    ({"grid": {"generate.strength": 3}}, "must be a list"),
    ({"grid": 3}, "grid: must be settings with their names"),
    ({"arms": ["a"]}, "arms: must be settings with their names"),
    ({"arms": {"a": {}}, "train": [1]}, "train: must be settings with their names"),
    ({"arms": {"a": {}}, "seeds": {}}, "seeds: write a number from 1 to 50, or a list"),
    ({"arms": {"a": {}}, "seeds": [True]}, "seeds: write a number from 1 to 50, or a list"),
    ({"arms": {"a": {}}, "dataset": None}, "dataset: must be text, but nothing stands there"),
    ({"arms": {"a": {}}, "name": 3}, "name: must be text, in quotes"),
    ({"arms": {"a": {}}, "stage": "sample"}, "stage: must be one of samples, train, evaluate"),
    ({"arms": {"a": {}}, "objective": ["robust"] * 3}, "objective: must be 2 entries or fewer"),
    ({"arms": {"a": {"b\nc": 1}}}, r"^arms\.a\.'b\\nc' is not a setting here"),
    ({"arms": {"a": {}}, "sedes": 3}, "sedes is not a setting here: did you mean seeds"),
]


@pytest.mark.parametrize(("settings", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_cannot_be_is_said_in_a_sentence(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parsed(**settings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"arms": {"odd": {"generate": {"strength": 99}}}}, "arm 'odd': generate.strength: must"),
        ({"arms": {"odd": {"generate": {"steps": 0}}}}, "arm 'odd': generate.steps: must be 2"),
        ({"arms": {"odd": {}}, "train": {"steps": "a"}}, "arm 'odd': train.steps: must be a whole"),
        ({"arms": {"odd": {}}, "train": {"steps": None}}, "arm 'odd': train: steps and epochs"),
        ({"arms": {"odd": {}}, "evaluate": {"count": 0}}, "^evaluate.count: must be 1 or more"),
        (
            {"arms": {"odd": {"more_real": 3}}, "real": None},
            "arm 'odd': more_real .* real is empty",
        ),
    ],
)
def test_settings_that_a_stage_refuses_are_named_as_in_the_file(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        list(cells(parsed(**given)))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"real": 70_000}, "real: 70,000 .* has 9,500 here besides 500 .* 9,500 or fewer"),
        ({"more": {"more_real": 9_000}}, "arms: more_real of 'more' .* has 8,500 left .* lower"),
        ({"evaluate": {"count": 20_000}}, "evaluate.count: 20,000 .* has 10,000 .* or fewer"),
        ({"evaluate": {"count": 9, "part": "few"}}, "evaluate.count: 9 .* few has 4 here"),
        ({"evaluate": {"part": "nosuch"}}, "evaluate.part: sample set 'nosuch' is unknown"),
        ({"name": "a b"}, "name 'a b' cannot be a folder"),
    ],
)
def test_more_images_than_there_are_are_refused_before_the_start(
    cdp_home: Path, given: dict[str, Any], said: str
) -> None:
    save_set("few", np.zeros((4, 28, 28, 1), np.uint8), np.arange(4), {"class_names": list("abcd")})
    arms = {"guided": {"generate": {"count": 10}}} | {k: v for k, v in given.items() if k == "more"}
    config = parsed(arms=arms, **{"real": 1000} | {k: v for k, v in given.items() if k != "more"})
    for asked in (estimate, require_ready, partial(extend_run, "no-run")):
        with pytest.raises(CdpError, match=said):
            asked(config)
    estimate(
        parsed(arms=arms | {"more": {"more_real": 8_500}}, real=1000, evaluate={"count": 10_000})
    )


BASE: dict[str, Any] = {
    "name": "x",
    "dataset": "fashion-mnist",
    "real": 300,
    "seeds": [0, 1],
    "arms": {"a": {"more_real": 3}, "b": {"generate": {"count": 2}, "select": {"keep": 1}}},
    "train": {"steps": 4},
    "evaluate": {"count": 20},
    "grid": {"generate.strength": [0.1, 0.2]},
    "search": {"generate.eta": {"low": 0.1, "high": 0.2}},
    "objective": ["robust"],
    "precision": 1.0,
    "race": False,
}
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["nan", "train", "low", "generate.strength"]),
)
ANYTHING = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)


def _places(value: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    return [
        place
        for key, part in parts
        for place in (
            [(*above, key)]
            + (_places(part, (*above, key)) if isinstance(part, dict | list) else [])
        )
    ]


@settings(max_examples=150)
@given(
    place=st.sampled_from(_places(BASE)),
    value=ANYTHING,
    without=st.sampled_from(["grid", "search"]),
)
def test_whatever_is_wrong_is_a_sentence_without_words_of_the_parser(
    place: tuple[Any, ...], value: Any, without: str
) -> None:
    data = copy.deepcopy(BASE)
    at: Any = data
    for part in place[:-1]:
        at = at[part]
    at[place[-1]] = value
    del data[without if place[0] != without else "precision"]
    try:
        list(cells(experiment_of(yaml.safe_dump(data), "x.yaml")))
    except CdpError as error:
        said = str(error)
        for word in ("Input should", "function-", "tagged", "union", "pydantic", "valid ", "Value"):
            assert word not in said.replace(repr(value), "")
        assert "\n" not in said and len(said) > 15


def test_an_arm_whose_images_are_not_said_is_not_taken_for_real_ones() -> None:
    with pytest.raises(InputError, match=r"arms\.guided\.generate has nothing behind it"):
        experiment_of("arms: {guided: {generate: }}", "x.yaml")
    with pytest.raises(InputError, match="pretrain has nothing behind it"):
        experiment_of("arms: {guided: {generate: {}}}\npretrain:\n", "x.yaml")
    config = parsed(arms={"a": {"generate": {}}, "b": {}})
    record = yaml.safe_dump(config.model_dump(mode="json"))
    assert experiment_of(record, "x.yaml") == config
    empty = experiment_of("arms: {real only: , b: {generate: {}}}\ntrain:\ngrid:\n", "x.yaml")
    assert [name for name, _ in empty.all_arms()] == ["real only", "b"]


def test_what_is_not_here_is_said_before_anything_is_queued(cdp_home: Path) -> None:
    with pytest.raises(MissingError, match=r"arm 'mine': .*no-such-set"):
        require_ready(parsed(arms={"mine": {"set": "no-such-set"}}))
    card = {"kind": "imported", "dataset": None, "class_names": ["ant", "bee"]}
    save_set("insects", np.zeros((20, 28, 28, 1), np.uint8), np.arange(20) % 2, card)
    with pytest.raises(InputError, match=r"arm 'insects': .*insects does not fit"):
        require_ready(parsed(arms={"insects": {"set": "insects"}}))
    with pytest.raises(CdpError, match="no-such-model"):
        require_ready(parsed(arms={"a": {"generate": {"model": "no-such-model"}}}))
    with pytest.raises(InputError, match=r"search: generate\.loss is no number"):
        require_ready(parsed(search={"generate.loss": {"low": 0, "high": 1}}, generate={}))


def test_files_of_strangers(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    with pytest.raises(MissingError, match=r"x\.yaml"):
        read_experiment(path)
    for text, said in (
        ("arms: [", "is not YAML"),
        ("- a", "holds no mapping"),
        ("arms: {a: {}}\narms: {b: {}}", "set twice"),
        ("a: &a [1]\nb: *a", "aliases"),
        ("arms: {a: {}}\nfoo: 1", "foo"),
        ("!!python/object/apply:os.system ['true']", "is not YAML"),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=said):
            read_experiment(path)
