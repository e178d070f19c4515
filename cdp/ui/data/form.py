"""The third step of "Your data": what is trained already, what to train now, at which size, and the
button that starts it; and where a person is on the page, which its address says."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import streamlit as st

from cdp.config.fields import quoted
from cdp.config.knobs import Frozen
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.facts import Facts
from cdp.errors import CdpError, InputError
from cdp.models.pipelines import list_models
from cdp.ui.data.plan import (
    DIFFUSION,
    ENCODER,
    FULL,
    MODEL,
    OPTIONAL,
    QUICK,
    ROLES,
    SIZES,
    Order,
    Stock,
    encoder_defaults,
    model_defaults,
    model_name,
    orders,
    pace,
    seconds,
)
from cdp.ui.kit.address import RESERVED
from cdp.ui.kit.form import Form
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.widgets import bound
from cdp.ui.kit.words import plain
from cdp.values.text import counted, rough_duration
from cdp.work.failures import sentence
from cdp.work.launch import launch
from cdp.work.records import list_runs
from cdp.work.registry import TASKS

ENCODER_FIELDS = (
    *("epochs", "batch", "learning_rate", "seed", "attack_steps", "widths", "blocks"),
    *("shift", "weight_decay", "label_smoothing", "held_out"),
)
MODEL_FIELDS = (
    *("steps", "batch", "learning_rate", "seed", "patch", "widths", "layers"),
    *("class_dropout", "ema_decay", "save_every"),
)
ENCODERS: Form[Settings[EncoderConfig]] = Form(
    config=EncoderConfig, prefix="data_encoder", state=Settings
)
MODELS: Form[Settings[PretrainConfig]] = Form(
    config=PretrainConfig, prefix="data_model", state=Settings
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
    wanted = st.query_params.get(DATASET, "")
    if wanted and wanted != place.dataset:
        if wanted in names:
            place.choose(wanted)
        else:
            place.note = (
                f"There is no data set {quoted(wanted)} here: choose one of the list, or import it."
            )
    if place.dataset not in names:
        place.dataset = ""
    return place


def write_url(place: Wizard) -> None:
    """Bring the address in line with the choice."""
    current = st.query_params.to_dict()
    reserved = {name: value for name, value in current.items() if name in RESERVED}
    wanted = reserved | ({DATASET: place.dataset} if place.dataset else {})
    if current != wanted:
        st.query_params.from_dict(wanted)


def overview(place: Wizard, seen: Facts, stock: Stock) -> None:
    """What is here, what will be trained and what for, with rough times."""
    planned = {
        order.name if order.kind == ENCODER else MODEL: order
        for order in _orders(place, seen, stock)[0]
    }
    measured = pace(stock.runs, seen) or 1.0
    rows = []
    for role in ROLES:
        order, planned_runs = (
            planned.get(role.key),
            [m for m in (*stock.encoders, *stock.models) if m.role == role.key],
        )
        states = [
            f"here: **{plain(m.name)}**{plain(f', {m.detail}' if m.detail else '')}"
            for m in planned_runs
        ]
        if role.key in stock.pending:
            states.append("in training")
        elif order is not None:
            states.append(
                f"{plan_in_words(order.config)},"
                f" {rough_duration(measured * seconds(order.config, seen))}"
            )
        rows.append((role.title, "; ".join(states) or "not here", role.use))
    rows += [
        (
            "Encoder",
            f"here: **{plain(m.name)}**{plain(f', {m.detail}' if m.detail else '')}",
            "Guides.",
        )
        for m in stock.encoders
        if not m.role
    ]
    lines = [
        f"| :small[{title}] | :small[{states}] | :small[:gray[{use}]] |"
        for title, states, use in rows
    ]
    st.markdown(
        "\n".join(
            ["| :small[Model] | :small[State] | :small[For] |", "| --- | --- | --- |", *lines]
        )
    )


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
    key = f"data_size_{place.turn}"

    def sized() -> None:
        place.size = st.session_state[key]

    st.segmented_control(
        "Size",
        [QUICK, FULL],
        default=place.size,
        required=True,
        key=key,
        on_change=sized,
        format_func=SIZES.__getitem__,
        width="stretch",
        help=(
            "Quick try: minutes on two cores, rough images, good enough to see whether it works."
            " Full size: as the shipped Fashion-MNIST models, scaled to this data; hours on two"
            " cores, minutes on a GPU."
        ),
    )
    _ticks(place, stock)
    wanted = _wanted(place, stock)
    known = ENCODERS.fields
    if "robust" in wanted and seen.epsilon is None:
        _budget(place.encoder)
    if wanted & {role.key for role in ROLES if role.key != MODEL}:
        st.toggle(
            "Mirror images in training",
            place.encoder.flat["flip"],
            help=(
                "Half of the images that encoders see are mirrored, which makes them better where a"
                " mirrored image still shows its class. Leave it off for digits, letters and signs."
            ),
            **bound(known["flip"], place.encoder),
        )
        with st.expander("Settings of the encoders"):
            st.caption(
                "The judge is half as wide again, of another seed and weight decay, so that it"
                " shares no mistakes with those that guide."
            )
            ENCODERS.draw_some(place.encoder, ENCODER_FIELDS)
    if MODEL in wanted:
        with st.expander("Settings of the diffusion model"):
            MODELS.draw_some(place.model, MODEL_FIELDS)
    if blocked:
        st.toggle(
            known["anyway"].heading,
            place.encoder.flat["anyway"],
            help=known["anyway"].tooltip,
            **bound(known["anyway"], place.encoder),
        )
        place.model.flat["anyway"] = place.encoder.flat["anyway"]


def start(place: Wizard, seen: Facts, stock: Stock, *, blocked: bool) -> None:
    """The one primary button, with what it will take beside it."""
    planned_runs, wrong = _orders(place, seen, stock)
    with st.container(key="action", horizontal=True, vertical_alignment="center"):
        st.button(
            "Start training",
            type="primary",
            key="data_start",
            disabled=blocked or not planned_runs,
            on_click=_launch,
            args=(place, seen, stock),
        )
        if planned_runs and not blocked:
            st.caption(plain(cost_line(planned_runs, seen, stock)))
    if refused := st.session_state.pop(_REFUSED, ""):
        st.error(plain(refused))
    if wrong:
        st.error(plain(f"These settings cannot be used: {wrong}."))
    elif blocked:
        st.caption("Put right what is marked red above first.")
    elif not planned_runs and stock.pending:
        st.caption("All that is ticked is in training.")
    elif not planned_runs:
        st.caption("Tick what to train.")


def cost_line(planned_runs: Sequence[Order], seen: Facts, stock: Stock) -> str:
    """How many trainings, and about how long they take one after the other."""
    measured = pace(stock.runs, seen)
    took = sum(seconds(order.config, seen) for order in planned_runs) * (measured or 1.0)
    how = "as fast as the last one here" if measured else "on two cores, less on a GPU"
    return f"{counted(len(planned_runs), 'training')}, {rough_duration(took)} {how}"


def _orders(place: Wizard, seen: Facts, stock: Stock) -> tuple[list[Order], str]:
    """What the button would start, and why nothing where a setting cannot be used."""
    try:
        return (
            orders(
                _wanted(place, stock),
                place.encoder.flat,
                place.model.flat,
                model_name(seen.name, _taken()),
            ),
            "",
        )
    except InputError as error:
        return [], str(error)


def _ticks(place: Wizard, stock: Stock) -> None:
    st.markdown("Train now")
    wanted = _wanted(place, stock)
    for role in ROLES:
        planned_runs, pending = role.key in stock.roles, role.key in stock.pending
        key = f"data_role_{role.key}_{place.turn}_{planned_runs}_{pending}"
        note = " :gray[in training]" if pending else " :gray[here already]" if planned_runs else ""

        def ticked(role_key: str = role.key, widget: str = key) -> None:
            place.roles = (_wanted(place, stock) - {role_key}) | (
                {role_key} if st.session_state[widget] else set()
            )

        again = planned_runs and role.key == MODEL
        st.checkbox(
            role.title + note,
            role.key in wanted,
            key=key,
            disabled=pending or (planned_runs and not again),
            help=role.use,
            on_change=ticked,
        )


def _wanted(place: Wizard, stock: Stock) -> frozenset[str]:
    """What is ticked and can be trained: encoders have one name each, a model can be trained again
    under another."""
    chosen = stock.missing - frozenset(OPTIONAL) if place.roles is None else place.roles
    return frozenset(
        key for key in chosen if key in stock.missing or (key == MODEL and key not in stock.pending)
    )


def _budget(place: Settings[EncoderConfig]) -> None:
    st.number_input(
        "Attack budget :gray[of the pixel range]",
        0.0,
        1.0,
        place.flat["epsilon"],
        step=None,
        format="%g",
        **bound(ENCODERS.fields["epsilon"], place),
        help="How far an attack may move each pixel (l_inf) while the robust encoder is trained.",
    )
    st.caption(
        "This data set has no conventional budget. Choose the largest change that leaves every"
        " class plain to your eye: 8/255 = 0.031 is usual for colour photographs, 0.1 for small"
        " grey images. Too large a budget leaves a small network at chance."
    )


def _taken() -> set[str]:
    """Names that no new model can have."""
    return {entry.name for entry in list_models()} | {
        run.name for run in list_runs() if run.kind == DIFFUSION
    }


def _launch(place: Wizard, seen: Facts, stock: Stock) -> None:
    """All that is asked for at the click; they wait for each other by themselves. Stops at the
    first that is refused, and says which were started."""
    planned_runs, _ = _orders(place, seen, stock)
    for number, order in enumerate(planned_runs):
        try:
            launch(TASKS[order.kind], order.config, order.name)
        except (CdpError, OSError) as error:
            before = f"{number} of {len(planned_runs)} were started; " if number else ""
            st.session_state[_REFUSED] = f"{before}{order.name} was not started: {sentence(error)}."
            break
    place.roles = None
