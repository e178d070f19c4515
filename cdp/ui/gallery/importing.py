"""Bringing an .npz (the field's format: image and label) into the gallery."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from cdp import paths
from cdp.data.names import name_like
from cdp.errors import CdpError, InputError
from cdp.ui.gallery.parts import go
from cdp.ui.words import plain


def import_form() -> None:
    """A fold with the upload; what is wrong with a file is said in one sentence, and nothing of it is kept."""
    with st.expander("Import images"), st.form("import", border=False, clear_on_submit=True):
        file = st.file_uploader("File (.npz with image and label)", type=["npz"], help="image: (N,H,W,C) uint8; label: (N,) from 0.")
        name = st.text_input("Name", max_chars=100, placeholder="as the file")
        if st.form_submit_button("Import"):
            _import(file, name.strip())
    st.caption("Larger files and folders of images: `python -m cdp import PATH --name NAME`")


def _import(file: st.runtime.uploaded_file_manager.UploadedFile | None, name: str) -> None:
    from cdp.data.importing import import_data

    if file is None:
        st.error("No file was chosen: choose an .npz first.")
        return
    paths.cache_dir().mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="import-", dir=paths.cache_dir()) as folder:
            path = Path(folder) / "upload.npz"
            path.write_bytes(file.getbuffer())
            made = import_data(path, name or _stem(file.name))
    except (CdpError, OSError) as error:
        st.error(plain(str(error).replace(f"{path.parent}/", "")))
        return
    st.toast(f"Imported {len(made):,} images as {plain(made.name)}")
    go(made.name)
    st.rerun()


def _stem(file_name: str) -> str:
    """A set's name from a file's. Raises InputError where nothing is left."""
    kept = name_like(Path(file_name).stem)
    if not kept:
        raise InputError(f"file name {file_name[:60]!r} gives no name for the set: type one")
    return kept
