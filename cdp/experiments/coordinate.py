"""An experiment at work: it has ordinary runs made for its cells, as many at a time as serves the
machine, and goes on from whatever is there. It computes nothing twice and may be killed at any
moment: what is done is found again by its content."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from cdp.config.experiment import ExperimentConfig
from cdp.config.generate import GenerateConfig
from cdp.config.knobs import Frozen
from cdp.config.train import TrainConfig
from cdp.data.limits import name_like
from cdp.data.sets import is_saved, open_set
from cdp.errors import Cancelled, CdpError, Halted, InputError, MissingError
from cdp.experiments.cells import Key, read_cells, read_more, write_cells
from cdp.experiments.children import CellFailedError, Children, Work
from cdp.experiments.chores import Chores
from cdp.experiments.content import generated_content
from cdp.experiments.crew import Crew
from cdp.experiments.design import Design, design_of
from cdp.experiments.estimate import estimate
from cdp.experiments.plan import Cell
from cdp.experiments.record import line_of
from cdp.experiments.results import result_of
from cdp.models.encoders import TRAINED
from cdp.results.rows import join_arm
from cdp.values.experiment import CellState
from cdp.values.text import counted, listed
from cdp.work.cost import time_left
from cdp.work.failures import sentence
from cdp.work.launch import settings_since
from cdp.work.records import CONFIG, Run, get_run
from cdp.work.session import Session

POLL_SECONDS = 0.4
LOOK_SECONDS = 5.0
"""How old the picture of all runs and sets may be while nothing of ours has changed."""
PARTS = 1000

logger = logging.getLogger(__name__)


def experiment(config: ExperimentConfig, session: Session) -> dict[str, Any]:
    """Have every cell computed, or found, and return the verdict. Raises Cancelled where it was
    stopped, with what is done kept; CdpError where cells failed."""
    return Coordinator(config, session).run()


class Coordinator:
    """One sitting of an experiment."""

    def __init__(
        self, config: ExperimentConfig, session: Session, team: Crew | None = None
    ) -> None:
        """team: who works on its children; measured where not given."""
        self.session = session
        self.states: dict[Key, CellState] = read_cells(session.folder)
        more = read_more(session.folder)
        team = team or (Crew(*more["crew"]) if more.get("crew") else None)
        self.children = Children(session.id, team, more.get("stopped", ()))
        self.spent = float(more.get("spent", 0.0))
        self.began = time.monotonic()
        self._written = 0
        self.chores = Chores(session)
        self._take_up(config)

    def _take_up(self, config: ExperimentConfig) -> None:
        """Begin with these settings. All is found again by its content: settings may have been
        added, and runs or sets deleted."""
        self.config = config
        self.design: Design = design_of(config, self.session.folder)
        self._contents: dict[Key, str] = {}
        self.children.look()
        self._before = self.states
        self.states = {
            key: state if state.stage == "dropped" else CellState(state.arm, state.seed)
            for key, state in self._before.items()
        }
        self._changed = True
        self._first, self._clock = self._done_parts()[0], time.monotonic()
        self._expected = math.prod(estimate(config).seconds) ** 0.5

    def run(self) -> dict[str, Any]:
        """Until nothing is wanted any more."""
        pairs = 0
        self.session.begin(self._first)
        while True:
            if self.session.stop_requested():
                self._stop_children()
                raise Cancelled("stopped: resume it to go on")
            wanted = self.design.wanted(self.states)
            self.children.count_room()
            for cell in wanted:
                self._step(cell)
            if self._changed:
                self._save()
            self._progress()
            pairs = self._tell(pairs)
            self._end_dropped()
            over = self._over(wanted) and self.design.finished(self.states)
            # What was done in this turn may have opened the question again.
            over = over and self._over(self.design.wanted(self.states))
            if not self._asked_more(close=over) and over:
                break
            if self._out_of_time():
                self._stop_children()
                raise Halted(
                    f"the {self.config.hours:g} hours are over: give it more to go on (python -m cdp"
                    f" experiment extend {self.session.name} --hours 1)",
                    self._line(),
                )
            time.sleep(POLL_SECONDS)
        self._end_dropped()
        self._measure_rest()
        return self._conclude()

    def _end_dropped(self) -> None:
        """Stop what works on cells that were given up meanwhile."""
        for key, state in self.states.items():
            if state.stage == "dropped" and state.run:
                self.children.end(state.run)
                self.states[key] = replace(state, run="", share=0.0)
                self._changed = True

    def _over(self, cells: Sequence[Cell]) -> bool:
        return all(self._state(cell).over for cell in cells)

    def _asked_more(self, *, close: bool) -> bool:
        """Whether it was extended since. close: no more after this."""
        written = (self.session.folder / CONFIG).stat().st_mtime_ns
        if written == self._written and not close:
            return False
        self._written = written
        config = settings_since(self.session.folder, self.config, close=close)
        if not isinstance(config, ExperimentConfig):
            return False
        self._take_up(config)
        return True

    def _conclude(self) -> dict[str, Any]:
        """The record of the run. Raises CdpError that names the cells that failed."""
        failed = [state for state in self.states.values() if state.stage == "failed"]
        if failed:
            names = listed((f"{state.arm}, seed {state.seed}" for state in failed), 3)
            raise CdpError(
                f"{counted(len(failed), 'cell')} of {len(self.states)} failed ({names}):"
                f" {failed[0].error.rstrip('.')}. Resume the experiment to try them again, or,"
                " where its settings are wrong, extend it with a corrected file; the rest is kept"
            )
        return self._line()

    def _line(self) -> dict[str, Any]:
        return line_of(result_of(self.config, self.session.folder, self.session.name))

    # One cell

    def _step(self, cell: Cell) -> None:
        """Take one cell as far as it can go now."""
        before = self._state(cell)
        if before.over:
            return
        try:
            after = self._advance(cell, before)
        except CellFailedError as error:
            after = replace(before, stage="failed", error=str(error), run="", share=0.0)
        except (InputError, MissingError) as error:
            after = replace(before, stage="failed", error=sentence(error), run="", share=0.0)
        if after != before:
            self.states[cell.arm, cell.seed] = after
            self._changed |= replace(after, share=0) != replace(before, share=0)

    def _advance(self, cell: Cell, state: CellState) -> CellState:
        if cell.synthetic and not state.set:
            state = self._with_set(cell, state)
            if not state.set:
                return state
        if state.set and not state.measured and is_saved(state.set):
            state = self._with_measures(state)
        if self.config.stage == "samples":
            return replace(state, stage="done") if state.measured or not cell.synthetic else state
        if not state.train or state.run == state.train:
            config = cell.training(state.set)
            state, run = self._child(
                state, self._work(cell, "train", config, lambda: self._training(state, config))
            )
            if run_id := run.id if run else state.run:
                join_arm(get_run(run_id).folder, cell.group())
            if run is None:
                return state
            state = replace(state, train=run.id)
        if self.config.stage == "train":
            return replace(state, stage="done")
        asked = cell.evaluation(state.train)
        try:
            trained = get_run(state.train)
        except MissingError:  # deleted by hand: from the beginning, with what is left
            self.children.look()
            return CellState(cell.arm, cell.seed)
        state, run = self._child(
            state,
            self._work(
                cell,
                "evaluate",
                asked,
                lambda: self.children.here.evaluation(asked, trained.ended or trained.created),
            ),
        )
        return state if run is None else replace(state, stage="done", evaluate=run.id)

    def _training(self, state: CellState, config: TrainConfig) -> Run | None:
        """The run of this training; where its set is gone since, the one that knew it."""
        if state.set and not is_saved(state.set):
            was = self.children.here.run(self._was(state).train)
            return was if was is not None and was.config == config else None
        return self.children.here.training(config)

    def _with_set(self, cell: Cell, state: CellState) -> CellState:
        """The state with the name of the set, once it is there."""
        name = cell.saved
        if cell.generate is not None:
            config = self._guided_by(cell, cell.generate)
            if config is None:
                return replace(state, stage="waiting")
            state, config = self._drawn_by(cell, config, state)
            if config is None:
                return state
            state, name = self._generated(cell, config, state)
            if not name:
                return state
        if name == self._was(state).set and not is_saved(name):
            return replace(state, set=name, run="", share=0.0)
        open_set(name)
        for wish in (cell.pseudo_label, cell.select):
            if wish is None:
                continue
            part = self.children.here.part_of(name, wish, cell.seed)
            if part is None:
                if self.chores.part(name, wish, cell.seed):
                    self.children.look()
                return replace(state, stage="prepare", run="", share=0.0)
            name = part
        return replace(state, set=name, run="", share=0.0)

    def _guided_by(self, cell: Cell, config: GenerateConfig) -> GenerateConfig | None:
        """Its generation, with the learner as the encoder; None while that is not trained."""
        if not cell.learner:
            return config
        learner = self.states.get((cell.learner, cell.seed))
        if learner is not None and learner.stage in ("failed", "dropped"):
            raise CellFailedError(f"{cell.learner}, whose network guides it, was not trained")
        if learner is None or not learner.train:
            return None
        guidance = config.guidance.model_copy(update={"encoder": TRAINED + learner.train})
        return config.model_copy(update={"guidance": guidance})

    def _drawn_by(
        self, cell: Cell, config: GenerateConfig, state: CellState
    ) -> tuple[CellState, GenerateConfig | None]:
        """Its generation, with the diffusion model of its seed; None while that is not trained."""
        wanted = cell.pretrain
        if wanted is None:
            return state, config
        work = Work(
            "pretrain",
            wanted,
            lambda: self.children.here.pretraining(wanted),
            name_like(f"{self.session.name}-model-s{cell.seed}"),
        )
        state, run = self._child(state, work)
        model = self.children.here.model(wanted) if run is not None else ""
        return state, config.model_copy(update={"model": model}) if model else None

    def _generated(
        self, cell: Cell, config: GenerateConfig, state: CellState
    ) -> tuple[CellState, str]:
        """The name of the set of this content, "" while it is not there."""
        key = (cell.arm, cell.seed)
        if key not in self._contents:
            self._contents[key] = generated_content(config)
        name = self.children.here.set_of(self._contents[key])
        content, was = self._contents[key], self._was(state)
        if name is not None:
            known = state.stage != "waiting" or was.set == name
            return replace(self._reused(state, "generate", known), content=content), name
        if was.content == content and self._trained_before(was):
            return replace(state, content=content), was.set  # gone since, and not needed any more
        state, run = self._child(
            state,
            self._work(cell, "generate", config, lambda: self.children.here.generation(config)),
        )
        if run is None:
            return state, ""
        self.children.look()
        name = self.children.here.set_of(content)
        if name is None:
            raise CellFailedError(
                f"run {run.id} is finished but its set is not here: resume the experiment to make"
                " it again"
            )
        return replace(state, content=content), name

    def _trained_before(self, was: CellState) -> bool:
        """Whether an earlier sitting had finished the training on a set."""
        run = self.children.here.run(was.train) if was.train else None
        return run is not None and run.state == "finished"

    def _with_measures(self, state: CellState) -> CellState:
        """The state with the figures of its set, once they are known; they are no reason to
        wait, and none to fail, unless nothing else is asked for."""
        future = self.chores.measured(state.set)
        if future is None or future.cancelled():
            return state
        if (error := future.exception()) is not None:
            if self.config.stage == "samples":
                raise CellFailedError(sentence(error)) from error
            logger.warning("the figures of %s: %s", state.set, error)
            return state
        return replace(state, measured=future.result())

    # Children

    def _work(self, cell: Cell, kind: Any, config: Frozen, find: Callable[[], Run | None]) -> Work:
        return Work(kind, config, find, cell.name(self.session.name))

    def _child(self, state: CellState, work: Work) -> tuple[CellState, Run | None]:
        """The finished run of this content, which is started where there is none; None while it is
        not finished. Raises CellFailedError where it never will be."""
        run = self.children.run_of(work, state.run)
        if run is None:
            return replace(state, run="", share=0.0), None
        if run.state == "finished":
            was = self._was(state)
            known = run.id in self.children.mine or run.id in (state.run, was.train, was.evaluate)
            self.children.mine.discard(run.id)
            if state.run:
                self.children.look()
            if work.kind != "pretrain":  # which all arms of a seed share
                state = self._reused(state, work.kind, known)
            return replace(state, run="", share=0.0), run
        share = run.progress.share if run.progress else 0.0
        return replace(state, stage=work.kind, run=run.id, share=round(share, 3)), None

    def _stop_children(self) -> None:
        self.children.look()
        for run_id in self.children.mine:
            self.children.end(run_id)
        self.chores.stop()
        self._save()

    # The whole

    def _state(self, cell: Cell) -> CellState:
        return self.states.get((cell.arm, cell.seed)) or CellState(cell.arm, cell.seed)

    def _was(self, state: CellState) -> CellState:
        """What an earlier sitting knew of a cell."""
        return self._before.get((state.arm, state.seed), state)

    def _reused(self, state: CellState, stage: str, known: bool) -> CellState:
        """Note that a stage was here already. known: whether this experiment had it made, or had
        noted it before."""
        if (known and stage not in self._was(state).reused) or stage in state.reused:
            return state
        return replace(state, reused=(*state.reused, stage))

    def _save(self) -> None:
        self._changed = False
        spent, team = self.spent + time.monotonic() - self.began, self.children.team
        write_cells(
            self.session.folder,
            [self._written_state(state) for state in self.states.values()],
            {
                "crew": None if team is None else [team.children, team.threads],
                "spent": spent,
                "stopped": sorted(self.children.stopped),
            },
        )

    def _written_state(self, state: CellState) -> CellState:
        """What is written of a cell: one that was done before stays so until it is looked at again
        or worked on, so that a stop at once, or a further question, takes no answer away."""
        was = self._was(state)
        return was if was.stage == "done" and not state.over and not state.run else state

    def _out_of_time(self) -> bool:
        if time.monotonic() - self.children.seen > LOOK_SECONDS:
            self.children.look()
            self._save()
        hours = self.config.hours
        return hours is not None and self.spent + time.monotonic() - self.began > 3600 * hours

    def _done_parts(self) -> tuple[int, int]:
        """Of the work that is wanted as far as that is known, in thousandths of a stage."""
        done = total = 0.0
        for cell in self.design.wanted(self.states):
            stages = ["pretrain"] if cell.pretrain is not None else []
            stages += ["generate"] if cell.generate is not None else []
            stages += {"samples": [], "train": ["train"], "evaluate": ["train", "evaluate"]}[
                self.config.stage
            ]
            state = self._state(cell)
            total += len(stages)
            if state.over:
                done += len(stages)
            elif state.stage in stages:
                done += stages.index(state.stage) + state.share
            elif state.set:
                done += ("pretrain" in stages) + ("generate" in stages)
        return round(PARTS * done), max(1, round(PARTS * total))

    def _progress(self) -> None:
        done, count = self._done_parts()
        spent = time.monotonic() - self._clock
        left = time_left(
            spent, done - self._first, count - done, expected=self._expected, alike=True
        )
        self.session.progress(done, count, unit="parts", seconds_left=left)

    def _tell(self, before: int) -> int:
        """A point of the journal for every cell that is done."""
        done = sum(state.stage == "done" for state in self.states.values())
        if done > before:
            result = result_of(self.config, self.session.folder, self.session.name)
            values = {"cells": float(done)}
            for arm in result.arms:
                if arm.difference is not None and arm.difference.difference is not None:
                    values[f"difference {arm.name}"[:60]] = arm.difference.difference.value
            self.session.point(done, values)
            self.session.notice(result.verdict or None)
        return max(done, before)

    def _measure_rest(self) -> None:
        """Figures that were not waited for."""
        for key, state in self.states.items():
            while state.set in self.chores.measuring and not self.chores.measured(state.set):
                self.session.check_stop()
                time.sleep(POLL_SECONDS)
            if state.set in self.chores.measuring and not state.measured:
                self.states[key] = self._with_measures(state)
        self._save()
