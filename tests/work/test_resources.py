"""What a run takes from the machine: read right, kept small, and never in the way of the run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cdp.values.types import Sample
from cdp.work.resources import MAX_LINES, Meter, ResourceSampler, read_resources


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "resources.jsonl"


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "this never came true"
        time.sleep(0.01)


def test_samples_are_written_while_the_block_runs_and_no_longer(path: Path) -> None:
    before = time.time()
    with ResourceSampler(path, every=0.02):
        until(lambda: len(read_resources(path)) >= 3)
    samples = read_resources(path)
    time.sleep(0.1)
    assert read_resources(path) == samples
    assert before < samples[0].time < samples[1].time < samples[-1].time < time.time()
    assert all(
        sample.memory > 10_000_000 and sample.gpu is None and sample.gpu_memory is None
        for sample in samples
    )


def test_a_busy_child_counts_about_one_core_and_its_memory() -> None:
    meter = Meter()
    code = "block = bytearray(b'x') * 100_000_000\nprint(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        meter.sample()
        began, used = time.monotonic(), _processor_seconds(child.pid)
        time.sleep(1.0)
        sample = meter.sample()
        expected = 100 * (_processor_seconds(child.pid) - used) / (time.monotonic() - began)
        resident = psutil.Process(child.pid).memory_info().rss
        # Now, as earlier tests' memory may be given back, with helpers that they left.
        me = psutil.Process()
        others = [each for each in me.children(recursive=True) if each.pid != child.pid]
        alone = sum(each.memory_info().rss for each in (me, *others))
        child.kill()
    assert resident > 90_000_000
    assert sample.memory == pytest.approx(alone + resident, abs=20_000_000)
    # The meter counts this process as well, in which threads of other tests may be on their way
    # out.
    assert sample.cpu >= expected - 15
    assert expected > 2


def _processor_seconds(pid: int) -> float:
    """The kernel's own count, in its ticks of 1/100 s."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_a_long_run_is_told_in_coarser_steps(path: Path) -> None:
    path.write_text(
        "".join(
            json.dumps({"time": float(i), "cpu": 1.0, "memory": 1}) + "\n" for i in range(MAX_LINES)
        )
    )
    with ResourceSampler(path, every=0.02):
        until(lambda: len(read_resources(path)) != MAX_LINES)
        until(lambda: len(read_resources(path)) > MAX_LINES // 2 + 2)
    samples = read_resources(path)
    assert [sample.time for sample in samples[: MAX_LINES // 2]] == [
        float(i) for i in range(0, MAX_LINES, 2)
    ]
    assert len(samples) < MAX_LINES // 2 + 50 and samples[-1].time > 1e9


def test_a_torn_line_of_a_killed_start_is_cut_off(path: Path) -> None:
    whole = json.dumps({"time": 1.0, "cpu": 2.0, "memory": 3}) + "\n"
    path.write_text(whole + whole[:11])
    with ResourceSampler(path, every=0.02):
        until(lambda: len(read_resources(path)) >= 3)
    assert read_resources(path)[0] == Sample(1.0, 2.0, 3)
    assert all(json.loads(line)["memory"] for line in path.read_text().splitlines())


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{}",
        "[1]",
        "null",
        "\0\0",
        '{"time": 1}',
        '{"time": 1, "cpu": NaN, "memory": 1}',
        '{"time": 1, "cpu": "x", "memory": 1}',
    ],
)
def test_a_damaged_line_hurts_no_other(path: Path, line: str) -> None:
    path.write_text(
        '{"time": 1.0, "cpu": 2.0, "memory": 3}\n'
        + line
        + "\n"
        + '{"time": 2.0, "cpu": 2.0, "memory": 3, "gpu": 5.0}\n'
    )
    assert read_resources(path) == [Sample(1.0, 2.0, 3), Sample(2.0, 2.0, 3, gpu=5.0)]


def test_a_missing_file_has_no_samples(path: Path) -> None:
    assert read_resources(path) == []


def test_where_nothing_can_be_written_the_run_goes_on_and_hears_of_it_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.mkdir()
    with ResourceSampler(path, every=0.01):
        until(lambda: bool(caplog.records))
        time.sleep(0.1)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert not [thread for thread in threading.enumerate() if thread.name == "resources"]
