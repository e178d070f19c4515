"""Encoders on disk: what is saved comes back."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cdp.errors import InputError, MissingError
from cdp.models.classifiers import SmallCNN
from cdp.models.encoders import list_encoders, load_encoder, save_encoder
from cdp.paths import encoders_dir


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good encoder named mine of the data set toys."""
    monkeypatch.setenv("CDP_HOME", str(tmp_path / "home"))
    torch.manual_seed(0)
    target = encoders_dir() / "toys" / "mine"
    save_encoder(target, SmallCNN(3, 1, widths=(4, 6)), {"dataset": "toys", "accuracy": {}})
    return target


def test_what_is_saved_comes_back_frozen_with_card_and_digest(folder: Path) -> None:
    torch.manual_seed(0)
    x, expected = torch.rand(2, 1, 8, 8), SmallCNN(3, 1, widths=(4, 6))
    torch.manual_seed(0)
    expected = SmallCNN(3, 1, widths=(4, 6))
    encoder = load_encoder("mine", "toys")
    assert torch.equal(encoder.net(x), expected(x))
    assert (encoder.name, encoder.dim, encoder.card["dataset"]) == ("mine", 6, "toys")
    assert not encoder.net.training
    assert not any(p.requires_grad for p in encoder.net.parameters())
    assert (
        encoder.sha256
        == load_encoder(folder, "other").sha256
        == load_encoder(str(folder), "toys").sha256
    )


def test_saving_again_replaces_the_whole_folder(folder: Path) -> None:
    (folder / "stray.txt").write_text("x")
    save_encoder(folder, SmallCNN(2, 3, widths=(8,)), {})
    assert load_encoder("mine", "toys").net.classes == 2
    assert sorted(p.name for p in folder.parent.iterdir()) == ["mine"]
    assert not (folder / "stray.txt").exists()


def test_listing_reports_broken_and_skips_unfinished_ones(folder: Path) -> None:
    (folder.parent / "broken").mkdir()
    (folder.parent / ".mine.partial").mkdir()
    listed = {entry.name: entry.problem for entry in list_encoders("toys")}
    assert listed.keys() == {"mine", "broken"}
    assert not listed["mine"]
    assert "card.json" in listed["broken"]
    assert list_encoders("../toys") == list_encoders("unheard-of") == []


def _card(**change: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        card = json.loads((folder / "card.json").read_text())
        card["architecture"] |= change
        (folder / "card.json").write_text(json.dumps(card))

    return damage


def _weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors")

    return damage


def _bytes(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(data) and None


def _header(table: object, body: bytes = b"") -> Callable[[Path], None]:
    text = json.dumps(table).encode()
    return _bytes("model.safetensors", struct.pack("<Q", len(text)) + text + body)


def _fifo(folder: Path) -> None:
    import os

    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


def _link(target: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors").symlink_to(target)

    return damage


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no card": (lambda f: (f / "card.json").unlink(), "card.json"),
    "card is no JSON": (_bytes("card.json", b"{"), "not valid JSON"),
    "card is a list": (_bytes("card.json", b"[]"), "JSON object"),
    "card is not text": (_bytes("card.json", b"\xff\xfe\x00"), "not valid JSON"),
    "card nests without end": (_bytes("card.json", b"[" * 200_000), "not valid JSON"),
    "card with NaN": (_bytes("card.json", b'{"a": NaN}'), "not valid JSON"),
    "card without architecture": (_bytes("card.json", b"{}"), "architecture"),
    "another architecture": (_card(name="ResNet"), "architecture"),
    "an extra setting": (_card(depth=3), "architecture"),
    "widths of text": (_card(widths=["4", "6"]), "widths"),
    "huge widths": (_card(widths=[10**9]), "widths"),
    "no widths": (_card(widths=[]), "widths"),
    "huge blocks": (_card(blocks=10**6), "blocks"),
    "classes zero": (_card(classes=0), "classes"),
    "classes true": (_card(classes=True), "classes"),
    "other classes than the weights": (_card(classes=4), "head.weight"),
    "other channels than the weights": (_card(channels=3), "body.0.0.weight"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors"),
    "empty weights": (_bytes("model.safetensors", b""), "not a safetensors file"),
    "ten-gigabyte header": (
        _bytes("model.safetensors", struct.pack("<Q", 10 << 30) + b"{}"),
        "header announces",
    ),
    "header is no JSON": (
        _bytes("model.safetensors", struct.pack("<Q", 4) + b"abcd"),
        "broken safetensors header",
    ),
    "header is a list": (_header([1]), "broken safetensors header"),
    "data beyond the file": (
        _header({"head.bias": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}),
        "does not fit",
    ),
    "negative shape": (
        _header({"head.bias": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 0]}}),
        "impossible shape",
    ),
    "integer weights": (
        _header({"head.bias": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]}}, bytes(8)),
        "floating-point",
    ),
    "a pickle": (
        _bytes("model.safetensors", b"\x80\x04\x95\x0e\x00\x00\x00\x00\x00\x00\x00\x8c\x02os."),
        "not a safetensors file",
    ),
    "truncated": (
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes()[:-8]
        ),
        "does not fit",
    ),
    "missing tensor": (_weights(lambda t: t.pop("head.bias")), "head.bias"),
    "unknown tensor": (_weights(lambda t: t.update(extra=torch.zeros(1))), "extra"),
    "wrong shape": (_weights(lambda t: t.update({"head.bias": torch.zeros(4)})), "head.bias"),
    "NaN": (_weights(lambda t: t["head.bias"].fill_(float("nan"))), "NaN"),
    "infinity": (
        _weights(lambda t: t["head.weight"].view(-1)[3:4].fill_(float("inf"))),
        "infinite",
    ),
    "a device": (_link("/dev/zero"), "not a regular file"),
    "a broken link": (_link("nowhere"), "missing"),
    "a link to itself": (_link("model.safetensors"), "missing"),
    "a pipe": (_fifo, "not a regular file"),
    "a folder as weights": (
        lambda f: ((f / "model.safetensors").unlink(), (f / "model.safetensors").mkdir()),
        "not a regular file",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_damaged_folder_gives_one_sentence_with_a_remedy(case: str, folder: Path) -> None:
    damage, words = DAMAGE[case]
    damage(folder)
    with pytest.raises(InputError) as caught:
        load_encoder("mine", "toys")
    message = str(caught.value)
    assert words in message
    assert "mine" in message, "the message names the file"
    assert ": " in message, "the message has a remedy"
    assert "\n" not in message
    assert len(message) < 600


@pytest.mark.parametrize(
    "name",
    [
        "nobody",
        "..",
        "../mine",
        "../../secret",
        "mine/../mine2",
        "/nowhere/at/all",
        "a\0b",
        "x" * 5000,
        "~nobody-here/x",
        "",
    ],
)
def test_name_that_leads_nowhere_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(InputError):
        load_encoder(name, "toys")


def test_unknown_name_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(MissingError, match="mine"):
        load_encoder("nobody", "toys")


@pytest.mark.parametrize("name", ["..", ".hidden", "a b", "a\nb"])
def test_saving_under_no_name_leaves_nothing(name: str, folder: Path) -> None:
    before = sorted(folder.parent.rglob("*"))
    with pytest.raises(InputError, match="name"):
        save_encoder(folder.parent / name, SmallCNN(2, 1, widths=(4,)), {})
    assert sorted(folder.parent.rglob("*")) == before


def test_half_precision_weights_load_as_fp32(folder: Path) -> None:
    _weights(lambda t: t.update({name: value.half() for name, value in t.items()}))(folder)
    assert all(p.dtype == torch.float32 for p in load_encoder("mine", "toys").net.parameters())
