"""GPUs by their product name, however it is written."""

from __future__ import annotations

import re

_WORD = re.compile(r"[a-z0-9]+")
_BRANDS = {"nvidia", "geforce"}


def plain(model: str) -> str:
    """The name without brand, case and punctuation: ``NVIDIA GeForce RTX 4090`` is ``rtx4090``."""
    return "".join(word for word in _WORD.findall(model.lower()) if word not in _BRANDS)
