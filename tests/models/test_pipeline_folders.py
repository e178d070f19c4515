"""Diffusers pipeline folders: theirs load here, ours load there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from safetensors.torch import load_file, save_file

from cdp.errors import InputError, MissingError
from cdp.models.denoiser import build_unet
from cdp.models.noise_schedule import COSINE
from cdp.models.pipelines import list_models, load_pipeline, save_pipeline
from cdp.paths import models_dir

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"


def _ddpm_unet(**change: Any) -> diffusers.UNet2DModel:
    """google/ddpm-cifar10-32 at a fraction of its size."""
    torch.manual_seed(0)
    settings = {
        "sample_size": 32,
        "in_channels": 3,
        "out_channels": 3,
        "layers_per_block": 1,
        "block_out_channels": (8, 16),
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "norm_num_groups": 4,
        "attention_head_dim": None,
        "downsample_padding": 0,
        "flip_sin_to_cos": False,
        "freq_shift": 1,
        "norm_eps": 1e-6,
    }
    return diffusers.UNet2DModel(**(settings | change)).eval()


def _save_theirs(folder: Path, unet: diffusers.UNet2DModel) -> None:
    diffusers.DDPMPipeline(unet, diffusers.DDPMScheduler(beta_schedule="linear")).save_pretrained(
        folder, safe_serialization=True
    )


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A small unconditional 3 x 32 x 32 pipeline, saved by diffusers itself."""
    _save_theirs(tmp_path / "theirs", _ddpm_unet())
    return tmp_path / "theirs"


def _save_ours(name: str = "toy") -> Path:
    torch.manual_seed(0)
    unet = build_unet((1, 10, 8), patch=2, classes=3, widths=(32, 32), layers=1)
    card = {"dataset": "toys", "shape": [1, 10, 8], "patch": 2, "classes": 3}
    card |= {"class_names": ["a", "b", "c"]}
    save_pipeline(models_dir() / name, unet, COSINE, card)
    return models_dir() / name


def test_a_folder_saved_by_diffusers_gives_the_same_predictions(theirs: Path) -> None:
    model = load_pipeline(theirs)
    x, t = torch.randn(2, 3, 32, 32), torch.tensor([3, 700])
    with torch.no_grad():
        torch.testing.assert_close(
            model.denoiser(x, t, None), _ddpm_unet()(x, t).sample, rtol=0, atol=0
        )
    expected = ((3, 32, 32), 1, 0)
    assert (model.denoiser.shape, model.denoiser.patch, model.denoiser.classes) == expected
    assert model.denoiser.prediction_type == "epsilon"
    assert model.scheduler_config["beta_schedule"] == "linear"
    assert model.card["class_names"] == []
    assert len(model.sha256) == 64


def test_the_flat_layout_and_attention_names_of_the_oldest_folders_load(theirs: Path) -> None:
    """As google/ddpm-cifar10-32 is published: no sub-folders, query/key/value/proj_attn."""
    expected = load_pipeline(theirs)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = {}
    for name, value in load_file(theirs / WEIGHTS).items():
        for new, past in old.items():
            name = name.replace(f".{new}.", f".{past}.") if ".attentions." in name else name
        tensors[name] = value
    assert any(".query." in name for name in tensors)
    save_file(tensors, theirs / "diffusion_pytorch_model.safetensors")
    (theirs / WEIGHTS).unlink()
    for part, file in (("unet", "config.json"), ("scheduler", "scheduler_config.json")):
        (theirs / part / file).rename(theirs / file)
        (theirs / part).rmdir()
    model = load_pipeline(theirs)
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(model.denoiser(x, 5, None), expected.denoiser(x, 5, None))


def test_without_a_null_class_there_is_no_classifier_free_guidance(tmp_path: Path) -> None:
    _save_theirs(tmp_path / "cond", _ddpm_unet(num_class_embeds=4))
    model = load_pipeline(tmp_path / "cond")
    assert model.denoiser.classes == 4
    assert (model.card["classes"], "class_names" in model.card) == (
        4,
        False,
    )  # nothing says what they mean
    expected = (2, 3, 32, 32)
    assert model.denoiser(torch.randn(2, 3, 32, 32), 5, torch.tensor([0, 3])).shape == expected
    with pytest.raises(InputError, match="cfg_scale"):
        _ = model.denoiser.null_label


def test_the_links_of_a_hugging_face_cache_are_followed(theirs: Path, tmp_path: Path) -> None:
    (theirs / WEIGHTS).rename(tmp_path / "blob")
    (theirs / WEIGHTS).symlink_to(tmp_path / "blob")
    assert load_pipeline(theirs).denoiser.shape == (3, 32, 32)


def test_ours_comes_back_and_loads_in_diffusers_itself(cdp_home: Path) -> None:
    folder = _save_ours()
    model = load_pipeline("toy")
    assert model.sha256 == load_pipeline(folder).sha256
    assert (model.name, model.denoiser.shape, model.denoiser.patch, model.denoiser.classes) == (
        "toy",
        (1, 10, 8),
        2,
        3,
    )
    assert model.denoiser.prediction_type == "v_prediction"
    assert model.denoiser.null_label == 3
    assert model.scheduler_config.items() >= COSINE.items()
    assert not model.denoiser.training
    assert not any(p.requires_grad for p in model.denoiser.parameters())
    unet = diffusers.UNet2DModel.from_pretrained(folder, subfolder="unet")
    assert all(
        torch.equal(value, unet.state_dict()[name])
        for name, value in model.denoiser.unet.state_dict().items()
    )
    scheduler = diffusers.DDPMScheduler.from_pretrained(folder, subfolder="scheduler")
    assert scheduler.config.prediction_type == "v_prediction"
    assert isinstance(diffusers.DDPMPipeline.from_pretrained(folder), diffusers.DDPMPipeline)
    assert "toy" in [entry.name for entry in list_models()]


def test_the_shipped_model_loads_and_is_small() -> None:
    model = load_pipeline("fashion-mnist")
    assert model.denoiser.shape == (1, 28, 28)
    assert len(model.card["class_names"]) == model.denoiser.classes == 10
    assert sum(p.stat().st_size for p in model.folder.rglob("*") if p.is_file()) < 15e6


def _json(file: str, **change: object) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        data = json.loads((folder / file).read_text())
        data |= change
        (folder / file).write_text(json.dumps(data))

    return damage


def _unet(**change: object) -> Callable[[Path], object]:
    return _json("unet/config.json", **change)


def _scheduler(**change: object) -> Callable[[Path], object]:
    return _json("scheduler/scheduler_config.json", **change)


def _weights(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        tensors = load_file(folder / WEIGHTS)
        change(tensors)
        save_file(tensors, folder / WEIGHTS)

    return damage


def _card(**change: object) -> Callable[[Path], object]:
    good = {"shape": [3, 32, 32], "patch": 1, "classes": 0, "class_names": []}
    return lambda folder: (folder / "card.json").write_text(json.dumps(good | change))


def _pickled(folder: Path) -> None:
    (folder / WEIGHTS).unlink()
    torch.save({"conv_in.bias": torch.zeros(8)}, folder / "unet/diffusion_pytorch_model.bin")


def _linked(file: str, target: str) -> Callable[[Path], object]:
    return lambda folder: ((folder / file).unlink(), (folder / file).symlink_to(target))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no index": (lambda f: (f / "model_index.json").unlink(), "model_index.json"),
    "index is no JSON": (lambda f: (f / "model_index.json").write_text("<html>"), "not valid JSON"),
    "text-to-image": (
        _json("model_index.json", _class_name="StableDiffusionPipeline"),
        "StableDiffusionPipeline",
    ),
    "a network of the folder's own code": (
        _json("model_index.json", unet=["my_code", "Net"]),
        "my_code",
    ),
    "no unet settings": (lambda f: (f / "unet/config.json").unlink(), "config.json"),
    "no scheduler settings": (
        lambda f: (f / "scheduler/scheduler_config.json").unlink(),
        "scheduler_config.json",
    ),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "diffusion_pytorch_model.safetensors"),
    "pickled weights": (_pickled, "safe_serialization"),
    "two weight files": (
        lambda f: (f / "unet/diffusion_pytorch_model.fp16.safetensors").write_bytes(b""),
        "2 weight files",
    ),
    "missing tensor": (_weights(lambda t: t.pop("conv_in.bias")), "conv_in.bias"),
    "widths that are not the weights'": (_unet(block_out_channels=[16, 16]), "has shape"),
    "more layers than the weights": (_unet(layers_per_block=2), "no tensor"),
    "huge widths": (_unet(block_out_channels=[10**9, 10**9]), "block_out_channels"),
    "huge but allowed widths": (
        _unet(
            block_out_channels=[4096] * 8,
            down_block_types=["DownBlock2D"] * 8,
            up_block_types=["UpBlock2D"] * 8,
        ),
        "billion",
    ),
    "huge image": (_unet(sample_size=10**6), "sample_size"),
    "no image size": (_unet(sample_size=None), "image size"),
    "channels of text": (_unet(in_channels="3"), "in_channels"),
    "an unknown block": (_unet(down_block_types=["DownBlock2D", "os.system"]), "down_block_types"),
    "fewer blocks than widths": (
        _unet(down_block_types=["DownBlock2D"]),
        "network that can be built",
    ),
    "groups that do not divide": (_unet(norm_num_groups=7), "network that can be built"),
    "continuous time": (_unet(time_embedding_type="fourier"), "time_embedding_type"),
    "learned time of no length": (
        _unet(time_embedding_type="learned"),
        "network that can be built",
    ),
    "classes the weights lack": (_unet(num_class_embeds=5), "class_embedding"),
    "unknown schedule": (_scheduler(beta_schedule="sigmoid"), "beta_schedule"),
    "unknown prediction": (_scheduler(prediction_type="score"), "prediction_type"),
    "no timesteps": (_scheduler(num_train_timesteps=0), "num_train_timesteps"),
    "a billion timesteps": (_scheduler(num_train_timesteps=10**9), "num_train_timesteps"),
    "negative betas": (_scheduler(beta_start=-1), "beta_start"),
    "too few betas": (_scheduler(trained_betas=[0.1]), "trained_betas"),
    "card of another shape": (_card(shape=[1, 28, 28]), "channels"),
    "card with impossible shape": (_card(shape=[3, -1, 32]), "shape"),
    "card with classes that are not there": (
        _card(classes=10, class_names=["x"] * 10),
        "class embeddings",
    ),
    "card with names of another number": (_card(class_names=["cat"]), "class_names"),
    "card is a link to a device": (
        lambda f: (f / "card.json").symlink_to("/dev/zero"),
        "not a regular file",
    ),
    "weights are a link to a device": (_linked(WEIGHTS, "/dev/zero"), "not a regular file"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_hostile_folder_gives_one_sentence_with_a_remedy(case: str, theirs: Path) -> None:
    damage, words = DAMAGE[case]
    damage(theirs)
    with pytest.raises(InputError) as caught:
        load_pipeline(theirs)
    message = str(caught.value)
    assert words in message
    assert ": " in message
    assert "\n" not in message
    assert len(message) < 600


def test_nothing_of_a_pickle_runs(theirs: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.write_text, (theirs / "ran", "x"))

    (theirs / WEIGHTS).unlink()
    torch.save(Bomb(), theirs / "unet/diffusion_pytorch_model.bin")
    with pytest.raises(InputError):
        load_pipeline(theirs)
    assert not (theirs / "ran").exists()


def test_a_damaged_model_is_listed_with_its_problem(cdp_home: Path) -> None:
    _save_ours()
    (models_dir() / "broken").mkdir()
    with pytest.raises(MissingError, match="toy"):
        load_pipeline("nobody")
    assert next(entry for entry in list_models() if entry.name == "broken").problem
