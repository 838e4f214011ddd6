"""The switch machine: what to do next about one device on its way from a venue to another.

::

       open
     ────────▶ PREPARING ──refused, gain is gone, prepare limit──▶ REVERTED (nothing was touched)
                  │ ready
                  ▼                source is gone already
     ────────▶ DRAINING ───────────────────────────────────────────▶ STARTING ──target serves──▶ SETTLED
                  │ │ empty, or drain limit and all may be broken      ▲  │ └───called off───┐
                  │ └──────────▶ STOPPING ──source is gone─────────────┘  │ start limit, or   │
                  │                 │ stop limit                          ▼ it is broken      ▼
                  │                 └──────────▶ STRANDED ◀────────── REVERTING ─────────▶ CLEARING ──both gone──▶ CLEARED
                  │                                  revert limit         ▲ │ │  called off, or   │ stop limit
                  │                                                       │ │ │  revert limit     └──────▶ STRANDED
                  │                                                       │ │ └──source serves──▶ REVERTED
                  │                                                       │ └──target serves after all──▶ SETTLED
                  └─ gain is gone, or a lease that may not be broken ─────┘ (such a lease turns STOPPING and STARTING back too,
                                                                              and a source that refuses to stop STOPPING)

A switch is opened in PREPARING where the target can be asked to prepare, else in DRAINING. A revert that fails ends in CLEARING where
nothing serves and everything can be seen, so the device is idle rather than fenced; work that turns up there and may not be broken
is kept, and the switch ends where it runs; so does work of a broken source, where nothing is left of the target.

``advance`` is pure and may be asked again at any time: it keeps nothing, and every command that it gives may be repeated.
Two rules keep a device from ever serving two venues: the target is started only while the source is seen ABSENT, and the
source is started again only while the target is seen ABSENT. A third keeps what is promised: a node is stopped only while
it is seen, and seen without a lease that may not be broken. UNKNOWN is never read as ABSENT, nor as empty. A fourth leaves a GPU
that a stranger's process holds alone: nothing is started on it meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from autopilot.model.device import IDLE, Venue
from autopilot.model.node import PREPARED, Observation, Phase, Readiness, Stage
from autopilot.model.switch import Limits, State, Switch
from autopilot.units import span_text

_NO_TIME = timedelta(0)
_BY_HAND = "by hand, then `autopilot lift` the GPU"


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
    """What the machine is shown: both ends, the GPU between them, and whether the move is still wanted."""

    source: Observation
    target: Observation
    gain_is_gone: str = ""
    """Why the move no longer pays, in words; empty while it does. It counts only while the source is there: later is too late."""
    called_off: str = ""
    """Why the device must serve neither end, in words; empty while it may. It counts only while nothing serves."""
    refusal: str = ""
    """Why the source does not stop, in its own words: somebody else started it. It counts only while stopping."""
    readiness: Readiness = PREPARED
    """What the target says of its preparations. It counts only while preparing."""
    holder: str = ""
    """Whose process is on the GPU, in words; empty where none is, or where nobody can tell."""
    steady: timedelta = _NO_TIME
    """For how long the target has been seen to serve, look by look."""


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


def _preparing(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    stage, note = sight.readiness.stage, sight.readiness.note
    if sight.gain_is_gone:
        return _enter(switch, State.REVERTED, now, sight.gain_is_gone)
    if stage is Stage.READY:
        return _enter(switch, State.DRAINING, now, f"{switch.target} is ready to be started")
    if stage is Stage.REFUSED:
        return _fail(switch, State.REVERTED, now, f"{switch.target} cannot be started: {note or 'no reason given'}")
    if now - switch.since >= limits.prepare:
        return _fail(switch, State.REVERTED, now, f"{switch.target} was not ready within {span_text(limits.prepare)}: {note}")
    return _stay(switch, None, f"{switch.target} is prepared first: {note}")


def _draining(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    source = sight.source
    late = now - switch.since >= limits.drain
    if source.phase is Phase.ABSENT:
        return _enter(switch, State.STARTING, now, f"{switch.source} is gone already")
    if sight.gain_is_gone:
        return _enter(switch, State.REVERTING, now, sight.gain_is_gone)
    if source.phase is Phase.UNKNOWN:
        if late:
            return _enter(switch, State.REVERTING, now, f"{switch.source} could not be seen for {span_text(limits.drain)}")
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
        cut = replace(switch, told=None)
        return _enter(cut, State.STOPPING, now, f"{_jobs(source)} still there after {span_text(limits.drain)}, and may be broken")
    return _enter(switch, State.REVERTING, now, f"{_jobs(source)} still there after {span_text(limits.drain)}, and may not be broken")


def _stopping(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    if sight.source.phase is Phase.ABSENT:
        return _enter(switch, State.STARTING, now, f"{switch.source} is gone")
    if promised(sight.source):
        return _enter(switch, State.REVERTING, now, f"{switch.source} has work again that may not be broken")
    if sight.refusal:
        return _enter(switch, State.REVERTING, now, sight.refusal)
    if now - switch.since >= limits.stop:
        return _enter(switch, State.STRANDED, now, f"{switch.source} did not go within {span_text(limits.stop)}: stop it {_BY_HAND}")
    return _stay(switch, _stop(switch.source, sight.source), f"{switch.source} stops")


def _starting(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    source, target = sight.source.phase, sight.target.phase
    if source is Phase.ABSENT:
        return _coming_up(switch, sight, now, limits)
    late = now - switch.since >= limits.start
    if late or (source is not Phase.UNKNOWN and target not in (Phase.ABSENT, Phase.UNKNOWN)):
        return _enter(switch, State.STRANDED, now, f"{switch.source} is {source} again while {switch.target} starts: stop one {_BY_HAND}")
    if promised(sight.source):
        return _enter(switch, State.REVERTING, now, f"{switch.source} has work again that may not be broken")
    return _stay(switch, _stop(switch.source, sight.source), f"{switch.source} is {source}: {switch.target} waits")


def _coming_up(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    """The source is gone, and the GPU is the target's."""
    target = sight.target.phase
    if target is Phase.BUSY or (target is Phase.READY and sight.steady >= limits.steady):
        return _enter(switch, State.SETTLED, now, f"{switch.target} serves")
    if sight.called_off:
        return _enter(switch, State.CLEARING, now, sight.called_off)
    if target is Phase.FAULT:
        return _fail(switch, State.REVERTING, now, f"{switch.target} is broken: {sight.target.note or 'no reason given'}")
    if now - switch.since >= limits.start + (limits.steady if target.serves else _NO_TIME):
        return _fail(switch, State.REVERTING, now, f"{switch.target} did not come up within {span_text(limits.start)}{_because(sight)}")
    if target.serves:
        return _stay(switch, None, f"{switch.target} serves, and is believed after {span_text(limits.steady)} of it")
    return _start(switch, switch.target, sight.target, sight, f"{switch.target} starts")


def _reverting(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    source, target = sight.source.phase, sight.target.phase
    if target is Phase.ABSENT and source.serves:
        return _enter(switch, State.REVERTED, now, f"{switch.source} serves again")
    if source is Phase.ABSENT and target.serves:
        return _enter(switch, State.SETTLED, now, f"{switch.target} came up after all")
    if sight.called_off and _dark(sight):
        return _enter(switch, State.CLEARING, now, sight.called_off)
    if now - switch.since >= limits.revert:
        why = f"neither {switch.source} nor {switch.target} came up within {span_text(limits.revert)}"
        if _dark(sight):
            return _enter(switch, State.CLEARING, now, f"{why}: the device is left idle")
        if target is Phase.ABSENT and source is Phase.FAULT and promised(sight.source):
            return _enter(switch, State.REVERTED, now, f"{why}: {switch.source} is broken, and has work that may not be broken")
        return _enter(switch, State.STRANDED, now, f"{why}: see what runs on the GPU, and stop all but one {_BY_HAND}")
    if target is Phase.ABSENT and source is Phase.UNKNOWN:
        return _stay(switch, None, f"{switch.source} cannot be seen, and {switch.target} is gone")
    if target is Phase.ABSENT:
        return _start(switch, switch.source, sight.source, sight, f"{switch.source} comes back")
    return _stay(switch, _stop(switch.target, sight.target), f"{switch.target} is {target}: it must go before {switch.source} comes back")


def _clearing(switch: Switch, sight: Sight, now: datetime, limits: Limits) -> Step:
    source, target = sight.source.phase, sight.target.phase
    if source is target is Phase.ABSENT:
        return _enter(switch, State.CLEARED, now, f"neither {switch.source} nor {switch.target} holds the device")
    if promised(sight.source) and target is Phase.ABSENT:
        return _enter(switch, State.REVERTED, now, f"{switch.source} has work that may not be broken")
    if promised(sight.target) and source is Phase.ABSENT:
        return _enter(switch, State.SETTLED, now, f"{switch.target} has work that may not be broken")
    venue, seen = (switch.source, sight.source) if target is Phase.ABSENT else (switch.target, sight.target)
    if now - switch.since >= limits.stop:
        return _enter(switch, State.STRANDED, now, f"{venue} did not go within {span_text(limits.stop)}: stop it {_BY_HAND}")
    return _stay(switch, _stop(venue, seen), f"{venue} is {seen.phase}: it must go")


_RULES = {
    State.PREPARING: _preparing,
    State.DRAINING: _draining,
    State.STOPPING: _stopping,
    State.STARTING: _starting,
    State.REVERTING: _reverting,
    State.CLEARING: _clearing,
}


def _enter(switch: Switch, state: State, now: datetime, why: str) -> Step:
    return Step(replace(switch, state=state, since=now), None, why)


def _fail(switch: Switch, state: State, now: datetime, why: str) -> Step:
    """The target could not be started: a strike against it."""
    return Step(replace(switch, state=state, since=now, failed=True), None, why)


def _stay(switch: Switch, command: Command | None, why: str) -> Step:
    return Step(switch, command, why)


def _start(switch: Switch, venue: Venue, seen: Observation, sight: Sight, why: str) -> Step:
    """Nothing is started beside a stranger's process. Idle takes no GPU; and what is there already may be the process itself."""
    if seen.phase in (Phase.ABSENT, Phase.UNKNOWN) and venue != IDLE and sight.holder:
        return _stay(switch, None, f"{venue} waits: {sight.holder}")
    return _stay(switch, Command(Verb.START, venue), why)


def _dark(sight: Sight) -> bool:
    """Whether both ends are seen, and neither serves or has work that may not be broken."""
    return not any(seen.phase.lit or seen.phase is Phase.UNKNOWN or promised(seen) for seen in (sight.source, sight.target))


def _stop(venue: Venue, seen: Observation) -> Command | None:
    """Nothing is cut on a guess, and nothing that may not be broken."""
    return None if seen.phase is Phase.UNKNOWN or promised(seen) else Command(Verb.STOP, venue)


def _because(sight: Sight) -> str:
    """What kept the target down, where anybody knows."""
    known = sight.holder or sight.target.note
    return f": {known}" if known else ""


def _jobs(seen: Observation) -> str:
    return f"{len(seen.leases)} job{'' if len(seen.leases) == 1 else 's'}"
