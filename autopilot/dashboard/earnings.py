"""What the rig has earned, beside what it would have without us."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autopilot.dashboard.marks import BAD, GOOD, QUIET, framed
from autopilot.dashboard.periods import Period
from autopilot.dashboard.snapshot import Snapshot
from autopilot.dashboard.words import counted, money, percent, plain, span
from autopilot.model.switch import State
from autopilot.units import Usd

_BOTH = 46
"""The width from where a lead is shown both in dollars and as a share, and power has a column."""
_WIDE = 52
"""The width from where what was paid has one."""


def earnings(snapshot: Snapshot, rows: int, width: int) -> Panel:
    """The last days, where they are known; else all that was booked, beside what the controls have."""
    if snapshot.periods:
        return framed(Group(_days(snapshot.periods, width), _facts(snapshot)), "net $, by our estimate", rows=rows)
    body = Group(_controls(snapshot, width), _facts(snapshot), Text(f"dark for {span(snapshot.totals.dark)}", QUIET))
    return framed(body, "net $ so far", rows=rows)


def _days(periods: Sequence[Period], width: int) -> Table:
    """A line each: what is left, what was told to be paid, the power, the dark time, and the lead over never moving."""
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), pad_edge=False, header_style=QUIET)
    wide, wider = width >= _BOTH, width >= _WIDE
    for name in ("", "net", *(["paid"] if wider else []), *(["power"] if wide else []), "dark", "vs staying"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for each in periods:
        paid = ["–" if each.paid is None else money(each.paid)] if wider else []
        power = [money(each.power)] if wide else []
        table.add_row(each.name, Text(money(each.net), "bold"), *paid, *power, span(each.dark), _lead(each.net, each.stayed))
    return table


def _lead(own: Usd, other: Usd | None) -> Text:
    if other is None:
        return Text("–", QUIET)
    lead = own - other
    return Text(money(lead, signed=True), BAD if lead.count < 0 else GOOD)


def _controls(snapshot: Snapshot, width: int) -> Table:
    own = snapshot.totals
    table = Table(box=None, expand=True, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True, ratio=1)
    table.add_row(Text("this autopilot", "bold"), Text(money(own.net), "bold"), "")
    for control in snapshot.controls:
        lead = own.net - control.totals.net
        share = percent(float(lead) / float(control.totals.net)) if control.totals.net.count > 0 else ""
        words = f"{money(lead, signed=True)} {share}" if width >= _BOTH else share
        table.add_row(Text(plain(control.name)), money(control.totals.net), Text(words, BAD if lead.count < 0 else GOOD))
    return table


def _facts(snapshot: Snapshot) -> Text:
    under_way = sum(each.switch is not None for each in snapshot.devices)
    back, over = snapshot.endings.get(State.REVERTED, 0), sum(snapshot.endings.values())
    return Text(f"{counted(over + under_way, 'switch', 'switches')}, {back} turned back, {under_way} open", QUIET)
