"""The form: every setting has its place, a link opens exactly what it was made from, and whatever
else stands in it costs one sentence, never a crash."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp.config.fields import fields_of
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.presets import PRESETS, preset
from cdp.ui.evaluate.form import FORM as EVALUATE
from cdp.ui.explore.form import FORM as EXPLORE
from cdp.ui.generate.form import FORM, Generation, restored, settle
from cdp.ui.kit.form import Form
from cdp.ui.kit.settings import from_link, to_link
from cdp.ui.kit.widgets import rungs
from cdp.ui.lab.form import FORM as LAB
from cdp.ui.theory.form import FORM as THEORY
from cdp.ui.train.form import FORM as TRAIN
from tests.ui.worlds import CATALOG

FORMS: dict[str, Form[Any]] = {
    "generate": FORM,
    "train": TRAIN,
    "evaluate": EVALUATE,
    "lab": LAB,
    "theory": THEORY,
    "explore": EXPLORE,
}


LAB_VIEW = ("epsilon", "label", "row")
"""Settings that the lab draws beside the image."""


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_every_setting_has_one_place_in_the_form(form: Form[Any]) -> None:
    rows = [name for group in form.groups for name in group.names]
    placed = [name for row in rows for name in form.spans.get(row, (row,)) if name in form.fields]
    beside = LAB_VIEW if form is LAB else ()
    assert sorted([*placed, *form.hidden, *beside]) == sorted(form.fields)


@pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))
def test_a_control_that_is_not_shown_changes_nothing_a_preset_sets(form: Form[Any]) -> None:
    """Else a preset would set something that a person could neither see nor undo."""
    for name in form.presets:
        flat, plain = form.plain(name), form.plain()
        hidden = [key for key in flat if not form.relevant(key, flat) and flat[key] != plain[key]]
        assert name == "unguided" or not hidden


def test_without_a_loss_no_other_guidance_control_is_shown() -> None:
    flat = FORM.plain("unguided")
    assert FORM.relevant("loss", flat) and FORM.relevant("steps", flat)
    for name in ("strength", "encoder", "window_start", "point", "head"):
        assert not FORM.relevant(name, flat)


@pytest.mark.parametrize("name", ["strength", "temperature"])
@given(share=st.floats(0, 1))
def test_a_slider_in_ratios_rises_within_its_limits_and_has_the_present_value(
    name: str, share: float
) -> None:
    field = fields_of(GenerateConfig)[name]
    assert field.low is not None and field.high is not None
    value = field.low + share * (field.high - field.low)
    steps = rungs(field, value)
    assert steps == sorted(set(steps))
    assert (steps[0], steps[-1]) == (field.low, field.high)
    assert value in steps


RESET = "so the guidance settings are back at the defaults"
BAD: dict[str, tuple[str, str]] = {
    "above the range": ("strength=3", "'3' is not a number from -2 to 2, so 0.1 is used."),
    "below the range": ("steps=1", "'1' is not a whole number from 2 to 1,000, so 10 is used."),
    "not a number": (
        "temperature=warm",
        "'warm' is not a number from 0.01 to 100, so 0.1 is used.",
    ),
    "nan": ("strength=nan", "strength: 'nan' is not a number"),
    "infinity": ("raw_lambda=inf", "raw_lambda: 'inf' is not a number"),
    "a fraction of an image": ("count=2.5", "'2.5' is not a whole number from 1 to 1,000,000"),
    "empty": ("seed=", "seed: '' is not a whole number"),
    "negative seed": ("seed=-1", "seed: '-1' is not a whole number from 0"),
    "unknown choice": ("loss=magic", "'magic' is not one of none, info_nce, hard_negative"),
    "not a flag": ("head=perhaps", "head: 'perhaps' is not true or false"),
    "misspelt name": (
        "strenght=0.2",
        "is not a setting, so it was left out; did you mean strength.",
    ),
    "unknown name": ("zzz=1", "'zzz' is not a setting, so it was left out."),
    "class that is no number": ("classes=0,shirt", "classes: '0,shirt' is not class numbers"),
    "class the model lacks": ("classes=0,7", "7 left out, this model has classes 0 to 2."),
    "negative class": ("classes=-1,2", "classes: -1 left out"),
    "the same class twice": ("classes=1,1", "so all settings are back at the defaults"),
    "model that is not here": ("model=dream", "is not here, so fashion-mnist is used: there are"),
    "a path as a model": ("model=../../etc/passwd", "model: '../../etc/passwd' is not here"),
    "encoder that is not here": ("encoder=eye", "encoder: 'eye' is not here, so robust is used"),
    "weak model that is not here": (
        "weak_model=dream",
        "weak_model: 'dream' is not here, so none is used: there are none that fit.",
    ),
    "the judge as encoder": ("encoder=judge", "encoder: 'judge' is not here"),
    "window upside down": ("window_start=0.2&window_stop=0.6", f"{RESET} (guidance: window_stop"),
    "no rivals": ("loss=info_nce&count=1", f"{RESET} (settings: info_nce has no negatives"),
    "pairs that make no sense": ("loss=info_nce&positives=same_class", RESET),
    "very long": (f"loss={'x' * 5000}", "xxx...' is not one of"),
    "markup": ("loss=<script>alert(1)</script>", "is not one of none"),
}
"""Links to Generate, and what is said of each."""


KEPT = {
    "class the model lacks": {"classes": [0]},
    "negative class": {"classes": [2]},
    "no rivals": {"count": 1},
}
"""What of a case is fine and stays; of all others nothing but the scale that is added."""


def params_of(link: str) -> dict[str, str]:
    return dict(parse_qsl(link, keep_blank_values=True))


def opened(params: dict[str, str]) -> Generation:
    """The settings that a link opens."""
    held = from_link(FORM, params)
    settle(held, CATALOG)
    return held


@pytest.mark.parametrize("case", BAD)
def test_a_value_that_cannot_be_used_costs_one_sentence_and_only_that_field(case: str) -> None:
    link, sentence = BAD[case]
    held = opened({"cfg_scale": "2"} | params_of(link))
    assert len(held.notes) == 1
    assert sentence in held.notes[0]
    assert "\n" not in held.notes[0]
    assert len(held.notes[0]) < 400
    everything = "all settings" in held.notes[0]
    assert held.config() == unflatten({} if everything else {"cfg_scale": 2} | KEPT.get(case, {}))


BAD_ELSEWHERE = [
    ("train", "preset=fast", "'fast' is not one of quick, standard, paper, so quick is used"),
    ("train", "seeds=11", "seeds: '11'"),
    ("train", "epochs=0", "epochs: '0'"),
    ("train", "real=few", "'few' is not a whole number from 0 to 10,000,000 or empty, so "),
    ("train", "epsilon=0", "'0' is not a number above 0 to 100 or empty, so (empty) is used"),
    ("train", f"synthetic={','.join(f's{k}' for k in range(17))}", "at most 16 names"),
    ("train", "epoch=3", "did you mean epochs"),
    ("train", "axis=moon", "axis: 'moon' is not one of step, epoch, "),
    ("train", "curves=losses,lies", "curves: 'losses,lies' is not some of "),
    ("train", "smooth=4", "smooth: '4'"),
    ("train", "mean=1", "mean: '1' is not one of on, off, so it was left out."),
    ("evaluate", "attack=cw", "'cw' is not one of autoattack, pgd, quick, so autoattack is used"),
    ("evaluate", "count=0", "count: '0' is not a whole number from 1"),
    ("evaluate", "epsilon=inf", "epsilon"),
    ("evaluate", "sed=3", "did you mean seed"),
    ("evaluate", "view=all", "view: 'all' is not one of attacks"),
    ("evaluate", f"{'x' * 300}={'y' * 3000}", "not a setting"),
    ("evaluate", f"model={'m' * 500}", "model"),
]


@pytest.mark.parametrize(("page", "link", "sentence"), BAD_ELSEWHERE)
def test_what_a_link_gets_wrong_costs_that_setting_only(
    page: str, link: str, sentence: str
) -> None:
    held = from_link(FORMS[page], {"batch": "64", **params_of(link)})
    assert len(held.notes) == 1
    assert sentence in held.notes[0] and len(held.notes[0]) < 250
    assert held.flat == from_link(FORMS[page], {"batch": "64"}).flat


@pytest.mark.parametrize("name", PRESETS)
def test_a_link_to_a_preset_restores_it_without_a_word(name: str) -> None:
    held = opened(FORM.link(preset(name)))
    assert (held.config(), held.notes, held.preset) == (preset(name), [], name)


def test_default_settings_leave_the_address_bare() -> None:
    assert FORM.link(GenerateConfig()) == {}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "strength": st.floats(0, 2),
            "temperature": st.floats(0.01, 100),
            "seed": st.integers(0, 2**31 - 1),
            "steps": st.integers(2, 1000),
            "classes": st.lists(st.integers(0, 2), unique=True),
            "head": st.booleans(),
            "solver": st.sampled_from(["ddim", "unipc"]),
            "raw_lambda": st.floats(0, 1e9),
            "tau_plus": st.floats(0, 1, exclude_max=True),
            "window_start": st.floats(0.01, 1),
            "encoder": st.sampled_from(["standard", "robust"]),
            "count": st.integers(2, 1_000_000),
        },
    )
)
def test_every_config_survives_the_way_through_an_address(flat: dict[str, object]) -> None:
    held = opened(FORM.link(unflatten(flat)))
    assert (held.config(), held.notes) == (unflatten(flat), [])
    assert to_link(held) == FORM.link(unflatten(flat))


def test_settings_of_a_saved_sheet_are_checked_like_a_link() -> None:
    sheet = flatten(GenerateConfig(seed=9, classes=(2, 0))) | {"encoder": "/somewhere/else"}
    held = restored(sheet, CATALOG)
    assert (held.flat["seed"], held.flat["classes"], held.flat["encoder"]) == (9, [2, 0], "robust")
    assert len(held.notes) == 1


OLD: list[tuple[str, str, dict[str, Any]]] = [
    (
        "generate",
        "seed=9&classes=2,0&strength=0.25&solver=unipc&count=500&head=true&loss=info_nce",
        {"seed": 9, "classes": [2, 0], "strength": 0.25, "count": 500, "head": True},
    ),
    (
        "train",
        "preset=standard&dataset=mnist&synthetic=a,b&fraction=0.5&epsilon=0.03137254901960784"
        "&epochs=12&compile=true&seeds=3&name=night&runs=r1,r2&run=r1&axis=seconds&curves=losses"
        "&smooth=5&mean=off&log=x",
        {"synthetic": ["a", "b"], "epsilon": 8 / 255, "steps": None, "epochs": 12, "compile": True}
        | {"base": "standard", "seeds": 3, "name": "night", "watched": ("r1", "r2")}
        | {"opened": "r1", "axis": "seconds", "curves": ("losses",), "smooth": 5, "mean": False},
    ),
    ("train", "real=&runs=none", {"real": None, "watched": (), "base": "quick"}),
    (
        "evaluate",
        "model=run:abc&weights=both&count=&attack=pgd&epsilon=0.5&curve=false&report=r&view=budgets",
        {"model": "run:abc", "count": None, "epsilon": 0.5, "curve": False}
        | {"report": "r", "view": "budgets"},
    ),
    (
        "lab",
        "model=standard&row=17&epsilon=0.05&attack=targeted&target=3&second=robust&only=4",
        {"row": 17, "epsilon": 0.05, "target": 3, "second": "robust", "only": 4},
    ),
    (
        "theory",
        "norm=l2&angle=20.0&learner=averaging&n=50000&view=needed&set=mine&encoder=judge",
        {"norm": "l2", "angle": 20.0, "n": 50000, "view": "needed", "encoder": "judge"},
    ),
    (
        "explore",
        "sets=one,fashion-mnist:test&encoder=pixels&method=pca&points=500&view=Numbers",
        {"sets": ["one", "fashion-mnist:test"], "encoder": "pixels", "points": 500}
        | {"view": "Numbers"},
    ),
]
"""Links as pages wrote them before they had one form, with what they say."""


@pytest.mark.parametrize(("page", "link", "says"), OLD, ids=[page for page, *_ in OLD])
def test_links_of_before_open_with_the_same_settings(
    page: str, link: str, says: dict[str, Any]
) -> None:
    held = from_link(FORMS[page], params_of(link))
    assert held.notes == []
    assert {name: held.flat.get(name, getattr(held, name, None)) for name in says} == says
