"""What a page waits for: what was taken back although somebody waits is asked for again."""

from __future__ import annotations

from pathlib import Path

from streamlit.testing.v1 import AppTest


def _page() -> None:
    import streamlit as st

    from cdp.ui.kit.ask import waiting
    from cdp.work.ticket import Ticket

    asked = st.session_state.setdefault("asked", 0)
    st.session_state.asked = asked + 1
    errand = Ticket("Attacking standard")
    if asked == 0:
        errand.end("cancelled")
        errand.forget()
        waiting([errand], key="wait")
    st.write(f"asked {st.session_state.asked} times")


def test_an_errand_that_was_taken_back_while_its_page_was_drawn_is_asked_for_again(
    cdp_home: Path,
) -> None:
    app = AppTest.from_function(_page).run()
    assert not app.exception
    assert [item.value for item in app.markdown] == ["asked 2 times"]
