"""Which networks a rig could join, what they would pay it, and why not; and the configuration that comes of it."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from textwrap import wrap
from typing import TYPE_CHECKING

from autopilot.contracts import Conditions
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.market import Quote

if TYPE_CHECKING:
    from autopilot.daemon.survey import Survey

_NETWORKS = "# One table for each network."
_HOURS = 24
_WIDTH = 132
"""Of a line in the file."""
_REASON = 100
"""Letters of what a network said that are worth reading here."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One network for one model of GPU."""

    network: str
    model: str
    usd_a_day: Decimal | None
    """Expected, after power, of one GPU; None where it is not known."""
    refusal: str = ""
    """Why this GPU earns nothing there, with what kind of reason it is; empty where it may."""
    remark: str = ""
    """Why the pay is not known, or what no machine can look up."""


def this_system() -> str:
    """What a network's program would run on here: ``Linux``, ``WSL`` or ``Windows``."""
    return "WSL" if "microsoft" in platform.release().lower() else platform.system()


def propose(
    found: Survey, devices: Sequence[Device], conditions: Mapping[str, Conditions], lacks: Callable[[Device, Conditions], str]
) -> list[Proposal]:
    """Each network for each model: what pays best first, then what is not known, then what is refused."""
    models = {device.model: device for device in devices}
    proposals = [_proposal(found, device, name, told, lacks) for device in models.values() for name, told in conditions.items()]
    return sorted(
        proposals, key=lambda each: (bool(each.refusal), each.usd_a_day is None, -(each.usd_a_day or 0), each.network, each.model)
    )


def _proposal(found: Survey, device: Device, name: str, told: Conditions, lacks: Callable[[Device, Conditions], str]) -> Proposal:
    if missing := lacks(device, told):
        return Proposal(name, device.model, None, f"refused: {missing}")
    own = [offer for offer in found.offers if offer.answer.venue.network == name and offer.device.model == device.model]
    best = max((float(offer.net) for offer in own if offer.net is not None), default=None)
    if best is not None:
        return Proposal(name, device.model, Decimal(f"{best * _HOURS:.2f}"), remark=told.besides)
    reasons = dict.fromkeys(offer.answer.reason for offer in own if not isinstance(offer.answer, Quote))
    if reasons:
        return Proposal(name, device.model, None, f"no quote: {'; '.join(reasons)}")
    why = found.silent.get(Venue(NetworkId(name)), "it says nothing about this GPU").partition("; ")[0][:_REASON]
    return Proposal(name, device.model, None, remark="; ".join(filter(None, (f"no answer: {why}", told.besides))))


def willing(proposals: Iterable[Proposal]) -> list[str]:
    """The networks that some GPU may earn at, or of which that is not known; in the order of the proposals."""
    return list(dict.fromkeys(each.network for each in proposals if not each.refusal))


def text(*, rig: Sequence[Device], price: str | None, networks: Sequence[str], proposals: Sequence[Proposal]) -> str:
    """A commented configuration: for the GPUs of a host, or simulated ones where there are none."""
    whole = files("autopilot").joinpath("autopilot.toml").read_text(encoding="utf-8")
    if price is not None:
        whole = _line(whole, "price", f'price = "{price}"', "what you pay for power")
    if not rig:
        return whole
    if price is None:
        whole = _line(whole, "price", 'price = "0.12 $/kWh"', "nobody was asked: write what you pay")
    draw = max(device.power_limit.count for device in rig) // 1000
    if draw:
        whole = _line(whole, "lit", f'lit = "{draw} W"', "the GPU's own limit, until it is measured at work")
    whole = re.sub(r"^simulated = ", "# simulated = ", whole, count=1, flags=re.MULTILINE)
    whole = whole.replace("[rig]\n", f"[rig]                             # {_named(rig)}\n", 1)
    return whole.partition(_NETWORKS)[0] + "\n".join(_tables(networks, proposals)) + "\n"


def _line(whole: str, key: str, written: str, comment: str) -> str:
    """The first line of a key, written anew."""
    return re.sub(rf"^{key} = .*$", lambda _: f"{written:<34}# {comment}", whole, count=1, flags=re.MULTILINE)


def _named(rig: Sequence[Device]) -> str:
    return ", ".join(f"{device.label} {device.model}" for device in rig)


def _tables(networks: Sequence[str], proposals: Sequence[Proposal]) -> Iterable[str]:
    """A table for each network, its reasons above it; those that were not chosen as comments."""
    yield f"{_NETWORKS} `adapter` names the plugin; without it, the network's own name does."
    yield "# So far only their rates are asked for: to start and stop a node here, give its table a `node` (adapters/README.md)."
    others = [name for name in dict.fromkeys(each.network for each in proposals) if name not in networks]
    for name in (*networks, *others):
        yield ""
        for each in (each for each in proposals if each.network == name):
            yield from wrap(f"{each.model}: {words(each)}", _WIDTH, initial_indent="# ", subsequent_indent="#   ")
        yield f"[networks.{name}]" if name in networks else f"# [networks.{name}]"


def words(proposal: Proposal) -> str:
    """What a network would pay, or why not, on one line of plain text."""
    if proposal.refusal:
        said = proposal.refusal
    else:
        pay = "not known what it pays" if proposal.usd_a_day is None else f"{proposal.usd_a_day} $ a day, after power"
        said = f"{pay}; {proposal.remark}" if proposal.remark else pay
    return "".join(letter if letter.isprintable() else " " for letter in said)
