"""Golden frames: what a snapshot looks like, cell by cell, at three sizes.

``AUTOPILOT_TEST_RENEW=1 python -m pytest tests/unit/test_frames.py`` draws them anew, to be looked at.
"""

from __future__ import annotations

import io
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.color_triplet import ColorTriplet
from rich.console import Console, Group, RenderableType

from autopilot.cli.reasons import Told, page
from autopilot.dashboard.app import Page, Stand, frame
from autopilot.dashboard.periods import Period
from autopilot.dashboard.reasons import Candidate, Reasons
from autopilot.dashboard.snapshot import DeviceNow, Gauge, Heartbeat, Offer, OpenSwitch, Snapshot, Trend
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.plan import EntryCost, ExitCost, PlanId, SwitchCost
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.store.ledger import NOTHING
from autopilot.units import HOUR, Share, Usd, UsdPerHour, Watts

GOLDEN = Path(__file__).parent.parent / "data/frames"
NOW = datetime(2026, 1, 14, 3, 35, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AKASH, BITTENSOR, RENDER = (Venue(NetworkId(name)) for name in ("akash", "bittensor", "render"))
NOSANA = Venue(NetworkId("nosana"), "rtx-4090")
SIZES = ((80, 24), (120, 36), (200, 60))


def device(number: int, model: str = "RTX 4090") -> Device:
    """One of the rig."""
    return Device(DeviceId(f"GPU-{number:08x}"), model, index=number)


def moving(state: State, minutes: int, expected: int | None) -> OpenSwitch:
    """From akash to nosana, in this state for some minutes, of so many that are expected."""
    switch = Switch(SwitchId("p/1"), PlanId("p"), DeviceId("x"), AKASH, NOSANA, state, NOW - minutes * MINUTE, NOW - 20 * MINUTE)
    return OpenSwitch(switch, None if expected is None else expected * MINUTE)


def now(number: int, venue: Venue, hours: int, rate: str | None, lately: str | None, said: str, model: str = "RTX 4090") -> DeviceNow:
    """A device that came there some hours ago."""
    gauge = Gauge(Watts.of(308 + number), 60 + number)
    words, since = f"GPU-{number}: {said}", NOW - hours * HOUR
    rates = [None if each is None else UsdPerHour.of(each) for each in (rate, lately)]
    return DeviceNow(device(number, model), venue, since, rates[0], NOTHING, words, lately=rates[1], gauge=gauge)


def rig() -> Snapshot:
    """Six GPUs in every state that there is, five venues, a month of days, and things that are wrong."""
    stay = "stay at nosana/rtx-4090 (0.412 $/h net); akash (0.4207) would pay too little: a lead of 0.0087 $/h pays 0.09 $ of switch back"
    devices = (
        now(0, NOSANA, 3, "0.412", "0.389", f"{stay} in 11.3 h, horizon 48 h"),
        replace(now(1, AKASH, 51, "0.398", "0.402", "akash -> nosana/rtx-4090"), switch=moving(State.DRAINING, 6, 20)),
        replace(now(2, AKASH, 50, "0", "0.377", "akash -> nosana/rtx-4090"), switch=moving(State.STARTING, 19, 8)),
        replace(now(3, IDLE, 2, "0", None, "nobody knows what holds it"), fence="neither akash nor nosana came up; stop one by hand"),
        replace(now(4, RENDER, 200, None, "2.114", "stay at render: its rate is not known", "H100"), gauge=Gauge(None, None)),
        replace(
            now(5, IDLE, 1, "0", "-0.004", "idle: nothing pays for its power", "H100"),
            gauge=Gauge(None, None, ailment="it fell off the bus"),
        ),
    )
    wave = tuple(UsdPerHour.of(f"0.{300 + 9 * (hour * 7 % 13)}") for hour in range(24))
    trends: dict[Venue, dict[str, Trend]] = {
        AKASH: {"RTX 4090": wave, "H100": tuple(each.scaled(Share.of("0.5")) + UsdPerHour.of(2) for each in wave)},
        BITTENSOR: {"RTX 4090": (*[None] * 10, *wave[:14]), "H100": (*[None] * 23, UsdPerHour.of("1.9"))},
        NOSANA: {"RTX 4090": wave[::-1]},
        RENDER: {"RTX 4090": (*wave[1:], None), "H100": (*[UsdPerHour.of("2.2")] * 23, None)},
    }
    offers = {
        (AKASH, "RTX 4090"): Offer(Share.of("0.62"), Share.of("0.55"), 4 * MINUTE),
        (AKASH, "H100"): Offer(Share.of("0.71"), Share.of("0.8"), 5 * MINUTE),
        (NOSANA, "RTX 4090"): Offer(None, None, 65 * MINUTE),
    }
    silent = {"render": "502 Bad Gateway"}
    beat = Heartbeat(
        NOW - 40 * timedelta(seconds=1), NOW - 200 * HOUR, os.getpid(), "forecast", live=True, tick=MINUTE / 4, speed=1.0, by_hand=False,
        devices=tuple(each.device for each in devices), silent=silent, quarantine={},
    )  # fmt: skip
    days = [
        ("today", "3.21", None, "0.91", 35, "2.9"),
        ("7 days", "81.5", "64.2", "19.9", 260, "77.03"),
        ("30 days", "341.07", "310.9", "82", 1440, "352"),
    ]
    ended = [replace(moving(state, 60 * number, None).switch, device=devices[number].device.id) for number, state in enumerate(
        (State.SETTLED, State.REVERTED, State.STRANDED, State.CLEARED)
    )][::-1]  # fmt: skip
    periods = tuple(
        Period(
            name, Usd.of(net) + Usd.of(power), None if paid is None else Usd.of(paid), Usd.of(power), Usd(0), dark * MINUTE, Usd.of(stayed)
        )
        for name, net, paid, power, dark, stayed in days
    )
    endings = {State.SETTLED: 40, State.REVERTED: 2, State.STRANDED: 1, State.CLEARED: 1}
    return Snapshot(NOW, "autopilot.db", beat, devices, trends, NOTHING, tuple(ended), endings, (), periods, offers)


def large() -> Snapshot:
    """64 GPUs at 12 venues."""
    one = rig()
    venues = [Venue(NetworkId(f"network-{number:02}")) for number in range(12)]
    devices = tuple(now(n, venues[n % 12], n, f"0.{300 + n}", "0.31", f"stay at {venues[n % 12]}", "H100") for n in range(64))
    market = {venue: {"H100": (UsdPerHour.of(f"2.{index:02}"),) * 24} for index, venue in enumerate(venues)}
    return replace(one, devices=devices, market=market, offers={}, heartbeat=one.heartbeat and replace(one.heartbeat, silent={}))


def empty() -> Snapshot:
    """Of a state file that nobody flew."""
    periods = tuple(Period(name, Usd(0), None, Usd(0), Usd(0), timedelta(0)) for name in ("today", "7 days", "30 days"))
    return Snapshot(NOW, "autopilot.db", None, (), {}, NOTHING, (), {}, (), periods)


def why(_: Snapshot, each: DeviceNow) -> RenderableType:
    """A decision that a guard held back."""
    cost = SwitchCost(ExitCost(20 * MINUTE), EntryCost(8 * MINUTE, fee=Usd.of("0.02")))
    dollars = [UsdPerHour.of(rate) for rate in ("0.45", "0.44", "0.412", "0.49", "0.47", "0.43")]
    here = Candidate(NOSANA, dollars[0], None, dollars[1], dollars[2], "paid for every hour", None, None, None)
    there = Candidate(
        AKASH, dollars[3], Share.of("0.62"), dollars[4], dollars[5], "7 hires in 9.1 expected", cost, Usd.of("0.09"), 5 * HOUR
    )
    nothing = Candidate(RENDER, None, None, None, None, "offers nothing: no frames", cost, None, None)
    said, veto = f"{each.device.label}: to akash, 0.018 $/h more", "it moved 40 m ago; it stays for 1 h"
    reasons = Reasons(NOW - MINUTE, each.device, NOSANA, NOW - 3 * HOUR, "payback", None, said, AKASH, veto, False, (here, there, nothing))  # noqa: FBT003
    return Group(*page(Told(reasons, {})))


def console(width: int, height: int, file: io.StringIO, colour: str | None = None) -> Console:
    """A terminal that takes nothing from the one that the tests run in."""
    return Console(file=file, width=width, height=height, force_terminal=colour is not None, color_system=colour, _environ={})  # type: ignore[arg-type]


FRAMES = [
    *((f"rig-{width}x{height}", rig(), Stand(chosen=1), width, height) for width, height in SIZES),
    *((f"large-{width}x{height}", large(), Stand(chosen=40), width, height) for width, height in SIZES),
    *((f"why-{width}x{height}", rig(), Stand(Page.WHY), width, height) for width, height in SIZES),
    ("held-120x36", rig(), Stand(chosen=None, still=True), 120, 36),
    ("help-80x24", rig(), Stand(Page.HELP), 80, 24),
    ("empty-80x24", empty(), Stand(), 80, 24),
]


@pytest.mark.parametrize(("name", "snapshot", "stand", "width", "height"), FRAMES, ids=[name for name, *_ in FRAMES])
def test_a_frame_is_as_it_was_looked_at(name: str, snapshot: Snapshot, stand: Stand, width: int, height: int) -> None:
    """Every panel, with all that it can show, in cells that a person has seen."""
    out = io.StringIO()
    console(width, height, out).print(frame(snapshot, stand, why), end="")
    drawn, golden = "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines()), GOLDEN / f"{name}.txt"
    if os.environ.get("AUTOPILOT_TEST_RENEW"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(drawn, encoding="utf-8")

    assert golden.read_text(encoding="utf-8") == drawn


def test_every_colour_can_be_read_on_black_and_on_white() -> None:
    """Three to one at least, as WCAG 2 asks of large text and of marks (w3.org/TR/WCAG22/#contrast-minimum)."""
    screen = console(120, 36, io.StringIO(), "truecolor")
    styles = [segment.style for segment in screen.render(frame(rig(), Stand(), why)) if segment.style]
    colours = {each.color.get_truecolor() for each in styles if each.color and not each.color.is_default}

    assert len(colours) > 5
    assert not [colour for colour in colours if not 0.1 <= luminance(colour) <= 0.3]
    assert all(each.bgcolor is None for each in styles)


def luminance(colour: ColorTriplet) -> float:
    """Relative, from 0 to 1: 0.1 is 3:1 with black, 0.3 is 3:1 with white."""
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
