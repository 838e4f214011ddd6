"""The switch machine: what to do next about one device on its way from a venue to another.

::

       open                        source is gone already
     ────────▶ DRAINING ───────────────────────────────────────────▶ STARTING ──target serves──▶ SETTLED
                  │ │ empty, or drain limit and all may be broken      ▲  │
                  │ └──────────▶ STOPPING ──source is gone─────────────┘  │ start limit, or the node is broken
                  │                 │ stop limit                          ▼
                  │                 └──────────▶ STRANDED ◀────────── REVERTING ──source serves──▶ REVERTED
                  │                                  revert limit         ▲   └──target serves after all──▶ SETTLED
                  └─ gain is gone, or a lease that may not be broken ─────┘ (such a lease turns STOPPING and STARTING back too)

``advance`` is pure and may be asked again at any time: it keeps nothing, and every command that it gives may be repeated.
Two rules keep a device from ever serving two venues: the target is started only while the source is seen ABSENT, and the
source is started again only while the target is seen ABSENT. A third keeps what is promised: a node is stopped only while
it is seen, and seen without a lease that may not be broken. UNKNOWN is never read as ABSENT, nor as empty.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from autopilot.model.device import Venue
from autopilot.model.node import Observation, Phase
from autopilot.model.switch import Limits, State, Switch


class Verb(StrEnum):
    """What can be asked of a node."""

    START = "start"
    DRAIN = "drain"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Command:
    """One verb for one end of the switch."""

    verb: Verb
    venue: Venue


@dataclass(frozen=True, slots=True)
class Step:
    """The switch as it now stands, what to tell which node, and why."""

    switch: Switch
    command: Command | None
    why: str


@dataclass(frozen=True, slots=True)
class Sight:
    """What the machine is shown: both ends, and whether the move is still wanted."""

    source: Observation
    target: Observation
    gain_is_gone: str = ""
    """Why the move no longer pays, in words; empty while it does. It counts only while draining: later is too late."""


def advance(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    """The next step. A switch that is over stays as it is."""
    rule = _RULES.get(switch.state)
    return rule(switch, sight, now, limits) if rule else Step(switch, None, "over")


def promised(seen: Observation) -> bool:
    """Whether work runs that may not be broken."""
    return any(not lease.breakable for lease in seen.leases)


def resume(switch: Switch, now: datetime) -> Switch:
    """The same switch after an outage: the time that we were away counts against no limit."""
    return switch if switch.state.over else replace(switch, since=now)


def _draining(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    source = sight.source
    late = now - switch.since >= limits.drain
    if source.phase is Phase.ABSENT:
        return _enter(switch, State.STARTING, now, f"{switch.source} is gone already")
    if sight.gain_is_gone:
        return _enter(switch, State.REVERTING, now, sight.gain_is_gone)
    if source.phase is Phase.UNKNOWN:
        if late:
            return _enter(switch, State.REVERTING, now, f"{switch.source} could not be seen for {limits.drain}")
        return _stay(switch, None, f"{switch.source} cannot be seen: nothing is cut on a guess")
    if source.phase in (Phase.STARTING, Phase.FAULT) and not source.leases:
        return _enter(switch, State.STOPPING, now, f"{switch.source} is {source.phase} and runs no work")
    if source.phase is Phase.DRAINING and not source.leases:
        return _enter(switch, State.STOPPING, now, f"{switch.source} is empty")
    if late:
        return _out_of_patience(switch, source, now, limits)
    command = None if source.phase is Phase.DRAINING else Command(Verb.DRAIN, switch.source)
    return _stay(switch, command, f"{switch.source} drains, {_jobs(source)} to finish")


def _out_of_patience(switch: Switch, source: Observation, now: datetime, limits: Limits) -> Step:
    if not promised(source):
        return _enter(switch, State.STOPPING, now, f"{_jobs(source)} still there after {limits.drain}, and may be broken")
    return _enter(switch, State.REVERTING, now, f"{_jobs(source)} still there after {limits.drain}, and may not be broken")


def _stopping(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    if sight.source.phase is Phase.ABSENT:
        return _enter(switch, State.STARTING, now, f"{switch.source} is gone")
    if promised(sight.source):
        return _enter(switch, State.REVERTING, now, f"{switch.source} has work again that may not be broken")
    if now - switch.since >= limits.stop:
        return _enter(switch, State.STRANDED, now, f"{switch.source} did not go within {limits.stop}: stop it by hand")
    return _stay(switch, _stop(switch.source, sight.source), f"{switch.source} stops")


def _starting(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    source, target = sight.source.phase, sight.target.phase
    late = now - switch.since >= limits.start
    if source is Phase.ABSENT:
        if target.serves:
            return _enter(switch, State.SETTLED, now, f"{switch.target} serves")
        if target is Phase.FAULT:
            return _enter(switch, State.REVERTING, now, f"{switch.target} is broken: {sight.target.note or 'no reason given'}")
        if late:
            return _enter(switch, State.REVERTING, now, f"{switch.target} did not come up within {limits.start}")
        return _stay(switch, Command(Verb.START, switch.target), f"{switch.target} starts")
    if late or (source is not Phase.UNKNOWN and target not in (Phase.ABSENT, Phase.UNKNOWN)):
        return _enter(switch, State.STRANDED, now, f"{switch.source} is {source} again while {switch.target} starts: stop one by hand")
    if promised(sight.source):
        return _enter(switch, State.REVERTING, now, f"{switch.source} has work again that may not be broken")
    return _stay(switch, _stop(switch.source, sight.source), f"{switch.source} is {source}: {switch.target} waits")


def _reverting(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    source, target = sight.source.phase, sight.target.phase
    if target is Phase.ABSENT and source.serves:
        return _enter(switch, State.REVERTED, now, f"{switch.source} serves again")
    if source is Phase.ABSENT and target.serves:
        return _enter(switch, State.SETTLED, now, f"{switch.target} came up after all")
    if now - switch.since >= limits.revert:
        return _enter(switch, State.STRANDED, now, f"neither {switch.source} nor {switch.target} came up within {limits.revert}")
    if target is Phase.ABSENT:
        command = None if source is Phase.UNKNOWN else Command(Verb.START, switch.source)
        return _stay(switch, command, f"{switch.source} comes back")
    return _stay(switch, _stop(switch.target, sight.target), f"{switch.target} is {target}: it must go before {switch.source} comes back")


_RULES = {State.DRAINING: _draining, State.STOPPING: _stopping, State.STARTING: _starting, State.REVERTING: _reverting}


def _enter(switch: Switch, state: State, now: datetime, why: str) -> Step:
    return Step(replace(switch, state=state, since=now), None, why)


def _stay(switch: Switch, command: Command | None, why: str) -> Step:
    return Step(switch, command, why)


def _stop(venue: Venue, seen: Observation) -> Command | None:
    """Nothing is cut on a guess, and nothing that may not be broken."""
    return None if seen.phase is Phase.UNKNOWN or promised(seen) else Command(Verb.STOP, venue)


def _jobs(seen: Observation) -> str:
    return f"{len(seen.leases)} job{'' if len(seen.leases) == 1 else 's'}"
