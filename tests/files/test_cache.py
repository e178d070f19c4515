"""The cache by content: what is kept comes back, damage is computed again, limits hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdp import paths
from cdp.errors import InputError
from cdp.files import cache

DAY = 86_400


@dataclass(frozen=True)
class Figures:
    value: float
    names: tuple[str, ...] = ()


def file(name: str) -> Path:
    return paths.cache_dir() / name


def aged(name: str, days: float) -> Path:
    path = file(name)
    os.utime(path, (time.time() - days * DAY,) * 2)
    return path


def counted(kind: str = "sums", key: str = "a") -> tuple[cache.Cached[Figures], list[str]]:
    made: list[str] = []

    def make(report: cache.Report) -> Figures:
        report(0.5, "summing")
        made.append(key)
        return Figures(1 / 3, ("x",))

    return cache.cached_value(kind, key, Figures, make), made


def test_a_result_is_computed_once_and_then_known_also_to_another_process() -> None:
    result, made = counted()
    said: list[tuple[float, str]] = []
    assert result.known() is None
    assert result.get(lambda *at: said.append(at)) == result.get() == result.known()
    assert made == ["a"] and said == [(0.5, "summing")]
    script = "from cdp.files import cache; print(cache.load_json('sums', 'a'))"
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert other.stdout.strip() == str({"value": 1 / 3, "names": ["x"]})


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6, dtype=np.uint8).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array("why there is none"),
        np.zeros((0, 4), np.float32),
    ],
    ids=["bytes", "fortran", "text", "empty"],
)
def test_arrays_come_back_as_they_were_and_can_be_written_to(value: np.ndarray) -> None:
    cache.keep("arrays", "a", value)
    again = cache.load_array("arrays", "a")
    assert again is not None and again.dtype == value.dtype and np.array_equal(again, value)
    again[...] = again
    assert cache.load_array("arrays", "b") is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\x93NUMPY", b"not an array", b"\x80\x04cos\nsystem\n.", b"[1, 2]", b"[" * 100_000],
    ids=["empty", "magic alone", "text", "pickle", "list", "deep"],
)
def test_damage_is_no_entry_and_is_computed_again(content: bytes) -> None:
    result, made = counted()
    result.get()
    cache.keep("sums", "a", np.ones(3))
    for suffix in (".json", ".npy"):
        file(f"sums/a{suffix}").write_bytes(content)
    assert result.known() is None and cache.load_array("sums", "a") is None
    assert result.get() == Figures(1 / 3, ("x",)) and made == ["a", "a"]
    assert result.known() is not None


@pytest.mark.parametrize("stored", [{}, {"value": "x"}, {"value": 1.0, "names": 3}, {"names": []}])
def test_json_of_another_shape_is_no_entry(stored: dict[str, object]) -> None:
    cache.keep("sums", "a", stored)
    assert cache.load_json("sums", "a") == stored and counted()[0].known() is None


def test_an_array_cut_short_or_announced_larger_than_it_is_is_no_entry() -> None:
    cache.keep("arrays", "a", np.arange(1000))
    whole = file("arrays/a.npy").read_bytes()
    for content in (whole[:-1], whole.replace(b"(1000,)", b"(9**9,)"), whole + b"0"):
        file("arrays/a.npy").write_bytes(content)
        assert cache.load_array("arrays", "a") is None
    unsound = cache.cached_array("arrays", "a", lambda _: np.zeros(2), lambda a: a.shape == (3,))
    cache.keep("arrays", "a", np.zeros(2))
    assert unsound.known() is None


def test_what_json_cannot_say_is_not_kept_and_still_given() -> None:
    result = cache.cached_value("sums", "a", Figures, lambda _: Figures(float("inf")))
    assert result.get() == Figures(float("inf")) and result.known() is None


def test_a_cache_that_cannot_be_written_only_costs_the_time_again(cdp_home: Path) -> None:
    cdp_home.mkdir()
    paths.cache_dir().write_text("a file in the way")
    result, made = counted()
    assert result.get() == result.get() and made == ["a", "a"]


def test_a_folder_appears_whole_or_not_at_all() -> None:
    def broken(new: Path) -> None:
        (new / "part").write_text("half")
        raise InputError("no more images")

    with pytest.raises(InputError, match="no more"):
        cache.keep_folder("data", "a", broken)
    assert cache.load_folder("data", "a") is None and not list(file("data").iterdir())
    cache.keep_folder("data", "a", lambda new: (new / "part").write_text("whole"))
    folder = cache.load_folder("data", "a")
    assert folder is not None and (folder / "part").read_text() == "whole"


@given(st.lists(st.text() | st.integers() | st.floats() | st.none(), max_size=4), st.data())
def test_a_digest_tells_parts_apart_by_content_and_place(parts: list[object], data) -> None:  # type: ignore[no-untyped-def]
    assert cache.digest(*parts) == cache.digest(*parts)
    assert cache.digest(*parts, "") != cache.digest(*parts)
    text = "".join(map(str, parts))
    cut = data.draw(st.integers(0, len(text)))
    assert cache.digest(text[:cut], text[cut:]) != cache.digest(text, "x")


def test_a_digest_of_an_array_follows_bytes_type_and_shape_and_not_layout() -> None:
    array = np.arange(24, dtype=np.int32).reshape(4, 6)
    same = [np.asfortranarray(array), np.repeat(array, 2, axis=1)[:, ::2], array.copy()]
    other = [array.reshape(6, 4), array.astype(np.uint32), array + 1]
    assert {cache.digest(one) for one in same} == {cache.digest(array)}
    assert len({cache.digest(one) for one in [array, *other]}) == 4


def test_the_longest_unused_goes_first_and_use_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        cache.keep("arrays", str(number), np.zeros(25_000, np.uint8))
        aged(f"arrays/{number}.npy", 10 - number)
    assert cache.load_array("arrays", "0") is not None  # used now, so 1 is the oldest
    monkeypatch.setenv(cache.LIMIT, "0.00006")
    cache.trim()
    assert sorted(path.name for path in file("arrays").iterdir()) == ["0.npy", "3.npy"]


def test_the_limit_holds_while_a_process_goes_on_keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT, "0.0001")
    for number in range(12):
        cache.keep("arrays", str(number), np.zeros(20_000, np.uint8))
        aged(f"arrays/{number}.npy", 1 - number / 100)
    assert sum(entry.size for entry in cache.entries()) <= 125_000
    assert cache.load_array("arrays", "11") is not None


def test_small_entries_outlive_a_full_cache_and_old_ones_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache.keep("precision", "here", {"ratio": 1.2})
    aged("precision/here.json", 20)
    cache.keep("precision", "gone", {"ratio": 1.2})
    aged("precision/gone.json", cache.MOST_DAYS + 1)
    cache.keep_folder("data", "big", lambda new: (new / "a").write_bytes(bytes(50_000)))
    aged("data/big", 5)
    cache.keep("arrays", "new", np.zeros(50_000, np.uint8))
    monkeypatch.setenv(cache.LIMIT, "0")
    cache.trim()
    left = [str(entry.path.relative_to(paths.cache_dir())) for entry in cache.entries()]
    assert left == ["precision/here.json", "arrays/new.npy"]


def test_what_is_being_written_and_links_are_left_alone(tmp_path: Path) -> None:
    cache.keep("arrays", "a", np.zeros(3))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "own.png").write_text("of the user")
    file("linked").symlink_to(outside)
    file("arrays/.b.npy.123").write_text("half")
    assert {entry.path.name for entry in cache.entries()} == {"a.npy"}
    for entry in cache.entries():
        assert cache.remove(entry)
    assert (outside / "own.png").exists() and file("arrays/.b.npy.123").exists()


@pytest.mark.parametrize("text", ["much", "-1", "nan", "1e30"])
def test_a_limit_that_is_no_size_is_named(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.LIMIT, text)
    with pytest.raises(InputError, match=cache.LIMIT):
        cache.limit_bytes()
    cache.keep("sums", "a", {"value": 1})
    cache.trim()
    assert cache.load_json("sums", "a") == {"value": 1}


def test_several_writers_and_a_trimmer_never_show_half_an_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(cache.LIMIT, "0.00005")
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(30):
            cache.keep("arrays", str(turn % 3), np.full(4000, turn % 3))
            value = cache.load_array("arrays", str(turn % 3))
            if value is not None and set(value.tolist()) != {turn % 3}:
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert json.dumps([str(entry.path) for entry in cache.entries()])
