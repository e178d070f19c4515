"""The recipe of a guidance loss: one entry, and the function that it names."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.added import run_with

ENTRY = """
LOSSES["pull"] = Loss("Pull to the class mean", "classes", "addition:pull")
"""
MODULE = """
from cdp.guidance.contrast import class_means

def pull(compared):
    means, classes = class_means(compared)
    own = means[(compared.classes()[:, None] == classes).int().argmax(1)]
    return (compared.z - own).square().sum(1)
"""
SCRIPT = """
from typer.testing import CliRunner
from cdp.cli.main import app
from cdp.config.generate import unflatten
from cdp.data.sets import open_set
from cdp.errors import InputError
from cdp.paths import home
from tests.ui.pages import opened

print("HELP", CliRunner().invoke(app, ["generate", "--help"]).output)
page = opened("generate", loss="pull")
print("PAGE", [box.options for box in page.selectbox if box.value == "pull"])
out = home() / "pulled"
few = ["--count", "4", "--batch", "4", "--steps", "4", "--bank-size", "32"]
done = CliRunner().invoke(app, ["generate", "--loss", "pull", *few, "--out", str(out)])
print("DONE", done.exit_code, open_set(out).card["config"]["loss"])
try:
    unflatten({"loss": "push"})
except InputError as error:
    print("ERROR", error)
"""


def test_a_loss_is_one_entry_on_page_and_command_line_and_guides(tmp_path: Path) -> None:
    said = run_with(ENTRY, MODULE, SCRIPT, tmp_path)
    parts = {line.split(" ", 1)[0]: line for line in said.splitlines() if line}
    assert "uncertainty|influence|pull" in said
    assert "'Pull to the class mean'" in parts["PAGE"]
    assert parts["DONE"] == "DONE 0 pull"
    assert "loss: must be one of none, info_nce" in parts["ERROR"]
    assert "influence, pull (given: 'push')" in parts["ERROR"]
