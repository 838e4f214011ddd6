"""What the chain itself says, by plain storage items and one runtime call: no SDK and no metadata are needed.

Three dependent steps: the newest block; its hash and that of a block before it; their state. The storage keys are those of
opentensor/subtensor, ``pallets/subtensor/src/lib.rs`` as of spec 425.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from autopilot.errors import AdapterError, Transient
from autopilot.kit.http import Http
from autopilot.kit.reading import Field
from autopilot.kit.redaction import shown
from autopilot_adapters.bittensor.codec import NOW, Item, State, fee_rate, of_subnet, of_uid, owner_of, u16, uid_of, unhexed
from autopilot_adapters.bittensor.figures import RAO
from autopilot_adapters.bittensor.rpc import Call, Node, node
from autopilot_adapters.bittensor.wire import (
    MOST_ALPHA,
    MOST_BURN,
    MOST_EMISSION,
    MOST_PRICE,
    Look,
    Miner,
    Step,
    Subnet,
    Wanted,
)

BEHIND = 2
"""Blocks behind the newest, so that every node behind one address knows the block."""
BACK = 240
"""Blocks between the two looks. Nodes that are no archive forget a state after 256 blocks."""
STALE = timedelta(hours=1)
"""A node whose newest block is older than this does not follow the chain."""
_AHEAD = timedelta(minutes=5)
_MOST_BLOCK = 2**32
_MOST_MILLIS = 4 * 10**12
"""A time in milliseconds beyond the year 2096 is none."""
_IMMUNITY, _BURN, _FEE = 4096, 100_000_000, 33
"""What holds where a subnet has no entry of its own: blocks, rao and parts of 65535."""
_WHOLE = 65535
_ITEMS = (
    *("NetworksAdded", "Tempo", "ImmunityPeriod", "Burn", "NetworkRegistrationAllowed", "MinerBurned", "SubnetEmissionEnabled"),
    *("SubnetOwner", "SubnetOwnerHotkey", "SubnetAlphaIn", "SubnetTAO", "SubnetAlphaOutEmission", "Emission", "Dividends"),
)
_CLOCK = ("LastEpochBlock", "SubnetEpochIndex", "LastMechansimStepBlock")
"""The last is spelt so on the chain; it serves where the runtime is older than the first two."""


@dataclass(frozen=True, slots=True)
class Who:
    """A UID that was found on the chain; ``uid`` is None where its hotkey has none."""

    netuid: int
    uid: int | None
    hotkey: str


class Chain:
    """The chain through a list of endpoints: the first that answers everything is believed."""

    def __init__(self, http: Http, urls: Sequence[str], now: Callable[[], datetime]) -> None:
        self._http = http
        self._urls = urls
        self._now = now

    def subnets(self, wanted: Sequence[Wanted]) -> list[Subnet | None]:
        """The subnets in order, None for one that does not exist. Raises Transient, or Refused where every endpoint refuses."""
        errors: list[AdapterError] = []
        for url in self._urls:
            way = node(self._http, url)
            try:
                return _Reading(self._http.network, way, shown(url), self._now()).subnets(wanted)
            except AdapterError as error:
                errors.append(error)
            finally:
                way.close()
        raise next((error for error in errors if isinstance(error, Transient)), errors[0])


class _Reading:
    """One look at the chain through one endpoint."""

    def __init__(self, network: str, way: Node, source: str, now: datetime) -> None:
        self._network = network
        self._way = way
        self._source = source
        self._now = now

    def subnets(self, wanted: Sequence[Wanted]) -> list[Subnet | None]:
        lookup = [_identity(each) for each in wanted]
        header, identities = _all(self._way.ask([Call("chain_getHeader"), Call("state_queryStorageAt", [[each.key for each in lookup]])]))
        block = _number(header.member("number")) - BEHIND
        who = self._found(wanted, lookup, identities)
        (hashes,) = _all(self._way.ask([Call("chain_getBlockHash", [[block, block - BACK]])]))
        newest, older = (_hash(each) for each in _pair(hashes))
        items = [item for each in who for item in _items_of(each)]
        clock = [NOW, *(of_subnet(name, each.netuid) for each in who for name in _CLOCK)]
        prices = [Call("state_call", ["SwapRuntimeApi_current_alpha_price", f"0x{u16(each.netuid).hex()}", newest]) for each in who]
        now, then, *priced = self._way.ask([_state(clock + items, newest), _state(clock, older), *prices])
        (state,) = _all([now])
        at = State.of(state, newest)
        before = None if isinstance(then, Transient) else State.of(then, older)
        return [self._subnet(each, at, before, block, price) for each, price in zip(who, priced, strict=True)]

    def _found(self, wanted: Sequence[Wanted], lookup: Sequence[Item], answer: Field) -> list[Who]:
        (change_set, *_) = answer.items() or [answer]
        block = change_set.member("block")
        state = State.of(answer, block.text())
        return [_who(each, state, item) for each, item in zip(wanted, lookup, strict=True)]

    def _subnet(self, who: Who, state: State, before: State | None, block: int, price: Field | Transient) -> Subnet | None:
        netuid = who.netuid
        if not state.flag(of_subnet("NetworksAdded", netuid), absent=False):
            return None
        look = self._look(state, netuid, block)
        if not self._now - STALE <= look.at <= self._now + _AHEAD:
            raise Transient(self._network, f"{self._source} does not follow the chain: block {block} is of {look.at:%Y-%m-%d %H:%M} UTC")
        owners = {state.account(of_subnet(name, netuid)) for name in ("SubnetOwner", "SubnetOwnerHotkey")}
        return Subnet(
            netuid=netuid,
            source=f"{self._source}, block {block}",
            fields=_fields(netuid),
            look=look,
            before=self._look(before, netuid, block - BACK) if before else None,
            tempo=self._tempo(state, netuid),
            immunity=state.number(of_subnet("ImmunityPeriod", netuid), 2, _IMMUNITY),
            burn=state.amount(of_subnet("Burn", netuid), MOST_BURN, _BURN),
            open=state.flag(of_subnet("NetworkRegistrationAllowed", netuid), absent=False),
            price=self._price(price),
            alpha_in=state.amount(of_subnet("SubnetAlphaIn", netuid), MOST_ALPHA, 0),
            tao_in=state.amount(of_subnet("SubnetTAO", netuid), MOST_ALPHA, 0),
            swap_fee=Decimal(state.number(fee_rate(netuid), 2, _FEE)) / _WHOLE,
            minted=state.amount(of_subnet("SubnetAlphaOutEmission", netuid), 1, 0),
            burned=state.share(of_subnet("MinerBurned", netuid)),
            enabled=state.flag(of_subnet("SubnetEmissionEnabled", netuid), absent=True),
            owners=frozenset(owners - {""}),
            miner=None if who.uid is None else self._miner(who, who.uid, state),
        )

    def _tempo(self, state: State, netuid: int) -> int:
        tempo = state.number(of_subnet("Tempo", netuid), 2)
        if not tempo:
            raise Transient(self._network, f"{of_subnet('Tempo', netuid).label} is 0: this subnet has no epochs")
        return tempo if state.raw(of_subnet("LastEpochBlock", netuid)) else tempo + 1

    def _look(self, state: State, netuid: int, block: int) -> Look:
        """The clock of a subnet. Runtimes before spec 425 know neither the block nor the count of epochs by these names."""
        dated, counted, legacy = (of_subnet(name, netuid) for name in _CLOCK)
        last = state.number(dated if state.raw(dated) else legacy, 8, 0)
        if last > block:
            raise Transient(self._network, f"{dated.label} is {last}, which lies after block {block}")
        index = state.number(counted, 8) if state.raw(counted) else None
        millis = state.number(NOW, 8)
        if millis > _MOST_MILLIS:
            raise Transient(self._network, f"{NOW.label} is {millis}, which is no time in milliseconds")
        return Look(block, datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=millis), Step(last, index))

    def _price(self, answer: Field | Transient) -> Decimal:
        (field,) = _all([answer])
        data = unhexed(field)
        price = int.from_bytes(data, "little") * RAO
        if len(data) != 8 or price > MOST_PRICE:  # noqa: PLR2004  # 64 bits of rao
            raise field.wrong(f"8 bytes of rao, {MOST_PRICE} TAO at most")
        return price

    def _miner(self, who: Who, uid: int, state: State) -> Miner:
        hotkey = state.account(of_uid("Keys", who.netuid, uid))
        if hotkey != who.hotkey:
            raise Transient(self._network, f"{of_uid('Keys', who.netuid, uid).label} changed hands while it was read")
        emission, dividends = of_subnet("Emission", who.netuid), of_subnet("Dividends", who.netuid)
        paid = self._entry(state.numbers(emission, 8), uid, emission) * RAO
        if paid > MOST_EMISSION:
            raise Transient(self._network, f"{emission.label}[{uid}] is {paid} alpha, more than the {MOST_EMISSION} of the longest epoch")
        since = state.number(of_uid("BlockAtRegistration", who.netuid, uid), 8, 0)
        immunity = state.number(of_subnet("ImmunityPeriod", who.netuid), 2, _IMMUNITY)
        validates = self._entry(state.numbers(dividends, 2), uid, dividends) > 0
        return Miner(uid, hotkey, state.account(owner_of(hotkey)), paid, validates, since + immunity)

    def _entry(self, numbers: Sequence[int], uid: int, item: Item) -> int:
        if uid >= len(numbers):
            raise Transient(self._network, f"{item.label} has {len(numbers)} entries, none for UID {uid}")
        return numbers[uid]


def _identity(wanted: Wanted) -> Item:
    """Where the chain says which UID a hotkey has, or which hotkey a UID."""
    return uid_of(wanted.netuid, wanted.hotkey) if wanted.hotkey else of_uid("Keys", wanted.netuid, wanted.uid or 0)


def _who(wanted: Wanted, state: State, item: Item) -> Who:
    if wanted.hotkey:
        return Who(wanted.netuid, state.number(item, 2) if state.raw(item) is not None else None, wanted.hotkey)
    hotkey = state.account(item)
    return Who(wanted.netuid, wanted.uid if hotkey else None, hotkey)


def _items_of(who: Who) -> list[Item]:
    items = [*(of_subnet(name, who.netuid) for name in _ITEMS), fee_rate(who.netuid)]
    if who.uid is None:
        return items
    return [*items, *(of_uid(name, who.netuid, who.uid) for name in ("Keys", "BlockAtRegistration")), owner_of(who.hotkey)]


def _state(items: Sequence[Item], block: str) -> Call:
    return Call("state_queryStorageAt", [[item.key for item in items], block])


def _all(answers: Sequence[Field | Transient]) -> list[Field]:
    """The answers, all of which are needed."""
    for answer in answers:
        if isinstance(answer, Transient):
            raise answer
    return [answer for answer in answers if isinstance(answer, Field)]


def _number(field: Field) -> int:
    """The number of a block, written in hexadecimal without leading zeros."""
    text = field.value if isinstance(field.value, str) and field.value.isascii() and field.value.isalnum() else ""
    try:
        number = int(text, 16) if text.startswith("0x") else 0
    except ValueError:
        number = 0
    if not BACK + BEHIND <= number < _MOST_BLOCK:
        raise field.wrong("the number of a block, written as 0x…")
    return number


def _pair(field: Field) -> Sequence[Field]:
    if len(field.items()) != len(("newest", "older")):
        raise field.wrong("two hashes")
    return field.items()


def _hash(field: Field) -> str:
    if len(unhexed(field)) != 32:  # noqa: PLR2004  # bytes of a hash
        raise field.wrong("the hash of a block")
    return field.text()


def _fields(netuid: int) -> dict[str, tuple[str, ...]]:
    """Where each figure of a subnet is read from."""
    named = {
        "epoch": (*_CLOCK, "Tempo"),
        "emission": ("Emission",),
        "pool": ("SubnetAlphaIn", "SubnetTAO"),
        "burned": ("MinerBurned",),
        "minted": ("SubnetAlphaOutEmission",),
    }
    fields = {what: tuple(f"chain:{of_subnet(name, netuid).label}" for name in names) for what, names in named.items()}
    fields["epoch"] += (f"chain:{NOW.label}",)
    return {**fields, "price": (f"chain:SwapRuntimeApi_current_alpha_price({netuid})",), "fee": (f"chain:{fee_rate(netuid).label}",)}
