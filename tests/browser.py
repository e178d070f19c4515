"""The browser that the browser tests drive: found, or fetched when run as ``python -m
tests.browser``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

LAUNCH_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_browser() -> Path | None:
    """$CHROME, a Chromium or Chrome on the path, or the one that Playwright fetched; None where
    there is none."""
    if chosen := os.environ.get("CHROME"):
        return Path(chosen) if Path(chosen).is_file() else None
    for name in NAMES:
        if found := shutil.which(name):
            return Path(found)
    return _of_playwright()


def _of_playwright() -> Path | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.is_file() else None


def _fetch() -> None:
    """Ask Playwright for its Chromium, then, as root on Debian and its relatives, the system's
    packages."""
    attempts = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get") and os.geteuid() == 0:
        attempts += [
            ["apt-get", "update"],
            ["apt-get", "install", "-y", "--no-install-recommends", "chromium"],
        ]
    for command in attempts:
        print(f"no browser found, trying: {' '.join(command)}", file=sys.stderr, flush=True)
        subprocess.run(command, check=False)
        if find_browser():
            return


def main() -> int:
    """Print the browser's path. Exit code 1 with the remedy where there is none to be had."""
    if os.environ.get("CHROME") and not find_browser():
        print(
            f"CHROME={os.environ['CHROME']} is not a file: point it at a Chromium or Chrome, or"
            " unset it",
            file=sys.stderr,
        )
        return 1
    if not find_browser():
        _fetch()
    browser = find_browser()
    if browser is None:
        print(
            "the browser tests need Chromium or Chrome: install one (Debian: apt-get install"
            " chromium), or set CHROME to the path of its executable, and run make test again",
            file=sys.stderr,
        )
        return 1
    print(f"browser: {browser}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
