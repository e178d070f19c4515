"""The settings of the Evaluate page: model, attack, what else is measured, and the open report."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from cdp.config.choices import SUITES
from cdp.config.evaluate import CODE, RUN, EvaluateConfig
from cdp.config.fields import quoted, split
from cdp.errors import CdpError, InputError, MissingError
from cdp.models.checkpoints import given_path
from cdp.models.encoders import BEST, CARD
from cdp.results.cost import Pace
from cdp.results.reached import reached_of
from cdp.results.rows import run_rows
from cdp.tasks.evaluate_data import dataset_named, weights_of
from cdp.ui.kit.address import Param, any_text, one_of
from cdp.ui.kit.choices import Choices, conventional_text, info_of
from cdp.ui.kit.command import command_fold
from cdp.ui.kit.form import Form, Group
from cdp.ui.kit.frame import refused
from cdp.ui.kit.runlist import WORDS
from cdp.ui.kit.settings import Settings
from cdp.ui.kit.widgets import bound, name_or_path, reported
from cdp.ui.kit.words import plain
from cdp.values.text import counted, exact_text, range_text, share_text, threat_text
from cdp.values.types import DatasetInfo
from cdp.work.failures import sentence
from cdp.work.records import Run

VIEWS = {
    "attacks": "Attacks",
    "classes": "Classes",
    "budgets": "Budgets",
    "masking": "Can it be trusted?",
    "how": "How it was measured",
}
FIRST_VIEW = "attacks"
CODE_COMMAND = "python -m cdp evaluate --model package.module:function --dataset NAME"
CODE_REMEDY = f"a model of your own code is evaluated from the command line only: {CODE_COMMAND}"
BESIDE = ("curve", "unseen", "masking")


@dataclass
class EvaluationPage(Settings[EvaluateConfig]):
    """report: id of the evaluation that is shown, "" for the newest; view: the part of it; more:
    further trainings that are evaluated with the same settings, as models."""

    report: str = ""
    view: str = FIRST_VIEW
    more: tuple[str, ...] = ()

    def configs(self) -> list[EvaluateConfig]:
        """One for each model. Raises InputError where the values do not fit together."""
        config = self.config()
        models = dict.fromkeys([config.model, *self.more])
        return [config.model_copy(update={"model": model}) for model in models]


FORM: Form[EvaluationPage] = Form(
    config=EvaluateConfig,
    prefix="evaluate",
    state=EvaluationPage,
    params=(
        any_text("report"),
        one_of("view", VIEWS, FIRST_VIEW),
        Param("more", (), lambda text: tuple(dict.fromkeys(split(text))), ",".join),
    ),
    groups=(
        Group.of("Model", "model weights architecture dataset"),
        Group.of(
            "Attack",
            "attack count norm epsilon part part_seed steps restarts batch seed",
        ),
        Group("Measure as well", (*BESIDE, "side_count")),
    ),
    paths=("model", "dataset", "part"),
    when={
        "weights": lambda flat: flat["model"].startswith(RUN),
        # Stays in sight where a link set it wrongly, so that it can be put right.
        "architecture": lambda flat: (
            flat["model"].endswith(".safetensors") or bool(flat["architecture"])
        ),
        "part_seed": lambda flat: flat["count"] is not None or SUITES[flat["attack"]].quick,
        "steps": lambda flat: "steps" in SUITES[flat["attack"]].settings,
        "restarts": lambda flat: "restarts" in SUITES[flat["attack"]].settings,
        "side_count": lambda flat: any(flat[beside] for beside in BESIDE),
    },
)


@dataclass(frozen=True)
class ModelFacts:
    """What the card of a model tells, "", None or 0 where it does not. dataset: name or path of what
    it was trained on; norm, epsilon: trained for; epoch: of the best weights of a training."""

    name: str
    dataset: str = ""
    dataset_title: str = ""
    norm: str = ""
    epsilon: float | None = None
    epoch: int = 0

    def norm_of(self, config_norm: str) -> str:
        """The norm attacked in: the one set, else the one trained for, else linf."""
        if config_norm != "trained":
            return config_norm
        return "l2" if self.norm == "l2" else "linf"

    def budget(self, config: EvaluateConfig, info: DatasetInfo | None) -> float:
        """The radius of the attack. info: of the data set. Raises InputError without one."""
        norm = self.norm_of(config.norm)
        trained = self.epsilon if self.norm == norm else None
        conventional = info.conventional(norm) if info else None
        return config.budget(norm, trained=trained, conventional=conventional)

    @property
    def sentence(self) -> str:
        """What a model was trained on and for, in one line; empty where its card does not say."""
        title = self.dataset_title or self.dataset
        parts = [f"Trained on {title}"] if title else []
        parts += [f"for {threat_text(self.norm, self.epsilon)}"] if self.epsilon is not None else []
        return ", ".join(parts + ([f"best epoch {self.epoch}"] if self.epoch else []))


@dataclass(frozen=True)
class Subject:
    """What would be evaluated. facts: of the model, None where ``wrong`` says why it cannot be used;
    info: of the data set, None where ``misused`` says why."""

    facts: ModelFacts | None
    wrong: str = ""
    info: DatasetInfo | None = None
    misused: str = ""


def models_on_offer(runs: Sequence[Run], choices: Choices) -> dict[str, str]:
    """Models to evaluate -> title: trainings with weights, newest first, then encoders, shipped
    ones before own. runs: trainings."""
    trained = {
        f"{RUN}{run.id}": _title(run) for run in runs if (run.folder / BEST / CARD).is_file()
    }
    return trained | choices.shipped_and_own()


def _title(run: Run) -> str:
    best = reached_of(run).best_robust
    parts = [run.name] + ([] if best is None else [f"{share_text(best)} robust on validation"])
    return " · ".join(parts if run.over else [*parts, WORDS[run.state]])


def facts_of(source: str, architecture: str = "") -> ModelFacts:
    """What is known of a model. architecture: set for a bare file. Raises InputError or
    MissingError that says why it cannot be evaluated here."""
    if source.startswith(CODE):
        raise InputError(f"model: {CODE_REMEDY}")
    if not source:
        raise MissingError(
            "model: none is chosen: choose a training or an encoder, or type the path of a folder"
            " with weights"
        )
    (weights,) = weights_of(source, architecture=architecture)
    name = source.removeprefix(RUN)
    if name == source:
        path = given_path(source)
        name = path.name if path.is_dir() else path.stem
    card, told = weights.card, weights.card.get("training")
    training = told if isinstance(told, dict) else {}
    epsilon, epoch = training.get("epsilon"), card.get("epoch")
    norm = training.get("norm", "linf" if "epsilon" in training else None)
    known = norm in ("linf", "l2")
    dataset = training.get("dataset") or card.get("dataset")
    return ModelFacts(
        str(card.get("run") or card.get("name") or name)[:200],
        dataset if isinstance(dataset, str) else "",
        str(card.get("dataset_title") or "")[:200],
        str(norm) if known else "",
        float(epsilon) if known and isinstance(epsilon, int | float) else None,
        epoch if isinstance(epoch, int) else 0,
    )


def subject_of(settings: EvaluationPage, choices: Choices) -> Subject:
    """What is known of the chosen model and data set, or why they cannot be used."""
    flat = settings.flat
    try:
        facts, wrong = facts_of(flat["model"], flat["architecture"]), ""
    except (CdpError, OSError) as error:
        facts, wrong = None, sentence(error)
        if not flat["dataset"]:
            return Subject(None, wrong)
    try:
        name = dataset_named(flat["dataset"], {"dataset": facts.dataset if facts else ""})
    except InputError as error:
        return Subject(facts, wrong, misused=str(error))
    try:
        return Subject(facts, wrong, info_of(name, choices))
    except (CdpError, OSError) as error:
        return Subject(facts, wrong, misused=f"dataset: {sentence(error)}")


def settle(
    settings: EvaluationPage,
    models: Mapping[str, str],
    evaluations: Sequence[Run],
    trainings: Sequence[Run],
) -> None:
    """Choose a model where none is: that of the report that is open, else the newest finished
    training, else the first on offer. Choose what is shown where a link leaves it open or names
    what is gone, which is said. evaluations: newest first."""
    flat = settings.flat
    if flat["model"].startswith(CODE):
        settings.notes.append(f"model: {quoted(flat['model'])} was left out: {CODE_REMEDY}.")
        flat["model"] = ""
    if "model" in settings.unread and flat["architecture"]:  # of that model, and of no other
        settings.unread["architecture"] = flat["architecture"]
        flat["architecture"] = ""
    if settings.report and settings.report not in {run.id for run in evaluations}:
        if settings.fresh:
            settings.notes.append(f"report: {quoted(settings.report)} is not here.")
        settings.report = ""
    elif settings.fresh and not settings.report and flat["model"]:
        # Whoever comes with a model wants to see what is known of it.
        of_model = (
            run.id
            for run in evaluations
            if isinstance(run.config, EvaluateConfig) and run.config.model == flat["model"]
        )
        settings.report = next(of_model, "")
    if not flat["model"] and models:
        opened = shown_run(settings, evaluations) if settings.report else None
        finished = (f"{RUN}{run.id}" for run in trainings if run.state == "finished")
        wanted = [model_of(opened), *finished, *models]
        flat["model"] = settings.start["model"] = next(name for name in wanted if name in models)


def model_of(run: Run | None) -> str:
    """What an evaluation is of; "" where that cannot be told."""
    config = run.config if run is not None else None
    return config.model if isinstance(config, EvaluateConfig) else ""


def shown_run(settings: EvaluationPage, evaluations: Sequence[Run]) -> Run | None:
    """The evaluation that is shown: the chosen one, else the newest finished one, else the newest."""
    chosen = [run for run in evaluations if run.id == settings.report]
    finished = [run for run in evaluations if run.state == "finished"]
    return next(iter(chosen or finished or evaluations), None)


def draw_form(
    settings: EvaluationPage,
    models: Mapping[str, str],
    subject: Subject,
    choices: Choices,
    pace: Pace,
) -> None:
    """All controls, top to bottom, with what each attack takes, and the command line that does the
    same."""
    data = partial(_data, settings=settings, subject=subject, choices=choices)
    own: dict[str, Callable[[], None]] = {
        "model": partial(_model, settings, models, subject, data),
        "dataset": (lambda: None) if _asks_for_data(subject) else partial(data, "dataset"),
        "part": partial(data, "part"),
    }

    def explain() -> None:
        st.caption(SUITES[settings.flat["attack"]].explained(settings.flat))
        if times := times_of_attacks(settings.config_or_none(), pace):
            st.caption(times)

    def own_code() -> None:
        st.caption("A model of your own code is evaluated here only: no page imports it.")
        st.code(CODE_COMMAND, language="bash", wrap_lines=True)

    empty_text = partial(empty, flat=settings.flat, subject=subject)
    FORM.draw(settings, own, below={"attack": explain}, empty=empty_text)
    config = settings.config_or_none()
    if config is not None:
        command_fold("evaluate", command(config), more=own_code)


def times_of_attacks(config: EvaluateConfig | None, pace: Pace) -> str:
    """What each attack takes with these settings: "AutoAttack 20 to 40 min, PGD ..."; "" where they
    do not fit together."""
    if config is None:
        return ""
    title = FORM.fields["attack"].title
    costs = {
        name: pace.cost("evaluate", config.model_copy(update={"attack": name})) for name in SUITES
    }
    return ", ".join(f"{title(name)} {range_text(*c.seconds)}" for name, c in costs.items()) + "."


def _asks_for_data(subject: Subject) -> bool:
    """Whether the data set has to be chosen, as the model does not say it."""
    return subject.facts is not None and not subject.facts.dataset


def command(config: EvaluateConfig) -> str:
    """A shell line that evaluates with these settings."""
    skip = {"model", "count"} if config.count is None else {"model"}
    options = FORM.command("evaluate", config, skip)
    everything = ["--all"] if config.count is None else []
    model = [config.model.removeprefix(RUN)]
    if config.model.startswith(CODE):
        model = ["--model", config.model.removeprefix(CODE)]
    return shlex.join([*options[:4], *model, *everything, *options[4:]])


def _model(
    settings: EvaluationPage,
    models: Mapping[str, str],
    subject: Subject,
    data: Callable[[str], None],
) -> None:
    """The model by name, or a path that is typed; what is known of it, or wrong with it, stands
    below, and the data set where the model does not say it."""
    field, value = FORM.fields["model"], settings.flat["model"]

    def given(text: str | None) -> str:
        source = (text or value).strip()[:400] or value
        if not source.endswith(".safetensors"):
            settings.flat["architecture"] = ""
        return str(source)

    hint, control = "the path of a folder with weights", bound(field, settings, given)
    name_or_path(field, settings, list(models), models, placeholder=hint, **control)
    if subject.facts is None:
        refused(subject.wrong)
    elif subject.facts.sentence:
        st.caption(plain(subject.facts.sentence))
    if _asks_for_data(subject):
        data("dataset")
    if value.startswith(RUN):
        _more(settings, models)


def _more(settings: EvaluationPage, models: Mapping[str, str]) -> None:
    """Further trainings, each with an evaluation of its own; all seeds of this one at a click."""
    model = settings.flat["model"]
    others = [name for name in models if name.startswith(RUN) and name != model]
    settings.more = tuple(name for name in settings.more if name in others)
    if not others:
        return
    key = f"evaluate_more_{model}_{len(settings.more)}"

    def put(more: tuple[str, ...]) -> None:
        settings.more = more

    st.multiselect(
        "Further trainings",
        others,
        list(settings.more),
        **reported(key, settings.more, put, tuple),
        format_func=lambda name: models[name],
        placeholder="none",
        help="Each is evaluated with the same settings, in a run of its own.",
    )
    groups = {f"{RUN}{row.id}": row.group for row in run_rows()}
    seeds = [name for name in others if groups.get(name) == groups.get(model)]
    if seeds and not set(seeds) <= set(settings.more):

        def take() -> None:
            settings.more = tuple(dict.fromkeys([*settings.more, *seeds]))

        text = f"Add {counted(len(seeds), 'other seed')} of it"
        st.button(text, key="evaluate_seeds", type="tertiary", on_click=take)


def empty(name: str, flat: Mapping[str, Any], subject: Subject) -> str:
    """What an optional number stands for where it is left empty."""
    facts, info = subject.facts, subject.info
    if name == "count":
        return str(SUITES[flat["attack"]].most or "all")
    if facts is None:
        return "as the model says"
    norm = facts.norm_of(flat["norm"])
    if facts.epsilon is not None and facts.norm == norm:
        return f"{exact_text(facts.epsilon)} (trained)"
    return conventional_text(info.conventional(norm) if info else None)


def _data(name: str, settings: EvaluationPage, subject: Subject, choices: Choices) -> None:
    """A data set, or a saved set in place of its test images; empty takes the model's own."""
    field, facts = FORM.fields[name], subject.facts
    if name == "dataset":
        trained = (facts.dataset_title or facts.dataset) if facts else ""
        titles = {key: info.title for key, info in choices.builtin.items()}
        titles[""] = f"{trained} (as trained)" if trained else "Not chosen"
        names = [*choices.builtin, *choices.imported]
    else:
        titles = {"": "Test images"}
        own = settings.flat["dataset"] or (facts.dataset if facts else "")
        names = list(choices.fitting(own, subject.info))
    # An empty choice of its own: a list that began with a value cannot be cleared.
    control = bound(field, settings, lambda given: (given or "").strip()[:400])
    name_or_path(field, settings, ["", *names], titles, **control)
