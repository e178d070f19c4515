"""The shape of the repository: sizes, pins, settings that protect a user."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from cdp.doctor import pinned
from cdp.paths import ASSETS, ROOT

MAX_LINES = {"cdp": 500, "pages": 100, "benchmarks": 500, "tests": 500}
MAX_ASSETS = 40 * 10**6
MAX_MODEL = 15 * 10**6


def requirement_names(path: Path) -> list[str]:
    lines = [line.split("#")[0].strip() for line in path.read_text().splitlines()]
    return [line for line in lines if line and not line.startswith("-r ")]


@pytest.mark.parametrize("place", MAX_LINES)
def test_files_stay_short_enough_to_have_one_job(place: str) -> None:
    counts = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (ROOT / place).rglob("*.py")
    }
    assert {path: count for path, count in counts.items() if count > MAX_LINES[place]} == {}


def test_all_assets_together_stay_small_enough_for_git() -> None:
    assert sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file()) < MAX_ASSETS


def test_each_shipped_diffusion_model_stays_small_enough_for_git() -> None:
    for folder in (ASSETS / "models").glob("*"):
        assert (
            sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= MAX_MODEL
        ), folder.name


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-dev.txt", "requirements-oracles.txt"]
)
def test_every_requirement_is_pinned_and_installed_in_that_version(name: str) -> None:
    for requirement in requirement_names(ROOT / name):
        package, equals, version = requirement.partition("==")
        assert equals, f"{requirement} is not pinned"
        assert metadata.version(package).split("+")[0] == version


def test_every_third_party_import_of_the_app_is_a_direct_requirement() -> None:
    from tests.test_house_imports import imported_by, python_files

    distribution = {
        "PIL": "pillow",
        "mlflow": "mlflow-skinny",
        "sklearn": "scikit-learn",
        "umap": "umap-learn",
        "yaml": "pyyaml",
    }
    optional = {"cuml"}  # taken where it is installed and there is a GPU
    own = {"cdp", "app", "pages", "benchmarks", "tests"}
    used = {
        name.split(".")[0]
        for path in [*python_files("cdp", "pages"), ROOT / "app.py"]
        if path.exists()
        for name in imported_by(path)
    }
    third_party = {
        distribution.get(name, name).replace("_", "-")
        for name in used
        if name not in sys.stdlib_module_names and name not in own | optional
    }
    assert third_party <= set(pinned())


def test_the_server_listens_to_this_machine_only_and_keeps_its_protections() -> None:
    server = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert server["server"]["address"] == "127.0.0.1"
    assert server["server"]["enableXsrfProtection"] is True
    assert server["server"]["enableCORS"] is True
    assert "*" not in server["server"]["allowedHosts"]
    assert server["server"]["maxUploadSize"] <= 50
    assert server["browser"]["gatherUsageStats"] is False


def test_streamlit_knows_every_option_set_for_it() -> None:
    from streamlit import config

    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    known = set(config.get_config_options())
    flat = {
        f"{section}.{key}"
        for section, values in settings.items()
        for key, value in values.items()
        if not isinstance(value, dict)
    }
    flat |= {
        f"{section}.{sub}.{key}"
        for section, values in settings.items()
        for sub, value in values.items()
        if isinstance(value, dict)
        for key in value
    }
    assert flat <= known


def test_the_ci_script_is_executable_and_valid() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize("path", ["README.md", "CONTRIBUTING.md", "docs/guide.md"])
def test_links_between_documents_lead_somewhere(path: str) -> None:
    page = ROOT / path
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text())
    missing = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert missing == []


@pytest.mark.parametrize(
    ("reports", "line", "code"),
    [
        ([(3, 0, 0)], "3 passed, 0 failed", 0),
        ([(3, 1, 0), (2, 0, 1)], "3 passed, 1 failed, 1 skipped", 1),
        ([(3, 0, 0), None], "3 passed, 1 failed", 1),
        ([(0, 0, 0)], "0 passed, 0 failed", 1),
    ],
)
def test_the_tally_counts_every_run_and_a_missing_report_is_a_failure(
    tmp_path: Path, reports: list[tuple[int, int, int] | None], line: str, code: int
) -> None:
    paths = []
    for number, report in enumerate(reports):
        path = tmp_path / f"{number}.xml"
        paths.append(str(path))
        if report is not None:
            tests, failures, skipped = report
            path.write_text(
                f'<testsuites><testsuite tests="{tests}" failures="{failures}" errors="0"'
                f' skipped="{skipped}"/></testsuites>'
            )
    done = subprocess.run(
        [sys.executable, "tests/tally.py", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.splitlines()[-1], done.returncode) == (line, code)


def luminance(colour: str) -> float:
    """Relative luminance of "#rrggbb" (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio, 1..21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_text_and_buttons_of_both_themes_are_readable(name: str) -> None:
    theme = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())["theme"][name]
    assert contrast(theme["textColor"], theme["backgroundColor"]) >= 7
    assert contrast(theme["textColor"], theme["secondaryBackgroundColor"]) >= 7
    assert contrast(theme["linkColor"], theme["backgroundColor"]) >= 4.5
    assert contrast("#ffffff", theme["primaryColor"]) >= 4.5, (
        "Streamlit writes white on primary buttons"
    )
    assert contrast(theme["primaryColor"], theme["backgroundColor"]) >= 3
