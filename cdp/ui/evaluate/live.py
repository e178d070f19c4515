"""An evaluation under way: what every attack so far has left standing, an upper bound that only
falls."""

from __future__ import annotations

import html
from collections.abc import Sequence

from cdp.ui.evaluate.rows import WEIGHTS, Bound
from cdp.values.text import counted, share_text

_GRID = (
    "display:grid;grid-template-columns:minmax(7rem,13rem) 1fr"
    " 4rem;gap:0.6rem;align-items:center;font-size:0.9rem;margin:0.2rem 0"
)


def stages_html(found: Sequence[Bound], notice: str | None) -> str:
    """One bar for each attack that is done and one for what stands now. found: one or more, as
    ``bounds`` gives them; notice: what is on its way, in words, whose beginning names the attack.
    """
    several = len({one.weights for one in found}) > 1
    attack = (notice or "").partition(":")[0] if ":" in (notice or "") else ""
    rows = "".join(_row(one, attack, several=several) for one in found)
    told = (
        f"Share of {found[-1].n:,} images that still stand. Robust accuracy is at most this: it"
        " falls until the last attack is done."
    )
    return (
        "<div style='max-width:40rem'><p style='font-size:0.875rem;opacity:0.7;margin:0 0"
        f" 0.4rem'>{told}</p>{rows}</div>".replace(" %", "&nbsp;%")
    )


def _row(one: Bound, attack: str, *, several: bool) -> str:
    which = (
        f"{WEIGHTS[one.weights]} weights, " if several and 0 <= one.weights < len(WEIGHTS) else ""
    )
    done = "without attack" if not one.attacks else f"after {counted(one.attacks, 'attack')}"
    title = (
        f"{which}{f'during {attack}' if one.so_far and attack else 'now' if one.so_far else done}"
    )
    # Dashed where it will fall further; the words say so too.
    edge = f"border-right:2px {'dashed' if one.so_far else 'solid'} #3b6ea5"
    size = f"display:block;height:100%;width:{one.robust * 100:.1f}%;box-sizing:border-box"
    bar = f"<span style='{size};background:rgba(59,110,165,0.35);{edge}'></span>"
    return (
        f"<div style='{_GRID}'><span"
        f" style='overflow-wrap:anywhere'>{html.escape(title[:1].upper() + title[1:])}</span>"
        "<span"
        f" style='background:rgba(128,132,140,0.15);height:1.1rem;display:block'>{bar}</span><b>{share_text(one.robust)}</b></div>"
    )
