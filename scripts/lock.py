"""Write the locks, which name every package with the hashes of its files: ``python -m scripts.lock``.

locks/runtime.txt  what requirements.txt comes to, less torch
locks/cuda.txt     torch as PyPI has it, and on Linux CUDA's libraries with it
locks/cpu.txt      torch for processors alone, which has an index of its own
locks/dev.txt      what checks and tests need beside them

uv resolves for every system and Python from 3.11 on. Versions in the locks stay where the requirements allow it;
``--upgrade`` takes the newest. Where the index of torch for processors cannot be reached, its two
lines have no hashes, and their file says so.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path

from cdp.paths import ROOT

LOCKS = ROOT / "locks"
UV = "uv==0.13.9"
PYTHON = "3.11"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
OF_TORCH = re.compile(r"torch|torchvision|triton|(nvidia|cuda)-.+")
IGNORED = ("requests",)
"""What packages ask of these is not heeded: torchattacks wants a version that Streamlit refuses, and
needs none of it for the attacks used here."""
NO_HASHES = f"# Without hashes, as {CPU_INDEX} could not be reached where this was written."

Blocks = Mapping[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions allowed")
    upgrade = parser.parse_args().upgrade
    LOCKS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        uv = tool(Path(name) / "uv", UV, "uv")
        known = "" if upgrade else "".join(path.read_text() for path in sorted(LOCKS.glob("*.txt")))
        runtime = _resolved(uv, Path(name), known, "requirements.txt")
        together = _resolved(
            uv, Path(name), _text(runtime), "requirements-dev.txt", "requirements-oracles.txt"
        )
        cpu, remark = _for_processors(uv, Path(name), runtime)
    torch = {name: block for name, block in runtime.items() if OF_TORCH.fullmatch(name)}
    _write("runtime", {name: block for name, block in runtime.items() if name not in torch})
    _write("cuda", torch)
    _write("cpu", cpu, remark)
    _write("dev", {name: block for name, block in together.items() if name not in runtime})


def tool(folder: Path, pinned: str, command: str) -> Path:
    """The command of a package that is installed into a folder of its own."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "--disable-pip-version-check", pinned], check=True)
    return folder / "bin" / command


def _resolved(uv: Path, scratch: Path, known: str, *requirements: str) -> Blocks:
    """The lines of every package by its name. known: locks whose versions stay where they can."""
    lock, ignored = scratch / "lock.txt", scratch / "ignored.txt"
    lock.write_text(known)
    ignored.write_text("\n".join(IGNORED))
    given = [str(ROOT / name) for name in requirements]
    options = ["--universal", "--python-version", PYTHON, "--override", str(ignored)]
    _compile(uv, lock, [*given, *options])
    return _blocks(lock.read_text())


def _for_processors(uv: Path, scratch: Path, runtime: Blocks) -> tuple[Blocks, str]:
    """Torch's build for processors, and what is to be said of it."""
    pins = [
        f"{name}=={_version(runtime[name])}+cpu"
        for name in ("torch", "torchvision")
        if name in runtime
    ]
    wanted, lock = scratch / "cpu.in", scratch / "cpu.txt"
    wanted.write_text("\n".join(pins))
    try:
        options = ["--index-url", CPU_INDEX, "--no-deps", "--python-version", PYTHON]
        _compile(uv, lock, [str(wanted), *options], quiet=True)
    except subprocess.CalledProcessError:
        sys.stderr.write(f"{NO_HASHES.removeprefix('# ')}\n")
        return {pin.partition("==")[0]: f"{pin}\n" for pin in pins}, NO_HASHES
    return _blocks(lock.read_text()), ""


def _compile(uv: Path, lock: Path, options: list[str], *, quiet: bool = False) -> None:
    plain = ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", "-o", str(lock)]
    errors = subprocess.DEVNULL if quiet else None
    subprocess.run(
        [str(uv), "pip", "compile", *options, *plain],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        cwd=ROOT,
    )


def _blocks(lock: str) -> Blocks:
    """A package may have several, one for each Python."""
    blocks: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        if line[0].isalnum():
            name = line.partition("==")[0]
        if not line.startswith("#"):
            blocks[name] = blocks.get(name, "") + line
    return blocks


def _version(block: str) -> str:
    return block.partition("==")[2].split()[0]


def _text(blocks: Blocks) -> str:
    return "".join(blocks[name] for name in sorted(blocks))


def _write(name: str, blocks: Blocks, remark: str = "") -> None:
    head = "# Written by python -m scripts.lock.\n" + (remark and f"{remark}\n")
    (LOCKS / f"{name}.txt").write_text(head + _text(blocks))


if __name__ == "__main__":
    main()
