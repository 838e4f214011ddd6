"""Keeping what switches took, by venue and model of GPU: from the journal at the start, then as they end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

from autopilot.model.device import DeviceId, Venue
from autopilot.model.history import Key
from autopilot.model.switch import Event, State, Switch, SwitchId
from autopilot.pilot.world import World
from autopilot.switch_times import Sample, passage


class Timing:
    """What is known of every end."""

    def __init__(self, world: World) -> None:
        self._journal = world.store.journal
        self._experience = world.store.experience
        self._models = {device.id: device.model for device in world.devices}
        self.excesses: defaultdict[Key, Sample] = defaultdict(Sample)
        """Of drains beyond the adapter's word, by source."""
        self.waits: defaultdict[Key, Sample] = defaultdict(Sample)
        """By source."""
        self.boots: defaultdict[Key, Sample] = defaultdict(Sample)
        """By target."""
        self.ramps: defaultdict[Key, Sample] = defaultdict(Sample)
        """From serving to the first work, by target. Only where a network says that there is a ramp: elsewhere to wait for work is a
        matter of being hired, which is learned as such."""
        self._arrived: dict[DeviceId, tuple[Venue, datetime]] = {}
        over = [switch for switch in self._journal.switches() if switch.state.over]
        events = self._by_switch()
        for switch in sorted(over, key=lambda each: (each.since, each.id)):
            self._take(switch, events[switch.id])

    def learn(self, switch: Switch) -> None:
        """Take in a switch that is over."""
        self._take(switch, self._journal.events_of(switch.id))

    def _by_switch(self) -> Mapping[SwitchId, Sequence[Event]]:
        events: defaultdict[SwitchId, list[Event]] = defaultdict(list)
        for event in self._journal.events():
            events[event.switch].append(event)
        return events

    def _take(self, switch: Switch, events: Sequence[Event]) -> None:
        model = self._models.get(switch.device)
        if model is None:
            return
        took = passage(switch, events)
        source, target = (switch.source, model), (switch.target, model)
        for span, sample in ((took.excess, self.excesses[source]), (took.wait, self.waits[source]), (took.boot, self.boots[target])):
            if span is not None:
                sample.note(span)
        self._take_ramp(switch, model)

    def _take_ramp(self, switch: Switch, model: str) -> None:
        """Of the stay that this switch ended: whoever leaves knows when work first came."""
        if switch.state is State.REVERTED:
            return
        venue, since = self._arrived.pop(switch.device, (None, switch.opened_at))
        first = self._experience.first_hire(switch.device, switch.source, since) if venue == switch.source else None
        if first is not None and first <= switch.opened_at:
            self.ramps[switch.source, model].note(first - since)
        if switch.state is State.SETTLED:
            self._arrived[switch.device] = switch.target, switch.since
