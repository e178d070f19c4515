"""A link opens nothing that no list has: it is said, and read once a person pressed the button that
names it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from cdp import paths
from cdp.config.train import TrainConfig
from cdp.data.npz import write_npz
from cdp.experiments.files import experiment_of
from cdp.files.atomic import write_json
from cdp.ui.experiment.doors import packed
from cdp.ui.kit.choices import Choices
from cdp.ui.kit.linked_paths import texts_in, unasked
from tests.ui.pages import control, opened, ran, texts
from tests.ui.train_runs import train_run

pytestmark = pytest.mark.usefixtures("server")

_watched: list[tuple[str, set[str]]] = []
_LOOKS = {"open", "os.listdir", "os.scandir", "shutil.copyfile", "shutil.copytree", "mmap.__new__"}


def _audit(event: str, given: tuple[object, ...]) -> None:
    if _watched and event in _LOOKS and given and isinstance(given[0], str | bytes | os.PathLike):
        name = str(Path(os.fsdecode(given[0])).absolute())
        for root, read in _watched:
            if name.startswith(root):
                read.add(name)


sys.addaudithook(_audit)


@contextmanager
def reads(folder: Path) -> Iterator[set[str]]:
    """What this process opens or lists below a folder meanwhile."""
    read: set[str] = set()
    _watched.append((str(folder), read))
    try:
        yield read
    finally:
        _watched.pop()


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of a person that no list of the app has, in the folder of this name."""
    folder = tmp_path / "secret"
    folder.mkdir()
    image = np.zeros((8, 28, 28, 1), np.uint8)
    write_npz(folder / "data.npz", image, np.arange(8) % 2)
    (folder / "model").mkdir()
    write_json(folder / "model" / "card.json", {"name": "model"})
    (folder / "model" / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    (folder / "set").mkdir()
    (folder / "set" / "card.json").write_text("{}")
    (folder / "experiment.yaml").write_text("dataset: mnist\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


WAYS: Mapping[str, Callable[[Path], str]] = {
    "whole": lambda path: str(path),
    "below home": lambda path: f"~/secret/{path.name}",
    "upwards": lambda path: os.path.relpath(path),
    "out of the store": lambda path: os.path.relpath(path, paths.sets_dir()),
    "through a run": lambda path: "run:" + os.path.relpath(path, paths.runs_dir()),
    "as a split": lambda path: f"{path}:test",
    "dotted": lambda path: f"{path.parent}/./{path.name}",
}
LINKS: Mapping[str, tuple[str, ...]] = {
    "home": ("set", "run"),
    "generate": ("model", "dataset", "encoder", "weak_model", "job"),
    "gallery": ("set", "with"),
    "data": ("dataset",),
    "explore": ("sets", "encoder", "dataset", "colour"),
    "lab": ("model", "dataset", "second"),
    "train": ("dataset", "synthetic", "run", "runs", "name"),
    "experiment": ("experiment", "yaml", "door"),
    "evaluate": ("model", "dataset", "part", "report", "more"),
    "compare": ("runs", "q", "columns"),
    "theory": ("set", "encoder"),
}
"""Every page, with what its link may name."""


def test_every_page_is_among_those_whose_links_are_tried() -> None:
    assert set(LINKS) == {file.stem for file in (paths.ROOT / "pages").glob("*.py")}


@pytest.mark.parametrize("page", LINKS)
def test_a_link_that_names_a_path_opens_nothing_there(page: str, secret: Path) -> None:
    for store in (paths.runs_dir(), paths.sets_dir(), paths.cache_dir() / "unsaved"):
        store.mkdir(parents=True)  # or there is no way out of them
    for way in ("whole", "upwards", "out of the store", "through a run"):
        for file in ("data.npz", "model"):
            with reads(secret) as read:
                opened(page, **dict.fromkeys(LINKS[page], WAYS[way](secret / file)))
            assert not read, (way, file)
    copies = [entry.name for entry in (paths.cache_dir() / "data").glob("*")]
    assert all(name.startswith("fashion-mnist-") for name in copies), copies


def test_the_watch_of_these_tests_sees_what_is_opened(secret: Path) -> None:
    with reads(secret) as read:
        np.load(secret / "data.npz")
        list((secret / "set").iterdir())
    assert read == {str(secret / "data.npz"), str(secret / "set")}


@pytest.mark.parametrize("way", WAYS)
def test_every_spelling_of_a_path_has_to_be_asked_for(way: str, secret: Path) -> None:
    for file in ("data.npz", "model", "set", "nowhere"):
        named = WAYS[way](secret / file)
        assert unasked([named]) == [named]


@pytest.mark.parametrize("name", ["app.py", "cdp", "assets", "tests:test", "\0", ".", "~", "C:\\x"])
def test_so_has_a_plain_name_where_something_is_called_so(name: str) -> None:
    assert unasked([name]) == ([] if os.name != "nt" and name == "C:" else [name])


@pytest.mark.parametrize(
    "name", ["fashion-mnist", "fashion-mnist:test", "nobody", "run:1", "", "a b"]
)
def test_names_are_no_paths(name: str) -> None:
    assert unasked([name]) == []


def test_what_the_lists_have_is_no_path_to_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from cdp.ui.kit.choices import read_choices

    listed = read_choices().shipped_and_own()
    assert listed and all("/" in name for name in listed)
    assert unasked(listed) == []
    assert unasked(str(paths.ROOT / name) for name in listed) == [], "the same from the root on"
    monkeypatch.setattr("cdp.ui.kit.choices.read_choices", Choices)
    assert unasked(listed) == list(listed)


def _asked(app: AppTest, key: str, *named: Path) -> None:
    """The sentence that names the paths, and the button that opens them."""
    said = [str(w.value).replace("\\", "") for w in app.warning if "The link names" in w.value]
    assert len(said) == 1 and "nothing was read there" in said[0]
    assert all(repr(str(path)) in said[0] for path in named)
    assert app.button(key=key)


def test_train_reads_the_data_set_of_a_link_once_the_button_was_pressed(secret: Path) -> None:
    path = secret / "data.npz"
    app = opened("train", dataset=str(path), epsilon="0.1")
    _asked(app, "train_open_paths", path)
    assert app.button(key="train_start").disabled
    assert control(app, "Data set").value == "fashion-mnist"
    assert "0.1" in control(app, "Attack budget").value
    with reads(secret) as read:
        ran(app.button(key="train_open_paths").click())
    assert str(path) in read
    assert control(app, "Data set").value == str(path)
    assert "2 classes, 28 x 28" in texts(app)
    assert not app.button(key="train_start").disabled
    assert "The link names" not in texts(app)
    # In this session it is asked for, by whatever link.
    app.query_params["dataset"], app.query_params["seed"] = str(path), "3"
    ran(app)
    assert control(app, "Data set").value == str(path)
    assert "The link names" not in texts(app)


def _typed(box: Any, text: str) -> Any:
    """AppTest chooses from a list only."""
    box.options.append(text)
    return box.select(text)


def test_another_choice_by_hand_takes_the_offer_away(secret: Path) -> None:
    app = opened("train", dataset=str(secret / "data.npz"))
    ran(_typed(control(app, "Data set"), "elsewhere"))
    assert "The link names" not in texts(app)


def test_a_path_that_is_typed_is_asked_for(secret: Path) -> None:
    app, path = opened("train"), str(secret / "data.npz")
    ran(_typed(control(app, "Data set"), path))
    assert control(app, "Data set").value == path
    app.query_params["dataset"], app.query_params["seed"] = path, "3"
    ran(app)
    assert control(app, "Data set").value == path
    assert "The link names" not in texts(app)
    assert unasked([path]) == [path], "in that session alone"


def test_evaluate_reads_model_and_images_of_a_link_once_the_button_was_pressed(
    secret: Path,
) -> None:
    file = (secret / "model" / "model.safetensors").rename(secret / "net.safetensors")
    link = {"model": str(file), "architecture": "preact-resnet-18", "dataset": str(secret / "set")}
    with reads(secret) as read:
        app = opened("evaluate", **link)
    assert not read
    _asked(app, "evaluate_open_paths", file, secret / "set")
    assert app.button(key="evaluate_start").disabled
    with reads(secret) as read:
        ran(app.button(key="evaluate_open_paths").click())
    assert str(secret / "set") in {str(Path(name).parent) for name in read} | read
    assert control(app, "Model").value == str(file)
    assert app.session_state["evaluate_settings"].flat["architecture"] == "preact-resnet-18"


def test_an_experiment_of_a_link_is_taken_over_once_its_paths_are_asked_for(secret: Path) -> None:
    path = secret / "data.npz"
    config = experiment_of(
        f"dataset: {path}\narms:\n  real only: {{}}\n  other: {{set: {secret / 'set'}}}\n", "test"
    )
    with reads(secret) as read:
        app = opened("experiment", yaml=packed(config))
    assert not read
    _asked(app, "experiment_open_paths", path, secret / "set")
    assert app.button(key="experiment_start").disabled
    assert control(app, "Data set").value == "fashion-mnist"
    with reads(secret) as read:
        ran(app.button(key="experiment_open_paths").click())
    assert str(path) in read
    assert control(app, "Data set").value == str(path)
    assert "The link names" not in texts(app)


def test_all_settings_that_name_something_are_known_as_such() -> None:
    """A pattern keeps a text from being a path; any other text may be one."""
    opening = ("model", "dataset", "encoder", "weak_model", "synthetic", "part", "start", "set")
    assert list(texts_in({name: f"/{name}" for name in opening})) == [f"/{n}" for n in opening]
    nested = {"grid": {"generate.model": ["/a", "b"]}, "arms": {"x": {"set": "/c"}}, "name": "/d"}
    assert list(texts_in(nested)) == ["/a", "b", "/c"]


def test_what_a_listed_run_was_started_with_is_asked_for_already(secret: Path) -> None:
    path = str(secret / "data.npz")
    train_run("one", config=TrainConfig(dataset=path))
    assert unasked([path, str(secret / "set")]) == [str(secret / "set")]
