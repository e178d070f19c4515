"""What a page waits for: what was taken back although somebody waits is asked for again, and what
is done between the look for its result and the drawing of the wait is looked for once more."""

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


def _late_page() -> None:
    import streamlit as st

    from cdp.ui.kit.ask import waiting
    from cdp.work.ticket import Ticket

    errand = st.session_state.setdefault("errand", Ticket("Attacking standard"))
    # The first look finds nothing, and the work is done just then.
    found = errand.over and not st.session_state.get("lost")
    errand.end("done")
    if not found:
        waiting([errand], key="wait")
    st.write("found" if found else "not found")


def test_what_is_done_while_its_page_is_drawn_is_found_without_a_word_of_failure(
    cdp_home: Path,
) -> None:
    app = AppTest.from_function(_late_page).run()
    assert not app.exception and not app.error
    assert [item.value for item in app.markdown] == ["found"]


def test_what_is_done_and_still_not_there_says_so(cdp_home: Path) -> None:
    app = AppTest.from_function(_late_page)
    app.session_state["lost"] = True
    app.run()
    assert not app.exception
    assert [item.value for item in app.markdown] == ["not found"]
    assert "could not be kept" in app.error[0].value
    assert [button.label for button in app.button] == ["Try again"]
