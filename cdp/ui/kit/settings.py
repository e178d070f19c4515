"""The settings of a page, as its controls show them: kept for the session, told by the address."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast

from cdp.config.fields import config_of, fields_of, flat_of, quoted, read_values, written
from cdp.config.knobs import Frozen
from cdp.errors import InputError
from cdp.ui.kit.address import Address, one_of, read_extras, write_extras
from cdp.ui.kit.linked_paths import ask_for, offer, texts_in, unasked

if TYPE_CHECKING:
    from cdp.ui.kit.form import Form

CUSTOM, PRESET = "custom", "preset"

C = TypeVar("C", bound=Frozen)


@dataclass
class Settings(Generic[C]):
    """The settings of one config. Pages that keep more, such as the view that is open, add fields
    to a subclass.

    flat: values by name, JSON-ready; for a moment they may not fit together. base: the preset that
    they started from. notes: what a link got wrong, one sentence each, until the next move. turn:
    how often something else than a person's hand set the controls; it is part of their keys, so
    that they start anew with ``flat``. start: the values at the beginning of this turn. fresh: just
    read from an address. unread: settings of a link that would open a path, by name, until a person
    asks for them.
    """

    form: Form[Any]
    flat: dict[str, Any]
    base: str = ""
    notes: list[str] = field(default_factory=list, kw_only=True)
    address: Address = field(default_factory=Address, kw_only=True)
    turn: int = field(default=0, kw_only=True)
    fresh: bool = field(default=False, kw_only=True)
    unread: dict[str, Any] = field(default_factory=dict, kw_only=True)
    start: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.start = dict(self.flat)

    def key(self, name: str) -> str:
        """Key of a control. It is drawn with the present value as its default, and never set
        through the session: were the browser to miss that one message under load, the control would
        come up at its lowest value and report it as a person's choice."""
        return f"{self.form.prefix}_{name}" + (f"_{self.turn}" if self.turn else "")

    def config(self) -> C:
        """Raises InputError where the values do not fit together."""
        return cast(C, config_of(self.form.config, self.flat))

    def config_or_none(self) -> C | None:
        """The same; None where the values do not fit together."""
        try:
            return self.config()
        except InputError:
            return None

    def put(self, name: str, value: Any) -> None:
        """One control moved."""
        if name in self.form.paths:
            ask_for([value])
        self.flat[name] = value
        self.notes = []
        self.unread.pop(name, None)

    def replace(self, flat: Mapping[str, Any], notes: Sequence[str] = ()) -> None:
        """Set some or all controls from outside."""
        self.flat |= flat
        self.unread = {name: value for name, value in self.unread.items() if name not in flat}
        self.notes, self.start = list(notes), dict(self.flat)
        self.turn += 1

    def use(self, config: Frozen) -> None:
        """Take over the settings of a run."""
        flat = flat_of(config)
        ask_for(flat[name] for name in self.form.paths)
        self.replace(flat)
        self.base = self.preset if self.preset != CUSTOM else self.base

    def carry(self, before: Self) -> None:
        """Take over from the settings before a link was opened what a link need not say."""

    @property
    def plain(self) -> dict[str, Any]:
        """The values that these started from."""
        return self.form.plain(self.base)

    def changed(self, names: Collection[str]) -> list[str]:
        """Those of the settings that differ from what these started from."""
        plain = self.plain
        return [
            name
            for name in names
            if self.flat[name] != plain[name] and not self.form.unsaid(name, self.flat[name])
        ]

    @property
    def preset(self) -> str:
        """The preset these settings are, or "custom"."""
        for name in self.form.presets:
            values = self.form.plain(name)
            if all(self.flat[key] == values[key] for key in self.form.decided):
                return name
        return CUSTOM

    def apply_preset(self, name: str) -> None:
        """Set everything that a preset decides, in one change."""
        values = self.form.plain(name)
        self.base = name
        self.replace({key: values[key] for key in self.form.decided})


S = TypeVar("S", bound=Settings[Any])


def from_link(form: Form[S], params: Mapping[str, str]) -> S:
    """The settings that an address tells, with one sentence for each thing in it that cannot be
    used."""
    texts, base = dict(params), form.start or next(iter(form.presets), "")
    notes: list[str] = []
    if form.start:
        start, notes = read_extras([one_of(PRESET, form.presets, form.start)], texts)
        base = start[PRESET]
    more, wrong = read_extras(form.params, texts)
    plain = form.plain(base if form.start else "")
    known = {n: f for n, f in fields_of(form.config).items() if n not in form.hidden}
    given, unfit = read_values(texts, known, plain)
    values = {n: list(v) if isinstance(v, tuple) else v for n, v in given.items()}
    unread = _without_paths(form, values, plain, unfit)
    settings = form.state(form, form.merge(plain, values), base)
    for attribute, value in more.items():
        setattr(settings, attribute, value)
    settings.notes, settings.unread = [*notes, *wrong, *unfit], unread
    return settings


def _without_paths(
    form: Form[Any], values: dict[str, Any], plain: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """Take out of ``values`` what would open a path that nobody asked for: returned where the page's
    controls take paths, else noted."""
    unread = {}
    for name in [name for name in values if form.fields[name].opens]:
        named = unasked(texts_in(values[name], (name,), name))
        if not named:
            continue
        value = values.pop(name)
        if name in form.paths:
            unread[name] = value
            continue
        if isinstance(value, list):
            values[name] = [text for text in value if text not in named]
        used = written(values.get(name, plain[name]))
        instead = f"{used} is used" if used else "it was left out"
        notes.append(f"{name}: {', '.join(map(quoted, named))} is not here, so {instead}.")
    return unread


def offer_paths(settings: Settings[Any]) -> None:
    """The sentence and the button about paths that a link names."""
    named = unasked(texts_in(settings.unread, settings.unread))
    offer(named, lambda: settings.replace(settings.unread), f"{settings.form.prefix}_open_paths")


def to_link(
    settings: Settings[Any], *, every: bool = False, always: Collection[str] = ()
) -> dict[str, str]:
    """What ``from_link`` reads: each setting that differs from what these started from, and what
    else the page keeps. every: the others as well; always: settings that are told in any case."""
    form = settings.form
    plain = form.plain(settings.base if form.start else "")
    started = {PRESET: settings.base} if form.start and settings.base != form.start else {}

    def said(name: str, value: Any) -> bool:
        moved = every or name in always or value != plain[name]
        return moved and name not in form.hidden and not form.unsaid(name, value)

    flat = {name: written(value) for name, value in settings.flat.items() if said(name, value)}
    return started | flat | write_extras(form.params, settings)
