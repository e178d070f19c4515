"""What this is for, in three sentences, and the way in."""

from cdp.ui.home import purpose, store
from cdp.ui.kit.frame import framed

framed()
purpose()
store()
