"""The wiring of a generation: sampler, guide, judge and data. The only place where the sibling packages meet."""

from cdp.tasks.batches import batch_count, batch_rows, generate_batch, labels_of, sample_batch, sample_batch_pair
from cdp.tasks.cards import set_card
from cdp.tasks.engine import Loaded, load_engine
from cdp.tasks.live import live, warm

__all__ = [
    "Loaded", "batch_count", "batch_rows", "generate_batch", "labels_of", "live", "load_engine", "sample_batch", "sample_batch_pair", "set_card", "warm",
]  # fmt: skip
