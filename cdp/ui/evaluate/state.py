"""The settings of the Evaluate page and the report that is shown: kept for the session, and told by
the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cdp.config.evaluate import CODE, EvaluateConfig
from cdp.config.fields import fields_of, quoted, read_values, written
from cdp.config.knobs import parse
from cdp.ui.evaluate.catalog import CODE_REMEDY, Evaluable
from cdp.ui.kit.address import linked
from cdp.ui.kit.held import Held
from cdp.work.records import Run

REPORT, VIEW = "report", "view"
"""Query parameters that are no knobs: the evaluation that is shown, and which part of it."""
VIEWS = {
    "attacks": "Attacks",
    "classes": "Classes",
    "budgets": "Budgets",
    "masking": "Can it be trusted?",
    "how": "How it was measured",
}
FIRST_VIEW = "attacks"
PLAIN: dict[str, Any] = EvaluateConfig().model_dump(mode="json")
_KEY = "evaluate_settings"


@dataclass
class Evaluated(Held):
    """report: id of the evaluation that is shown, "" for the newest; view: the part of it; fresh:
    just read from an address."""

    prefix: str = field(default="evaluate", kw_only=True)
    report: str = ""
    view: str = FIRST_VIEW
    fresh: bool = False

    def config(self) -> EvaluateConfig:
        """Raises InputError where the values do not fit together."""
        return parse(EvaluateConfig, self.flat)

    def use(self, config: EvaluateConfig) -> None:
        """Take over the settings of an evaluation."""
        self.replace(config.model_dump(mode="json"))


def evaluated() -> Evaluated:
    """This session's settings; where the address changed under the page, what it says."""
    held, fresh = linked(_KEY, from_params)
    held.fresh = fresh
    return held


def from_params(params: Mapping[str, str]) -> Evaluated:
    """The settings that an address tells, with one sentence for each thing in it that cannot be
    used."""
    named = dict(params)
    report, view = named.pop(REPORT, ""), named.pop(VIEW, FIRST_VIEW)
    notes = []
    if view not in VIEWS:
        notes.append(
            f"view: {quoted(view)} is not one of {', '.join(VIEWS)}, so {FIRST_VIEW} is used."
        )
        view = FIRST_VIEW
    if named.get("model", "").startswith(CODE):
        notes.append(f"model: {quoted(named.pop('model'))} was left out: {CODE_REMEDY}.")
    given, wrong = read_values(named, fields_of(EvaluateConfig), PLAIN)
    held = Evaluated(PLAIN | given, report, view)
    held.notes = notes + wrong
    return held


def to_params(held: Evaluated) -> dict[str, str]:
    """What ``from_params`` reads: every setting that differs from its default, and what is
    shown."""
    params = {name: written(value) for name, value in held.flat.items() if value != PLAIN[name]}
    if held.report:
        params[REPORT] = held.report
    if held.view != FIRST_VIEW:
        params[VIEW] = held.view
    return params


def settle(held: Evaluated, choices: Sequence[Evaluable], evaluations: Sequence[Run]) -> None:
    """Choose the first model where none is, and what is shown where a link leaves it open or names
    what is gone, which is said.

    evaluations: newest first.
    """
    if held.report and held.report not in {run.id for run in evaluations}:
        if held.fresh:
            held.notes.append(f"report: {quoted(held.report)} is not here.")
        held.report = ""
    elif held.fresh and not held.report and held.flat["model"]:
        # Whoever comes with a model wants to see what is known of it.
        held.report = next(
            (run.id for run in evaluations if model_of(run) == held.flat["model"]), ""
        )
    if not held.flat["model"] and choices:
        held.flat["model"] = held.start["model"] = choices[0].source


def model_of(run: Run) -> str:
    """What an evaluation is of, as its settings name it; "" where they cannot be read."""
    return run.config.model if isinstance(run.config, EvaluateConfig) else ""


def shown_run(held: Evaluated, evaluations: Sequence[Run]) -> Run | None:
    """The evaluation that is shown: the chosen one, else the newest that is finished, else the
    newest."""
    chosen = [run for run in evaluations if run.id == held.report] or [
        run for run in evaluations if run.state == "finished"
    ]
    return next(iter(chosen or evaluations), None)


def write_url(held: Evaluated) -> None:
    """Bring the address in line with the settings and with what is shown."""
    held.address.write(to_params(held))
