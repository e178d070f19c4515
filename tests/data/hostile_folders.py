"""Folders and image files to refuse."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from tests.data import makers
from tests.data.hostile import Case, folder_with, importing, png_announcing, save, truncate


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


def _linked(root: Path, name: str, target: str) -> None:
    (root / name).symlink_to(target)


FOLDERS = [
    Case("empty folder", _empty_folder, "no class folders"),
    Case("images without class folders", _flat_folder, "no class folders"),
    Case("one class", folder_with(_one_class), "one class folder"),
    Case("no class left", folder_with(_no_class), "no class folders"),
    Case("splits instead of classes", folder_with(_splits), "splits"),
    Case("1003 classes", folder_with(_many_classes), "1003 class folders"),
    Case("empty class folder", folder_with(lambda root: (root / "ant").mkdir()), "no images"),
    Case(
        "class name with control characters",
        folder_with(lambda root: (root / "cat").rename(root / "c\x1b[31mat")),
        "unreadable name",
    ),
    Case(
        "class name of undecodable bytes",
        folder_with(lambda root: (root / "cat").rename(root / os.fsdecode(b"c\xff"))),
        "unreadable name",
    ),
    Case(
        "class name turned right to left",
        folder_with(lambda root: (root / "cat").rename(root / "\u202etac")),
        "unreadable name",
    ),
    Case(
        "folder inside a class", folder_with(lambda root: (root / "cat/more").mkdir()), "not a file"
    ),
    Case(
        "text file in a class",
        folder_with(lambda root: (root / "cat/readme.txt").write_text("hi")),
        "readme.txt",
    ),
    Case("pipe in a class", folder_with(lambda root: os.mkfifo(root / "cat/9.png")), "not a file"),
    Case("link loop", folder_with(lambda root: _linked(root, "loop", ".")), "symbolic link"),
    Case(
        "link loop inside a class",
        folder_with(lambda root: _linked(root, "cat/loop", "..")),
        "symbolic link",
    ),
    Case(
        "link out of the folder",
        folder_with(lambda root: _linked(root, "cat/9.png", "/etc/passwd")),
        "symbolic link",
    ),
    Case(
        "dangling link",
        folder_with(lambda root: _linked(root, "cat/9.png", "nowhere.png")),
        "symbolic link",
    ),
    Case(
        "text named png",
        folder_with(lambda root: (root / "cat/9.png").write_text("not an image")),
        "9.png",
    ),
    Case("empty png", folder_with(lambda root: (root / "cat/9.png").touch()), "9.png"),
    Case("truncated png", folder_with(lambda root: truncate(root / "cat/001.png")), "001.png"),
    Case(
        "gif named png", folder_with(lambda root: save(root / "cat/9.png", format="GIF")), "9.png"
    ),
    Case(
        "tiff named png", folder_with(lambda root: save(root / "cat/9.png", format="TIFF")), "9.png"
    ),
    Case(
        "postscript named png",
        folder_with(lambda root: (root / "cat/9.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n")),
        "9.png",
    ),
    Case(
        "png decompression bomb",
        folder_with(
            lambda root: (root / "cat/9.png").write_bytes(png_announcing(50_000, 50_000, b""))
        ),
        "9.png",
    ),
    Case(
        "png of 2**31 px",
        folder_with(
            lambda root: (root / "cat/9.png").write_bytes(png_announcing(2**31 - 1, 1, b""))
        ),
        "9.png",
    ),
    Case(
        "png of 0 px",
        folder_with(lambda root: (root / "cat/9.png").write_bytes(png_announcing(0, 8, b""))),
        "9.png",
    ),
    Case(
        "png with too little data",
        folder_with(lambda root: (root / "cat/9.png").write_bytes(png_announcing(8, 8, b"\0"))),
        "9.png",
    ),
    Case("png of 1 GB", folder_with(_giant_file), "over 4 MB"),
    Case(
        "png of 65 px",
        folder_with(lambda root: save(root / "cat/9.png", size=(65, 8))),
        "65 x 8 px",
    ),
    Case(
        "mixed sizes", folder_with(lambda root: save(root / "dog/9.png", size=(9, 8))), "9 x 8 px"
    ),
    Case("colour in a grey set", folder_with(_grey_first), "mode RGB"),
    Case(
        "transparency in a colour set",
        folder_with(lambda root: save(root / "dog/9.png", "RGBA")),
        "mode RGBA",
    ),
    Case(
        "16-bit grey",
        folder_with(
            lambda root: Image.fromarray(np.zeros((8, 8), np.uint16)).save(root / "cat/9.png")
        ),
        "8-bit",
    ),
    Case("CMYK jpeg", folder_with(lambda root: save(root / "cat/9.jpg", "CMYK")), "CMYK"),
    Case("animated png", folder_with(_animation), "animation"),
]
