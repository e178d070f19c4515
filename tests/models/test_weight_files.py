"""Weight files as other tools write them: which load, and what is said of those that do not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.models.checkpoints import conversion, refuse_pickled, tensor_shapes
from cdp.models.classifiers import PreActResNet, build_classifier
from cdp.models.encoders import fill, load_encoder, save_encoder

State = dict[str, Tensor]


def network(seed: int = 0) -> PreActResNet:
    """A small network with BatchNorm, its running statistics away from their start."""
    torch.manual_seed(seed)
    net = PreActResNet(3, 1, widths=(4, 6), blocks=1)
    net(torch.rand(8, 1, 8, 8))
    return net.eval()


def state(seed: int = 0) -> State:
    return {name: value.detach().clone() for name, value in network(seed).state_dict().items()}


def prefixed(prefix: str, tensors: State) -> State:
    return {prefix + name: value for name, value in tensors.items()}


def loaded(path: Path) -> tuple[PreActResNet, str]:
    with torch.device("meta"):
        net = PreActResNet(3, 1, widths=(4, 6), blocks=1)
    note = fill(net, path)
    return net.eval(), note


def same(net: nn.Module, seed: int = 0) -> bool:
    x = torch.rand(5, 1, 8, 8)
    with torch.no_grad():
        return torch.equal(net(x), network(seed)(x))


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "module.",
        "_orig_mod.",
        "model.",
        "ema.",
        "module._orig_mod.",
        "model.module._orig_mod.",
        "ema.module.",
    ],
)
def test_a_state_dict_loads_under_every_wrapper(prefix: str, tmp_path: Path) -> None:
    save_file(prefixed(prefix, state()), tmp_path / "w.safetensors")
    net, note = loaded(tmp_path / "w.safetensors")
    assert same(net)
    assert note == ""


def test_counters_of_averages_and_trainers_are_no_weights(tmp_path: Path) -> None:
    counters = {
        "n_averaged": torch.tensor(7),
        "ema.initted": torch.tensor([True]),
        "step": torch.tensor([3], dtype=torch.int32),
    }
    save_file(prefixed("module.", state()) | counters, tmp_path / "w.safetensors")
    assert same(loaded(tmp_path / "w.safetensors")[0])


@pytest.mark.parametrize("plain", ["", "model.", "module."])
def test_averaged_weights_are_used_and_that_is_said(plain: str, tmp_path: Path) -> None:
    save_file(
        prefixed(plain, state(0)) | prefixed("ema.module.", state(1)), tmp_path / "w.safetensors"
    )
    net, note = loaded(tmp_path / "w.safetensors")
    assert same(net, 1) and not same(net, 0)
    assert "2 sets of weights" in note and "averaged ones, ema.module.*, are used" in note


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_widths_of_floats_become_fp32(dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in state().items()
    }
    save_file(tensors, tmp_path / "w.safetensors")
    net, _ = loaded(tmp_path / "w.safetensors")
    assert all(
        value.dtype == torch.float32
        for value in net.state_dict().values()
        if value.is_floating_point()
    )
    assert torch.equal(net.head.weight, tensors["head.weight"].float())
    assert torch.isfinite(net(torch.rand(2, 1, 8, 8))).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda t: t | {"other.weight": torch.zeros(2, 3)},
            ["'other.weight' [2, 3]", "the network does not"],
        ),
        (
            lambda t: {name: v for name, v in t.items() if name != "head.bias"},
            ["no tensor 'head.bias' [3]"],
        ),
        (
            lambda t: t | {"head.bias": torch.zeros(5)},
            ["'head.bias' has shape [5] where [3] is needed"],
        ),
        (
            lambda t: t | {"head.bias": torch.zeros((), dtype=torch.int64)},
            ["'head.bias'", "not floating-point"],
        ),
        (
            lambda t: {f"layer{i}.w": torch.zeros(i + 1) for i in range(9)},
            ["'layer0.w' [1]", "6 more instead", "no tensor 'trunk.stem.weight' [4, 1, 3, 3]"],
        ),
        (lambda t: t | prefixed("ema.", {"head.bias": torch.zeros(3)}), ["ema.head.bias"]),
        (lambda t: t | {"grid": torch.zeros(4, dtype=torch.int64)}, ["'grid' has type 'I64'"]),
        (lambda t: t | {"head.bias": torch.full((3,), 1e39, dtype=torch.float64)}, ["infinite"]),
    ],
)
def test_misfits_are_named_on_both_sides(change, words: list[str], tmp_path: Path) -> None:
    save_file(change(state()), tmp_path / "w.safetensors")
    with pytest.raises(InputError) as caught:
        loaded(tmp_path / "w.safetensors")
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert str(tmp_path) in message and "\n" not in message and len(message) < 700


def trainer_checkpoint(seed: int) -> dict[str, object]:
    """As training loops write them, with an optimiser that has tensors of its own."""
    net = network(seed).train()
    optimiser = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9)
    net(torch.rand(4, 1, 8, 8)).sum().backward()
    optimiser.step()
    return {
        "epoch": 3,
        "state_dict": prefixed("module.", state(seed)),
        "optimizer": optimiser.state_dict(),
        "best": 0.4,
    }


def test_the_lines_that_a_pickle_is_refused_with_make_a_file_that_loads(tmp_path: Path) -> None:
    contents = {
        "state dict": state(2),
        "trainer": trainer_checkpoint(2),
        "averaged": {"model": state(0), "ema": state(2)},
    }
    program = []
    for content, made in contents.items():
        for ending in (".pt", ".pth", ".ckpt", ".bin"):
            path = tmp_path / content / ending[1:] / f"my weights{ending}"
            path.parent.mkdir(parents=True)
            torch.save(made, path)
            with pytest.raises(InputError) as caught:
                refuse_pickled(path)
            sentence, *lines = str(caught.value).split("\n")
            assert len(lines) == 3 and "three lines" in sentence and path.name in sentence
            assert conversion(path) == "\n".join(lines)
            program += lines
    subprocess.run([sys.executable, "-c", "\n".join(program)], check=True)
    files = list(tmp_path.rglob("my weights.safetensors"))
    assert len(files) == 12
    for file in files:
        assert same(loaded(file)[0], 2), file
        assert len(tensor_shapes(file)) >= 20


def test_encoder_folders_follow_the_rule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDP_HOME", str(tmp_path))
    folder = tmp_path / "mine"
    save_encoder(folder, network(), {})
    save_file(prefixed("model._orig_mod.", state(3)), folder / "model.safetensors")
    assert same(load_encoder(str(folder), "toys").net, 3)
    (folder / "model.safetensors").unlink()
    torch.save(state(), folder / "model.pt")
    with pytest.raises(InputError, match=r"model\.pt is a pickle"):
        load_encoder(str(folder), "toys")
    with pytest.raises(InputError, match=r"model\.pt is a pickle"):
        load_encoder(str(folder / "model.pt"), "toys")


def test_the_published_state_dict_of_each_architecture_loads_bare(tmp_path: Path) -> None:
    net = build_classifier("preact-resnet-18", classes=10, shape=(3, 32, 32), seed=0)
    save_file(prefixed("module.", dict(net.state_dict())), tmp_path / "w.safetensors")
    with torch.device("meta"):
        empty = build_classifier("preact-resnet-18", classes=10, shape=(3, 32, 32), seed=0)
    fill(empty, tmp_path / "w.safetensors")
    assert torch.equal(empty.head.weight, net.head.weight)
