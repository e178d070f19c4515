"""The recipe of an architecture: one entry, and the class that it names."""

from __future__ import annotations

from pathlib import Path

from tests.recipes.added import run_with

ENTRY = """
ARCHITECTURES["linear"] = Architecture("Linear", "addition:Linear", {"dim": 9})
"""
MODULE = """
from torch import nn
from cdp.models.checkpoints import whole
from cdp.models.classifiers import Classifier

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
"""
SCRIPT = """
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


def test_an_architecture_is_one_entry_on_page_and_command_line_and_is_kept(tmp_path: Path) -> None:
    said = run_with(ENTRY, MODULE, SCRIPT, tmp_path)
    parts = {line.split(" ", 1)[0]: line for line in said.splitlines() if line}
    assert "small-cnn|preact-resnet-18|wrn-28-10-swish|linear" in said
    assert "'Linear'" in parts["PAGE"]
    assert parts["NET"] == "NET Linear 9"
    assert parts["REPORT"].startswith("REPORT linear ")
    assert "'wrn-28-10-swish' or 'linear'" in parts["ERROR"]
