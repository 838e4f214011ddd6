"""What Vast calls a GPU. Its search wants the name letter by letter: ``RTX_4090`` finds nothing, and is no error either."""

from __future__ import annotations

import re

from autopilot.model.device import Device

_LISTED = """
B200|H200|H200 NVL|H100 SXM|H100 PCIE|H100 NVL|A100 SXM4|A100 PCIE|L40S|L40|L4|A40|A30|A16|A10|Tesla V100|Tesla T4|Tesla P100|Tesla P40
RTX 5090|RTX 5080|RTX 5070 Ti|RTX 5070|RTX 5060 Ti|RTX 5060|RTX 4090|RTX 4090D|RTX 4080S|RTX 4080|RTX 4070S Ti|RTX 4070 Ti|RTX 4070S
RTX 4070|RTX 4060 Ti|RTX 4060|RTX 3090 Ti|RTX 3090|RTX 3080 Ti|RTX 3080|RTX 3070 Ti|RTX 3070|RTX 3060 Ti|RTX 3060|RTX 2080 Ti|RTX 2080S
RTX 2080|RTX 2070S|RTX 2070|RTX 2060S|RTX 2060|GTX 1660 Ti|GTX 1660 S|GTX 1660|GTX 1080 Ti|GTX 1080|GTX 1070 Ti|GTX 1070
RTX PRO 6000 S|RTX PRO 6000 WS|RTX PRO 6000 Max-Q|RTX 6000Ada|RTX 5880Ada|RTX 5000Ada|RTX 4500Ada|RTX 4000Ada|RTX 2000Ada
RTX A6000|RTX A5000|RTX A4500|RTX A4000|RTX A2000|Q RTX 8000|Q RTX 6000
"""
"""From its catalogue, ``/api/v0/gpu_names/unique/``."""
_WORD = re.compile(r"[a-z0-9]+")
_MEMORY = re.compile(r"\b[0-9]+ ?gi?b\b")
_NOISE = {"nvidia", "geforce", "tesla", "quadro", "q", "gpu", "generation", "blackwell", "edition", "hbm2", "hbm2e", "hbm3e"}
_SHORT = {"super": "s", "server": "s", "workstation": "ws", "sxm2": "sxm", "sxm4": "sxm", "sxm5": "sxm", "hbm3": "sxm"}
"""H100s with HBM3 are those on SXM boards, and say no more of it."""
_BOARDS = ("sxm", "pcie", "nvl", "s", "ws", "maxq")


def _key(name: str) -> str:
    """The name without what only one side writes: ``NVIDIA GeForce RTX 4080 SUPER`` and ``RTX 4080S`` are ``rtx4080s``."""
    text = name.lower().replace("max-q workstation", "maxq").replace("max-q", "maxq").replace("-", " ").replace("_", " ")
    words = (_SHORT.get(word, word) for word in _WORD.findall(_MEMORY.sub("", text)) if word not in _NOISE)
    return "".join(dict.fromkeys(words)).replace("sti", "tis")


_NAMES = {_key(name): name for name in _LISTED.replace("\n", "|").split("|") if name}


def vast_names(device: Device) -> tuple[str, ...]:
    """Every name under which Vast may list the device: several where its own name leaves the board open, none where it is unknown."""
    key = _key(device.model)
    for exact in (key, key.removesuffix("sxm").removesuffix("pcie")):
        if exact in _NAMES:
            return (_NAMES[exact],)
    return tuple(_NAMES[key + board] for board in _BOARDS if key and key + board in _NAMES)
