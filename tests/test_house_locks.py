"""Locks, requirements, what is installed and the list of licences say the same."""

from __future__ import annotations

import re
from functools import cache

import pytest
from packaging.requirements import Requirement

from cdp.paths import ROOT
from scripts.bill import LICENCES, installed, normal, rows
from scripts.lock import LOCKS, NO_HASHES

FILES = ("runtime", "cuda", "cpu", "dev")
REQUIREMENTS = {
    "requirements.txt": ("runtime", "cuda"),
    "requirements-dev.txt": ("runtime", "dev"),
    "requirements-oracles.txt": ("dev",),
}


@cache
def locked(name: str) -> tuple[tuple[Requirement, int], ...]:
    """Its pins, each with the number of its hashes."""
    lines = re.sub(r" \\\n", " ", (LOCKS / f"{name}.txt").read_text()).splitlines()
    found = []
    for line in lines:
        if not line.startswith("#"):
            pin, *hashes = line.split(" --hash=")
            assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text.strip()) for text in hashes)
            found.append((Requirement(pin), len(hashes)))
    return tuple(found)


def pins(*names: str) -> dict[str, set[str]]:
    """Versions by package; two where Pythons differ."""
    found: dict[str, set[str]] = {}
    for name in names:
        for pin, _ in locked(name):
            found.setdefault(pin.name, set()).add(str(pin.specifier).removeprefix("=="))
    return found


@pytest.mark.parametrize("name", FILES)
def test_every_package_of_a_lock_is_one_version_with_hashes(name: str) -> None:
    for pin, hashes in locked(name):
        assert re.fullmatch(r"==[^,*]+", str(pin.specifier)), pin
        known_gap = name == "cpu" and NO_HASHES in (LOCKS / "cpu.txt").read_text()
        assert hashes or known_gap, f"{pin} has no hash: python -m scripts.lock"


def test_no_package_is_in_two_locks() -> None:
    names = [name for lock in ("runtime", "cuda", "dev") for name in pins(lock)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("file", REQUIREMENTS)
def test_a_lock_has_what_the_requirements_ask_for(file: str) -> None:
    lock = pins(*REQUIREMENTS[file])
    for line in (ROOT / file).read_text().splitlines():
        if text := line.partition("#")[0].strip().removeprefix("-r requirements.txt"):
            wanted = Requirement(text)
            version = str(wanted.specifier).removeprefix("==")
            assert lock.get(normal(wanted.name)) == {version}, f"{text}: python -m scripts.lock"


def test_torch_for_processors_is_the_version_that_pypi_has() -> None:
    cuda, cpu = pins("cuda"), pins("cpu")
    assert {name: {f"{v}+cpu" for v in cuda[name]} for name in ("torch", "torchvision")} == cpu


def test_what_is_installed_is_what_the_locks_say() -> None:
    here = {name: found.version for name, found in installed()}
    torch = "cpu" if here["torch"].endswith("+cpu") else "cuda"
    wanted = {
        pin.name: str(pin.specifier).removeprefix("==")
        for name in ("runtime", torch, "dev")
        for pin, _ in locked(name)
        if pin.marker is None or pin.marker.evaluate()
    }
    assert here == wanted, "another package or version than locks/ has: make clean, or scripts.lock"


def test_the_list_of_licences_is_of_what_is_installed() -> None:
    listed = [
        line for line in LICENCES.read_text().splitlines() if re.match(r"\| (?!package|---)", line)
    ]
    assert set(rows()) <= set(listed), "python -m scripts.bill"
    names = [line.split()[1] for line in listed]
    assert names == sorted(set(names))
    assert set(names) <= pins("runtime", "cuda", "dev").keys(), "python -m scripts.bill"
