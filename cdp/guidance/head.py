"""The published online projection head: random, and trained while sampling. Off by default, for its
history dependence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class OnlineHead(nn.Module):
    """dim-hidden-ReLU-out, one Adam step (1e-2) a guidance call, as in the authors' code.

    A new one starts with every batch, from a seed of its own, so that batches stay reproducible on
    their own: weights and biases as torch makes them by default after ``torch.manual_seed(seed)``,
    without touching the global stream.
    """

    def __init__(self, dim: int, *, hidden: int, out: int, seed: int, device: torch.device) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(seed)
        self.layers = nn.Sequential(
            _linear(dim, hidden, stream), nn.ReLU(), _linear(hidden, out, stream)
        ).to(device)
        self._optimiser = torch.optim.Adam(self.parameters(), lr=1e-2)

    def forward(self, features: Tensor) -> Tensor:
        """(B,dim) -> (B,out)."""
        return self.layers(features)

    def learn(self, gradients: Sequence[Tensor]) -> None:
        """One optimiser step with gradients in the order of ``parameters()``."""
        for parameter, gradient in zip(self.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)


def _linear(inputs: int, outputs: int, stream: torch.Generator) -> nn.Linear:
    """torch's default: weights and biases uniform in +-1/sqrt(inputs)."""
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs)
    nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=stream)
    nn.init.uniform_(layer.bias, -(inputs**-0.5), inputs**-0.5, generator=stream)
    return layer
