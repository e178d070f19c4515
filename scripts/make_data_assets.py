"""Rebuild assets/data/fashion-mnist from the full set: the first 10,000 training images and all
10,000 test images.

Run from the repository: ``python scripts/make_data_assets.py [FOLDER]``, where FOLDER has the four
published IDX files (default: Debian's package dataset-fashion-mnist). The same input and xz version
make the same bytes.
"""

from __future__ import annotations

import hashlib
import lzma
import struct
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cdp import paths
from cdp.data.catalog import DEBIAN, SUMS
from cdp.data.formats import read_idx

ROWS = 10_000
# An 8 MiB dictionary spans the whole file and keeps the memory of readers small.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": 8 << 20}]


def idx_bytes(array: np.ndarray) -> bytes:
    """A uint8 array in the IDX format."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def main(source: Path) -> None:
    """Write the four files and their checksums."""
    target = paths.ASSETS / "data" / "fashion-mnist"
    target.mkdir(parents=True, exist_ok=True)
    lines = []
    for prefix in ("t10k", "train"):
        for kind, ndim in (("images", 3), ("labels", 1)):
            stem = f"{prefix}-{kind}-idx{ndim}-ubyte"
            rows = read_idx(source / f"{stem}.gz", ndim)[:ROWS]
            data = lzma.compress(idx_bytes(rows), filters=FILTERS)
            (target / f"{stem}.xz").write_bytes(data)
            lines.append(f"{hashlib.sha256(data).hexdigest()}  {stem}.xz\n")
    (target / SUMS).write_text("".join(lines))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DEBIAN / "fashion-mnist")
