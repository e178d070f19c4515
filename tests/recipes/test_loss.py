"""A guidance loss is one entry of ``LOSSES`` and the function that it names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cdp.config.fields import fields_of
from cdp.config.generate import GenerateConfig, unflatten
from cdp.config.losses import LOSSES
from cdp.data.sets import open_set
from cdp.errors import InputError
from tests.recipes.program import command, load
from tests.ui.pages import opened

SOURCE = """
from cdp.config.losses import LOSSES, Loss

LOSSES["pull"] = Loss("Pull to the class mean", "classes", "loss_added:pull")


def pull(compared):
    from cdp.guidance.contrast import class_means

    means, classes = class_means(compared)
    own = means[(compared.classes()[:, None] == classes).int().argmax(1)]
    return (compared.z - own).square().sum(1)
"""


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    before = dict(LOSSES)
    load(monkeypatch, tmp_path, "loss_added", SOURCE)
    yield tmp_path
    LOSSES.clear()
    LOSSES.update(before)


def test_it_can_be_chosen_on_the_page_and_in_a_link(added: Path) -> None:
    field = fields_of(GenerateConfig)["loss"]
    assert "pull" in field.choices and field.title("pull") == "Pull to the class mean"
    page = opened("generate", loss="pull")
    assert not page.exception
    (box,) = [box for box in page.selectbox if box.value == "pull"]
    assert "Pull to the class mean" in box.options


def test_it_guides_a_generation_from_the_command_line(added: Path) -> None:
    shown = command(added, "loss_added", "generate", "--help")
    assert "pull" in shown.stdout
    done = command(
        added,
        "loss_added",
        *("generate", "--loss", "pull", "--count", "4", "--batch", "4", "--steps", "4"),
        *("--bank-size", "32", "--out", str(added / "pulled")),
    )
    assert done.returncode == 0, done.stderr
    made = open_set(added / "pulled")
    assert len(made) == 4 and made.card["config"]["loss"] == "pull"


def test_a_name_that_is_none_is_refused_with_the_names_that_are() -> None:
    with pytest.raises(InputError, match=r"loss: Input should be 'none', 'info_nce'.*'classifier'"):
        unflatten({"loss": "pull"})
