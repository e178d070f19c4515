"""What this software is made of: ``python -m scripts.bill`` writes docs/licences.md from the metadata
of the packages that are installed here, and ``--sbom`` dist/sbom.cdx.json (CycloneDX) from the same
by a tool of OWASP's."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cdp import __version__
from cdp.paths import ROOT
from scripts.lock import tool

LICENCES = ROOT / "docs" / "licences.md"
SBOM = ROOT / "dist" / "sbom.cdx.json"
CYCLONEDX = "cyclonedx-bom==7.5.0"
LONGEST = 60
"""Characters of a licence's name; a longer text is the licence itself."""
HEAD = """# Licences of the packages

Written by `python -m scripts.bill` from what each package says of itself; `locks/` names versions and files. Of the rows of
CUDA's libraries, Triton and torch, those of CUDA are only there where torch is installed with it.

| package | licence |
| --- | --- |
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sbom", action="store_true", help="write the SBOM in place of the list")
    if parser.parse_args().sbom:
        _write_sbom()
    else:
        LICENCES.write_text(HEAD + "".join(f"{row}\n" for row in rows()), encoding="utf-8")


def rows() -> list[str]:
    """Lines of the table, of all packages that are installed here."""
    return [f"| {name} | {licence(found)} |" for name, found in installed()]


def installed() -> list[tuple[str, Distribution]]:
    """The packages of this environment by their names as registries write them."""
    by_name = {normal(found.name): found for found in distributions()}
    by_name.pop("pip", None)  # with which an environment is made
    return sorted(by_name.items())


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(found: Distribution) -> str:
    """As its metadata says: an SPDX expression, else the trove classifiers, else a short text."""
    given = found.metadata
    if expression := given.get("License-Expression"):
        return expression
    if said := _classified(given.get_all("Classifier") or ()):
        return said
    text = " ".join((given.get("License") or "").split())
    return text if 0 < len(text) <= LONGEST else "see the files of the package"


def _classified(classifiers: Iterable[str]) -> str:
    parts = (line.split(" :: ") for line in classifiers if line.startswith("License :: "))
    return ", ".join(part[-1] for part in parts if part[-1] != "OSI Approved")


def _write_sbom() -> None:
    SBOM.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        command = tool(Path(name), CYCLONEDX, "cyclonedx-py")
        options = ["--output-reproducible", "--of", "JSON", "-o", str(SBOM)]
        subprocess.run([str(command), "environment", *options, sys.executable], check=True)
    bill = json.loads(SBOM.read_bytes())
    about = {"type": "application", "name": "contrastive-dp-studio", "version": __version__}
    bill["metadata"]["component"] = about
    SBOM.write_text(json.dumps(bill, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
