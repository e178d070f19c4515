"""Architectures by name and by card: seeded, saved and loaded whole."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from cdp.errors import InputError
from cdp.models.classifiers import (
    Classifier,
    PreActResNet,
    SmallCNN,
    WideResNet,
    build_classifier,
    build_described,
    describe,
)
from cdp.models.encoders import load_encoder, save_encoder
from cdp.models.state import update_average

SMALL = {
    "SmallCNN": lambda: SmallCNN(3, 1, widths=(4, 6)),
    "PreActResNet": lambda: PreActResNet(3, 1, widths=(4, 6), blocks=1),
    "WideResNet": lambda: WideResNet(3, 1, depth=10, width=1),
}


def _used(name: str) -> Classifier:
    """A small one whose BatchNorm has seen a few batches."""
    torch.manual_seed(0)
    net = SMALL[name]()
    for _ in range(3):
        net(torch.rand(4, 1, 8, 8))
    return net


@pytest.mark.parametrize(
    ("name", "dim"), [("small-cnn", 128), ("preact-resnet-18", 512), ("wrn-28-10-swish", 640)]
)
def test_each_name_builds_its_network(name: str, dim: int) -> None:
    with torch.device("meta"):
        net = build_classifier(name, classes=7, shape=(3, 32, 32), seed=0)
    assert (net.classes, net.channels, net.dim) == (7, 3, dim)
    assert net.training
    assert all(p.requires_grad for p in net.parameters())


def test_first_weights_are_a_function_of_the_seed_and_the_caller_s_stream_is_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, same, other = (
        build_classifier("small-cnn", classes=3, shape=(1, 8, 8), seed=seed) for seed in (1, 1, 2)
    )
    assert torch.equal(torch.rand(1), expected)
    weights = [net.state_dict() for net in (one, same, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert not torch.equal(weights[0]["head.weight"], weights[2]["head.weight"])
    torch.manual_seed(1)
    assert torch.equal(SmallCNN(3, 1).head.weight, one.head.weight), "as encoders are seeded"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "resnet-50"}, "small-cnn, preact-resnet-18"),
        ({"shape": (1, 27, 28)}, "even sides"),
        ({"shape": (1, 6, 28)}, "sides from 8 px"),
        ({"name": "preact-resnet-18", "shape": (3, 7, 32)}, "7 x 32"),
        ({"shape": (5, 8, 8)}, "channels"),
        ({"classes": 0}, "classes"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        build_classifier(
            **({"name": "small-cnn", "classes": 3, "shape": (1, 8, 8), "seed": 0} | change)
        )


@pytest.mark.parametrize("name", SMALL)
def test_saved_and_loaded_gives_identical_logits(name: str, tmp_path: Path) -> None:
    net, x = _used(name), torch.rand(3, 1, 8, 8)
    save_encoder(tmp_path / "mine", net, {"note": "x"})
    encoder = load_encoder(tmp_path / "mine", "toys")
    assert type(encoder.net) is type(net)
    assert torch.equal(encoder.net(x), net.eval()(x))
    assert encoder.net.state_dict().keys() == net.state_dict().keys()
    assert not any(tensor.is_meta for tensor in encoder.net.state_dict().values())
    assert all(
        tensor.is_floating_point()
        for tensor in load_file(tmp_path / "mine" / "model.safetensors").values()
    )
    assert encoder.card["note"] == "x"


@pytest.mark.parametrize("name", SMALL)
def test_a_loaded_network_can_be_trained_on_and_saved_again(name: str, tmp_path: Path) -> None:
    save_encoder(tmp_path / "one", _used(name), {})
    net = load_encoder(tmp_path / "one", "toys").net.train().requires_grad_(True)
    net(torch.rand(4, 1, 8, 8)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    save_encoder(tmp_path / "two", net, {})
    x = torch.rand(2, 1, 8, 8)
    assert torch.equal(load_encoder(tmp_path / "two", "toys").net(x), net.eval()(x))


@pytest.mark.parametrize("name", ["PreActResNet", "WideResNet"])
def test_negative_variances_and_missing_statistics_are_refused(name: str, tmp_path: Path) -> None:
    save_encoder(tmp_path / "mine", _used(name), {})
    weights = tmp_path / "mine" / "model.safetensors"
    tensors = load_file(weights)
    save_file(
        {
            key: -value if key == "trunk.norm.running_var" else value
            for key, value in tensors.items()
        },
        weights,
    )
    with pytest.raises(InputError, match="negative variances"):
        load_encoder(tmp_path / "mine", "toys")
    save_file(
        {key: value for key, value in tensors.items() if key != "trunk.norm.running_mean"}, weights
    )
    with pytest.raises(InputError, match="running_mean"):
        load_encoder(tmp_path / "mine", "toys")


def test_a_card_that_announces_a_giant_costs_nothing_but_an_error(tmp_path: Path) -> None:
    """Built, this network would take 2 GB; the error comes from the file's header."""
    save_encoder(tmp_path / "mine", _used("WideResNet"), {})
    card = tmp_path / "mine" / "card.json"
    told = json.loads(card.read_text())
    told["architecture"] |= {"depth": 100, "width": 20}
    card.write_text(json.dumps(told))
    before = torch.get_rng_state()
    with pytest.raises(InputError, match="tensor"):
        load_encoder(tmp_path / "mine", "toys")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", SMALL)
def test_description_survives_json_and_builds_the_same_shapes(name: str) -> None:
    net = SMALL[name]()
    card = json.loads(json.dumps(describe(net)))
    built = build_described(card, Path("card.json"))
    assert describe(built) == card
    shapes = [
        {key: value.shape for key, value in each.state_dict().items()} for each in (net, built)
    ]
    assert shapes[0] == shapes[1]


def test_the_card_form_of_the_shipped_encoders_is_kept() -> None:
    card = {"name": "SmallCNN", "classes": 3, "channels": 1, "widths": [4, 6], "blocks": 0}
    assert describe(build_described(card, Path("card.json"))) == card


HOSTILE = [
    (None, "architecture"),
    ([], "architecture"),
    ("SmallCNN", "architecture"),
    ({}, "architecture"),
    ({"name": ["SmallCNN"]}, "architecture"),
    ({"name": "__class__"}, "architecture"),
    ({"name": "SmallCNN"}, "exactly name"),
    ({"name": "WideResNet", "widths": [4]}, "exactly name"),
]
CHANGES = {
    "SmallCNN": [
        {"blocks": -1},
        {"blocks": 17},
        {"widths": [4.0]},
        {"widths": [True]},
        {"widths": "44"},
        {"widths": [4] * 6},
        {"widths": []},
    ],
    "PreActResNet": [
        {"blocks": 0},
        {"blocks": 10**9},
        {"widths": [0]},
        {"widths": {"0": 4}},
        {"classes": 1001},
        {"channels": 5},
    ],
    "WideResNet": [
        {"depth": 27},
        {"depth": 4},
        {"depth": 10**9},
        {"depth": "28"},
        {"depth": 10.0},
        {"width": 0},
        {"width": True},
        {"classes": None},
    ],
}
HOSTILE += [
    (describe(SMALL[name]()) | change, f"architecture {next(iter(change))} ")
    for name, changes in CHANGES.items()
    for change in changes
]


@pytest.mark.parametrize(("card", "words"), HOSTILE, ids=str)
def test_hostile_card_gives_one_sentence_with_file_and_field(card: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        build_described(card, Path("there/card.json"))
    assert "there/card.json: " in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_compiled_network_is_not_described_by_accident() -> None:
    compiled = torch.compile(SMALL["SmallCNN"](), backend="eager")
    with pytest.raises(InputError, match="as it was before"):
        describe(compiled)


@pytest.mark.parametrize("name", SMALL)
def test_weight_average_averages_weights_and_copies_statistics_and_counters(name: str) -> None:
    net = _used(name)
    average = copy.deepcopy(net)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    for _ in range(2):
        net(torch.rand(4, 1, 8, 8) * 0.3)
    with torch.no_grad():
        net.head.weight += 1
    after, ema = net.state_dict(), average.state_dict()
    update_average(ema, net, decay=0.75)
    for key, value in ema.items():
        copied = key.endswith(("running_mean", "running_var", "num_batches_tracked"))
        expected = after[key] if copied else 0.75 * before[key] + 0.25 * after[key]
        torch.testing.assert_close(value, expected)
    assert not torch.equal(ema["head.weight"], before["head.weight"])
    counters = [value.item() for key, value in ema.items() if key.endswith("num_batches_tracked")]
    assert set(counters) == (set() if name == "SmallCNN" else {5})
    average.load_state_dict(ema)
