"""What the config says about each knob, as a form and a URL need it: nothing about a knob is
repeated here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import floor, log10
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Gt, Lt, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, TypeAdapter
from pydantic.fields import FieldInfo

from cdp.config.generate import (
    CLAMPING,
    GROUPS,
    GenerateConfig,
    Guidance,
    negatives_of,
    positives_of,
)
from cdp.values.text import number_text

Kind = Literal["choice", "flag", "integer", "number", "text", "classes", "names"]

TITLES = {
    "none": "None (unguided)",
    "info_nce": "InfoNCE",
    "hard_negative": "Hard negatives (HNM)",
    "supcon": "SupCon (class-aware)",
    "class_margin": "Class margin (class-aware)",
    "fisher": "Fisher (class-aware)",
    "classifier": "Classifier (class-aware)",
    "auto": "Auto",
    "previous": "Previous iterate",
    "augmented": "Augmented view",
    "same_class": "Same class",
    "real": "Real images",
    "batch": "Rest of the batch",
    "memory": "Memory bank",
    "x0": "Denoised estimate x0",
    "x0_through_network": "x0, through the network",
    "x_t": "Noisy image x_t",
    "constant": "Constant",
    "linear": "Linear",
    "cosine": "Cosine",
    "noise_scaled": "Noise-scaled",
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "dpmpp": "DPM-Solver++",
    "unipc": "UniPC",
    "relative": "Relative",
    "raw": "Raw lambda",
    "sqrt_one_minus_alpha_bar": "sqrt(1 - alpha_bar)",
    "one": "1",
    "fp32": "fp32",
    "bf16": "bf16",
    "model": "As the model has it",
    "on": "On",
    "off": "Off",
}
"""How a choice is written for a person; a value that is not here is shown as it is."""

_MANTISSAS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)


@dataclass(frozen=True)
class Field:
    """One knob. low, high: inclusive unless open; None where there is no limit. choices: () unless
    kind is choice.

    optional: a number that may also be left empty (None); its help says what empty means. least,
    most: how many names kind "names" takes.
    """

    name: str
    kind: Kind
    default: Any
    label: str
    unit: str
    help: str
    paper: str
    advanced: bool
    low: float | None
    high: float | None
    high_open: bool
    choices: tuple[str, ...]
    adapter: TypeAdapter[Any]
    low_open: bool = False
    optional: bool = False
    least: int = 0
    most: int | None = None

    @property
    def heading(self) -> str:
        """Label and unit, for above the control."""
        told = self.unit and self.unit.lower() not in self.label.lower()
        return f"{self.label} :gray[{self.unit}]" if told else self.label

    @property
    def range(self) -> str:
        """The values it takes, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.low is None or self.high is None:
            return {
                "flag": "true or false",
                "classes": "class numbers with commas between them",
                "names": f"{_names_in_words(self.least, self.most)} with commas between them",
            }.get(self.kind, "a name")
        return (
            f"{'above ' if self.low_open else ''}{number_text(self.low)} to"
            f" {'below ' if self.high_open else ''}{number_text(self.high)}"
        )

    @property
    def tooltip(self) -> str:
        """Help, range, default and the published value, for the question mark beside the
        control."""
        parts = [self.help]
        if self.low is not None and self.high is not None:
            default = "" if self.default is None else f"; default {number_text(self.default)}"
            parts.append(f"Range {self.range}{default}.")
        if self.paper:
            parts.append(f"In the paper: {self.paper}.")
        return "\n\n".join(parts)


@cache
def fields() -> Mapping[str, Field]:
    """Every leaf of GenerateConfig by name."""
    return {
        name: field
        for model in (GenerateConfig, *GROUPS.values())
        for name, field in fields_of(model).items()
    }


@cache
def fields_of(model: type[BaseModel]) -> Mapping[str, Field]:
    """Every knob of a config by name, groups left out."""
    return {
        name: _field(name, info) for name, info in model.model_fields.items() if name not in GROUPS
    }


def ladder(low: float, high: float, include: float) -> list[float]:
    """Rungs of even ratio from low to high, for what is felt in ratios; 0 comes first where low is
    0. ``include`` is always on it."""
    first = low if low > 0 else high / 200
    decades = range(floor(log10(first)), floor(log10(high)) + 1)
    rungs = {float(f"{m * 10.0**d:.6g}") for d in decades for m in _MANTISSAS}
    return sorted(
        {r for r in rungs if first <= r <= high} | {float(low), float(high), float(include)}
    )


def relevant(name: str, flat: Mapping[str, Any]) -> bool:
    """Whether a knob does anything under these settings; those that do not are not shown."""
    loss, raw = flat["loss"], flat["strength_mode"] == "raw"
    keys = Guidance.model_construct(
        loss=loss, positives=flat["positives"], negatives=flat["negatives"]
    )
    banked = loss != "classifier" and (
        positives_of(keys) == "real" or negatives_of(keys) in ("real", "memory")
    )
    guidance = name in GROUPS["guidance"].model_fields and name != "loss"
    if guidance and loss == "none":
        return False
    rules = {
        "strength": not raw,
        "raw_lambda": raw,
        "factor": raw,
        "tau_plus": loss == "hard_negative",
        "beta": loss == "hard_negative",
        "margin": loss == "class_margin",
        "bank_size": banked,
        "positives": loss != "classifier",
        "negatives": loss != "classifier",
        "temperature": loss not in ("classifier", "fisher"),
        "head": loss != "classifier",
        "head_hidden": loss != "classifier" and flat["head"],
        "head_out": loss != "classifier" and flat["head"],
        "eta": flat["solver"] == "ddim",
        "clip_sample": flat["solver"] in CLAMPING,
    }
    return rules.get(name, True)


def _field(name: str, info: FieldInfo) -> Field:
    extra = info.json_schema_extra
    assert isinstance(extra, dict)  # cdp.config.generate.knob always sets it
    low, high = _limit(info, "ge", "gt"), _limit(info, "le", "lt")
    plain, optional = _without_none(info.annotation)
    literal = get_origin(plain) is Literal
    # Lax parsing turns the strings of a URL into numbers and flags, within the knob's own limits.
    limited: Any = (
        Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    )
    adapter: TypeAdapter[Any] = TypeAdapter(limited, config=ConfigDict(allow_inf_nan=False))
    return Field(
        name=name,
        kind=_kind(plain, literal),
        default=info.default,
        label=str(extra["label"]),
        unit=str(extra["unit"]),
        help=info.description or "",
        paper=str(extra["paper"]),
        advanced=bool(extra["advanced"]),
        low=low,
        high=high,
        high_open=any(isinstance(m, Lt) for m in info.metadata),
        choices=get_args(plain) if literal else (),
        adapter=adapter,
        low_open=any(isinstance(m, Gt) for m in info.metadata),
        optional=optional,
        least=next((m.min_length for m in info.metadata if isinstance(m, MinLen)), 0),
        most=next((m.max_length for m in info.metadata if isinstance(m, MaxLen)), None),
    )


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """``int | None`` -> (int, True); anything else as it is."""
    parts = get_args(annotation) if get_origin(annotation) is UnionType else ()
    if NoneType not in parts:
        return annotation, False
    return next(part for part in parts if part is not NoneType), True


def _kind(annotation: Any, literal: bool) -> Kind:
    if literal:
        return "choice"
    kinds: dict[Any, Kind] = {bool: "flag", int: "integer", float: "number", str: "text"}
    return kinds.get(annotation, "names" if annotation == tuple[str, ...] else "classes")


def _names_in_words(least: int, most: int | None) -> str:
    few = ("no", "one", "two", "three", "four", "five", "six")
    least_said = few[least] if least < len(few) else str(least)
    if most is None:
        return "names" if not least else f"{least_said} or more names"
    return (
        f"{f'{least_said} to' if least else 'at most'} {few[most] if most < len(few) else most}"
        " names"
    )


def _limit(info: FieldInfo, *names: str) -> float | None:
    found = [getattr(mark, name) for mark in info.metadata for name in names if hasattr(mark, name)]
    return float(found[0]) if found else None
