"""card.json: what a sample set says of itself. The fields below are checked; a writer may add any
others."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cdp import __version__
from cdp.data.limits import MAX_CHANNELS, MAX_CLASSES, MAX_ROWS, MAX_SIDE
from cdp.data.smalltext import read_small_text
from cdp.errors import InputError

CARD = "card.json"
FORMAT, UNLABELLED = 2, 2
"""The newest format that is read, and the one that came with sets without labels. Sets with labels
are written as format 1, which every version reads; a set without is refused by versions that would
take its missing labels for damage."""
MAX_BYTES = 1 << 20

Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


class _Card(BaseModel):
    """The part of a card that readers rely on. shape: (H, W, C); class_names: label -> name, empty
    where the images have no labels."""

    model_config = ConfigDict(extra="allow", strict=True)

    format: int = Field(ge=1, le=FORMAT)
    count: int = Field(ge=1, le=MAX_ROWS)
    shape: tuple[Side, Side, Annotated[int, Field(ge=1, le=MAX_CHANNELS)]]
    class_names: Annotated[
        list[Annotated[str, Field(max_length=200)]], Field(max_length=MAX_CLASSES)
    ]
    created: str = Field(max_length=40)
    source: str = Field(max_length=4000)

    @model_validator(mode="after")
    def _names_its_classes(self) -> Self:
        if self.format < UNLABELLED and not self.class_names:
            raise ValueError(f"class_names is empty, which format {self.format} does not know")
        return self


def complete_card(
    card: dict[str, Any], *, count: int, shape: tuple[int, ...], top_label: int | None
) -> dict[str, Any]:
    """``card`` with the fields that follow from the arrays; what the writer gave is kept where it
    is free to choose.

    top_label: the highest label, None for images without labels, which have no class_names; else
    these default to the numbers up to it. Raises InputError where they are too few.
    """
    names = (
        []
        if top_label is None
        else list(card.get("class_names") or (str(i) for i in range(top_label + 1)))
    )
    if top_label is not None and top_label >= len(names):
        raise InputError(
            f"card: class_names has {len(names)} names where labels go up to {top_label}: name"
            " every class"
        )
    defaults = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "source": "",
        "code_version": __version__,
    }
    return (
        defaults
        | card
        | {
            "format": UNLABELLED if top_label is None else 1,
            "count": count,
            "shape": list(shape),
            "class_names": names,
        }
    )


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a set's folder, checked. Raises MissingError or InputError naming the file."""
    path = folder / CARD
    remedy = f"restore it from a backup or delete {folder}"
    text = read_small_text(path, MAX_BYTES, "a card", missing=remedy, remedy=remedy)
    try:
        card = json.loads(text)
        _Card.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise InputError(f"{path} is not a card ({field}: {first['msg']}): {remedy}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({str(error)[:80]}): {remedy}") from error
    return dict(card)
