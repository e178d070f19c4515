"""Archives to refuse."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

from cdp.data.importing import import_data
from tests.data import makers
from tests.data.hostile import (
    IMAGE,
    LABEL,
    Case,
    bad_image_member,
    encrypted,
    flip_pixel,
    importing,
    npy,
    npy_announcing,
    npz_bytes,
    npz_members,
    npz_with,
    objects,
    shape_header,
    zip_bomb,
)

_I, _L = makers.images(), makers.labels()
_FLOAT = _I.astype(np.float32)
_RECORDS = np.zeros(6, [("a", "u1"), ("b", "u1")])


def _nan(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flat[0] = np.nan
    return array


def _duplicate(folder):
    attempt = npz_members(IMAGE, LABEL)(folder)
    with (
        zipfile.ZipFile(folder / "bad.npz", "a") as archive,
        pytest.warns(UserWarning, match="Duplicate"),
    ):
        archive.writestr("image.npy", npy(_I))
    return attempt


def _text(folder):
    (folder / "bad.npz").write_text("<html>404 not found</html>")
    return importing(folder / "bad.npz")


def _plain_npy(folder):
    (folder / "bad.npz").write_bytes(npy(_I))
    return importing(folder / "bad.npz")


def _empty_file(folder):
    (folder / "bad.npz").touch()
    return importing(folder / "bad.npz")


def _absent(folder):
    return importing(folder / "absent.npz")


def _wrong_dataset(folder):
    path = makers.npz(folder / "bad.npz", label=np.full(6, 10))
    return lambda: import_data(path, "new", dataset="cifar10")


def _reserved_name(folder):
    return importing(makers.npz(folder / "fine.npz"), "cifar10")


def _taken_name(folder):
    return importing(makers.npz(folder / "fine.npz"), "kept")


NPZ = [
    Case("html instead of an archive", _text, "archive"),
    Case("npy renamed to npz", _plain_npy, "archive"),
    Case("empty file", _empty_file, "archive"),
    Case("absent file", _absent, "not there"),
    Case("truncated archive", npz_bytes(lambda data: data[: len(data) // 2]), "archive"),
    Case("cut end of central directory", npz_bytes(lambda data: data[:-10]), "archive"),
    Case("one byte flipped", npz_bytes(flip_pixel), "CRC"),
    Case("encrypted flag", npz_bytes(encrypted), "encrypted"),
    Case("archive without members", npz_members(), "no array 'image'"),
    Case("no image", npz_members(LABEL), "no array 'image'"),
    Case(
        "labels under another name",
        npz_members(IMAGE, ("targets.npy", npy(_L))),
        "no array 'label'",
    ),
    Case(
        "keys data and target",
        npz_members(("data.npy", npy(_I)), ("target.npy", npy(_L))),
        "no array 'image'",
    ),
    Case("image twice", _duplicate, "2 times"),
    Case("image in a folder", npz_members(("data/image.npy", npy(_I)), LABEL), "no array 'image'"),
    Case(
        "image above the folder", npz_members(("../image.npy", npy(_I)), LABEL), "no array 'image'"
    ),
    Case("bzip2 members", npz_members(IMAGE, LABEL, method=zipfile.ZIP_BZIP2), "method 12"),
    Case("lzma members", npz_members(IMAGE, LABEL, method=zipfile.ZIP_LZMA), "method 14"),
    Case("pickled images", npz_with(image=objects(6)), "pickled"),
    Case("pickled labels", npz_with(label=objects(6)), "pickled"),
    Case("float images in 0..1", npz_with(image=_FLOAT / 255), "float32"),
    Case("NaN images", npz_with(image=_nan(_FLOAT)), "float32"),
    Case("int16 images", npz_with(image=_I.astype(np.int16)), "int16"),
    Case("signed bytes", npz_with(image=_I.astype(np.int8)), "int8"),
    Case("boolean images", npz_with(image=_I > 128), "bool"),
    Case("byte-swapped wide images", npz_with(image=_I.astype(">u2")), ">u2"),
    Case("text images", npz_with(image=np.array(["a"] * 6)), "<U1"),
    Case("records", npz_with(image=_RECORDS), "structured"),
    Case(
        "Fortran order", npz_with(image=np.asfortranarray(makers.images(6, (8, 8, 3)))), "Fortran"
    ),
    Case(
        "channels first",
        npz_with(image=np.moveaxis(makers.images(6, (8, 8, 3)), -1, 1)),
        "moveaxis",
    ),
    Case("flat rows", npz_with(image=_I.reshape(6, -1)), "(6, 64)"),
    Case("a fifth axis", npz_with(image=_I[None]), "(1, 6, 8, 8, 1)"),
    Case("scalar image", npz_with(image=np.uint8(3)), "shape ()"),
    Case("no images", npz_with(image=_I[:0], label=_L[:0]), "0 images"),
    Case("0 px", npz_with(image=np.zeros((6, 0, 8, 1), np.uint8)), "0 x 8 px"),
    Case("65 px", npz_with(image=np.zeros((6, 65, 8, 1), np.uint8)), "65 x 8 px"),
    Case("0 channels", npz_with(image=np.zeros((6, 8, 8, 0), np.uint8)), "0 channels"),
    Case("5 channels", npz_with(image=np.zeros((6, 8, 8, 5), np.uint8)), "5 channels"),
    Case("label below 0", npz_with(label=_L - 1), "label -1"),
    Case("label of 2**63", npz_with(label=np.full(6, 2**63, np.uint64)), "9223372036854775808"),
    Case("label 1000", npz_with(label=_L + 998), "label 1000"),
    Case("label outside the data set", _wrong_dataset, "label 10"),
    Case("float labels", npz_with(label=_L.astype(float)), "float64"),
    Case("NaN labels", npz_with(label=_nan(_L.astype(float))), "float64"),
    Case("boolean labels", npz_with(label=_L > 0), "bool"),
    Case("too few labels", npz_with(label=_L[:5]), "5 labels for 6"),
    Case("too many labels", npz_with(label=np.append(_L, 0)), "7 labels for 6"),
    Case("one-hot labels", npz_with(label=np.eye(6, dtype=np.int64)), "(6, 6)"),
    Case(
        "10 GB announced",
        bad_image_member(npy_announcing(shape_header("(10485760, 32, 32, 1)"), b"\0" * 64)),
        "10737418",
    ),
    Case(
        "10 GB header in version 2",
        bad_image_member(npy_announcing("{}", version=2, length=2**32 - 1)),
        "4294967295",
    ),
    Case("64 kB header", bad_image_member(npy_announcing("{" + " " * 60_000 + "}")), "header"),
    Case("deeply nested header", bad_image_member(npy_announcing("(" * 4000)), "readable .npy"),
    Case(
        "header calls a function",
        bad_image_member(npy_announcing("__import__('os').mkdir('unpickled')")),
        "readable .npy",
    ),
    Case(
        "header without shape",
        bad_image_member(npy_announcing("{'descr': '|u1', 'fortran_order': False}")),
        "readable .npy",
    ),
    Case(
        "negative shape",
        bad_image_member(npy_announcing(shape_header("(-6, 8, 8, 1)"), b"\0" * 384)),
        "readable .npy",
    ),
    Case(
        "shape overflows 64 bits",
        bad_image_member(npy_announcing(shape_header(f"({2**62}, 64, 64, 4)"))),
        "announces",
    ),
    Case("unknown version", bad_image_member(b"\x93NUMPY\x09\x00" + bytes(100)), "readable .npy"),
    Case("not an npy inside", bad_image_member(b"GIF89a"), "readable .npy"),
    Case("empty member", bad_image_member(b""), "readable .npy"),
    Case("fewer pixels than announced", bad_image_member(npy(_I)[:-1]), "announces"),
    Case("more pixels than announced", bad_image_member(npy(_I) + b"\0"), "announces"),
    Case("zip bomb", zip_bomb, "unpack"),
    Case("name of a built-in set", _reserved_name, "cifar10"),
    Case("name already taken", _taken_name, "kept"),
]
