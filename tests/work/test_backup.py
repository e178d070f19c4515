"""backup and restore: a store comes back as it was, also one that was in use; an archive that is
hostile, damaged or newer changes nothing; what is interrupted leaves all as it was."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cdp import paths
from cdp.cli.main import app
from cdp.data.sets import SetWriter, open_set, save_set
from cdp.errors import Cancelled, InputError
from cdp.files import atomic, cache
from cdp.files.atomic import write_json
from cdp.work import backup
from cdp.work.backup import MANIFEST, back_up, restore
from cdp.work.launchers import signature
from cdp.work.records import get_run
from cdp.work.session import Session

RUN = "20260101-000000-aaaaaa"
IMAGES, LABELS = np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4, 1), np.array([0, 1])


def run_at_work(home: Path) -> Path:
    folder = paths.runs_dir() / RUN
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints/state-000000002.safetensors").write_bytes(b"two")
    config = {"seed": 3, "dataset": "digits", "synthetic": [f"{home}/sets/a"]}
    write_json(folder / "config.json", {"kind": "train", "name": "mine", "config": config})
    write_json(folder / "status.json", {"state": "running", "updated": 1.0})
    write_json(folder / "process.json", signature(os.getpid()))
    (folder / "metrics.jsonl").write_text('{"step": 1, "time": 1.0, "values": {"loss": 2.0}}\n')
    (folder / "worker.lock").touch()
    return folder


@pytest.fixture
def store(cdp_home: Path) -> Path:
    save_set("a", IMAGES, LABELS, {"note": "é"})
    run_at_work(cdp_home)
    with SetWriter(paths.sets_dir() / "b", 2, (4, 4, 1), {"seed": 1}) as writer:
        writer.write(slice(0, 1), IMAGES[:1], LABELS[:1])
    cache.keep("scores", "x", np.zeros(3))
    (cdp_home / "mlflow").mkdir()
    deleted = cdp_home / "trash/run-20260101-000000-bbbbbb"
    deleted.mkdir(parents=True)
    write_json(deleted / "moved.json", {"from": f"{cdp_home}/sets/.c.partial", "to": "elsewhere"})
    return cdp_home


def elsewhere(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    monkeypatch.setenv("CDP_HOME", str(home))
    return paths.home()


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_store_comes_back_elsewhere_and_what_was_at_work_can_be_gone_on_with(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(store)
    saved = back_up(tmp_path / "all.zip", Session())
    assert saved.at_work == ("train mine (running)",) and saved.left_out == ()
    home = elsewhere(monkeypatch, tmp_path / "new" / "home")
    assert restore(tmp_path / "all.zip", Session()) == saved
    after = content(home)
    gone = {"cache/scores/x.npy", "sets/.b.partial/lock"}
    gone |= {f"runs/{RUN}/{name}" for name in ("process.json", "worker.lock")}
    assert set(before) - set(after) == gone and not set(after) - set(before)
    moved = {
        f"runs/{RUN}/config.json": f"{home}/sets/a",
        "trash/run-20260101-000000-bbbbbb/moved.json": f"{home}/sets/.c.partial",
    }
    assert {name for name in after if after[name] != before[name]} == set(moved)
    assert all(now in after[name].decode() for name, now in moved.items())
    assert get_run(RUN).state == "interrupted"
    assert open_set("a").card["note"] == "é"
    with SetWriter(paths.sets_dir() / "b", 2, (4, 4, 1), {"seed": 1}) as writer:
        assert writer.done_rows == 1


def test_the_cache_is_saved_where_that_is_asked_for(store: Path, tmp_path: Path) -> None:
    back_up(tmp_path / "all.zip", Session(), cache=True)
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert "home/cache/scores/x.npy" in archive.namelist()


def test_a_database_in_use_is_saved_as_of_one_moment(store: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(store / "mlflow/mlflow.db")
    writer.execute("pragma journal_mode = wal")
    writer.execute("create table runs (name text)")
    writer.execute("insert into runs values ('kept')")
    writer.commit()
    writer.execute("insert into runs values ('not yet')")
    assert back_up(tmp_path / "all.zip", Session()).left_out == ()
    writer.close()
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        archive.extract("home/mlflow/mlflow.db", tmp_path)
        assert not [name for name in archive.namelist() if name.endswith(("-wal", "-shm"))]
    reader = sqlite3.connect(tmp_path / "home/mlflow/mlflow.db")
    assert reader.execute("select name from runs").fetchall() == [("kept",)]


def test_a_checkpoint_that_makes_way_while_it_is_copied_is_followed_by_its_successor(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = paths.runs_dir() / RUN / "checkpoints"
    opened = backup._Copy._open

    def meanwhile(self: Any, path: Path, scratch: Path) -> Any:
        if path.name == "state-000000002.safetensors" and path.exists():
            (states / "state-000000003.safetensors").write_bytes(b"three")
            write_json(paths.runs_dir() / RUN / "status.json", {"state": "finished"})
            path.unlink()
        return opened(self, path, scratch)

    monkeypatch.setattr(backup._Copy, "_open", meanwhile)
    back_up(tmp_path / "all.zip", Session())
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        names = archive.namelist()
        status = json.loads(archive.read(f"home/runs/{RUN}/status.json"))
    assert f"home/runs/{RUN}/checkpoints/state-000000003.safetensors" in names
    assert status["state"] == "running"  # as when the backup began
    at = {Path(name).name: place for place, name in enumerate(names) if RUN in name}
    assert at["metrics.jsonl"] > at["state-000000003.safetensors"]


def test_links_and_what_cannot_be_read_are_said(store: Path, tmp_path: Path) -> None:
    (paths.sets_dir() / "linked").symlink_to(tmp_path)
    os.mkfifo(store / "pipe")
    said = back_up(tmp_path / "all.zip", Session()).left_out
    assert {line.partition(":")[0] for line in said} == {"pipe", "sets/linked"}


@pytest.mark.parametrize("name", ["all.tar", "cdp-home/all.zip", "there.zip"])
def test_a_place_that_cannot_be_is_refused(store: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "there.zip").write_text("somebody's")
    with pytest.raises(InputError):
        back_up(tmp_path / name, Session())
    assert (tmp_path / "there.zip").read_text() == "somebody's"


def test_what_is_stopped_leaves_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Cancelled):
        back_up(tmp_path / "all.zip", Session(should_stop=lambda: True))
    assert [path.name for path in tmp_path.iterdir()] == ["cdp-home"]
    back_up(tmp_path / "all.zip", Session())
    home = elsewhere(monkeypatch, tmp_path / "new")
    with pytest.raises(Cancelled):
        restore(tmp_path / "all.zip", Session(should_stop=lambda: True))
    assert not home.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"cdp-home", "all.zip"}


def test_a_restore_overwrites_nothing(store: Path, tmp_path: Path) -> None:
    back_up(tmp_path / "all.zip", Session())
    before = content(store)
    with pytest.raises(InputError, match="overwrites nothing"):
        restore(tmp_path / "all.zip", Session())
    assert content(store) == before


def change(archive: Path, edit: Callable[[zipfile.ZipFile, dict[str, Any]], object]) -> None:
    """Write it again with more members and another manifest, whose counts follow."""
    with zipfile.ZipFile(archive) as old:
        members = {name: old.read(name) for name in old.namelist()}
    manifest = json.loads(members.pop(MANIFEST))
    with zipfile.ZipFile(archive, "w") as new:
        for name, value in members.items():
            new.writestr(name, value)
        edit(new, manifest)
        infos = new.infolist()
        manifest["files"] = len(infos)
        manifest["size"] = sum(info.file_size for info in infos)
        new.writestr(MANIFEST, json.dumps(manifest))


def link(archive: zipfile.ZipFile, manifest: dict[str, Any]) -> None:
    info = zipfile.ZipInfo("home/link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


HOSTILE: dict[str, Callable[[zipfile.ZipFile, dict[str, Any]], object]] = {
    "way out": lambda archive, manifest: archive.writestr("home/../../outside", "x"),
    "absolute": lambda archive, manifest: archive.writestr("/outside", "x"),
    "beside": lambda archive, manifest: archive.writestr("outside", "x"),
    "backslash": lambda archive, manifest: archive.writestr("home/..\\outside", "x"),
    "deep": lambda archive, manifest: archive.writestr("home/" + "a/" * 40 + "b", "x"),
    "command": lambda archive, manifest: archive.writestr("home/runs/.queue/a.json", "{}"),
    "link": link,
    "bomb": lambda archive, manifest: archive.writestr(
        "home/zeros", bytes(1 << 20), zipfile.ZIP_DEFLATED
    ),
    "newer": lambda archive, manifest: manifest.update(format=2),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_a_hostile_or_newer_archive_changes_nothing(
    store: Path, tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    back_up(tmp_path / "all.zip", Session())
    change(tmp_path / "all.zip", HOSTILE[how])
    home = elsewhere(monkeypatch, tmp_path / "new" / "home")
    expected = "update the app" if how == "newer" else "no backup has"
    with pytest.raises(InputError, match=expected):
        restore(tmp_path / "all.zip", Session())
    assert not home.parent.exists() and not (tmp_path / "outside").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_an_archive_that_is_cut_short_or_changed_is_refused(
    store: Path, tmp_path: Path, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "all.zip"
    back_up(path, Session())
    whole = path.read_bytes()
    place = whole.index(IMAGES.tobytes())
    flipped = whole[:place] + b"\xff" + whole[place + 1 :]
    home = elsewhere(monkeypatch, tmp_path / "new")
    for damaged in (whole[: int(share * len(whole))], flipped):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="not a whole backup"):
            restore(path, Session())
        assert not home.exists() and not atomic.leftovers(tmp_path)


def test_the_commands_say_what_they_did_and_any_other_zip_is_none(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner, path = CliRunner(), tmp_path / "all.zip"
    said = runner.invoke(app, ["backup", str(path)], catch_exceptions=False).stdout
    assert "as of its last checkpoint: train mine (running)" in said
    elsewhere(monkeypatch, tmp_path / "new")
    answer = runner.invoke(app, ["restore", str(path), "--json"], catch_exceptions=False)
    value = json.loads(answer.stdout)
    assert value["path"] == str(tmp_path / "new") and value["at_work"] == ["train mine (running)"]
    elsewhere(monkeypatch, tmp_path / "newer")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("a", "b")
    with pytest.raises(InputError, match="no backup of this app"):
        restore(tmp_path / "other.zip", Session())
    with pytest.raises(InputError, match="not there"):
        restore(tmp_path / "none.zip", Session())
