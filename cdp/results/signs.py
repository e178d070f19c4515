"""Which colour and mark a set or a training has on every page: by its role, and among those of one
role by when it was first seen, which CDP_HOME/signs.json remembers. So neither changes while others
come and go. What differs in its seeds or in its number of images only has the same ones."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Self, cast, get_args

from filelock import FileLock

from cdp import paths
from cdp.config.generate import flatten, unflatten
from cdp.config.train import FURTHER_REAL, TrainConfig
from cdp.data.samples import read_card
from cdp.data.sets import set_folder
from cdp.errors import CdpError, InputError, MissingError
from cdp.figures.palette import Sign, role_sign
from cdp.files.atomic import write_json
from cdp.files.reading import read_json
from cdp.files.versions import NewerError, require_known
from cdp.results.rows import Row
from cdp.tasks.sources import SPLITS
from cdp.values.comparison import Arm
from cdp.values.evaluation import EvalReport
from cdp.values.types import Role
from cdp.work.cost import is_guided
from cdp.work.records import Run, get_run

FILE = "signs.json"
VERSION = 1
_RANK: tuple[Role, ...] = ("guided", "unguided", "ceiling", "real", "other")
"""Of what a training has seen several kinds of, the first of these is its role."""
_ALIKE = ("seed", "count", "batch", "precision", "compile")
"""Settings in which sets of one arm may differ."""

Place = tuple[Role, int]
"""A role, and which of its arms."""
Kind = tuple[Role, str]
"""A role, and what tells its arms apart."""


@dataclass
class _Memory:
    """What signs.json holds. kinds: in the order in which they were first seen, sets and trainings
    apart; things: the kind of everything that was seen."""

    kinds: dict[str, list[Kind]] = field(default_factory=dict)
    things: dict[str, Kind] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Self:
        """Empty where there is no file, or one that is damaged."""
        path = paths.home() / FILE
        try:
            stat = path.stat()
        except OSError:
            return cls()
        kinds, things = _parsed(str(path), (stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return cls({group: list(known) for group, known in kinds.items()}, dict(things))

    def write(self) -> None:
        """Leaves what a later version of the app remembers as it is."""
        path = paths.home() / FILE
        with contextlib.suppress(NewerError):
            require_known(path, (read_json(path) or {}).get("version"), VERSION)
            content = {"version": VERSION, "kinds": self.kinds, "things": self.things}
            write_json(path, content)

    def add(self, seen: Mapping[str, Kind]) -> bool:
        """Whether any of these things, by "set NAME" or "run ID", was new or another one."""
        new = {name: kind for name, kind in seen.items() if self.things.get(name) != kind}
        for name, kind in new.items():
            known = self.kinds.setdefault(name.partition(" ")[0], [])
            if kind not in known:
                known.append(kind)
        self.things |= new
        return bool(new)

    def places(self, names: Iterable[str]) -> dict[str, Place]:
        """Of things; ("other", 0) for what was never seen."""
        numbers: dict[tuple[str, Kind], int] = {}
        for group, kinds in self.kinds.items():
            counts: dict[Role, int] = {}
            for kind in kinds:
                counts[kind[0]] = counts.get(kind[0], -1) + 1
                numbers[group, kind] = counts[kind[0]]
        known = {name: self.things.get(name, ("other", "")) for name in names}
        return {
            name: (kind[0], numbers.get((name.partition(" ")[0], kind), 0))
            for name, kind in known.items()
        }


@lru_cache(maxsize=2)
def _parsed(path: str, stamp: tuple[int, ...]) -> tuple[dict[str, list[Kind]], dict[str, Kind]]:
    """What the file holds. stamp: another one whenever it may hold something else."""
    value = read_json(Path(path)) or {}
    try:
        if value["version"] != VERSION:
            return {}, {}
        kinds = {group: list(map(_kind, known)) for group, known in value["kinds"].items()}
        return kinds, {name: _kind(known) for name, known in value["things"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}, {}


def _kind(value: Any) -> Kind:
    role, key = value
    if role not in get_args(Role) or not isinstance(key, str):
        raise ValueError(value)
    return cast(Role, role), key


def set_signs(names: Iterable[str]) -> dict[str, Sign]:
    """Of saved sets and splits of real images ("fashion-mnist:test"), by name."""
    names = list(dict.fromkeys(names))
    # A set may have been made anew under its name, so its card decides as long as it is there.
    kinds = {name: kind for name in names if (kind := _kind_of_set(name)) is not None}
    places = _places("set", names, lambda missing: kinds, kinds)
    return {name: role_sign(*places[name], name) for name in names}


def run_signs(runs: Sequence[Run | Row]) -> dict[str, Sign]:
    """Of trainings, by id; older ones were first seen first."""

    def kinds(missing: set[str]) -> dict[str, Kind]:
        new = sorted((run for run in runs if run.id in missing), key=lambda r: (r.created, r.id))
        sets: dict[str, Kind | None] = {}
        return {run.id: _kind_of_run(run, sets) for run in new}

    places = _places("run", [run.id for run in runs], kinds)
    return {run.id: role_sign(*places[run.id], run.name) for run in runs}


def arm_signs(arms: Sequence[Arm]) -> dict[str, Sign]:
    """Of the arms of a comparison, by name: those of their trainings."""
    runs: dict[str, Run] = {}
    for arm in arms:
        with contextlib.suppress(MissingError, IndexError):
            runs[arm.name] = get_run(arm.seeds[0].id)
    signs = run_signs(list(runs.values()))
    here = {name: _called(name, signs[run.id]) for name, run in runs.items()}
    gone = [arm.name for arm in arms if arm.name not in runs]
    return {name: role_sign("other", number, name) for number, name in enumerate(gone)} | here


def model_sign(source: str, name: str) -> Sign:
    """Of a model that is evaluated or attacked: that of its training ("run:ID"), else that of a model
    from elsewhere."""
    kind, _, run = source.partition(":")
    with contextlib.suppress(CdpError):
        if kind == "run":
            return _called(name, run_signs([get_run(run)])[run])
    places = _places("model", [source], lambda missing: {source: ("other", source)})
    return role_sign(*places[source], name)


def report_sign(report: EvalReport) -> Sign:
    """Of the model of a report."""
    return model_sign(report.model.source, report.model.name)


def role_of_set(name: str) -> Role | None:
    """From what is written on its card; None where there is no such set."""
    kind = _kind_of_set(name)
    return kind[0] if kind else None


def _called(name: str, sign: Sign) -> Sign:
    return Sign(name, sign.color, sign.dash, sign.symbol)


def _places(
    group: str, names: Sequence[str], kinds: Any, seen: Mapping[str, Kind] | None = None
) -> dict[str, Place]:
    """By name. kinds: of the names that were not seen before; seen: what is known of all by now.
    Where CDP_HOME cannot be written, which every page says, the next look decides anew."""
    keys = {name: f"{group} {name}" for name in names}
    memory = _Memory.read()
    missing = {name for name, key in keys.items() if key not in memory.things}
    found = dict(seen or {}) or (kinds(missing) if missing else {})
    new = {keys[name]: kind for name, kind in found.items()}
    if memory.add(new):
        with contextlib.suppress(OSError), FileLock(paths.home() / f".{FILE}.lock"):
            memory = _Memory.read()
            memory.add(new)
            memory.write()
    places = memory.places(keys.values())
    return {name: places[key] for name, key in keys.items()}


def _kind_of_set(name: str) -> Kind | None:
    if name.rpartition(":")[2] in SPLITS:
        return "real", name
    if (folder := set_folder(name)) is None:
        return None
    try:
        return _kind_of_card(read_card(folder), name)
    except (CdpError, OSError):
        return "other", name


def _kind_of_card(card: Mapping[str, Any], name: str) -> Kind:
    config, parent = card.get("config"), card.get("parent")
    with contextlib.suppress(InputError):  # settings of another version
        if isinstance(config, dict) and config:
            made = unflatten(config)
            own = {key: value for key, value in flatten(made).items() if key not in _ALIKE}
            if is_guided(made):
                return "guided", _short(own)
            return "unguided", _short({key: own[key] for key in ("model", "dataset", "steps")})
    if isinstance(parent, dict) and isinstance(parent.get("name"), str):
        kind = _kind_of_set(parent["name"])
        return (kind[0], name) if kind else ("other", name)
    return "other", name


def _kind_of_run(run: Run | Row, sets: dict[str, Kind | None]) -> Kind:
    """sets: what was found of sets already, by name."""
    if isinstance(run, Row):
        settings = dict(run.settings)
    else:
        config = run.config
        settings = config.model_dump(mode="json") if isinstance(config, TrainConfig) else {}
    if not settings:
        return "other", run.id
    for name in ("seed", "subset_seed"):  # an arm has its own real images under every seed
        settings.pop(name, None)
    kinds: list[Kind] = []
    for name in settings.get("synthetic") or ():
        if name.startswith(FURTHER_REAL):
            kinds.append(("ceiling", name))
            continue
        if name not in sets:
            sets[name] = _kind_of_set(name)
        kinds.append(sets[name] or ("other", name))
    roles = [role for role, _ in kinds]
    role: Role = next((role for role in _RANK if role in roles), "real")
    return role, _short(settings | {"synthetic": kinds})


def _short(settings: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(settings).encode(), digest_size=6).hexdigest()
