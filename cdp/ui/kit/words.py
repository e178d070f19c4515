"""Text that every page needs: strangers' text made safe, sentences, tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cdp.values.text import visible
from cdp.work.failures import sentence

if TYPE_CHECKING:
    from cdp.config.knobs import Frozen


def plain(text: str) -> str:
    """Text from a file or a person, so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|$~:])", r"\\\1", visible(text))


def sentence_of(error: str | Exception) -> str:
    """An error or notice as a sentence."""
    text = error if isinstance(error, str) else sentence(error)
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"


def split_verdict(verdict: str) -> tuple[str, str]:
    """What is said, and what it rests on: "guided is better by 1.2 points" and the rest."""
    first, colon, rest = verdict.partition(": ")
    if ", 95 %" in first or not colon:
        first, comma, rest = verdict.partition(", ")
        if not comma:
            return verdict, ""
    return f"{first}.", f"{rest[:1].upper()}{rest[1:]}"


def with_label(message: str, config: type[Frozen]) -> str:
    """An error that begins with the name of a setting, as the command line has it, with what stands
    over its control in place of that: "Attack budget: ..." of "epsilon: ..."."""
    from cdp.config.fields import fields_of  # pydantic: home is painted without it

    name, colon, rest = message.removeprefix("settings: ").partition(": ")
    field = fields_of(config).get(name)
    return f"{field.label}: {rest}" if field and colon else message.removeprefix("settings: ")


def split_tags(text: str) -> list[str]:
    """What was typed, as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]
