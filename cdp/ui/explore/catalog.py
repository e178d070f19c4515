"""What can be explored: saved sets, real splits that are here, and the eyes to look with. Reads
cards and names only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cdp.config.explore import PIXELS


@dataclass(frozen=True)
class Choices:
    """sets: every name that can be chosen -> its data set ("" unknown), saved ones first; encoders:
    by data set, the judge first; images: how many a saved set has; aliases: saved sets that are the
    real images of a data set -> the name they have here; titles: how an encoder is called in front
    of a person; unlabelled: saved sets without labels."""

    sets: Mapping[str, str]
    encoders: Mapping[str, tuple[str, ...]]
    images: Mapping[str, int]
    aliases: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    unlabelled: frozenset[str] = frozenset()

    @property
    def start(self) -> tuple[str, ...]:
        """What stands in the list on the first visit: the two newest saved sets of one data set and
        that set's real test images."""
        saved = [name for name in self.sets if name in self.images]
        if not saved:
            return next(
                ((name,) for name in self.sets if name.endswith(":test")), tuple(self.sets)[:1]
            )
        mine = [name for name in saved if self.sets[name] == self.sets[saved[0]]][:2]
        test = f"{self.sets[saved[0]]}:test"
        return (*mine, test) if test in self.sets else tuple(mine)

    def encoders_for(self, sets: Sequence[str], dataset: str = "") -> tuple[str, ...]:
        """Encoders of the data set named, else of the first set's that has one; pixels always."""
        dataset = dataset or next((self.sets[name] for name in sets if self.sets.get(name)), "")
        return (*self.encoders.get(dataset, ()), PIXELS)


def read_choices() -> Choices:
    """What is here now."""
    from cdp.data.registry import available
    from cdp.data.sets import list_sets
    from cdp.models.encoders import JUDGE, list_encoders
    from cdp.tasks.sources import own_split

    saved = [entry for entry in list_sets() if entry.card is not None]
    sets = {entry.name: str((entry.card or {}).get("dataset") or "") for entry in saved}
    real = {
        f"{info.name}:{split}": info.name
        for info, state in available()
        if state.ready
        for split in ("test", "train")
    }
    # Data sets of a person's own: real images under the name of a split, and not a second time as a
    # saved set.
    own = {name: own_split(name) for name, dataset in sets.items() if not dataset}
    aliases = {
        name: f"{dataset}:{split}" for name, (dataset, split) in own.items() if dataset in sets
    }
    real |= {split: own[name][0] for name, split in aliases.items()}
    saved = [entry for entry in saved if entry.name not in aliases]
    sets = {entry.name: sets[entry.name] for entry in saved}
    datasets = dict.fromkeys([*sets.values(), *real.values()])
    usable = {
        name: [entry for entry in list_encoders(name) if not entry.problem] if name else []
        for name in datasets
    }
    encoders = {
        name: tuple(entry.name for entry in sorted(entries, key=lambda entry: entry.name != JUDGE))
        for name, entries in usable.items()
    }
    titles = {entry.name: entry.title for entries in usable.values() for entry in entries}
    counts = {entry.name: int((entry.card or {}).get("count", 0)) for entry in saved}
    without = frozenset(
        entry.name for entry in saved if entry.card and not entry.card["class_names"]
    )
    return Choices(sets | real, encoders, counts, aliases, titles, without)
