"""A network of the user's own code, imported and evaluated in this process: the app and its workers
never import such code."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.cli.runs import follow
from cdp.config.evaluate import CODE, EvaluateConfig, automatic_name
from cdp.errors import InputError

if TYPE_CHECKING:
    from torch import nn


def own_network(text: str) -> nn.Module:
    """What ``package.module:function`` returns. Raises InputError where that is no torch module."""
    from torch import nn

    module_name, _, name = text.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        given: Any = getattr(import_module(module_name), name)
        net = given if isinstance(given, nn.Module) else given()
    except (Exception, SystemExit) as error:  # whatever a stranger's code raises
        raise InputError(
            f"model: {text} failed ({type(error).__name__}: {str(error)[:200]}): called without"
            " arguments it must return a torch module"
        ) from error
    if not isinstance(net, nn.Module):
        raise InputError(
            f"model: {text} gives a {type(net).__name__}: it must return a torch module when called"
            " without arguments"
        )
    return net


def evaluate_own(config: EvaluateConfig, name: str | None, title: str) -> str:
    """Evaluate in this process, with the run's folder, lock and heartbeat like any other; returns
    the run's id.

    Goes on with an unfinished run of the same settings. Ctrl-C stops it, and what was done is kept.
    """
    from cdp.tasks.evaluate import evaluate
    from cdp.work import worker
    from cdp.work.launch import create, free_name
    from cdp.work.launchers import LOG
    from cdp.work.records import RESUMABLE, STOP, list_runs, run_folder
    from cdp.work.registry import TASKS

    task, net = TASKS["evaluate"], own_network(config.model.removeprefix(CODE))
    unfinished = [run for run in list_runs() if run.config == config and run.state in RESUMABLE]
    run_id = next((run.id for run in unfinished if name in (None, run.name)), "")
    if not run_id:
        run_id = create(task, config, name or free_name(task, automatic_name(config, title)))
    folder = run_folder(run_id)
    (folder / STOP).unlink(missing_ok=True)
    handler = logging.FileHandler(folder / LOG)
    logging.getLogger("cdp").addHandler(handler)
    logging.getLogger("cdp").setLevel(logging.INFO)
    earlier = signal.signal(signal.SIGINT, lambda *_: (folder / STOP).touch())
    over = threading.Event()
    watcher = threading.Thread(target=follow, args=(run_id, "attacks on images", over), daemon=True)
    watcher.start()
    try:
        worker.main(folder, {"evaluate": task.running(partial(evaluate, net=net))})
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGINT, earlier)
        logging.getLogger("cdp").removeHandler(handler)
    return run_id
