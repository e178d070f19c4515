"""Training diffusion models and encoders as tasks: data, checkpoints, resume, cards.

``run_pretrain(config, on_progress=...)`` and ``run_pretrain_encoder(config, on_progress=...)``
return the finished folder. A stopped or killed training goes on from its last checkpoint when
started again with the same config.
"""

from cdp.tasks.pretrain.diffusion import pretrain, run_pretrain
from cdp.tasks.pretrain.encoder import pretrain_encoder, run_pretrain_encoder
from cdp.tasks.pretrain.progress import Progress

__all__ = ["Progress", "pretrain", "pretrain_encoder", "run_pretrain", "run_pretrain_encoder"]
