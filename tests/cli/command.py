"""``python -m cdp`` within the test's own process, which spares it a start of Python."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cdp.cli.main import main


def run(*args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a command prints, says and ends with."""
    out, said, hook = io.StringIO(), io.StringIO(), sys.excepthook
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(said)
    try:
        with contextlib.chdir(cwd or Path.cwd()), streams[0], streams[1]:
            main(args)
    except SystemExit as ended:
        code = int(ended.code or 0)
    finally:
        sys.excepthook = hook
    return subprocess.CompletedProcess(args, code, out.getvalue(), said.getvalue())


def cdp(*args: str, code: int = 0) -> str:
    """What a command prints, or says where it fails with ``code``."""
    done = run(*args)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


def cdp_json(*args: str) -> dict[str, Any]:
    """The one line on stdout."""
    text = cdp(*args, "--json")
    assert text.count("\n") == 1, text
    return dict(json.loads(text))


def words(text: str) -> list[str]:
    """The words of a command line without quotes."""
    return text.split()
