"""The live engine: one worker for all tabs, a bounded queue, cancel and failure per job."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cdp.config.generate import GenerateConfig, Sampler
from cdp.errors import CdpError, InputError
from cdp.values.types import Frame, LiveResult
from cdp.work.live import FRAME_BYTES, Engine, Job
from cdp.work.session import Session
from tests.work.fakes import FakeLive, make_frame, make_result

CONFIG = GenerateConfig(count=4, sampler=Sampler(steps=5))
OTHER = GenerateConfig(count=4, seed=7, sampler=Sampler(steps=5))
Make = Callable[..., Engine]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Engines with a fake sampler, shut down at the end of the test."""
    engines: list[Engine] = []

    def build(live: object, **options: object) -> Engine:
        engine = Engine(live=live, **({"load": lambda config: None} | options))
        engines.append(engine)
        return engine

    yield build
    for engine in engines:
        engine.close(5)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.005)


def test_a_job_ends_done_with_every_frame_in_order_and_a_complete_result(make: Make) -> None:
    job = make(FakeLive(free=True)).submit(CONFIG)
    assert job.wait(10)
    expected = ("done", None, 1.0, 0.0, 0)
    assert (job.state, job.error, job.progress, job.seconds_left, job.position) == expected
    assert [frame.i for frame in job.frames] == [1, 2, 3, 4, 5]
    assert job.result.complete
    assert job.asked <= job.started <= job.finished


def test_jobs_of_two_tabs_submitted_at_once_run_one_after_the_other_each_with_its_own_images(
    make: Make,
) -> None:
    live = FakeLive(free=True)
    engine = make(live)
    start, jobs = threading.Barrier(2), []

    def tab(config: GenerateConfig) -> None:
        start.wait()
        jobs.append((config, engine.submit(config)))

    tabs = [threading.Thread(target=tab, args=(config,)) for config in (CONFIG, OTHER)]
    for thread in tabs:
        thread.start()
    for thread in tabs:
        thread.join()
    assert all(job.wait(10) for _, job in jobs)
    assert live.most_active == 1
    assert all(
        job.config == config and job.state == "done" and len(job.frames) == 5
        for config, job in jobs
    )


def test_position_counts_from_the_next_job_and_moves_up(make: Make) -> None:
    live = FakeLive()
    engine = make(live)
    first, second, third = (engine.submit(CONFIG) for _ in range(3))
    until(lambda: first.state == "running")
    assert (first.position, second.position, third.position) == (0, 1, 2)
    live.step(5)
    until(lambda: second.state == "running")
    assert (second.position, third.position) == (0, 1)


def test_a_full_queue_refuses_with_the_remedy_and_takes_jobs_again_once_one_left(
    make: Make,
) -> None:
    engine = make(FakeLive(), waiting=2)
    running = engine.submit(CONFIG)
    until(lambda: running.state == "running")
    waiting = [engine.submit(CONFIG) for _ in range(2)]
    with pytest.raises(CdpError, match=r"2 generations are waiting already: .* cancel one"):
        engine.submit(CONFIG)
    waiting[0].cancel()
    assert engine.submit(CONFIG).position == 2


def test_cancelling_a_queued_job_is_immediate_and_it_never_runs(make: Make) -> None:
    live = FakeLive()
    engine = make(live)
    first, second, third = engine.submit(CONFIG), engine.submit(OTHER), engine.submit(CONFIG)
    until(lambda: first.state == "running")
    second.cancel()
    expected = ("cancelled", None, 0, 1)
    assert (second.state, second.result, second.position, third.position) == expected
    live.step(10)
    assert third.wait(10)
    assert OTHER not in live.calls


def test_cancelling_a_running_job_keeps_the_frames_and_images_made_so_far(make: Make) -> None:
    live = FakeLive()
    engine = make(live)
    job = engine.submit(CONFIG)
    live.step(2)
    until(lambda: len(job.frames) == 2)
    assert job.progress == 0.4
    job.cancel()
    assert job.wait(10)
    assert job.state == "cancelled"
    assert [frame.i for frame in job.frames] == [1, 2]
    assert not job.result.complete


def test_cancelling_twice_or_after_the_end_changes_nothing(make: Make) -> None:
    job = make(FakeLive(free=True)).submit(CONFIG)
    assert job.wait(10)
    job.cancel()
    job.cancel()
    assert job.state == "done"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            InputError("encoder 'x' is not there: choose another"),
            "encoder 'x' is not there: choose another",
        ),
        (
            RuntimeError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
            "there is not enough memory for this batch: lower batch",
        ),
        (OSError(28, "No space left on device"), "the disk is full"),
        (ZeroDivisionError("division by zero"), "unexpected ZeroDivisionError (division by zero)"),
    ],
)
def test_a_failed_job_says_why_in_one_line_and_the_next_one_runs(
    make: Make, error: Exception, said: str
) -> None:
    def live(
        config: GenerateConfig, session: Session, *, compare: bool
    ) -> Iterator[Frame | LiveResult]:
        yield make_frame(1, 5)
        if config == OTHER:
            raise error
        yield make_result(config, complete=True)

    engine = make(live)
    bad, good = engine.submit(OTHER), engine.submit(CONFIG)
    assert bad.wait(10)
    assert good.wait(10)
    assert (bad.state, len(bad.frames), good.state) == ("failed", 1, "done")
    assert said in bad.error
    assert "\n" not in bad.error


def test_a_sampler_that_ends_without_a_result_is_a_failure(make: Make) -> None:
    job = make(lambda config, session, *, compare: iter(())).submit(CONFIG)
    assert job.wait(10)
    assert job.state == "failed"


def test_finished_jobs_stay_in_memory_until_newer_ones_push_them_to_the_disk(make: Make) -> None:
    engine = make(FakeLive(free=True), kept=2)
    jobs = []
    for _ in range(4):
        jobs.append(engine.submit(CONFIG))
        assert jobs[-1].wait(10)
    until(lambda: engine.job(jobs[1].id) is not jobs[1])
    assert [engine.job(job.id) is job for job in jobs] == [False, False, True, True]
    again = engine.job(jobs[0].id)
    assert again is not None and (again.state, len(again.frames), again.kept) == ("done", 5, True)
    assert engine.job("no such id") is None


def test_an_idle_engine_holds_no_frame_of_a_job_that_was_dropped(make: Make) -> None:
    engine = make(FakeLive(free=True), kept=0)
    job = engine.submit(CONFIG)
    assert job.wait(10)
    job_id, frame = job.id, weakref.ref(job.frames[-1])
    until(lambda: job_id not in engine._jobs)
    del job
    until(lambda: gc.collect() >= 0 and frame() is None)


def test_a_job_never_holds_more_frames_than_its_budget_and_always_the_last_of_a_batch() -> None:
    job, total = (
        Job(GenerateConfig(count=4, batch=2, sampler=Sampler(steps=201)), compare=False),
        402,
    )
    job.begin()
    for i in range(1, total + 1):
        job.show(make_frame(i, total, images=1, side=1024))
    assert sum(frame.guided.nbytes for frame in job.frames) <= FRAME_BYTES + 3 * 2**20
    assert len(job.frames) > 50
    assert {201, 402} <= {frame.i for frame in job.frames}
    assert job.progress == 1.0


def test_time_left_follows_the_measured_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    job = Job(CONFIG, compare=False, expected=7.0)
    assert job.seconds_left == 7.0
    job.begin()
    now[0] += 1
    assert job.seconds_left == 6.0
    for i in (1, 2, 3):
        now[0] += 2
        job.show(make_frame(i, 5))
    assert job.seconds_left == pytest.approx(4.0)
    now[0] += 1
    assert job.seconds_left == pytest.approx(3.0)


def test_warming_loads_the_models_and_measures_the_cost_in_the_worker(make: Make) -> None:
    loaded: list[str] = []
    engine = make(
        FakeLive(free=True), load=lambda config: loaded.append(threading.current_thread().name)
    )
    assert engine.estimate(CONFIG) is None
    engine.warm(CONFIG)
    until(lambda: engine.estimate(CONFIG) is not None)
    assert loaded == ["cdp-engine"]


def test_the_engine_tells_that_it_is_loading_until_it_has_loaded(make: Make) -> None:
    entered, gate = threading.Event(), threading.Event()

    def load(_: GenerateConfig) -> None:
        entered.set()
        gate.wait(10)

    engine = make(FakeLive(free=True), load=load)
    assert not engine.warming
    engine.warm(CONFIG)
    assert entered.wait(10)
    assert engine.warming
    gate.set()
    assert engine.submit(CONFIG).wait(10)
    assert not engine.warming


def test_a_job_goes_before_a_warm_up_and_interrupts_its_trial(make: Make) -> None:
    live = FakeLive()
    engine = make(live)
    engine.warm(OTHER)
    until(lambda: len(live.calls) == 1)
    job = engine.submit(CONFIG)
    until(lambda: job.state == "running")
    live.step(5)
    assert job.wait(10)
    assert job.state == "done"


def test_a_warm_up_that_fails_leaves_the_engine_at_work(make: Make) -> None:
    def load(config: GenerateConfig) -> None:
        raise InputError("no such model: choose another")

    engine = make(FakeLive(free=True), load=load)
    engine.warm(CONFIG)
    assert engine.submit(CONFIG).wait(10)


def test_a_closed_engine_cancels_its_jobs_and_refuses_new_ones(make: Make) -> None:
    engine = make(FakeLive())
    running, queued = engine.submit(CONFIG), engine.submit(CONFIG)
    until(lambda: running.state == "running")
    engine.close(5)
    assert (running.state, queued.state) == ("cancelled", "cancelled")
    with pytest.raises(CdpError, match="shut down"):
        engine.submit(CONFIG)
