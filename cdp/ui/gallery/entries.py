"""What the gallery says of sample sets, from their cards alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cdp.config.fields import fields_of
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.titles import TITLES
from cdp.data.sets import SetEntry
from cdp.errors import InputError
from cdp.tasks.subsets import tags_of
from cdp.values.text import visible

ANY = "All"
IMPORTED = "not generated here"


@dataclass(frozen=True)
class GalleryLine:
    """One set as the list shows it; its card may have any shape."""

    entry: SetEntry

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def error(self) -> str:
        """Why the set cannot be used, "" where it can."""
        return self.entry.error

    @cached_property
    def card(self) -> Mapping[str, Any]:
        return self.entry.card or {}

    @cached_property
    def config(self) -> GenerateConfig | None:
        """The settings that made the set; None where there are none that this version knows."""
        config = self.card.get("config")
        try:
            return unflatten(config) if isinstance(config, dict) and config else None
        except InputError:
            return None

    @property
    def count(self) -> int:
        return int(self.card.get("count", 0))

    @property
    def created(self) -> str:
        """ISO 8601, "" where unknown."""
        return str(self.card.get("created", ""))

    @property
    def parents(self) -> tuple[str, ...]:
        """The sets that this one is a part of."""
        several, parent = self.card.get("parents"), self.card.get("parent")
        if isinstance(parent, dict) and isinstance(parent.get("name"), str):
            return (parent["name"],)
        return tuple(map(str, several)) if isinstance(several, list) else ()

    @cached_property
    def tags(self) -> tuple[str, ...]:
        return tuple(tags_of(self.card))

    @property
    def model(self) -> str:
        return self.config.model if self.config else IMPORTED

    @property
    def loss(self) -> str:
        """The loss as a person reads it, or how the set came to be where none made it."""
        if self.config is None:
            return IMPORTED
        return fields_of(GenerateConfig)["loss"].title(self.config.guidance.loss)

    @property
    def strength(self) -> str:
        """Relative strength, or lambda of the published raw scale; a dash where nothing guided."""
        if self.power < 0 or self.config is None:
            return "-"
        raw = "" if self.config.guidance.strength_mode == "relative" else "raw "
        return f"{raw}{self.power:g}"

    @property
    def power(self) -> float:
        """The same as a number, -1 where nothing guided."""
        if self.config is None or self.config.guidance.loss == "none":
            return -1.0
        guidance = self.config.guidance
        relative = guidance.strength_mode == "relative"
        return guidance.strength if relative else guidance.raw_lambda

    @property
    def labelled(self) -> bool:
        """Whether the images have labels, as those of a model without classes have not."""
        return not self.card or bool(self.card.get("class_names"))

    @cached_property
    def words(self) -> str:
        """What a search looks through."""
        source = str(self.card.get("source", ""))
        return " ".join((self.name, self.model, self.loss, source, *self.tags)).lower()


ORDERS: Mapping[str, tuple[Callable[[GalleryLine], Any], bool]] = {
    "Newest first": (lambda line: line.created, True),
    "Oldest first": (lambda line: line.created, False),
    "Name": (lambda line: line.name.lower(), False),
    "Most images": (lambda line: line.count, True),
    "Strongest guidance": (lambda line: line.power, True),
}
"""By what the list is sorted, and whether the largest comes first."""


def chosen(
    lines: Iterable[GalleryLine], *, text: str = "", loss: str = ANY, order: str = "Newest first"
) -> list[GalleryLine]:
    """Lines that hold every word of ``text`` and have this loss, in ``order``; broken ones last."""
    (key, reverse), words = ORDERS[order], text.lower().split()
    fitting = [
        line
        for line in lines
        if loss in (ANY, line.loss) and all(word in line.words for word in words)
    ]
    return sorted(sorted(fitting, key=key, reverse=reverse), key=lambda line: bool(line.error))


def setting_rows(config: GenerateConfig) -> list[dict[str, str]]:
    """Every setting with its unit, its default, and whether it differs from it."""
    plain, known = flatten(GenerateConfig()), fields_of(GenerateConfig)
    return [
        {
            "setting": known[name].label,
            "value": written(value),
            "unit": known[name].unit,
            "default": written(plain[name]),
            "changed": "yes" if value != plain[name] else "",
        }
        for name, value in flatten(config).items()
    ]


def provenance_rows(card: Mapping[str, Any]) -> list[dict[str, str]]:
    """All else a card says, one row a leaf, nested names joined by dots."""
    rest = {k: v for k, v in card.items() if k not in ("config", "class_names")}
    return [{"entry": name, "value": written(value)} for name, value in _leaves(rest)]


def differing(first: GalleryLine, other: GalleryLine) -> list[dict[str, str]]:
    """Settings that differ between two sets, one row each; a set without settings has dashes."""
    left, right = (flatten(x.config) if x.config else {} for x in (first, other))
    pairs = [("Images", first.count, other.count)] + [
        (field.label, left.get(name, "-"), right.get(name, "-"))
        for name, field in fields_of(GenerateConfig).items()
        if name != "count"
    ]
    return [
        {"setting": label, first.name: written(a), f"{other.name} ": written(b)}
        for label, a, b in pairs
        if a != b
    ]


def written(value: Any) -> str:
    """A value of a card in one line of text."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(written, value)) or "-"
    return "-" if value is None or value == "" else visible(TITLES.get(str(value), str(value)))


def _leaves(card: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """(dotted name, leaf) of nested mappings, at most 6 deep."""
    for name, item in card.items():
        if isinstance(item, dict) and item and depth < 6:
            yield from _leaves(item, f"{prefix}{name}.", depth + 1)
        else:
            yield f"{prefix}{name}", item
