"""The public search as it is today. Never run by default: pytest -m online."""

from __future__ import annotations

from pathlib import Path

import pytest
from autopilot_vast.adapter import VastSettings, vast

from autopilot.clock import SystemClock
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import NetworkId
from autopilot.model.market import Basis, Quote
from autopilot.testing.views import device
from autopilot.units import ALL, Share, UsdPerHour


@pytest.mark.online
def test_the_public_search_is_understood() -> None:
    """Read only: an RTX 4090 is asked for somewhere between a cent and ten dollars."""
    clock = SystemClock()
    http = Http(clock, network="vast")
    kit = Kit(NetworkId("vast"), clock, (), Path(), http, Tokens(http, clock))
    [quote] = vast(VastSettings(fee=Share.of("0.25"), occupancy=ALL), kit).quotes([device()])
    http.close()

    assert isinstance(quote, Quote)
    assert UsdPerHour.of("0.01") < quote.gross < UsdPerHour.of(10)
    assert quote.basis is Basis.ASK
