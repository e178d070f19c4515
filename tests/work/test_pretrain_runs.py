"""Training a diffusion model or an encoder as a run: stopped and resumed it makes what an unbroken
run makes, curve included."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cdp.config.knobs import Frozen
from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.sets import save_set
from cdp.errors import Cancelled, InputError
from cdp.models.checkpoints import training_folder
from cdp.models.encoders import load_encoder
from cdp.models.pipelines import load_pipeline
from cdp.tasks.pretrain import run as pretrain_run
from cdp.tasks.pretrain.run import POINTS, LossCurve, epoch_windows
from cdp.work.journal import Journal, read_journal
from cdp.work.launch import delete, launch, stop
from cdp.work.records import Run, get_run
from cdp.work.registry import TASKS
from cdp.work.session import Progress, Session
from tests.work.inprocess import here as here
from tests.work.processes import done, until

MODEL = PretrainConfig(
    dataset="toys", steps=30, batch=4, widths=(32, 32), patch=1, precision="fp32", save_every=7
)
ENCODER = EncoderConfig(dataset="toys", epochs=8, batch=8, widths=(4, 4), shift=1, precision="fp32")


@pytest.fixture(autouse=True)
def _toys(cdp_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums have the same order in every worker."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    rng = np.random.default_rng(0)
    label = np.arange(60) % 3
    image = (label * 60)[:, None, None, None] + rng.integers(0, 60, (60, 8, 8, 1))
    save_set(
        "toys", image.astype(np.uint8), label, {"source": "test", "class_names": ["a", "b", "c"]}
    )


def curve(run: Run) -> list[tuple[int, dict[str, float]]]:
    return [(point.step, point.values) for point in read_journal(run.folder / "metrics.jsonl")]


def weights(result: dict[str, Any]) -> bytes:
    return next(Path(result["folder"]).rglob("*.safetensors")).read_bytes()


def test_a_model_in_training_shows_sheets_and_a_stop_keeps_its_checkpoint(
    cdp_home: Path, here: None
) -> None:
    run_id = launch(TASKS["pretrain"], MODEL.model_copy(update={"steps": 100_000}), "mine")
    run = until(run_id, lambda run: (run.folder / "sheet.npz").exists(), 120)
    with np.load(run.folder / "sheet.npz") as sheet:
        assert sheet["image"].shape == (6, 8, 8, 1)
        assert int(sheet["step"]) == MODEL.save_every
    stop(run_id)
    run = until(run_id, lambda run: run.over, 20)
    assert (run.state, run.error) == ("stopped", None)
    folder = training_folder(cdp_home / "models" / "mine")
    assert (folder / "state.safetensors").exists()
    target = delete(run_id)
    assert (target / "training" / "state.safetensors").exists()
    assert not folder.exists()


class Told:
    """A context that keeps what it is told, and stops when asked for the n-th time."""

    def __init__(self, run: Run, stop_at: int = 10**9) -> None:
        self.progress: list[Progress] = []
        self.left = stop_at
        self.session = Session(
            run.folder,
            name=run.name,
            before=get_run(run.id).progress,
            on_progress=self.progress.append,
            should_stop=self.should_stop,
            journal=Journal(run.folder / "metrics.jsonl", notice=print),
        )

    def should_stop(self) -> bool:
        self.left -= 1
        return self.left <= 0


def idle(kind: str, config: Frozen, name: str = "mine") -> Run:
    """A run that no worker works on."""
    run_id = launch(TASKS[kind], config, name, command=("true",))
    return until(run_id, lambda run: run.over)


@pytest.mark.parametrize(
    ("kind", "config", "points"), [("pretrain", MODEL, 30), ("pretrain-encoder", ENCODER, 8 * 6)]
)
def test_a_stopped_training_goes_on_to_the_weights_and_the_curve_of_an_unbroken_one(
    kind: str, config: Frozen, points: int
) -> None:
    task, whole, broken = TASKS[kind], idle(kind, config, "whole"), idle(kind, config, "broken")
    result = task.run(whole.config, Told(whole).session)
    with pytest.raises(Cancelled):
        task.run(broken.config, Told(broken, stop_at=20).session)
    told = Told(broken)
    again = task.run(broken.config, told.session)
    assert told.progress[0].resumed_from > 0
    last = told.progress[-1]
    assert (last.done, last.count, last.unit) == (points, points, "steps")
    assert len(curve(whole)) == points
    assert curve(whole) == curve(broken)
    assert weights(result) == weights(again)
    assert result | {"folder": ""} == again | {"folder": ""}


def test_a_run_killed_between_its_model_and_its_last_word_is_finished_without_training() -> None:
    run = idle("pretrain", MODEL.model_copy(update={"steps": 3}))
    told = Told(run)
    result = TASKS["pretrain"].run(run.config, told.session)
    assert load_pipeline("mine").card["training"]["steps"] == 3
    made = (Path(result["folder"]) / "card.json").stat().st_mtime_ns
    last = {"done": 3, "count": 3, "seconds": 1.0, "seconds_left": 0.0, "rate": 1.0}
    last |= {"resumed_from": 0, "unit": "steps"}
    (run.folder / "status.json").write_text(json.dumps({"state": "running", "progress": last}))
    again = Told(run)
    assert TASKS["pretrain"].run(run.config, again.session) == {"folder": result["folder"]}
    assert again.progress == []
    assert (Path(result["folder"]) / "card.json").stat().st_mtime_ns == made


def test_a_model_of_somebody_else_under_the_name_is_not_taken_for_the_runs_own(
    cdp_home: Path,
) -> None:
    run = idle("pretrain", MODEL)
    (cdp_home / "models" / "mine").mkdir(parents=True)
    with pytest.raises(InputError, match="exists already"):
        TASKS["pretrain"].run(run.config, Told(run).session)


def test_the_checkpoint_of_another_training_is_left_where_it_is(cdp_home: Path) -> None:
    run = idle("pretrain", MODEL)
    with pytest.raises(Cancelled, match="resume it to go on"):
        TASKS["pretrain"].run(run.config, Told(run, stop_at=3).session)
    folder = training_folder(cdp_home / "models" / "mine")
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"seed": 99}))
    delete(run.id)
    assert (folder / "state.safetensors").exists()


def test_an_encoder_run_ends_with_its_encoder_and_its_held_out_score() -> None:
    run = idle("pretrain-encoder", ENCODER.model_copy(update={"epochs": 2}))
    result = TASKS["pretrain-encoder"].run(run.config, Told(run).session)
    encoder = load_encoder("mine", "toys")
    assert encoder.card["training"]["held_out_score"][-1] == pytest.approx(
        result["score"], abs=1e-4
    )
    assert [step for step, values in curve(run) if "score" in values] == [6, 12]
    assert result["steps"] == 12


def test_a_sheet_that_cannot_be_made_does_not_end_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cdp.tasks.pretrain.sheet.Sheet.save", full)
    run = idle("pretrain", MODEL.model_copy(update={"steps": 8}))
    result = TASKS["pretrain"].run(run.config, Told(run).session)
    assert result["steps"] == 8
    assert not (run.folder / "sheet.npz").exists()


def test_sheets_are_made_where_a_checkpoint_is_new_and_not_too_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steps: list[int] = []
    monkeypatch.setattr(
        "cdp.tasks.pretrain.sheet.Sheet.save", lambda sheet, path: steps.append(sheet.step)
    )
    run = idle("pretrain", MODEL.model_copy(update={"steps": 29}))
    TASKS["pretrain"].run(run.config, Told(run).session)
    assert steps == [7, 29]
    monkeypatch.setattr(pretrain_run, "SHEET_SECONDS", 0.0)
    run = idle("pretrain", MODEL.model_copy(update={"steps": 29}), "other")
    steps.clear()
    TASKS["pretrain"].run(run.config, Told(run).session)
    assert steps == [7, 14, 21, 28, 29]


class Kept:
    def __init__(self) -> None:
        self.points: list[tuple[int, dict[str, float]]] = []

    def append(self, step: int, values: dict[str, float]) -> None:
        self.points.append((step, values))

    def cut(self, step: int) -> None:
        self.points = [point for point in self.points if point[0] <= step]


def test_points_are_means_over_the_steps_since_the_point_before() -> None:
    kept = Kept()
    thin = LossCurve(Session(journal=kept), lambda step: step % 3 == 0, before=[1.0, 2.0])
    for step, loss in enumerate([6.0, 1.0, 2.0, 3.0, 9.0], start=6):
        thin.take(step, loss)
    assert kept.points == [(6, {"loss": 3.0}), (9, {"loss": 2.0})]


@pytest.mark.parametrize("per_epoch", [1, 7, 400])
@pytest.mark.parametrize("epochs", [1, 3, 200, 399, 401, 3000])
def test_an_encoders_curve_has_a_bounded_number_of_points_and_the_last_step(
    epochs: int, per_epoch: int
) -> None:
    total = epochs * per_epoch
    ends, restarts = epoch_windows(epochs, total)
    due = [step for step in range(1, total + 1) if ends(step)]
    assert due[-1] == total
    assert min(total, POINTS // 2) <= len(due) <= 2 * POINTS
    assert [step for step in range(1, total + 1) if restarts(step)] == [
        per_epoch * (i + 1) for i in range(epochs)
    ]
    if epochs <= POINTS:
        assert set(due) >= {per_epoch * (i + 1) for i in range(epochs)}
    assert all(before < after for before, after in itertools.pairwise(due))


def test_progress_is_done_before_the_model_is(cdp_home: Path) -> None:
    """Which is what tells a finished model from one of somebody else."""
    run = idle("pretrain", MODEL.model_copy(update={"steps": 2}))
    told = Told(run)
    TASKS["pretrain"].run(run.config, told.session)
    assert [(p.done, p.count, p.resumed_from) for p in told.progress] == [(1, 2, 0), (2, 2, 0)]
    assert done(run) == 0
