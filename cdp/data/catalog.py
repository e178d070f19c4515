"""The built-in data sets: what is known of each before its files are opened."""

from __future__ import annotations

from cdp.errors import MissingError
from cdp.values.types import DatasetInfo

_DIGITS = tuple("0123456789")
_FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_KUZUSHIJI = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")
_CIFAR10 = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_SIGNS = (
    "speed limit 20",
    "speed limit 30",
    "speed limit 50",
    "speed limit 60",
    "speed limit 70",
    "speed limit 80",
    "end of speed limit 80",
    "speed limit 100",
    "speed limit 120",
    "no passing",
    "no passing for heavy vehicles",
    "right of way at next crossing",
    "priority road",
    "yield",
    "stop",
    "no vehicles",
    "no heavy vehicles",
    "no entry",
    "general caution",
    "dangerous curve left",
    "dangerous curve right",
    "double curve",
    "bumpy road",
    "slippery road",
    "road narrows on the right",
    "road work",
    "traffic signals",
    "pedestrians",
    "children crossing",
    "bicycles crossing",
    "ice or snow",
    "wild animals crossing",
    "end of all limits",
    "turn right ahead",
    "turn left ahead",
    "ahead only",
    "straight or right",
    "straight or left",
    "keep right",
    "keep left",
    "roundabout",
    "end of no passing",
    "end of no passing for heavy vehicles",
)

# The origin of each budget is in docs/data.md; where there is no convention, none is made up.
CATALOG: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            "fashion-mnist", "Fashion-MNIST", _FASHION, (1, 28, 28), 0.1, "MIT, Zalando SE", 1.5
        ),
        DatasetInfo(
            "mnist",
            "MNIST",
            _DIGITS,
            (1, 28, 28),
            0.3,
            "CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
            2.0,
        ),
        DatasetInfo(
            "kmnist", "Kuzushiji-MNIST", _KUZUSHIJI, (1, 28, 28), None, "CC BY-SA 4.0, CODH"
        ),
        DatasetInfo(
            "cifar10",
            "CIFAR-10",
            _CIFAR10,
            (3, 32, 32),
            8 / 255,
            "none stated by its authors; cite Krizhevsky 2009",
            128 / 255,
        ),
        DatasetInfo(
            "gtsrb",
            "Traffic signs (GTSRB)",
            _SIGNS,
            (3, 32, 32),
            8 / 255,
            "none stated by its authors; cite Stallkamp 2012",
        ),
    )
}


MIRRORED = frozenset(["cifar10", "fashion-mnist"])
"""Built-in data sets whose classes look the same in a mirror. Digits, letters and signs do not, and
of others nobody knows."""


def builtin(name: str) -> DatasetInfo:
    """A built-in data set. Raises MissingError that lists the names."""
    if name not in CATALOG:
        raise MissingError(
            f"data set {name[:200]!r} is unknown: choose one of {', '.join(CATALOG)}"
        )
    return CATALOG[name]
