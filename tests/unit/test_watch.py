"""The dashboard's keys, pages and alerts: pure, so that a terminal is needed for nothing but the last test of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from rich.console import Console
from rich.text import Text

from autopilot.dashboard.app import Page, Stand, alerts, frame, press
from autopilot.dashboard.keys import Key, read_keys
from autopilot.dashboard.snapshot import DeviceNow, Heartbeat, Snapshot
from autopilot.model.device import IDLE, Device, DeviceId
from autopilot.store.ledger import NOTHING
from autopilot.testing.views import START

MINUTE = timedelta(minutes=1)
DEVICES = tuple(DeviceNow(Device(DeviceId(f"id-{n}"), "H100", index=n), IDLE, None, None, NOTHING, "") for n in range(3))
BEAT = Heartbeat(
    START, START, 2**22 + 1, "forecast", live=True, tick=MINUTE / 4, speed=1.0, by_hand=False,
    devices=(), silent={"akash": "no answer"}, quarantine={},
)  # fmt: skip
RIG = Snapshot(START, "autopilot.db", BEAT, DEVICES, {}, NOTHING, (), {})


@pytest.mark.parametrize(
    ("told", "keys"),
    [
        (b"jj\x1b[A\r", [Key.DOWN, Key.DOWN, Key.UP, Key.ENTER]),
        (b"\x1b", [Key.BACK]),
        (b"\x1bOB q", [Key.DOWN, Key.PAUSE, Key.QUIT]),
        (b"\x1b[1;2A\x1b[5~x", []),
    ],
)
def test_keys_that_come_together_are_taken_one_by_one(told: bytes, keys: list[Key]) -> None:
    """An arrow is one key, not an escape and two letters; what means nothing does nothing."""
    assert keys == read_keys(told)


def test_the_keys_lead_to_a_device_and_back() -> None:
    """Down never leaves the rig, Enter opens the reasons and Esc closes them."""
    stand: Stand | None = Stand()
    for key in (Key.UP, *[Key.DOWN] * 5, Key.ENTER):
        assert stand is not None
        stand = press(stand, key, len(DEVICES))

    assert Stand(Page.WHY, 2) == stand
    assert stand is not None
    assert Stand(Page.RIG, 2) == press(stand, Key.BACK, len(DEVICES))
    assert press(stand, Key.QUIT, len(DEVICES)) is None


def test_the_picture_can_be_held_and_let_go() -> None:
    """And it says that it is held."""
    held = press(Stand(), Key.PAUSE, 3)

    assert held == Stand(still=True)
    assert press(held, Key.PAUSE, 3) == Stand()
    assert "held still" in drawn(held)
    assert "held still" not in drawn(Stand())


def drawn(stand: Stand, rig: Snapshot = RIG) -> str:
    """The frame as text."""
    console = Console(width=160, height=30, _environ={})
    with console.capture() as capture:
        console.print(frame(rig, stand, lambda _, each: Text(f"why of {each.device.label}")), end="")
    return capture.get()


def test_the_page_of_reasons_is_of_the_chosen_device() -> None:
    """One that is gone since is not asked for."""
    assert "why of GPU-1" in drawn(Stand(Page.WHY, 1))
    assert "why of GPU-2" in drawn(Stand(Page.WHY, 9))


def test_what_is_wrong_is_said_before_all_else() -> None:
    """A daemon that is gone, a fenced GPU, a silent network, a state file that cannot be read."""
    fenced = replace(DEVICES[0], fence="stop one by hand")
    said = alerts(replace(RIG, at=START + 5 * MINUTE, devices=(fenced,)), "autopilot.db: database is locked")

    assert "autopilot.db: database is locked" == said[0]
    assert said[1].startswith("the daemon was last seen 5 m ago: not running?")
    assert ["GPU-0 is fenced: stop one by hand", "akash gave no answer to the last poll: no answer"] == said[2:]
    assert "! autopilot.db: database is locked" not in drawn(Stand())


def test_the_chosen_device_is_always_on_the_screen() -> None:
    """However many there are, and however low the terminal is."""
    many = tuple(replace(DEVICES[0], device=Device(DeviceId(str(n)), "H100", index=n)) for n in range(64))
    text = drawn(Stand(chosen=63), replace(RIG, devices=many))

    assert "GPU-63" in text
    assert "GPU-0 " not in text
