"""The real worker with a real (tiny, random) diffusion model: killed and resumed, it makes the
images of an unbroken run."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cdp.config.generate import GenerateConfig, Guidance, Sampler
from cdp.data.sets import open_set
from cdp.models.denoiser import build_unet
from cdp.models.pipelines import save_pipeline
from cdp.tasks.generate import generate_set
from cdp.work.launch import launch, resume
from cdp.work.live import Engine
from cdp.work.records import get_run, log_tail
from cdp.work.registry import TASKS
from cdp.work.task import lazy

CARD = {
    "dataset": "tiny",
    "shape": [1, 8, 8],
    "patch": 1,
    "classes": 3,
    "class_names": ["a", "b", "c"],
}
SCHEDULER = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sums have the same order in this process and in the workers."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GenerateConfig:
    """A model of its own kind of data, for which there is no judge."""
    monkeypatch.setenv("CDP_HOME", str(tmp_path))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unet = build_unet((1, 8, 8), patch=1, classes=3, widths=(32, 32), layers=1)
    save_pipeline(tmp_path / "models" / "tiny-8px", unet, SCHEDULER, CARD)
    guidance, sampler = Guidance(loss="none", strength=0), Sampler(steps=40, precision="fp32")
    return GenerateConfig(
        model="tiny-8px",
        dataset="tiny",
        count=40,
        batch=4,
        seed=5,
        guidance=guidance,
        sampler=sampler,
    )


def test_a_killed_run_of_a_real_model_resumes_to_the_images_of_an_unbroken_one(
    tmp_path: Path, config: GenerateConfig
) -> None:
    run_id = launch(TASKS["generate"], config, "night")
    end = time.monotonic() + 240
    while not (run := get_run(run_id)).progress or not run.progress.done >= 4:
        assert time.monotonic() < end, log_tail(run)
        assert not run.over, f"{run}\n{log_tail(run)}"
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    while (run := get_run(run_id)).state != "interrupted":
        assert time.monotonic() < end, run
        time.sleep(0.01)
    kept = run.progress.done
    assert kept < 40

    resume(run_id)
    while not (run := get_run(run_id)).over:
        assert time.monotonic() < end, log_tail(run)
        time.sleep(0.05)
    assert run.state == "finished", log_tail(run)
    assert run.progress.resumed_from >= kept
    made, whole = open_set("night"), generate_set(config, tmp_path / "whole")
    assert np.array_equal(made.image, whole.image)
    assert made.label.tolist() == [i % 3 for i in range(40)]
    assert made.image.std() > 0


def test_the_engine_samples_a_real_model_in_its_own_thread(config: GenerateConfig) -> None:
    engine = Engine(live=TASKS["live"].run, load=lazy("cdp.tasks.live:warm"))
    job = engine.submit(config.model_copy(update={"count": 4}))
    assert job.wait(120)
    engine.close(10)
    assert job.error is None
    assert job.state == "done"
    assert len(job.frames) == 40
    assert job.result is not None
    assert job.result.guided.shape == (4, 8, 8, 1)
