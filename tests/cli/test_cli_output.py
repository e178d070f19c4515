"""What a person reads while waiting."""

from __future__ import annotations

import io
import json
from pathlib import Path

from cdp.cli.output import ProgressLine
from cdp.data.sets import save_set
from tests.cli import command
from tests.data import makers


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_log_gets_whole_lines_and_not_one_a_batch() -> None:
    stream = io.StringIO()
    with ProgressLine("images", stream) as line:
        for done in range(0, 1001, 10):
            line.show(done, 1000, 5.0)
    expected = ["0 of 1,000 images, 5 s left", "1,000 of 1,000 images"]
    assert stream.getvalue().splitlines() == expected


def test_a_terminal_gets_one_line_redrawn_and_nothing_of_the_longer_one_before_it() -> None:
    stream = Terminal()
    with ProgressLine("steps", stream, every=0) as line:
        line.show(1, 2, 100.0, ", loss 0.5000")
        line._last = float("-inf")
        line.show(2, 2, 0.0)
    first, second = stream.getvalue().removeprefix("\r").removesuffix("\n").split("\r")
    assert first == "1 of 2 steps, 1 min 40 s left, loss 0.5000"
    assert second == "2 of 2 steps".ljust(len(first))


HIDDEN = "\x1b]0;owned\x07\u202egnp\x9b2J"


def test_names_and_logs_of_strangers_reach_no_terminal_as_they_are(cdp_home: Path) -> None:
    run = cdp_home / "runs" / "20260101-000000-abcdef"
    run.mkdir(parents=True)
    record = {"kind": "train", "name": HIDDEN, "created": 1.7e9, "config": {}}
    (run / "config.json").write_text(json.dumps(record))
    (run / "status.json").write_text(json.dumps({"state": "failed", "error": HIDDEN}))
    (run / "log.txt").write_text(f"{HIDDEN}\n")
    (cdp_home / "sets" / HIDDEN).mkdir(parents=True)
    kept = save_set("kept", makers.images(), makers.labels(), {"class_names": [HIDDEN, "b", "c"]})
    assert kept.class_names[0] != HIDDEN
    said = []
    for words in (
        *(["runs"], ["show", run.name], ["logs", run.name], ["sets"], ["show", HIDDEN]),
        *(["import", f"/nowhere/{HIDDEN}.npz", "--name", "new"], ["no-such", HIDDEN]),
        ["import", f"/nowhere/{HIDDEN}.npz", "--name", HIDDEN, "--debug"],
    ):
        done = command.run(*words)
        said.append(done.stdout + done.stderr)
    assert not {"\x1b", "\x07", "\u202e", "\x9b"} & set("".join(said))
    assert all(r"\x1b" in text or r"\u202e" in text for text in said[:5])


def test_csv_on_stdout_keeps_its_line_ends(cdp_home: Path) -> None:
    head, *rows, after = command.run("theory", "--view", "needed").stdout.split("\r\n")
    assert head.startswith("separation,") and rows and after == ""
    assert r"\r" not in "".join((head, *rows))
