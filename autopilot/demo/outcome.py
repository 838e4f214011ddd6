"""What a flight of the demo came to, for a script and for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from autopilot.dashboard.words import counted, money, percent

CONTROLS = {"stay": "stayed put", "greedy": "always the best now"}
"""The strategies that fly beside, and what a person calls them."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One flight, summed up."""

    seed: int
    days: float
    gpus: tuple[str, ...]
    """The model of each."""
    net_usd: Mapping[str, float]
    """Of the autopilot and of the controls, by name."""
    switches: int
    """All that were opened, those under way included."""
    reverted: int
    stranded: int
    dark_hours: float
    placements: Mapping[str, str]
    """The venue of each device."""
    state: str | None
    """The state file; None where it was not kept."""

    def as_json(self) -> dict[str, Any]:
        """For a script."""
        return asdict(self)

    def as_table(self) -> Table:
        """For a person: the money, and what it is more than the controls'."""
        own = self.net_usd["autopilot"]
        table = Table(title=f"{counted(self.days, 'day')} with {counted(len(self.gpus), 'GPU')}, seed {self.seed}", title_justify="left")
        for name in ("", "net $", "the autopilot has"):
            table.add_column(name, justify="left" if not name else "right")
        table.add_row(Text("this autopilot", "bold"), Text(money(own), "bold"), "")
        for name, words in CONTROLS.items():
            net = self.net_usd[name]
            share = f" ({percent((own - net) / net)})" if net > 0 else ""
            table.add_row(words, money(net), money(own - net, signed=True) + share)
        return table

    def lines(self) -> Iterator[str]:
        """What else there is to say."""
        stranded = f", {self.stranded} stranded" if self.stranded else ""
        yield f"{counted(self.switches, 'switch', 'switches')}, {self.reverted} turned back{stranded}, {self.dark_hours:.1f} h dark"
        if self.state is None:
            yield "The state file is gone; keep the next one with --state demo.db"
        else:
            yield f"The state file is {self.state}; look at it with: autopilot status --state {self.state}"
