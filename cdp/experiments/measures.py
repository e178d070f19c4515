"""Cheap figures of a set that may say beforehand how good it is for training."""

from __future__ import annotations

from collections.abc import Mapping

from cdp.data.sets import open_set
from cdp.errors import MissingError
from cdp.experiments.content import card_content
from cdp.files.cache import Report, cached_value, digest
from cdp.models.encoders import JUDGE
from cdp.tasks.sources import dataset_of, matched, open_source, real_images

TITLES: Mapping[str, str] = {
    "agreement": "Judge agreement",
    "separation": "Separation",
    "coverage": "Coverage",
    "frechet": "Frechet distance",
    "nearest": "Nearest-training-image ratio",
}
"""The last hints at memorisation where it is below 1."""
ROWS = 2000
"""Images of each set that are looked at: enough to rank arms, and done in seconds. Coverage and
Frechet distance depend on their number, so arms of other counts than each other's below it are no
fair comparison in these two."""
_VERSION = 1


def measures(name: str) -> dict[str, float]:
    """Figures of a saved set by the keys of ``TITLES``, in the eyes of the data set's judge; those
    that are not defined for it are left out. Raises CdpError where there is no judge."""

    def make(report: Report) -> dict[str, float]:
        return _measured(name)

    key = digest(_VERSION, ROWS, card_content(name, open_set(name).card))
    return cached_value("experiment-measures", key, dict[str, float], make).get()


def _measured(name: str) -> dict[str, float]:
    from cdp.embedding.distances import frechet_distance
    from cdp.embedding.neighbours import fidelity
    from cdp.embedding.report import arm_report
    from cdp.tasks.features import features
    from cdp.tasks.judge import baseline, judged, load_judge

    source = open_source(name)
    dataset = dataset_of([source], "")
    source = matched(source, dataset)
    judge = load_judge(dataset)
    if judge is None:
        raise MissingError(
            f"{dataset} has no judge to look at images with: python -m cdp pretrain-encoder"
            f" --dataset {dataset} --kind standard --name judge --seed 1"
        )
    rows = source.rows(ROWS)
    arm = judged(judge, source.image[rows])
    label = None if source.label is None else source.label[rows]
    report = arm_report(arm, label, baseline(dataset))
    known = {
        "agreement": report.agreement,
        "separation": report.separation,
        "nearest": report.nearest,
    }
    figures = {key: figure.value for key, figure in known.items() if figure is not None}
    real = features(JUDGE, dataset, real_images(dataset, "test", len(rows))[0])
    figures["coverage"] = fidelity(real, arm.features, near=None)["coverage"].value
    figures["frechet"] = frechet_distance(arm.features, real)
    return {key: figures[key] for key in TITLES if key in figures}
