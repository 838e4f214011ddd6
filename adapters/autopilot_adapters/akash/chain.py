"""The leases of a provider by the chain's own word, over the REST of any full node. Public ones come and go, so each is tried in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.clock import Clock
from autopilot.errors import AdapterError, Transient
from autopilot.kit.http import Http
from autopilot.kit.reading import Field

NODES = (
    "https://rpc.akt.dev/rest",
    "https://akash-api.polkachu.com",
    "https://rest-akash.ecostake.com",
    "https://akash-rest.publicnode.com",
)
"""Those that were seen to answer, the console's own first. Not all of them serve the routes of the market."""
_LIVING = ("active", "reclaiming")
"""The states in which a tenant's work runs and is paid; the second since AEP-82."""
_LEASES = "/akash/market/v1beta5/leases/list"
_LATEST = "/cosmos/base/tendermint/v1beta1/blocks/latest"
_MOST = 1000
_BEHIND = timedelta(minutes=5)
"""A node whose last block is older has lost the chain, and does not know of leases that were made since."""
_PATIENCE = timedelta(seconds=10)
_MOST_PER_BLOCK = Decimal(10**9)
_MOST_HEIGHT = 10**12


@dataclass(frozen=True, slots=True)
class Held:
    """A lease on a provider that is in force."""

    id: str
    """``OWNER/DSEQ/GSEQ/OSEQ``, as tenants and providers name it."""
    state: str
    denom: str
    per_block: Decimal
    """Millionths of a token, for all that the tenant has."""
    height: int
    """The block in which it was made."""
    path: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Leases:
    """What one node says of a provider."""

    held: Sequence[Held]
    height: int
    """Of the last block."""
    at: datetime
    """Of the last block."""

    def since(self, lease: Held, block: timedelta) -> datetime:
        """When a lease was made, reckoned back by the mean length of a block."""
        return self.at - max(0, self.height - lease.height) * block


class Chain:
    """Asks three questions: for the leases of each living state, and for the last block, which tells whether the answers are of today."""

    def __init__(self, http: Http, clock: Clock, nodes: Sequence[str] = NODES) -> None:
        self._http = http
        self._clock = clock
        self._nodes: Sequence[str] = [node.rstrip("/") for node in nodes]

    def leases(self, provider: str) -> Leases:
        """The leases in force. Raises Transient where no node that is up to date answers, or what it says makes no sense."""
        silent: list[AdapterError] = []
        for node in self._nodes:
            try:
                leases = self._leases(node, provider)
            except AdapterError as error:
                silent.append(error)
            else:
                self._nodes = sorted(self._nodes, key=node.__ne__)  # who answered is asked first from now on
                return leases
        raise Transient(self._http.network, "; ".join(str(each).removeprefix(f"{each.network}: ") for each in silent))

    def _leases(self, node: str, provider: str) -> Leases:
        held = [lease for state in _LIVING for lease in self._held(node, provider, state)]
        header = self._get("block", node + _LATEST).member("block").member("header")
        at = header.member("time").instant()
        if self._clock.now() - at > _BEHIND:
            raise Transient(self._http.network, f"{node} stopped at {at:%Y-%m-%d %H:%M} UTC, and knows of no lease since")
        return Leases(held, header.member("height").count(1, _MOST_HEIGHT), at)

    def _held(self, node: str, provider: str, state: str) -> Sequence[Held]:
        asked = {"filters.provider": provider, "filters.state": state, "pagination.limit": str(_MOST)}
        answer = self._get("leases", node + _LEASES, asked)
        if answer.member("pagination").member("next_key").value:
            raise Transient(self._http.network, f"{provider} has more than {_MOST} leases, which is more than is read")
        return [_lease(row.member("lease"), provider, state) for row in answer.member("leases").items()]

    def _get(self, name: str, url: str, asked: Mapping[str, str] | None = None) -> Field:
        return Field(self._http.network, f"{name}:", self._http.get(url, params=asked, timeout=_PATIENCE).json)


def _lease(lease: Field, provider: str, state: str) -> Held:
    """One lease, which must be what was asked for: a node that forgets a filter would tell of others' leases, or of old ones."""
    name, price = lease.member("id"), lease.member("price")
    if name.member("provider").text() != provider:
        raise name.member("provider").wrong(provider)
    if lease.member("state").text() != state:
        raise lease.member("state").wrong(state)
    numbers = "/".join(str(name.member(each).count(0, _MOST_HEIGHT)) for each in ("dseq", "gseq", "oseq"))
    amount = price.member("amount").number(0, _MOST_PER_BLOCK)
    height = lease.member("created_at").count(0, _MOST_HEIGHT)
    return Held(f"{name.member('owner').text()}/{numbers}", state, price.member("denom").text(), amount, height, lease.path)
