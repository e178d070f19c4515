"""Generating a sample set of any size: batch by batch onto the disk, going on after a kill.

On a processor as many batches are sampled at a time as there are cores, each by one thread: threads
that share a batch wait for each other at every layer (docs/decisions/0029).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
from cdp.files.atomic import move_folder, refuse_existing
from cdp.work.session import Session
from cdp.work.task import Note
from cdp.work.worker import keep_memory

if TYPE_CHECKING:
    from cdp.tasks.loaded import Loaded

MOST_IMAGES = 4096
"""Sampled at a time, all batches together: as much memory as the largest batch may take."""


@dataclass(frozen=True)
class Lanes:
    """How many batches are sampled at a time, and by how many threads each."""

    count: int
    threads: int


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
        networks = {"model": loaded.model, "weak_model": loaded.weak, "encoder": loaded.encoder}
        return {"dataset": loaded.dataset} | {
            f"{name}_sha256": network.sha256 for name, network in networks.items() if network
        }

    def labelled(self, config: GenerateConfig) -> bool:
        """Whether the images will have labels."""
        return self._loaded(config).model.denoiser.classes > 0

    def lanes(self, config: GenerateConfig, batches: int) -> Lanes:
        """How so many batches are shared out."""
        import torch

        if self._loaded(config).device.type != "cpu":
            return Lanes(1, 1)
        threads = torch.get_num_threads()
        count = max(1, min(threads, batches, MOST_IMAGES // config.batch))
        return Lanes(count, threads // count)

    def batch(
        self, config: GenerateConfig, index: int, should_stop: Callable[[], bool]
    ) -> Chunk | None:
        """Batch ``index``, the same at every call; None where it was stopped midway. May be called
        from several threads at a time."""
        from cdp.tasks.batches import generate_batch

        return generate_batch(config, index, should_stop)

    def card(self, config: GenerateConfig) -> dict[str, Any]:
        """Where the images come from: settings, seeds, hashes, versions."""
        from cdp.tasks.batches import batch_count, set_card

        return set_card(config) | {"threads": self.lanes(config, batch_count(config)).threads}


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


def discard(name: str, config: GenerateConfig, target: Path, note: Note) -> None:
    """Move what this run had generated into ``target``, unless somebody goes on with it."""
    partial = paths.sets_dir() / f".{name}.partial"
    if partial.is_dir():
        with suppress(Timeout), FileLock(partial / "lock", timeout=0):
            note(partial, target / "partial")
            move_folder(partial, target / "partial")


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
    keep_memory()
    with SetWriter(
        out,
        config.count,
        maker.shape(config),
        flatten(config) | maker.weights(config),
        labelled=maker.labelled(config),
        upgrade=_today,
    ) as writer:
        session.progress(writer.done_rows, config.count)
        left = range(writer.done_rows // config.batch, -(-config.count // config.batch))
        with _batches(config, maker, left, session.stop_requested) as chunks:
            for chunk in chunks:
                if chunk is None:
                    raise Cancelled(
                        f"stopped after {writer.done_rows} of {config.count} images: start it again"
                        " with the same settings to go on"
                    )
                image, label = chunk
                writer.write(slice(writer.done_rows, writer.done_rows + len(image)), image, label)
                session.progress(writer.done_rows, config.count)
        return writer.finish(maker.card(config) | dict(origin or {}))


@contextmanager
def _batches(
    config: GenerateConfig, maker: Maker, left: range, should_stop: Callable[[], bool]
) -> Iterator[Iterator[Chunk | None]]:
    """The batches of ``left`` in order, None from the first on that was stopped. Whatever ends the
    block, no batch is being sampled after it."""
    lanes = maker.lanes(config, len(left))
    if lanes.count == 1:
        yield (None if should_stop() else maker.batch(config, index, should_stop) for index in left)
        return
    over = threading.Event()

    def sampled(index: int) -> Chunk | None:
        stops = over.is_set() or should_stop()
        return None if stops else maker.batch(config, index, lambda: over.is_set() or should_stop())

    def in_order(pool: ThreadPoolExecutor) -> Iterator[Chunk | None]:
        ahead: deque[Future[Chunk | None]] = deque()
        for index in left:
            ahead.append(pool.submit(sampled, index))
            if (
                len(ahead) > lanes.count
            ):  # one more than is sampled, so that no lane waits for the disk
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    with _pool(lanes) as pool:
        try:
            yield in_order(pool)
        finally:
            over.set()


@contextmanager
def _pool(lanes: Lanes) -> Iterator[ThreadPoolExecutor]:
    """A thread for each lane. torch keeps the number of threads to compute with by thread; that of
    threads which compute for the first time is put back."""
    import torch

    before, ready = torch.get_num_threads(), threading.Barrier(lanes.count + 1)

    def begin() -> None:
        torch.get_num_threads()  # counts as computing for the first time
        torch.set_num_threads(lanes.threads)
        ready.wait()

    with ThreadPoolExecutor(lanes.count, "lane", initializer=begin) as pool:
        for _ in range(lanes.count):
            pool.submit(lambda: None)
        ready.wait()
        torch.set_num_threads(before)
        yield pool


def _today(stored: dict[str, Any]) -> dict[str, Any]:
    """What a set was begun with in today's terms, so that one of an older version goes on."""
    settings = {name: value for name, value in stored.items() if name in flatten(GenerateConfig())}
    return stored | flatten(unflatten(settings))
