"""Generating a sample set of any size: batch by batch onto the disk, in flat memory, going on after
a kill."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from cdp.config.generate import GenerateConfig, flatten, unflatten
from cdp.data.names import valid_name
from cdp.data.rows import Chunk
from cdp.data.sets import SampleSet, SetWriter
from cdp.errors import Cancelled
from cdp.files.atomic import refuse_existing
from cdp.work.progress import Progress, progress_since


class Maker(Protocol):
    """What makes the images; cdp.tasks, or a stand-in of tests."""

    def shape(self, config: GenerateConfig) -> tuple[int, int, int]:
        """(H, W, C) of one image."""
        ...

    def weights(self, config: GenerateConfig) -> dict[str, str]:
        """What the settings come to: the data set, and hashes of the networks. A set begun with
        others is not gone on with."""
        ...

    def labelled(self, config: GenerateConfig) -> bool:
        """Whether the images will have labels."""
        ...

    def batch(
        self, config: GenerateConfig, index: int, should_stop: Callable[[], bool]
    ) -> Chunk | None:
        """Batch ``index``: (b,H,W,C) uint8 and (b,) labels or None, the same at every call; None
        where it was stopped midway."""
        ...

    def card(self, config: GenerateConfig) -> dict[str, Any]:
        """Where the images come from: settings, seeds, hashes, versions."""
        ...


class TaskMaker:
    """The real maker. cdp.tasks loads torch, so it is imported at the first call."""

    def shape(self, config: GenerateConfig) -> tuple[int, int, int]:
        from cdp.tasks.loaded import load_engine

        channels, height, width = load_engine(config).model.denoiser.shape
        return height, width, channels

    def weights(self, config: GenerateConfig) -> dict[str, str]:
        from cdp.tasks.loaded import load_engine

        loaded = load_engine(config)
        return {"dataset": loaded.dataset, "model_sha256": loaded.model.sha256} | (
            {"encoder_sha256": loaded.encoder.sha256} if loaded.encoder else {}
        )

    def labelled(self, config: GenerateConfig) -> bool:
        from cdp.tasks.loaded import load_engine

        return load_engine(config).model.denoiser.classes > 0

    def batch(
        self, config: GenerateConfig, index: int, should_stop: Callable[[], bool]
    ) -> Chunk | None:
        from cdp.tasks.batches import generate_batch

        return generate_batch(config, index, should_stop)

    def card(self, config: GenerateConfig) -> dict[str, Any]:
        from cdp.tasks.cards import set_card

        return set_card(config)


def generate_set(
    config: GenerateConfig,
    out: Path,
    *,
    on_progress: Callable[[Progress], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
    maker: Maker | None = None,
    origin: Mapping[str, Any] | None = None,
) -> SampleSet:
    """Generate ``config`` into the new folder ``out``; finished batches of an interrupted start are
    not repeated.

    on_progress: called at the start and after every batch. should_stop: asked before every batch
    and every step. origin: what else the set's card should say of where it comes from.
    Raises InputError where ``out`` exists, holds a partial set of other settings, or another
    process writes it; and Cancelled, keeping the finished batches, where it was stopped.
    """
    out = Path(out).expanduser().resolve()
    valid_name(out.name)
    refuse_existing(out)
    maker = maker or TaskMaker()
    begun = flatten(config) | maker.weights(config)
    with SetWriter(
        out,
        config.count,
        maker.shape(config),
        begun,
        labelled=maker.labelled(config),
        upgrade=_today,
    ) as writer:
        resumed, began = writer.done_rows, time.monotonic()

        def tell() -> None:
            on_progress(
                progress_since(
                    began, done=writer.done_rows, count=config.count, resumed_from=resumed
                )
            )

        tell()
        while writer.done_rows < config.count:
            made = (
                None
                if should_stop()
                else maker.batch(config, writer.done_rows // config.batch, should_stop)
            )
            if made is None:
                raise Cancelled(
                    f"stopped after {writer.done_rows} of {config.count} images: start it again"
                    " with the same settings to go on"
                )
            image, label = made
            writer.write(slice(writer.done_rows, writer.done_rows + len(image)), image, label)
            tell()
        return writer.finish(maker.card(config) | dict(origin or {}))


def _today(stored: dict[str, Any]) -> dict[str, Any]:
    """What a set was begun with, its settings in today's terms, so that one begun by an older
    version is gone on with."""
    settings = {name: value for name, value in stored.items() if name in flatten(GenerateConfig())}
    return stored | flatten(unflatten(settings))
