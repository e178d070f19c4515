"""The recipes of a guidance loss, an architecture and an attack suite: each is one entry in a registry
of ``cdp.config.choices``, and the function or class that it names. All three are added in one
process, before anything has read the registries, which is what a line in that file does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cdp.paths import ROOT

MARK = "===== "
ENTRIES = """
LOSSES["pull"] = Loss("Pull to the class mean", "classes", "addition:pull")
ARCHITECTURES["linear"] = Architecture("Linear", "addition:Linear", {"dim": 9})
SUITES["grey"] = Suite(
    "Grey", "addition:grey", called=lambda config: f"Grey in {config.steps} steps",
    explained=lambda flat: "Every image becomes grey.", sources="Nobody.", settings=("steps",),
)
"""
MODULE = """
from cdp.guidance.contrast import class_means
from cdp.models.checkpoints import whole
from cdp.models.classifiers import Classifier
from cdp.robust.suites import Attack
from torch import nn


def pull(compared):
    means, classes = class_means(compared)
    own = means[(compared.classes()[:, None] == classes).int().argmax(1)]
    return (compared.z - own).square().sum(1)


class Linear(Classifier):
    LIMITS = {"dim": whole(1, 100)}

    def __init__(self, classes, channels, *, dim):
        super().__init__()
        self.classes, self.channels, self.dim = classes, channels, dim
        self.body = nn.AdaptiveAvgPool2d(1)
        self.spread = nn.Linear(channels, dim)
        self.head = nn.Linear(dim, classes)

    def features(self, image):
        return self.spread(self.body(image).flatten(1))


def grey(net, *, classes, norm, epsilon, seed, steps):
    move = lambda x, y, number: x + (0.5 - x).clamp(-epsilon, epsilon)
    return [Attack("grey", f"Grey, {steps} steps", steps, move)]
"""
LOSS = """
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
ARCHITECTURE = """
from typer.testing import CliRunner
from cdp.cli.main import app
from cdp.config.knobs import parse
from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.models.encoders import load_encoder
from cdp.paths import home
from cdp.tasks.train_data import warnings_of
from cdp.tasks.evaluate import evaluate_run
from tests.tasks import evaluating_world
from tests.tasks import training_world as world
from tests.ui.pages import opened

print("HELP", CliRunner().invoke(app, ["train", "--help"]).output)
page = opened("train")
print("PAGE", [list(box.options) for box in (*page.selectbox, *page.get("button_group"))])
world.make_sets()
record = world.Told().run(world.config(architecture="linear"), home() / "t")
net = load_encoder(home() / "t" / "best", "small").net
print("NET", type(net).__name__, net.dim)
report = evaluate_run(
    evaluating_world.config(model=str(home() / "t" / "best"), part="small"),
    home() / "e", evaluating_world.Told().heard(),
)
print("REPORT", report.model.architecture, report.n)
try:
    parse(TrainConfig, {"architecture": "nothing"})
except InputError as error:
    print("ERROR", error)
"""
SUITE = """
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


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each script prints, in a home of its own."""
    folder = tmp_path_factory.mktemp("choices")
    (folder / "addition.py").write_text(MODULE, encoding="utf-8")
    program = f"import os\nfrom cdp.config.choices import *\n{ENTRIES}"
    scripts = {"loss": LOSS, "architecture": ARCHITECTURE, "attack_suite": SUITE}
    for name, script in scripts.items():
        program += (
            f"os.environ['CDP_HOME'] = {str(folder / name)!r}\nprint({MARK + name!r})\n{script}\n"
        )
    path = os.pathsep.join((str(folder), str(ROOT)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": path, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert not done.returncode, done.stderr[-3000:]
    printed = [part.partition("\n") for part in done.stdout.split(MARK)[1:]]
    return {name: text for name, _, text in printed}


def test_a_loss_is_one_entry_on_page_and_command_line_and_guides(output: dict[str, str]) -> None:
    said = output["loss"]
    parts = {line.split(" ", 1)[0]: line for line in said.splitlines() if line}
    assert "uncertainty|influence|pull" in said
    assert "'Pull to the class mean'" in parts["PAGE"]
    assert parts["DONE"] == "DONE 0 pull"
    assert "loss: must be one of none, info_nce" in parts["ERROR"]
    assert "influence, pull (given: 'push')" in parts["ERROR"]


def test_an_architecture_is_one_entry_on_page_and_command_line_and_is_kept(
    output: dict[str, str],
) -> None:
    said = output["architecture"]
    parts = {line.split(" ", 1)[0]: line for line in said.splitlines() if line}
    assert "small-cnn|preact-resnet-18|wrn-28-10-swish|linear" in said
    assert "'Linear'" in parts["PAGE"]
    assert parts["NET"] == "NET Linear 9"
    assert parts["REPORT"].startswith("REPORT linear ")
    assert "wrn-28-10-swish, linear (given" in parts["ERROR"]


def test_a_suite_is_one_entry_on_page_command_line_and_report(output: dict[str, str]) -> None:
    said = output["attack_suite"]
    parts = {line.split(" ", 1)[0]: line for line in said.splitlines() if line}
    assert "autoattack|pgd|quick|grey" in said
    assert "'Grey'" in parts["PAGE"] or "'grey'" in parts["PAGE"]
    assert "Every image becomes grey." in parts["CHOSEN"]
    assert "Grey in 3 steps, n = 40" in parts["LABEL"]
    assert "Grey, 3 steps" in parts["LABEL"]
    assert parts["HTML"] == "HTML True"
    assert "autoattack, pgd, quick, grey (given" in parts["ERROR"]
