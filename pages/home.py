"""What this is for, in three sentences, and the way in."""

from cdp.ui.frame import framed
from cdp.ui.home import purpose, store

framed()
purpose()
store()
