"""Bringing an .npz (the field's format: image and label) into the gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from cdp.errors import CdpError
from cdp.ui.data.importing import CLASSES, NPZ, RENUMBER, bring_upload
from cdp.ui.gallery.parts import go
from cdp.ui.kit.words import plain, split_tags
from cdp.values.text import counted
from cdp.work.failures import sentence

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_FILE, _NAME, _CLASSES, _RENUMBER = (
    "gallery_import_file",
    "gallery_import_name",
    "gallery_import_classes",
    "gallery_import_renumber",
)
_WRONG = "gallery_not_imported"


def import_form() -> None:
    """A fold with the upload; what is wrong with a file is said in one sentence, and nothing of it
    is kept."""
    with st.expander("Import images"), st.form("import", border=False, clear_on_submit=True):
        st.file_uploader("File (.npz with image and label)", type=["npz"], help=NPZ, key=_FILE)
        st.text_input("Name", max_chars=100, placeholder="as the file", key=_NAME)
        st.text_input(
            "Class names",
            max_chars=20_000,
            placeholder="circle, square, cross",
            help=CLASSES,
            key=_CLASSES,
        )
        st.checkbox("Renumber labels", help=RENUMBER, key=_RENUMBER)
        st.form_submit_button("Import", on_click=_import)
        if wrong := st.session_state.pop(_WRONG, ""):
            st.error(plain(wrong))
    st.caption("Larger files and folders of images: `python -m cdp import PATH --name NAME`")


def _import() -> None:
    """What stands in the form at the click; a callback, as the answer to a click may be lost where
    another rerun meets it."""
    file: UploadedFile | None = st.session_state[_FILE]
    name, classes = (
        str(st.session_state[_NAME]).strip(),
        split_tags(str(st.session_state[_CLASSES])),
    )
    try:
        made = bring_upload(
            file, None, name, class_names=classes, renumber=bool(st.session_state[_RENUMBER])
        )
    except (CdpError, OSError) as error:
        st.session_state[_WRONG] = f"Not imported: {sentence(error)}."
        return
    # A set of test images is what was brought, where one was.
    brought = made.test or made.train
    st.toast(f"Imported {counted(len(brought), 'image')} as {plain(brought.name)}")
    for note in made.notes:
        st.toast(plain(note))
    go(brought.name)
