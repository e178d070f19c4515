"""Networks that break what every attack takes for granted, found before the attack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cdp.errors import InputError
from cdp.models.classifiers import PreActResNet, SmallCNN, WideResNet
from cdp.robust.contract import (
    BATCH,
    CONSTANT,
    LOG_PROBABILITIES,
    ORDER,
    PLAIN,
    PROBABILITIES,
    RANDOM,
    RANGE,
    network_contract,
)
from tests.robust import tiny


class Wrapped(nn.Module):
    """A trained network with a change before it and one after it."""

    def __init__(
        self, before: Callable[[Tensor], Tensor], after: Callable[[Tensor], Tensor]
    ) -> None:
        super().__init__()
        self.body, self.before, self.after = trained(), before, after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.body(self.before(x)))


def trained() -> nn.Module:
    """Knows the three classes of brightness, in [0,1]."""
    return tiny.fitted(tiny.network(), 90, 1, steps=40, rate=1e-2)


def same(x: Tensor) -> Tensor:
    return x


def contract(net: nn.Module, count: int = 60) -> dict[str, str]:
    image, label = tiny.images(count, 3)
    return network_contract(net, image, label, classes=3)


class Always(nn.Module):
    """BatchNorm that refuses eval mode, as networks do that forget to call super().train."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.head = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def train(self, mode: bool = True) -> Any:
        return super().train(True)

    def eval(self) -> Any:
        return self

    def forward(self, x: Tensor) -> Tensor:
        normed = F.batch_norm(
            self.conv(x), None, None, self.norm.weight, self.norm.bias, training=True
        )
        return self.head(normed.relu().mean(dim=(2, 3)))


class Attending(nn.Module):
    """Attention over the batch, of a given weight."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.body, self.weight = trained(), weight

    def forward(self, x: Tensor) -> Tensor:
        logits = self.body(x)
        return logits + self.weight * (logits @ logits.T / 3).softmax(dim=1) @ logits


BATCHED: dict[str, Callable[[], nn.Module]] = {
    "BatchNorm in train mode": Always,
    "BatchNorm without running statistics": lambda: nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4, track_running_stats=False),
        nn.Flatten(),
        nn.Linear(144, 3),
    ),
    "one feature a channel": lambda: nn.Sequential(
        nn.Flatten(), nn.BatchNorm1d(64, track_running_stats=False), nn.Linear(64, 3)
    ),
    "inputs normalised over the batch": lambda: Wrapped(
        lambda x: (x - x.mean()) / (x.std() + 1e-3), same
    ),
    "inputs scaled by the batch's largest": lambda: Wrapped(
        lambda x: x / x.amax().clamp_min(1e-3), same
    ),
    "logits centred over the batch": lambda: Wrapped(same, lambda z: z - z.mean(dim=0)),
    "attention over the batch": lambda: Attending(1.0),
    "faint attention over the batch": lambda: Attending(0.02),
    "answers shared with the next image": lambda: Wrapped(
        same, lambda z: 0.8 * z + 0.2 * z.roll(1, 0)
    ),
    "divided by the batch's size": lambda: Wrapped(same, lambda z: z / len(z)),
    "a place in the batch": lambda: Wrapped(
        same, lambda z: z + torch.arange(len(z))[:, None] * torch.tensor([0.0, 1.0, 0.0])
    ),
    "needs two images": lambda: Wrapped(same, lambda z: z / z.std(dim=0)),
}


@pytest.mark.parametrize("name", BATCHED)
def test_a_network_whose_answer_depends_on_its_batch_is_refused(name: str) -> None:
    torch.manual_seed(0)
    with pytest.raises(InputError, match=r"depends on the other images|one image alone|NaN"):
        contract(BATCHED[name]())


def test_a_faint_dependence_is_named_and_not_refused() -> None:
    assert BATCH in contract(Attending(1e-3))


NETS: dict[str, Callable[[], nn.Module]] = {
    "small CNN": trained,
    "BatchNorm in train mode that can be put in eval mode": lambda: tiny.Normalised().train(),
    "PreActResNet": lambda: PreActResNet(3, 1, widths=(8, 16), blocks=2).train(),
    "WideResNet": lambda: WideResNet(3, 1, depth=10, width=2),
    "dropout": (
        lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 3)
        ).train()
    ),
    "layer, group and instance normalisation": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.GroupNorm(2, 8),
        nn.ReLU(),
        nn.InstanceNorm2d(8),
        nn.Flatten(),
        nn.LayerNorm(288),
        nn.Linear(288, 3),
    ),
    "large logits": lambda: Wrapped(same, lambda z: 1e4 * z),
    "logits far from 0": lambda: Wrapped(same, lambda z: z + 1e5),
    "tiny logits": lambda: Wrapped(same, lambda z: 1e-6 * z),
    "each image normalised by itself": lambda: Wrapped(
        lambda x: (x - x.mean(dim=(1, 2, 3), keepdim=True)) + x.mean(dim=(1, 2, 3), keepdim=True),
        same,
    ),
    "clamped logits": lambda: Wrapped(same, lambda z: z.clamp(-3, 3)),
    "a deep network": lambda: nn.Sequential(
        nn.Flatten(),
        *[m for _ in range(40) for m in (nn.Linear(64, 64), nn.Tanh())],
        nn.Linear(64, 3),
    ),
    "self-attention within an image": lambda: nn.Sequential(
        nn.Unflatten(3, (8, 1)),
        nn.Flatten(1, 2),
        nn.Flatten(2),
        nn.TransformerEncoderLayer(8, 2, 16, batch_first=True),
        nn.Flatten(),
        nn.Linear(64, 3),
    ),
}


@pytest.mark.parametrize("count", [1, 2, 60])
@pytest.mark.parametrize("name", NETS)
def test_ordinary_networks_pass_without_a_word(name: str, count: int) -> None:
    torch.manual_seed(1)
    image, _ = tiny.images(count, 3)
    label = np.random.default_rng(0).integers(
        0, 3, count
    )  # an untrained network is right for chance alone, in any range
    assert network_contract(NETS[name](), image, label, classes=3) == {}


def test_half_precision_inside_is_not_taken_for_dependence() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.body = nn.Sequential(
                nn.Flatten(),
                nn.Linear(64, 256),
                nn.ReLU(),
                nn.Linear(256, 256),
                nn.ReLU(),
                nn.Linear(256, 3),
            ).bfloat16()

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x.bfloat16()).float()

    image, _ = tiny.images(60, 3)
    label = np.random.default_rng(0).integers(0, 3, 60)
    assert set(network_contract(Half(), image, label, classes=3)) <= {BATCH}


@pytest.mark.parametrize(
    ("before", "after", "kind", "words"),
    [
        (same, lambda z: z + 0.1 * torch.randn_like(z), RANDOM, "differently when asked again"),
        (
            same,
            lambda z: (
                z + 0.1 * torch.from_numpy(np.random.default_rng().normal(size=z.shape)).float()
            ),
            RANDOM,
            "differently when asked again",
        ),
        (lambda x: F.dropout(x, 0.2, training=True), same, RANDOM, "differently"),
        (same, lambda z: z.softmax(dim=1), PROBABILITIES, "as after a softmax"),
        (same, lambda z: (5 * z).softmax(dim=1), PROBABILITIES, "gradients vanish"),
        (same, lambda z: z.sigmoid(), PROBABILITIES, "as after a sigmoid"),
        (same, lambda z: z.log_softmax(dim=1), LOG_PROBABILITIES, "no number changes"),
        (lambda x: (x + 1) / 2, same, RANGE, "in [-1,1]"),
        (lambda x: x / 255, same, RANGE, "in 0..255"),
        (same, lambda z: z.roll(1, dims=1), ORDER, "in another order"),
    ],
)
def test_what_weakens_a_number_is_named(before: Any, after: Any, kind: str, words: str) -> None:
    found = contract(Wrapped(before, after))
    assert set(found) == {kind}
    assert words in found[kind]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (lambda z: z / 0, "NaN or infinite"),
        (lambda z: z[:, :2], "gives 2 logits"),
        (lambda z: z[:1], "one row of logits for each"),
        (lambda z: (z,), "one row of logits"),
        (lambda z: z.argmax(dim=1), "one row of logits"),
        (lambda z: z[:, :, None], "one row of logits"),
        (lambda z: {}["logits"], "KeyError"),
        (lambda z: z.view(7, -1), "RuntimeError"),
        (lambda z: [][0], "IndexError"),
    ],
)
def test_what_is_no_row_of_finite_logits_is_refused(after: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        contract(Wrapped(same, after))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_a_network_that_writes_into_its_images_is_refused() -> None:
    with pytest.raises(InputError, match="writes into the images"):
        contract(Wrapped(lambda x: x.mul_(0.5), same))


def test_modes_streams_and_gradients_are_handed_back() -> None:
    net = SmallCNN(3, 1, widths=(8, 8)).train()
    torch.manual_seed(3)
    stream = torch.get_rng_state()
    contract(net)
    assert torch.equal(torch.get_rng_state(), stream)
    assert net.training and all(p.requires_grad and p.grad is None for p in net.parameters())


@pytest.mark.parametrize("logits", [(0.0, 0.0, 0.0), (3.0, -1.0, 2.0)])
def test_a_network_that_says_the_same_of_every_image_is_named(logits: tuple[float, ...]) -> None:
    class Constant(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor(logits) + 0 * x.sum(dim=(1, 2, 3)).unsqueeze(1)

    assert "the same for all images" in contract(Constant())[CONSTANT]


def test_images_of_one_colour_are_named() -> None:
    image = np.repeat(np.arange(20, dtype=np.uint8), 64).reshape(20, 8, 8, 1)
    found = network_contract(trained(), image, np.arange(20) % 3, classes=3)
    assert "one colour" in found[PLAIN] and CONSTANT not in found
