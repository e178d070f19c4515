"""Runs that train a model or an encoder: into its store, with a journal and live sample sheets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.errors import InputError
from cdp.files.atomic import move_folder, remove_folder
from cdp.models.checkpoints import require_json, training_folder
from cdp.models.encoders import encoder_folder
from cdp.models.pipelines import model_folder
from cdp.tasks.pretrain.shared import settings_of
from cdp.work.session import Session
from cdp.work.task import Note

if TYPE_CHECKING:
    from torch import Tensor

    from cdp.tasks.pretrain.shared import OnProgress, ShouldStop, TrainingProgress
    from cdp.tasks.pretrain.sheet import Sheet

SHEET = "sheet.npz"
POINTS = 400
"""Points of a whole run's curve, about."""
SHEET_SECONDS = 60.0
"""Between two sheets at least; they are made where a checkpoint was just written."""

logger = logging.getLogger(__name__)


def run_pretrain(
    config: PretrainConfig | EncoderConfig,
    *,
    on_progress: OnProgress | None = None,
    should_stop: ShouldStop | None = None,
) -> Path:
    """Train a diffusion model or an encoder to the end; returns its folder. on_progress is called
    after every step, should_stop asked there. Raises Cancelled once stopped; started again with the
    same config it goes on, an encoder after its last whole epoch."""
    from cdp.tasks.pretrain.shared import drive

    drive(_training(config), on_progress, should_stop)
    return _folder(config)


def _training(config: PretrainConfig | EncoderConfig) -> Generator[TrainingProgress, None, None]:
    if isinstance(config, PretrainConfig):
        from cdp.tasks.pretrain.diffusion import pretrain

        return pretrain(config)
    from cdp.tasks.pretrain.encoder import pretrain_encoder

    return pretrain_encoder(config)


def _folder(config: PretrainConfig | EncoderConfig) -> Path:
    return model_folder(config) if isinstance(config, PretrainConfig) else encoder_folder(config)


def pretrain_model(config: PretrainConfig, session: Session) -> dict[str, Any]:
    """Train a diffusion model to the end, or from its checkpoint to it."""
    target = model_folder(config)
    if made_already(session, target):
        return {"folder": str(target)}
    stride = -(-config.steps // POINTS)
    first, losses = left_at(target)
    curve = LossCurve(
        session,
        lambda step: step % stride == 0 or step == config.steps,
        before=losses[first - first % stride :],
    )
    sheets = _Sheets(config, session.folder / SHEET, session.stop_requested)

    def take(progress: TrainingProgress) -> None:
        curve.take(progress.step, progress.loss)
        if (
            progress.step > config.save_every
            and progress.step % config.save_every == 1 % config.save_every
        ):  # the step after a checkpoint
            sheets.show_checkpoint(training_folder(target) / "state.safetensors")

    _drive(_training(config), session, first, take)
    sheets.show_model(target)
    return {"folder": str(target), "steps": config.steps, "loss": curve.last}


def pretrain_encoder(config: EncoderConfig, session: Session) -> dict[str, Any]:
    """Train an encoder to the end, or from its last whole epoch to it."""
    target = encoder_folder(config)
    if made_already(session, target):
        return {"folder": str(target)}
    first, _ = left_at(target)
    curve = LossCurve(session, lambda step: False)
    latest: list[TrainingProgress] = []

    def take(progress: TrainingProgress) -> None:
        if not latest:
            curve.ends, curve.restarts = epoch_windows(config.epochs, progress.total)
        latest[:] = [progress]
        curve.take(
            progress.step,
            progress.loss,
            score=progress.score if curve.restarts(progress.step) else None,
        )

    _drive(_training(config), session, first, take)
    final = latest[0] if latest else None
    return {
        "folder": str(target),
        "steps": final and final.step,
        "loss": curve.last,
        "score": final and final.score,
    }


class LossCurve:
    """Mean losses into the journal, the same for a resumed run as for an unbroken one."""

    def __init__(
        self, session: Session, ends: Callable[[int], bool], *, before: Sequence[float] = ()
    ) -> None:
        """ends: whether a point is due; before: losses since the last point of an earlier start."""
        self._session, self._window = session, list(before)
        self.ends = ends
        self.restarts: Callable[[int], bool] = ends
        self.last: float | None = None

    def take(self, step: int, loss: float, score: float | None = None) -> None:
        """One more step; score: to go with its point."""
        self._window.append(loss)
        self.last = sum(self._window) / len(self._window)
        if self.ends(step):
            self._session.point(
                step, {"loss": self.last} | ({} if score is None else {"score": score})
            )
        if self.ends(step) or self.restarts(step):
            self._window.clear()


def epoch_windows(epochs: int, total: int) -> tuple[Callable[[int], bool], Callable[[int], bool]]:
    """After which steps a point is due, and after which an epoch ends. No window spans epochs."""
    per_epoch = total // epochs
    stride = -(-per_epoch // max(1, POINTS // epochs))
    every = -(-epochs // POINTS)

    def ends(step: int) -> bool:
        epoch, offset = divmod(step, per_epoch)
        return step == total or (
            epoch % every == 0 if offset == 0 else every == 1 and offset % stride == 0
        )

    return ends, lambda step: step % per_epoch == 0


def made_already(session: Session, target: Path) -> bool:
    """Whether the run was killed between finishing what it makes and saying so."""
    before = session.before
    complete = before is not None and before.done == before.count
    if (
        not complete
        or not target.exists()
        or (training_folder(target) / "state.safetensors").exists()
    ):
        return False
    remove_folder(training_folder(target))
    return True


def left_at(target: Path) -> tuple[int, list[float]]:
    """The step of the checkpoint of an earlier start, and the losses up to it."""
    state = _tensors(
        training_folder(target) / "state.safetensors", lambda name: name in ("step", "losses")
    )
    losses = state.get("losses")
    return int(state.get("step", 0)), [] if losses is None else losses.tolist()


def discard(name: str, config: PretrainConfig | EncoderConfig, target: Path, note: Note) -> None:
    """Move the checkpoint of this run's own unfinished training into ``target``."""
    folder = training_folder(_folder(config))
    try:
        begun_with = settings_of(require_json(folder / "config.json"))
        own = begun_with == settings_of(config.model_dump(mode="json"))
    except InputError:
        return
    if own:
        note(folder, target / "training")
        move_folder(folder, target / "training")


def _drive(
    training: Generator[TrainingProgress, None, None],
    session: Session,
    first: int,
    take: Callable[[TrainingProgress], None],
) -> None:
    """Run to the end, or save and raise Cancelled. first: the step it goes on from."""
    from cdp.tasks.pretrain.shared import drive

    session.cut(first)
    session.begin(first)

    def note(progress: TrainingProgress) -> None:
        left = progress.seconds_left
        session.progress(progress.step, progress.total, unit="steps", seconds_left=left)
        take(progress)

    drive(training, note, session.stop_requested, "resume it to go on")


def _tensors(path: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """Some tensors of a checkpoint; none where there is no sound one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys() if wanted(name)}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError):
        return {}


class _Sheets:
    """sheet.npz of a diffusion model. Whatever goes wrong with a sheet, the training goes on."""

    def __init__(self, config: PretrainConfig, path: Path, should_stop: Callable[[], bool]) -> None:
        from cdp.data.registry import dataset_info
        from cdp.tasks.pretrain.sheet import SheetMaker

        self._maker = SheetMaker(config, dataset_info(config.dataset))
        self._path, self._should_stop = path, should_stop
        self._last_sheet = -SHEET_SECONDS

    def show_checkpoint(self, state: Path) -> None:
        """Replace the sheet where the last is old enough."""
        if time.monotonic() - self._last_sheet < SHEET_SECONDS:
            return
        self._show(
            lambda: self._maker.of_checkpoint(
                _tensors(state, lambda name: name.startswith("ema.") or name == "step"),
                self._should_stop,
            )
        )
        self._last_sheet = time.monotonic()

    def show_model(self, folder: Path) -> None:
        """The last sheet."""
        self._show(lambda: self._maker.of_model(folder, self._should_stop))

    def _show(self, make: Callable[[], Sheet | None]) -> None:
        try:
            sheet = make()
            if sheet is not None:
                sheet.save(self._path)
        except Exception:
            logger.exception("the sample sheet could not be made")
