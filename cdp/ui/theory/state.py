"""The settings of the Theory page, kept for the session and told by the address: knobs of the
model, the view, the sample set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cdp.config.fields import fields_of, quoted, read_values, written
from cdp.config.knobs import parse
from cdp.config.theory import LEARNERS, MOST_APART, TheoryConfig
from cdp.ui.kit.address import linked
from cdp.ui.kit.held import Held

VIEWS = {
    "curves": "Accuracy",
    "map": "Map",
    "needed": "Samples needed",
    "picture": "Picture",
    "coordinates": "Coordinates",
    "guided": "Guide the mean",
    "images": "Images",
}
FIRST_VIEW, IMAGES = "curves", "images"
VIEW, SET, ENCODER = "view", "set", "encoder"
"""Query parameters that are no knobs: the view, and whose features in whose eyes are put on the
map."""
LONGEST = 400
"""Characters of a name in an address."""
PLAIN: dict[str, Any] = TheoryConfig().model_dump(mode="json")
_KEY = "theory_settings"


@dataclass
class Theory(Held):
    """view: of ``VIEWS``; chosen, encoder: the sample set on the map and the encoder that sees it,
    "" for the page's own choice."""

    prefix: str = field(default="theory", kw_only=True)
    view: str = FIRST_VIEW
    chosen: str = ""
    encoder: str = ""

    def config(self) -> TheoryConfig:
        """Raises InputError where the values do not fit together."""
        return parse(TheoryConfig, self.flat)

    def put(self, name: str, value: Any) -> None:
        """One control moved; others that would not fit any more follow, which is said."""
        super().put(name, value)
        flat, notes = fitted(self.flat)
        if notes:
            self.replace(flat, notes)


def theory() -> Theory:
    """This session's settings; where the address changed under the page, what it says."""
    return linked(_KEY, from_params)[0]


def from_params(params: Mapping[str, str]) -> Theory:
    """The settings that an address tells, with one sentence for each thing in it that cannot be
    used."""
    named, notes = dict(params), []
    view = named.pop(VIEW, FIRST_VIEW)
    if view not in VIEWS:
        notes.append(
            f"view: {quoted(view)} is not one of {', '.join(VIEWS)}, so {FIRST_VIEW} is used."
        )
        view = FIRST_VIEW
    names = {name: named.pop(name, "") for name in (SET, ENCODER)}
    for name, text in names.items():
        if len(text) > LONGEST:
            notes.append(f"{name}: {quoted(text)} is longer than any name, so it was left out.")
            names[name] = ""
    given, wrong = read_values(named, fields_of(TheoryConfig), PLAIN)
    flat, unfit = fitted(PLAIN | given)
    held = Theory(flat, view, names[SET], names[ENCODER])
    held.notes = [*notes, *wrong, *unfit]
    return held


def to_params(held: Theory, *, every: bool = False) -> dict[str, str]:
    """What ``from_params`` reads: the settings and the view where they differ from the defaults, or
    all of them; the sample set where one was chosen."""
    params = {
        name: written(value) for name, value in held.flat.items() if every or value != PLAIN[name]
    }
    more = {
        VIEW: held.view if every or held.view != FIRST_VIEW else "",
        SET: held.chosen,
        ENCODER: held.encoder,
    }
    return params | {name: text for name, text in more.items() if text}


def fitted(flat: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The values with those put right that do not fit the others, and a sentence for each."""
    found, notes = dict(flat), []
    if found["nonzero"] > found["dim"]:
        notes.append(
            f"nonzero: {found['nonzero']:,} informative coordinates do not fit into"
            f" {found['dim']:,}, so {found['dim']:,} are informative."
        )
        found["nonzero"] = found["dim"]
    if found["size"] > MOST_APART * found["sigma"]:
        found["size"] = MOST_APART * found["sigma"]
        notes.append(
            f"size: |mu| is at most {MOST_APART:g} times sigma, so it became"
            f" {written(found['size'])}."
        )
    if found["dim"] == 1 and found["angle"] not in (0, 180):
        notes.append(
            f"angle: in one dimension it is 0 or 180 degrees, so {written(found['angle'])}"
            " became 0."
        )
        found["angle"] = 0.0
    if found["learner"] not in LEARNERS[found["norm"]]:
        fitting = LEARNERS[found["norm"]]
        other = "l2-optimal" if found["learner"] == "linf-threshold" else fitting[0]
        notes.append(
            f"learner: under {found['norm']} there {'are'} {', '.join(fitting)}, so"
            f" {found['learner']} became {other}."
        )
        found["learner"] = other
    return found, notes


def write_url(held: Theory) -> None:
    """Bring the address in line with the settings and with what is shown."""
    held.address.write(to_params(held))
