"""The left column of the Evaluate page: model, attack, what is measured beside it; drawn from the
config's own metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from cdp.config.choices import SUITES
from cdp.config.evaluate import RUN, EvaluateConfig
from cdp.config.fields import Field, fields_of
from cdp.errors import CdpError, InputError
from cdp.tasks.evaluate_data import dataset_named
from cdp.ui.evaluate.catalog import Evaluable, Facts, facts_of
from cdp.ui.evaluate.state import PLAIN, Evaluated
from cdp.ui.kit.choices import Choices, info_of
from cdp.ui.kit.frame import refused
from cdp.ui.kit.widgets import bound, choice, number_of, optional_number
from cdp.ui.kit.words import plain
from cdp.values.text import exact_text, threat_text
from cdp.values.types import DatasetInfo
from cdp.work.failures import sentence

ADVANCED = (
    "architecture",
    "dataset",
    "part",
    "part_seed",
    "steps",
    "restarts",
    "side_count",
    "batch",
    "seed",
)
BESIDE = ("curve", "unseen", "masking")


def model_facts(held: Evaluated) -> tuple[Facts | None, str]:
    """What is known of the chosen model, or why it cannot be evaluated."""
    try:
        return facts_of(held.flat["model"], held.flat["architecture"]), ""
    except (CdpError, OSError) as error:
        return None, sentence(error)


def dataset_of(
    held: Evaluated, facts: Facts | None, data: Choices
) -> tuple[DatasetInfo | None, str]:
    """What is known of the data set, or why it cannot be used; neither where nothing is known of
    the model."""
    if facts is None and not held.flat["dataset"]:
        return None, ""
    try:
        name = dataset_named(held.flat["dataset"], {"dataset": facts.dataset if facts else ""})
    except InputError as error:
        return None, str(error)
    try:
        return info_of(name, data), ""
    except (CdpError, OSError) as error:
        return None, f"dataset: {sentence(error)}"


def form(
    held: Evaluated,
    choices: Sequence[Evaluable],
    facts: Facts | None,
    wrong: str,
    data: Choices,
    info: DatasetInfo | None,
) -> None:
    """All controls, top to bottom. facts, wrong: of the model, as ``model_facts`` answers; info: of
    the data set."""
    with st.container(key="evaluate_form", gap="small"):
        with st.container(key="evaluate_group_model", gap="xsmall"):
            st.subheader("Model", anchor=False)
            _model(held, choices, facts, wrong)
            _control("weights", held, facts, info, data)
            if asks_for_data(facts):
                _control("dataset", held, facts, info, data)
        with st.container(key="evaluate_group_attack", gap="xsmall"):
            st.subheader("Attack", anchor=False)
            _control("attack", held, facts, info, data)
            st.caption(explained(held.flat))
            for name in ("count", "norm", "epsilon"):
                _control(name, held, facts, info, data)
        with st.container(key="evaluate_group_beside", gap="xsmall"):
            st.subheader("Measure as well", anchor=False)
            for name in BESIDE:
                _control(name, held, facts, info, data)
        _advanced(held, facts, info, data)


def asks_for_data(facts: Facts | None) -> bool:
    """Whether the data set has to be chosen, because the model does not say what it was
    trained on."""
    return facts is not None and not facts.dataset


def explained(flat: Mapping[str, Any]) -> str:
    """The attack in one sentence."""
    return SUITES[flat["attack"]].explained(flat)


def relevant(name: str, flat: Mapping[str, Any]) -> bool:
    """Whether a knob does anything under these settings; those that do not are not shown."""
    suite = SUITES[flat["attack"]]
    rules = {
        "weights": flat["model"].startswith(RUN),
        # Stays in sight where a link set it wrongly, so that it can be put right.
        "architecture": flat["model"].endswith(".safetensors") or bool(flat["architecture"]),
        "part_seed": flat["count"] is not None or suite.quick,
        "steps": "steps" in suite.settings,
        "restarts": "restarts" in suite.settings,
        "side_count": any(flat[beside] for beside in BESIDE),
    }
    return rules.get(name, True)


def _model(held: Evaluated, choices: Sequence[Evaluable], facts: Facts | None, wrong: str) -> None:
    """The model by name, or a path that is typed; what is known of it, or wrong with it, stands
    below."""
    field = fields_of(EvaluateConfig)["model"]
    titles = {one.source: one.title for one in choices}
    options, value = list(titles), held.flat["model"]
    if value and value not in options:
        options.append(value)

    def given(text: str | None) -> str:
        source = (text or value).strip()[:400] or value
        if not source.endswith(".safetensors"):
            held.flat["architecture"] = ""
        return source

    st.selectbox(
        field.heading,
        options,
        options.index(value) if value else None,
        format_func=lambda source: titles.get(source, source),
        accept_new_options=True,
        help=field.tooltip,
        placeholder="the path of a folder with weights",
        **bound(field, held, given),
    )
    if facts is None:
        refused(wrong)
        return
    known = known_of(facts)
    if known:
        st.caption(plain(known))


def known_of(facts: Facts) -> str:
    """What a model was trained on and for, in one line; empty where its card does not say."""
    title = facts.dataset_title or facts.dataset
    threat = threat_text(facts.norm, facts.epsilon) if facts.epsilon is not None else ""
    parts = (
        f"Trained on {title}" if title else "",
        f"for {threat}" if threat else "",
        f"best epoch {facts.epoch}" if facts.epoch else "",
    )
    return ", ".join(part for part in parts if part)


def _control(
    name: str, held: Evaluated, facts: Facts | None, info: DatasetInfo | None, data: Choices
) -> None:
    if not relevant(name, held.flat):
        return
    field = fields_of(EvaluateConfig)[name]
    if name in ("dataset", "part"):
        _data(field, held, facts, info, data)
    elif field.kind == "choice":
        choice(field, held, list(field.choices), title=field.title)
    elif field.kind == "flag":
        st.toggle(field.heading, held.flat[name], help=field.tooltip, **bound(field, held))
    elif field.optional:
        optional_number(field, held, empty(name, held.flat, facts, info))
    else:
        number_of(field, held)


def empty(name: str, flat: Mapping[str, Any], facts: Facts | None, info: DatasetInfo | None) -> str:
    """What an optional number stands for where it is left empty."""
    if name == "count":
        return str(SUITES[flat["attack"]].most or "all")
    if facts is None:
        return "as the model says"
    norm = facts.norm_of(flat["norm"])
    if facts.epsilon is not None and facts.norm == norm:
        return f"{exact_text(facts.epsilon)} (trained)"
    conventional = info.conventional(norm) if info else None
    return (
        "no convention: set one"
        if conventional is None
        else f"{exact_text(conventional)} (conventional)"
    )


def _data(
    field: Field, held: Evaluated, facts: Facts | None, info: DatasetInfo | None, data: Choices
) -> None:
    """A data set, or a saved set in place of its test images; empty takes the model's own."""
    titles = (
        {name: one.title for name, one in data.builtin.items()} if field.name == "dataset" else {}
    )
    named = held.flat["dataset"] or (facts.dataset if facts else "")
    options = (
        [*data.builtin, *data.imported]
        if field.name == "dataset"
        else list(data.fitting(named, info))
    )
    value = held.flat[field.name]
    if value and value not in options:
        options.append(value)
    # An empty choice of its own: a list that began with a value cannot be cleared.
    options = ["", *options]
    trained = (facts.dataset_title or facts.dataset) if facts else ""
    titles[""] = (
        "Test images"
        if field.name == "part"
        else f"{trained} (as trained)"
        if trained
        else "Not chosen"
    )
    st.selectbox(
        field.heading,
        options,
        options.index(value),
        format_func=lambda name: titles.get(name, name),
        help=field.tooltip,
        accept_new_options=True,
        **bound(field, held, lambda given: (given or "").strip()[:400]),
    )


def _advanced(
    held: Evaluated, facts: Facts | None, info: DatasetInfo | None, data: Choices
) -> None:
    moved = sum(held.flat[name] != PLAIN[name] for name in ADVANCED)
    with st.expander(
        "Advanced settings" + (f" ({moved} changed)" if moved else ""), key="evaluate_advanced"
    ):
        for name in ADVANCED:
            if name == "dataset" and asks_for_data(facts):
                continue
            _control(name, held, facts, info, data)
