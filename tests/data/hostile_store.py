"""Names, stored sets and files of built-in data sets to refuse."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from cdp import paths
from cdp.data import formats
from cdp.data.importing import export_npz
from cdp.data.registry import load_split
from cdp.data.sets import SetWriter, delete_set, open_set, save_set
from tests.data import makers
from tests.data.hostile import Attempt, Case, objects, pickled, truncate


def named(name: str) -> Case:
    """Saving under a bad name."""
    return Case(
        f"name {name[:20]!r}",
        lambda folder: partial(save_set, name, makers.images(), makers.labels(), {}),
        "name",
    )


def broken_set(change: Callable[[Path], object]) -> Callable[[Path], Attempt]:
    """A sound set of the store, then changed; opening it should be refused."""

    def build(folder: Path) -> Attempt:
        change(save_set("broken", makers.images(), makers.labels(), {}).folder)
        return partial(open_set, "broken")

    return build


def card_with(**fields: object) -> Callable[[Path], Attempt]:
    """A set whose card has other fields."""

    def change(folder: Path) -> None:
        path = folder / "card.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return broken_set(change)


def _pipe(folder: Path) -> None:
    (folder / "image.npy").unlink()
    os.mkfifo(folder / "image.npy")


def mnist_with(change: Callable[[Path], object]) -> Callable[[Path], Attempt]:
    """torchvision's MNIST folder, then one file changed."""

    def build(folder: Path) -> Attempt:
        makers.mnist_layout(paths.datasets_dir(), "MNIST")
        change(paths.datasets_dir() / "MNIST/raw")
        return partial(load_split, "mnist", "train")

    return build


def idx_images(header: bytes, data: bytes = b"") -> Callable[[Path], Attempt]:
    """MNIST whose training images are any bytes, compressed."""
    return mnist_with(
        lambda raw: (raw / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(header + data))
    )


def _cifar_payload(folder: Path) -> Attempt:
    base = paths.datasets_dir() / "cifar-10-batches-py"
    base.mkdir(parents=True)
    for name in formats.CIFAR_TRAIN:
        (base / name).write_bytes(pickled({"data": objects(1), "labels": [0]}))
    return partial(load_split, "cifar10", "train")


def gtsrb_with(split: str, change: Callable[[Path], object]) -> Callable[[Path], Attempt]:
    """torchvision's GTSRB folder, then changed."""

    def build(folder: Path) -> Attempt:
        makers.gtsrb_layout(paths.datasets_dir())
        change(paths.datasets_dir() / "gtsrb")
        return partial(load_split, "gtsrb", split)

    return build


def _table(text: str) -> Callable[[Path], object]:
    return lambda base: (base / "GT-final_test.csv").write_text(text)


def _other_config(folder: Path) -> Attempt:
    with SetWriter(paths.sets_dir() / "half", 6, (8, 8, 1), {"seed": 0}) as writer:
        writer.write(slice(0, 2), makers.images(2), makers.labels(2))
    return partial(SetWriter, paths.sets_dir() / "half", 6, (8, 8, 1), {"seed": 1})


def _broken_progress(folder: Path) -> Attempt:
    _other_config(folder)
    (paths.sets_dir() / ".half.partial" / "progress.json").write_text("[]")
    return partial(SetWriter, paths.sets_dir() / "half", 6, (8, 8, 1), {"seed": 0})


def _partial_by_name(folder: Path) -> Attempt:
    _other_config(folder)
    return partial(open_set, ".half.partial")


def _export_over(folder: Path) -> Attempt:
    (folder / "taken.npz").write_text("mine")
    return lambda: export_npz(open_set("kept"), folder / "taken.npz")


NAMES = (
    "",
    ".",
    "..",
    "../up",
    "/etc/x",
    "a/b",
    "a\\b",
    ".hidden",
    "-rf",
    "a b",
    "a\0b",
    "a\nb",
    "\u202egnp",
    "n\u00e4me",
    "x" * 101,
    "dot.",
    "CON",
    "nul.txt",
)

STORE = [
    *map(named, NAMES),
    Case("unknown set", lambda folder: partial(open_set, "nowhere"), "nowhere"),
    Case("deleting an unknown set", lambda folder: partial(delete_set, "nowhere"), "nowhere"),
    Case("deleting above the store", lambda folder: partial(delete_set, "../data"), "../data"),
    Case("partial set by name", _partial_by_name, ".half.partial"),
    Case("no card", broken_set(lambda folder: (folder / "card.json").unlink()), "broken"),
    Case(
        "card not JSON",
        broken_set(lambda folder: (folder / "card.json").write_text("{")),
        "card.json",
    ),
    Case(
        "card a list",
        broken_set(lambda folder: (folder / "card.json").write_text("[1]")),
        "card.json",
    ),
    Case(
        "card of bytes",
        broken_set(lambda folder: (folder / "card.json").write_bytes(b"\xff\xfe\x00")),
        "card.json",
    ),
    Case(
        "card nested deeply",
        broken_set(lambda folder: (folder / "card.json").write_text("[" * 100_000)),
        "card.json",
    ),
    Case("card of 2 MB", card_with(note="x" * (2 << 20)), "card.json"),
    Case("card with NaN count", card_with(count=float("nan")), "NaN is not a number"),
    Case("card with another count", card_with(count=7), "7 images"),
    Case("card with another shape", card_with(shape=[8, 8, 3]), "(8, 8, 3)"),
    Case("card with too few classes", card_with(class_names=["only"]), "label 2"),
    Case("card of a later format", card_with(format=99), "format"),
    Case(
        "card of a folder",
        broken_set(lambda f: ((f / "card.json").unlink(), (f / "card.json").mkdir())),
        "card.json",
    ),
    Case("no label file", broken_set(lambda folder: (folder / "label.npy").unlink()), "label.npy"),
    Case("no image file", broken_set(lambda folder: (folder / "image.npy").unlink()), "image.npy"),
    Case("image file cut", broken_set(lambda folder: truncate(folder / "image.npy")), "image.npy"),
    Case("image file a pipe", broken_set(_pipe), "image.npy"),
    Case(
        "pickled label file",
        broken_set(lambda folder: np.save(folder / "label.npy", objects(6), allow_pickle=True)),
        "pickled",
    ),
    Case(
        "float label file",
        broken_set(lambda folder: np.save(folder / "label.npy", np.zeros(6))),
        "float64",
    ),
    Case(
        "short label file",
        broken_set(lambda folder: np.save(folder / "label.npy", makers.labels(5))),
        "5 labels",
    ),
    Case(
        "label file out of range",
        broken_set(lambda folder: np.save(folder / "label.npy", makers.labels() - 1)),
        "label -1",
    ),
    Case(
        "image file of floats",
        broken_set(lambda folder: np.save(folder / "image.npy", np.zeros((6, 8, 8, 1)))),
        "float64",
    ),
    Case("partial set of other settings", _other_config, "was begun with 0, not 1"),
    Case("partial set with broken progress", _broken_progress, "progress.json"),
    Case("export over a file", _export_over, "taken.npz"),
    Case(
        "export under another suffix",
        lambda folder: lambda: export_npz(open_set("kept"), folder / "out.zip"),
        "out.zip",
    ),
    Case(
        "export into no folder",
        lambda folder: lambda: export_npz(open_set("kept"), folder / "no/out.npz"),
        "no",
    ),
    Case(
        "unknown split",
        lambda folder: partial(load_split, "fashion-mnist", "validation"),
        "validation",
    ),
    Case("unknown data set", lambda folder: partial(load_split, "imagenet", "train"), "imagenet"),
    Case("data set not here", lambda folder: partial(load_split, "kmnist", "train"), "KMNIST/raw"),
    Case(
        "set without test images", lambda folder: partial(load_split, "kept", "test"), "kept-test"
    ),
    Case(
        "IDX of wrong magic",
        idx_images(b"\0\0\x09\x03" + struct.pack(">3I", 20, 28, 28), bytes(20 * 784)),
        "not an IDX",
    ),
    Case("IDX cut in its header", idx_images(b"\0\0\x08\x03\0\0"), "header"),
    Case("IDX of 3 TB", idx_images(b"\0\0\x08\x03" + b"\xff" * 12), "announces"),
    Case(
        "IDX too short",
        idx_images(b"\0\0\x08\x03" + struct.pack(">3I", 20, 28, 28), bytes(100)),
        "holds 100",
    ),
    Case(
        "IDX too long",
        idx_images(b"\0\0\x08\x03" + struct.pack(">3I", 20, 28, 28), bytes(20 * 784 + 9)),
        "announces",
    ),
    Case(
        "IDX of other size",
        idx_images(b"\0\0\x08\x03" + struct.pack(">3I", 20, 14, 14), bytes(20 * 196)),
        "28, 28",
    ),
    Case(
        "IDX of other count",
        idx_images(b"\0\0\x08\x03" + struct.pack(">3I", 19, 28, 28), bytes(19 * 784)),
        "train-labels",
    ),
    Case(
        "IDX label 10",
        mnist_with(lambda raw: makers.idx(raw / "train-labels-idx1-ubyte.gz", np.full(20, 10))),
        "label 10",
    ),
    Case(
        "gzip corrupt",
        mnist_with(lambda raw: (raw / "train-images-idx3-ubyte.gz").write_bytes(b"\x1f\x8b junk")),
        "images-idx3",
    ),
    Case(
        "gzip cut",
        mnist_with(lambda raw: truncate(raw / "train-images-idx3-ubyte.gz")),
        "images-idx3",
    ),
    Case("CIFAR-10 batch with a payload", _cifar_payload, "MD5"),
    Case(
        "GTSRB with a class folder missing",
        gtsrb_with("train", lambda b: shutil.rmtree(b / "GTSRB/Training/00007")),
        "00042",
    ),
    Case(
        "GTSRB photograph cut",
        gtsrb_with("train", lambda b: truncate(b / "GTSRB/Training/00003/00000_00000.ppm")),
        "00000_00000.ppm",
    ),
    Case(
        "GTSRB table with a path",
        gtsrb_with("test", _table("Filename;ClassId\n../../x.ppm;1\n")),
        "../../x.ppm",
    ),
    Case(
        "GTSRB table with class 43",
        gtsrb_with("test", _table("Filename;ClassId\n00000.ppm;43\n")),
        "class 43",
    ),
    Case(
        "GTSRB table without columns", gtsrb_with("test", _table("a;b\n1;2\n")), "GT-final_test.csv"
    ),
    Case("GTSRB table empty", gtsrb_with("test", _table("")), "empty"),
    Case(
        "GTSRB table names an absent file",
        gtsrb_with("test", _table("Filename;ClassId\nnone.ppm;1\n")),
        "none.ppm",
    ),
]
