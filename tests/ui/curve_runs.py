"""Training runs written by hand, as a worker leaves them: for tests of the curves and for
``benchmarks.train_tick``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from cdp.config.train import TrainConfig
from tests.ui.train_runs import write_folder

N = 1000
SCRIPT = """
import streamlit as st
from cdp.ui import STYLE
from cdp.ui.train.curves import show_curves
from cdp.ui.train.look import CurveLook

st.set_page_config(layout="wide")
st.html(STYLE)
with st.container(key="live"):
    show_curves(st.session_state.setdefault("look", CurveLook()), {ids!r}, 0)
"""


def point(epoch: int, seed: int = 0, epochs: int = 500) -> dict[str, float]:
    """What a worker writes of an epoch: robust accuracy climbs and then falls a little, with the
    noise of 1000 validation images."""
    rng = np.random.default_rng([seed, epoch])
    share = epoch / epochs
    robust = (
        0.45 * (1 - np.exp(-6 * share))
        - 0.08 * max(0.0, share - 0.6)
        + 0.01 * np.sin(seed)
        + rng.normal(0, 0.006)
    )
    hits = round(N * max(0.0, robust))
    loss_clean, loss_robust = 1.6 * np.exp(-3 * share) + 0.4, 0.1 + 0.1 * share
    return {
        "step": 100 * epoch,
        "images": 12800 * epoch,
        "synthetic_images": 8960 * epoch,
        "seconds": 31.0 * epoch,
        "loss": loss_clean + 6 * loss_robust,
        "loss_clean": loss_clean,
        "loss_robust": loss_robust,
        "learning_rate": 0.1 * np.sin(np.pi * (share * 0.98 + 0.01)),
        "epsilon": 0.03,
        "clean_accuracy": hits / N + 0.3,
        "robust_accuracy": hits / N,
        "n": N,
    }


def lines(epochs: range, seed: int = 0, total: int = 500) -> str:
    return "".join(
        json.dumps({"step": e, "time": 1e9 + e, "values": point(e, seed, total)}) + "\n"
        for e in epochs
    )


def write_run(
    run_id: str,
    *,
    epochs: int,
    total: int = 500,
    seed: int = 0,
    state: str = "finished",
    home: Path | None = None,
    **settings: Any,
) -> Path:
    """A run folder with its first ``epochs`` points. A "running" one is worked on by the process
    that called this."""
    config = TrainConfig(seed=seed, epochs=total, validate_every="1 epoch", **settings)
    folder = write_folder(run_id, "train", config, state=state, home=home)
    (folder / "metrics.jsonl").write_text(lines(range(1, epochs + 1), seed, total))
    return folder


def write_status(folder: Path, state: str) -> None:
    (folder / "status.json").write_text(
        json.dumps({"state": state, "started": 1e9, "updated": time.time()})
    )
