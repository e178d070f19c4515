"""The last step of "Your data": the finished models on the other pages, opened so that they work
with this data set at once."""

from __future__ import annotations

import streamlit as st

from cdp.config.presets import train_preset
from cdp.data.facts import Facts
from cdp.models.encoders import JUDGE
from cdp.ui.data.made import Stock
from cdp.ui.kit.words import plain


def use(seen: Facts, stock: Stock) -> None:
    """Where to go on, and what will be missing there, with what that costs."""
    generate, explore, train = st.columns(3, gap="large")
    with generate:
        guide = f"guided by the {stock.guide} encoder" if stock.guide else "unguided"
        for made in stock.models:
            _page(
                "generate",
                f"Generate with {made.name}",
                ":material/auto_awesome:",
                generate_link(made.name, seen.name, stock.guide),
            )
        if stock.models:
            st.caption(plain(f"Opens with this model and its data, {guide}."))
    with explore:
        eyes = [made.name for made in stock.encoders]
        _page(
            "explore",
            "Explore the real images",
            ":material/scatter_plot:",
            explore_link(seen, eyes),
        )
        st.caption(
            "How far apart the classes are, before anything is generated. Saved sets join them"
            " there."
        )
    with train:
        _page(
            "train",
            "Train a robust classifier",
            ":material/model_training:",
            train_link(seen, stock.budget),
        )
        st.caption("On the real images, and on generated ones once a set is saved.")
    for text in lacking(stock):
        st.caption(plain(text))


def generate_link(model: str, dataset: str, encoder: str) -> dict[str, str]:
    """Query parameters of the Generate page; without an encoder it generates unguided."""
    return {"model": model, "dataset": dataset} | (
        {"encoder": encoder} if encoder else {"loss": "none"}
    )


def explore_link(seen: Facts, encoders: list[str]) -> dict[str, str]:
    """Query parameters of the Explore page: the real images in the judge's eyes, else in the first
    encoder's, else as pixels."""
    eyes = JUDGE if JUDGE in encoders else next(iter(encoders), "pixels")
    return {"sets": f"{seen.name}:{'test' if seen.tests else 'train'}", "encoder": eyes}


def train_link(seen: Facts, budget: float | None) -> dict[str, str]:
    """Query parameters of the Train page: the budget that was chosen for the robust encoder where
    the data have no convention, and all real images where there are fewer than its first preset
    takes."""
    link = {"dataset": seen.name}
    if seen.epsilon is None and budget:
        link["epsilon"] = f"{budget:g}"
    if seen.images * 4 // 5 < (train_preset("quick").real or 0):
        link["real"] = ""
    return link


def lacking(stock: Stock) -> list[str]:
    """What the other pages will have to do without."""
    found = []
    if not any(made.name == JUDGE for made in stock.encoders):
        found.append(
            "Without a judge, Generate gives no figures of its images and Explore looks with"
            " encoders that may have guided."
        )
    if not stock.guide:
        found.append("Without an encoder, images can be generated unguided only.")
    if not stock.models:
        found.append(
            "Without a diffusion model there is nothing to generate with; robust training on real"
            " images works."
        )
    return found


def _page(name: str, label: str, icon: str, params: dict[str, str]) -> None:
    st.page_link(f"pages/{name}.py", label=label, icon=icon, query_params=params)
