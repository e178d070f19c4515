"""How the values of settings are written for a person."""

from __future__ import annotations

from collections.abc import Mapping

from cdp.config.choices import ARCHITECTURES, LOSSES, SUITES

_PLAIN = (
    *("constant", "linear", "cosine", "relative", "on", "off", "auto", "crop", "stop", "standard"),
    *("robust", "noise-aware", "best", "last", "both", "euclidean", "manhattan", "correlation"),
    *("equal", "decaying", "averaging"),
)
"""Values that are words themselves."""

TITLES: Mapping[str, str] = {
    **{word: word.capitalize() for word in _PLAIN},
    # losses and what they compare
    **{name: loss.title for name, loss in LOSSES.items()},
    "previous": "Previous iterate",
    "augmented": "Augmented view",
    "same_class": "Same class",
    "real": "Real images",
    "batch": "Rest of the batch",
    "memory": "Memory bank",
    # where and how guidance acts
    "x0": "Denoised estimate x0",
    "x0_through_network": "x0, through the network",
    "x_t": "Noisy image x_t",
    "noise_scaled": "Noise-scaled",
    "raw": "Raw lambda",
    "sqrt_one_minus_alpha_bar": "sqrt(1 - alpha_bar)",
    "one": "1",
    # solvers
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "dpmpp": "DPM-Solver++",
    "unipc": "UniPC",
    "model": "As the model has it",
    # training
    "pgd-at": "PGD-AT",
    "trades": "TRADES",
    "mart": "MART",
    "linf": "l_inf",
    "l2": "l_2",
    **{name: network.title for name, network in ARCHITECTURES.items()},
    "crop-flip": "Crop and flip",
    "cutout": "Crop, flip and cutout",
    "notice": "Only say so",
    "uniform": "Anywhere in the budget",
    "noise": "Normal noise of 0.001",
    # evaluation and the attack lab
    **{name: suite.title for name, suite in SUITES.items()},
    "trained": "As trained",
    "cross-entropy": "PGD, cross-entropy",
    "margin": "PGD, CW margin",
    "targeted": "PGD, towards a class",
    # maps
    "pca": "PCA",
    "umap": "UMAP",
    "union": "All sets",
    # the Gaussian model
    "linf-threshold": "Averaging, soft-thresholded",
    "adversarial-logistic": "Adversarially trained logistic regression",
}
"""A value that is not here is shown as it is."""
