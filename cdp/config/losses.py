"""The guidance losses that a person can choose, one entry each. Needs no torch: what a loss computes
is imported when a guide is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Loss:
    """title: in lists. compares: "logits" of the encoder with class labels, "classes" of images by
    their features, two "views" of every image without labels, or "nothing". of: the function that
    computes it, "module:name"; it takes a ``cdp.guidance.contrast.Compared`` and gives one value an
    anchor. settings: those of ``Guidance`` that only some losses take. both_views: whether both
    views of an image are anchors, with the rest of the batch as negatives."""

    title: str
    compares: Literal["nothing", "logits", "classes", "views"]
    of: str = ""
    settings: tuple[str, ...] = ()
    both_views: bool = False

    @property
    def knows_classes(self) -> bool:
        return self.compares in ("logits", "classes")

    @property
    def contrasts(self) -> bool:
        """Whether it compares features of images with each other."""
        return self.compares in ("classes", "views")


_HERE = "cdp.guidance.contrast"
LOSSES: dict[str, Loss] = {
    "none": Loss("None", "nothing"),
    "info_nce": Loss("InfoNCE", "views", f"{_HERE}:info_nce", ("temperature",)),
    "hard_negative": Loss(
        "Hard negatives (HNM)",
        "views",
        f"{_HERE}:hard_negative",
        ("temperature", "tau_plus", "beta"),
        both_views=True,
    ),
    "supcon": Loss("SupCon (class-aware)", "classes", f"{_HERE}:supcon", ("temperature",)),
    "class_margin": Loss(
        "Class margin (class-aware)", "classes", f"{_HERE}:class_margin", ("temperature", "margin")
    ),
    "fisher": Loss("Fisher (class-aware)", "classes", f"{_HERE}:fisher"),
    "classifier": Loss("Classifier (class-aware)", "logits", f"{_HERE}:classifier"),
}
"""By the name that configs, cards and links have for them."""
