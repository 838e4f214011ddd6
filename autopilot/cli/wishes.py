"""What a person asks of the daemon: ``pause``, ``hold``, ``pin``, ``move``, ``ban``, ``lend``, and ``resume``, which takes each back.

Each writes a row that the daemon obeys at its next tick, or when it flies again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli.options import ConfigOption, StateOption, span
from autopilot.cli.state import now_of, state_of
from autopilot.dashboard.pulse import pulse
from autopilot.errors import ConfigError, did_you_mean
from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.store.wishes import Want, Wish

if TYPE_CHECKING:
    from autopilot.store.store import Store

ALL = "all"
_ANSWERS = 5000
"""How many of the newest answers name the venues that there are."""

Gpu = Annotated[
    str,
    typer.Argument(metavar="GPU", help="A GPU: its number, its label as `autopilot status` shows it, or the start of its UUID; or all."),
]
Where = Annotated[str, typer.Argument(metavar="VENUE", help="A venue as `autopilot status` names it, or idle.")]
For = Annotated[str | None, typer.Option("--for", help="How long, e.g. 2h. Default: until `autopilot resume`.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (pause, hold, pin, move, ban, lend, resume):
        app.command()(command)


def pause(lasting: For = None, state: StateOption = None, config: ConfigOption = None) -> None:
    """Finish the switches that are under way, then only watch and book: nothing else is started or stopped."""
    with _desk(state, config) as desk:
        desk.ask(Want.PAUSE, "The rig is paused", until=desk.end(lasting))


def hold(gpu: Gpu, lasting: For = None, state: StateOption = None, config: ConfigOption = None) -> None:
    """Leave a GPU where it is, whatever other venues pay. Its owner still goes first."""
    with _desk(state, config) as desk:
        for device in desk.devices(gpu):
            desk.ask(Want.HOLD, f"{desk.label(device)} is held where it is", device, until=desk.end(lasting))


def pin(gpu: Gpu, venue: Where, lasting: For = None, state: StateOption = None, config: ConfigOption = None) -> None:
    """Bring a GPU to a venue and leave it there. Where the venue does not come up, it is tried again every hour."""
    with _desk(state, config) as desk:
        for device in desk.devices(gpu):
            there = desk.free(venue, device)
            desk.ask(Want.PIN, f"{desk.label(device)} is pinned to {there}", device, there, desk.end(lasting))


def move(gpu: Gpu, venue: Where, state: StateOption = None, config: ConfigOption = None) -> None:
    """Bring a GPU to a venue once; from there on the strategy decides again. `autopilot status` says what came of it."""
    with _desk(state, config) as desk:
        for device in desk.devices(gpu):
            there = desk.free(venue, device)
            desk.ask(Want.MOVE, f"{desk.label(device)} is to be moved to {there} once", device, there)


def ban(
    venue: Where,
    lasting: For = None,
    gpu: Annotated[str, typer.Option("--gpu", help="Only for this GPU.")] = ALL,
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Send no GPU to a venue, or to any venue of a network, and take away those that are there. Work that was promised is finished."""
    with _desk(state, config) as desk:
        for there in desk.venues(venue):
            if there == IDLE:
                raise ConfigError("idle cannot be banned: a GPU must be able to be nowhere")
            for device in [None] if gpu == ALL else desk.devices(gpu):
                whom = f" for {desk.label(device)}" if device else ""
                desk.ask(Want.BAN, f"{there} is banned{whom}", device, there, desk.end(lasting))


def lend(
    gpu: Gpu,
    lasting: Annotated[str, typer.Argument(metavar="TIME", help="How long, e.g. 3h.")],
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Let the pilot fly a GPU although it is its owner's time, or his program is on it."""
    with _desk(state, config) as desk:
        for device in desk.devices(gpu):
            desk.ask(Want.LEND, f"{desk.label(device)} is lent", device, until=desk.end(lasting))


def resume(
    what: Annotated[str, typer.Argument(help="A GPU, a venue, a network, or all. Default: the pause alone.")] = "",
    state: StateOption = None,
    config: ConfigOption = None,
) -> None:
    """Take back what was asked: the pause, all that was asked of a GPU, the bans of a venue, or everything."""
    with _desk(state, config) as desk:
        found = desk.asked(what)
        if not found:
            raise ConfigError(f"nothing is asked of {what}" if what else "the rig is not paused; `autopilot status` lists what is asked")
        for wish in found:
            desk.take_back(wish)


@contextmanager
def _desk(state: Path | None, config: Path | None) -> Iterator[_Desk]:
    """Where wishes are written: all that one command asks, or nothing. Raises StoreError, and makes no state file."""
    from autopilot.dashboard.reading import read, read_heartbeat
    from autopilot.store.store import Store

    path = state or state_of(config)
    Store.read_only(path).close()
    with closing(Store.open(path)) as store:
        desk = _Desk(store, now_of(path, read_heartbeat(store)), store.journal.labels())
        yield desk
        with store.atomic():
            for act in desk.acts:
                act()
        typer.echo("\n".join(desk.said))
        typer.echo(pulse(read(store, desk.now))[0], err=True)


@dataclass(frozen=True, slots=True)
class _Desk:
    """What a person may name, and what was asked already."""

    store: Store
    now: datetime
    labels: dict[DeviceId, str]
    acts: list[Callable[[], object]] = field(default_factory=list)
    """What is to be written, all of it or nothing, once all names were understood."""
    said: list[str] = field(default_factory=list)

    def label(self, device: DeviceId | None) -> str:
        """What a person calls it."""
        return self.labels.get(device, device) if device else ""

    def end(self, lasting: str | None) -> datetime | None:
        """When it is over. Raises ConfigError for a time that is none."""
        if lasting is None:
            return None
        time = span("--for", lasting)
        if not timedelta(0) < time <= timedelta(days=366):
            raise ConfigError(f"--for: must be longer than nothing and not longer than a year, is {lasting}")
        return self.now + time

    def devices(self, name: str) -> list[DeviceId]:
        """The GPUs of a name. Raises ConfigError for none, and for several that may be meant."""
        if not self.labels:
            raise ConfigError("no GPU is known: the daemon has not flown by this state file yet; `autopilot run` starts it")
        if name == ALL:
            return list(self.labels)
        exact = [device for device, label in self.labels.items() if name in (label, label.removeprefix("GPU-"), device)]
        found = exact or [device for device in self.labels if device.startswith(name)]
        if not found:
            raise ConfigError(f"no GPU is called {name!r}; {did_you_mean(name, self.labels.values())}")
        if len(found) > 1:
            raise ConfigError(f"{name!r} may be any of {', '.join(map(self.label, found))}: write more of the UUID")
        return found

    def venues(self, name: str) -> list[Venue]:
        """The venue of a name, or all venues of a network. Raises ConfigError where there is none."""
        known = {str(venue): venue for venue in self._known()}
        found = [known[name]] if name in known else [venue for venue in known.values() if venue.network == name]
        if not found:
            raise ConfigError(f"no venue is called {name!r}; {did_you_mean(name, known)}")
        return sorted(found)

    def _known(self) -> set[Venue]:
        last = self.store.rates.last()
        heard = (answer.venue for answer, _ in self.store.rates.numbered(last - _ANSWERS, last))
        return {IDLE, *heard, *(wish.venue for wish in self.store.wishes.standing(self.now) if wish.venue)}

    def free(self, name: str, device: DeviceId) -> Venue:
        """The one venue of a name, where the device may be sent. Raises ConfigError where it is banned."""
        found = self.venues(name)
        if len(found) > 1:
            raise ConfigError(f"{name} has several venues: name one of {', '.join(map(str, found))}")
        for wish in self.store.wishes.standing(self.now):
            if wish.want is Want.BAN and wish.venue == found[0] and wish.device in (None, device):
                raise ConfigError(f"{found[0]} is banned; `autopilot resume {found[0]}` takes that back")
        return found[0]

    def asked(self, what: str) -> list[Wish]:
        """What stands and is meant. Raises ConfigError for a name that is none."""
        standing = self.store.wishes.standing(self.now)
        if not what:
            return [wish for wish in standing if wish.want is Want.PAUSE]
        if what == ALL:
            return standing
        if what in {str(wish.venue) for wish in standing} or what in {wish.venue.network for wish in standing if wish.venue}:
            return [wish for wish in standing if wish.want is Want.BAN and wish.venue and what in (str(wish.venue), wish.venue.network)]
        devices = self.devices(what)
        return [wish for wish in standing if wish.device in devices]

    def ask(
        self, want: Want, words: str, device: DeviceId | None = None, venue: Venue | None = None, until: datetime | None = None
    ) -> None:
        """Make a wish, and say so."""
        wish = Wish(want, self.now, device, venue, until)
        lasts = f" until {until:%Y-%m-%d %H:%M} UTC" if until else ("" if want is Want.MOVE else " until `autopilot resume`")
        self.acts.append(lambda: self.store.wishes.add(wish))
        self.said.append(words + lasts)

    def take_back(self, wish: Wish) -> None:
        """End a wish, and say so."""
        self.acts.append(lambda: self.store.wishes.end(wish.number, self.now, "taken back"))
        self.said.append(f"Taken back: {wish.words(self.label(wish.device))}")
