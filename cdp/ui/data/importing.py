"""Importing images: an upload, or a path on this machine. What is wrong is said in one sentence,
and nothing of it is kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cdp import paths
from cdp.data.importing import Brought, bring
from cdp.errors import CdpError, InputError
from cdp.ui.kit.words import plain, split_tags
from cdp.work.failures import sentence

PATH, UPLOAD = "Folder or file on this machine", "Upload"
_SAID = "data_import_said"
NPZ = (
    "image: (N,H,W,C) uint8, or (N,H,W) for grey; label: (N,) whole numbers from 0. Sides up to 64"
    " px, 1 to 4 channels."
)
CLASSES = (
    "In the order of the labels, commas between them, or the name of the data set whose labels"
    " these are, such as cifar10; left empty, classes are called by their numbers. Folders name"
    " their own classes."
)
RENUMBER = (
    "For labels with gaps, or from 1: they become 0, 1, ... in their order, and keep their old"
    " numbers as names."
)


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
            path = first.text_input(
                "Path",
                placeholder="/home/me/shapes or /home/me/shapes.npz",
                max_chars=1000,
                help=(
                    "A folder with one sub-folder of images a class, a folder with train and test"
                    " (or val) of such, or an .npz."
                ),
            )
            test = second.text_input(
                "Path of test images :gray[if elsewhere]",
                placeholder="found by itself",
                max_chars=1000,
                help=(
                    "Found by itself: a sub-folder test (or val) beside train, or FILE-test.npz"
                    " beside FILE.npz."
                ),
            )
        else:
            files = (
                first.file_uploader("Training images (.npz)", type=["npz"], help=NPZ),
                second.file_uploader(
                    "Test images (.npz) :gray[optional]",
                    type=["npz"],
                    help="Never trained on, only measured on.",
                ),
            )
        name = first.text_input("Name", placeholder="as the folder or file", max_chars=90)
        classes = second.text_input(
            "Class names :gray[of an .npz]",
            placeholder="circle, square, cross",
            max_chars=20_000,
            help=CLASSES,
        )
        renumber = first.checkbox("Renumber labels", help=RENUMBER)
        pressed = st.form_submit_button("Import")
    if way == UPLOAD:
        st.caption("Up to 50 MB a file. Larger ones and folders go by their path.")
    if pressed:
        with st.spinner("Checking and copying"):
            _import(
                path.strip(),
                test.strip(),
                files,
                name.strip(),
                split_tags(classes),
                imported,
                renumber=renumber,
            )


def say_imported() -> None:
    """What came of the last import, once."""
    for said in st.session_state.pop(_SAID, ()):
        st.success(plain(said))


def _import(
    path: str,
    test: str,
    files: tuple[UploadedFile | None, UploadedFile | None] | None,
    name: str,
    classes: list[str],
    imported: Callable[[str], None],
    *,
    renumber: bool,
) -> None:
    try:
        if files:
            brought = bring_upload(*files, name, class_names=classes, renumber=renumber)
        elif not path:
            raise InputError("no path was given: write the path of a folder or of an .npz")
        else:
            brought = bring(path, name, test=test or None, class_names=classes, renumber=renumber)
    except (CdpError, OSError) as error:
        st.error(plain(f"Not imported: {sentence(error)}."))
        return
    tests = f" and {len(brought.test):,} test images" if brought.test else ""
    st.session_state[_SAID] = (
        f"Imported {len(brought.train):,} training images{tests} as {brought.train.name}.",
        *brought.notes,
    )
    imported(brought.train.name)
    st.rerun()


def bring_upload(
    train: UploadedFile | None,
    test: UploadedFile | None,
    name: str,
    *,
    class_names: Sequence[str] = (),
    renumber: bool = False,
) -> Brought:
    """Import what was uploaded, as ``bring`` imports files. Raises InputError or OSError, in words
    without the place they were kept in."""
    if train is None:
        raise InputError("no file was chosen: choose an .npz")
    paths.cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".import-", dir=paths.cache_dir()) as folder:
        # The name of the file gives the set's; nothing of it leads out of the folder.
        places = {"train": train, "test": test}
        written = {}
        for what, file in places.items():
            if file is not None:
                written[what] = (
                    Path(folder) / what / f"{Path(file.name.replace(chr(92), '/')).stem[:80]}.npz"
                )
                written[what].parent.mkdir()
                written[what].write_bytes(file.getbuffer())
        try:
            return bring(
                written["train"],
                name,
                test=written.get("test"),
                class_names=class_names,
                renumber=renumber,
            )
        except CdpError as error:
            raise InputError(
                str(error).replace(f"{folder}/train/", "").replace(f"{folder}/test/", "")
            ) from error
