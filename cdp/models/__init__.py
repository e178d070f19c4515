"""Networks: the denoiser around diffusers' UNet2DModel, classifiers that double as encoders, heads,
checkpoints."""
