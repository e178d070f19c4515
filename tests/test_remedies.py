"""What an error tells a person to do leads on: each remedy of this table is provoked, read from the
message, and done."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from cdp import paths
from cdp.cli.main import app
from cdp.config.evaluate import EvaluateConfig
from cdp.config.knobs import parse
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.facts import require_trainable
from cdp.data.importing import bring
from cdp.data.registry import load_split
from cdp.data.sets import open_set, save_set
from cdp.errors import CdpError
from cdp.models.classifiers import build_classifier
from cdp.models.encoders import encoder_folder, load_encoder, save_encoder
from cdp.models.pipelines import load_pipeline, model_folder
from cdp.paths import encoders_dir
from cdp.tasks.evaluate_data import prepare as prepare_evaluation
from cdp.tasks.loaded import encoder_on_device
from cdp.tasks.selecting import chosen_rows
from cdp.tasks.sources import dataset_of, open_source
from cdp.tasks.train_data import prepare as prepare_training
from tests.data.makers import class_folders

CDP = paths.ROOT / "cdp"
COMMANDS = typer.main.get_command(app)


def run(line: str) -> str:
    """What a command prints; whatever it raises comes through."""
    words = shlex.split(line.removeprefix("python -m cdp "))
    done = CliRunner().invoke(app, words)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def images(count: int = 24, side: int = 8, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(count).integers(
        0, 256, (count, side, side, channels), dtype=np.uint8
    )


def npz(path: Path, *, label: np.ndarray | None = None, image: np.ndarray | None = None) -> Path:
    np.savez(
        path,
        image=images() if image is None else image,
        label=np.arange(24) % 3 if label is None else label,
    )
    return path


def saved(name: str, classes: int = 3, count: int = 24, side: int = 8) -> str:
    save_set(
        name,
        images(count, side),
        np.arange(count) % classes,
        {"class_names": [f"c{k}" for k in range(classes)]},
    )
    return name


def training(text: str) -> Any:
    """A training as the command line reads it."""
    from cdp.cli.options import chosen
    from cdp.config.train import TrainConfig

    given = dict(word.split("=", 1) for word in text.split())
    plain = {"dataset": "own", "epsilon": "0.1", "held_out": 10}
    return parse(TrainConfig, plain | chosen(given, TrainConfig))


@dataclass(frozen=True)
class Case:
    """One remedy. fail: what goes wrong, given a folder; says: the remedy in the message, as a
    pattern; then: does it, given what the pattern found."""

    fail: Callable[[Path], object]
    says: str
    then: Callable[[Path, re.Match[str]], object]


def _gaps(folder: Path) -> object:
    return bring(npz(folder / "s.npz", label=np.arange(24) % 3 + 1))


def _no_tests(folder: Path) -> object:
    saved("own")
    return load_split("own", "test")


def _path_for_encoder(folder: Path) -> object:
    return encoder_folder(parse(EncoderConfig, {"dataset": str(npz(folder / "s.npz"))}))


def _folder_has_names(folder: Path) -> object:
    class_folders(folder / "pets")
    return bring(folder / "pets", class_names=["a", "b"])


def _twice(folder: Path) -> object:
    saved("own")
    return bring(npz(folder / "own.npz"))


def _real(text: str) -> Callable[[Path], object]:
    def fail(folder: Path) -> object:
        saved("own", count=60)
        return prepare_training(training(text))

    return fail


def _wrong_test_classes(folder: Path) -> object:
    class_folders(folder / "pets" / "train")
    class_folders(folder / "pets" / "test")
    (folder / "pets" / "test" / "cat").rename(folder / "pets" / "test" / "lynx")
    return bring(folder / "pets")


def _pixel_mode(folder: Path) -> object:
    class_folders(folder / "pets")
    Image.fromarray(np.full((8, 8), 5000, np.uint16)).save(folder / "pets" / "cat" / "9.png")
    return bring(folder / "pets")


def _as_rgb(folder: Path, _: re.Match[str]) -> object:
    path = folder / "pets" / "cat" / "9.png"
    with Image.open(path) as image:
        array = (np.asarray(image) >> 8).astype(np.uint8)
    Image.fromarray(array).convert("RGB").save(path)
    return bring(folder / "pets")


def _no_card_dataset(folder: Path) -> object:
    saved("own")
    return dataset_of([open_source("own")], encoder="judge")


def _unlabelled(folder: Path) -> object:
    save_set("bare", images(), None, {})
    return open_set("bare").labels("a training")


def _unlabelled_of_own(folder: Path) -> object:
    _encoder("own")
    save_set("bare", images(), None, {"dataset": "own"})
    return open_set("bare").labels("a training")


def _encoder(dataset: str) -> None:
    """A classifier called standard, which is no judge, of three classes."""
    names = ["c0", "c1", "c2"]
    card = {
        "format": 1,
        "what": "encoder",
        "dataset": dataset,
        "kind": "standard",
        "shape": [1, 8, 8],
        "classes": 3,
        "class_names": names,
    }
    save_encoder(
        encoders_dir() / dataset / "standard",
        build_classifier("small-cnn", classes=3, shape=(1, 8, 8), seed=0),
        card,
    )


def _pseudo_labelled(folder: Path, found: re.Match[str]) -> None:
    _encoder("own")
    run(f"{found[1]}{' own' * found[1].endswith('--dataset')} --min-confidence 0")
    assert open_set("bare-labelled").card["pseudo_labels"]["encoder"]["name"] == "standard"


def _is_images(folder: Path, expression: str, image: np.ndarray) -> None:
    made = eval(expression, {"image": image})  # noqa: S307 - what the message tells a person to type
    assert np.array_equal(bring(npz(folder / "s.npz", image=made)).train.image, images())


def _renumbered_large(folder: Path, option: str) -> None:
    made = bring(folder / "s.npz", **{option: True}).train
    assert made.class_names == tuple(str(2**63 + k) for k in range(3)) and np.array_equal(
        made.labels("a test"), np.arange(24) % 3
    )
    same = npz(folder / "t.npz", label=(np.arange(24) % 3).astype(np.uint64) + np.uint64(2**63))
    assert np.array_equal(
        bring(same, f"{made.name}-test").train.labels("a test"), np.arange(24) % 3
    )


def _unlabelled_file(folder: Path) -> object:
    np.savez(folder / "bare.npz", image=images())
    return load_split(str(folder / "bare.npz"), "train")


def _odd_sides(folder: Path) -> object:
    saved("own", side=9)
    return require_trainable("own", encoder=True)


def _rename(before: str, after: str) -> Callable[[Path, re.Match[str]], object]:
    def then(folder: Path, _: re.Match[str]) -> object:
        (folder / before).rename(folder / after)
        return bring(folder / "pets")

    return then


CASES: dict[str, Case] = {
    "labels with gaps": Case(
        _gaps, r"set (renumber)", lambda f, m: bring(f / "s.npz", **{m[1]: True})
    ),
    "labels with gaps on the command line": Case(
        lambda f: run(f"import {npz(f / 's.npz', label=np.arange(24) % 3 + 1)}"),
        r"set (renumber)",
        lambda f, m: run(f"import {f / 's.npz'} --{m[1]}"),
    ),
    "labels with gaps of a path": Case(
        lambda f: load_split(str(npz(f / "s.npz", label=np.arange(24) % 3 + 1)), "train"),
        r"set (renumber)",
        lambda f, m: load_split(bring(f / "s.npz", renumber=True).train.name, "train"),
    ),
    "no test images": Case(
        _no_tests,
        r"import them under the name (\S+), an .npz with (\S+) as class names$",
        lambda f, m: (
            run(f"import {npz(f / 't.npz')} --name {m[1]} --classes {m[2]}"),
            load_split("own", "test"),
        ),
    ),
    "test images of a set that is not here": Case(
        lambda f: bring(npz(f / "t.npz"), "own-test"),
        r"marks the test images of '(\w+)'.* import its training images under that name first",
        lambda f, m: (bring(npz(f / "s.npz"), m[1]), bring(f / "t.npz", "own-test")),
    ),
    "a path where a name is needed": Case(
        _path_for_encoder,
        r"import it under a name first",
        lambda f, m: encoder_folder(
            parse(EncoderConfig, {"dataset": bring(f / "s.npz", "named").train.name})
        ),
    ),
    "class names for folders": Case(
        _folder_has_names, r"leave the class names out", lambda f, m: bring(f / "pets")
    ),
    "a name that is taken": Case(
        _twice, r"choose another name", lambda f, m: bring(f / "own.npz", "other")
    ),
    "other class folders for tests": Case(
        _wrong_test_classes,
        r"rename the folders as those classes",
        _rename("pets/test/lynx", "pets/test/cat"),
    ),
    "a folder around the data": Case(
        lambda f: (class_folders(f / "zip" / "pets"), bring(f / "zip")),
        r": give (\S+)$",
        lambda f, m: bring(m[1]),
    ),
    "one class": Case(
        lambda f: bring(npz(f / "s.npz", label=np.zeros(24, int))),
        r"name the classes that it lacks",
        lambda f, m: bring(f / "s.npz", class_names=["a", "b"]),
    ),
    "images of 16 bits": Case(_pixel_mode, r"convert it to 8-bit RGB", _as_rgb),
    "more real images than there are": Case(
        _real("real=9999 synthetic="),
        r"leave it empty for (all)$",
        lambda f, m: prepare_training(training(f"real={m[1]}")),
    ),
    "more real images than there are, emptied": Case(
        _real("real=9999"),
        r"leave it empty for all$",
        lambda f, m: prepare_training(training("real=")),
    ),
    "more real images than there are, lowered": Case(
        _real("real=9999"),
        r"has (\d+) here",
        lambda f, m: prepare_training(training(f"real={m[1]}")),
    ),
    "no budget": Case(
        lambda f: (saved("own", count=60), prepare_training(training("epsilon=auto"))),
        r"^(\w+): .* set one, such as ([\d.]+)",
        lambda f, m: prepare_training(training(f"{m[1]}={m[2]}")),
    ),
    "a card without a data set": Case(
        _no_card_dataset,
        r"set (dataset) to .* such as (\S+)$",
        lambda f, m: dataset_of([open_source("own")], m[2], encoder="judge"),
    ),
    "a card without a data set on the command line": Case(
        lambda f: (saved("own"), run("measure own")),
        r"set (dataset) to .* such as (\S+)$",
        lambda f, m: dataset_of([open_source("own")], m[2], encoder="judge"),
    ),
    "nothing to drop": Case(
        lambda f: (saved("own"), run("select own --out part")),
        r"set (keep) to how many, or (drop_duplicates)",
        lambda f, m: run(f"select own --out part --{m[2].replace('_', '-')} --encoder pixels"),
    ),
    "too few of a class to balance": Case(
        lambda f: chosen_rows(
            np.arange(10.0), np.array([0] * 9 + [1]), 6, order="highest", balanced=True
        ),
        r"switch (balanced) off",
        lambda f, m: chosen_rows(
            np.arange(10.0), np.array([0] * 9 + [1]), 6, order="highest", **{m[1]: False}
        ),
    ),
    "sides that encoders do not take": Case(
        _odd_sides,
        r"set (anyway)",
        lambda f, m: require_trainable("own", encoder=True, **{m[1]: True}),
    ),
    "a set without labels": Case(
        _unlabelled,
        r"python -m cdp (pseudo-label bare --name \S+ --dataset) DATASET \(",
        _pseudo_labelled,
    ),
    "a set without labels, of a data set without a judge": Case(
        _unlabelled_of_own, r"python -m cdp (pseudo-label bare --name \S+),", _pseudo_labelled
    ),
    "a set without labels, of a data set without classifiers": Case(
        lambda f: (
            saved("own"),
            save_set("bare", images(), None, {"dataset": "own"}),
            run("pseudo-label bare --name labelled"),
        ),
        r"own has no classifier here .* python -m cdp (pretrain-encoder --dataset own),",
        lambda f, m: known(m[1], EncoderConfig),
    ),
    "an encoder of a data set that is not here": Case(
        lambda f: encoder_on_device("standard", "nowhere"),
        r"'nowhere' is not here.* \(python -m cdp (import) PATH (--name nowhere)\) .* \(python -m"
        r" cdp (pretrain-encoder --dataset nowhere --name standard)\)",
        lambda f, m: (run(f"{m[1]} {npz(f / 's.npz')} {m[2]}"), known(m[3], EncoderConfig)),
    ),
    "images of -1 to 1": Case(
        lambda f: bring(npz(f / "s.npz", image=images() / 127.5 - 1)),
        r"0\.\.1, (\S.*) where they lie in -1\.\.1",
        lambda f, m: _is_images(f, m[1], images() / 127.5 - 1),
    ),
    "images of -128 to 127": Case(
        lambda f: bring(npz(f / "s.npz", image=(images().astype(int) - 128).astype(np.int8))),
        r"0\.\.255, (\S.*) where they lie in -128",
        lambda f, m: _is_images(f, m[1], (images().astype(int) - 128).astype(np.int8)),
    ),
    "labels above 2**63": Case(
        lambda f: bring(
            npz(f / "s.npz", label=(np.arange(24) % 3).astype(np.uint64) + np.uint64(2**63))
        ),
        r"9223372036854775808.* set (renumber)",
        lambda f, m: _renumbered_large(f, m[1]),
    ),
    "a file without labels": Case(
        _unlabelled_file,
        r"\(python -m cdp (import .* --name) NAME\), .*\(python -m cdp (pseudo-label NAME --dataset"
        r" DATASET --name NEW)\)",
        lambda f, m: (run(f"{m[1]} bare"), known(m[2]), open_set("bare")),
    ),
    "an encoder that is not here": Case(
        lambda f: (saved("own"), load_encoder("mine", "own")),
        r"make one with python -m cdp (.+)$",
        lambda f, m: known(m[1], EncoderConfig),
    ),
    "a diffusion model that is not here": Case(
        lambda f: load_pipeline("mine.v2"),
        r"make one with python -m cdp (.+)$",
        lambda f, m: known(m[1], PretrainConfig),
    ),
    "a model whose name is shipped": Case(
        lambda f: model_folder(parse(PretrainConfig, {})),
        r"(name): .* choose another name",
        lambda f, m: model_folder(parse(PretrainConfig, {m[1]: "other"})),
    ),
    "an evaluation of nothing": Case(
        lambda f: prepare_evaluation(
            parse(EvaluateConfig, {"model": "assets/encoders/fashion-mnist/robust", "part": "gone"})
        ),
        r"generate or import one",
        lambda f, m: bring(npz(f / "s.npz")),
    ),
    "no runs": Case(
        lambda f: _failing(run("runs")), r"python -m cdp (.+)$", lambda f, m: known(m[1])
    ),
    "no sets": Case(
        lambda f: _failing(run("sets")),
        r"python -m cdp (generate), or bring one with python -m cdp (import)",
        lambda f, m: (known(m[1]), known(m[2])),
    ),
}


def known(line: str, model: Any = None) -> None:
    """The line is one that the command line takes, up to its settings; model: which its options
    have to be valid for."""
    words = shlex.split(line)
    command = COMMANDS.get_command(click.Context(COMMANDS), words[0])  # type: ignore[attr-defined]
    assert command is not None, line
    options = {option: one for one in command.params for option in (*one.opts, *one.secondary_opts)}
    assert [word for word in words[1:] if word.startswith("--") and word not in options] == [], line
    if model is not None:
        given = {
            words[k].removeprefix("--").replace("-", "_"): words[k + 1]
            for k in range(1, len(words), 2)
        }
        config = parse(model, given)
        (encoder_folder if model is EncoderConfig else model_folder)(config)


def _failing(text: str) -> None:
    raise CdpError(text.strip())


@pytest.mark.parametrize("name", CASES)
def test_a_remedy_leads_on(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    (tmp_path / "given").mkdir()
    with pytest.raises(CdpError) as caught:
        case.fail(tmp_path / "given")
    message = str(caught.value)
    found = re.search(case.says, message)
    assert found, message
    case.then(tmp_path / "given", found)
