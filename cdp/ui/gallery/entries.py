"""What the gallery says of sample sets: lines of the list, filter and order, and how two sets
differ. Cards only, no images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cdp.config.fields import fields_of
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.config.titles import TITLES
from cdp.data.sets import SetEntry
from cdp.errors import InputError
from cdp.tasks.subsets import tags_of

ORDERS = ("Newest first", "Oldest first", "Name", "Most images", "Strongest guidance")
ANY = "All"
IMPORTED = "not generated here"


@dataclass(frozen=True)
class GalleryLine:
    """One set as the list shows it. config: None where the set was imported or its settings are of
    another version.

    error: why the set cannot be used, "" where it can. created: ISO 8601, "" where unknown.
    """

    entry: SetEntry
    config: GenerateConfig | None
    count: int
    created: str
    parents: tuple[str, ...]
    error: str
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def model(self) -> str:
        return self.config.model if self.config else IMPORTED

    @property
    def loss(self) -> str:
        """The loss as a person reads it, or how the set came to be where none made it."""
        loss = fields_of(GenerateConfig)["loss"]
        return loss.title(self.config.guidance.loss) if self.config else IMPORTED

    @property
    def strength(self) -> str:
        """Relative strength, or lambda where the published raw scale was used; a dash where nothing
        guided."""
        if self.config is None or self.config.guidance.loss == "none":
            return "-"
        guidance = self.config.guidance
        return (
            f"{guidance.strength:g}"
            if guidance.strength_mode == "relative"
            else f"raw {guidance.raw_lambda:g}"
        )

    @property
    def labelled(self) -> bool:
        """Whether the images have labels; those of a model without classes have none until a
        classifier gives them."""
        return bool((self.entry.card or {"class_names": True})["class_names"])

    @property
    def pseudo_labelled(self) -> bool:
        """Whether a classifier gave the labels."""
        return "pseudo_labels" in (self.entry.card or {})

    @property
    def day(self) -> str:
        """The date alone."""
        return self.created[:10]


def title(value: object) -> str:
    """A choice as the form writes it."""
    return TITLES.get(str(value), str(value))


def line(entry: SetEntry) -> GalleryLine:
    """What the list shows of one set; a card of any shape gives a line."""
    card = entry.card or {}
    return GalleryLine(
        entry,
        config_of(card),
        card.get("count", 0),
        str(card.get("created", "")),
        _parents(card),
        entry.error,
        tuple(tags_of(card)),
    )


def config_of(card: Mapping[str, Any]) -> GenerateConfig | None:
    """The settings that made a set; None where the card has none or they are of another version of
    the app."""
    config = card.get("config")
    if not isinstance(config, dict) or not config:
        return None
    try:
        return unflatten(config)
    except InputError:
        return None


def chosen(
    lines: Iterable[GalleryLine], *, text: str = "", loss: str = ANY, order: str = ORDERS[0]
) -> list[GalleryLine]:
    """Lines whose name, model, source or tags hold every word of ``text`` and whose loss is
    ``loss``, in ``order``; broken ones last."""
    words = text.lower().split()
    stored = [
        x for x in lines if loss in (ANY, x.loss) and all(word in _haystack(x) for word in words)
    ]
    keys = {
        "Newest first": (lambda x: x.created, True),
        "Oldest first": (lambda x: x.created, False),
        "Name": (lambda x: x.name.lower(), False),
        "Most images": (lambda x: x.count, True),
        "Strongest guidance": (_strength, True),
    }
    key, reverse = keys[order]
    return sorted(sorted(stored, key=key, reverse=reverse), key=lambda x: bool(x.error))


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
    """Everything else a card says (hashes, versions, parents, ...), one row a leaf, nested names
    joined by dots."""
    rest = {k: v for k, v in card.items() if k not in ("config", "class_names")}
    return [{"entry": name, "value": written(value)} for name, value in _leaves(rest)]


def differing(first: GalleryLine, other: GalleryLine) -> list[dict[str, str]]:
    """Settings that differ between two sets, one row each; a set without settings has dashes."""
    left, right = (flatten(x.config) if x.config else {} for x in (first, other))
    known = fields_of(GenerateConfig)
    rows = [("Images", written(first.count), written(other.count))]
    rows += [
        (known[n].label, written(left.get(n, "-")), written(right.get(n, "-")))
        for n in known
        if n != "count"
    ]
    return [
        {"setting": label, first.name: a, f"{other.name} ": b} for label, a, b in rows if a != b
    ]


def written(value: Any) -> str:
    """A value of a card in one line of text."""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(written(x) for x in value) or "-"
    return "-" if value is None or value == "" else title(value)


def _parents(card: Mapping[str, Any]) -> tuple[str, ...]:
    parents, item = card.get("parents"), card.get("parent")
    if isinstance(item, dict) and isinstance(item.get("name"), str):
        return (item["name"],)
    return tuple(str(p) for p in parents) if isinstance(parents, list) else ()


def _haystack(x: GalleryLine) -> str:
    return " ".join(
        (x.name, x.model, x.loss, str((x.entry.card or {}).get("source", "")), *x.tags)
    ).lower()


def _strength(x: GalleryLine) -> float:
    if x.config is None or x.config.guidance.loss == "none":
        return -1.0
    return (
        x.config.guidance.strength
        if x.config.guidance.strength_mode == "relative"
        else x.config.guidance.raw_lambda
    )


def _leaves(
    value: Mapping[str, Any], prefix: str = "", depth: int = 0
) -> Sequence[tuple[str, Any]]:
    """(dotted name, leaf) of nested mappings, at most 6 deep."""
    leaves: list[tuple[str, Any]] = []
    for name, item in value.items():
        if isinstance(item, dict) and item and depth < 6:
            leaves += _leaves(item, f"{prefix}{name}.", depth + 1)
        else:
            leaves.append((f"{prefix}{name}", item))
    return leaves
