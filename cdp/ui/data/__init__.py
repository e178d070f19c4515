""" "Your data": from images to encoders and a diffusion model of one's own, in five steps."""
