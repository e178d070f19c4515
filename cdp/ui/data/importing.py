"""Importing images: an upload, or a path on this machine. What is wrong is said in one sentence,
and nothing of it is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cdp import paths
from cdp.data.importing import Brought, bring
from cdp.errors import CdpError, InputError
from cdp.files.atomic import scratch_folder
from cdp.ui.kit.frame import steady
from cdp.ui.kit.words import plain, split_tags
from cdp.work.failures import sentence

PATH, UPLOAD = "Folder or file on this machine", "Upload"
_SAID = "data_import_said"
FOLDER = (
    "A folder with one sub-folder of images a class, a folder with train and test (or val) of such,"
    " or an .npz."
)
TESTS = (
    "Found without this: a sub-folder test (or val) beside train, or FILE-test.npz beside FILE.npz."
)
NPZ = "image: (N,H,W,C) or (N,H,W) uint8, sides to 64 px, 1 to 4 channels; label: (N,), from 0."
CLASSES = (
    "In the order of the labels, with commas, or the name of a data set with the same labels, such"
    " as cifar10; empty: their numbers. Folders name their own classes."
)
RENUMBER = "For labels with gaps, or from 1: they become 0, 1, ... and keep their numbers as names."


def import_form(imported: Callable[[str], None], *, usual: str = PATH) -> None:
    """The controls. imported: called with the name of a set that was imported, before the page is
    drawn anew; usual: the way that is offered first."""
    way = st.segmented_control(
        "From",
        [PATH, UPLOAD],
        default=usual,
        required=True,
        key="data_import_way",
        label_visibility="collapsed",
    )
    with st.form("data_import", border=False, enter_to_submit=True):
        first, second = st.columns(2, gap="medium")
        path, test, files = "", "", None
        if way == PATH:
            hint = "/home/me/shapes or /home/me/shapes.npz"
            path = first.text_input("Path", placeholder=hint, max_chars=1000, help=FOLDER)
            label, hint = "Path of test images (if elsewhere)", "found without this"
            test = second.text_input(label, placeholder=hint, max_chars=1000, help=TESTS)
        else:
            never = "Never trained on, only measured on."
            tests = "Test images (.npz, optional)"
            files = (
                first.file_uploader("Training images (.npz)", type=["npz"], help=NPZ),
                second.file_uploader(tests, type=["npz"], help=never),
            )
        name = first.text_input("Name", placeholder="as the folder or file", max_chars=90)
        label, hint = "Class names (of an .npz)", "circle, square, cross"
        classes = second.text_input(label, placeholder=hint, max_chars=20_000, help=CLASSES)
        renumber = first.checkbox("Renumber labels", help=RENUMBER)
        pressed = st.form_submit_button("Import")
    if way == UPLOAD:
        st.caption("Up to 50 MB a file; larger files and folders by their path.")
    if not pressed:
        return
    with st.spinner("Checking and copying"):
        more: dict[str, Any] = {"class_names": split_tags(classes), "renumber": renumber}
        try:
            if files:
                brought = bring_upload(*files, name.strip(), **more)
            elif not path.strip():
                raise InputError("no path was given: write the path of a folder or of an .npz")
            else:
                brought = bring(path.strip(), name.strip(), test=test.strip() or None, **more)
        except (CdpError, OSError) as error:
            st.error(plain(f"Not imported: {sentence(error)}."))
            return
    tests = f" and {len(brought.test):,} test images" if brought.test else ""
    train = brought.train
    imported_text = f"Imported {len(train):,} training images{tests} as {train.name}."
    st.session_state[_SAID] = (imported_text, *brought.notes)
    imported(train.name)
    st.rerun()


def say_imported() -> None:
    """What came of the last import, once."""
    with steady():
        for said in st.session_state.pop(_SAID, ()):
            st.success(plain(said))


def bring_upload(
    train: UploadedFile | None, test: UploadedFile | None, name: str, **more: Any
) -> Brought:
    """Import what was uploaded, as ``bring`` imports files. Raises InputError or OSError, in words
    without the place they were kept in."""
    if train is None:
        raise InputError("no file was chosen: choose an .npz")
    with scratch_folder(paths.cache_dir() / "import") as folder:
        written: list[Path | None] = []
        for what, file in (("train", train), ("test", test)):
            if file is None:
                written.append(None)
                continue
            # The name of the file gives the set's; nothing of it leads out of the folder.
            stem = Path(file.name.replace("\\", "/")).stem[:80]
            path = folder / what / f"{stem}.npz"
            path.parent.mkdir()
            path.write_bytes(file.getbuffer())
            written.append(path)
        try:
            assert written[0] is not None
            return bring(written[0], name, test=written[1], **more)
        except CdpError as error:
            text = str(error).replace(f"{folder}/train/", "").replace(f"{folder}/test/", "")
            raise InputError(text) from error
