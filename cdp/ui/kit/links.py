"""Settings in a URL: every leaf that differs from its default. What a link gets wrong costs that
field its value, nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from cdp.config.generate import GROUPS, GenerateConfig, flatten, unflatten
from cdp.errors import InputError
from cdp.ui.kit.catalog import Catalog
from cdp.ui.kit.fields import Field, fields

RESERVED = ("embed", "embed_options")
"""Streamlit's own parameters."""
_UNUSABLE = object()


def to_params(config: GenerateConfig) -> dict[str, str]:
    """Leaves that differ from the default, as strings; the inverse of ``from_params``."""
    plain = flatten(GenerateConfig())
    return {name: written(value) for name, value in flatten(config).items() if value != plain[name]}


def from_params(params: Mapping[str, str], catalog: Catalog) -> tuple[GenerateConfig, list[str]]:
    """A config from query parameters, and one sentence for each thing in them that cannot be
    used."""
    return _combined(*_offered(*read_fields(params, fields()), catalog))


def read_fields(
    params: Mapping[str, str], known: Mapping[str, Field], plain: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Values of the parameters that are knobs, and one sentence for each that is none or has no
    such value.

    plain: what is used in its place, by name; each knob's default where not given.
    """
    notes: list[str] = []
    flat: dict[str, Any] = {}
    for name, text in params.items():
        if name in RESERVED:
            continue
        if name not in known:
            notes.append(
                f"{quoted(name)} is not a setting, so it was left out{_nearest(name, known)}."
            )
            continue
        value = _parsed(known[name], text)
        if value is _UNUSABLE:
            field = known[name]
            used = (
                f"the default {_shown(field, field.default)} is used"
                if plain is None
                else f"{_shown(field, plain[name])} is used"
            )
            notes.append(f"{name}: {quoted(text)} is not {_expected(field)}, so {used}.")
        else:
            flat[name] = value
    return flat, notes


def restored(flat: Mapping[str, Any], catalog: Catalog) -> tuple[GenerateConfig, list[str]]:
    """A config from the settings in a saved sheet or card; checked like a link, because the file
    may come from anywhere."""
    return from_params({str(name): written(value) for name, value in flat.items()}, catalog)


def _parsed(field: Field, text: str) -> Any:
    raw: Any = (
        [part for part in text.split(",") if part] if field.kind in ("classes", "names") else text
    )
    if field.optional and not text:
        raw = None
    try:
        return field.adapter.validate_python(raw)
    except ValidationError:
        return _UNUSABLE


def _offered(
    flat: dict[str, Any], notes: list[str], catalog: Catalog
) -> tuple[dict[str, Any], list[str]]:
    """Without names that nothing here answers to, and classes that the model does not have."""
    plain = flatten(GenerateConfig())
    for name in ("model", "dataset", "encoder"):
        names = catalog.choices(name, plain | flat)
        if flat.get(name) and names and flat[name] not in names:
            usual = (
                catalog.encoder(plain | flat | {name: plain[name]})
                if name == "encoder"
                else plain[name] or "the model's own"
            )
            notes.append(
                f"{name}: {quoted(flat[name])} is not here, so {usual} is used: there {are(names)}."
            )
            del flat[name]
    if "encoder" not in flat and (follows := catalog.encoder(plain | flat)) != plain["encoder"]:
        flat["encoder"] = follows  # the usual one is of another data set than the model's
    classes = catalog.class_names(plain | flat)
    unknown = [c for c in flat.get("classes", ()) if not 0 <= c < len(classes)]
    if unknown:
        last = (
            f"this model has classes 0 to {len(classes) - 1}"
            if classes
            else "this model knows no classes"
        )
        notes.append(f"classes: {', '.join(map(str, unknown))} left out, {last}.")
        flat["classes"] = tuple(c for c in flat["classes"] if c not in unknown)
    return flat, notes


def _combined(flat: dict[str, Any], notes: list[str]) -> tuple[GenerateConfig, list[str]]:
    """Each value is fine alone; where they do not fit together, the group at fault goes back to its
    defaults."""
    guidance = GROUPS["guidance"].model_fields
    attempts: tuple[dict[str, Any], ...] = (
        flat,
        {n: v for n, v in flat.items() if n not in guidance},
        {},
    )
    for attempt, back in zip(
        attempts, ("", "the guidance settings are", "all settings are"), strict=True
    ):
        try:
            config = unflatten(attempt)
        except InputError as error:
            reason = str(error)
        else:
            return config, notes + (
                [f"These settings do not fit together, so {back} back at the defaults ({reason})."]
                if back
                else []
            )
    raise AssertionError("the defaults are a valid config")


def written(value: Any) -> str:
    """A value as a link spells it; what is left empty is empty."""
    if value is None:
        return ""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _expected(field: Field) -> str:
    if field.low is None:
        return field.range
    between = field.range if field.low_open else f"from {field.range}"
    return (
        f"{'a whole number' if field.kind == 'integer' else 'a number'}"
        f" {between}{' or empty' if field.optional else ''}"
    )


def _shown(field: Field, value: Any) -> str:
    return written(value) or (
        "(empty)" if field.optional else "(none)" if field.kind == "names" else "(all)"
    )


def quoted(text: str) -> str:
    """Text of a stranger in a sentence, cut short."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _nearest(name: str, known: Iterable[str]) -> str:
    match = get_close_matches(name, list(known), n=1)
    return f"; did you mean {match[0]}" if match else ""


def are(names: Iterable[str]) -> str:
    """ "is a" or "are a, b"."""
    listed = list(names)
    return ("is " if len(listed) == 1 else "are ") + ", ".join(listed)
