"""Diffusion models as diffusers pipeline folders: any (class-conditional) DDPM or DDIM one loads,
ours save as one.

Beside diffusers' own files, our folders hold ``card.json``: shape, patch, classes and names, data,
training, quality. Listing needs neither torch nor diffusers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.config.pretrain import PretrainConfig
from cdp.errors import InputError
from cdp.files.atomic import write_json
from cdp.models.checkpoints import (
    Rule,
    is_name,
    list_of,
    number,
    one_of,
    or_null,
    read_tensors,
    replaced_folder,
    require_json,
    sha256_of,
    tensor_shapes,
    whole,
)
from cdp.models.encoders import CARD, Listed, find_checkpoint, list_checkpoints, read_card
from cdp.paths import ASSETS, models_dir

if TYPE_CHECKING:
    from diffusers import UNet2DModel

    from cdp.models.denoiser import Denoiser


INDEX = "model_index.json"
PIPELINES = ("DDPMPipeline", "DDIMPipeline")
# Names of the attention weights before diffusers 0.15, still found in published folders such as
# google/ddpm-cifar10-32.
_OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


@dataclass(frozen=True)
class DiffusionModel:
    """A loaded model. denoiser: fp32 on the CPU, in eval mode, without parameter gradients;
    scheduler_config: diffusers' settings of the noise process; card: shape, patch, classes and,
    where known, class_names, data and quality; sha256: of the weights file."""

    denoiser: Denoiser
    scheduler_config: dict[str, Any]
    card: dict[str, Any]
    sha256: str
    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name


def list_models() -> list[Listed]:
    """Shipped and own models by name, those without a card of ours with what their network's
    settings imply; ``problem`` tells of a broken one."""
    return [_with_card(entry) for root in _roots() for entry in list_checkpoints(root)]


def _with_card(entry: Listed) -> Listed:
    if (entry.folder / CARD).exists() or not (entry.folder / INDEX).is_file():
        return entry
    try:
        return Listed(entry.name, entry.folder, model_card(entry.folder))
    except InputError as error:
        return Listed(entry.name, entry.folder, {}, str(error))


def model_card(name_or_path: str | Path) -> dict[str, Any]:
    """What a model says of itself: its card, checked, or what its network's settings imply. Raises
    MissingError where there is none, InputError for one that contradicts itself."""
    folder = find_model(name_or_path)
    unet_folder = folder / "unet" if (folder / "unet").is_dir() else folder
    return _card(folder, read_unet_config(unet_folder / "config.json"))


def find_model(name_or_path: str | Path) -> Path:
    """The folder of a model. Raises MissingError or InputError."""
    return find_checkpoint(name_or_path, _roots(), "diffusion model", "python -m cdp pretrain")


def model_weights(name_or_path: str | Path) -> str:
    """SHA-256 of a model's weights, without loading them. Raises as ``find_model``."""
    folder = find_model(name_or_path)
    return sha256_of(_weights(folder / "unet" if (folder / "unet").is_dir() else folder))


def model_schedule(name_or_path: str | Path) -> dict[str, Any]:
    """What defines a model's noise process, prediction type included. Raises as ``find_model``."""
    folder = find_model(name_or_path)
    # The oldest published folders keep both parts' files beside the index.
    inner = folder / "scheduler" if (folder / "scheduler").is_dir() else folder
    return read_scheduler_config(inner / "scheduler_config.json")


def load_pipeline(name_or_path: str | Path) -> DiffusionModel:
    """A model by name, or by path to a diffusers pipeline folder. Raises MissingError where there
    is none, InputError for one that is unsafe, incomplete or contradicts itself."""
    from cdp.models.denoiser import Denoiser

    folder = find_model(name_or_path)
    _check_index(folder / INDEX)
    unet_folder = folder / "unet" if (folder / "unet").is_dir() else folder
    scheduler_config = model_schedule(folder)
    config = read_unet_config(unet_folder / "config.json")
    weights = _weights(unet_folder)
    empty, shapes = build_checked_unet(config, unet_folder / "config.json")
    tensors, _ = read_tensors(weights, shapes, rename=_renames(weights))
    card = _card(folder, config)
    unet = type(empty)(**config)
    unet.load_state_dict(tensors)
    denoiser = Denoiser(
        unet,
        shape=tuple(card["shape"]),
        patch=card["patch"],
        classes=card["classes"],
        prediction_type=scheduler_config.get("prediction_type", "epsilon"),
    )
    return DiffusionModel(
        denoiser.eval().requires_grad_(False), scheduler_config, card, sha256_of(weights), folder
    )


def save_pipeline(
    folder: Path, unet: UNet2DModel, scheduler_config: Mapping[str, Any], card: Mapping[str, Any]
) -> None:
    """Write a complete pipeline folder, atomically; diffusers itself can load it."""
    import diffusers

    scheduler = diffusers.DDPMScheduler.from_config(dict(scheduler_config))
    index = {
        "_class_name": "DDPMPipeline",
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", "DDPMScheduler"],
        "unet": ["diffusers", "UNet2DModel"],
    }
    with replaced_folder(folder, "model") as built:
        unet.save_pretrained(built / "unet", safe_serialization=True)
        scheduler.save_pretrained(built / "scheduler")
        write_json(built / CARD, card)
        write_json(built / INDEX, index)


def _roots() -> list[Path]:
    return [ASSETS / "models", models_dir()]


def _check_index(path: Path) -> None:
    index = require_json(path)
    kind = index.get("_class_name")
    if kind not in PIPELINES:
        raise InputError(
            f"{path} is of a {str(kind)[:60]!r}, which this app cannot run: choose a folder of"
            f" {' or '.join(PIPELINES)}"
        )
    if index.get("unet") != ["diffusers", "UNet2DModel"]:
        given = str(index.get("unet"))[:60]
        raise InputError(
            f"{path}: the network is {given!r} where diffusers' UNet2DModel is needed: choose"
            " another model"
        )


def _weights(folder: Path) -> Path:
    """The one safetensors file. Pickled and split weights are refused with the way out."""
    files = sorted(folder.glob("diffusion_pytorch_model*.safetensors"))
    if len(files) == 1:
        return files[0]
    if len(files) > 1:
        raise InputError(
            f"{folder} holds {len(files)} weight files (split, or variants): save the model again"
            " as one safetensors file"
        )
    if any(folder.glob("*.bin")):
        raise InputError(
            f"{folder} holds only pickled weights (.bin), which can run code when opened: convert"
            " them in a place you trust with"
            " DDPMPipeline.from_pretrained(folder).save_pretrained(new_folder,"
            " safe_serialization=True)"
        )
    raise InputError(
        f"{folder} has no diffusion_pytorch_model.safetensors: copy the complete folder again"
    )


def _renames(weights: Path) -> dict[str, str]:
    """Old name -> present name of every attention weight that carries an old one."""
    renames = {}
    for name in tensor_shapes(weights):
        head, _, tail = name.rpartition(".")
        block, _, part = head.rpartition(".")
        if ".attentions." in name and part in _OLD_ATTENTION:
            renames[name] = f"{block}.{_OLD_ATTENTION[part]}.{tail}"
    return renames


def _card(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """The folder's card, checked, or for a folder without one what the network's settings imply."""
    path = folder / CARD
    if not path.exists():
        return _implied_card(folder, config)
    card = read_card(folder)
    shape, patch, classes, names = (
        card.get(field) for field in ("shape", "patch", "classes", "class_names")
    )
    if (
        not isinstance(shape, list)
        or len(shape) != 3
        or any(type(n) is not int or not 1 <= n <= 512 for n in shape)
    ):
        raise InputError(
            f"{path}: shape must be three whole numbers, channels, height and width (given:"
            f" {str(shape)[:60]!r})"
        )
    if type(patch) is not int or patch not in (1, 2, 4):
        raise InputError(f"{path}: patch must be 1, 2 or 4 (given: {str(patch)[:40]!r})")
    embeddings = config.get("num_class_embeds") or 0
    if (
        type(classes) is not int
        or classes < 0
        or (classes == 0) != (embeddings == 0)
        or classes > embeddings
    ):
        raise InputError(
            f"{path}: classes is {str(classes)[:40]!r}, but the network has {embeddings} class"
            " embeddings: use the card saved with it"
        )
    if (
        not isinstance(names, list)
        or len(names) != classes
        or not all(isinstance(name, str) for name in names)
    ):
        raise InputError(f"{path}: class_names must be a list of {classes} names, one a class")
    return card


def _implied_card(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    size = config.get("sample_size")
    if size is None:
        raise InputError(
            f"{folder / 'unet' / 'config.json'} does not say the image size: add sample_size"
        )
    height, width = size if isinstance(size, list) else (size, size)
    classes = config.get("num_class_embeds") or 0
    implied = {
        "dataset": None,
        "shape": [config.get("in_channels", 3), height, width],
        "patch": 1,
        "classes": classes,
    }
    return (
        implied if classes else implied | {"class_names": []}
    )  # what numbers mean, only somebody who knows the data can say


MAX_PARAMETERS = 1_000_000_000
MAX_SIDE = 512
PREDICTIONS = ("epsilon", "v_prediction", "sample")
SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
_DOWN = ("DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D")
_UP = ("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D")
_SPACINGS = ("leading", "trailing", "linspace")

_FLAG = one_of(True, False)
_SIDE = whole(1, MAX_SIDE)
_UNET: dict[str, Rule] = {
    "sample_size": (
        lambda v: (
            v is None
            or _SIDE[0](v)
            or (isinstance(v, list) and len(v) == 2 and all(map(_SIDE[0], v)))
        ),
        f"one or two whole numbers from 1 to {MAX_SIDE}",
    ),
    "in_channels": whole(1, 256),
    "out_channels": whole(1, 256),
    "center_input_sample": _FLAG,
    "time_embedding_type": one_of("positional", "learned"),
    "time_embedding_dim": or_null(whole(1, 16384)),
    "freq_shift": whole(0, 1),
    "flip_sin_to_cos": _FLAG,
    "down_block_types": list_of(one_of(*_DOWN), 8),
    "mid_block_type": or_null(one_of("UNetMidBlock2D")),
    "up_block_types": list_of(one_of(*_UP), 8),
    "block_out_channels": list_of(whole(2, 4096), 8),
    "layers_per_block": whole(1, 16),
    "mid_block_scale_factor": number(1e-3, 1e3),
    "downsample_padding": whole(0, 1),
    "downsample_type": one_of("conv", "resnet"),
    "upsample_type": one_of("conv", "resnet"),
    "dropout": number(0, 0.99),
    "act_fn": one_of("silu", "swish", "mish", "gelu", "relu"),
    "attention_head_dim": or_null(whole(1, 4096)),
    "norm_num_groups": whole(1, 1024),
    "attn_norm_num_groups": or_null(whole(1, 1024)),
    "norm_eps": number(1e-12, 1),
    "resnet_time_scale_shift": one_of("default", "scale_shift"),
    "add_attention": _FLAG,
    "class_embed_type": one_of(None),
    "num_class_embeds": or_null(whole(1, 10_000)),
    "num_train_timesteps": or_null(whole(1, 10_000)),
}
_SCHEDULER: dict[str, Rule] = {
    "num_train_timesteps": whole(2, 10_000),
    "beta_schedule": one_of(*SCHEDULES),
    "beta_start": number(1e-8, 0.999),
    "beta_end": number(1e-8, 0.999),
    "trained_betas": or_null(list_of(number(1e-12, 0.9999), 10_000)),
    "prediction_type": one_of(*PREDICTIONS),
    "timestep_spacing": one_of(*_SPACINGS),
    "steps_offset": whole(0, 1),
    "clip_sample": _FLAG,
    "clip_sample_range": number(1e-3, 1e3),
    "rescale_betas_zero_snr": one_of(False),
    "thresholding": _FLAG,
    "dynamic_thresholding_ratio": number(0, 1),
    "sample_max_value": number(1e-3, 1e3),
    "set_alpha_to_one": _FLAG,
}


def _checked(path: Path, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """The known settings of a file; others are diffusers' bookkeeping and are left out."""
    data = require_json(path)
    for name, (holds, wanted) in rules.items():
        if name in data and not holds(data[name]):
            raise InputError(
                f"{path}: {name} must be {wanted} (given: {str(data[name])[:60]!r}): this app"
                " cannot run such a model"
            )
    return {name: data[name] for name in rules if name in data}


def read_unet_config(path: Path) -> dict[str, Any]:
    """The settings UNet2DModel is built from. Raises InputError naming the field."""
    return _checked(path, _UNET)


def read_scheduler_config(path: Path) -> dict[str, Any]:
    """What defines the noise process. Raises InputError naming the field."""
    config = _checked(path, _SCHEDULER)
    betas, total = config.get("trained_betas"), config.get("num_train_timesteps", 1000)
    if betas is not None and len(betas) != total:
        raise InputError(
            f"{path}: trained_betas has {len(betas)} entries where num_train_timesteps says"
            f" {total}: use the original file"
        )
    return config


def build_checked_unet(
    config: Mapping[str, Any], path: Path
) -> tuple[UNet2DModel, dict[str, tuple[int, ...]]]:
    """A network on torch's meta device, without memory, and the shapes of its weights."""
    import torch
    from diffusers import UNet2DModel

    try:
        with torch.device("meta"):
            unet = UNet2DModel(**config)
    except (ValueError, TypeError, RuntimeError, ArithmeticError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:160]
        raise InputError(
            f"{path} does not describe a network that can be built ({reason}): use the original"
            " file"
        ) from error
    shapes = {name: tuple(value.shape) for name, value in unet.state_dict().items()}
    count = sum(math.prod(shape) for shape in shapes.values())
    if count > MAX_PARAMETERS:
        raise InputError(
            f"{path} describes {count / 1e9:.1f} billion parameters, over the limit of 1 billion:"
            " choose a smaller model"
        )
    return unet, shapes


def model_folder(config: PretrainConfig) -> Path:
    """Where the model goes. Raises InputError for a shipped name, or none for a folder."""
    name = config.name or config.dataset
    if not is_name(name):
        raise InputError(
            f"name: a data set given as a path ({config.dataset!r}) does not name the model: set"
            " name"
        )
    if (ASSETS / "models" / name).exists():
        raise InputError(f"name: {name!r} is the name of a shipped model: choose another name")
    return models_dir() / name
