"""Numbers and names as people read them: pages, figures, reports and the command line all write
them here."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterable, Sequence

from cdp.values.types import Interval

_HIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    r"\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What a terminal or browser acts on in place of showing it: controls but tab and line end, marks
that turn the direction of text, what has no width, and halves of characters."""
NORMS = {"linf": "l_inf", "l2": "l_2"}
"""Norms in plain text."""


def visible(text: str) -> str:
    """A stranger's text so that all of it is seen: what would be acted on is written out, such as
    \\x1b and \\u202e."""
    return _HIDDEN.sub(lambda hidden: hidden[0].encode("unicode_escape").decode(), text)


def share_text(share: float, digits: int = 1) -> str:
    """A share in 0..1: "60.3 %"."""
    return f"{100 * share:.{digits}f} %"


def points_text(difference: float) -> str:
    """A difference of shares in percentage points: "+1.3 points"."""
    return f"{100 * difference:+.1f} points"


def bounds_text(interval: Interval, *, signed: bool = False, level: bool = False) -> str:
    """The interval of a share in per cent, or of a difference of shares in points: "57.2 to 63.3",
    with its level "95 %: 57.2 to 63.3"."""
    if not interval.wide:
        return no_width(interval)
    sign = "+" if signed else ""
    ends = f"{100 * interval.low:{sign}.1f} to {100 * interval.high:{sign}.1f}"
    return f"{100 * interval.level:g} %: {ends}" if level else ends


def share_with_bounds(interval: Interval, *, level: bool = False) -> str:
    """A share with its interval: "60.3 % (57.2 to 63.3)"."""
    return f"{share_text(interval.value)} ({bounds_text(interval, level=level)})"


def points_with_bounds(interval: Interval, *, level: bool = False) -> str:
    """A difference of shares with its interval: "+1.3 points (-0.2 to +2.8)"."""
    return f"{points_text(interval.value)} ({bounds_text(interval, signed=True, level=level)})"


def no_width(interval: Interval) -> str:
    """In place of the bounds of equal values, which show no spread."""
    if interval.n > 1:
        return f"the same in all {interval.n:,}, so no interval"
    return "one value, so no interval"


def interval_text(interval: Interval, spec: str = ".4g", *, factor: float = 1) -> str:
    """The bounds with their level in words: "95 % interval 0.41 to 0.52", or why there are none.
    spec: format of a bound; factor: written value per stored value."""
    if interval.note:
        return f"no interval: {interval.note}"
    low, high = factor * interval.low, factor * interval.high
    return f"{100 * interval.level:g} % interval {low:{spec}} to {high:{spec}}"


def duration(seconds: float) -> str:
    """A duration as one would say it: "under 1 s", "4 s", "2 min 10 s", "25 min", "3 h 5 min"."""
    whole = round(seconds)
    if seconds < 1:
        return "under 1 s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        minutes, rest = divmod(whole, 60)
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def rough_duration(seconds: float) -> str:
    """A duration that is only an estimate: whole minutes, then hours to a half."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "under 1 min"
    return f"about {minutes} min" if minutes < 90 else f"about {round(seconds / 1800) / 2:g} h"


def range_text(low: float, high: float) -> str:
    """Between which durations one lies, as an estimate is said: "16 to 25 s", "40 s to 2 min",
    "about 3 h". Ends are rounded outwards, unless they
    are nearly round."""
    ends = [_end(low, lambda x: math.floor(x + 0.15)), _end(high, lambda x: math.ceil(x - 0.15))]
    (first, unit), (last, other) = ends
    if ends[0] == ends[1]:
        return "under 1 s" if high < 1 else f"about {last:g} {other}"
    return (
        f"{first:g} to {last:g} {other}"
        if unit == other
        else f"{first:g} {unit} to {last:g} {other}"
    )


def _end(seconds: float, rounded: Callable[[float], int]) -> tuple[float, str]:
    """Whole seconds, then five of them, minutes, and half hours."""
    if seconds <= 55:
        step = 5 if seconds > 20 else 1
        return max(1, step * rounded(seconds / step)), "s"
    if seconds <= 89 * 60:
        return max(1, rounded(seconds / 60)), "min"
    return rounded(seconds / 1800) / 2, "h"


def time_text(when: float) -> str:
    """Seconds since 1970 as local time to the minute: "2026-11-24 12:00"; "-" for 0, which stands
    for one that is not known."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when)) if when else "-"


def bytes_text(count: float) -> str:
    """A number of bytes in the unit that reads best: "640 B", "1.5 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def budget_text(epsilon: float, digits: int = 4) -> str:
    """A budget as people write it: "8/255" for whole grey levels that no short decimal says, else
    a number of ``digits`` digits."""
    return _grey_levels(epsilon, within=1e-6) or f"{epsilon:.{digits}g}"


def threat_text(norm: str, epsilon: float) -> str:
    """Norm and budget: "l_inf budget 8/255"."""
    return f"{NORMS.get(norm, norm)} budget {budget_text(epsilon)}"


def exact_text(value: float | int | None) -> str:
    """A number so that it reads back unchanged, whole grey levels as "8/255"; empty for None."""
    if value is None:
        return ""
    if not isinstance(value, float):
        return str(value)
    short = f"{value:g}"
    return _grey_levels(value, within=1e-12) or (short if float(short) == value else str(value))


def number_text(value: float) -> str:
    """A number as a person writes it: 0.05, 20, 100,000."""
    return f"{int(value):,}" if float(value).is_integer() and abs(value) < 1e10 else f"{value:g}"


def done_text(done: int, count: int, unit: str) -> str:
    """ "20 of 1,000 images"; "2.0 %" of work that is counted in parts, of which nobody knows the
    size."""
    if unit == "parts":
        return f"{100 * done / max(1, count):.1f} %"
    return f"{done:,} of {count:,} {unit}"


def counted(count: int, noun: str, plural: str = "") -> str:
    """A count with what is counted: "1 image", "2,000 images". plural: where it is not noun + s."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def span_text(counts: Iterable[int]) -> str:
    """Counts of several runs in short: "2,500", or "2,000 to 2,500" where they differ."""
    sizes = list(counts)
    low, high = min(sizes), max(sizes)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def listed(names: Iterable[object], most: int = 6) -> str:
    """Names in a sentence, at most ``most`` of them: "a, b and 3 more"."""
    every = [str(name) for name in names]
    rest = f" and {len(every) - most:,} more" if len(every) > most else ""
    return ", ".join(every[:most]) + rest


def joined(names: Iterable[str]) -> str:
    """All names in a sentence: "a", "a and b", "a, b and c"."""
    every = list(names)
    return " and ".join(filter(None, [", ".join(every[:-1]), *every[-1:]]))


def class_name(names: Sequence[str], value: int) -> str:
    """The name of a class, or its number where nobody named it."""
    return str(names[value]) if 0 <= value < len(names) else f"class {value}"


def at_step(step: int, epoch: int) -> str:
    """A place in a training: "step 60, epoch 3", the epoch alone where steps were not counted."""
    return f"step {step:,}, epoch {epoch:,}" if step else f"epoch {epoch:,}"


def image_size(height: int, width: int, channels: int) -> str:
    """The form of images: "28 x 28 px, grey"."""
    colours = {1: "grey", 3: "colour", 4: "colour with transparency"}
    return f"{width} x {height} px, {colours.get(channels, f'{channels} channels')}"


def _grey_levels(value: float, within: float) -> str:
    levels = round(255 * value)
    fits = round(value, 3) != value and levels > 0 and abs(value - levels / 255) < within
    return f"{levels}/255" if fits else ""
