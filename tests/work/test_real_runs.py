"""The real worker with a real (tiny, random) diffusion model: killed and resumed, it makes the
images of an unbroken run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from cdp.config.generate import GenerateConfig, Guidance, Sampler
from cdp.data.sets import open_set
from cdp.errors import Cancelled
from cdp.models.denoiser import build_unet
from cdp.models.pipelines import save_pipeline
from cdp.tasks.generate import generate_set
from cdp.work.live import Engine
from cdp.work.registry import TASKS
from cdp.work.session import Progress, Session
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
    guidance, sampler = Guidance(loss="none", strength=0), Sampler(steps=10, precision="fp32")
    return GenerateConfig(
        model="tiny-8px",
        dataset="tiny",
        count=12,
        batch=4,
        seed=5,
        guidance=guidance,
        sampler=sampler,
    )


def test_a_stopped_generation_of_a_real_model_ends_with_the_images_of_an_unbroken_one(
    tmp_path: Path, config: GenerateConfig
) -> None:
    asked = iter(range(10**9))
    broken = Session(tmp_path / "run", name="night", should_stop=lambda: next(asked) == 15)
    with pytest.raises(Cancelled):
        TASKS["generate"].run(config, broken)
    seen: list[Progress] = []
    TASKS["generate"].run(config, Session(tmp_path / "run", name="night", on_progress=seen.append))
    assert 0 < seen[0].resumed_from < 12
    made, whole = open_set("night"), generate_set(config, tmp_path / "whole")
    assert np.array_equal(made.image, whole.image)
    assert made.label.tolist() == [i % 3 for i in range(12)]
    assert made.image.std() > 0


def test_the_engine_samples_a_real_model_in_its_own_thread(config: GenerateConfig) -> None:
    engine = Engine(live=TASKS["live"].run, load=lazy("cdp.tasks.live:warm"))
    job = engine.submit(config.model_copy(update={"count": 4}))
    assert job.wait(120)
    engine.close(10)
    assert job.error is None
    assert job.state == "done"
    assert len(job.frames) == 10
    assert job.result is not None
    assert job.result.guided.shape == (4, 8, 8, 1)
