"""A UNet2DModel's and a scheduler's settings as found in a folder: checked against limits before
anything is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cdp.errors import InputError
from cdp.models.checkpoints import read_json

if TYPE_CHECKING:
    from diffusers import UNet2DModel

MAX_PARAMETERS = 1_000_000_000
MAX_SIDE = 512
PREDICTIONS = ("epsilon", "v_prediction", "sample")
SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2")
_DOWN = ("DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D")
_UP = ("UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D")
_SPACINGS = ("leading", "trailing", "linspace")

Rule = tuple[Callable[[Any], bool], str]


def _whole(least: int, most: int) -> Rule:
    return (
        lambda v: type(v) is int and least <= v <= most
    ), f"a whole number from {least} to {most}"


def _number(least: float, most: float) -> Rule:
    return (
        lambda v: type(v) in (int, float) and least <= v <= most
    ), f"a number from {least:g} to {most:g}"


def _one_of(*values: Any) -> Rule:
    return (
        lambda v: any(v == value and type(v) is type(value) for value in values)
    ), f"one of {', '.join(map(str, values))}"


def _list_of(rule: Rule, most: int) -> Rule:
    return (
        lambda v: isinstance(v, list) and 1 <= len(v) <= most and all(map(rule[0], v))
    ), f"a list of 1 to {most}, each {rule[1]}"


def _or_null(rule: Rule) -> Rule:
    return (lambda v: v is None or rule[0](v)), f"{rule[1]}, or null"


_FLAG = _one_of(True, False)
_SIDE = _whole(1, MAX_SIDE)
_UNET: dict[str, Rule] = {
    "sample_size": (
        lambda v: (
            v is None
            or _SIDE[0](v)
            or (isinstance(v, list) and len(v) == 2 and all(map(_SIDE[0], v)))
        ),
        f"one or two whole numbers from 1 to {MAX_SIDE}",
    ),
    "in_channels": _whole(1, 256),
    "out_channels": _whole(1, 256),
    "center_input_sample": _FLAG,
    "time_embedding_type": _one_of("positional", "learned"),
    "time_embedding_dim": _or_null(_whole(1, 16384)),
    "freq_shift": _whole(0, 1),
    "flip_sin_to_cos": _FLAG,
    "down_block_types": _list_of(_one_of(*_DOWN), 8),
    "mid_block_type": _or_null(_one_of("UNetMidBlock2D")),
    "up_block_types": _list_of(_one_of(*_UP), 8),
    "block_out_channels": _list_of(_whole(2, 4096), 8),
    "layers_per_block": _whole(1, 16),
    "mid_block_scale_factor": _number(1e-3, 1e3),
    "downsample_padding": _whole(0, 1),
    "downsample_type": _one_of("conv", "resnet"),
    "upsample_type": _one_of("conv", "resnet"),
    "dropout": _number(0, 0.99),
    "act_fn": _one_of("silu", "swish", "mish", "gelu", "relu"),
    "attention_head_dim": _or_null(_whole(1, 4096)),
    "norm_num_groups": _whole(1, 1024),
    "attn_norm_num_groups": _or_null(_whole(1, 1024)),
    "norm_eps": _number(1e-12, 1),
    "resnet_time_scale_shift": _one_of("default", "scale_shift"),
    "add_attention": _FLAG,
    "class_embed_type": _one_of(None),
    "num_class_embeds": _or_null(_whole(1, 10_000)),
    "num_train_timesteps": _or_null(_whole(1, 10_000)),
}
_SCHEDULER: dict[str, Rule] = {
    "num_train_timesteps": _whole(2, 10_000),
    "beta_schedule": _one_of(*SCHEDULES),
    "beta_start": _number(1e-8, 0.999),
    "beta_end": _number(1e-8, 0.999),
    "trained_betas": _or_null(_list_of(_number(1e-12, 0.9999), 10_000)),
    "prediction_type": _one_of(*PREDICTIONS),
    "timestep_spacing": _one_of(*_SPACINGS),
    "steps_offset": _whole(0, 1),
    "clip_sample": _FLAG,
    "clip_sample_range": _number(1e-3, 1e3),
    "rescale_betas_zero_snr": _one_of(False),
    "thresholding": _FLAG,
    "dynamic_thresholding_ratio": _number(0, 1),
    "sample_max_value": _number(1e-3, 1e3),
    "set_alpha_to_one": _FLAG,
}


def _checked(path: Path, rules: Mapping[str, Rule]) -> dict[str, Any]:
    """The known settings of a file; others are diffusers' bookkeeping and are left out."""
    data = read_json(path)
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
    """What defines the noise process and the network's output. Raises InputError naming the
    field."""
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
    """A network without weights (on torch's meta device: no memory is taken) and the shapes its
    weights must have."""
    import torch
    from diffusers import UNet2DModel

    try:
        with torch.device("meta"):
            unet = UNet2DModel(**config)
    except (
        ValueError,
        TypeError,
        RuntimeError,
        ArithmeticError,
        AssertionError,
        NotImplementedError,
    ) as error:
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
