"""Keeping a part of a set by a score: what would be kept and dropped, how the figures move, and the
new set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, cast, get_args

import numpy as np
import streamlit as st

from cdp.config.explore import ExploreConfig
from cdp.data.sets import is_saved
from cdp.errors import CdpError
from cdp.figures.palette import NEUTRAL
from cdp.tasks.measured import Comparison, Measured
from cdp.tasks.scoring import SCORES, scores_of
from cdp.tasks.selecting import Criterion, Order, chosen_rows, select
from cdp.tasks.sources import Source, dataset_of, open_source
from cdp.ui.components.pairs import Grid, pairs
from cdp.ui.explore.data import Waiting
from cdp.ui.explore.numbers import panels, told
from cdp.ui.kit.images import sprite
from cdp.ui.kit.side import side, waiting
from cdp.ui.kit.words import plain
from cdp.work.failures import sentence

CRITERIA: tuple[str, ...] = get_args(Criterion)
SHOWN, COLUMNS = 48, 8
"""Images of each side that are shown, and in a row."""
_SAID, _WRONG = "keep_saved", "keep_not_saved"


@dataclass(frozen=True)
class Wish:
    """What the controls say. drop: kinds of flagged images that go first."""

    by: Criterion
    keep: int
    order: Order
    balanced: bool
    seed: int
    drop: tuple[str, ...]


def show(config: ExploreConfig) -> None:
    """Controls, kept beside dropped, figures on demand, and saving."""
    saved = [name for name in config.sets if is_saved(name)]
    if not saved:
        st.info(
            "None of these sets is a saved one, and real splits are kept whole: choose a generated"
            " or imported set on the left."
        )
        return
    name = (
        str(st.selectbox("Set", saved, key="keep_set", width=360)) if len(saved) > 1 else saved[0]
    )
    source = open_source(name)
    dataset = dataset_of([source], config.dataset, encoder=config.encoder)
    wish = _controls(source)
    pending = Waiting()
    score, flags = (
        _score(source, dataset, config, wish, pending),
        _flags(source, dataset, config, wish, pending),
    )
    waiting(pending.errands, key="keep")
    if score is None or flags is None:
        return
    left = np.flatnonzero(~flags)
    # All that is left is no choice, and classes need no equal shares of it.
    everything = bool(wish.drop) and wish.keep >= len(left)
    label = None if source.label is None else source.label[left]
    best = (
        slice(None)
        if everything
        else chosen_rows(score[left], label, wish.keep, order=wish.order, balanced=wish.balanced)
    )
    rows = left[best]
    _both(source, rows, score, wish)
    if len(rows) == len(left):
        st.caption("All that is left is kept, so there is no random part to compare with.")
    else:
        _figures(name, config, wish)
    _save(source, config, wish, everything=everything)


def _controls(source: Source) -> Wish:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.selectbox(
            "Keep by",
            CRITERIA,
            format_func=lambda key: (
                SCORES[key].title if key in SCORES else "At random (the control)"
            ),
            key="keep_by",
            help="\n\n".join(
                f"**{info.title}.** {info.help}" for key, info in SCORES.items() if key in CRITERIA
            ),
            width=260,
        )
        keep = int(
            st.number_input(
                "Images to keep",
                1,
                len(source),
                max(1, len(source) // 2),
                key=f"keep_count_{source.name}",
                width=170,
            )
        )
        order = st.segmented_control(
            "Which end", ["highest", "lowest"], default="highest", required=True, key="keep_order"
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        classes = source.label is not None
        balanced = st.toggle(
            "Equal shares of every class",
            classes,
            key="keep_balanced" if classes else "keep_unlabelled",
            disabled=not classes,
        )
        duplicates = st.toggle(
            "Drop duplicates",
            key="keep_duplicates",
            help="Images that come a second time in the set.",
        )
        near = (
            "Images nearer to a real training image than all but one in a thousand held-out real"
            " ones."
        )
        memorised = st.toggle("Drop memorised", key="keep_memorised", help=near)
        seed = (
            int(st.number_input("Seed", 0, 2**31 - 1, 0, key="keep_seed", width=140))
            if by == "random"
            else 0
        )
    drop = (*(["duplicates"] if duplicates else []), *(["memorised"] if memorised else []))
    return Wish(cast(Criterion, by), keep, cast(Order, order), balanced, seed, drop)


def _score(
    source: Source, dataset: str, config: ExploreConfig, wish: Wish, pending: Waiting
) -> np.ndarray | None:
    """One score an image, from the cache; asked for where it is not there."""
    if wish.by == "random":
        return np.random.default_rng(wish.seed).random(len(source))
    found = scores_of(source, np.arange(len(source)), config.encoder, dataset, [wish.by]).known()
    if found is None:
        payload = {
            "name": source.name,
            "by": wish.by,
            "encoder": config.encoder,
            "dataset": dataset,
        }
        pending.ask(
            "Scoring the images",
            "looks",
            "score_set",
            payload,
            what=config.encoder,
            size=len(source),
        )
        return None
    if wish.by in found.undefined:
        st.error(plain(f"{SCORES[wish.by].title}: {found.undefined[wish.by]}."))
        return None
    return found.values[wish.by]


def _flags(
    source: Source, dataset: str, config: ExploreConfig, wish: Wish, pending: Waiting
) -> np.ndarray | None:
    """(n,) bool, images that go first."""
    gone = np.zeros(len(source), bool)
    if not wish.drop:
        return gone
    payload = {"name": source.name, "encoder": config.encoder, "dataset": dataset}
    errand = side("looks").ask("flags", payload, kind=config.encoder, size=len(source))
    if errand.state != "done":
        pending.errands.append(("Looking for copies", "looks", errand))
        return None
    found: Mapping[str, Any] = errand.result
    if "memorised" in wish.drop and found["undefined"]:
        st.error(plain(f"Memorised images cannot be told: {found['undefined']}."))
        return None
    for kind in wish.drop:
        gone[found[kind]] = True
    st.caption(", ".join(f"{len(found[kind]):,} {kind}" for kind in wish.drop) + " dropped first.")
    return gone


def _both(source: Source, rows: np.ndarray, score: np.ndarray, wish: Wish) -> None:
    """Kept and dropped beside each other, those nearest to the threshold first (of their class,
    where classes keep equal shares)."""
    kept = np.zeros(len(source), bool)
    kept[rows] = True
    sign = 1 if wish.order == "highest" else -1
    group = (
        np.zeros(len(source), int) if source.label is None or not wish.balanced else source.label
    )
    grids, labels = [], [f"place {place + 1}" for place in range(SHOWN)]
    for title, mask, towards in (("Kept", kept, sign), ("Dropped", ~kept, -sign)):
        where = np.flatnonzero(mask)
        order = where[_nearest_first(towards * score[where], group[where])][:SHOWN]
        mean = f", mean {score[where].mean():.3g}" if len(where) else ""
        image = (
            np.asarray(source.image[order])
            if len(order)
            else np.zeros((1, *source.image.shape[1:]), np.uint8)
        )
        image = image[..., :3] if image.shape[-1] >= 3 else image[..., :1]
        grids.append(
            Grid(
                f"{title}: {len(where):,} images{mean}",
                sprite(image, COLUMNS),
                NEUTRAL.color,
                "solid" if title == "Kept" else "dash",
            )
        )
    height = max(ceil(min(SHOWN, int(mask.sum())) / COLUMNS) for mask in (kept, ~kept))
    pairs(grids, labels[: height * COLUMNS], columns=COLUMNS, key="keep_grids", interactive=False)
    st.caption(
        "Those nearest to the threshold first"
        + (", class by class in turn." if wish.balanced else ".")
    )


def _nearest_first(distance: np.ndarray, group: np.ndarray) -> np.ndarray:
    """An order in which the least distant of every group come first, then the second of every
    group, and so on."""
    order = np.argsort(distance, kind="stable")
    turn = np.empty(len(order), np.int64)
    for value in np.unique(group):
        mine = order[group[order] == value]
        turn[mine] = np.arange(len(mine))
    return np.lexsort((group, turn))


def _figures(name: str, config: ExploreConfig, wish: Wish) -> None:
    """How the figures move, against a random part of the same size."""
    payload = {
        "name": name,
        "by": wish.by,
        "keep": wish.keep,
        "order": wish.order,
        "balanced": wish.balanced,
        "encoder": config.encoder,
        "dataset": config.dataset,
        "seed": wish.seed,
        "drop_duplicates": "duplicates" in wish.drop,
        "drop_memorised": "memorised" in wish.drop,
    }
    wanted = st.session_state.get("keep_measured") == payload
    if not wanted and not st.button("Measure how the figures move", key="keep_measure"):
        return
    st.session_state["keep_measured"] = payload
    errand = side("looks").ask("preview_figures", payload, kind=config.encoder)
    if errand.state != "done":
        waiting(
            [("Measuring the kept part, a random one and the whole", "looks", errand)],
            key="keep_figures",
        )
        return
    kept, control, parent = (Measured.from_json(one) for one in errand.result["sets"])
    st.caption(plain(errand.result["note"]))
    if errand.result["identical"]:
        panels([kept, parent])
        return
    told([Comparison(kept, control)])
    st.caption(
        "Another random part is what the whole set is at this size, so the figures of the whole are"
        " drawn below and not compared with: many figures move with the number of images alone."
    )
    panels([control, kept, parent])


def _save(source: Source, config: ExploreConfig, wish: Wish, *, everything: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", border=True, key="keep_part"):
        key = f"keep_name_{source.name}_{wish}"
        st.text_input(
            "Name of the new set", f"{source.title}-{wish.by}-{wish.keep}", max_chars=100, key=key
        )
        st.button(
            "Save the kept images",
            key="keep_save",
            on_click=_saved,
            args=(source.name, key, config, wish, everything),
        )
    if wrong := st.session_state.pop(_WRONG, ""):
        st.error(plain(wrong))
    if said := st.session_state.pop(_SAID, ""):
        st.success(plain(said))
        st.page_link("pages/gallery.py", label="See it in the gallery")


def _saved(name: str, key: str, config: ExploreConfig, wish: Wish, everything: bool) -> None:
    """Under the name that stands in the field at the click."""
    if st.session_state[f"keep_count_{name}"] != wish.keep:
        st.session_state[_WRONG] = (
            "Not saved: the number of images changed as you clicked. Look at the new choice, then"
            " save it."
        )
        return
    out = str(st.session_state[key]).strip()
    try:
        made = select(
            name,
            out,
            by=wish.by,
            keep=None if everything else wish.keep,
            order=wish.order,
            balanced=wish.balanced,
            encoder=config.encoder,
            dataset=config.dataset,
            seed=wish.seed,
            drop_duplicates="duplicates" in wish.drop,
            drop_memorised="memorised" in wish.drop,
        )
    except (CdpError, OSError) as error:
        st.session_state[_WRONG] = f"Not saved: {sentence(error)}."
    else:
        st.session_state[_SAID] = (
            f"Saved {len(made):,} images as {made.name}: {made.card['source']}."
        )
