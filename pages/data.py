"""Bring a data set, train encoders and a diffusion model on it, use them on the other pages."""

from cdp.ui.data.page import show
from cdp.ui.kit.frame import framed

framed()
show()
