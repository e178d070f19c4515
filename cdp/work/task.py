"""A task: one kind of thing that this software computes, as a value. Everything of it that pages,
command line and workers need is in its entry of ``cdp.work.registry.TASKS``; nothing heavy is
imported before ``run`` is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, Literal, Self, TypeVar

from cdp.config.knobs import Frozen, parse
from cdp.data.limits import valid_name
from cdp.files.atomic import refuse_existing
from cdp.files.cache import Cached
from cdp.work.session import Session

C = TypeVar("C", bound=Frozen)
R = TypeVar("R")
Note = Callable[[Path, Path], object]
"""Takes down where something was and where it goes."""


class lazy:  # noqa: N801 - reads as a function does
    """What ``package.module:name`` names, imported at its first call."""

    def __init__(self, where: str) -> None:
        self.where = where

    def load(self) -> Callable[..., Any]:
        """The function itself."""
        module, _, name = self.where.partition(":")
        loaded: Callable[..., Any] = getattr(import_module(module), name)
        return loaded

    def __call__(self, *args: Any, **named: Any) -> Any:
        return self.load()(*args, **named)


class fields(lazy):  # noqa: N801
    """The same, called with the fields of the config by their names, and with nothing else."""

    def __call__(self, config: Frozen, *_: Any) -> Any:
        return self.load()(**dict(config))


class fields_and_report(lazy):  # noqa: N801
    """The same for work that takes the share that is done to ``report``."""

    def __call__(self, config: Frozen, session: Session) -> Any:
        return self.load()(**dict(config), report=session.share)


def _nothing(*_: Any) -> None:
    return None


@dataclass(frozen=True)
class Task(Generic[C, R]):
    """title: for people. run: does it, and returns the result; raises Cancelled where it was
    stopped, Halted where it ended itself. cached: the result where it lies in the cache, and then
    ``run`` may be left out. where: in the app's own process, in a helper process, or as a
    background run that outlives the app. check: raises CdpError where what the settings name is not
    here or does not fit.

    Of the helpers: lane: the process that does it; urgent: goes before what is not; lasting: goes
    on where no page waits for it any more; encode: the result in JSON, None where the asker finds
    it in the cache.

    Of background runs: makes: what it makes outside the run's folder, in words; place: where that
    goes under a name, None for a task that keeps all in the run; taken: names that are in use
    there; slot: whether it takes its turn on the device, which work that only has others work does
    not, and then it takes up settings that it is given meanwhile; named: the config has a field
    ``name`` that follows the run's; discard: moves what an unfinished run left outside its folder
    into a folder of the trash, and before that notes where it is and where it will lie.
    """

    name: str
    title: str
    config: type[C]
    run: Callable[[C, Session], R] | None = None
    cached: Callable[[C], Cached[R]] | None = None
    where: Literal["live", "helper", "background"] = "background"
    lane: str = "looks"
    urgent: bool = False
    lasting: bool = False
    encode: Callable[[R], Any] | None = None
    check: Callable[[C], object] = _nothing
    makes: str = ""
    place: Callable[[str, C], Path | None] = _nothing
    taken: Callable[[], set[str]] = set
    slot: bool = True
    named: bool = False
    discard: Callable[[str, C, Path, Note], None] = _nothing

    def do(self, config: C, session: Session) -> R:
        """The result: computed, or found in the cache."""
        if self.run is not None:
            return self.run(config, session)
        assert self.cached is not None, f"task {self.name} has nothing to run"
        return self.cached(config).get(session.share)

    def name_config(self, name: str, config: C) -> C:
        """The settings of a run of this name. Raises InputError where it is no name."""
        name = valid_name(name)
        return parse(self.config, config.model_dump() | {"name": name}) if self.named else config

    def require(self, name: str, config: C) -> None:
        """Raises InputError where a run cannot have this name, where what it would make is there
        already, or what it needs is not."""
        place = self.place(valid_name(name), config)
        if place is not None:
            refuse_existing(place)
        self.check(config)

    def running(self, run: Callable[[C, Session], R]) -> Self:
        """The same task with something else at work."""
        return replace(self, run=run)
