"""The published online projection head: random, and trained while sampling. Off by default, for its history dependence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class OnlineHead(nn.Module):
    """dim-128-ReLU-128, one Adam step (1e-2) a guidance call, as in the authors' code for MNIST and traffic signs.

    A new one starts with every batch, from a seed of its own, so that batches stay reproducible on their own.
    """

    def __init__(self, dim: int, *, seed: int, device: torch.device) -> None:
        super().__init__()
        stream = torch.Generator().manual_seed(seed)
        self.layers = nn.Sequential(nn.Linear(dim, 128), nn.ReLU(), nn.Linear(128, 128))
        for layer in (self.layers[0], self.layers[2]):
            assert isinstance(layer, nn.Linear)
            nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=stream)
            nn.init.zeros_(layer.bias)
        self.to(device)
        self._optimiser = torch.optim.Adam(self.parameters(), lr=1e-2)

    def forward(self, features: Tensor) -> Tensor:
        """(B,dim) -> (B,128)."""
        return self.layers(features)

    def learn(self, gradients: Sequence[Tensor]) -> None:
        """One optimiser step with gradients in the order of ``parameters()``."""
        for parameter, gradient in zip(self.parameters(), gradients, strict=True):
            parameter.grad = gradient
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
