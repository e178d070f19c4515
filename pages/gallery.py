"""Saved sample sets."""

from cdp.ui.gallery.page import show
from cdp.ui.kit.frame import framed

framed()
show()
