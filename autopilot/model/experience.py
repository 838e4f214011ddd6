"""What the rig has seen of being hired, and how steady the networks' own figures about it are (docs/market.md §4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from autopilot.model.device import Device, DeviceId, Venue


@dataclass(frozen=True, slots=True)
class Tally:
    """A device's own evidence at a venue, decayed to the instant of the view. Counts and hours; decay makes them fractions."""

    model: str
    """Of the device: its evidence counts for others of this model."""
    hires: float = 0.0
    """How often it was seen to be hired."""
    expected: float = 0.0
    """How often a typical rig would have been hired in the same waits, the present one included."""
    jobs: float = 0.0
    """How many jobs were seen from their beginning to their end."""
    hours: float = 0.0
    """The sum of those jobs' lengths, each capped."""


@dataclass(frozen=True, slots=True)
class Hire:
    """A lease that the rig has, or had, as it was seen."""

    device: DeviceId
    venue: Venue
    lease: str
    since: datetime | None
    """When it began; None where it ran already when we first looked, so that nobody knows what was waited for it."""


class Odds(NamedTuple):
    """What is known of being hired at a venue with a GPU model: logarithms of hired against free time.

    A typical rig's odds are ``mean + moved``; what is published is that and ``noise``; this rig's are that and ``bias``. The three
    are guesses, with their variances and covariances.
    """

    mean: float
    """The slow mean that the published figures come back to."""
    spread: float
    """Their variance around it, of what really moves and of what is noise."""
    moved: float
    """How far the market stands from that mean."""
    noise: float
    """How far the newest figure is off."""
    bias: float
    """How much oftener than a typical rig this one is hired."""
    moved_variance: float
    noise_variance: float
    bias_variance: float
    moved_noise: float
    """The covariance of the two; likewise the next."""
    moved_bias: float
    noise_bias: float
    hires: float = 0.0
    """How often the rig was seen to be hired since the newest figure."""
    waited: float = 0.0
    """How long its GPUs waited since then, together, in lengths of a job."""


class Realised(NamedTuple):
    """What a venue paid of what it had quoted to GPUs of a model, for the same hours."""

    ratio: float
    """USD paid for each USD quoted."""
    error: float
    """Its standard error."""
    hours: float
    """Of how many hours of service both are known, by their weight as evidence."""


@dataclass(frozen=True, slots=True)
class Experience:
    """All that a view knows of it. Without any, the public figures are believed."""

    tallies: Mapping[tuple[Venue, DeviceId], Tally] = field(default_factory=dict)
    odds: Mapping[tuple[Venue, str], Odds] = field(default_factory=dict)
    """By venue and device model."""
    realised: Mapping[tuple[Venue, str], Realised] = field(default_factory=dict)
    """Likewise. Where it is missing, nobody knows what is paid of the quotes."""

    def own(self, venue: Venue, device: Device) -> Tally:
        """What the device itself has seen there; nothing at first."""
        return self.tallies.get((venue, device.id)) or Tally(device.model)

    def kin(self, venue: Venue, device: Device) -> Tally:
        """What the other devices of its model on this rig have seen there, together."""
        others = [
            tally for (place, owner), tally in self.tallies.items() if place == venue and owner != device.id and tally.model == device.model
        ]
        return Tally(
            device.model,
            math.fsum(each.hires for each in others),
            math.fsum(each.expected for each in others),
            math.fsum(each.jobs for each in others),
            math.fsum(each.hours for each in others),
        )
