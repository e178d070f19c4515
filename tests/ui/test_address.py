"""What counts as a link: not the echo of an address that the page itself has just replaced."""

from __future__ import annotations

from cdp.ui.kit.address import ECHO_SECONDS, Address


def test_only_parameters_that_the_session_did_not_set_itself_are_a_link() -> None:
    now = [0.0]
    address = Address(clock=lambda: now[0])
    assert address.is_link({"seed": "1"})
    assert not address.is_link({})
    address.take({"seed": "1"})
    assert not address.is_link({"seed": "1"})
    address.take({"seed": "2"})
    assert not address.is_link({"seed": "1"}), (
        "a message that was on its way when the address changed"
    )
    assert address.is_link({"seed": "3"})
    now[0] = ECHO_SECONDS
    assert address.is_link({"seed": "1"}), "the browser's way back"


def test_writing_the_same_again_does_not_make_it_its_own_echo() -> None:
    address = Address()
    address.take({"seed": "1"})
    address.take({"seed": "1"})
    address.take({"seed": "2"})
    assert address.params == {"seed": "2"}
    assert not address.is_link({"seed": "1"})
