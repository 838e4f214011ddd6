"""Whatever happens to an answer of Akash: a sane quote, a reason, or one of our errors; and no figure moves without saying so."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot.errors import Refused, Transient
from autopilot.kit import Kit
from autopilot.kit.http import Http, Reply
from autopilot.kit.reading import Field
from autopilot.kit.tokens import TokenPrice, Tokens
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer, Quote, Working
from autopilot.sim.clock import SimClock
from autopilot.units import Usd, UsdPerHour
from autopilot_adapters.akash.adapter import AkashSettings, akash
from autopilot_adapters.akash.names import wanted
from autopilot_adapters.akash.payouts import DayPayouts
from autopilot_adapters.akash.rates import Heard, Own, Terms, answer
from autopilot_adapters.akash.wire import Console, Earnings, days, earnings, gpu_rows, leases, provider

pytestmark = pytest.mark.long

NOW = datetime(2026, 7, 17, 20, 7, tzinfo=UTC)
VENUE = Venue(NetworkId("akash"))
OURS = "akash18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"
SAID: Mapping[str, Any] = json.loads(Path(__file__).parents[1].joinpath("data/akash/console.json").read_text())
SAID[f"/v1/providers/{OURS}/deployments/0/100"]["deployments"][1]["denom"] = "uakt"
PATHS = {
    "gpu-prices": "/v1/gpu-prices",
    "market-data": "/v1/market-data",
    "providers": f"/v1/providers/{OURS}",
    "deployments": f"/v1/providers/{OURS}/deployments/0/100",
    "provider-earnings": f"/v1/provider-earnings/{OURS}",
    "gpu-breakdown": "/v1/gpu-breakdown",
}
TEXTS = {name: json.dumps(SAID[path]) for name, path in PATHS.items()}
NAMES = ["NVIDIA H100 80GB HBM3", "A100", "NVIDIA H200", "RTX 4090", "RTX 5090", "RTX A6000"]
RIG = [Device(DeviceId(f"gpu-{index}"), name) for index, name in enumerate(NAMES)]
KINDS = frozenset(kind for device in RIG for kind in wanted(device).kinds)
MOST = UsdPerHour.of(100)
GONE = object()
TWICE = object()
RENAMED = object()
SHAPES = [None, True, False, [], {}, [[]], {"price": 1}]
NUMBERS = [0, -1, 1, 2, 0.5, 1e308, -1e308, 10**40, 2**64 - 1]
TEXT_NUMBERS = ["", "NaN", "Infinity", "1e5", "2.5", "\u0662", "\u0662.\u0665"]
WORDS = ["h100", "nvidia", "SXM5", "80Gi", "uakt", "uact", "ufoo", "active", "closed", OURS, "RTX 4090\n"]
JUNK = [*SHAPES, *NUMBERS, *TEXT_NUMBERS, *WORDS]
Steps = tuple[str | int, ...]


def _within(path: str) -> tuple[str, str]:
    """How the paths begin of what a value holds."""
    return f"{path}.", f"{path}["


@dataclass(frozen=True)
class Mutation:
    """One change to one answer."""

    name: str
    steps: Steps
    value: Any

    @property
    def path(self) -> str:
        """As the inputs of a working name it."""
        text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.steps)
        return f"{self.name}:{text.removeprefix('.')}"

    def touches(self, workings: Sequence[Working]) -> bool:
        """Whether the changed value is one of the inputs, holds one, or is within one."""
        path, inner = self.path, _within(self.path) if self.steps else self.path
        used = [each for line in workings for each in line.inputs]
        return any(each == path or each.startswith(inner) or path.startswith(_within(each)) for each in used)

    @property
    def moves(self) -> bool:
        """Whether it takes or adds an item, so that a path speaks of another one than before."""
        return self.value is GONE or self.value is TWICE

    def applied(self) -> dict[str, Any]:
        """All answers, with the change."""
        said = {**SAID, PATHS[self.name]: json.loads(TEXTS[self.name])}
        holder: Any = said
        *steps, last = (PATHS[self.name], *self.steps)
        for step in steps:
            holder = holder[step]
        _change(holder, last, self.value if self.steps or not (self.moves or self.value is RENAMED) else None)
        return said


def _change(holder: Any, last: str | int, value: Any) -> None:
    if value is GONE:
        del holder[last]
    elif value is TWICE and isinstance(holder, list):
        holder.append(copy.deepcopy(holder[last]))
    elif (value is TWICE or value is RENAMED) and isinstance(holder, dict):
        holder[f"{last}_v2"] = holder.pop(last)
    elif callable(value):
        holder[last] = value(holder[last])
    else:
        holder[last] = None if value is RENAMED else copy.deepcopy(value)


def walk(value: Any, steps: Steps = ()) -> Iterator[Steps]:
    """Every place in an answer."""
    yield steps
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, inner in members:
        yield from walk(inner, (*steps, step))


def times(factor: float) -> Callable[[Any], Any]:
    """A number of another size; anything else as it was."""
    return lambda before: before * factor if type(before) in {int, float} else before


def mutations(name: str) -> st.SearchStrategy[Mutation]:
    """One change at one place of one answer."""
    structure = st.sampled_from([GONE, GONE, TWICE, RENAMED])
    sizes = st.one_of(st.sampled_from([0.0, 1e-9, 0.01, 0.5, 1.1, 2.0, 10.0, 1e6, -1.0]), st.floats(0, 100)).map(times)
    strange = st.one_of(st.sampled_from(JUNK), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12))
    return st.builds(Mutation, st.just(name), st.sampled_from(list(walk(SAID[PATHS[name]]))), structure | sizes | strange)


PARSERS: Mapping[str, Callable[[Field], Any]] = {
    "gpu-prices": lambda said: gpu_rows(said, KINDS),
    "market-data": lambda said: said.member("price").number(Decimal("1e-9"), 10**6),
    "providers": provider,
    "deployments": lambda said: leases(said, OURS),
    "provider-earnings": earnings,
    "gpu-breakdown": lambda said: days(said, ("nvidia", "h100")),
}


def parsed(name: str, said: Mapping[str, Any]) -> Any:
    """What a parser makes of an answer. Raises Transient."""
    return PARSERS[name](Field("akash", f"{name}:", said[PATHS[name]]))


def answers(known: Mapping[str, Any]) -> list[Answer]:
    """What the arithmetic makes of what was parsed. Raises Transient."""
    reply = Reply(None, NOW, "https://console.test", 200)
    own = Own(known["providers"], known["deployments"], reply, Working("own earnings"))
    akt = TokenPrice("AKT", known["market-data"], NOW, "oracle", confirmed=False)
    return [answer(VENUE, device, Heard(known["gpu-prices"], reply, akt, own), Terms()) for device in RIG]


def check(mutation: Mutation, offered: Sequence[Answer], honest: Sequence[Answer]) -> None:
    """Sane bounds; and what differs by a fifth says that it used the changed value."""
    for found, before in zip(offered, honest, strict=True):
        assert found.device == before.device
        if not isinstance(found, Quote):
            assert found.reason.isprintable()
            continue
        assert UsdPerHour(0) < found.gross <= MOST
        assert found.expected <= found.gross
        assert found.as_of <= found.seen_at < found.expires <= NOW + timedelta(hours=4)
        assert _near(found, before) or _told(mutation, found, before), (mutation, found, before)


def _near(found: Quote, before: Answer) -> bool:
    return isinstance(before, Quote) and abs(found.expected.count - before.expected.count) * 5 <= before.expected.count


def _told(mutation: Mutation, found: Quote, before: Answer) -> bool:
    """By the honest workings or by these; but where a row came or went, the paths of these speak of other rows."""
    told = isinstance(before, Quote) and mutation.touches(before.workings)
    return told or (not mutation.moves and mutation.touches(found.workings))


KNOWN = {name: parsed(name, SAID) for name in PATHS}
HONEST = answers(KNOWN)


@pytest.mark.parametrize("name", PATHS)
def test_no_mutation_breaks_a_parser(name: str) -> None:
    """2,000 of each answer."""

    @settings(max_examples=2000, derandomize=True, database=None)
    @given(mutation=mutations(name))
    def run(mutation: Mutation) -> None:
        said = mutation.applied()
        with allowed():
            check(mutation, answers({**KNOWN, name: parsed(name, said)}), HONEST)

    run()


@settings(max_examples=150, derandomize=True, database=None)
@given(mutation=st.sampled_from(list(PATHS)).flatmap(mutations))
def test_no_mutation_breaks_the_adapter(mutation: Mutation) -> None:
    """The same from the wire to the quotes, and through the history."""
    with tempfile.TemporaryDirectory() as folder, allowed():
        network = _network(mutation.applied(), Path(folder))
        past = network.history.hours(RIG, NOW - timedelta(days=3))

        assert all(each.rate is None or UsdPerHour(0) <= each.rate <= MOST for each in past)
        check(mutation, network.quotes(RIG), HONEST)


@settings(max_examples=2000, derandomize=True, database=None)
@given(mutation=mutations("provider-earnings"))
def test_no_mutation_makes_money_of_a_day(mutation: Mutation) -> None:
    """What is owed adds up to the dollars that the answer tells, less at most AKT whose price nobody told; or it is an error."""
    with allowed():
        sums = parsed("provider-earnings", mutation.applied())
        payouts = DayPayouts(VENUE, SimClock(NOW), _Told(sums), OURS, [device.id for device in RIG]).payouts(NOW - timedelta(days=1))
        owed = float(sum((each.amount for each in payouts), Usd(0)))

        assert {False} == {each.settled for each in payouts}
        assert all(each.native and each.native.usd_per_token > 0 for each in payouts)
        assert owed == pytest.approx(float(sums.usd if sums.usd_per_akt else sums.act), rel=1e-6, abs=1e-6)
        assert len(payouts) == len(RIG) * (2 if sums.usd_per_akt else 1)


class _Told(Console):
    """A console that says the same of every day."""

    def __init__(self, sums: Earnings) -> None:
        self._sums = sums

    def earnings(self, address: str, first: datetime, end: datetime) -> Earnings:  # noqa: ARG002
        return self._sums


@contextmanager
def allowed() -> Iterator[None]:
    """One of our errors, in one line that names the network."""
    try:
        yield
    except (Transient, Refused) as error:
        if not str(error).startswith("akash: ") or not str(error).isprintable():
            raise


def _network(said: Mapping[str, Any], folder: Path) -> Any:
    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=said[request.url.path]) if request.url.path in said else httpx.Response(404, json={})

    clock = SimClock(NOW)
    http = Http(clock, network="akash", transport=httpx.MockTransport(serve))
    return akash(AkashSettings(provider=OURS), Kit(NetworkId("akash"), clock, RIG, folder, http, Tokens(http, clock)))


def test_the_honest_answers_are_worth_mutating() -> None:
    """Leases of our own, asks, and an absence."""
    bases = [each.basis.value if isinstance(each, Quote) else "none" for each in HONEST]

    assert ["realised", "ask", "ask", "ask", "ask", "none"] == bases
