"""What nodes did, by what they wrote themselves: it shares nothing with the package.

A line is the time since boot, network, GPU, when that life of the node began, and a word. What was done to the nodes stands between:
``removed`` names a network and a GPU, ``died`` and ``back`` are the engine's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Line:
    """One word of one node, or one thing that was done to it."""

    at: float
    network: str
    gpu: str
    born: str
    word: str


@dataclass(slots=True)
class Life:
    """A node from its first word to its last."""

    network: str
    gpu: str
    lines: list[Line] = field(default_factory=list)

    @property
    def works(self) -> Line | None:
        """The job that it began and did not end."""
        last = next((line for line in reversed(self.lines) if line.word in ("job", "done")), None)
        return last if last and last.word == "job" else None

    @property
    def jobs(self) -> int:
        """How many jobs it has done."""
        return sum(line.word == "done" for line in self.lines)

    def says(self, word: str) -> Line | None:
        """When it said this first."""
        return next((line for line in self.lines if line.word == word), None)


def read(text: str) -> list[Line]:
    """The log, as it was written."""
    rows = (row.split() for row in text.splitlines())
    return [Line(float(at), network, gpu, born, word) for at, network, gpu, born, word in rows]


def lives(lines: Sequence[Line], gpu: str) -> list[Life]:
    """All that a GPU's nodes did, in the order in which they came up."""
    found: dict[tuple[str, str], Life] = {}
    for line in lines:
        if line.gpu == gpu and line.born != "-":
            found.setdefault((line.network, line.born), Life(line.network, gpu)).lines.append(line)
    return list(found.values())


def shared(lines: Sequence[Line], gpu: str) -> Iterator[str]:
    """Every moment with two nodes on the GPU: one found its lock held, or came up before another said its last word."""
    served = lives(lines, gpu)
    for life in served:
        if held := life.says("two"):
            yield f"{held.at}: {life.network} came up on {gpu}, whose lock was held"
    for one, other in pairwise(served):
        if one.lines[-1].at > other.lines[0].at:
            yield f"{one.network} worked on {gpu} until {one.lines[-1].at}, {other.network} from {other.lines[0].at}"


def cut(lines: Sequence[Line], gpu: str) -> tuple[Counter[str], list[str]]:
    """The jobs of a GPU that were cut by what nobody can drain, by cause; and those that a drain would have saved."""
    causes: Counter[str] = Counter()
    complaints = []
    served = lives(lines, gpu)
    for life, heir in zip(served, [*served[1:], None], strict=True):
        if not life.works or (heir is None and not life.says("cut")):  # nobody cut it, or it works still
            continue
        if cause := _cause(lines, life, heir):
            causes[cause] += 1
        else:
            complaints.append(f"{life.network} lost the job on {gpu} that began at {life.works.at}")
    return causes, complaints


def cut_of_all(lines: Sequence[Line], gpus: Sequence[str]) -> tuple[Counter[str], list[str]]:
    """The same of several GPUs together."""
    each = [cut(lines, gpu) for gpu in gpus]
    return sum((causes for causes, _ in each), Counter()), [complaint for _, complaints in each for complaint in complaints]


def _cause(lines: Sequence[Line], life: Life, heir: Life | None) -> str:
    """What cut the job of a life, other than an order to go; empty where nothing else did.

    Who had the time to say that its job was cut, was cut then; who had not, at some time before the next node came up.
    """
    said = life.says("cut")
    start = said.at if said else life.lines[-1].at
    end = said.at if said else heir.lines[0].at if heir else math.inf
    removed = (line.at for line in lines if (line.word, line.network, line.gpu) == ("removed", life.network, life.gpu))
    if not said and any(life.lines[0].at <= at <= end for at in removed):
        return "removed by hand"
    outages = zip(_times(lines, "died"), _times(lines, "back"), strict=True)
    return "the engine died" if any(died <= end and start <= back for died, back in outages) else ""


def _times(lines: Sequence[Line], word: str) -> list[float]:
    return [line.at for line in lines if line.word == word]


@dataclass(frozen=True, slots=True)
class Told:
    """A switch, as the journal tells it."""

    source: str
    target: str
    state: str
    """Where it ended."""
    entered: frozenset[str]
    """The states that it entered."""


def told_otherwise(switches: Sequence[Told], served: Sequence[Life]) -> str:
    """How the journal of a GPU differs from what its nodes did; empty where it tells of every life, in order, and of none that was not.

    A switch that enters STARTING may bring its target up, and one that enters REVERTING its source; one that settled did bring it up.
    """
    happened = [life.network for life in served]
    reached = {0}
    for number, switch in enumerate(switches):
        before, reached = reached, {after for place in reached for after in _after(switch, happened, place)}
        if not reached:
            return f"switch {number} of {len(switches)}, {switch}, does not go with {happened[min(before) : max(before) + 3]}"
    return "" if len(happened) in reached else f"of {happened[max(reached) :]} the journal knows nothing"


def _after(switch: Told, happened: Sequence[str], place: int) -> Iterator[int]:
    """How many lives there may have been after a switch, where there were so many before it."""
    tried = {switch.target} if "starting" in switch.entered else set()
    tried |= {switch.source} if "reverting" in switch.entered else set()
    arrives = switch.state == "settled" and switch.target != "idle"
    while True:
        if not arrives:
            yield place
        if place == len(happened) or happened[place] not in tried:
            return
        if arrives and happened[place] == switch.target:
            yield place + 1
        place += 1
