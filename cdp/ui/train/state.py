"""The settings of the Train page and the runs that are watched: kept for the session, and told by
the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp.config.fields import fields_of, quoted, read_values, written
from cdp.config.knobs import parse
from cdp.config.presets import TRAIN_PRESETS, train_preset
from cdp.config.train import LENGTH, TrainConfig, overlaid, set_title
from cdp.ui.kit.address import linked
from cdp.ui.kit.held import Held

CUSTOM, START = "custom", "quick"
KEPT = ("dataset", "synthetic", "subset_seed", "norm", "epsilon", "seed")
"""What a preset leaves alone: the data, the threat and the seed, so that presets can be compared on
the same question."""
DECIDED = tuple(name for name in TrainConfig.model_fields if name not in KEPT)
MOST_SEEDS, MOST_WATCHED = 10, 20
PRESET, SEEDS, NAME, WATCHED, OPEN = "preset", "seeds", "name", "runs", "run"
"""Query parameters that are no knobs: where the settings start from, how many seeds, the typed
name, watched runs, the one in detail."""
NOTHING = "none"
"""Of ``runs`` where every run was taken off the curves; without the parameter the page chooses."""
_KEY = "train_settings"


@dataclass
class Trained(Held):
    """base: the preset that the settings started from; watched: ids of runs, None until somebody
    chose; opened: the run shown in detail, "" for the last watched; fresh: just read from an
    address."""

    prefix: str = field(default="train", kw_only=True)
    base: str = START
    seeds: int = 1
    name: str = ""
    watched: tuple[str, ...] | None = None
    opened: str = ""
    fresh: bool = False

    def config(self) -> TrainConfig:
        """Raises InputError where the values do not fit together."""
        return parse(TrainConfig, self.flat)

    def configs(self) -> list[TrainConfig]:
        """One config a seed: seed, seed + 1, and so on. Raises InputError like ``config``."""
        return [
            parse(TrainConfig, self.flat | {"seed": self.flat["seed"] + k})
            for k in range(self.seeds)
        ]

    @property
    def preset(self) -> str:
        """The preset these settings are, or "custom"."""
        return next(
            (
                name
                for name in TRAIN_PRESETS
                if all(self.flat[key] == plain_of(name)[key] for key in DECIDED)
            ),
            CUSTOM,
        )

    def apply_preset(self, name: str) -> None:
        """Set everything that a preset decides, in one change."""
        self.base = name
        self.replace({key: plain_of(name)[key] for key in DECIDED})

    def use(self, config: TrainConfig) -> None:
        """Take over the settings of a run."""
        self.replace(config.model_dump(mode="json"))
        self.seeds, self.name, self.base = (
            1,
            "",
            self.preset if self.preset != CUSTOM else self.base,
        )

    def watch(self, ids: Sequence[str]) -> None:
        """Have exactly these on the curves, the last ones where they are too many."""
        self.watched = tuple(dict.fromkeys(ids))[-MOST_WATCHED:]


def plain_of(preset: str) -> dict[str, Any]:
    """Every setting of a preset, JSON-ready."""
    return train_preset(preset).model_dump(mode="json")


def trained() -> Trained:
    """This session's settings; where the address changed under the page, what it says."""
    held, fresh = linked(_KEY, from_params, _keep_watching)
    held.fresh = fresh
    return held


def _keep_watching(before: Trained, now: Trained) -> None:
    now.watched = before.watched if now.watched is None else now.watched


def from_params(params: Mapping[str, str]) -> Trained:
    """The settings that an address tells, with one sentence for each thing in it that cannot be
    used."""
    named = dict(params)
    notes: list[str] = []
    base = named.pop(PRESET, START)
    if base not in TRAIN_PRESETS:
        notes.append(
            f"preset: {quoted(base)} is not one of {', '.join(TRAIN_PRESETS)}, so {START} is used."
        )
        base = START
    seeds = named.pop(SEEDS, "1")
    if not seeds.isdecimal() or not 1 <= int(seeds[:9]) <= MOST_SEEDS:
        notes.append(
            f"seeds: {quoted(seeds)} is not a whole number from 1 to {MOST_SEEDS}, so 1 is used."
        )
        seeds = "1"
    name, opened, watched = named.pop(NAME, ""), named.pop(OPEN, ""), named.pop(WATCHED, None)
    known = fields_of(TrainConfig)
    if not set(named) <= set(known):
        from cdp.ui.train import look  # plotly, which an empty page does without

        notes += look.from_params(named)
        named = {key: text for key, text in named.items() if key not in look.PARAMS}
    given, wrong = read_values(named, known, plain_of(base))
    held = Trained(
        overlaid(plain_of(base), _json(given)), base, int(seeds), name[:100], opened=opened
    )
    if watched is not None:
        held.watch([one for one in watched.split(",") if one and one != NOTHING])
    held.notes = notes + wrong
    return held


def to_params(held: Trained) -> dict[str, str]:
    """What ``from_params`` reads: every setting that differs from the preset these started from."""
    plain = plain_of(held.base)
    params = {PRESET: held.base} if held.base != START else {}
    params |= {
        name: written(value)
        for name, value in held.flat.items()
        if value != plain[name] and not replaced_unit(name, value)
    }
    if held.seeds != 1:
        params[SEEDS] = str(held.seeds)
    if held.name:
        params[NAME] = held.name
    if held.watched is not None:
        params[WATCHED] = ",".join(held.watched) or NOTHING
    if held.opened:
        params[OPEN] = held.opened
    return params


def replaced_unit(name: str, value: object) -> bool:
    """Whether this is the empty one of steps and epochs, which goes without saying where the other
    is set."""
    return name in LENGTH and value is None


def write_url(held: Trained, *, curves: bool) -> None:
    """Bring the address in line with the settings and with what is watched. curves: whether any are
    drawn."""
    params = to_params(held)
    if curves:
        from cdp.ui.train import look

        params |= look.to_params()
    held.address.write(params)


def forget_gone(held: Trained, here: Sequence[str]) -> None:
    """Take runs that are not there any more off the curves; of those that only an address named it
    is said."""
    gone = [one for one in held.watched or () if one not in here]
    if not gone:
        return
    held.watched = tuple(one for one in held.watched or () if one in here)
    if held.fresh:
        held.notes.append(
            "runs:"
            f" {', '.join(quoted(one) for one in gone[:3])}{' and others' if len(gone) > 3 else ''}"
            " not here."
        )


def _json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }


def value_text(name: str, value: object) -> str:
    """The value of a setting as a person reads it."""
    if name == "synthetic" and isinstance(value, list | tuple):
        return ", ".join(set_title(str(one)) for one in value) or "none"
    return fields_of(TrainConfig)[name].title(value)
