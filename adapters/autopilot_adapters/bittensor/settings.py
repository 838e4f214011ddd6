"""What can be set about Bittensor, in ``[networks.bittensor]``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.util import find_spec
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, model_validator

from autopilot.kit.fields import ShareField, SpanField, Table, UsdPerHourField
from autopilot.units import Share
from autopilot_adapters.bittensor.codec import public_key
from autopilot_adapters.bittensor.rpc import WEB_SOCKET
from autopilot_adapters.bittensor.wire import LIUM
from autopilot_adapters.programs import ProgramSettings

_HTTP = ("http://", "https://")


def _web(url: str) -> str:
    if not (url.startswith(_HTTP) and _host(url)):
        msg = f"{url!r} is no address: write it like 'https://host'"
        raise ValueError(msg)
    return url.rstrip("/")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _endpoint(url: SecretStr) -> SecretStr:
    if not (url.get_secret_value().startswith((*_HTTP, *WEB_SOCKET)) and _host(url.get_secret_value())):
        raise ValueError("an endpoint of the chain is written like 'https://host' or 'wss://host'")
    if url.get_secret_value().startswith(WEB_SOCKET) and find_spec("websockets") is None:
        raise ValueError('a WebSocket needs one more package: pip install "yield-autopilot[websocket]"')
    return url


WebField = Annotated[str, AfterValidator(_web)]
EndpointField = Annotated[SecretStr, AfterValidator(_endpoint)]
"""Providers of nodes put their keys into the address."""


class LiumNodeSettings(ProgramSettings):
    """The executor on this host, ``neurons/executor``, and its account at the portal: ``[networks.bittensor.lium.node]``."""

    executor: str = ""
    """The node's id in the portal."""
    executors: Mapping[str, str] = Field(default_factory=dict)
    """By GPU UUID, where each GPU is a node of its own."""
    token: SecretStr
    """A provider API token of the portal, ``lpk_…``."""
    portal: WebField = "https://provider-api.lium.io"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.executor) == bool(self.executors):
            raise ValueError("name the node's id in the portal as executor, or one for each GPU in executors")
        for each in filter(None, (self.executor, *self.executors.values())):
            if not each.replace("-", "").isalnum():
                raise ValueError(f"{each!r} is no id of a node: it is letters, digits and hyphens")
        if self.jobs:
            raise ValueError("the pods are asked of the portal: leave jobs out")
        if not self.token.get_secret_value().strip():
            raise ValueError("token must not be empty")
        return self


class LiumSettings(Table):
    """This rig as a node of SN51, lium.io."""

    enabled: bool = True
    gpus: int = Field(default=1, ge=1, le=16)
    """GPUs of a node. Idle pay is for nodes of 1 and of 8."""
    ask: UsdPerHourField | None = None
    """Per GPU; without it, the reference price."""
    occupancy: ShareField | None = None
    """The share of the hour that your node is rented, where you know better than the rental rate of all nodes."""
    rent_kept: ShareField = Share.of("0.95")
    """Of the rent, what the provider gets."""
    idle_pay: bool = True
    """Whether the node fulfils what cannot be seen from outside: sysbox, driver, disk, power cap, current executor, Discord linked."""
    own_job: bool = False
    """Whether the node runs a default job of yours while nobody rents it: that forfeits the idle pay."""
    boot: SpanField = timedelta(minutes=10)
    ramp: SpanField = timedelta(minutes=72)
    """Pay is counted by epochs of 1.2 hours; the one in which the node comes may pay nothing."""
    notice: SpanField = timedelta(hours=48)
    """How long ahead the removal of a node must be announced; it ends every rental."""
    url: WebField = "https://lium.io"
    node: LiumNodeSettings | None = None
    """How its program is started and stopped here; without it, rates only."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.node and self.gpus > 1 and not self.node.executor:
            raise ValueError("a node of several GPUs has one id: name it as node.executor")
        if self.ask is not None and self.ask.count <= 0:
            raise ValueError("ask must be more than nothing")
        if min(self.boot, self.ramp, self.notice) < timedelta(0):
            raise ValueError("boot, ramp and notice cannot be negative")
        return self


class MinerSettings(Table):
    """An own UID on a subnet."""

    netuid: int = Field(ge=1, le=65535)
    hotkey: str | None = None
    """Its address. Better than the UID, which belongs to another once yours was pruned."""
    uid: int | None = Field(default=None, ge=0, le=65535)
    gpus: int | None = Field(default=None, ge=1)
    """How many GPUs earn its emission together; without it, all of this rig."""
    incentive: ShareField | None = None
    """The share of what all miners get that you expect, while the UID is not registered or immune and has earned nothing yet."""
    boot: SpanField = timedelta(minutes=5)
    node: ProgramSettings | None = None
    """How its program is started and stopped here; without it, rates only."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.hotkey is None and self.uid is None:
            raise ValueError("a miner needs its hotkey (or its uid)")
        if self.hotkey is not None:
            public_key(self.hotkey)
        return self


class BittensorSettings(Table):
    """SN51 as a market of GPUs, and own UIDs of any other subnet."""

    lium: LiumSettings = LiumSettings()
    miners: tuple[MinerSettings, ...] = ()
    source: Literal["chain", "taostats"] = "chain"
    """Who is asked about the miners."""
    endpoints: tuple[EndpointField, ...] = Field(
        default=(SecretStr("https://entrypoint-finney.opentensor.ai"), SecretStr("https://lite.chain.opentensor.ai")), min_length=1
    )
    """Nodes of the chain, the next where one gives no answer: ``https://…``, or ``wss://…`` with the extra ``websocket``."""
    taostats_key: SecretStr | None = None
    taostats_url: WebField = "https://api.taostats.io"
    sells_every: SpanField = timedelta(days=1)
    """How often the earned alpha is sold for TAO: the more at once, the lower its price."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        netuids = [*([LIUM] if self.lium.enabled else []), *(miner.netuid for miner in self.miners)]
        twice = next((netuid for netuid in netuids if netuids.count(netuid) > 1), None)
        if twice == LIUM and self.lium.enabled:
            raise ValueError(f"subnet {LIUM} is lium: take the miner out, or set lium.enabled = false")
        if twice is not None:
            raise ValueError(f"subnet {twice} has two miners: name one, they would be one venue")
        if not netuids:
            raise ValueError("nothing is left to ask: enable lium or name a miner")
        if self.miners and self.source == "taostats" and not (self.taostats_key and self.taostats_key.get_secret_value().strip()):
            raise ValueError('source = "taostats" needs taostats_key')
        if self.sells_every <= timedelta(0):
            raise ValueError("sells_every must be longer than nothing")
        return self
