"""What the browser still says of a control that another one has replaced. Streamlit then calls the
old control's callback: a repeat of what it showed is nobody's choice, a value typed there is one."""

from __future__ import annotations

from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetStates
from streamlit.testing.v1 import AppTest

from cdp.ui.kit.settings import Settings


def page() -> None:
    import streamlit as st

    from cdp.ui.kit.settings import from_link
    from cdp.ui.kit.widgets import optional_number
    from cdp.ui.lab.form import FORM

    if "settings" not in st.session_state:
        st.session_state.settings = from_link(FORM, {"epsilon": "0.3"})
    settings = st.session_state.settings
    optional_number(FORM.fields["epsilon"], settings, "the usual")
    st.button("Set", on_click=settings.replace, args=({"epsilon": 0.009},))


def states(app: AppTest, text: str | None = None) -> WidgetStates:
    """What the browser says, with another text in the box where one is given."""
    if text is not None:
        app.text_input[0].set_value(text)
    return app._tree.get_widget_states()


def epsilon(app: AppTest) -> Any:
    settings: Settings[Any] = app.session_state.settings
    return settings.flat["epsilon"]


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page).run()


@pytest.mark.parametrize("moved", [True, False])
def test_a_late_repeat_of_a_control_that_was_replaced_changes_nothing(
    app: AppTest, moved: bool
) -> None:
    before = states(app, "0" if moved else None)
    app._run(before)
    assert epsilon(app) == (0 if moved else 0.3)
    app.button[0].click().run()
    assert epsilon(app) == 0.009
    app._run(before)
    assert epsilon(app) == 0.009


def test_a_value_that_was_on_its_way_under_the_old_key_counts(app: AppTest) -> None:
    late = states(app, "0")
    app.text_input[0].set_value("0.3")
    app.button[0].click().run()
    app._run(late)
    assert epsilon(app) == 0
