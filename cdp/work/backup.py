"""One archive of CDP_HOME: a zip file whose members are stored as they are, so that none can unpack
to more than the archive holds. It may be made while runs work: whatever is copied is whole, and of
a run at work it is what the run would go on with after a kill now."""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import sqlite3
import stat
import time
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from cdp import __version__, paths
from cdp.data.sets import trash_dir
from cdp.errors import InputError, MissingError
from cdp.files import atomic
from cdp.files.reading import MAX_RECORD, parse_object, read_json
from cdp.files.versions import require_known
from cdp.work.launch import CLOSED
from cdp.work.launchers import PROCESS
from cdp.work.records import FORWARD, STATUS, STOP, active_runs, run_folders
from cdp.work.session import Session

MANIFEST, TREE = "backup.json", "home"
"""Of the archive: what it says of itself, and the folder that everything else is in."""
FORMAT = 1
_OF_A_PROCESS = frozenset({PROCESS, STOP, CLOSED, FORWARD})
"""In the folder of a run: what only means something while its process lives."""
_SQLITE = b"SQLite format 3\0"
_SQLITE_BESIDE = ("-wal", "-shm", "-journal")
_CHUNK = 1 << 20
_MEGABYTE = 1_000_000
_MOST_FILES, _MOST_PARTS, _MOST_LETTERS = 2_000_000, 32, 2000
_ROUNDS = 3


@dataclass(frozen=True)
class Backup:
    """What an archive says of itself. created: UTC; home: CDP_HOME when it was made; size: bytes of
    all files; at_work: runs that were not over, which are in it as of their last checkpoint;
    left_out: what is not in it, each with the reason."""

    app: str
    created: str
    home: str
    files: int
    size: int
    at_work: tuple[str, ...]
    left_out: tuple[str, ...]


def back_up(out: Path, session: Session, *, cache: bool = False) -> Backup:
    """Write the archive. cache: also what can be computed again, and generations that nobody saved.
    Raises InputError for a name that it cannot have, CdpError where the disk lacks room, and
    Cancelled; then there is no archive."""
    home, out = paths.home(), out.expanduser().resolve()
    if out.suffix != ".zip":
        raise InputError(f"{out.name[:80]!r} does not end in .zip: give a name that does")
    if out.is_relative_to(home):
        raise InputError(f"{out} is in CDP_HOME, which it is to save: choose a place outside it")
    if not home.is_dir():
        raise InputError(f"CDP_HOME is {home}, which is not there: nothing was saved")
    atomic.refuse_existing(out)
    for left in atomic.leftovers_in(out.parent, out.name):
        atomic.clear(left)
    copy = _Copy(home, session, cache=cache)
    atomic.require_space(out.parent, copy.total)
    created = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with (
        atomic.atomic_file(out) as file,
        atomic.scratch_folder(out) as scratch,
        zipfile.ZipFile(file, "w") as archive,
    ):
        copy.write(archive, scratch)
        lists = tuple(copy.at_work), tuple(copy.left_out)
        said = Backup(__version__, created, str(home), copy.files, copy.done, *lists)
        archive.writestr(MANIFEST, json.dumps({"format": FORMAT} | asdict(said), indent=1))
    return said


class _Copy:
    """CDP_HOME on its way into an archive. total: bytes that there were when this was made."""

    def __init__(self, home: Path, session: Session, *, cache: bool) -> None:
        self._home, self._session = home, session
        self._without = None if cache else paths.cache_dir()
        active = active_runs()
        self.at_work = [f"{run.kind} {run.name} ({run.state})" for run in active]
        # Of now, as is the list of runs: a run that says it is finished must not be saved with
        # what it was making a moment before.
        self._states: dict[Path, bytes] = {}
        for run in active:
            with contextlib.suppress(OSError):
                self._states[run.folder / STATUS] = (run.folder / STATUS).read_bytes()
        self._runs = frozenset(folder.name for folder in run_folders())
        self.files, self.done, self.total, self.left_out = 0, 0, 0, list[str]()
        for path in self._tree(home, rounds=1):
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                self.total += path.lstat().st_size
        self.left_out.clear()

    def write(self, archive: zipfile.ZipFile, scratch: Path) -> None:
        """Everything. scratch: a folder on the same disk as the archive."""
        for path in self._tree(self._home):
            name = path.relative_to(self._home).as_posix()
            with contextlib.ExitStack() as stack:
                try:
                    name.encode()
                    source = stack.enter_context(self._open(path, scratch))
                except FileNotFoundError:
                    continue  # a checkpoint that made way for the next, which is seen as well
                except (OSError, UnicodeEncodeError, sqlite3.Error) as error:
                    self._leave_out(path, str(error))
                    continue
                self._add(archive, name, source)

    def _tree(self, folder: Path, *, rounds: int = _ROUNDS) -> Iterator[Path]:
        """The files below. Folders come before the files beside them and runs last of all, so that a
        journal is never older than the checkpoint; and what tells how much of a set is on disk comes
        before the set. What has taken a name meanwhile is looked for once more."""
        seen: set[str] = set()
        for _ in range(rounds):
            try:
                entries = [entry for entry in os.scandir(folder) if entry.name not in seen]
            except OSError as error:
                self._leave_out(folder, str(error.strerror))
                return
            for entry in sorted(entries, key=_order):
                seen.add(entry.name)
                path = Path(entry.path)
                if not self._belongs(path):
                    continue
                # A whole store may lie on another disk; a link below is somebody's own matter.
                if entry.is_dir(follow_symlinks=folder == self._home):
                    yield from self._tree(path, rounds=rounds)
                elif entry.is_file(follow_symlinks=False):
                    yield path
                else:
                    self._leave_out(path, "a link or no regular file")

    def _belongs(self, path: Path) -> bool:
        name, parent = path.name, path.parent
        if path == self._without:
            return False
        if parent == paths.runs_dir():
            return name in self._runs
        if parent.parent == paths.runs_dir() and name in _OF_A_PROCESS:
            return False
        lock = name.endswith(".lock") or (name == "lock" and parent.name.startswith("."))
        beside = name.endswith(tuple(f".db{end}" for end in _SQLITE_BESIDE))
        return not (lock or beside or atomic.is_hidden_work(name))

    def _leave_out(self, path: Path, reason: str) -> None:
        name = str(path.relative_to(self._home)).encode(errors="replace").decode()
        self.left_out.append(f"{name}: {reason}")

    @contextlib.contextmanager
    def _open(self, path: Path, scratch: Path) -> Iterator[IO[bytes]]:
        if path in self._states:
            yield io.BytesIO(self._states[path])
            return
        with path.open("rb") as file:
            database = path.suffix == ".db" and file.read(len(_SQLITE)) == _SQLITE
            file.seek(0)
            with _snapshot(path, scratch) if database else contextlib.nullcontext(file) as source:
                yield source

    def _add(self, archive: zipfile.ZipFile, name: str, source: IO[bytes]) -> None:
        info = zipfile.ZipInfo(f"{TREE}/{name}", time.localtime()[:6])
        with archive.open(info, "w", force_zip64=True) as member:
            while piece := source.read(_CHUNK):
                self.done += member.write(piece)
                _report(self._session, self.done, max(self.done, self.total))
        self.files += 1


def _order(entry: os.DirEntry[str]) -> tuple[bool, bool, bool, str]:
    file = not entry.is_dir()
    return entry.name == paths.runs_dir().name, file, not entry.name.endswith(".json"), entry.name


def _report(session: Session, done: int, total: int) -> None:
    session.check_stop()
    session.progress(-(-done // _MEGABYTE), -(-total // _MEGABYTE), unit="MB")


@contextlib.contextmanager
def _snapshot(path: Path, scratch: Path) -> Iterator[IO[bytes]]:
    """A database as of one moment, whoever writes it."""
    target = scratch / path.name
    source = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=10)
    with contextlib.closing(source), contextlib.closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    with target.open("rb") as file:
        yield file
    target.unlink()


def restore(archive_path: Path, session: Session) -> Backup:
    """Unpack an archive as CDP_HOME, which must be empty or not there: nothing is overwritten.
    Everything is checked before it takes that name, so that a restore that is interrupted leaves
    all as it was. Raises InputError for what is no sound backup, CdpError where the disk lacks room,
    and Cancelled."""
    home = paths.home()
    if home.is_dir() and any(item != paths.cache_dir() for item in home.iterdir()):
        raise InputError(
            f"CDP_HOME is {home}, which is in use, and a restore overwrites nothing: set CDP_HOME to"
            " a folder that is not there yet"
        )
    if not archive_path.is_file():
        raise MissingError(f"{archive_path} is not there: give the path of a backup")
    damaged = f"{archive_path} is not a whole backup"
    try:
        with zipfile.ZipFile(archive_path) as archive:
            said = _manifest(archive, archive_path)
            members = [_checked(info, archive_path) for info in archive.infolist()]
            files = [info for info in members if info.filename != MANIFEST]
            size = sum(info.file_size for info in files)
            names = set(archive.namelist())
            if (len(files), size, len(names)) != (said.files, said.size, len(members)):
                raise InputError(f"{damaged}: it announces other files than it has; copy it again")
            if size > archive_path.stat().st_size or len(files) > _MOST_FILES:
                raise InputError(f"{damaged}: it announces more than it holds")
            atomic.require_space(home.parent, size)
            with atomic.new_folder(home, replace=home.exists()) as new:
                _unpack(archive, files, new, session, size)
                _say_new_place(new, said.home, str(home))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{damaged} ({str(error)[:120]}): copy it again") from error
    return said


def _manifest(archive: zipfile.ZipFile, path: Path) -> Backup:
    wrong = f"{path} is no backup of this app: give a file that python -m cdp backup wrote"
    try:
        info = archive.getinfo(MANIFEST)
    except KeyError as error:
        raise InputError(wrong) from error
    if info.file_size > MAX_RECORD or info.compress_type != zipfile.ZIP_STORED:
        raise InputError(wrong)
    try:
        value = parse_object(archive.read(info))
    except ValueError as error:
        raise InputError(wrong) from error
    require_known(path, value.get("format"), FORMAT)
    try:
        files, size = value["files"], value["size"]
        if type(files) is not int or type(size) is not int:
            raise TypeError
        app, created, home = (str(value[name]) for name in ("app", "created", "home"))
        at_work, left_out = (tuple(map(str, value[name])) for name in ("at_work", "left_out"))
        return Backup(app, created, home, files, size, at_work, left_out)
    except (KeyError, TypeError) as error:
        raise InputError(wrong) from error


def _checked(info: zipfile.ZipInfo, path: Path) -> zipfile.ZipInfo:
    """A member that may be unpacked. Raises InputError for one that no backup has: a link, a way out
    of the folder, something that unpacks to more than it is, or a file of the queue, which would be
    executed."""
    parts = PurePosixPath(info.filename).parts
    mode = info.external_attr >> 16
    plain = (
        info.compress_type == zipfile.ZIP_STORED
        and info.file_size == info.compress_size
        and not info.flag_bits & 0x1
        and not info.is_dir()
        and (stat.S_IFMT(mode) in (0, stat.S_IFREG))
    )
    inside = info.filename == MANIFEST or (
        len(parts) > 1
        and parts[0] == TREE
        and "/".join(parts) == info.filename
        and ".." not in parts
        and not (parts[1] == paths.runs_dir().name and parts[2:3] and parts[2][:1] == ".")
        and not set("\\\0") & set(info.filename)
        and len(parts) <= _MOST_PARTS
        and len(info.filename) <= _MOST_LETTERS
    )
    if not (plain and inside):
        raise InputError(
            f"{path} has a member {info.filename[:80]!r} that no backup has: nothing was restored"
        )
    return info


def _unpack(
    archive: zipfile.ZipFile,
    files: list[zipfile.ZipInfo],
    new: Path,
    session: Session,
    size: int,
) -> None:
    """zipfile compares the checksum of every member as its end is read."""
    done = 0
    for info in files:
        target = new.joinpath(*PurePosixPath(info.filename).parts[1:])
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(info) as source, target.open("xb") as file:
            while piece := source.read(_CHUNK):
                file.write(piece)
                done += len(piece)
                _report(session, done, size)


def _say_new_place(new: Path, before: str, now: str) -> None:
    """Records of runs, also of those in the trash, name networks and sets by their paths, which are
    other ones now."""
    if before == now:
        return
    for store in (paths.runs_dir(), trash_dir()):
        for path in (new / store.name).rglob("*.json"):
            record = read_json(path)
            moved = _moved(record, before, now)
            if moved != record:
                atomic.write_json(path, moved)


def _moved(value: Any, before: str, now: str) -> Any:
    if isinstance(value, dict):
        return {name: _moved(part, before, now) for name, part in value.items()}
    if isinstance(value, list):
        return [_moved(part, before, now) for part in value]
    if isinstance(value, str) and (value == before or value.startswith(f"{before}/")):
        return now + value[len(before) :]
    return value
