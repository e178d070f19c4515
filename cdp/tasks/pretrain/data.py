"""Whether a diffusion model or an encoder can be trained on a data set: asked by page, command line
and worker before anything begins."""

from __future__ import annotations

from cdp.config.pretrain import EncoderConfig, PretrainConfig
from cdp.data.facts import require_trainable
from cdp.data.fitting import fit, labelling_of, labelling_of_card
from cdp.data.registry import dataset_info
from cdp.errors import InputError
from cdp.models.pipelines import model_card


def require_ready(config: PretrainConfig | EncoderConfig) -> list[str]:
    """What is to be known before the training, a sentence each.

    Raises InputError with what stands in the way: of the data set, or of the model to start from;
    MissingError where either is not here.
    """
    told = require_trainable(
        config.dataset, encoder=isinstance(config, EncoderConfig), anyway=config.anyway
    )
    info = dataset_info(config.dataset)
    if (
        isinstance(config, EncoderConfig)
        and config.kind == "robust"
        and config.epsilon is None
        and info.epsilon_linf is None
    ):
        told.append(
            f"The data set has no conventional attack budget, so {info.usual_linf:.3g} is taken, as"
            " for images like these."
        )
    if isinstance(config, PretrainConfig) and config.start:
        found = fit(labelling_of(info), labelling_of_card(config.start, model_card(config.start)))
        reason = found.refusal or ("its classes are numbered otherwise" if found.mapping else "")
        if reason:
            raise InputError(
                f"start: the model {config.start} was not trained on images like those of"
                f" {config.dataset} ({reason}): choose another model, or leave start empty"
            )
    return told
