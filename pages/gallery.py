"""Saved sample sets."""

from cdp.ui.frame import framed
from cdp.ui.gallery import show

framed()
show()
