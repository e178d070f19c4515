"""Bringing an .npz (the field's format: image and label) into the gallery."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from cdp import paths
from cdp.data.names import name_like
from cdp.errors import CdpError, InputError
from cdp.ui.gallery.parts import go
from cdp.ui.words import plain

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

_FILE, _NAME, _WRONG = "gallery_import_file", "gallery_import_name", "gallery_not_imported"


def import_form() -> None:
    """A fold with the upload; what is wrong with a file is said in one sentence, and nothing of it is kept."""
    with st.expander("Import images"), st.form("import", border=False, clear_on_submit=True):
        st.file_uploader("File (.npz with image and label)", type=["npz"], help="image: (N,H,W,C) uint8; label: (N,) from 0.", key=_FILE)
        st.text_input("Name", max_chars=100, placeholder="as the file", key=_NAME)
        st.form_submit_button("Import", on_click=_import)
        if wrong := st.session_state.pop(_WRONG, ""):
            st.error(plain(wrong))
    st.caption("Larger files and folders of images: `python -m cdp import PATH --name NAME`")


def _import() -> None:
    """What stands in the form at the click; a callback, as the answer to a click may be lost where another rerun meets it."""
    from cdp.data.importing import import_data

    file: UploadedFile | None = st.session_state[_FILE]
    name = str(st.session_state[_NAME]).strip()
    if file is None:
        st.session_state[_WRONG] = "No file was chosen: choose an .npz first."
        return
    paths.cache_dir().mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="import-", dir=paths.cache_dir()) as folder:
            path = Path(folder) / "upload.npz"
            path.write_bytes(file.getbuffer())
            made = import_data(path, name or _stem(file.name))
    except (CdpError, OSError) as error:
        st.session_state[_WRONG] = str(error).replace(f"{path.parent}/", "")
        return
    st.toast(f"Imported {len(made):,} images as {plain(made.name)}")
    go(made.name)


def _stem(file_name: str) -> str:
    """A set's name from a file's. Raises InputError where nothing is left."""
    kept = name_like(Path(file_name).stem)
    if not kept:
        raise InputError(f"file name {file_name[:60]!r} gives no name for the set: type one")
    return kept
