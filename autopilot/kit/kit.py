"""What the core hands to an adapter when it makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autopilot.clock import Clock
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, NetworkId


@dataclass(frozen=True, slots=True)
class Kit:
    """The world as far as an adapter may reach into it."""

    network: NetworkId
    """The name under which the configuration speaks of it."""
    clock: Clock
    devices: Sequence[Device]
    folder: Path
    """Where the adapter may keep files of its own. It is there already."""
    http: Http
    """The one client of the process, in this network's name."""
    tokens: Tokens
    """Token prices in USD."""
