"""Training diffusion models and encoders as tasks: data, checkpoints, resume, cards. A stopped or
killed training goes on from its last checkpoint when started again with the same config."""
