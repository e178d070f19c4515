"""The same work without the page: a command line, and a config file for it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from cdp.config.fields import flat_of
from cdp.config.knobs import Frozen
from cdp.ui.kit.tables import download


def command_fold(
    key: str,
    *lines: str,
    title: str = "From the command line",
    more: Callable[[], None] = lambda: None,
) -> None:
    """Commands that can be copied, folded. more: what else stands below them."""
    with st.expander(title, key=f"{key}_command"):
        for line in lines:
            st.code(line, language="bash", wrap_lines=True)
        more()


def config_download(config: Frozen, file: str, command: str, *, key: str) -> None:
    """A button for a config file. command: reads it."""
    about = f"Read by python -m cdp {command} {file}, with the same result."
    download("Download config", lambda: config_yaml(config), file, key=key, help=about)


def config_yaml(config: Frozen) -> str:
    """Every setting, one a line, as ``python -m cdp train FILE`` reads it."""
    import yaml

    return yaml.safe_dump(flat_of(config), sort_keys=False, allow_unicode=True)
