"""The third step of "Your data": what is trained already, what to train now, at which size, and the
button that starts it; and where a person is on the page, which its address says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import streamlit as st

from cdp.config.fields import quoted
from cdp.config.knobs import Frozen
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.facts import Facts
from cdp.errors import CdpError, InputError
from cdp.models.pipelines import list_models
from cdp.results.cost import measured_cost
from cdp.ui.data.plan import (
    DIFFUSION,
    ENCODER,
    MODEL,
    OPTIONAL,
    QUICK,
    ROLES,
    SIZES,
    Made,
    Order,
    Stock,
    encoder_defaults,
    model_defaults,
    model_name,
    orders,
    pace,
    seconds,
)
from cdp.ui.kit.address import Address, read_params
from cdp.ui.kit.attempts import refuse, tell
from cdp.ui.kit.form import Form
from cdp.ui.kit.runlist import start_button
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.widgets import bound, pick
from cdp.ui.kit.words import plain
from cdp.values.text import counted, range_text
from cdp.work.failures import sentence
from cdp.work.launch import launch
from cdp.work.records import list_runs
from cdp.work.registry import TASKS

ENCODER_FIELDS = (
    "epochs batch learning_rate seed attack_steps widths blocks shift weight_decay label_smoothing"
    " held_out"
)
MODEL_FIELDS = (
    "steps batch learning_rate seed patch widths layers class_dropout ema_decay save_every real"
    " subset_seed held_out"
)
ENCODERS: Form[Settings[EncoderConfig]] = Form(
    config=EncoderConfig, prefix="data_encoder", state=Settings
)
MODELS: Form[Settings[PretrainConfig]] = Form(
    config=PretrainConfig, prefix="data_model", state=Settings
)
SIZE_HELP = (
    "Quick try: minutes on two cores, rough images, enough to see whether it works. Full size: like"
    " the shipped Fashion-MNIST models; hours on two cores, minutes on a GPU."
)
MIRROR_HELP = (
    "Mirrors half of the images that encoders see: better where a mirrored image still shows its"
    " class, so not for digits, letters and signs."
)
_REFUSED = "data_refused"
DATASET = "dataset"
"""The query parameter."""
_KEY = "data_wizard"


@dataclass
class Wizard:
    """dataset: "" until one is chosen; roles: what to train, None for whatever is missing; planned:
    for which data set and size the settings stand; note: what the address got wrong."""

    dataset: str = ""
    size: str = QUICK
    roles: frozenset[str] | None = None
    note: str = ""
    turn: int = 0
    planned: tuple[str, str] = ("", "")
    address: Address = field(default_factory=Address)
    encoder: Settings[EncoderConfig] = field(
        default_factory=lambda: Settings(ENCODERS, ENCODERS.plain())
    )
    model: Settings[PretrainConfig] = field(
        default_factory=lambda: Settings(MODELS, MODELS.plain())
    )

    def choose(self, name: str) -> None:
        """Another data set; what was ticked for the last one does not count."""
        self.dataset, self.roles, self.note = name, None, ""
        self.turn += 1

    def plan(self, seen: Facts) -> None:
        """Bring the settings in line with data set and size, where either changed."""
        if self.planned == (seen.name, self.size):
            return
        budget, mirrored = self.encoder.flat["epsilon"], self.encoder.flat["flip"]
        self.encoder.replace(ENCODERS.plain() | encoder_defaults(seen, self.size))
        if self.planned[0] == seen.name:
            # What was answered about the data holds for every size.
            self.encoder.replace(self.encoder.flat | {"epsilon": budget, "flip": mirrored})
        self.model.replace(MODELS.plain() | model_defaults(seen, self.size))
        self.planned = (seen.name, self.size)


def wizard(names: Collection[str]) -> Wizard:
    """This session's place; where the address names another data set, that one. names: the data
    sets that can be chosen."""
    place: Wizard = st.session_state.setdefault(_KEY, Wizard())
    params = read_params()
    if place.address.is_link(params):
        place.address.take(params)
        wanted = params.get(DATASET, "")
        if wanted in names:
            place.choose(wanted)
        elif wanted:
            place.note = (
                f"There is no data set {quoted(wanted)} here: choose one of the list, or import it."
            )
    if place.dataset not in names:
        place.dataset = ""
    return place


def write_url(place: Wizard) -> None:
    """Bring the address in line with the choice."""
    place.address.write({DATASET: place.dataset} if place.dataset else {})


def overview(place: Wizard, seen: Facts, stock: Stock) -> None:
    """What is here, what will be trained and what for, with rough times."""
    planned = {
        order.name if order.kind == ENCODER else MODEL: order
        for order in _orders(place, seen, stock)[0]
    }
    measured = pace(stock.runs, seen) or 1.0
    rows = [("Model", "State", "For"), ("---", "---", "---")]

    def here(entry: Made) -> str:
        return f"here: **{plain(entry.name)}**{plain(f', {entry.detail}' if entry.detail else '')}"

    for role in ROLES:
        states = [here(m) for m in (*stock.encoders, *stock.models) if m.role == role.key]
        order = planned.get(role.key)
        if role.key in stock.pending:
            states.append(stock.note(role.key))
        elif order is not None:
            time = measured_cost(measured * seconds(order.config, seen), "")
            states.append(f"{plan_in_words(order.config)}, {range_text(*time.seconds)}")
        rows.append((role.title, "; ".join(states) or "not here", f":gray[{role.use}]"))
    rows += [("Encoder", here(m), ":gray[Guides.]") for m in stock.encoders if not m.role]
    small = (f"| {' | '.join(map(_small, row))} |" for row in rows)
    st.markdown("\n".join(small))


def _small(text: str) -> str:
    return text if text == "---" else f":small[{text}]"


def plan_in_words(config: Frozen) -> str:
    """How long something is trained, in its own unit."""
    if isinstance(config, PretrainConfig):
        return f"{config.steps:,} steps"
    assert isinstance(config, EncoderConfig)
    return counted(config.epochs, "epoch")


def form(place: Wizard, seen: Facts, stock: Stock, *, blocked: bool) -> None:
    """Size, what to train, the questions about the data, and the folds. blocked: something says
    that nothing good can come of it."""
    place.plan(seen)
    size = partial(setattr, place, "size")
    more: dict[str, Any] = {"row": True, "width": "stretch", "help": SIZE_HELP}
    pick("Size", SIZES, place.size, size, key=f"data_size_{place.turn}", **more)
    _ticks(place, stock)
    wanted = _wanted(place, stock)
    if "robust" in wanted and seen.epsilon is None:
        _budget(place.encoder)
    if wanted - {MODEL}:
        _toggle(place.encoder, "flip", "Mirror images in training", MIRROR_HELP)
        with st.expander("Settings of the encoders"):
            st.caption(
                "The judge is half as wide again, with another seed and weight decay, so that it"
                " shares no mistakes with those that guide."
            )
            ENCODERS.draw_some(place.encoder, ENCODER_FIELDS.split())
    if MODEL in wanted:
        with st.expander("Settings of the diffusion model"):
            MODELS.draw_some(place.model, MODEL_FIELDS.split())
    if blocked:
        _toggle(place.encoder, "anyway")
        place.model.flat["anyway"] = place.encoder.flat["anyway"]


def _toggle(settings: Settings[EncoderConfig], name: str, label: str = "", help: str = "") -> None:
    field = ENCODERS.fields[name]
    more = bound(field, settings)
    st.toggle(label or field.heading, settings.flat[name], help=help or field.tooltip, **more)


def start(place: Wizard, seen: Facts, stock: Stock, *, blocked: bool) -> None:
    """The one primary button, with what it will take beside it."""
    planned, wrong = _orders(place, seen, stock)
    cost = None
    if planned and not blocked:
        cost = partial(st.caption, plain(cost_line(planned, seen, stock)))
    start_button("Start training", "data_start", _launch, place, seen, stock, cost=cost)
    tell(_REFUSED)
    if wrong:
        st.error(plain(f"These settings cannot be used: {wrong}."))
    elif blocked:
        st.caption("First put right what is marked red above.")
    elif not planned:
        st.caption("Nothing is left to train." if not stock.missing else "Tick what to train.")


def cost_line(planned: Sequence[Order], seen: Facts, stock: Stock) -> str:
    """How many trainings, and how long they take one after another."""
    measured = pace(stock.runs, seen)
    took = sum(seconds(order.config, seen) for order in planned) * (measured or 1.0)
    how = "from the last training here" if measured else "as measured on two cores, less on a GPU"
    return f"{counted(len(planned), 'training')}, {measured_cost(took, how).text}"


def _orders(place: Wizard, seen: Facts, stock: Stock) -> tuple[list[Order], str]:
    """What the button would start, and why nothing where a setting cannot be used."""
    wanted, name = _wanted(place, stock), model_name(seen.name, _taken())
    try:
        return orders(wanted, place.encoder.flat, place.model.flat, name), ""
    except InputError as error:
        return [], str(error)


def _ticks(place: Wizard, stock: Stock) -> None:
    st.markdown("Train now")
    wanted = _wanted(place, stock)
    for role in ROLES:
        here, pending = role.key in stock.roles, role.key in stock.pending
        key = f"data_role_{role.key}_{place.turn}_{here}_{pending}"
        note = f" ({text})" if (text := stock.note(role.key)) else ""

        def ticked(role_key: str = role.key, widget: str = key) -> None:
            ticks = {role_key} if st.session_state[widget] else set()
            place.roles = (_wanted(place, stock) - {role_key}) | ticks

        st.checkbox(
            role.title + note,
            role.key in wanted,
            key=key,
            disabled=pending or (here and role.key != MODEL),
            help=role.use,
            on_change=ticked,
        )


def _wanted(place: Wizard, stock: Stock) -> frozenset[str]:
    """What is ticked and can be trained: encoders have one name each, a model can be trained again
    under another."""
    chosen = stock.missing - frozenset(OPTIONAL) if place.roles is None else place.roles
    return chosen & (stock.missing | (frozenset({MODEL}) - stock.pending))


def _budget(place: Settings[EncoderConfig]) -> None:
    st.number_input(
        "Attack budget (of the pixel range)",
        0.0,
        1.0,
        place.flat["epsilon"],
        step=None,
        format="%g",
        **bound(ENCODERS.fields["epsilon"], place),
        help="How far an attack may move each pixel (l_inf) in training the robust encoder.",
    )
    st.caption(
        "This data set has no conventional budget: take the largest change that leaves every class"
        " plain to your eye. 8/255 = 0.031 is usual for colour photographs, 0.1 for small grey"
        " images; if it is too large, a small network stays at chance."
    )


def _taken() -> set[str]:
    """Names that no new model can have."""
    return {entry.name for entry in list_models()} | {
        run.name for run in list_runs() if run.kind == DIFFUSION
    }


def _launch(place: Wizard, seen: Facts, stock: Stock) -> None:
    """All that is asked for at the click; they wait for each other by themselves. Stops at the
    first that is refused, and says which were started. What was not ticked stays so."""
    planned, _ = _orders(place, seen, stock)
    started: set[str] = set()
    for order in planned:
        try:
            launch(TASKS[order.kind], order.config, order.name)
        except (CdpError, OSError) as error:
            before = f"{len(started)} of {len(planned)} were started; " if started else ""
            refuse(_REFUSED, f"{before}{order.name} was not started: {sentence(error)}.")
            break
        started.add(order.name if order.kind == ENCODER else MODEL)
    place.roles = _wanted(place, stock) - started
