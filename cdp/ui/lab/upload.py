"""An image of a person's own: checked, and made to fit only once that was asked for."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cdp.config.lab import LabConfig
from cdp.errors import CdpError
from cdp.tasks.lab_images import Upload, form_of, load_upload, read_upload, save_upload
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.words import plain, sentence_of
from cdp.ui.lab.result import thumbnail
from cdp.values.text import image_size
from cdp.values.types import DatasetInfo

_KEY = "lab_upload"


@dataclass
class _Brought:
    """What came of the last file. file: its id; waiting: what it becomes, once a person agrees."""

    file: str
    dataset: str
    wrong: str = ""
    waiting: Upload | None = None


def upload(settings: Settings[LabConfig], info: DatasetInfo) -> None:
    """The control, and what there is to say of the file in it."""
    key = f"lab_file_{info.name}"
    try:
        form_of(info)
    except CdpError as error:
        st.error(plain(sentence_of(error)))
        return

    def taken_away() -> None:
        if st.session_state[key] is None:
            st.session_state.pop(_KEY, None)
            settings.put("image", "")

    wanted = image_size(*info.shape[1:], info.shape[0])
    label = f"PNG ({wanted})"
    file = st.file_uploader(label, type=["png"], key=key, on_change=taken_away)
    brought: _Brought | None = st.session_state.get(_KEY)
    # Not in the callback, which is lost where a poll draws the page anew at the same moment.
    if file is not None and (brought is None or brought.file != file.file_id):
        brought = st.session_state[_KEY] = _receive(settings, info, file)
    if settings.flat["image"] and (image := load_upload(settings.flat["image"], info)) is not None:
        st.html(thumbnail(image, "Uploaded image"))
    if brought is None or brought.dataset != info.name:
        return
    if brought.wrong:
        st.error(plain(brought.wrong))
    elif brought.waiting is not None:
        _confirm(settings, brought, brought.waiting, wanted)


def _receive(settings: Settings[LabConfig], info: DatasetInfo, file: UploadedFile) -> _Brought:
    """A new file: used at once where it fits as it is."""
    settings.put("image", "")
    settings.put("label", None)
    brought = _Brought(file.file_id, info.name)
    try:
        received = read_upload(file.getvalue(), file.name, info)
        if received.changes:
            brought.waiting = received
        else:
            settings.put("image", save_upload(received.image))
    except (CdpError, OSError) as error:
        brought.wrong = sentence_of(error)
    return brought


def _confirm(
    settings: Settings[LabConfig], brought: _Brought, received: Upload, wanted: str
) -> None:
    """Show what the image would become, and let a person decide."""

    def use() -> None:
        brought.waiting = None
        settings.put("image", save_upload(received.image))

    st.info(plain(f"The models take {wanted}. To fit, {' and '.join(received.changes)}."))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.html(thumbnail(received.image, "The image after these changes"), width="content")
        st.button("Use it like this", key="lab_fit", on_click=use)
