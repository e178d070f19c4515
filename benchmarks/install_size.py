"""What ``make app`` installs: the requirements of the app and theirs, as they lie here, and what of
them remains with a torch for processors alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.measuring import Spread
from benchmarks.results import Figure, Target
from benchmarks.scenes import Options
from cdp.paths import ROOT

NAME, TITLE = "install_size", "Size of what make app installs"
_CUDA_PACKAGE = re.compile("nvidia|triton|cuda")
_CUDA_LIBRARY = re.compile(r"(cuda|nvrtc|nvshmem)[^/]*\.so")


def measure(options: Options) -> tuple[list[Figure], dict[str, object]]:
    """Gigabytes on disk; the share for processors is this install less what is for CUDA."""
    whole = without_cuda = 0
    for package in _needed():
        for file in metadata.distribution(package).files or ():
            path = Path(str(file.locate()))
            if path.suffix == ".pyc" or not path.is_file():
                continue  # which are written when a module is first imported
            size = path.stat().st_size
            whole += size
            cuda = _CUDA_PACKAGE.search(package) or (
                package == "torch" and _CUDA_LIBRARY.search(path.name)
            )
            without_cuda += 0 if cuda else size
    figures = [
        Figure.of_spread(title, Spread(size / 1e9, size / 1e9, size / 1e9, 1), "GB", target)
        for title, size, target in (
            ("as installed here", whole, None),
            ("less what is for CUDA", without_cuda, Target("<=", 2.0)),
        )
    ]
    return figures, {"torch": metadata.version("torch")}


def _needed() -> Iterator[str]:
    """Every package that the app's requirements come to, by its own name."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    waiting = [line.partition("#")[0].strip() for line in lines]
    known: set[str] = set()
    while waiting:
        if not (text := waiting.pop()):
            continue
        wanted = Requirement(text)
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        if name in known or not (wanted.marker is None or wanted.marker.evaluate({"extra": ""})):
            continue
        known.add(name)
        yield name
        waiting += metadata.distribution(name).requires or []
