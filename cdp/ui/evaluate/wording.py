"""How an evaluation is written for a person: shares with their intervals, budgets, settings in short."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from cdp.config_evaluate import RUN, EvaluateConfig
from cdp.evaluation import EvalReport, WeightsReport
from cdp.types import Interval
from cdp.ui.train.rows import percent
from cdp.ui.train.titles import TITLES as TRAINING_TITLES
from cdp.ui.widgets import number_text

TITLES = TRAINING_TITLES | {
    "autoattack": "AutoAttack", "pgd": "PGD", "quick": "Quick", "trained": "As trained", "best": "Best", "last": "Last", "both": "Both",
    "": "Not stated", "given": "Weights",
}  # fmt: skip
ESTIMATE = "Stronger attacks leave fewer images standing."


def span(found: Interval) -> str:
    """The interval of a share in per cent: "57.2 to 63.3"."""
    return f"{found.low * 100:.1f} to {found.high * 100:.1f}"


def share_text(found: Interval) -> str:
    """A share with its interval: "60.3 % (57.2 to 63.3)"."""
    return f"{percent(found.value)} ({span(found)})"


def points_text(found: Interval) -> str:
    """A difference of shares with its interval, in points: "-1.5 points (-2.6 to -0.4)"."""
    return f"{found.value * 100:+.1f} points ({found.low * 100:+.1f} to {found.high * 100:+.1f})"


def budget_text(norm: str, epsilon: float) -> str:
    """ "l_inf budget 8/255"."""
    return f"{TITLES.get(norm, norm)} budget {number_text(epsilon)}"


def weights_title(one: WeightsReport) -> str:
    """ "best (epoch 12)"; "these weights" where the model has one set only."""
    if one.which == "given":
        return "these weights"
    return f"{one.which} (epoch {one.epoch})" if one.epoch else one.which


def images_text(report: EvalReport) -> str:
    """ "1,000 test images of Fashion-MNIST"."""
    kind = "test images of" if report.part == "test" else f"images of set {report.part}, classes of"
    return f"{report.n:,} {kind} {report.dataset_title}"


def headline(report: EvalReport) -> str:
    """The number to cite with all that it rests on, in one sentence."""
    main = report.main
    under = f"{report.attack}, {budget_text(report.norm, report.epsilon)}"
    return (
        f"{share_text(main.robust)} of {images_text(report)} withstand {under}; {share_text(main.clean)} are right without attack. Intervals: "
        f"{main.robust.level * 100:.0f} % (Wilson)."
    )


def facts(config: Any) -> str:
    """The settings in short: attack, images, budget, weights."""
    if not isinstance(config, EvaluateConfig):
        return "settings cannot be read"
    images = "all images" if config.images is None else f"at most {config.images:,} images"
    norm = "" if config.norm == "trained" else TITLES[config.norm]
    budget = "" if config.epsilon is None else f"budget {number_text(config.epsilon)}"
    threat = " ".join(part for part in (norm, budget) if part) or "budget as trained"
    which = f"{config.weights} weights" if config.model.startswith(RUN) else ""
    data = PurePath(config.part or config.dataset).name
    return " · ".join(part for part in (TITLES[config.attack], images, threat, which, data, f"seed {config.seed}") if part)
