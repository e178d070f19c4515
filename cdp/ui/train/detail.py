"""One run in detail: what it says of itself, adversarial examples, checkpoints, settings, resources
and log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cdp.config.evaluate import RUN
from cdp.config.fields import flat_of
from cdp.config.train import TrainConfig, set_title
from cdp.errors import CdpError
from cdp.models.encoders import BEST, CARD
from cdp.results.reached import Reached, reached_of
from cdp.statistics.shares import share_interval
from cdp.ui.components.chart import chart
from cdp.ui.generate.results import to_csv
from cdp.ui.kit.choices import Choices, info_of
from cdp.ui.kit.command import config_download
from cdp.ui.kit.markup import heading
from cdp.ui.kit.runlist import POLL_SECONDS, log_fold, use_settings
from cdp.ui.kit.words import plain
from cdp.ui.train.examples import EXAMPLES, pictures
from cdp.ui.train.form import FORM, Training
from cdp.ui.train.runs import epoch_line, signs_of_watched
from cdp.values.text import at_step, bounds_text, share_text
from cdp.values.types import NEVER_ROBUST
from cdp.work.records import Run, get_run
from cdp.work.resources import RESOURCES, read_resources

REMEDY = {
    "interrupted": (
        "Its process is gone, perhaps by a restart of the machine. Resume goes on from the last"
        " checkpoint."
    ),
    "stopped": "Stopped. Resume goes on from the last checkpoint.",
}


def detail(settings: Training, watched: Sequence[Run], choices: Choices) -> None:
    """The chosen one of the watched runs; polls while it moves."""
    if not watched:
        return
    names = {run.id: run.name for run in watched}
    opened = settings.opened if settings.opened in names else watched[-1].id
    run = next(run for run in watched if run.id == opened)
    with st.container():
        st.html(heading(run.name, signs_of_watched(settings, list(names)).get(run.id)))
        _another(settings, names, opened)
    with st.container(key="train_detail"):
        st.fragment(_draw, run_every=None if run.over else POLL_SECONDS)(
            run.id, settings, class_names(run, choices)
        )


def _another(settings: Training, names: Mapping[str, str], opened: str) -> None:
    """Which of the watched runs, where there are several."""
    if len(names) > 1:
        key = f"train_open_{'-'.join(names)}"

        def chosen() -> None:
            settings.opened = st.session_state[key]

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


def _draw(run_id: str, settings: Training, names: tuple[str, ...]) -> None:
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
    _settings(run, settings)
    _resources(run)
    log_fold(run)


def _examples(run: Run, names: tuple[str, ...]) -> None:
    st.markdown("**Adversarial examples of the last validation**")
    file = run.folder / EXAMPLES
    result = pictures(str(run.folder), file.stat().st_mtime_ns, names) if file.exists() else None
    if result is None:
        st.caption(
            "They are saved with every validation; there was none yet."
            if not run.over
            else "None was saved."
        )
        return
    table, caption = result
    st.html(table)
    st.caption(caption)


def _settings(run: Run, settings: Training) -> None:
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
            use_settings(run.id, lambda: settings.use(config))
            config_download(config, f"{run.name}.yaml", "train", key=f"yaml-{run.id}")
        st.dataframe(setting_rows(config), hide_index=True, width="stretch")
        for which in ("best", "last"):
            if (run.folder / which).is_dir():
                st.caption(
                    f"Weights of the {which} validation: a folder with model.safetensors and"
                    " card.json"
                )
                st.code(str(run.folder / which), language=None, wrap_lines=True)


def setting_rows(config: TrainConfig) -> list[dict[str, str]]:
    """Every setting with its value and unit; what differs from the standard preset is marked."""
    standard, values = FORM.plain("standard"), flat_of(config)
    rows = []
    for name, field in FORM.fields.items():
        value, usual = values[name], field.title(standard[name])
        if name == "synthetic":
            value = [set_title(part) for part in value]
        rows.append(
            {
                "setting": field.label,
                "value": field.title(value),
                "unit": field.unit,
                "standard": "" if values[name] == standard[name] else usual,
            }
        )
    return rows


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


def outcome(run: Run, now: Reached) -> None:
    """State, what is wrong or to be known, and the figures of the best and the last validation."""
    st.caption(plain(epoch_line(run, now)))
    if run.error:
        # A run that ended itself with everything good kept is no failure.
        (st.error if run.state == "failed" else st.warning)(plain(_sentence(run.error)))
    elif run.state in REMEDY:
        st.info(REMEDY[run.state])
    if run.notice and run.notice not in (run.error or ""):
        st.warning(plain(_sentence(run.notice)))
    if now.best_robust is not None and now.robust is not None:
        _figures(now)


def _figures(now: Reached) -> None:
    assert now.best_robust is not None and now.robust is not None
    visible = {
        f"Robust, best ({at_step(now.best_step or 0, now.best_epoch)})": now.best_robust,
        f"Robust, last ({at_step(now.steps or 0, now.epoch)})": now.robust,
    }
    if now.clean is not None:
        visible["Clean, last"] = now.clean
    with st.container(horizontal=True, gap="medium"):
        for title, value in visible.items():
            with st.container(width="content", gap=None):
                st.caption(title)
                st.markdown(f"**{share_text(value)}** :gray[{_bounds(value, now.n)}]")
    attack = "the quick attack of training, so an upper estimate of robust accuracy"
    st.caption(
        f"n = {now.n:,} validation images; {attack}. Intervals: 95 % (Wilson)."
        if now.n
        else f"On the validation images; {attack}."
    )
    if now.best_robust == 0:
        st.warning(f"{NEVER_ROBUST[:1].upper()}{NEVER_ROBUST[1:]}.")


def _bounds(share: float, n: int) -> str:
    """ "61.0 to 65.2" in per cent; empty where n is not known."""
    return bounds_text(share_interval(share, n, n)) if n > 0 else ""


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "?")) else f"{text}."
