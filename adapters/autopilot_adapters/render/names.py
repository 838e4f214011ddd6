"""GPU models as NVML and people write them, and the two tables of known points: OctaneBench scores and Dispersed's multipliers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

_JUNCTIONS = (
    (re.compile(r"\([A-Z]{1,3}\)|[-_/,]"), " "),
    (re.compile(r"\b([RG]TX)(?=[0-9])"), r"\1 "),
    (re.compile(r"\b([0-9]{4})(?=(?:TI|SUPER|D|M)\b)"), r"\1 "),
    (re.compile(r"\b(TI|D)(?=SUPER\b)"), r"\1 "),
    (re.compile(r"(?<!\S)[0-9]{1,3} ?GI?B?(?!\S)"), " "),  # the memory
)
_NOISE = re.compile(r"NVIDIA|GEFORCE|TESLA|AMD|INSTINCT|GPU|PCIE|SXM[0-9]?|NVL|HBM[0-9]?E?")
_SAME = {"M": "LAPTOP", "MOBILE": "LAPTOP"}
_BARE = re.compile(r"[2-5]0[5-9]0")


def plain(model: str) -> str:
    """``NVIDIA GeForce RTX 4090 Laptop GPU`` and ``RTX 4090 Laptop`` are ``RTX 4090 LAPTOP``; ``4090`` is ``RTX 4090``.

    What makes another product of it stays: ``TI``, ``SUPER``, ``D``, ``LAPTOP``, a slice of a GPU (``MIG``).
    """
    text = model.upper()
    for junction, between in _JUNCTIONS:
        text = junction.sub(between, text)
    words = [_SAME.get(word, word) for word in text.split() if not _NOISE.fullmatch(word)]
    return " ".join(["RTX", *words] if words and _BARE.fullmatch(words[0]) else words)


SCORES: Mapping[str, Decimal] = {"GTX 980": Decimal(100), "RTX 4090": Decimal(1274), "RTX 4090 LAPTOP": Decimal(715)}
"""OctaneBench by plain model: the few points that are known. Where several are, the lowest that describes the usual card.

The GTX 980 defines the scale. The RTX 4090 is given as 1274 and as about 1300; its laptop version has an average of 715 and a median of
777 over 63 public results. Nothing in between is guessed from these.
"""

MULTIPLIERS: Mapping[str, Decimal] = {
    model: Decimal(multiplier)
    for model, multiplier in {
        "RTX 5090": "1.7",  # 1.81 in the documents for node operators
        "RTX 5090 D": "1.65",
        "RTX 5080": "1.35",
        "RTX 5070 TI": "1.1",
        "RTX 5070": "1.05",
        "RTX 4090": "1",
        "RTX 4090 D": "0.95",
        "RTX 4080": "0.85",  # 0.90 in the documents
        "RTX 4070 TI": "0.75",
        "RTX 4070": "0.65",
        "RTX 4060 TI": "0.55",
        "RTX 4060": "0.5",
        "RTX 3090 TI": "0.9",
        "RTX 3090": "0.85",
        "RTX 3080 TI": "0.8",
        "RTX 3080": "0.7",  # 0.75 in the documents, and for the one with 12 GB
        "RTX 3070 TI": "0.65",
        "RTX 3070": "0.6",
        "RTX 3060 TI": "0.55",
        "RTX 3060": "0.5",
        "RTX 3060 LAPTOP": "0.45",
        "RTX 3050": "0.4",
        "H200": "5",
        "H100": "4",
        "MI300X": "4",
        "A100": "3.5",
        "L40": "2.5",
        "L4": "1.5",
        "T4": "1.2",
    }.items()
}
"""Dispersed's job multiplier by plain model: the scores of RNP-019, and of RNP-021 for the data centre. The lower where two are given."""
