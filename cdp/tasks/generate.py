"""Generating a sample set of any size: batch by batch onto the disk, going on after a kill."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from cdp import paths
from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.data.limits import valid_name
from cdp.data.rows import Chunk
from cdp.data.samples import SampleSet
from cdp.data.sets import SetWriter, open_set
from cdp.errors import Cancelled
from cdp.files.atomic import refuse_existing
from cdp.work.session import Session

if TYPE_CHECKING:
    from cdp.tasks.loaded import Loaded


class Maker:
    """What makes the images of a set. torch is loaded at the first call."""

    def _loaded(self, config: GenerateConfig) -> Loaded:
        from cdp.tasks.loaded import load_engine

        return load_engine(config)

    def shape(self, config: GenerateConfig) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        channels, height, width = self._loaded(config).model.denoiser.shape
        return height, width, channels

    def weights(self, config: GenerateConfig) -> dict[str, str]:
        """The data set, and hashes of the networks. A set begun with others is refused."""
        loaded = self._loaded(config)
        return {"dataset": loaded.dataset, "model_sha256": loaded.model.sha256} | (
            {"encoder_sha256": loaded.encoder.sha256} if loaded.encoder else {}
        )

    def labelled(self, config: GenerateConfig) -> bool:
        """Whether the images will have labels."""
        return self._loaded(config).model.denoiser.classes > 0

    def batch(
        self, config: GenerateConfig, index: int, should_stop: Callable[[], bool]
    ) -> Chunk | None:
        """Batch ``index``, the same at every call; None where it was stopped midway."""
        from cdp.tasks.batches import generate_batch

        return generate_batch(config, index, should_stop)

    def card(self, config: GenerateConfig) -> dict[str, Any]:
        """Where the images come from: settings, seeds, hashes, versions."""
        from cdp.tasks.batches import set_card

        return set_card(config)


def generate(
    config: GenerateConfig, session: Session, maker: Maker | None = None
) -> dict[str, Any]:
    """The work of a run: a set of the run's name. It may be done already: a run may have been
    killed between finishing its set and saying so."""
    out = paths.sets_dir() / session.name
    if out.exists() and open_set(out).card.get("run") == session.id:
        finished = open_set(out)
    else:
        finished = generate_set(config, out, session, maker=maker, origin={"run": session.id})
    return {"set": finished.name, "images": len(finished)}


def discard(name: str, config: GenerateConfig, target: Path) -> None:
    """Move what this run had generated into ``target``, unless somebody goes on with it."""
    partial = paths.sets_dir() / f".{name}.partial"
    if not partial.is_dir():
        return
    try:
        with FileLock(partial / "lock", timeout=0):
            shutil.move(partial, target / "partial")
    except Timeout:
        return


def generate_set(
    config: GenerateConfig,
    out: Path,
    session: Session | None = None,
    *,
    maker: Maker | None = None,
    origin: Mapping[str, Any] | None = None,
) -> SampleSet:
    """Generate ``config`` into the new folder ``out``; finished batches of an interrupted start are
    not repeated.

    origin: what else the set's card should say. Raises InputError where ``out`` exists, holds a
    partial set of other settings, or another process writes it; and Cancelled, keeping the finished
    batches, where it was stopped.
    """
    out = Path(out).expanduser().resolve()
    valid_name(out.name)
    refuse_existing(out)
    maker, session = maker or Maker(), session or Session()
    with SetWriter(
        out,
        config.count,
        maker.shape(config),
        flatten(config) | maker.weights(config),
        labelled=maker.labelled(config),
        upgrade=_today,
    ) as writer:
        session.progress(writer.done_rows, config.count)
        while writer.done_rows < config.count:
            chunk = None
            if not session.stop_requested():
                index = writer.done_rows // config.batch
                chunk = maker.batch(config, index, session.stop_requested)
            if chunk is None:
                raise Cancelled(
                    f"stopped after {writer.done_rows} of {config.count} images: start it again"
                    " with the same settings to go on"
                )
            image, label = chunk
            writer.write(slice(writer.done_rows, writer.done_rows + len(image)), image, label)
            session.progress(writer.done_rows, config.count)
        return writer.finish(maker.card(config) | dict(origin or {}))


def _today(stored: dict[str, Any]) -> dict[str, Any]:
    """What a set was begun with in today's terms, so that one of an older version goes on."""
    settings = {name: value for name, value in stored.items() if name in flatten(GenerateConfig())}
    return stored | flatten(unflatten(settings))
