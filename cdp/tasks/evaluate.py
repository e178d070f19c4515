"""An evaluation: attacks batch by batch, resumable, then curve, unseen threats and masking
checks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from torch import nn

from cdp.config.choices import SUITES, imported
from cdp.config.evaluate import CODE, EvaluateConfig
from cdp.errors import InputError
from cdp.models.checkpoints import sha256_of
from cdp.models.precision import pick_device
from cdp.robust.contract import network_contract
from cdp.robust.masking import masking_panel
from cdp.robust.suites import CLEAN_PASS, Attack, SuiteState, run_suite
from cdp.robust.trial import Attacker, Trial, budget_curve, robust_share
from cdp.tasks.evaluate_data import EvaluationInputs, Weights, network, prepare
from cdp.tasks.evaluate_report import (
    outcome_of,
    report_of,
    suite_warnings,
    weights_report,
    write_report,
)
from cdp.tasks.train_measure import device_name
from cdp.values.evaluation import STANDS, Curve, EvalReport, Masking, Unseen, Which
from cdp.work.checkpoint import Checkpoint
from cdp.work.cost import time_left
from cdp.work.session import Session

SIDE_STEPS = 20
"""PGD steps of the curve and of unseen threats."""
Part = TypeVar("Part")


logger = logging.getLogger(__name__)


def evaluate(
    config: EvaluateConfig, session: Session, net: nn.Module | None = None
) -> dict[str, Any]:
    """Evaluate in the session's folder; returns the final record of the run. net: of the user's own
    code, which only the command line imports; without it InputError for such a model."""
    if config.model.startswith(CODE) and net is None:
        raise InputError(
            f"model: {config.model.removeprefix(CODE)} is your own code, which only a command that"
            " you type imports: run it again there"
        )
    report = evaluate_run(config, session.folder, session, net=net)
    session.notice(None)
    main = report.main
    return {
        "label": report.label,
        "quick": report.quick,
        "suite": report.suite,
        "norm": report.norm,
        "epsilon": report.epsilon,
        "n": report.n,
        "clean_accuracy": main.clean.value,
        "robust_accuracy": main.robust.value,
        "robust_low": main.robust.low,
        "robust_high": main.robust.high,
        "warnings": list(report.warnings),
        "seconds": round(report.seconds, 3),
    }


def evaluate_run(
    config: EvaluateConfig, folder: Path, session: Session, *, net: nn.Module | None = None
) -> EvalReport:
    """Evaluate into ``folder`` (report.json, outcomes.npz), or go on where an earlier start was
    ended.

    A point of the session's journal, by images done, follows every attacked batch. net: a network
    of the user's own code. Raises Cancelled where it was stopped, InputError or MissingError where
    something cannot be used, OSError where the disk does not take a file.
    """
    prepared = prepare(config)
    files = {
        weights.which: "" if weights.file is None else sha256_of(weights.file)
        for weights in prepared.weights
    }
    settings = config.model_dump(mode="json") | {"norm": prepared.norm, "epsilon": prepared.epsilon}
    checkpoint = Checkpoint(
        folder / "state",
        settings | {"images": prepared.rows_sha256, "weights": files},
        what="this evaluation",
        remedy="restore what it was begun with, or evaluate anew",
        record="started.json",
    )
    device = pick_device()
    loaded = {
        weights.which: network(weights, config, prepared, device, net)
        for weights in prepared.weights
    }
    nets = {which: net for which, (net, _) in loaded.items()}
    notes = [f"Weights: {note}." for _, note in loaded.values() if note]
    return _EvaluationSitting(config, prepared, nets, files, checkpoint, session, device).run(
        folder, notes
    )


class _EvaluationSitting:
    """One sitting of an evaluation."""

    def __init__(
        self,
        config: EvaluateConfig,
        prepared: EvaluationInputs,
        nets: Mapping[Which, nn.Module],
        files: Mapping[Which, str],
        checkpoint: Checkpoint,
        session: Session,
        device: torch.device,
    ) -> None:
        self.config, self.prepared, self.nets, self.files = config, prepared, nets, files
        self.checkpoint, self.session, self.device = checkpoint, session, device
        self.attacks = {which: self._attacks(net) for which, net in nets.items()}
        self.rows = prepared.side_rows(config.side_count)
        parts = {f"curve-{which}": "curve" for which in nets} if config.curve else {}
        parts |= (
            {f"unseen-{k}": "unseen" for k in range(len(prepared.unseen))} if config.unseen else {}
        )
        parts |= {"masking": "masking"} if config.masking else {}
        costs = [attack.cost for attack in next(iter(self.attacks.values()))]
        self.meter = EvaluationMeter(len(prepared.label), costs, len(nets), parts, len(self.rows))
        self.states = {which: self._restored(which) for which in nets}

    def run(self, folder: Path, notes: Sequence[str]) -> EvalReport:
        """To the end; the report is on disk then. notes: on the files of the weights."""
        began, spent = time.monotonic(), float(self.checkpoint.part("seconds") or 0.0)
        self._begin()
        config = self.config
        try:
            contract = self._contract()
            warnings = [*notes, *contract.values(), *self._warnings()]
            for number, which in enumerate(self.nets):
                self._suite(number, which)
            curves = [self._curve(which) for which in self.nets] if config.curve else []
            unseen = (
                [self._unseen(number) for number in range(len(self.prepared.unseen))]
                if config.unseen
                else []
            )
            masking = self._masking() if config.masking else None
        finally:
            spent += time.monotonic() - began
            self.checkpoint.save_part("seconds", spent)
        weights = [self._figures(entry) for entry in self.prepared.weights]
        warnings += [text for state in self.states.values() for text in suite_warnings(state)]
        report = report_of(
            config,
            self.prepared,
            weights,
            curves=curves,
            unseen=unseen,
            masking=masking,
            contract=contract,
            warnings=list(dict.fromkeys(warnings)),
            device=device_name(self.device),
            seconds=spent,
        )
        write_report(
            folder,
            report,
            self.prepared,
            {which: outcome_of(state) for which, state in self.states.items()},
        )
        return report

    def _begin(self) -> None:
        for number, state in enumerate(self.states.values()):
            self.meter.at(number, state)
        for name in self.meter.parts:
            if self.checkpoint.part(name) is not None:
                self.meter.finish(name)
        self.meter.start()
        self._progress()
        self.session.cut(self.meter.done)

    def _progress(self) -> None:
        meter = self.meter
        unit, left = "attacks on images", meter.seconds_left()
        self.session.progress(meter.done, meter.count, unit=unit, seconds_left=left)

    def _stage(self, sentence: str) -> None:
        self.session.notice(sentence)
        logger.info("%s", sentence)

    # ---- Attacks ----

    def _attacks(self, net: nn.Module) -> Sequence[Attack]:
        suite = SUITES[self.config.attack]
        attacks: Sequence[Attack] = imported(suite.attacks)(
            net,
            classes=len(self.prepared.info.classes),
            norm=self.prepared.norm,
            epsilon=self.prepared.epsilon,
            seed=self.config.seed,
            **{name: getattr(self.config, name) for name in suite.settings},
        )
        return attacks

    def _contract(self) -> dict[str, str]:
        """What the networks' answers lack, by kind; refused where no number would be of single
        images."""
        prepared = self.prepared
        findings: dict[str, str] = {}
        for net in self.nets.values():
            findings |= network_contract(
                net,
                prepared.image,
                prepared.label,
                classes=len(prepared.info.classes),
                should_stop=self.session.stop_requested,
            )
        return findings

    def _warnings(self) -> list[str]:
        """Why the suite's number may mean less for these networks."""
        checks = SUITES[self.config.attack].warnings
        if not checks:
            return []
        warnings, prepared = imported(checks), self.prepared
        given = {"classes": len(prepared.info.classes), "batch": self.config.batch}
        return [
            sentence
            for net in self.nets.values()
            for sentence in warnings(net, prepared.image, prepared.label, **given)
        ]

    def _restored(self, which: Which) -> SuiteState:
        """Where an earlier start left these weights; a damaged file costs its work alone."""
        names = [attack.name for attack in self.attacks[which]]
        settings: dict[str, Any] = {
            "norm": self.prepared.norm,
            "epsilon": self.prepared.epsilon,
            "batch": self.config.batch,
        }
        try:
            state = SuiteState.from_arrays(self.checkpoint.arrays(f"suite-{which}") or {})
            state.require(len(self.prepared.label), names, **settings)
        except InputError:
            return SuiteState.begin(len(self.prepared.label), names, **settings)
        return state

    def _suite(self, number: int, which: Which) -> None:
        prepared, attacks, n = self.prepared, self.attacks[which], len(self.prepared.label)
        state, announced = self.states[which], CLEAN_PASS
        for _ in run_suite(
            self.nets[which],
            prepared.image,
            prepared.label,
            attacks,
            norm=prepared.norm,
            epsilon=prepared.epsilon,
            batch=self.config.batch,
            classes=len(prepared.info.classes),
            state=state,
            should_stop=self.session.stop_requested,
        ):
            self.checkpoint.save_arrays(f"suite-{which}", state.to_arrays())
            self.meter.at(number, state)
            self._progress()
            if state.stage == CLEAN_PASS:
                continue
            self.session.point(
                self.meter.done,
                {"stage": state.stage, "robust": state.standing / n, "n": n, "weights": number},
            )
            if state.stage != announced and not state.done:
                announced = state.stage
                many = f", {which} weights" if len(self.nets) > 1 else ""
                self._stage(
                    f"{attacks[announced].title}{many}: {state.standing:,} of {n:,} images are"
                    " standing"
                )

    def _figures(self, weights: Weights) -> Any:
        which = weights.which
        return weights_report(
            self.states[which],
            self.prepared.label,
            self.prepared.info.classes,
            self.attacks[which],
            which=which,
            epoch=weights.epoch,
            sha256=self.files[which],
        )

    # ---- What follows them, each kept once it is finished ----

    def _curve(self, which: Which) -> Curve:
        def make() -> Curve:
            attacker = self._attacker(self.nets[which], self.prepared.norm)
            points = budget_curve(attacker, self.prepared.epsilon, steps=SIDE_STEPS)
            return Curve(which, f"PGD-{SIDE_STEPS}", len(self.rows), points)

        return self._part(f"curve-{which}", Curve, "Accuracy against budget", make)

    def _unseen(self, number: int) -> Unseen:
        norm, epsilon = self.prepared.unseen[number]

        def make() -> Unseen:
            share = robust_share(self._attacker(self._first, norm), epsilon, steps=SIDE_STEPS)
            return Unseen(
                f"{norm}, budget {epsilon:.3g}", norm, epsilon, f"PGD-{SIDE_STEPS}", share
            )

        return self._part(
            f"unseen-{number}", Unseen, f"Unseen threat: {norm}, budget {epsilon:.3g}", make
        )

    def _masking(self) -> Masking:
        def make() -> Masking:
            attacker = self._attacker(self._first, self.prepared.norm)
            masking = masking_panel(attacker, self.prepared.epsilon)
            surface = masking.surface
            here = (
                None
                if surface is None
                else replace(surface, row=int(self.prepared.rows[self.rows[surface.row]]))
            )
            return replace(masking, surface=here)

        return self._part("masking", Masking, "Checks of gradient masking", make)

    @property
    def _first(self) -> nn.Module:
        return next(iter(self.nets.values()))

    def _attacker(self, net: nn.Module, norm: str) -> Attacker:
        """On the images of the checks."""
        image, label = self.prepared.image[self.rows], self.prepared.label[self.rows]
        trial = Trial(net, image, label, should_stop=self.session.stop_requested)
        return Attacker(trial, norm=norm, seed=self.config.seed, batch=self.config.batch)

    def _part(self, name: str, kind: type[Part], title: str, make: Callable[[], Part]) -> Part:
        adapter = TypeAdapter(kind)
        try:
            return adapter.validate_python(self.checkpoint.part(name))
        except ValidationError:
            pass  # not made yet, or damaged
        self._stage(title)
        result = make()
        self.checkpoint.save_part(name, adapter.dump_python(result, mode="json"))
        self.meter.finish(name)
        self._progress()
        return result


PART_COST = {"curve": 320.0, "unseen": 40.0, "masking": 2400.0}
"""Forward passes that a part takes an image, about; a gradient costs as much again as its forward
pass."""


class EvaluationMeter:
    """Work in images: each is looked at once, and once by every attack that it stands before."""

    def __init__(
        self, n: int, costs: Sequence[float], weights: int, parts: Mapping[str, str], side: int
    ) -> None:
        """costs: of each attack, in forward passes an image; weights: how many sets of weights;
        parts: kind by name of what follows, each on ``side`` images."""
        self.n, self.costs, self.side, self.parts = n, list(costs), side, dict(parts)
        self._finished: set[str] = set()
        self._done = [0] * weights
        self._spent = [0.0] * weights
        self._left = [n * sum(self.costs)] * weights
        self.start()

    @property
    def count(self) -> int:
        """Images of the whole work."""
        return self.n * (1 + len(self.costs)) * len(self._done) + self.side * len(self.parts)

    @property
    def done(self) -> int:
        """Images done, an earlier start's included."""
        return sum(self._done) + self.side * len(self._finished)

    def at(self, number: int, state: SuiteState) -> None:
        """Weights ``number`` have come to this."""
        self._done[number] = self.n * (1 + state.stage) + self._in_stage(state)
        self._spent[number], self._left[number] = state.work(self.costs)

    def _in_stage(self, state: SuiteState) -> int:
        """Images that the stage which is on its way is done with."""
        done = state.batch * state.batch_size
        if state.stage == CLEAN_PASS or not state.batch:
            return min(done, self.n)
        fallen = int(((state.broken_by != STANDS) & (state.broken_by < state.stage)).sum())
        return min(fallen + done, self.n)

    def finish(self, part: str) -> None:
        """A part is done."""
        self._finished.add(part)

    def start(self) -> None:
        """The pace counts from here."""
        self._began, self._before = time.monotonic(), self._total_spent()

    def seconds_left(self) -> float | None:
        """At the pace of this sitting, as if no further image fell; None before it has one."""
        worked = self._total_spent() - self._before
        left = sum(self._left) + sum(
            PART_COST[kind] * self.side
            for name, kind in self.parts.items()
            if name not in self._finished
        )
        return time_left(time.monotonic() - self._began, worked, left)

    def _total_spent(self) -> float:
        return sum(self._spent) + sum(
            PART_COST[self.parts[name]] * self.side for name in self._finished
        )
