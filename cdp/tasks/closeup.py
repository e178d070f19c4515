"""One image of a map in detail: its nearest neighbours in the set and among real training images,
and where an attack would push."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from cdp.config.explore import PIXELS, ExploreConfig
from cdp.errors import InputError, MissingError
from cdp.tasks.atlas import map_of
from cdp.tasks.features import encoder_labelling, features
from cdp.tasks.sources import COMMON_ROWS, dataset_of, open_source, real_images
from cdp.values.types import NO_LABEL, Embedding

NEIGHBOURS = 5
TRAINING = COMMON_ROWS
"""Real training images to look for neighbours among: those that the scores look among."""


@dataclass(frozen=True)
class Closeup:
    """Of point ``point``. own: rows of its set, nearest first, among the images on the map;
    training: rows of ``real_images(dataset, "train", TRAINING)``; distances in the encoder's
    features beside them. saliency: (H, W) in [-1, 1], the gradient of the cross-entropy of the
    image's label, summed over channels and scaled to its largest value: an l_inf attack brightens
    where it is above 0 and darkens where below; None where ``missing`` says why.
    """

    point: int
    own: tuple[int, ...]
    own_distance: tuple[float, ...]
    training: tuple[int, ...]
    training_distance: tuple[float, ...]
    saliency: np.ndarray | None
    missing: str = ""

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; the inverse of ``from_json``."""
        return asdict(self) | {
            "saliency": None if self.saliency is None else np.round(self.saliency, 4).tolist()
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Closeup:
        """What ``to_json`` gave."""
        saliency = data["saliency"]
        lists = {
            name: tuple(data[name])
            for name in ("own", "own_distance", "training", "training_distance")
        }
        return cls(
            point=data["point"],
            missing=data["missing"],
            saliency=None if saliency is None else np.asarray(saliency, np.float32),
            **lists,
        )


def closeup(config: ExploreConfig, point: int) -> Closeup:
    """Raises InputError for a map that was not drawn yet, or a point that is not on it."""
    shown = map_of(config).known()
    if shown is None:
        raise InputError("this map is not drawn yet: draw it, then choose a point")
    if not 0 <= point < len(shown):
        raise InputError(f"point {point} is not on the map: choose 0 to {len(shown) - 1}")
    sources = [open_source(name) for name in config.sets]
    source, dataset = (
        sources[shown.which[point]],
        dataset_of(sources, config.dataset, encoder=config.encoder),
    )
    rows = _rows_of(shown, int(shown.which[point]))
    seen = features(config.encoder, dataset, source.image[rows])
    at = int(np.flatnonzero(rows == shown.row[point])[0])
    own, own_distance = _nearest(seen[at], np.delete(seen, at, axis=0))
    try:
        train = features(config.encoder, dataset, real_images(dataset, "train", TRAINING)[0])
        training, training_distance = _nearest(seen[at], train)
    except MissingError:
        training, training_distance = (), ()
    saliency, missing = _saliency(
        config.encoder,
        dataset,
        source.image[shown.row[point]],
        shown.class_names,
        int(shown.label[point]),
    )
    return Closeup(
        point,
        tuple(int(np.delete(rows, at)[i]) for i in own),
        own_distance,
        training,
        training_distance,
        saliency,
        missing,
    )


def _rows_of(shown: Embedding, which: int) -> np.ndarray:
    return shown.row[shown.which == which]


def _nearest(one: np.ndarray, others: np.ndarray) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Positions and distances of the nearest rows, nearest first."""
    distance = np.linalg.norm(others.astype(np.float64) - one, axis=1)
    order = np.argsort(distance, kind="stable")[:NEIGHBOURS]
    return tuple(int(i) for i in order), tuple(float(distance[i]) for i in order)


def _saliency(
    encoder: str, dataset: str, image: np.ndarray, names: tuple[str, ...], label: int
) -> tuple[np.ndarray | None, str]:
    if encoder == PIXELS:
        return None, "pixels classify nothing, so no attack follows from them: choose an encoder"
    if label == NO_LABEL:
        return (
            None,
            (
                "this image has no label that an attack could lead away from: give its set labels"
                " in the gallery"
            ),
        )
    import torch
    import torch.nn.functional as F

    from cdp.tasks.loaded import encoder_on_device, to_tensor

    # The map numbers classes in its own way; the encoder's number is that of the same name.
    known = encoder_labelling(encoder, dataset)
    classes = names if known.nameless and len(names) == len(known.classes) else known.classes
    if names[label] not in classes:
        return None, f"the encoder does not know the class {names[label][:60]!r} of this image"
    net, own = encoder_on_device(encoder, dataset).net, classes.index(names[label])
    x = to_tensor(image[None]).to(next(net.parameters()).device).requires_grad_(True)
    loss = F.cross_entropy(net(x), torch.tensor([own], device=x.device))
    gradient = torch.autograd.grad(loss, x)[0][0].sum(0)
    largest = gradient.abs().max()
    return (gradient / largest if largest > 0 else gradient).cpu().numpy(), ""
