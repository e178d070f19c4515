"""``python -m benchmarks [LINE ...] [--quick]``: measure, write benchmarks/results/*.json, print
the tables, refresh the documents."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from types import ModuleType

from benchmarks import (
    against_diffusers,
    beside_work,
    documents,
    evaluation_overhead,
    explore_map,
    explore_numbers,
    explore_pan,
    first_verdict,
    guided_cost,
    install_size,
    levers,
    live_preview,
    memory,
    page_changes,
    results,
    run_table,
    tables,
    theory_page,
    train_step,
    train_tick,
    trainings_an_hour,
    unet_share,
)
from benchmarks.measuring import has_amx, load_now, machine
from benchmarks.scenes import Options
from cdp.errors import CdpError, InputError

LINES: dict[str, ModuleType] = {
    line.NAME: line
    for line in (
        unet_share,
        guided_cost,
        against_diffusers,
        live_preview,
        memory,
        explore_map,
        explore_numbers,
        levers,
        explore_pan,
        train_step,
        train_tick,
        trainings_an_hour,
        run_table,
        evaluation_overhead,
        theory_page,
        beside_work,
        first_verdict,
        install_size,
        page_changes,
    )
}


def run_line(line: ModuleType, options: Options) -> results.Result:
    """Measure one line, with the machine's load before and after."""
    before = load_now()
    figures, settings = line.measure(options)
    where = machine()
    return results.Result(
        line.NAME,
        line.TITLE,
        tuple(figures),
        {"quick": options.quick} | settings,
        where,
        (before, load_now()),
    )


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line. Raises InputError for a line that does not exist."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Timings, as ratios measured in one run."
    )
    parser.add_argument(
        "lines",
        nargs="*",
        metavar="LINE",
        help=f"which to measure, all by default: {', '.join(LINES)}",
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=Options.repeats,
        help="timed rounds of each line (default %(default)s)",
    )
    parser.add_argument(
        "--threads", type=int, default=None, help="threads of torch (default: one a core)"
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few steps and rounds, to see that it works; the repository keeps its numbers",
    )
    found = parser.parse_args(given)
    unknown = [name for name in found.lines if name not in LINES]
    if unknown:
        raise InputError(f"benchmark {unknown[0]!r} is unknown: choose from {', '.join(LINES)}")
    if found.repeats < 1 or (found.threads is not None and found.threads < 1):
        raise InputError("--repeats and --threads must be 1 or more")
    return found


def main() -> int:
    """Returns the exit code: 0 measured, whether or not targets are met, 2 bad input."""
    try:
        given = arguments()
        if given.threads:
            import torch

            torch.set_num_threads(given.threads)
        _measure_all(given)
    except CdpError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _measure_all(given: argparse.Namespace) -> None:
    options = Options(repeats=given.repeats, quick=given.quick)
    met: list[bool] = []
    for name in given.lines or LINES:
        result = run_line(LINES[name], options)
        path = results.save(result, results.folder(quick=given.quick, amx=has_amx()))
        print(
            f"\n{result.title}\n{tables.of_result(result)}\n{tables.stamp(result)}\n-> {path}",
            flush=True,
        )
        met += [figure.met for figure in result.figures if figure.met is not None]
    print(f"\n{sum(met)} of {len(met)} targets met")
    if not given.quick:
        documents.refresh()


if __name__ == "__main__":
    sys.exit(main())
