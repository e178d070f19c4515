"""Guides: what relative and raw strength mean, where the gradient is taken."""

import math

import pytest
import torch

from cdp.config.generate import Guidance
from cdp.errors import CdpError, InputError
from cdp.guidance.contrast import Bank, Contrast, Keys, OnlineHead, masks
from cdp.guidance.guide import build_guide, descend, norms
from cdp.values.types import NoiseState
from tests.guidance import loss_oracles as naive

LABELS = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])


class Linear(torch.nn.Module):
    """Features are a fixed linear map: gradients have closed forms, and every call is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(
            torch.randn(12, 16, generator=torch.Generator().manual_seed(0)), requires_grad=False
        )
        self.calls = 0

    def features(self, image: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return image.flatten(1) @ self.weight.T

    def logits_of(self, features: torch.Tensor) -> torch.Tensor:
        return features[:, :3]


def state(
    index: int = 0, *, alpha_bar: float = 0.5, t_fraction: float = 0.4, seed: int = 0
) -> NoiseState:
    generator = torch.Generator().manual_seed(seed + index)
    x0, eps = (torch.randn(8, 1, 4, 4, generator=generator) for _ in range(2))
    x_t = math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * eps

    def predict(x: torch.Tensor) -> torch.Tensor:
        return (x - math.sqrt(1 - alpha_bar) * eps) / math.sqrt(alpha_bar)

    return NoiseState(
        x_t, x0, eps, int(t_fraction * 1000), t_fraction, alpha_bar, index, LABELS, predict
    )


def bank() -> Bank:
    generator = torch.Generator().manual_seed(9)
    return Bank(torch.randn(30, 12, generator=generator), torch.arange(30) % 3)


def answers(guidance: Guidance, count: int = 3) -> list[object]:
    guide = build_guide(guidance, Linear(), bank=bank(), seed=4)
    assert guide is not None
    return [guide(state(i)) for i in range(count)]


COMBINATIONS = [
    ("info_nce", "previous", "batch"),
    ("info_nce", "augmented", "batch"),
    ("info_nce", "real", "batch"),
    ("info_nce", "previous", "real"),
    ("info_nce", "real", "real"),
    ("info_nce", "previous", "memory"),
    ("info_nce", "augmented", "memory"),
    ("hard_negative", "previous", "batch"),
    ("hard_negative", "augmented", "batch"),
    ("hard_negative", "real", "batch"),
    ("supcon", "same_class", "batch"),
    ("supcon", "previous", "batch"),
    ("supcon", "augmented", "batch"),
    ("supcon", "real", "real"),
    ("supcon", "same_class", "real"),
    ("supcon", "real", "batch"),
    ("supcon", "same_class", "memory"),
    ("supcon", "real", "memory"),
    ("class_margin", "same_class", "batch"),
    ("class_margin", "real", "real"),
    ("fisher", "real", "real"),
    ("fisher", "same_class", "batch"),
    ("supcon_spread", "real", "real"),
    ("supcon_spread", "same_class", "batch"),
    ("classifier", "auto", "batch"),
    ("boundary", "auto", "batch"),
    ("uncertainty", "auto", "batch"),
    ("influence", "auto", "batch"),
]


@pytest.mark.parametrize(("loss", "positives", "negatives"), COMBINATIONS)
def test_every_combination_lowers_its_own_loss(loss: str, positives: str, negatives: str) -> None:
    guidance = Guidance(loss=loss, positives=positives, negatives=negatives, temperature=0.5)  # type: ignore[arg-type]

    def value(contrast: Contrast, image: torch.Tensor) -> torch.Tensor:
        contrast(
            torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(5)), LABELS
        )  # history, where it is needed
        rows = contrast(image, LABELS)
        assert rows is not None and rows.shape[0] in (8, 16)
        return rows.sum()

    image = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(6)).requires_grad_()
    more = {"bank": bank(), "gradient": torch.randn(3, 3, 12), "seed": 4}
    before = value(Contrast(guidance, Linear(), **more), image)  # type: ignore[arg-type]
    (gradient,) = torch.autograd.grad(before, image)
    step = 1e-3 * gradient / gradient.norm()
    after = value(Contrast(guidance, Linear(), **more), (image - step).detach())  # type: ignore[arg-type]
    assert before.isfinite() and after < before


def test_below_zero_the_loss_is_climbed() -> None:
    down, up = (answers(Guidance(loss="classifier", strength=s))[0] for s in (0.1, -0.1))
    torch.testing.assert_close(up.delta, -down.delta)  # type: ignore[attr-defined]
    torch.testing.assert_close(up.ratio, down.ratio)  # type: ignore[attr-defined]


def test_a_share_of_the_batch_stays_unguided_at_every_step_and_the_rest_is_as_without() -> None:
    whole = answers(Guidance(loss="classifier"))
    part = answers(Guidance(loss="classifier", unguided_share=0.25))
    left = [(nudge.delta == 0).flatten(1).all(1) for nudge in part]  # type: ignore[attr-defined]
    assert all(int(rows.sum()) == 2 and torch.equal(rows, left[0]) for rows in left)
    for some, every in zip(part, whole, strict=True):
        torch.testing.assert_close(some.delta[~left[0]], every.delta[~left[0]])  # type: ignore[attr-defined]
        assert bool((some.ratio[left[0]] == 0).all())  # type: ignore[attr-defined]


def test_spread_adds_gamma_times_how_near_the_class_is() -> None:
    image = torch.rand(8, 1, 4, 4, generator=torch.Generator().manual_seed(3))
    z = torch.nn.functional.normalize(Linear().features(image), dim=1).double()

    def value(loss: str, **more: float) -> torch.Tensor:
        guidance = Guidance(loss=loss, **more)  # type: ignore[arg-type]
        rows = Contrast(guidance, Linear(), bank=bank(), seed=4)(image, LABELS)
        assert rows is not None
        return rows.double()

    added = value("supcon_spread", spread=2.5, bandwidth=0.3) - value("supcon")
    torch.testing.assert_close(added, 2.5 * naive.repulsion(z, LABELS, 0.3), atol=1e-5, rtol=1e-5)


def test_margins_to_reach_are_drawn_once_an_image_within_their_range() -> None:
    seen = []
    guidance = Guidance(loss="boundary", kappa_low=1.0, kappa_high=3.0)
    contrast = Contrast(guidance, Linear(), bank=None, seed=4)
    for _ in range(2):
        image = torch.zeros(8, 1, 4, 4)  # all scores equal: the loss is the target squared
        seen.append(contrast(image, LABELS).sqrt())  # type: ignore[union-attr]
    torch.testing.assert_close(seen[0], seen[1])
    assert bool((seen[0] >= 1).all()) and bool((seen[0] <= 3).all()) and len(seen[0].unique()) == 8


@pytest.mark.parametrize("strength", [0.05, 0.2, 1.0])
def test_relative_strength_is_guidance_over_noise(strength: float) -> None:
    guidance = Guidance(
        strength=strength, schedule="constant", noise_limit=0, positives="real", negatives="real"
    )
    nudge = answers(guidance)[0]
    torch.testing.assert_close(nudge.ratio, torch.full((8,), strength))  # type: ignore[attr-defined]
    torch.testing.assert_close(norms(nudge.delta), strength * norms(state().eps))  # type: ignore[attr-defined]
    # Along the gradient of the loss, which is subtracted: not against it.
    raw = answers(guidance.model_copy(update={"strength_mode": "raw"}))[0].delta  # type: ignore[attr-defined]
    along = torch.nn.functional.cosine_similarity(nudge.delta.flatten(1), raw.flatten(1))  # type: ignore[attr-defined]
    torch.testing.assert_close(along, torch.ones(8))


def test_raw_strength_is_lambda_times_the_gradient_of_the_batch_mean() -> None:
    guidance = Guidance(
        loss="classifier",
        strength_mode="raw",
        raw_lambda=10.0,
        factor="one",
        schedule="constant",
        noise_limit=0,
        point="x_t",
    )
    x_t = state().x_t.clone().requires_grad_()
    mean = torch.nn.functional.cross_entropy(
        ((x_t + 1) / 2).flatten(1) @ Linear().weight[:3].T, LABELS
    )
    (expected,) = torch.autograd.grad(10.0 * mean, x_t)
    torch.testing.assert_close(answers(guidance)[0].delta, expected)  # type: ignore[attr-defined]


ROWS = [("hard_negative", 2), ("info_nce", 1), ("supcon", 1), ("class_margin", 1), ("fisher", 1)]


@pytest.mark.parametrize(("loss", "an_image"), ROWS)
def test_raw_lambda_multiplies_the_mean_over_all_rows_of_the_loss(loss: str, an_image: int) -> None:
    """Hard-negative has a row for each of both views; all others have one an image."""
    guidance = Guidance(
        loss=loss,
        strength_mode="raw",
        raw_lambda=7.0,
        factor="one",
        schedule="constant",
        noise_limit=0,
        point="x_t",
        window_start=1.0,  # type: ignore[arg-type]
    )
    contrast = Contrast(guidance, Linear(), bank=bank(), seed=4)
    contrast((state(0).x_t + 1) / 2, LABELS)
    x_t = state(1).x_t.clone().requires_grad_()
    rows = contrast((x_t + 1) / 2, LABELS)
    assert rows is not None and len(rows) == 8 * an_image
    (expected,) = torch.autograd.grad(7.0 * rows.mean(), x_t)
    torch.testing.assert_close(answers(guidance)[1].delta, expected)  # type: ignore[attr-defined]


def test_x0_with_a_fixed_network_agrees_with_one_that_ignores_its_input() -> None:
    fixed, through = (
        descend(Contrast(Guidance(loss="classifier"), Linear(), bank=None, seed=0), point=point)
        for point in ("x0", "x0_through_network")
    )
    torch.testing.assert_close(fixed(state())[0], through(state())[0])  # type: ignore[index]


def test_previous_positives_cost_one_encoder_forward_a_step_and_start_at_the_second() -> None:
    net = Linear()
    guide = build_guide(Guidance(loss="info_nce"), net)
    assert guide is not None
    first, second, third = (guide(state(i)) for i in range(3))
    assert first is None and second is not None and third is not None
    assert net.calls == 3


def test_guidance_outside_its_window_neither_acts_nor_costs() -> None:
    net = Linear()
    guide = build_guide(Guidance(window_start=0.5, window_stop=0.2), net, bank=bank())
    assert guide is not None
    assert guide(state(t_fraction=0.5)) is None and guide(state(t_fraction=0.19)) is None
    assert net.calls == 0
    assert guide(state(t_fraction=0.2)) is not None


@pytest.mark.parametrize("point", ["x_t", "x0", "x0_through_network"])
def test_the_iterate_before_the_window_is_the_first_positive(point: str) -> None:
    """The change is that of a window that began earlier, whose own history is the same."""
    deltas = []
    for start, calls in ((0.5, 2), (1.0, 3)):
        net = Linear()
        guide = build_guide(
            Guidance(loss="info_nce", window_start=start, point=point), net, bank=bank()
        )  # type: ignore[arg-type]
        assert guide is not None
        before = [guide(state(0, t_fraction=0.9)), guide(state(1, t_fraction=0.6))]
        assert before[0] is None and (before[1] is None) == (start == 0.5)
        nudge = guide(state(2, t_fraction=0.4))
        assert nudge is not None and net.calls == calls
        deltas.append(nudge.delta)
    torch.testing.assert_close(*deltas)


def test_an_iterate_before_the_window_counts_for_the_memory_bank() -> None:
    guide = build_guide(
        Guidance(positives="real", negatives="memory", window_start=0.5), Linear(), bank=bank()
    )
    assert guide is not None
    assert guide(state(0, t_fraction=0.6)) is None
    assert guide(state(1, t_fraction=0.4)) is not None


def test_an_image_with_a_flat_loss_is_left_where_it_is() -> None:
    class Flat(Linear):
        def logits_of(self, features: torch.Tensor) -> torch.Tensor:
            keep = torch.arange(len(features))[:, None] > 0
            return torch.where(keep, features[:, :3], 0.0)

    guide = build_guide(Guidance(loss="classifier"), Flat())
    assert guide is not None
    nudge = guide(state())
    assert nudge is not None and float(nudge.ratio[0]) == 0 and bool((nudge.ratio[1:] > 0).all())


def test_a_gradient_that_is_not_finite_stops_with_a_remedy() -> None:
    class Broken(Linear):
        def logits_of(self, features: torch.Tensor) -> torch.Tensor:
            return features[:, :3] * float("inf")

    guide = build_guide(Guidance(loss="classifier"), Broken())
    assert guide is not None
    with pytest.raises(CdpError, match="temperature"):
        guide(state())


def test_the_online_head_learns_and_its_run_can_be_repeated() -> None:
    guidance = Guidance(head=True, strength=0.2)
    first, second = answers(guidance), answers(guidance)
    for one, two in zip(first, second, strict=True):
        assert torch.equal(one.delta, two.delta)  # type: ignore[attr-defined]
    contrast = Contrast(guidance, Linear(), bank=bank(), seed=4)
    gradient = descend(contrast, point="x0")
    gradient(state())
    before = [p.detach().clone() for p in contrast.head.parameters()]  # type: ignore[union-attr]
    gradient(state(1))
    assert all(
        not torch.equal(a, b) for a, b in zip(before, contrast.head.parameters(), strict=True)
    )  # type: ignore[union-attr]


@pytest.mark.parametrize(("hidden", "out"), [(128, 128), (64, 32)])
def test_the_head_is_torch_s_default_of_its_seed(hidden: int, out: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        default = torch.nn.Sequential(
            torch.nn.Linear(12, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, out)
        )
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    head = OnlineHead(12, hidden=hidden, out=out, seed=11, device=torch.device("cpu"))
    assert torch.equal(torch.rand(1), expected)
    for one, other in zip(head.parameters(), default.parameters(), strict=True):
        assert torch.equal(one, other) and bool(one.any())


@pytest.mark.parametrize(
    "guidance",
    [Guidance(loss="none"), Guidance(strength=0), Guidance(strength_mode="raw", raw_lambda=0)],
)
def test_no_guidance_is_no_guide(guidance: Guidance) -> None:
    assert build_guide(guidance, Linear()) is None


def test_masks_pull_to_the_own_class_and_push_from_others_but_never_from_oneself() -> None:
    z = torch.eye(3)
    labels = torch.tensor([0, 0, 1])
    batch = Keys(z, labels, torch.arange(3), self_view=True)
    _, positive, valid = masks(labels, [batch], [batch])
    assert positive.tolist() == [[False, True, False], [True, False, False], [False, False, False]]
    assert valid.tolist() == [[False, True, True], [True, False, True], [True, True, False]]


@pytest.mark.parametrize(("labels", "word"), [([0, 1, 2], "positives"), ([1, 1, 1], "negatives")])
def test_a_batch_without_positives_is_refused(labels: list[int], word: str) -> None:
    y = torch.tensor(labels)
    batch = Keys(torch.eye(3), y, torch.arange(3), self_view=True)
    with pytest.raises(InputError, match=word):
        masks(y, [batch], [batch])


def test_class_aware_losses_without_labels_are_refused() -> None:
    unlabelled = Contrast(Guidance(), Linear(), bank=bank(), seed=0)
    with pytest.raises(InputError, match="class labels"):
        unlabelled(torch.rand(4, 1, 4, 4), None)


def test_real_positives_without_real_images_are_refused() -> None:
    with pytest.raises(InputError, match="real images"):
        build_guide(Guidance(positives="real"), Linear(), bank=None)
