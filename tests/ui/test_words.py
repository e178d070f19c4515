"""Errors on a page speak of its controls."""

from __future__ import annotations

import pytest

from cdp.config.train import TrainConfig
from cdp.errors import InputError
from cdp.ui.kit.words import with_label


def test_an_error_names_the_control_and_not_the_option_of_the_command_line() -> None:
    with pytest.raises(InputError) as refused:
        TrainConfig(dataset="mine", norm="l2").budget(None)
    message = str(refused.value)
    assert message.startswith("epsilon: mine has no conventional l2 budget: set one")
    assert with_label(message, TrainConfig) == message.replace("epsilon:", "Attack budget:")
    assert with_label("settings: seeds and names differ", TrainConfig) == "seeds and names differ"
