"""Who may import whom, where import-linter does not look: scripts outside the package, and what a
start-up costs."""

from __future__ import annotations

import ast
import json
import os
import resource
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from cdp.paths import ROOT

HEAVY = (
    "torch",
    "torchvision",
    "diffusers",
    "accelerate",
    "umap",
    "sklearn",
    "scipy",
    "transformers",
)


def python_files(*places: str) -> list[Path]:
    return sorted(path for place in places for path in (ROOT / place).rglob("*.py"))


def paint_path() -> list[str]:
    """The modules that paint a page or start the command line."""
    named = [
        "cdp.config.generate",
        "cdp.values.types",
        "cdp.config.presets",
        "cdp.paths",
        "cdp.errors",
        "cdp.models.noise_schedule",
        "cdp.doctor",
        "cdp.__main__",
    ]
    found = [
        path
        for place in ("cdp/cli", "cdp/ui", "cdp/figures", "cdp/data", "cdp/runs")
        for path in python_files(place)
    ]
    dotted = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in found
    ]
    return named + dotted


def loaded_after(code: str) -> set[str]:
    """Top-level packages in sys.modules after ``code`` ran in a fresh interpreter."""
    program = (
        f"{code}\nimport json, sys\nprint(json.dumps(sorted({{name.split('.')[0] for name in"
        " sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


@cache
def imported_by(path: Path) -> set[str]:
    """Every module named in an import statement of a file, lazy ones too."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


def test_painting_a_page_or_starting_the_command_line_imports_no_heavy_library() -> None:
    modules = paint_path()
    found = loaded_after("\n".join(f"import {name}" for name in modules)) & set(HEAVY)
    if found:
        guilty = [name for name in modules if loaded_after(f"import {name}") & found]
        pytest.fail(f"{', '.join(sorted(found))} imported by {', '.join(guilty)}")


def test_home_says_what_the_studio_is_before_settings_and_runs_are_imported() -> None:
    """They take as long as all else that a fresh server does for its first page."""
    names = ("cdp.ui", "cdp.ui.kit.frame", "cdp.ui.home")
    assert not {"pydantic", "psutil"} & loaded_after("\n".join(f"import {name}" for name in names))


def test_starting_the_command_line_does_not_import_streamlit() -> None:
    assert "streamlit" not in loaded_after("import cdp.cli.main")


def test_help_takes_less_than_a_second_of_processor_time() -> None:
    """Processor time, as the tests may share the machine; the best of three."""
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "cdp", "--help"], cwd=ROOT, capture_output=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) < 1


def test_nothing_below_imports_the_app_or_its_pages() -> None:
    assert not [
        path
        for path in python_files("cdp", "benchmarks", "tests")
        if {name.split(".")[0] for name in imported_by(path)} & {"app", "pages"}
    ]


def test_only_the_user_interface_imports_streamlit() -> None:
    outside = [
        path
        for path in python_files("cdp", "benchmarks")
        if not path.is_relative_to(ROOT / "cdp" / "ui")
    ]
    guilty = [
        path
        for path in outside
        if any(name.split(".")[0] == "streamlit" for name in imported_by(path))
    ]
    assert guilty == []


def test_only_the_reader_of_cifars_own_published_files_knows_pickles() -> None:
    """It checks their digests first, and then builds arrays alone."""
    forbidden = {"pickle", "cPickle", "dill", "joblib", "shelve", "cloudpickle"}
    knows = [
        path
        for path in python_files("cdp", "pages")
        if {name.split(".")[0] for name in imported_by(path)} & forbidden
    ]
    assert knows == [ROOT / "cdp" / "data" / "formats.py"]


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path
        for path in python_files("cdp", "pages", "benchmarks")
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def waiting_after(code: str, **own: str) -> dict[str, str]:
    """How OpenMP's threads are told to wait when torch is first loaded, in a process that runs
    ``code``. own: what the user has set."""
    env = {name: value for name, value in os.environ.items() if name not in WAITING} | own
    hook = f"""
import json, os, sys
class Watch:
    def find_spec(self, name, *rest):
        if name == "torch":
            print("WAITING", json.dumps({{key: os.environ.get(key) for key in {WAITING!r}}}))
            sys.stdout.flush()
            os._exit(0)
sys.meta_path.insert(0, Watch())
"""
    done = subprocess.run(
        [sys.executable, "-c", hook + code],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("WAITING")), None)
    assert line is not None, f"torch was not loaded: {done.stderr}"
    return {
        key: value
        for key, value in json.loads(line.removeprefix("WAITING")).items()
        if value is not None
    }


ENTRIES = {
    "the command line": (
        "import sys; sys.argv = ['cdp', 'doctor']\nimport runpy; runpy.run_module('cdp',"
        " run_name='__main__')"
    ),
    "a worker": "import cdp.tasks.worker, torch",
    "the helper": "import cdp.tasks.helper, torch",
    "a page": "import runpy; import cdp.ui, torch",
    "benchmarks": "import benchmarks.__main__, torch",
}


@pytest.mark.parametrize("code", ENTRIES.values(), ids=list(ENTRIES))
def test_before_torch_is_loaded_waiting_threads_are_told_not_to_spin_long(code: str) -> None:
    """Beside any other busy process, threads that spin while they wait make sampling several times
    slower."""
    assert int(waiting_after(code)["GOMP_SPINCOUNT"]) <= 1000


@pytest.mark.parametrize(
    ("name", "value"),
    [("OMP_WAIT_POLICY", "ACTIVE"), ("GOMP_SPINCOUNT", "77"), ("KMP_BLOCKTIME", "200")],
)
def test_how_threads_wait_is_the_users_where_the_user_has_said(name: str, value: str) -> None:
    assert waiting_after(ENTRIES["a worker"], **{name: value}) == {name: value}
