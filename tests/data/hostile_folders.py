"""Folders and image files to refuse."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data import makers
from tests.data.hostile import Attempt, Case, folder_with, importing, png_announcing, save, truncate


def nine(change: Callable[[Path], object], name: str = "cat/9.png") -> Callable[[Path], Attempt]:
    """Two sound class folders and a tenth file in one of them."""
    return folder_with(lambda root: change(root / name))


def named(name: str | bytes) -> Callable[[Path], Attempt]:
    """Two sound class folders, one of them under another name."""
    return folder_with(lambda root: (root / "cat").rename(root / os.fsdecode(name)))


def _one_class(root: Path) -> None:
    shutil.rmtree(root / "dog")


def _no_class(root: Path) -> None:
    shutil.rmtree(root / "dog")
    shutil.rmtree(root / "cat")


def _splits(root: Path) -> None:
    (root / "cat").rename(root / "train")
    (root / "dog").rename(root / "test")


def _many_classes(root: Path) -> None:
    for number in range(1001):
        (root / f"c{number}").mkdir()


def _animation(root: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(root / "cat/9.png", save_all=True, append_images=frames[1:])


def _giant_file(root: Path) -> None:
    with (root / "cat/9.png").open("wb") as file:
        file.truncate(1 << 30)


def _grey_first(root: Path) -> None:
    save(root / "cat/000.png", "L")


def _empty_folder(folder: Path):
    (folder / "empty").mkdir()
    return importing(folder / "empty")


def _flat_folder(folder: Path):
    makers.class_folders(folder / "pets")
    return importing(folder / "pets" / "cat")


FOLDERS = [
    Case("empty folder", _empty_folder, "no class folders"),
    Case("images without class folders", _flat_folder, "no class folders"),
    Case("one class", folder_with(_one_class), "one class folder"),
    Case("no class left", folder_with(_no_class), "no class folders"),
    Case("splits instead of classes", folder_with(_splits), "splits"),
    Case("1003 classes", folder_with(_many_classes), "1003 class folders"),
    Case("empty class folder", folder_with(lambda root: (root / "ant").mkdir()), "no images"),
    Case("class name with control characters", named("c\x1b[31mat"), "unreadable name"),
    Case("class name of undecodable bytes", named(b"c\xff"), "unreadable name"),
    Case("class name turned right to left", named("\u202etac"), "unreadable name"),
    Case(
        "folder inside a class", folder_with(lambda root: (root / "cat/more").mkdir()), "not a file"
    ),
    Case(
        "text file in a class",
        folder_with(lambda root: (root / "cat/readme.txt").write_text("hi")),
        "readme.txt",
    ),
    Case("pipe in a class", nine(os.mkfifo), "not a file"),
    Case("link loop", nine(lambda file: file.symlink_to("."), "loop"), "symbolic link"),
    Case(
        "link loop inside a class",
        nine(lambda file: file.symlink_to(".."), "cat/loop"),
        "symbolic link",
    ),
    Case(
        "link out of the folder",
        nine(lambda file: file.symlink_to("/etc/passwd"), "cat/9.png"),
        "symbolic link",
    ),
    Case(
        "dangling link",
        nine(lambda file: file.symlink_to("nowhere.png"), "cat/9.png"),
        "symbolic link",
    ),
    Case("text named png", nine(lambda file: file.write_text("not an image")), "9.png"),
    Case("empty png", nine(lambda file: file.touch()), "9.png"),
    Case("truncated png", folder_with(lambda root: truncate(root / "cat/001.png")), "001.png"),
    Case("gif named png", nine(lambda file: save(file, format="GIF")), "9.png"),
    Case("tiff named png", nine(lambda file: save(file, format="TIFF")), "9.png"),
    Case(
        "postscript named png",
        nine(lambda file: file.write_text("%!PS-Adobe-3.0 EPSF-3.0\n")),
        "9.png",
    ),
    Case(
        "png decompression bomb",
        nine(lambda file: file.write_bytes(png_announcing(50_000, 50_000, b""))),
        "9.png",
    ),
    Case(
        "png of 2**31 px",
        nine(lambda file: file.write_bytes(png_announcing(2**31 - 1, 1, b""))),
        "9.png",
    ),
    Case("png of 0 px", nine(lambda file: file.write_bytes(png_announcing(0, 8, b""))), "9.png"),
    Case(
        "png with too little data",
        nine(lambda file: file.write_bytes(png_announcing(8, 8, b"\0"))),
        "9.png",
    ),
    Case("png of 1 GB", folder_with(_giant_file), "over 4 MB"),
    Case("png of 65 px", nine(lambda file: save(file, size=(65, 8))), "65 x 8 px"),
    Case("mixed sizes", nine(lambda file: save(file, size=(9, 8)), "dog/9.png"), "9 x 8 px"),
    Case("colour in a grey set", folder_with(_grey_first), "mode RGB"),
    Case(
        "transparency in a colour set",
        nine(lambda file: save(file, "RGBA"), "dog/9.png"),
        "mode RGBA",
    ),
    Case("16-bit grey", nine(Image.fromarray(np.zeros((8, 8), np.uint16)).save), "8-bit"),
    Case("CMYK jpeg", nine(lambda file: save(file, "CMYK"), "cat/9.jpg"), "CMYK"),
    Case("animated png", folder_with(_animation), "animation"),
]
