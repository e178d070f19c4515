"""Which colour and mark a set or a training has on every page: by its role, and among those of one
role by when it was first seen, which CDP_HOME/signs.json remembers. So neither changes while others
come and go. Trainings that differ in their seed only have the same ones."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from filelock import FileLock

from cdp import paths
from cdp.config.generate import unflatten
from cdp.config.train import FURTHER_REAL, TrainConfig
from cdp.data.samples import read_card
from cdp.data.sets import set_folder
from cdp.errors import CdpError, InputError, MissingError
from cdp.figures.palette import Sign, role_sign
from cdp.files.atomic import read_json, write_json
from cdp.results.rows import Row, group_of
from cdp.tasks.sources import SPLITS
from cdp.values.comparison import Arm
from cdp.values.evaluation import EvalReport
from cdp.values.roles import Role
from cdp.work.cost import is_guided
from cdp.work.records import Run, get_run

FILE = "signs.json"
VERSION = 1
_RANK: tuple[Role, ...] = ("guided", "unguided", "ceiling", "real", "other")
"""Of what a training has seen several kinds of, the first of these is its role."""


class _Thing(NamedTuple):
    """A set or a group of trainings. key: what it is known by; role: None where it is not known any
    more, as its set is gone."""

    key: str
    role: Role | None


def set_signs(names: Iterable[str]) -> dict[str, Sign]:
    """Of saved sets and splits of real images ("fashion-mnist:test"), by name."""
    things = {name: _Thing(f"set {name}", role_of_set(name)) for name in names}
    return _signs(things)


def run_signs(runs: Sequence[Run | Row]) -> dict[str, Sign]:
    """Of trainings, by id; older ones were first seen first."""
    roles: dict[str, Role | None] = {}
    things = {}
    for run in sorted(runs, key=lambda run: (run.created, run.id)):
        group = run.group if isinstance(run, Row) else group_of(run)
        things[run.id] = _Thing(f"run {group}", _role_of_run(run, roles))
    signs = _signs(things)
    return {run.id: Sign(run.name, *_look(signs[run.id])) for run in runs}


def arm_signs(arms: Sequence[Arm]) -> dict[str, Sign]:
    """Of the arms of a comparison, by name: those of their trainings."""
    runs: dict[str, Run] = {}
    for arm in arms:
        with contextlib.suppress(MissingError, IndexError):
            runs[arm.name] = get_run(arm.seeds[0].id)
    signs = run_signs(list(runs.values()))
    gone = _signs({a.name: _Thing(f"run {a.name}", None) for a in arms if a.name not in runs})
    here = {name: Sign(name, *_look(signs[run.id])) for name, run in runs.items()}
    return gone | here


def model_sign(source: str, name: str) -> Sign:
    """Of a model that is evaluated or attacked: that of its training ("run:ID"), else that of a model
    from elsewhere."""
    kind, _, run = source.partition(":")
    with contextlib.suppress(CdpError):
        if kind == "run":
            return Sign(name, *_look(next(iter(run_signs([get_run(run)]).values()))))
    return next(iter(_signs({name: _Thing(f"model {source}", "other")}).values()))


def report_sign(report: EvalReport) -> Sign:
    """Of the model of a report."""
    return model_sign(report.model.source, report.model.name)


def role_of_set(name: str) -> Role | None:
    """From what is written on its card; None where there is no such set."""
    if name.rpartition(":")[2] in SPLITS:
        return "real"
    if (folder := set_folder(name)) is None:
        return None
    try:
        return _role_of_card(read_card(folder))
    except (CdpError, OSError):
        return "other"


def _role_of_card(card: Mapping[str, Any]) -> Role:
    config, parent = card.get("config"), card.get("parent")
    with contextlib.suppress(InputError):  # settings of another version
        if isinstance(config, dict) and config:
            return "guided" if is_guided(unflatten(config)) else "unguided"
    if isinstance(parent, dict) and isinstance(parent.get("name"), str):
        return role_of_set(parent["name"]) or "other"
    return "other"


def _role_of_run(run: Run | Row, roles: dict[str, Role | None]) -> Role | None:
    """roles: of sets that were looked at already, by name."""
    if isinstance(run, Row):
        synthetic = run.settings.get("synthetic")
    else:
        synthetic = run.config.synthetic if isinstance(run.config, TrainConfig) else None
    if synthetic is None:
        return "other"
    for name in synthetic:
        if name not in roles:
            roles[name] = "ceiling" if name.startswith(FURTHER_REAL) else role_of_set(name)
    seen = {roles[name] for name in synthetic}
    return next((role for role in _RANK if role in seen), None if seen else "real")


def _look(sign: Sign) -> tuple[str, str, str]:
    return sign.color, sign.dash, sign.symbol


def _signs(things: Mapping[str, _Thing]) -> dict[str, Sign]:
    """By the keys given. What was not seen before is remembered; where CDP_HOME cannot be written,
    which every page says, the next look decides anew."""
    places = _places(_read())
    if any(_find(thing, places) is None for thing in things.values()):
        known = _read()
        with contextlib.suppress(OSError), FileLock(paths.home() / f".{FILE}.lock"):
            known = _add(things.values(), _read())
            write_json(paths.home() / FILE, {"version": VERSION, "keys": known})
        places = _places(_add(things.values(), known))
    signs = {}
    for name, thing in things.items():
        place = _find(thing, places)
        assert place is not None  # added above
        signs[name] = role_sign(*place, name)
    return signs


def _read() -> dict[str, list[str]]:
    """Keys by role, in the order in which they were first seen."""
    value = read_json(paths.home() / FILE) or {}
    keys = value.get("keys") if value.get("version") == VERSION else None
    return {
        role: [key for key in known if isinstance(key, str)]
        for role, known in (keys if isinstance(keys, dict) else {}).items()
        if isinstance(known, list)
    }


def _places(known: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], int]:
    """Numbers by role and key; sets, trainings and models are counted apart."""
    places, counts = {}, Counter[tuple[str, str]]()
    for role, keys in known.items():
        for key in keys:
            kind = role, key.partition(" ")[0]
            places[role, key] = counts[kind]
            counts[kind] += 1
    return places


def _find(thing: _Thing, places: Mapping[tuple[str, str], int]) -> tuple[Role, int] | None:
    """Role and number; of what has lost its role those that it had."""
    for role in _RANK if thing.role is None else (thing.role,):
        if (role, thing.key) in places:
            return role, places[role, thing.key]
    return None


def _add(things: Iterable[_Thing], known: dict[str, list[str]]) -> dict[str, list[str]]:
    places = _places(known)
    new = [thing for thing in things if _find(thing, places) is None]
    for thing in dict.fromkeys(new):
        known.setdefault(thing.role or "other", []).append(thing.key)
    return known
