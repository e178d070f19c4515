"""The work of a "generate" run: a sample set of the run's name."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

from filelock import FileLock, Timeout

from cdp.config.generate import GenerateConfig
from cdp.data.sets import open_set
from cdp.work.generation import Maker, generate_set
from cdp.work.kinds import Context
from cdp.work.records import Run


def generate(run: Run, context: Context, maker: Maker | None = None) -> dict[str, Any]:
    """Generate the set, or find that it is done: a run may have been killed between finishing its
    set and saying so."""
    if run.out.exists() and open_set(run.out).card.get("run") == run.id:
        made = open_set(run.out)
    else:
        config = cast(GenerateConfig, run.config)
        origin = {"run": run.id}
        made = generate_set(
            config,
            run.out,
            on_progress=context.on_progress,
            should_stop=context.should_stop,
            maker=maker,
            origin=origin,
        )
    return {"set": made.name, "images": len(made)}


def discard(run: Run, target: Path) -> None:
    """Take along what the run had generated, unless somebody else has begun to go on with it."""
    partial = run.out.with_name(f".{run.name}.partial")
    if not partial.is_dir():
        return
    try:
        with FileLock(partial / "lock", timeout=0):
            shutil.move(partial, target / "partial")
    except Timeout:
        return
