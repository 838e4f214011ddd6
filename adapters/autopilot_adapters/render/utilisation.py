"""How much of the time a render node works: told by the operator, measured from the client's log, or from the wallet's published work.

It is the dominant unknown of a Render estimate, and never invented: where nothing tells it, there is no quote.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

from autopilot.errors import Transient
from autopilot.model.market import Working
from autopilot.units import Share
from autopilot_adapters.render.client import Worked, worked
from autopilot_adapters.render.estimate import WEEK, Occupied, Unquoted, shown
from autopilot_adapters.render.settings import BUSIEST, RenderSettings
from autopilot_adapters.render.wire import Epoch

_LEAST_SPAN = timedelta(days=1)
"""A shorter log says more about the hour of the day than about the node."""


def told(share: Share) -> Occupied:
    """As the configuration has it."""
    return Occupied(share, (Working(f"utilisation: {share}, as configured"),))


def logged(network: str, log: Path, settings: RenderSettings, now: datetime) -> Occupied:
    """Render time by the time that passed. Raises Unquoted where the log says too little, Transient where it cannot be read."""
    try:
        did = worked(log, settings.log_days)
    except OSError as error:
        raise Transient(network, f"the client's log {log} cannot be read: {error.strerror or error}") from None
    if did is None or did.span < _LEAST_SPAN:
        raise Unquoted(f"the client's log {log} does not cover a day yet: wait, or set 'utilisation' in [networks.{network}]")
    if now - did.until > settings.keeps:
        raise Unquoted(f"the client's log {log} ends on {did.until:%Y-%m-%d}, too long ago: set 'utilisation' in [networks.{network}]")
    if did.rendering > did.span:
        raise Unquoted(f"the client's log {log} has more rendering than time: do two clients write it?")
    share = _measured(Decimal(did.rendering // timedelta(seconds=1)) / Decimal(did.span // timedelta(seconds=1)))
    return Occupied(share, (_log_working(did, share, log),), did.rendering / did.frames if did.frames else None)


def _log_working(did: Worked, share: Share, log: Path) -> Working:
    rendering, span = (each // timedelta(seconds=1) for each in (did.rendering, did.span))
    frames = f"{did.frames} frames until {did.until:%Y-%m-%d}, {log.name}"
    return Working(f"utilisation: {rendering} s of rendering / {span} s = {share}{_capped(share)} ({frames})", (f"{log.name}:render time",))


def published(epochs: Sequence[Epoch], settings: RenderSettings) -> Occupied:
    """The wallet's OctaneBench-hours by those that its GPUs could do in the same weeks. Raises Unquoted where they contradict."""
    found = [epoch.work[settings.wallet] for epoch in epochs if settings.wallet in epoch.work]
    did, score = sum(found, Decimal(0)), settings.wallet_score or Decimal(0)
    if not found:
        raise Unquoted(f"the wallet {settings.wallet} is in none of the epochs {_span(epochs)}: look at 'wallet', or set 'utilisation'")
    could = score * WEEK * len(epochs)
    if did > could:
        raise Unquoted(
            f"the wallet did {shown(did)} OctaneBench-hours where a score of {shown(score)} can do {shown(could)}: raise 'wallet_score'"
        )
    share = _measured(did / could)
    hours = f"{shown(did)} OctaneBench-hours / ({shown(score)} x {WEEK} h x {len(epochs)})"
    inputs = tuple(f"{epoch.path}.metadataBySolKey.{settings.wallet}.obhUsed" for epoch in epochs)
    return Occupied(share, (Working(f"utilisation: {hours} = {share}{_capped(share)} (the wallet in the epochs {_span(epochs)})", inputs),))


def _measured(share: Decimal) -> Share:
    """What was measured; at most so much that pay at full use is never a rate."""
    return min(Share.of(share), BUSIEST)


def _capped(share: Share) -> str:
    return " at most" if share == BUSIEST else ""


def _span(epochs: Sequence[Epoch]) -> str:
    return f"{epochs[0].number} to {epochs[-1].number}"
