"""Keeping a part of a set: by a score, beside what is dropped; or points of the map."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any, cast, get_args

import numpy as np
import streamlit as st

from cdp.config.choices import Order
from cdp.config.explore import ExploreConfig
from cdp.data.npz import npz_bytes
from cdp.data.sets import is_saved
from cdp.tasks.measured import Measured, SetComparison
from cdp.tasks.scoring import SCORES, criteria
from cdp.tasks.selecting import Wish, chosen_rows, select
from cdp.tasks.sources import Source, dataset_of, open_source
from cdp.tasks.subsets import save_subset
from cdp.ui.components.pairs import Grid, pairs
from cdp.ui.explore.data import image_scores
from cdp.ui.explore.numbers import differences, panels
from cdp.ui.gallery.parts import rows_by_turn
from cdp.ui.kit.ask import Waiting
from cdp.ui.kit.attempts import attempt, refuse, tell
from cdp.ui.kit.images import showable, sprite
from cdp.ui.kit.tables import download
from cdp.ui.kit.words import plain, split_tags
from cdp.values.text import counted
from cdp.values.types import Embedding

SHOWN, COLUMNS = 48, 8
"""Images of each side that are shown, and in a row."""
DOWNLOAD = 20_000
"""Images up to which an .npz goes through the browser."""
_KEPT, _TAKEN, _TAGS = "keep_saved", "explore_saved", "take_tags"
FLAGS = {
    "duplicates": "Images that occur a second time in the set.",
    "memorised": (
        "Images closer to a real training image than all but one in a thousand held-out real"
        " images."
    ),
}
"""Kinds of images that may be dropped before any other."""


def show(config: ExploreConfig) -> None:
    """Controls, kept beside dropped, figures on demand, and saving."""
    saved = [name for name in config.sets if is_saved(name)]
    if not saved:
        st.info(
            "Real splits are kept whole: choose a generated or imported set on the left to keep a"
            " part of it."
        )
        return
    name = saved[0]
    if len(saved) > 1:
        name = st.selectbox("Set", saved, key="keep_set", width=360)
    source = open_source(name)
    dataset = dataset_of([source], config.dataset, encoder=config.encoder)
    wish = _controls(source, config)
    wanted = zip(FLAGS, (wish["drop_duplicates"], wish["drop_memorised"]), strict=True)
    drop = [kind for kind, goes in wanted if goes]
    pending = Waiting()
    score = _score(source, dataset, wish, pending)
    flags = _flags(source, dataset, config, drop, pending)
    pending.show("keep")
    if score is None or flags is None:
        return
    left, keep = np.flatnonzero(~flags), wish["keep"] or 0
    # All that is left is no choice, and classes need no equal shares of it.
    everything = bool(drop) and keep >= len(left)
    rows = left
    if not everything:
        label = None if source.label is None else source.label[left]
        order, balanced = wish["order"], wish["balanced"]
        rows = left[chosen_rows(score[left], label, keep, order=order, balanced=balanced)]
    _both(source, rows, score, wish)
    if len(rows) == len(left):
        st.caption("All that is left is kept, so there is no random part to compare with.")
    else:
        _figures(name, config, wish)
    _save(source, wish, everything=everything)


def _controls(source: Source, config: ExploreConfig) -> Wish:
    """What is to be kept, as ``select`` takes it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        by = st.selectbox(
            "Keep by",
            criteria(),
            format_func=lambda key: SCORES[key].title if key in SCORES else "At random (control)",
            key="keep_by",
            help="\n\n".join(
                f"**{info.title}.** {info.help}" for info in SCORES.values() if info.criterion
            ),
            width=260,
        )
        most, key = len(source), f"keep_count_{source.name}"
        keep = st.number_input("Images to keep", 1, most, max(1, most // 2), key=key, width=170)
        order = st.segmented_control(
            "Which end",
            get_args(Order),
            default="highest",
            required=True,
            key="keep_order",
            help="Mixed: half from the lowest, half evenly over the others.",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        classes = source.label is not None
        balanced = st.toggle(
            "Equal shares of every class",
            classes,
            key="keep_balanced" if classes else "keep_unlabelled",
            disabled=not classes,
        )
        drop = {
            kind: st.toggle(f"Drop {kind}", key=f"keep_{kind}", help=about)
            for kind, about in FLAGS.items()
        }
        seed = 0
        if by == "random":
            seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="keep_seed", width=140)
    return {
        "by": by,
        "keep": int(keep),
        "order": cast(Order, order),
        "balanced": balanced,
        "encoder": config.encoder,
        "dataset": config.dataset,
        "seed": int(seed),
        "drop_duplicates": drop["duplicates"],
        "drop_memorised": drop["memorised"],
    }


def _score(source: Source, dataset: str, wish: Wish, pending: Waiting) -> np.ndarray | None:
    """One score an image, from the cache; asked for where it is not there."""
    by, encoder = wish["by"], wish["encoder"]
    if by == "random":
        return np.random.default_rng(wish["seed"]).random(len(source))
    return image_scores(source, by, encoder, dataset, pending)


def _flags(
    source: Source, dataset: str, config: ExploreConfig, drop: list[str], pending: Waiting
) -> np.ndarray | None:
    """(n,) bool, images that go first."""
    gone = np.zeros(len(source), bool)
    if not drop:
        return gone
    payload = {"name": source.name, "encoder": config.encoder, "dataset": dataset}
    copies: Mapping[str, Any] | None = pending.result(
        "Looking for copies", "flags", payload, what=config.encoder, size=len(source)
    )
    if copies is None:
        return None
    if "memorised" in drop and copies["undefined"]:
        st.error(plain(f"Memorised images cannot be identified: {copies['undefined']}."))
        return None
    for kind in drop:
        gone[copies[kind]] = True
    st.caption(", ".join(f"{len(copies[kind]):,} {kind}" for kind in drop) + " dropped first.")
    return gone


def _both(source: Source, rows: np.ndarray, score: np.ndarray, wish: Wish) -> None:
    """Kept and dropped, those nearest to the threshold (of their class) first."""
    selected = np.isin(np.arange(len(source)), rows)
    sign = 1 if wish["order"] == "highest" else -1
    by_class = wish["balanced"] and source.label is not None
    group = np.asarray(source.label) if by_class else np.zeros(len(source), int)
    grids = []
    for title, where, towards, dash in (
        ("Kept", np.flatnonzero(selected), sign, "solid"),
        ("Dropped", np.flatnonzero(~selected), -sign, "dash"),
    ):
        nearest = where[np.argsort(towards * score[where], kind="stable")]
        order = nearest[rows_by_turn(group[nearest], SHOWN)]
        mean = f", mean {score[where].mean():.3g}" if len(where) else ""
        blank = np.zeros((1, *source.image.shape[1:]), np.uint8)
        image = showable(np.asarray(source.image[order]) if len(order) else blank)
        text = f"{title}: {counted(len(where), 'image')}{mean}"
        grids.append(Grid(text, sprite(image, COLUMNS), dash=dash))
    most = min(SHOWN, max(len(rows), len(source) - len(rows)))
    labels = [f"place {place + 1}" for place in range(ceil(most / COLUMNS) * COLUMNS)]
    pairs(grids, labels, columns=COLUMNS, key="keep_grids", interactive=False)
    turns = ", classes in turn" if wish["balanced"] else ""
    st.caption(f"Those nearest to the threshold first{turns}.")


def _figures(name: str, config: ExploreConfig, wish: Wish) -> None:
    """How the figures move, against a random part of the same size."""
    payload = {"name": name, **wish}
    wanted = st.session_state.get("keep_measured") == payload
    if not wanted and not st.button("Measure how the figures move", key="keep_measure"):
        return
    st.session_state["keep_measured"] = payload
    pending = Waiting()
    title = "Measuring the kept part, a random one and the whole"
    figures = pending.result(title, "preview_figures", payload, what=config.encoder)
    pending.show("keep_figures")
    if figures is None:
        return
    kept, control, parent = (Measured.from_json(item) for item in figures["sets"])
    st.caption(plain(figures["note"]))
    if figures["identical"]:
        panels([kept, parent])
        return
    differences([SetComparison(kept, control)])
    st.caption(
        "The random part shows what the whole set is at this size. The whole is drawn below but not"
        " compared: many figures move with the number of images alone."
    )
    panels([control, kept, parent])


def _save(source: Source, wish: Wish, *, everything: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", border=True, key="keep_part"):
        key = f"keep_name_{source.name}_{wish}"
        name = f"{source.title}-{wish['by']}-{wish['keep']}"
        st.text_input("Name of the new set", name, max_chars=100, key=key, width=320)

        def save() -> str:
            """Under the name that stands in the field at the click."""
            wanted = cast(Wish, {**wish, "keep": None} if everything else wish)
            new = select(source.name, str(st.session_state[key]).strip(), **wanted)
            return f"Saved {counted(len(new), 'image')} as {new.name}: {new.card['source']}."

        def clicked() -> None:
            if st.session_state[f"keep_count_{source.name}"] == wish["keep"]:
                attempt(_KEPT, save)
            else:
                refuse(
                    _KEPT,
                    "Not saved: the number of images changed as you clicked. Look at the new"
                    " choice, then save it.",
                )

        st.button("Save the kept images", key="keep_save", on_click=clicked)
    tell(_KEPT, gallery=True)


def take(points: Embedding, drawn: ExploreConfig, chosen: np.ndarray) -> None:
    """Keep points of the map as a new set, or as an .npz. A set has one parent: one is chosen."""
    present = [int(number) for number in np.unique(points.which[chosen])]
    with st.container(border=True, key="take", gap="xsmall"):
        number = present[0]
        if len(present) > 1:
            title = points.names.__getitem__
            label = "Keep the images of"
            number = int(st.selectbox(label, present, format_func=title, key="take_set"))
        rows = np.sort(points.row[chosen[points.which[chosen] == number]])
        name = points.names[number]
        stem = f"{name.rstrip('/').rpartition('/')[2].replace(':', '-')}-{len(rows)}"
        left, right = st.columns(2)
        key = f"take_name_{name}_{len(rows)}"
        left.text_input("Name of the new set", stem, max_chars=100, key=key)
        right.text_input("Tags", placeholder="separated by commas", max_chars=400, key=_TAGS)

        def save() -> str:
            """Under the name, and with the tags, that stand in the fields at the click."""
            out = str(st.session_state[key]).strip()
            tags = split_tags(str(st.session_state[_TAGS]))
            how = {"chosen": "on the map", "map": drawn.model_dump(mode="json")}
            new = save_subset(name, rows, out, how=how, tags=tags)
            return f"Saved {counted(len(new), 'image')} as {new.name}."

        def npz() -> bytes:
            source = open_source(name)
            label = None if source.label is None else source.label[rows]
            return npz_bytes(np.asarray(source.image[rows]), label)

        with st.container(horizontal=True):
            text = f"Save {counted(len(rows), 'image')}"
            st.button(text, key="take_save", on_click=attempt, args=(_TAKEN, save))
            if len(rows) <= DOWNLOAD:
                download("Download .npz", npz, f"{stem}.npz", key="take_npz")
        tell(_TAKEN, gallery=True)
