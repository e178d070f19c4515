"""What this machine has and what it lacks: versions, device, data, checkpoints, disk. Looks, and
changes nothing."""

from __future__ import annotations

import os
import platform
import shutil
import tomllib
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from cdp import __version__
from cdp.config.generate import GenerateConfig
from cdp.errors import InputError
from cdp.files.private import NO_TOKEN, TOKEN, open_to_others
from cdp.paths import ROOT, home
from cdp.values.text import bytes_text, counted

PACKAGES = (
    "torch",
    "torchvision",
    "diffusers",
    "accelerate",
    "safetensors",
    "streamlit",
    "plotly",
    "numpy",
    "scipy",
    "scikit-learn",
    "pydantic",
    "pyautoattack",
)
MIN_FREE_BYTES = 2 << 30


@dataclass(frozen=True)
class Trouble:
    """Something amiss. remedy: what to do; blocking: whether the default generation cannot run
    because of it."""

    what: str
    remedy: str
    blocking: bool


@dataclass(frozen=True)
class Report:
    """Everything found, JSON-ready but for ``problems``. Paths are strings, sizes bytes."""

    versions: dict[str, str | None]
    device: dict[str, Any]
    home: dict[str, Any]
    datasets: list[dict[str, Any]]
    models: list[dict[str, Any]]
    encoders: list[dict[str, Any]]
    disk: dict[str, Any] = field(default_factory=dict)
    problems: list[Trouble] = field(default_factory=list)

    @property
    def ready(self) -> bool:
        """Whether the default generation can run here."""
        return not any(problem.blocking for problem in self.problems)


def examine() -> Report:
    """Look at everything. Imports torch, which takes a second or two; loads no weights."""
    problems: list[Trouble] = []
    versions = _versions(problems)
    _reach(problems)
    return Report(
        versions,
        _device() if versions["torch"] else {},
        _home(problems),
        _datasets(problems),
        _models(problems),
        _encoders(problems),
        _disk(problems),
        problems,
    )


def pinned(requirements: Path = ROOT / "requirements.txt") -> dict[str, str]:
    """Package -> version asked for in requirements.txt; empty where the file is not there."""
    lines = requirements.read_text().splitlines() if requirements.is_file() else []
    pairs = (line.split("#")[0].strip().partition("==") for line in lines)
    return {name: version for name, equals, version in pairs if equals}


def _versions(problems: list[Trouble]) -> dict[str, str | None]:
    result: dict[str, str | None] = {
        "cdp": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    wanted = pinned()
    for name in PACKAGES:
        result[name] = version = _version(name)
        if version is None:
            problems.append(
                Trouble(
                    f"{name} is not installed", "pip install -r requirements.txt", blocking=True
                )
            )
        elif name in wanted and version.split("+")[0] != wanted[name]:
            what = f"{name} is {version}, tested with {wanted[name]}"
            problems.append(Trouble(what, "pip install -r requirements.txt", blocking=False))
    return result


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _device() -> dict[str, Any]:
    import psutil
    import torch

    from cdp.models.precision import pick_device, pick_dtype

    device = pick_device()
    cuda = device.type == "cuda"
    return {
        "device": str(device),
        "name": (
            torch.cuda.get_device_name(device)
            if cuda
            else (platform.processor() or platform.machine())
        ),
        "cores": (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "threads": torch.get_num_threads(),
        "auto_precision": str(pick_dtype("auto", device)).removeprefix("torch."),
        "memory_bytes": (
            torch.cuda.get_device_properties(device).total_memory
            if cuda
            else psutil.virtual_memory().total
        ),
    }


def _home(problems: list[Trouble]) -> dict[str, Any]:
    """CDP_HOME, judged by the nearest folder above it that exists: it is made at the first use, not
    here."""
    folder = home()
    nearest = next((path for path in (folder, *folder.parents) if path.exists()), folder)
    writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    free = shutil.disk_usage(nearest).free
    if not writable:
        problems.append(
            Trouble(
                f"CDP_HOME ({folder}) cannot be written",
                "set CDP_HOME to a folder of yours",
                blocking=True,
            )
        )
    if folder.is_dir() and (others := open_to_others(folder)):
        problems.append(
            Trouble(
                f"other users can read {counted(len(others), 'file or folder', 'files and folders')}"
                f" in CDP_HOME ({folder})",
                "python -m cdp doctor --fix makes them yours alone",
                blocking=False,
            )
        )
    if free < MIN_FREE_BYTES:
        problems.append(
            Trouble(
                f"only {bytes_text(free)} are free in CDP_HOME",
                "free some space, or set CDP_HOME to another disk",
                blocking=False,
            )
        )
    return {
        "path": str(folder),
        "exists": folder.exists(),
        "writable": writable,
        "free_bytes": free,
    }


def _disk(problems: list[Trouble]) -> dict[str, Any]:
    """What takes how much room under CDP_HOME, and whether that is too much."""
    from cdp.work.usage import measure

    try:
        usage = measure()
    except InputError as error:
        what, _, remedy = str(error).partition(": ")
        problems.append(Trouble(what, remedy, blocking=False))
        return {}
    if usage.problem:
        what, _, remedy = usage.problem.partition(": ")
        problems.append(Trouble(what, remedy, blocking=False))
    return asdict(usage)


def _reach(problems: list[Trouble]) -> None:
    """Whether others than the owner could open the app, which asks nobody who they are unless a
    token is set."""
    if os.environ.get(TOKEN, "").strip().lower() not in NO_TOKEN:
        return
    address, people = _listens_on(), _people()
    reasons = []
    if address not in ("localhost", "::1") and not address.startswith("127."):
        reasons.append(f"the app listens on {address or 'every network'}")
    if len(people) > 1:
        reasons.append(f"{len(people)} people have an account on this machine")
    if reasons:
        problems.append(
            Trouble(
                f"{' and '.join(reasons)}, so others could open it",
                f"{TOKEN}=random before the command that starts it asks for a token",
                blocking=False,
            )
        )


def _listens_on() -> str:
    """The address that the server takes where its command names none; "" for all."""
    if given := os.environ.get("STREAMLIT_SERVER_ADDRESS"):
        return given
    try:
        settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    except (OSError, ValueError):
        return ""
    return str(settings.get("server", {}).get("address", ""))


def _people() -> list[str]:
    """Accounts that somebody can log in to: a shell, a home that is there, no number of a service."""
    try:
        import pwd
    except ImportError:  # Windows
        return []
    return [
        entry.pw_name
        for entry in pwd.getpwall()
        if 1000 <= entry.pw_uid < 60_000
        and not entry.pw_shell.endswith(("nologin", "false"))
        and Path(entry.pw_dir).is_dir()
    ]


def _datasets(problems: list[Trouble]) -> list[dict[str, Any]]:
    from cdp.data.registry import available

    wanted = _dataset()
    rows = []
    for info, state in available():
        rows.append(
            {
                "name": info.name,
                "ready": state.ready,
                "full": state.full,
                "place": str(state.place),
                "how": state.how,
            }
        )
        if not state.ready:
            problems.append(
                Trouble(
                    f"the data set {info.name} is not here",
                    f"python -m cdp download {info.name}, or {state.how}",
                    blocking=info.name == wanted,
                )
            )
    return rows


def _dataset() -> str:
    """Of the default generation: that of its model, which is of the same name where it is
    not here."""
    from cdp.tasks.sources import dataset_of_generation

    try:
        return dataset_of_generation(GenerateConfig())
    except InputError:
        return GenerateConfig().model  # a missing or broken model is reported as such


def _models(problems: list[Trouble]) -> list[dict[str, Any]]:
    from cdp.models.pipelines import list_models

    wanted = GenerateConfig().model
    rows = [_checkpoint(entry) for entry in list_models()]
    _report_broken(rows, "diffusion model", problems)
    if not any(row["name"] == wanted and not row["problem"] for row in rows):
        problems.append(
            Trouble(
                f"the diffusion model {wanted!r} is not here",
                f"python -m cdp pretrain --dataset {wanted}",
                blocking=True,
            )
        )
    return rows


def _encoders(problems: list[Trouble]) -> list[dict[str, Any]]:
    from cdp.models.encoders import JUDGE, list_encoders

    config, dataset = GenerateConfig(), _dataset()
    rows = [_checkpoint(entry) | {"dataset": dataset} for entry in list_encoders(dataset)]
    _report_broken(rows, "encoder", problems)
    usable = {row["name"]: row["sha256"] for row in rows if not row["problem"]}
    train = f"python -m cdp pretrain-encoder --dataset {dataset}"
    ways = {
        config.guidance.encoder: f"{train} --kind {config.guidance.encoder}",
        JUDGE: f"{train} --kind standard --name {JUDGE} --seed 1",
    }
    for name, way in ways.items():
        if name not in usable:
            problems.append(
                Trouble(f"the encoder {name!r} of {dataset} is not here", way, blocking=True)
            )
    twins = [
        name for name, digest in usable.items() if name != JUDGE and digest == usable.get(JUDGE)
    ]
    if twins:
        problems.append(
            Trouble(
                f"the judge has the same weights as {', '.join(twins)}, so it judges itself",
                ways[JUDGE],
                blocking=False,
            )
        )
    return rows


def _report_broken(rows: list[dict[str, Any]], what: str, problems: list[Trouble]) -> None:
    for row in rows:
        if row["problem"]:
            problems.append(
                Trouble(
                    f"the {what} {row['name']!r} cannot be used: {row['problem']}",
                    "replace or delete its folder",
                    blocking=False,
                )
            )


def _checkpoint(entry: Any) -> dict[str, Any]:
    """One listed checkpoint with the digest of its weights. entry: name, folder, problem."""
    from cdp.models.checkpoints import sha256_of

    weights = sorted(entry.folder.glob("*.safetensors")) or sorted(
        entry.folder.glob("unet/*.safetensors")
    )
    digest = sha256_of(weights[0]) if weights else None
    problem = entry.problem or ("" if weights else "it holds no .safetensors weights")
    return {"name": entry.name, "folder": str(entry.folder), "sha256": digest, "problem": problem}
