"""What images, or a training on them, are in a comparison."""

from __future__ import annotations

from typing import Literal

Role = Literal["guided", "unguided", "real", "ceiling", "other"]
"""Guided and unguided generations, the real images, further real images in place of synthetic ones,
and what is none of these or not known."""
