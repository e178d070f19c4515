"""The recipe of a page: a script and its line in ``app.py``. Its form is that of a config, which
the link and the command line of its task read too."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from cdp.paths import ROOT
from tests.recipes.program import command, load
from tests.ui.pages import ran, served

CONFIG = '''
from typing import Literal

from cdp.config.knobs import Frozen, knob


class DiceConfig(Frozen):
    """Throws of a die."""

    sides: int = knob(6, "Sides", ge=2, le=100)
    """Of the die."""
    weight: float = knob(0.5, "Weight", ge=0, le=1, advanced=True)
    """Of its heaviest side."""
    order: Literal["rising", "falling"] = knob("rising", "Order")
    """Of the throws."""
    names: tuple[str, ...] = knob((), "Names", max_length=3)
    """Of those who throw."""
'''
PAGE = """
import shlex

import streamlit as st

from cdp.ui.kit.command import command_fold
from cdp.ui.kit.form import Form
from cdp.ui.kit.frame import framed, warned
from cdp.ui.kit.settings import Settings
from dice import DiceConfig

FORM = Form(config=DiceConfig, prefix="dice", state=Settings)

framed()
st.title("Dice")
held = FORM.open()
warned(held.notes)
FORM.draw(held)
command_fold("dice", shlex.join(FORM.command("dice", held.config())))
FORM.close(held)
"""
TASK = """
from cdp.work.registry import TASKS
from cdp.work.task import Task

TASKS["dice"] = Task("dice", "Dice", DiceConfig, lambda config, session: None)
"""
LINE = '        st.Page("pages/dice.py", title="Dice"),\n'


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The app with one more script and one more line."""
    served(monkeypatch)
    load(monkeypatch, tmp_path, "dice", CONFIG)
    shutil.copytree(ROOT / "pages", tmp_path / "pages")
    (tmp_path / "pages" / "dice.py").write_text(PAGE)
    source = (ROOT / "app.py").read_text()
    before, last, after = source.rpartition("            ],\n")
    (tmp_path / "app.py").write_text(before + LINE + last + after)
    app = AppTest.from_file(str(tmp_path / "app.py"), default_timeout=60)
    app.switch_page("pages/dice.py")
    return app


def test_a_new_page_draws_the_form_of_its_config_and_reads_its_link(app: AppTest) -> None:
    app.query_params.update({"sides": "20", "names": "ann,bob", "order": "sideways"})
    ran(app)
    assert app.title[0].value == "Dice"
    assert app.number_input[0].value == 20
    assert app.slider[0].label == "Weight"
    assert app.text_input[0].value == "ann, bob"
    assert [warning.value for warning in app.warning] == [
        "order\\: 'sideways' is not one of rising, falling, so rising is used."
    ]
    ran(app.slider[0].set_value(0.25))
    assert dict(app.query_params) == {"sides": "20", "weight": "0.25", "names": "ann,bob"}
    assert app.code[0].value == "python -m cdp dice --sides 20 --weight 0.25 --names ann,bob"


def test_its_task_is_a_command_with_the_same_settings(tmp_path: Path) -> None:
    (tmp_path / "dice.py").write_text(CONFIG + TASK)
    assert "\n  dice " in command(tmp_path, "dice", "--help").stdout
    said = " ".join(command(tmp_path, "dice", "dice", "--help").stdout.split())
    assert "--sides <int> Of the die." in said and "Of the die. [from 2 to 100; default: 6]" in said
    refused = command(tmp_path, "dice", "dice", "--sides", "1")
    assert refused.returncode == 2 and "sides" in refused.stderr
