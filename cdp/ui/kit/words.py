"""Text that every page needs: strangers' text made safe, sentences, tags."""

from __future__ import annotations

import re

from cdp.work.failures import sentence


def plain(text: str) -> str:
    """Text from a file or a person, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|$~:])", r"\\\1", text)


def sentence_of(error: str | Exception) -> str:
    """An error or notice as a sentence."""
    text = error if isinstance(error, str) else sentence(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"


def split_tags(text: str) -> list[str]:
    """What was typed, as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]
