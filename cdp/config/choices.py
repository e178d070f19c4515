"""What settings name that code was written for: architectures, attack suites and guidance losses,
one entry each, which page, command line, link and reports read. The code behind an entry is written
"module:name" and imported where it runs: pages paint, and ``--help`` prints, without torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from cdp.values.text import counted


@dataclass(frozen=True)
class Architecture:
    """A network to train. build: a subclass of ``cdp.models.classifiers.Classifier``, made by
    build(classes, channels, **settings); side: image sides must be multiples of it; large: wants a
    GPU, and is normalised over the batch; published: its name in RobustBench's records."""

    title: str
    build: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    side: int = 1
    large: bool = False
    published: str = ""


@dataclass(frozen=True)
class Loss:
    """What guidance descends. title: in lists. compares: "logits" of the encoder with class
    labels, "classes" of images by their features, two "views" of every image without labels, or
    "nothing". of: the function that computes it, "module:name"; it takes a
    ``cdp.guidance.contrast.Compared`` and gives one value an anchor. settings: those of
    ``Guidance`` that only some losses take. both_views: whether both views of an image are
    anchors, with the rest of the batch as negatives. label_free: whether a loss of logits asks for
    no label. robustness: whether it wants the gradient of a robust loss on real images
    (``cdp.guidance.contrast.robust_gradient``)."""

    title: str
    compares: Literal["nothing", "logits", "classes", "views"]
    of: str = ""
    settings: tuple[str, ...] = ()
    both_views: bool = False
    label_free: bool = False
    robustness: bool = False

    @property
    def knows_classes(self) -> bool:
        return self.compares in ("logits", "classes") and not self.label_free

    @property
    def contrasts(self) -> bool:
        """Whether it compares features of images with each other."""
        return self.compares in ("classes", "views")


@dataclass(frozen=True)
class Suite:
    """Attacks that an evaluation runs one after the other.

    attacks: attacks(net, *, classes, norm, epsilon, seed, **settings) gives a list of
    ``cdp.robust.suites.Attack``; settings: names of the fields of an evaluation that it takes;
    called: how reports call the attack, of the config; explained: the attack in one sentence, of
    the settings by name; sources: what to cite; warnings: warnings(net, image, label, *, classes,
    batch) gives sentences on why its number may mean less for a network; most: images at most,
    where its number is no more than a quick estimate.
    """

    title: str
    attacks: str
    called: Callable[[Any], str]
    explained: Callable[[Mapping[str, Any]], str]
    sources: str
    settings: tuple[str, ...] = ()
    warnings: str = ""
    count: int = 1
    most: int | None = None

    @property
    def quick(self) -> bool:
        """Whether it gives an estimate that stronger attacks will lower."""
        return self.most is not None


QUICK_COUNT, QUICK_STEPS = 512, 10
_MADRY = (
    "A. Madry, A. Makelov, L. Schmidt, D. Tsipras and A. Vladu: Towards deep learning models"
    " resistant to adversarial attacks. ICLR 2018, arXiv 1706.06083."
)

ARCHITECTURES = {
    "small-cnn": Architecture(
        "Small CNN", "cdp.models.classifiers:SmallCNN", side=2, published="Small CNN"
    ),
    "preact-resnet-18": Architecture(
        "PreActResNet-18",
        "cdp.models.classifiers:PreActResNet",
        {"widths": (64, 128, 256, 512), "blocks": 2},
        large=True,
        published="PreActResNet-18",
    ),
    "wrn-28-10-swish": Architecture(
        "WRN-28-10-Swish",
        "cdp.models.classifiers:WideResNet",
        {"depth": 28, "width": 10},
        large=True,
        published="WideResNet-28-10",
    ),
}

SUITES = {
    "autoattack": Suite(
        "AutoAttack",
        "cdp.robust.autoattack:autoattack_suite",
        called=lambda config: "AutoAttack (standard)",
        explained=lambda flat: (
            "APGD-CE, targeted APGD, FAB-T and Square, one after another on the images that still"
            " stand, each image at its worst: the number to cite."
        ),
        sources=(
            "F. Croce and M. Hein: Reliable evaluation of adversarial robustness with an ensemble"
            " of diverse parameter-free attacks. ICML 2020, arXiv 2003.01690."
        ),
        warnings="cdp.robust.autoattack:autoattack_warnings",
        count=4,
    ),
    "pgd": Suite(
        "PGD",
        "cdp.robust.suites:pgd_suite",
        called=lambda config: (
            f"PGD-{config.steps} on CE and CW margin, {counted(config.restarts, 'restart')}"
        ),
        explained=lambda flat: (
            f"PGD-{flat['steps']} from {counted(flat['restarts'], 'random start')} on cross-entropy"
            " and on the CW margin, each image at its worst: faster than AutoAttack, which usually"
            " finds more."
        ),
        sources=(
            f"{_MADRY}\nN. Carlini and D. Wagner: Towards evaluating the robustness of neural"
            " networks. IEEE S&P 2017, arXiv 1608.04644."
        ),
        settings=("steps", "restarts"),
    ),
    "quick": Suite(
        "Quick",
        "cdp.robust.suites:quick",
        called=lambda config: f"PGD-{QUICK_STEPS}",
        explained=lambda flat: (
            f"PGD-{QUICK_STEPS} on at most {QUICK_COUNT} images: an estimate that stronger attacks"
            " will lower, and called so wherever it stands."
        ),
        sources=_MADRY,
        most=QUICK_COUNT,
    ),
}
"""The strongest first."""


_CONTRAST = "cdp.guidance.contrast"
LOSSES = {
    "none": Loss("None", "nothing"),
    "info_nce": Loss("InfoNCE", "views", f"{_CONTRAST}:info_nce", ("temperature",)),
    "hard_negative": Loss(
        "Hard negatives (HNM)",
        "views",
        f"{_CONTRAST}:hard_negative",
        ("temperature", "tau_plus", "beta"),
        both_views=True,
    ),
    "supcon": Loss("SupCon (class-aware)", "classes", f"{_CONTRAST}:supcon", ("temperature",)),
    "class_margin": Loss(
        "Class margin (class-aware)",
        "classes",
        f"{_CONTRAST}:class_margin",
        ("temperature", "margin"),
    ),
    "fisher": Loss("Fisher (class-aware)", "classes", f"{_CONTRAST}:fisher"),
    "supcon_spread": Loss(
        "SupCon with spread (class-aware)",
        "classes",
        f"{_CONTRAST}:supcon_spread",
        ("temperature", "spread", "bandwidth"),
    ),
    "classifier": Loss("Classifier (class-aware)", "logits", f"{_CONTRAST}:classifier"),
    "boundary": Loss(
        "Boundary (class-aware)", "logits", f"{_CONTRAST}:boundary", ("kappa_low", "kappa_high")
    ),
    "uncertainty": Loss(
        "Uncertainty of the classifier", "logits", f"{_CONTRAST}:uncertainty", label_free=True
    ),
    "influence": Loss(
        "Influence on robustness (class-aware)",
        "logits",
        f"{_CONTRAST}:influence",
        robustness=True,
    ),
}
"""By the name that configs, cards and links have for them."""


Order = Literal["highest", "lowest", "mixed"]
"""Which images of a score are kept: from one end, or half from the lowest and half evenly over the
others."""


def suite_rank(name: str) -> int:
    """How strong a suite is beside others, from 0; -1 for one that is not here."""
    return list(reversed(SUITES)).index(name) if name in SUITES else -1


def imported(path: str) -> Any:
    """What "module:name" names."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
