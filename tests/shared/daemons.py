"""What real daemons are configured with, what they tell of themselves, and a network whose nodes are real processes."""

from __future__ import annotations

from typing import Any

from shared.nodes import PATIENT
from shared.servers import Desk

UNGUARDED = """
[guards]
dwell = "0m"
cooldown = "0m"
changes_per_day = 10000
"""


class Price(Desk):
    """A network that pays half a dollar."""

    def answer(self) -> None:
        self.say_json({"price": 0.5})


def mine(url: str) -> str:
    """The table of that network: a process for each RTX 4090, which ends when it is told to."""
    return f"""
[networks.mine]
type = "http"
url = "{url}"
models = {{ "RTX 4090" = "4090" }}
price = "price"
unit = "$/h"
occupancy = 1
boot = "1s"
[networks.mine.node]
process = ["/bin/sh", "-c", {PATIENT!r}]
"""


def heartbeat(*devices: list[Any], **told: Any) -> dict[str, Any]:
    """What a daemon in a live flight tells of itself; of a device its id, its model and its number."""
    body = {"version": "0.1.0", "strategy": "payback", "live": True, "tick_seconds": 15.0, "speed": 1.0, "devices": list(devices)}
    return {**body, "silent": {}, "quarantine": {}, **told}
