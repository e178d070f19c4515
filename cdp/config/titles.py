"""How the values of settings are written for a person."""

from __future__ import annotations

from collections.abc import Mapping

from cdp.config.choices import ARCHITECTURES, LOSSES, SUITES

TITLES: Mapping[str, str] = {
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
    "constant": "Constant",
    "linear": "Linear",
    "cosine": "Cosine",
    "noise_scaled": "Noise-scaled",
    "relative": "Relative",
    "raw": "Raw lambda",
    "sqrt_one_minus_alpha_bar": "sqrt(1 - alpha_bar)",
    "one": "1",
    # solvers
    "ddim": "DDIM",
    "ddpm": "DDPM",
    "dpmpp": "DPM-Solver++",
    "unipc": "UniPC",
    "model": "As the model has it",
    "on": "On",
    "off": "Off",
    # training
    "pgd-at": "PGD-AT",
    "trades": "TRADES",
    "mart": "MART",
    "linf": "l_inf",
    "l2": "l_2",
    **{name: network.title for name, network in ARCHITECTURES.items()},
    "auto": "Auto",
    "none": "None",
    "crop": "Crop",
    "crop-flip": "Crop and flip",
    "cutout": "Crop, flip and cutout",
    "stop": "Stop",
    "notice": "Only say so",
    "uniform": "Anywhere in the budget",
    "noise": "Normal noise of 0.001",
    "standard": "Standard",
    "robust": "Robust",
    "noise-aware": "Noise-aware",
    # evaluation and the attack lab
    **{name: suite.title for name, suite in SUITES.items()},
    "trained": "As trained",
    "best": "Best",
    "last": "Last",
    "both": "Both",
    "cross-entropy": "PGD, cross-entropy",
    "margin": "PGD, CW margin",
    "targeted": "PGD, towards a class",
    # maps
    "pca": "PCA",
    "umap": "UMAP",
    "union": "All sets",
    "euclidean": "Euclidean",
    "manhattan": "Manhattan",
    "correlation": "Correlation",
    # the Gaussian model
    "equal": "Equal",
    "decaying": "Decaying",
    "isotropic": "Isotropic",
    "correlated": "Correlated",
    "averaging": "Averaging",
    "linf-threshold": "Averaging, soft-thresholded",
    "adversarial-logistic": "Adversarially trained logistic regression",
}
"""A value that is not here is shown as it is."""
