"""The page "Your data": five steps from images to models of one's own, each open once the one
before is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from cdp import paths
from cdp.config.presets import train_preset
from cdp.data.facts import Facts, concerns, facts
from cdp.data.importing import hold_out_tests
from cdp.data.sets import is_saved
from cdp.errors import CdpError
from cdp.models.encoders import JUDGE
from cdp.ui.components.chart import load_plotly
from cdp.ui.data.form import Wizard, form, overview, start, wizard, write_url
from cdp.ui.data.importing import import_form, say_imported
from cdp.ui.data.plan import Stock, stock
from cdp.ui.data.progress import progress
from cdp.ui.data.sets import Choice, choices, facts_column, pictures_column
from cdp.ui.kit.attempts import attempt, tell
from cdp.ui.kit.frame import link, warned
from cdp.ui.kit.widgets import pick
from cdp.ui.kit.words import plain
from cdp.work.failures import sentence

_WIDTHS = [4, 11]
_HELD = "data_held_out"
_STEPS = (
    ("Data set", ""),
    ("Look", "a data set is chosen"),
    ("Models", "a data set is chosen"),
    ("Progress", "a training was started"),
    ("Use them", "a model or encoder is finished"),
)
"""Title, and when it opens."""
LACKING = {
    "judge": (
        "Without a judge, Generate gives no figures of its images, and Explore uses encoders that"
        " may have guided."
    ),
    "guide": "Without an encoder, images can be generated unguided only.",
    "model": "Without a diffusion model, robust training on real images is all that works.",
}


def show() -> None:
    """Draw every step that is open, and name those that are not."""
    st.title("Your data", anchor=False)
    with st.container(width=680):
        st.caption(
            "Train encoders and a diffusion model on your own images, and use them on every page"
            " like the shipped ones."
        )
    known = choices()
    place = wizard([choice.name for choice in known])
    warned([place.note] if place.note else [])
    seen = _first(place, known)
    write_url(place)
    if seen is None:
        _closed(2)
        return
    notes = concerns(seen)
    left, right = _step(2)
    with left:
        facts_column(seen)
    with right:
        pictures_column(seen, notes, _stamp(seen.name))
        _tests(place, seen)
    blocked = any(concern.blocking for concern in notes)
    _rest(place, seen, stock(seen.name), blocked=blocked)


def _first(place: Wizard, known: Sequence[Choice]) -> Facts | None:
    """Choose or import; None until a data set that can be opened is chosen."""
    left, right = _step(1)
    with left:
        _choose(place, known)
        say_imported()
    seen = None
    if place.dataset:
        try:
            seen = facts(place.dataset)
        except (CdpError, OSError) as error:
            with right:
                st.error(plain(f"{place.dataset} cannot be used: {sentence(error)}."))
    with right:
        if place.dataset:
            with st.expander("Import another data set"):
                import_form(place.choose)
        else:
            st.markdown("**Import your images, or choose a data set on the left**")
            import_form(place.choose)
    return seen


def _tests(place: Wizard, seen: Facts) -> None:
    """Test images for a set that has none."""
    tell(_HELD)
    if seen.tests or seen.misfit or not is_saved(seen.name):
        return

    def hold_out() -> str:
        brought = hold_out_tests(seen.name)
        place.choose(brought.train.name)
        tests = len(brought.test or ())
        return f"{brought.train.name} has {len(brought.train):,} images and {tests:,} to test on."

    st.button(
        "Hold out 20 % as test images",
        key="data_hold_out",
        on_click=attempt,
        args=(_HELD, hold_out, "Not held out"),
        help="Of every class its share, by chance; two new sets, and this one stays as it is.",
    )


def _choose(place: Wizard, known: Sequence[Choice]) -> None:
    titles = {choice.name: _titled(choice) for choice in known}
    about = "Imported, generated and built-in sets that are on this machine."
    more: dict[str, Any] = {"placeholder": "choose one", "help": about}
    key = f"data_choice_{place.turn}"
    pick("Data set", titles, place.dataset, lambda name: place.choose(name or ""), key=key, **more)


def _titled(choice: Choice) -> str:
    return f"{choice.title} ({choice.origin}{f', {choice.count:,}' if choice.count else ''})"


def _rest(place: Wizard, seen: Facts, stock_here: Stock, *, blocked: bool) -> None:
    left, right = _step(3)
    with left:
        form(place, seen, stock_here, blocked=blocked)
        start(place, seen, stock_here, blocked=blocked and not place.encoder.flat["anyway"])
    with right:
        overview(place, seen, stock_here)
    if stock_here.runs:
        _heading(4)
        progress(seen, stock_here.runs)
        load_plotly()
    else:
        _closed(4, 4)
    if stock_here.roles:
        _heading(5)
        use(seen, stock_here)
    else:
        _closed(5)


def _step(number: int) -> list[st.delta_generator.DeltaGenerator]:
    """Heading and the two columns of a step."""
    _heading(number)
    return st.columns(_WIDTHS, gap="large")


def _heading(number: int) -> None:
    st.divider()
    st.subheader(f"{number}. {_STEPS[number - 1][0]}", anchor=False)


def _closed(first: int, last: int = len(_STEPS)) -> None:
    """The steps that open later, and when."""
    st.divider()
    for number, (title, when) in enumerate(_STEPS, 1):
        if first <= number <= last:
            st.markdown(f":gray[{number}. {title}: opens once {when}]")


def _stamp(name: str) -> str:
    """Changes when a saved set is replaced by another of the same name."""
    card = paths.sets_dir() / name / "card.json"
    return str(card.stat().st_mtime_ns) if card.is_file() else ""


def use(seen: Facts, stock: Stock) -> None:
    """Where to go on, and what will be missing there, with what that costs."""
    places = st.columns(3, gap="large")
    explore, train = places[:2] if not stock.models else places[1:]
    with places[0]:
        for model in stock.models:
            params = generate_link(model.name, seen.name, stock.guide)
            link("generate", f"Generate with {model.name}", "auto_awesome", **params)
        if stock.models and stock.guide:
            st.caption(plain(f"Guided by the {stock.guide} encoder."))
    with explore:
        params = explore_link(seen, [encoder.name for encoder in stock.encoders])
        link("explore", "Explore the real images", "scatter_plot", **params)
        st.caption("How far apart the classes are; saved sets join them there.")
    with train:
        params = train_link(seen, stock.budget)
        link("train", "Train a robust classifier", "model_training", **params)
        st.caption("On the real images, and on saved generated sets.")
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
    """Query parameters of the Train page: the budget chosen for the robust encoder where the data
    have no convention, and all real images where they are fewer than its first preset takes."""
    params = {"dataset": seen.name}
    if seen.epsilon is None and budget:
        params["epsilon"] = f"{budget:g}"
    if seen.images * 4 // 5 < (train_preset("quick").real or 0):
        params["real"] = ""
    return params


def lacking(stock: Stock) -> list[str]:
    """What the other pages will have to do without."""
    parts = {
        "judge": any(encoder.name == JUDGE for encoder in stock.encoders),
        "guide": bool(stock.guide),
        "model": bool(stock.models),
    }
    return [LACKING[part] for part, there in parts.items() if not there]
