"""What a verdict was measured by, also while something stronger is under way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cdp.experiments.begin import more
from cdp.experiments.cells import read_cells, write_cells
from cdp.experiments.plan import ALONE
from cdp.work import launch
from cdp.work.records import get_run
from cdp.work.registry import TASKS
from tests.experiments.test_experiments import (
    ARMS,
    PAIR,
    TASK,
    WORKER,
    begin,
    config,
    done,
    result,
)
from tests.experiments.test_experiments import fast as fast
from tests.experiments.test_experiments import home as home
from tests.work.inprocess import here as here


def test_the_last_complete_measure_stands_until_a_stronger_one_is_complete(fast: Path) -> None:
    quick = config(arms=PAIR)
    run = done(begin(quick))
    before = result(run)
    assert before.basis.startswith("Robust accuracy under ") and "3 paired seeds." in before.basis
    assert " is done for " not in before.basis
    # As while the first of six cells has the stronger attack behind it.
    asked = more(quick, attack="pgd")
    (first, *others) = read_cells(run.folder).values()
    stronger = {"attack": "pgd", "model": f"run:{first.train}"}
    config_now = get_run(first.evaluate).config.model_copy(update=stronger)  # type: ignore[union-attr]
    done(launch.launch(TASKS["evaluate"], config_now, "by-hand", command=WORKER))
    open_cells = [replace(cell, stage="waiting", evaluate="") for cell in others]
    write_cells(run.folder, [first, *open_cells], {})
    launch.write_json(
        run.folder / "config.json",
        launch.read_json(run.folder / "config.json") | {"config": asked.model_dump(mode="json")},
    )
    now = result(get_run(run.id))
    assert (now.verdict, now.best) == (before.verdict, before.best)
    assert [arm.seeds for arm in now.arms] == [(0, 1, 2)] * 2
    assert now.basis.startswith(before.basis) and "done for 1 of 6 cells." in now.basis
    launch.extend(TASK, run.id, more(asked), command=WORKER)
    after = result(done(run.id))
    assert " is done for " not in after.basis


def test_of_one_arm_it_is_said_that_nothing_is_compared(fast: Path) -> None:
    run = done(begin(config(arms={"real only": {}})))
    assert result(run).verdict == ALONE
    launch.extend(
        TASK, run.id, config(arms={k: ARMS[k] for k in ("real only", "unguided")}), command=WORKER
    )
    assert "Nothing" not in result(done(run.id)).verdict
