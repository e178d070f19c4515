"""What this is, the answer so far, and the way in."""

from cdp.ui.home import opening, store
from cdp.ui.kit.frame import framed

framed()
opening()
store()
