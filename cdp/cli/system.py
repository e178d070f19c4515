"""doctor: what is here, what is missing and how to get it; clean: what takes room and can go."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cdp.cli.options import AsJson, option
from cdp.cli.output import answer
from cdp.files.cache import UNSAVED_DAYS
from cdp.files.private import close_to_others
from cdp.paths import home
from cdp.values.text import bytes_text, counted

if TYPE_CHECKING:
    from cdp.doctor import Report


NOTES = {
    "cache": "is computed again where it is needed",
    "unsaved": f"generations of the app that nobody saved, kept for {UNSAVED_DAYS} days",
    "trash": "deleted sets and runs, which then cannot come back",
    "checkpoints": "of finished trainings, which need none",
    "leftovers": "half-written files of killed processes, which every start of the app clears",
}


def doctor(
    fix: Annotated[
        bool, option("Also mend what can be: files in CDP_HOME that others can read.", "--fix")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print versions, device, data, checkpoints and free disk, and what is missing and how to get
    it. Changes nothing without --fix.

    Ends with exit code 0 where the default generation can run, else 1.
    """
    from cdp.doctor import examine

    done = mended(home()) if fix else []
    report = examine()
    text = lines(report)
    if fix:
        text += ["", "Mended", *(f"  {what}" for what in done or ["nothing"])]
    value = asdict(report) | {"ready": report.ready} | ({"mended": done} if fix else {})
    answer("\n".join(text), value, as_json=as_json)
    if not report.ready:
        raise typer.Exit(1)


def mended(folder: Path) -> list[str]:
    """What was amiss in CDP_HOME and is put right, one sentence each."""
    closed = close_to_others(folder)
    what = f"{counted(closed, 'file or folder', 'files and folders')} in {folder}"
    return [f"{what} {'is' if closed == 1 else 'are'} yours alone now"] if closed else []


def lines(report: Report) -> list[str]:
    """The report as text."""
    versions = report.versions.items()
    text = ["Versions", *(f"  {name:<13} {now or 'not installed'}" for name, now in versions)]
    text += ["", "Device", *_device(report.device)]
    text += ["", "Files", *_home(report.home)]
    text += ["", "Disk", *_disk(report.disk)]
    text += ["", "Data sets", *(f"  {row['name']:<15} {_dataset(row)}" for row in report.datasets)]
    text += ["", "Diffusion models", *_checkpoints(report.models)]
    text += ["", "Encoders", *_checkpoints(report.encoders)]
    text += ["", "Missing or amiss", *_problems(report)]
    return text


def _device(device: dict[str, Any]) -> list[str]:
    if not device:
        return ["  unknown until torch is installed"]
    memory = bytes_text(device["memory_bytes"])
    return [
        f"  runs on       {device['device']} ({device['name']}), {memory} of memory",
        f"  cores         {device['cores']} usable, torch takes {device['threads']} threads",
        f'  precision     {device["auto_precision"]}: the faster one here, which "auto" takes',
    ]


def _home(home: dict[str, Any]) -> list[str]:
    state = "" if home["exists"] else "made at the first use; "
    state += "writable" if home["writable"] else "not writable"
    free = bytes_text(home["free_bytes"])
    return [f"  CDP_HOME      {home['path']} ({state})", f"  free disk     {free}"]


def _disk(disk: dict[str, Any]) -> list[str]:
    if not disk:
        return ["  not measured"]
    quota = f" of {bytes_text(disk['quota'])}" if disk["quota"] else ""
    parts = (*disk["kinds"], *({**item, "name": f"  {item['name']}"} for item in disk["largest"]))
    return [
        f"  {'CDP_HOME':<40} {bytes_text(disk['size']):>9}{quota}",
        *(f"  {item['name']:<40} {bytes_text(item['size']):>9}" for item in parts),
    ]


def _dataset(row: dict[str, Any]) -> str:
    if not row["ready"]:
        return "not here"
    return f"{'full set' if row['full'] else 'shipped subset'} in {row['place']}"


def _checkpoints(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return ["  none"]
    return [
        f"  {row['name']:<15} sha256 {(row['sha256'] or 'unknown')[:12]}  {row['folder']}"
        for row in rows
    ]


def _problems(report: Report) -> list[str]:
    if not report.problems:
        return ["  nothing"]
    return [
        f"  {'needed:' if problem.blocking else 'optional:'} {problem.what}. Remedy:"
        f" {problem.remedy}"
        for problem in report.problems
    ]


def clean(
    cache: Annotated[bool, option("Results that can be computed again.", "--cache")] = False,
    unsaved: Annotated[bool, option("Generations that nobody saved.", "--unsaved")] = False,
    trash: Annotated[bool, option("Deleted sets and runs.", "--trash")] = False,
    checkpoints: Annotated[
        bool, option("Checkpoints of finished trainings.", "--checkpoints")
    ] = False,
    leftovers: Annotated[
        bool, option("Half-written files of killed processes.", "--leftovers")
    ] = False,
    older_than: Annotated[
        str,
        option("Only what was not used for so long: 12h, 30d, 2w; days without.", metavar="AGE"),
    ] = "0d",
    yes: Annotated[bool, option("Delete it. Without, nothing is deleted.", "--yes")] = False,
    as_json: AsJson = False,
) -> None:
    """Say how much room cache, unsaved generations, trash, old checkpoints and half-written files
    take, and free it with --yes.

    All of them where none is chosen. Sets, results and runs that are not over are never touched.
    """
    from cdp.work.clean import removable, remove, seconds_of

    chosen = {"cache": cache, "unsaved": unsaved, "trash": trash, "checkpoints": checkpoints}
    chosen["leftovers"] = leftovers
    wanted = [part for part, given in chosen.items() if given] or list(chosen)
    parts = removable(wanted, older_than=seconds_of(older_than))
    sizes = {part: sum(entry.size for entry in entries) for part, entries in parts.items()}
    freed = sum(remove(entries) for entries in parts.values()) if yes else 0
    total = sum(sizes.values())
    value = {part: {"entries": len(parts[part]), "bytes": size} for part, size in sizes.items()}
    text = [
        f"{part}: {counted(len(entries), 'entry', 'entries')}, {bytes_text(sizes[part])}"
        f" ({NOTES[part]})"
        for part, entries in parts.items()
    ]
    would = f"This would free {bytes_text(total)}. Nothing was deleted: add --yes to delete it."
    text.append(f"Freed {bytes_text(freed)}." if yes else would)
    summary = {"parts": value, "bytes": total, "deleted": yes, "freed": freed}
    answer("\n".join(text), summary, as_json=as_json)
