"""The only two converters between value ranges: samplers live in [-1,1], encoders and attacks in
[0,1]."""

from torch import Tensor


def to_model_range(image: Tensor) -> Tensor:
    """[0,1] -> [-1,1]."""
    return image * 2 - 1


def to_image_range(x: Tensor) -> Tensor:
    """[-1,1] -> [0,1]. Not clamped: guidance needs the gradient outside the range too."""
    return (x + 1) / 2
