"""One run in detail: what it says of itself, adversarial examples, checkpoints, settings, resources
and log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cdp.config.evaluate import RUN
from cdp.config.fields import fields_of
from cdp.config.train import TrainConfig
from cdp.errors import CdpError
from cdp.models.encoders import BEST, CARD
from cdp.results.reached import reached_of
from cdp.ui.components.chart import chart
from cdp.ui.generate.results import to_csv
from cdp.ui.kit.choices import Choices, info_of
from cdp.ui.kit.command import config_yaml
from cdp.ui.kit.markup import heading
from cdp.ui.kit.runlist import POLL_SECONDS, log_fold, use_settings
from cdp.ui.train.examples import EXAMPLES, pictures
from cdp.ui.train.outcome import outcome
from cdp.ui.train.state import Trained, plain_of, value_text
from cdp.work.records import Run, get_run
from cdp.work.resources import RESOURCES, read_resources


def detail(held: Trained, watched: Sequence[Run], choices: Choices) -> None:
    """The chosen one of the watched runs; polls while it moves."""
    if not watched:
        return
    names = {run.id: run.name for run in watched}
    opened = held.opened if held.opened in names else watched[-1].id
    run = next(run for run in watched if run.id == opened)
    from cdp.ui.train.curves import signs_of

    with st.container():
        st.html(heading(run.name, signs_of(list(names)).get(run.id)))
        _another(held, names, opened)
    with st.container(key="train_detail"):
        st.fragment(_draw, run_every=None if run.over else POLL_SECONDS)(
            run.id, held, class_names(run, choices)
        )


def _another(held: Trained, names: Mapping[str, str], opened: str) -> None:
    """Which of the watched runs, where there are several."""
    if len(names) > 1:
        key = f"train_open_{'-'.join(names)}"

        def chosen() -> None:
            held.opened = st.session_state[key]

        st.selectbox(
            "Another run in detail",
            list(names),
            list(names).index(opened),
            key=key,
            on_change=chosen,
            format_func=names.__getitem__,
            label_visibility="collapsed",
        )


def class_names(run: Run, choices: Choices) -> tuple[str, ...]:
    """Of the data set trained on; () where that is not here any more."""
    try:
        return (
            info_of(run.config.dataset, choices).classes
            if isinstance(run.config, TrainConfig)
            else ()
        )
    except (CdpError, OSError):
        return ()


def _draw(run_id: str, held: Trained, names: tuple[str, ...]) -> None:
    try:
        run = get_run(run_id)
    except CdpError:
        st.caption("This run was removed.")
        return
    outcome(run, reached_of(run))
    if (run.folder / BEST / CARD).is_file():
        st.page_link(
            "pages/evaluate.py",
            label="Evaluate",
            icon=":material/shield:",
            query_params={"model": f"{RUN}{run.id}"},
        )
    _examples(run, names)
    _settings(run, held)
    _resources(run)
    log_fold(run)


def _examples(run: Run, names: tuple[str, ...]) -> None:
    st.markdown("**Adversarial examples of the last validation**")
    file = run.folder / EXAMPLES
    found = pictures(str(run.folder), file.stat().st_mtime_ns, names) if file.exists() else None
    if found is None:
        st.caption(
            "They are saved with every validation; there was none yet."
            if not run.over
            else "None was saved."
        )
        return
    table, caption = found
    st.html(table)
    st.caption(caption)


def _settings(run: Run, held: Trained) -> None:
    config = run.config
    if not isinstance(config, TrainConfig):
        return
    fold = st.expander(
        "Settings and checkpoints", key=f"train_settings_{run.id}", on_change="rerun"
    )
    if not fold.open:
        return
    with fold:
        with st.container(horizontal=True):
            use_settings(run.id, lambda: held.use(config))
            st.download_button(
                "Download config",
                lambda: config_yaml(config),
                f"{run.name}.yaml",
                "application/yaml",
                on_click="ignore",
                key=f"yaml-{run.id}",
            )
        st.dataframe(setting_rows(config), hide_index=True, width="stretch")
        for which in ("best", "last"):
            if (run.folder / which).is_dir():
                st.caption(
                    f"Weights of the {which} validation: a folder with model.safetensors and"
                    " card.json"
                )
                st.code(str(run.folder / which), language=None, wrap_lines=True)


def setting_rows(config: TrainConfig) -> list[dict[str, str]]:
    """Every knob with its value and unit; what differs from the standard preset is marked."""
    plain_values, known = plain_of("standard"), fields_of(TrainConfig)
    return [
        {
            "setting": known[name].label,
            "value": value_text(name, value),
            "unit": known[name].unit,
            "standard": "" if value == plain_values[name] else value_text(name, plain_values[name]),
        }
        for name, value in config.model_dump(mode="json").items()
    ]


def _resources(run: Run) -> None:
    fold = st.expander("Resources", key=f"train_resources_{run.id}", on_change="rerun")
    if not fold.open:
        return
    from cdp.figures.training import resource_curves, resource_rows

    samples = read_resources(run.folder / RESOURCES)
    with fold:
        if not samples:
            st.caption(
                "Nothing is recorded yet: a sample is taken every few seconds while the run works."
            )
            return
        chart(
            resource_curves(samples, key=run.id),
            key=f"resources-{run.id}",
            alt=f"Processor and memory of {run.name} over time",
        )
        st.download_button(
            "Download CSV",
            lambda: to_csv(resource_rows(samples)),
            f"{run.name}-resources.csv",
            "text/csv",
            on_click="ignore",
            key=f"resources-csv-{run.id}",
        )
