"""Downloads by torchvision, which verifies its checksums. The only module here that needs torch."""

from __future__ import annotations

from pathlib import Path


def fetch(name: str, root: Path, split: str) -> None:
    """Download and unpack one split into torchvision's own layout. name: a class of
    torchvision.datasets.

    Raises OSError or RuntimeError, as torchvision does where there is no network or a checksum
    differs.
    """
    import torchvision

    kind = getattr(torchvision.datasets, name)
    if name == "GTSRB":
        kind(root, split=split, download=True)
    else:
        kind(root, train=split == "train", download=True)
