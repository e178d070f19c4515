"""The recipe of an attack suite: one entry, and the function that it names."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.added import run_with

ENTRY = """
SUITES["grey"] = Suite(
    "Grey", "addition:grey", called=lambda config: f"Grey in {config.steps} steps",
    explained=lambda flat: "Every image becomes grey.", sources="Nobody.", settings=("steps",),
)
"""
MODULE = """
from cdp.robust.suites import Attack

def grey(net, *, classes, norm, epsilon, seed, steps):
    move = lambda x, y, number: x + (0.5 - x).clamp(-epsilon, epsilon)
    return [Attack("grey", f"Grey, {steps} steps", steps, move)]
"""
SCRIPT = """
from pathlib import Path
from typer.testing import CliRunner
from streamlit.testing.v1 import AppTest
from cdp.cli.main import app
from cdp.config.evaluate import EvaluateConfig
from cdp.config.knobs import parse
from cdp.errors import InputError
from cdp.paths import home
from cdp.tasks.evaluate import evaluate_run
from cdp.reports.evaluation import evaluation_html
from tests.tasks import evaluating_world as world
from tests.ui.pages import opened

print("HELP", CliRunner().invoke(app, ["evaluate", "--help"]).output)
page = opened("evaluate")
print("PAGE", page.get("button_group") and [list(b.options) for b in page.get("button_group")],
      [list(b.options) for b in page.selectbox])
chosen = opened("evaluate", attack="grey")
print("CHOSEN", [text.value for text in (*chosen.caption, *chosen.markdown)])
world.make_data(); world.make_run()
report = evaluate_run(world.config(attack="grey", steps=3), home() / "e", world.Told().heard())
print("LABEL", report.label, report.weights[0].stages[0].title)
print("HTML", "Nobody." in evaluation_html(report))
try:
    parse(EvaluateConfig, {"attack": "nothing"})
except InputError as error:
    print("ERROR", error)
"""


def test_a_suite_is_one_entry_on_page_command_line_and_report(tmp_path: Path) -> None:
    said = run_with(ENTRY, MODULE, SCRIPT, tmp_path)
    parts = {line.split(" ", 1)[0]: line for line in said.splitlines() if line}
    assert "autoattack|pgd|quick|grey" in said
    assert "'Grey'" in parts["PAGE"] or "'grey'" in parts["PAGE"]
    assert "Every image becomes grey." in parts["CHOSEN"]
    assert "Grey in 3 steps, n = 40" in parts["LABEL"]
    assert "Grey, 3 steps" in parts["LABEL"]
    assert parts["HTML"] == "HTML True"
    assert "'autoattack', 'pgd', 'quick' or 'grey'" in parts["ERROR"]
