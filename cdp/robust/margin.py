"""How far images are from a network's decision boundary (Moosavi-Dezfooli et al. 2016, DeepFool,
arXiv 1511.04599, Algorithm 2)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from cdp.robust.recipes import to_tensor

STEPS, OVERSHOOT, RIVALS, CHUNK = 20, 0.02, 4, 256


def signed_margin(net: nn.Module, image: np.ndarray, label: np.ndarray) -> np.ndarray:
    """l_2 distance, in [0, 1] units of the image, to the nearest class that the network would rather
    give: of the image's own class where it gives that, else minus that of leaving the other class.

    net: on its device, in eval mode; image: (n,H,W,C) uint8; label: (n,), 0..K-1 -> (n,) float64.
    Where the boundary is not reached within 20 steps, what they came to.
    """
    device = next(net.parameters()).device
    parts = []
    for i in range(0, len(image), CHUNK):
        x, y = to_tensor(image[i : i + CHUNK]).to(device), torch.from_numpy(label[i : i + CHUNK])
        distance, answer = deepfool(net, x)
        parts.append(torch.where(answer.cpu() == y, distance.cpu(), -distance.cpu()))
    return torch.cat(parts).double().numpy() if parts else np.zeros(0)


def deepfool(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Length of the smallest change found that crosses the boundary, (B,), and the class that the
    network gives, (B,). x: (B,C,H,W) in [0,1]; the change may leave that range. Of many classes the
    five of highest logit are looked at in every step."""
    moved, here = torch.zeros_like(x), torch.arange(len(x), device=x.device)
    with torch.no_grad():
        answer = net(x).argmax(1)
    for _ in range(STEPS):
        at = (x + (1 + OVERSHOOT) * moved)[here].requires_grad_()
        logits = net(at)
        top, classes = logits.topk(min(RIVALS + 1, logits.shape[1]), dim=1)
        still = classes[:, 0] == answer[here]
        slopes = [
            torch.autograd.grad(column.sum(), at, retain_graph=True)[0]
            for column in top.unbind(dim=1)
        ]
        towards = torch.stack(slopes[1:], dim=1) - slopes[0][:, None]
        gap = (top[:, :1] - top[:, 1:]).detach()
        length = towards.flatten(2).norm(dim=2).clamp_min(1e-12)
        distance, nearest = (gap / length).min(dim=1)
        rows = torch.arange(len(here), device=x.device)
        scale = (distance + 1e-6) / length[rows, nearest]
        change = scale.view(-1, 1, 1, 1) * towards[rows, nearest]
        moved[here[still]] += change[still]
        here = here[still]
        if not len(here):
            break
    return moved.flatten(1).norm(dim=1), answer
