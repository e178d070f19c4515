"""The one form: draws the settings of any config, keeps them for the session, reads and writes
them in the page's address, and says them as a command line.

A page names the config and, where it wants more than its settings one below the other, how they
are grouped, which of them matter when, and which it draws itself.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic

import streamlit as st

from cdp.config.fields import Field, config_of, fields_of, flat_of, options
from cdp.config.knobs import Frozen
from cdp.config.presets import Preset
from cdp.ui.kit.address import Param, linked
from cdp.ui.kit.frame import steady
from cdp.ui.kit.settings import CUSTOM, S, Settings, from_link, to_link
from cdp.ui.kit.widgets import control, reported, span
from cdp.ui.kit.words import plain
from cdp.values.text import listed

CHANGES_SHOWN = 4
Flat = Mapping[str, Any]
Draw = Callable[[], None]
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Group:
    """A heading and its settings, a row each; a row of several has them side by side. Those that
    the config calls advanced go under the fold."""

    title: str
    rows: tuple[str | tuple[str, ...], ...]

    @staticmethod
    def of(title: str, rows: str) -> Group:
        """Rows with a space between them, settings of one row with a plus."""
        parts = (tuple(row.split("+")) for row in rows.split())
        return Group(title, tuple(row if len(row) > 1 else row[0] for row in parts))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for row in self.rows for name in _names(row))


@dataclass(frozen=True, kw_only=True)
class Form(Generic[S]):
    """The form of one config. prefix: of the keys of its controls. groups: () for all settings
    without headings. state: what is kept for a session.

    params: of the address, beside the settings. presets, kept: named settings, and what they leave
    alone; start: the preset of a first visit, which a link names where it starts from another.
    paths: settings whose controls take the path of something that no list has.
    defaults: in place of the config's own. when: settings that are shown only where they do
    something, by name. ratios: sliders whose steps are even in ratio; spans: two settings drawn as
    one range, by the name that stands in a row for them (lower end first). hidden: settings that
    the page sets itself. folded: go under the fold as advanced ones do. folds: one fold in every
    group in place of one at the end, with its title where nothing of it stands before the fold.

    merge: (before, given) settings given over those of a preset. unsaid: values that go without
    saying in links and commands. settings_title: how a value is written where its field does not
    know.
    """

    config: type[Frozen]
    prefix: str
    groups: Sequence[Group] = ()
    state: Callable[..., S]
    params: Sequence[Param] = ()
    presets: Mapping[str, Preset] = field(default_factory=dict)
    unchanged: Collection[str] = ()
    start: str = ""
    defaults: Flat = field(default_factory=dict)
    when: Mapping[str, Callable[[Flat], bool]] = field(default_factory=dict)
    ratios: Collection[str] = ()
    spans: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    hidden: Collection[str] = ()
    paths: Collection[str] = ()
    folded: Collection[str] = ()
    folds: bool = False
    merge: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]] = operator.or_
    unsaid: Callable[[str, Any], bool] = lambda name, value: False

    @property
    def fields(self) -> Mapping[str, Field]:
        return fields_of(self.config)

    @property
    def decided(self) -> tuple[str, ...]:
        """What a preset decides."""
        return tuple(name for name in self.fields if name not in self.unchanged)

    def plain(self, preset: str = "") -> dict[str, Any]:
        """Every setting of a preset; without one, the defaults."""
        given = self.presets[preset].flat if preset in self.presets else {}
        return flat_of(config_of(self.config, given)) | dict(self.defaults)

    def relevant(self, name: str, flat: Flat) -> bool:
        """Whether a setting does anything under these; those that do not are not shown."""
        return name not in self.when or self.when[name](flat)

    def open(self) -> S:
        """This session's settings; where the address changed under the page, what it says."""
        settings, fresh = linked(
            f"{self.prefix}_settings",
            lambda params: from_link(self, params),
            lambda before, now: now.carry(before),
        )
        settings.fresh = fresh
        return settings

    def close(self, settings: S) -> None:
        """Bring the address in line with the settings."""
        settings.address.write(to_link(settings))

    def link(self, config: Frozen) -> dict[str, str]:
        """Query parameters that open the page with these settings."""
        return to_link(self.state(self, flat_of(config), self.start))

    def command(self, name: str, config: Frozen, skip: Collection[str] = ()) -> list[str]:
        """The command that does the same: its words, with an option for every setting that differs
        from the command's own defaults."""
        plain = flat_of(self.config())
        said = {key for key, value in flat_of(config).items() if self.unsaid(key, value)}
        return [
            *("python", "-m", "cdp", name),
            *options(self.config, flat_of(config), plain, {*skip, *said}),
        ]

    def draw_some(self, settings: S, names: Sequence[str]) -> None:
        """The controls of these settings alone, one below the other."""
        for name in names:
            control(self.fields[name], settings, ratio=name in self.ratios)

    def draw(
        self,
        settings: S,
        own: Mapping[str, Draw] = NOTHING,
        *,
        below: Mapping[str, Draw] = NOTHING,
        empty: Callable[[str], str] | None = None,
        warnings: Mapping[str, str] = NOTHING,
        preset_help: str = "",
    ) -> None:
        """All controls, top to bottom; every change goes into ``settings``.

        own: draws the control of a setting; below: drawn under a setting, or at the end of a group
        by its title; empty: what an optional number stands for where it is left empty, in place of
        the config's word; warnings: to stand beside a setting."""
        Drawing(self, settings, own, below, empty, warnings).draw(preset_help)


@dataclass(frozen=True)
class Drawing(Generic[S]):
    """One drawing of a form."""

    form: Form[S]
    settings: S
    own: Mapping[str, Draw]
    below: Mapping[str, Draw]
    empty: Callable[[str], str] | None
    warnings: Mapping[str, str]

    def draw(self, preset_help: str) -> None:
        form = self.form
        groups = form.groups or (Group("", tuple(n for n in form.fields if n not in form.hidden)),)
        with st.container(key=f"{form.prefix}_form", gap="small"):
            if form.presets:
                self.preset(preset_help)
            for number, group in enumerate(groups):
                with st.container(key=f"{form.prefix}_group_{number}", gap="xsmall"):
                    # What is all under the fold needs no heading besides.
                    open_rows = not form.folds or self.visible(group.names, folded=False)
                    with steady():
                        if group.title and open_rows:
                            st.subheader(group.title, anchor=False)
                    self.rows(group, folded=False)
                    with steady():
                        self.under(group.title)
                    if form.folds:
                        title = "More settings" if open_rows else group.title
                        self.fold(title, [group], f"{form.prefix}_more_{number}")
            if not form.folds:
                names = [name for name in form.fields if self.is_folded(name)]
                moved = len(self.settings.changed(names))
                title = "Advanced settings" + (f" ({moved} changed)" if moved else "")
                self.fold(title, groups, f"{form.prefix}_advanced")

    def fold(self, title: str, groups: Sequence[Group], key: str) -> None:
        """What is advanced in these groups; a warning must be seen, so it opens the fold."""
        parts = [group for group in groups if self.visible(group.names, folded=True)]
        if not parts:
            return
        names = [name for group in parts for name in self.visible(group.names, folded=True)]
        with st.expander(title, expanded=any(name in self.warnings for name in names), key=key):
            for group in groups:
                with steady():
                    if group in parts and len(groups) > 1:
                        st.markdown(f"**{group.title}**")
                self.rows(group, folded=True)

    def rows(self, group: Group, *, folded: bool) -> None:
        for row in group.rows:
            names = self.visible(_names(row), folded=folded)
            with steady():
                if len(names) == 1:
                    self.draw_one(names[0])
                elif names:
                    columns = st.columns(len(names), gap="small")
                    for column, name in zip(columns, names, strict=True):
                        with column:
                            self.draw_one(name)

    def draw_one(self, name: str) -> None:
        """One control, with its warning and what belongs under it."""
        form, settings = self.form, self.settings
        if name in self.own:
            self.own[name]()
        elif name in form.spans:
            low, high = form.spans[name]
            span(name, form.fields[low], form.fields[high], settings)
        else:
            empty = self.empty(name) if self.empty and form.fields[name].optional else ""
            control(form.fields[name], settings, empty=empty, ratio=name in form.ratios)
        for part in form.spans.get(name, (name,)):
            if part in self.warnings:
                st.warning(self.warnings[part])
        self.under(name)

    def under(self, name: str) -> None:
        if name in self.below:
            self.below[name]()

    def visible(self, names: Sequence[str], *, folded: bool) -> list[str]:
        """Those of the settings that do something, and stand under the fold or before it."""
        flat = self.settings.flat
        return [
            name
            for name in names
            if self.is_folded(name) is folded
            and self.form.relevant(self.form.spans.get(name, (name,))[0], flat)
        ]

    def is_folded(self, name: str) -> bool:
        field = self.form.fields.get(name)
        return name in self.form.folded or (field is not None and field.advanced)

    def preset(self, help: str) -> None:
        """Which preset these settings are, or what they changed from one."""
        form, settings = self.form, self.settings
        current = settings.preset
        names = [*form.presets, *([CUSTOM] if current == CUSTOM else [])]
        # Which preset this is follows from all other controls, so its key does too.
        key = f"{form.prefix}_preset_{current}_{settings.turn}"

        def chosen(name: str) -> None:
            if name in form.presets:
                settings.apply_preset(name)

        st.selectbox(
            "Preset",
            names,
            names.index(current),
            **reported(key, current, chosen),
            format_func=lambda name: form.presets[name].title if name in form.presets else "Custom",
            help=help,
        )
        if current != CUSTOM:
            st.caption(plain(form.presets[current].source))
            return
        changes = changes_of(settings)
        title = (
            form.presets[settings.base].title if settings.base in form.presets else "the defaults"
        )
        st.caption(plain(f"Changed from {title}: {listed(changes, CHANGES_SHOWN)}."))


def changes_of(settings: Settings[Any]) -> list[str]:
    """What differs from the preset these settings started from, in what presets decide: "batch 64
    (128)"."""
    form, before = settings.form, settings.plain
    return [
        f"{form.fields[name].label.lower()} {form.fields[name].title(settings.flat[name])}"
        f" ({form.fields[name].title(before[name])})"
        for name in settings.changed(form.decided)
    ]


def _names(row: str | tuple[str, ...]) -> tuple[str, ...]:
    return (row,) if isinstance(row, str) else row
