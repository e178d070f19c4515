"""Saved sample sets."""

from cdp.ui.frame import framed
from cdp.ui.gallery.page import show

framed()
show()
