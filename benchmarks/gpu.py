"""``python -m benchmarks.gpu``: in at most eight minutes on one GPU, whether it computes what the
processor does, how fast, and the main comparison at small size. Every part has a process and a time
limit of its own, so one that fails costs no other."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks import results, tables
from benchmarks.gpu_parts import PARTS
from benchmarks.measuring import load_now, machine
from cdp.errors import CdpError, InputError, MissingError
from cdp.paths import ROOT

NAME, TITLE = "gpu", "One GPU: parity with the processor, speed, and the main comparison"
MOST_SECONDS = 480.0
"""Of all parts together."""


def main(given: Sequence[str] | None = None) -> int:
    """Returns the exit code: 0 where every part came to its end, 1 where some did not, 2 bad input
    or no GPU."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=TITLE)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"all, or some of {list(PARTS)}")
    parser.add_argument("--device", default="cuda", help="default %(default)s")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    wanted = parser.parse_args(given)
    try:
        require(wanted.device, quick=wanted.quick, parts=wanted.parts)
        result = _all(wanted.parts or list(PARTS), wanted.device, quick=wanted.quick)
    except CdpError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 1 if result.notes else 0


def require(device: str, *, quick: bool, parts: Sequence[str] = ()) -> None:
    """Raises MissingError where there is no such device, InputError for a part that is unknown or a
    full run on a processor, which would take hours."""
    import torch

    for part in parts:
        if part not in PARTS:
            raise InputError(f"part {part!r} is unknown: choose from {', '.join(PARTS)}")
    if device == "cpu":
        if not quick:
            raise InputError("a processor would take hours over this: add --quick, or name a GPU")
    elif not torch.cuda.is_available():
        raise MissingError(
            "there is no GPU here that torch can use: run this where nvidia-smi shows one, with a"
            " torch that has CUDA (make clean, make app TORCH=cuda); --device cpu --quick only"
            " shows that the script works"
        )


def _all(parts: Sequence[str], device: str, *, quick: bool) -> results.Result:
    """What all parts found, written after each of them."""
    began, before = time.monotonic(), load_now()
    where = machine() | {"device": _device_name(device)}
    figures: list[results.Figure] = []
    seconds: dict[str, float] = {}
    notes: list[str] = []
    result = results.Result(NAME, TITLE, ())
    for name in parts:
        left = MOST_SECONDS - (time.monotonic() - began)
        part_began = time.monotonic()
        try:
            figures += _part(name, device, quick=quick, seconds=min(PARTS[name].seconds, left))
        except CdpError as error:
            notes.append(f"{name}: {error}.")
            print(notes[-1], file=sys.stderr, flush=True)
        seconds[name] = round(time.monotonic() - part_began, 1)
        result = results.Result(
            NAME,
            TITLE,
            tuple(figures),
            {"quick": quick, "device": device, "seconds": seconds},
            where,
            (before, load_now()),
            " ".join(notes),
        )
        path = results.save(result, results.folder(quick=quick))
        print(f"{name}: {seconds[name]} s -> {path}", flush=True)
    print(tables.of_result(result))
    return result


def _part(name: str, device: str, *, quick: bool, seconds: float) -> list[results.Figure]:
    """Raises CdpError with why there are none."""
    if seconds <= 0:
        raise CdpError("no time was left for it")
    command = [sys.executable, "-m", "benchmarks.gpu_parts", name, device]
    try:
        done = subprocess.run(
            [*command, *(["--quick"] if quick else [])],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CdpError(f"it did not end within {seconds:.0f} s") from error
    if done.returncode:
        raise CdpError(f"it failed with exit code {done.returncode}; its error stands above")
    figures = json.loads(done.stdout.splitlines()[-1])
    return list(
        results.from_json({"name": name, "title": "", "figures": figures, "load": ()}).figures
    )


def _device_name(device: str) -> str:
    import torch

    return device if device == "cpu" else torch.cuda.get_device_name()


if __name__ == "__main__":
    sys.exit(main())
