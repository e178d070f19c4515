"""Records of runs as text: a table of many, and the facts of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cdp.values.text import at_step, duration, share_text

HEAD = ("RUN", "KIND", "NAME", "STATE", "PROGRESS", "CLEAN", "ROBUST", "LABELS")


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """One line a run. Accuracies of a training are of its best validation, on validation images; of
    an evaluation its own."""
    rows = [HEAD, *(_row(record) for record in records)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def told(record: Mapping[str, Any]) -> str:
    """What is known of one run, a fact a line."""
    lines = [f"{record['run']}: {record['name']} ({record['kind']}), {record['state']}"]
    if record["progress"]:
        lines.append(f"progress: {_progress(record)}")
    lines += [
        f"{word}: {_accuracies(record[word], record)}"
        for word in ("best", "last")
        if record.get(word)
    ]
    if record.get("steps") and record.get("images_seen"):
        lines.append(f"trained: {record['steps']:,} steps, {record['images_seen']:,} images seen")
    if record["kind"] == "evaluate" and record.get("label"):
        lines.append(
            f"robust: {_share(record['robust_accuracy'])}, clean"
            f" {_share(record['clean_accuracy'])} ({record['label']})"
        )
    lines += [f"{word}: {record[word]}" for word in ("notice", "error") if record.get(word)]
    if record["started"] and record["ended"]:
        lines.append(
            f"took: {duration(record['ended'] - record['started'])} since it was last started"
        )
    labels = record.get("labels") or {}
    if labels_text(labels):
        lines.append(f"labels: {labels_text(labels)}")
    lines += [f"{word}: {labels[word]}" for word in ("note", "problem") if labels.get(word)]
    return "\n".join([*lines, f"folder: {record['folder']}"])


def labels_text(labels: Mapping[str, Any]) -> str:
    """Star, archive and tags as words; empty where there are none. labels: JSON-ready."""
    flags = [
        word for word, name in (("starred", "star"), ("archived", "archived")) if labels.get(name)
    ]
    return ", ".join([*flags, *labels.get("tags", ())])


def _row(record: Mapping[str, Any]) -> tuple[str, ...]:
    best = record.get("best") or (record if record["kind"] == "evaluate" else {})
    return (
        record["run"],
        record["kind"],
        record["name"],
        record["state"],
        _progress(record),
        _share(best.get("clean_accuracy")),
        _share(best.get("robust_accuracy")),
        labels_text(record.get("labels") or {}),
    )


def _progress(record: Mapping[str, Any]) -> str:
    progress = record["progress"]
    return f"{progress['done']:,} of {progress['count']:,} {progress['unit']}" if progress else ""


def _share(share: float | None) -> str:
    return "" if share is None else share_text(share)


def _accuracies(epoch: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    """Accuracies of an epoch with what they were measured on."""
    n = record.get("n") or record["metrics"].get("n")
    figures = f"clean {_share(epoch['clean_accuracy'])}, robust {_share(epoch['robust_accuracy'])}"
    at = at_step(epoch.get("step") or 0, epoch["epoch"])
    remark = f"; {epoch['remark']}" if epoch.get("remark") else ""
    return (
        f"{at}, {figures} ({int(n):,} validation images, PGD: a quick estimate{remark})"
        if n
        else figures
    )
