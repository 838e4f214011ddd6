"""The screen shows what the snapshot says, at any size, and never reads a name as markup."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from autopilot.dashboard.marks import bar, trend
from autopilot.dashboard.panels import Screen
from autopilot.dashboard.snapshot import Control, DeviceNow, Heartbeat, OpenSwitch, Snapshot
from autopilot.dashboard.words import counted, money, percent, plain, span
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.plan import PlanId
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.store.ledger import Totals
from autopilot.units import HOUR, Usd, UsdPerHour

NOW = datetime(2026, 1, 14, 8, 35, tzinfo=UTC)
AKASH, NOSANA = Venue(NetworkId("akash")), Venue(NetworkId("nosana"), "rtx")
MINUTE = timedelta(minutes=1)


def totals(net: str, dark: timedelta = timedelta(0)) -> Totals:
    """Money that was paid, without costs."""
    return Totals(Usd(0), Usd.of(net), Usd(0), Usd(0), dark)


def switch(state: State, minutes: int = 6) -> Switch:
    """GPU-1 goes from akash to nosana, in this state for some minutes."""
    return Switch(SwitchId("p/1"), PlanId("p"), DeviceId("id-1"), AKASH, NOSANA, state, NOW - minutes * MINUTE, NOW - HOUR)


def rates(*written: str | None) -> tuple[UsdPerHour | None, ...]:
    """The last hours of a trend of a day."""
    known = [None if each is None else UsdPerHour.of(each) for each in written]
    return (*[None] * (24 - len(known)), *known)


def snapshot() -> Snapshot:
    """A rig of two: one stays, one is on its way."""
    devices = [Device(DeviceId(f"id-{index}"), model, index=index) for index, model in enumerate(("RTX 4090", "H100"))]
    stays = DeviceNow(
        devices[0], AKASH, NOW - 200 * MINUTE, UsdPerHour.of("0.412"), totals("12.34"),
        "GPU-0: stay at akash (0.412 $/h net); nosana/rtx (0.42) would pay too little: a lead of 0.008 $/h pays 0.09 $ of switch"
        " back in 11.3 h, horizon 48 h",
    )  # fmt: skip
    moving = OpenSwitch(switch(State.STARTING), timedelta(minutes=12))
    goes = DeviceNow(devices[1], AKASH, None, UsdPerHour(0), totals("1111.1"), "GPU-1: akash -> nosana/rtx: nosana/rtx starts", moving)
    beat = Heartbeat(
        NOW, NOW, 1, "payback", live=True, tick=MINUTE, speed=1800.0, by_hand=True, devices=tuple(devices), silent={}, quarantine={}
    )
    market = {
        AKASH: {"H100": rates("2.1", None, "1.9"), "RTX 4090": rates("0.40", "0.41", "0.412")},
        NOSANA: {"H100": rates("2.0", "2.2", "2.4"), "RTX 4090": rates("0.40", "0.42", None)},
    }
    controls = (Control("stayed put", totals("1000")), Control("always the best now", totals("1200.5")))
    ended = (switch(State.REVERTED, 90), switch(State.SETTLED, 20))
    endings = {State.REVERTED: 1, State.SETTLED: 1}
    return Snapshot(NOW, "/tmp/autopilot.db", beat, (stays, goes), market, totals("1123.44", 95 * MINUTE), ended, endings, controls)  # noqa: S108


def drawn(what: Snapshot, width: int, height: int, colour: str | None = None) -> str:
    """The screen as it is printed."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=colour is not None, color_system=colour, _environ={})  # type: ignore[arg-type]
    with console.capture() as capture:
        console.print(Screen(what, "demo, seed 7", "Ctrl-C ends"), end="")
    return capture.get()


SMALL = """\
 ▲ Yield Autopilot                    demo, seed 7   Wed 14 Jan 2026  08:35 UTC
╭─ 2 GPUs, flown by payback ───────────────────────────────────────────────────╮
│ GPU        where                   expected  what the pilot says             │
│ GPU-0      ● akash                0.412 $/h  stay at akash (0.412 $/h net);  │
│ RTX 4090     3 h 20 m               12.34 $  nosana/rtx (0.42) would pay to… │
│                                                                              │
│ GPU-1      ● akash                     dark  starting 6 m of 12 m → ● nosan… │
│ H100         1 h 00 m            1,111.10 $  akash -> nosana/rtx: nosana/rt… │
╰──────────────────────────────────────────────────────────────────────────────╯
╭─ net $ an hour ──────────────────╮╭─ net $ so far ───────────────────────────╮
│              H100     RTX 4090   ││ this autopilot       1,123.44            │
│ ● akash       1.900    0.412     ││ stayed put           1,000.00  +12.3%    │
│ ● nosana/rtx  2.400        –     ││ always the best now  1,200.50  −6.4%     │
│                                  ││ 3 switches, 1 turned back, 1 open        │
│                                  ││ dark for 1 h 35 m                        │
╰──────────────────────────────────╯╰──────────────────────────────────────────╯
╭─ lately ─────────────────────────────────────────────────────────────────────╮
│ Wed 08:15  GPU-1  ● akash  → ● nosana/rtx  settled after 40 m                │
│ Wed 07:05  GPU-1  ● akash  → ● nosana/rtx  reverted after 0 m                │
│                                                                              │
│                                                                              │
│                                                                              │
╰──────────────────────────────────────────────────────────────────────────────╯
 /tmp/autopilot.db                                                  Ctrl-C ends
"""


def test_the_screen_of_a_small_terminal() -> None:
    """Every figure is where a person looks for it."""
    assert SMALL == "\n".join(line.rstrip() for line in drawn(snapshot(), 80, 24).splitlines()) + "\n"


@given(width=st.integers(80, 220), height=st.integers(20, 70), devices=st.integers(1, 30), venues=st.integers(0, 12))
def test_the_screen_fills_the_terminal_and_never_more(width: int, height: int, devices: int, venues: int) -> None:
    """Whatever the rig and the market: exactly so many lines, none too long, and the footer is the last of them."""
    one = snapshot()
    rig = tuple(replace(one.devices[index % 2], device=Device(DeviceId(str(index)), "GPU", index=index)) for index in range(devices))
    market = {Venue(NetworkId(f"network {index}")): {"H100": rates("2.0")} for index in range(venues)}
    lines = drawn(replace(one, devices=rig, market=market), width, height).splitlines()

    assert height == len(lines)
    assert all(width >= cell_len(line) for line in lines)
    assert lines[-1].rstrip().endswith("Ctrl-C ends")


@pytest.mark.parametrize("height", [14, 24, 60])
def test_no_device_is_lost_without_a_word(height: int) -> None:
    """Each is on the screen, or counted among those that are not."""
    one = snapshot()
    rig = tuple(replace(one.devices[0], device=Device(DeviceId(str(index)), "GPU", index=index)) for index in range(20))
    text = drawn(replace(one, devices=rig), 100, height)
    shown = sum(f"GPU-{index} " in text for index in range(20))

    assert shown == 20 or f"… and {20 - shown} more" in text
    assert "20 GPUs" in text


def test_names_are_never_markup() -> None:
    """What looks like a style, a link or an escape is printed as it is, or not at all."""
    odd = Device(DeviceId("id"), "[b]x[/b]", index=0)
    venue = Venue(NetworkId("[bold]n"), "[link=http://x]m\x1b[2J")
    one = snapshot()
    row = replace(one.devices[0], device=odd, venue=venue, sentence="GPU-0: [blink]stay[/] at\n[bold]n")
    text = drawn(replace(one, devices=(row,), market={venue: {"[u]H": rates("1")}}, state="[i]/x.db"), 160, 40, "truecolor")

    for name in ("[b]x[/b]", "[blink]stay[/] at ", "[u]H", "[i]/x.db"):
        assert name in text
    assert "● [bold]n/[lin" in text
    assert "\x1b[2J" not in text


def test_without_colour_nothing_but_text_is_printed() -> None:
    """A terminal that shows no colour still shows every figure."""
    plain_text = drawn(snapshot(), 120, 36)

    assert "\x1b" not in plain_text
    assert all(words in plain_text for words in ("GPU-1", "dark", "starting", "1,123.44", "+12.3%", "−6.4%", "settled", "reverted"))


def test_a_fence_takes_the_place_of_the_sentence() -> None:
    """What a person must act upon is not hidden below anything."""
    one = snapshot()
    fenced = replace(one.devices[0], fence="neither akash nor nosana came up")

    assert "fenced: neither akash nor nosana came up" in drawn(replace(one, devices=(fenced,)), 120, 36)


def test_a_network_that_gave_no_answer_is_called_silent() -> None:
    """No answer is something else than nothing to earn."""
    one = snapshot()
    assert one.heartbeat is not None
    silent = replace(one, heartbeat=replace(one.heartbeat, silent={"nosana": "no answer"}))

    assert "–" in drawn(one, 80, 24)
    assert "silent" not in drawn(one, 80, 24)
    assert "silent" in drawn(silent, 80, 24)


def test_where_there_is_no_room_for_all_venues_ours_and_the_best_are_shown() -> None:
    """The market panel never hides where we are."""
    one = snapshot()
    market = {Venue(NetworkId(f"n{index:02}")): {"H100": rates(str(index))} for index in range(20)}
    text = drawn(replace(one, market={AKASH: {"H100": rates("0.1")}, **market}), 80, 24)

    assert "● akash" in text[text.index("net $ an hour") :]
    assert "n19" in text
    assert "n00" not in text


def test_a_switch_that_takes_twice_as_long_as_expected_is_red() -> None:
    """Until then it is in the colour of its state."""
    one = snapshot()
    late = OpenSwitch(switch(State.STARTING, 25), timedelta(minutes=12))
    red = "\x1b[1;31m━"

    assert red not in drawn(one, 120, 36, "standard")
    assert red in drawn(replace(one, devices=(replace(one.devices[1], switch=late),)), 120, 36, "standard")


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(-3, "0 m"), (0, "0 m"), (59, "59 m"), (60, "1 h 00 m"), (200, "3 h 20 m"), (1439, "23 h 59 m"), (3000, "2 d 2 h")],
)
def test_a_span_has_its_two_largest_units(minutes: int, words: str) -> None:
    """Short enough for a column; a clock that went back is no negative age."""
    assert words == span(minutes * MINUTE)


def test_money_has_its_thousands_and_its_sign() -> None:
    """A minus is as wide as a plus."""
    assert ("1,234.50", "−0.250", "+3.00") == (money(Usd.of("1234.5")), money(Usd.of("-0.25"), 3), money(Usd.of(3), signed=True))


@pytest.mark.parametrize(("number", "words"), [(0, "0 GPUs"), (1, "1 GPU"), (1.04, "1 GPU"), (0.5, "0.5 GPUs"), (2000.0, "2,000 GPUs")])
def test_a_noun_follows_its_number(number: float, words: str) -> None:
    """One is one, and all else is many."""
    assert words == counted(number, "GPU")
    assert words.replace("GPUs", "switches").replace("GPU", "switch") == counted(number, "switch", "switches")


def test_a_share_has_its_sign() -> None:
    """One decimal is as much as a person reads."""
    assert ("+6.9%", "−12.0%", "+0.0%") == (percent(0.0691), percent(-0.12), percent(-0.0001))


@given(st.text())
def test_plain_words_can_steer_no_terminal(words: str) -> None:
    """As many letters as before, all of them printable."""
    assert plain(words).isprintable()
    assert len(words) == len(plain(words))


@given(share=st.floats(-1, 3), width=st.integers(0, 40))
def test_a_bar_is_as_wide_as_asked_for(share: float, width: int) -> None:
    """However far it has come, and full only at the end."""
    drawn_bar = bar(share, width, "cyan").plain

    assert width == len(drawn_bar)
    assert (share >= 1 or width == 0) == (drawn_bar == "━" * width) or share > 1 - 1 / (2 * width)


@given(st.lists(st.none() | st.floats(0, 5), min_size=1, max_size=30))
def test_a_trend_has_a_column_for_each_value(values: list[float | None]) -> None:
    """The highest touches the top, the lowest is the lowest mark, a gap is blank."""
    known = [value for value in values if value is not None]
    low, high = min(known, default=0.0), max(known, default=0.0)
    marks = trend(values, low, high, "").plain

    assert len(values) == len(marks)
    assert [value is None for value in values] == [mark == " " for mark in marks]
    if high > low:
        assert {"█"} == {mark for value, mark in zip(values, marks, strict=True) if value == high}
        assert {"▁"} == {mark for value, mark in zip(values, marks, strict=True) if value == low}


def test_idle_is_a_hollow_mark() -> None:
    """A device that earns nowhere is told at a glance."""
    one = snapshot()

    assert "○ idle" in drawn(replace(one, devices=(replace(one.devices[0], venue=IDLE),)), 80, 24)
