"""Clean image, perturbation and attacked image of one model beside each other, enlarged so that
single pixels are seen. Pure: HTML."""

from __future__ import annotations

import html
from collections.abc import Sequence

import numpy as np

from cdp.figures.palette import Sign
from cdp.tasks.lab import LabResult, Smallest
from cdp.ui.kit.pictures import PIXELATED, gain_of, in_levels, perturbation, png
from cdp.ui.kit.words import GLYPHS
from cdp.ui.lab.words import HEADS, Verdict, sentence, verdict
from cdp.values.text import class_name

WRONG = "#c8553d"
"""Of what the network gets wrong, as in the examples of the Train page."""
_FIGURE = "flex:1 1 0;min-width:84px;max-width:180px;margin:0;font-size:.8rem;line-height:1.3"
_IMAGE = (
    f"{PIXELATED};width:100%;height:auto;border:1px solid rgba(128,132,140,.35);border-radius:3px"
)


def heading(name: str, sign: Sign) -> str:
    """The name of a model under its mark."""
    mark = (
        f"<span aria-hidden='true' style='color:{sign.color}'>{GLYPHS.get(sign.symbol, '●')}</span>"
    )
    return (
        f"<h3 style='font-size:1.05rem;margin:0;padding:0;overflow-wrap:anywhere'>{mark}"
        f" {html.escape(name)}</h3>"
    )


def verdict_html(kind: Verdict, text: str) -> str:
    """The verdict: its sign and word first, so that colour is not the only sign."""
    colour = "" if kind == "stands" else f"color:{WRONG}"
    head = f"<strong style='{colour}'>{HEADS[kind]}.</strong>"
    return (
        f"<p role='status' style='margin:.1rem 0 0;font-size:.95rem;line-height:1.4'>{head}"
        f" {html.escape(text)}</p>"
    )


def triptych(result: LabResult, names: Sequence[str], *, faded: bool = False) -> str:
    """The three pictures with what the model says. faded: whether they are of settings that have
    changed since."""
    figures, clean = result.figures, result.image[None]
    adversarial = result.adversarial[None]
    gain = gain_of(clean, adversarial)
    grey = result.image.shape[-1] == 1
    same = not np.any(np.abs(adversarial - clean / np.float32(255)) > 1e-6)
    scale = (
        "no change"
        if same
        else f"× {gain}{', blue darker, orange brighter' if grey else ', around mid-grey'}"
    )
    cells = (
        (
            "Clean",
            result.image,
            _said(figures.clean, figures.before, names, wrong=figures.clean != figures.label),
        ),
        (
            "Perturbation",
            _visible(perturbation(clean, adversarial, gain)[0]),
            f"<span style='opacity:.75'>{scale}</span>",
        ),
        (
            "Attacked",
            in_levels(result.adversarial),
            _said(figures.attacked, figures.after, names, wrong=figures.attacked != figures.label),
        ),
    )
    inner = "".join(
        f"<figure style='{_FIGURE}'><figcaption"
        f" style='opacity:.75;margin-bottom:3px'>{title}</figcaption><img src='{png(image)}'"
        f" alt='{title} image' style='{_IMAGE}'><div"
        f" style='margin-top:3px;overflow-wrap:anywhere'>{below}</div></figure>"
        for title, image, below in cells
    )
    return f"<div style='display:flex;gap:10px;{'opacity:.4' if faded else ''}'>{inner}</div>"


def thumbnail(image: np.ndarray, alt: str) -> str:
    """The chosen image, in the left column."""
    return (
        f"<img src='{png(image)}' alt='{html.escape(alt, quote=True)}'"
        f" style='{_IMAGE};width:112px'>"
    )


def told(result: LabResult, smallest: Smallest | None, names: Sequence[str]) -> str:
    """Verdict and sentence of one model."""
    return verdict_html(verdict(result.figures), sentence(result.figures, smallest, names))


def _visible(image: np.ndarray) -> np.ndarray:
    """Without the alpha channel of a perturbation, which would hide it."""
    return image[..., :3]


def _said(value: int, probabilities: Sequence[float], names: Sequence[str], *, wrong: bool) -> str:
    name = html.escape(class_name(names, value))
    mark = f"<span style='color:{WRONG};font-weight:600'>✗ {name}</span>" if wrong else f"✓ {name}"
    return f"{mark} {probabilities[value]:.2f}"
