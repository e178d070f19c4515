"""Sentences beside a choice known to hurt. Sources: docs/guidance.md and the first spike."""

from __future__ import annotations

from cdp.config.choices import LOSSES
from cdp.config.generate import GenerateConfig

STRONG = 0.2
"""Relative strength from which images at high noise were destroyed in the first spike."""
HIGH_NOISE = 0.7
"""t/T above which the same strength no longer is mild."""


def warnings(config: GenerateConfig, *, conditional: bool) -> dict[str, str]:
    """Field name -> one sentence for what is known to hurt. conditional: the model knows
    classes."""
    g = config.guidance
    if g.loss == "none":
        return {}
    relative = g.strength_mode == "relative"
    if relative and g.strength == 0:
        return {
            "strength": "Strength 0 changes nothing: guided and unguided images will be identical."
        }
    sentences: dict[str, str] = {}
    if conditional and LOSSES[g.loss].compares == "views":
        sentences["loss"] = (
            "This loss does not know the classes: it also pushes images of the same class apart,"
            " which lowers how well the classes can be told apart. The class-aware losses do not."
        )
    if not conditional and LOSSES[g.loss].knows_classes:
        sentences["loss"] = (
            "This model is unconditional, so it gives this loss no class to aim for: choose InfoNCE"
            " or hard negatives."
        )
    if (
        relative
        and abs(g.strength) >= STRONG
        and (g.noise_limit == 0 or g.window_start > HIGH_NOISE)
    ):
        sentences["strength"] = (
            "Strong guidance where images are still mostly noise destroys them: lower the"
            f" strength, start the window at {HIGH_NOISE:g} or below, and keep the noise limit on."
        )
    if g.point == "x_t" and g.encoder != "noise-aware":
        sentences["point"] = (
            f"The encoder {g.encoder!r} has never seen noisy images, so its gradient at x_t means"
            " little: choose noise-aware, or x0."
        )
    if g.head:
        sentences["head"] = (
            "The head learns while sampling, so an image depends on the steps and images before it"
            " in its batch."
        )
    if not relative:
        sentences["raw_lambda"] = (
            "Raw lambda means something else at every batch size and temperature: look at the ratio"
            " curve after a run."
        )
    return sentences
