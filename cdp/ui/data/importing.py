"""Importing a data set: an upload, or a path on this machine. What is wrong is said in one sentence, and nothing of it is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cdp import paths
from cdp.data.bringing import Brought, bring, check_name
from cdp.data.names import name_like
from cdp.errors import CdpError, InputError
from cdp.ui.words import plain, split_tags

PATH, UPLOAD = "Folder or file on this machine", "Upload"
_SAID = "data_import_said"
_NPZ = "image: (N,H,W,C) uint8; label: (N,) whole numbers from 0. Sides up to 64 px, 1 to 4 channels."


def import_form(imported: Callable[[str], None]) -> None:
    """The controls. imported: called with the name of a set that was imported, before the page is drawn anew."""
    way = st.segmented_control("From", [PATH, UPLOAD], default=PATH, required=True, key="data_import_way", label_visibility="collapsed")
    with st.form("data_import", border=False, enter_to_submit=True):
        first, second = st.columns(2, gap="medium")
        path, test, files = "", "", None
        if way == PATH:
            path = first.text_input(
                "Path", placeholder="/home/me/shapes or /home/me/shapes.npz", max_chars=1000,
                help="A folder with one sub-folder of images a class, a folder with train and test (or val) of such, or an .npz.",
            )  # fmt: skip
            test = second.text_input(
                "Path of test images :gray[if elsewhere]", placeholder="found by itself", max_chars=1000,
                help="Found by itself: a sub-folder test (or val) beside train, or FILE-test.npz beside FILE.npz.",
            )  # fmt: skip
        else:
            files = (
                first.file_uploader("Training images (.npz)", type=["npz"], help=_NPZ),
                second.file_uploader("Test images (.npz) :gray[optional]", type=["npz"], help="Never trained on, only measured on."),
            )
        name = first.text_input("Name", placeholder="as the folder or file", max_chars=90)
        classes = second.text_input(
            "Class names :gray[of an .npz]", placeholder="circle, square, cross", max_chars=20_000,
            help="In the order of the labels, commas between them; left empty, classes are called by their numbers. Folders name their own classes.",
        )  # fmt: skip
        pressed = st.form_submit_button("Import")
    if way == UPLOAD:
        st.caption("Up to 50 MB a file. Larger ones and folders go by their path.")
    if pressed:
        with st.spinner("Checking and copying"):
            _import(path.strip(), test.strip(), files, name.strip(), split_tags(classes), imported)


def say_imported() -> None:
    """What came of the last import, once."""
    if said := st.session_state.pop(_SAID, ""):
        st.success(plain(said))


def _import(
    path: str, test: str, files: tuple[UploadedFile | None, UploadedFile | None] | None, name: str, classes: list[str],
    imported: Callable[[str], None],
) -> None:  # fmt: skip
    try:
        made = _from_upload(files, name, classes) if files else _from_path(path, test, name, classes)
    except (CdpError, OSError) as error:
        st.error(plain(f"Not imported: {error}."))
        return
    tests = f" and {len(made.test):,} test images" if made.test else ""
    st.session_state[_SAID] = f"Imported {len(made.train):,} training images{tests} as {made.train.name}."
    imported(made.train.name)
    st.rerun()


def _from_path(path: str, test: str, name: str, classes: list[str]) -> Brought:
    if not path:
        raise InputError("no path was given: write the path of a folder or of an .npz")
    source = Path(path).expanduser()
    return bring(
        source, _named(name, source.stem if source.suffix == ".npz" else source.resolve().name), test=test or None, class_names=classes
    )


def _from_upload(files: tuple[UploadedFile | None, UploadedFile | None], name: str, classes: list[str]) -> Brought:
    train, test = files
    if train is None:
        raise InputError("no file was chosen: choose an .npz of training images")
    paths.cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="import-", dir=paths.cache_dir()) as folder:
        # Their own names in messages, nothing of them in paths.
        places = {"training images": train, "test images": test}
        written = {}
        for what, file in places.items():
            if file is not None:
                written[what] = Path(folder) / f"{what.replace(' ', '-')}.npz"
                written[what].write_bytes(file.getbuffer())
        try:
            return bring(
                written["training images"], _named(name, Path(train.name).stem), test=written.get("test images"), class_names=classes
            )
        except CdpError as error:
            raise InputError(str(error).replace(f"{folder}/", "")) from error


def _named(name: str, fallback: str) -> str:
    """The name given, or one made of the folder's or file's. Raises InputError where it cannot be one."""
    kept = name or name_like(fallback).removesuffix("-train")
    if not kept:
        raise InputError(f"{fallback[:60]!r} gives no name: type one")
    return check_name(kept)
