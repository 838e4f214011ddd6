"""A small Bittensor for tests: what lium, the chain and taostats would answer, and a kit that reaches nothing else."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from autopilot.clock import Clock
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.sim.clock import SimClock
from autopilot_adapters.bittensor.adapter import Bittensor, bittensor
from autopilot_adapters.bittensor.codec import NOW as TIME
from autopilot_adapters.bittensor.codec import address, fee_rate, of_subnet, of_uid, owner_of, uid_of
from autopilot_adapters.bittensor.settings import BittensorSettings

NOW = datetime(2026, 8, 25, 12, 0, tzinfo=UTC)
NETUID = 4
UID = 2
KEY = "tao-12345678-secret:abcd"
HOTKEY, COLDKEY, OWNER, OWNER_HOTKEY = (address(bytes([number] * 32)) for number in (1, 2, 3, 4))
BLOCK = 8_740_400
"""The block that is looked at: two behind the newest."""
HASHES = {BLOCK: f"0x{'aa' * 32}", BLOCK - 240: f"0x{'bb' * 32}"}
TAO = 300.0
RAO = 10**9
LIUM = "https://lium.io"
TAOSTATS = "https://api.taostats.io"
ENDPOINT = "https://entrypoint-finney.opentensor.ai"
ROWS = (
    # name, price, rental rate, GPUs, per epoch while rented, per epoch while idle, soft limit
    ("NVIDIA A30", 0.1, 0.0, 0, 0.0, 0.0, None),
    ("NVIDIA A100-SXM4-80GB", 0.6923, 1.0, 39, 0.17071766612729866, 0.8307600000000002, 1.24),
    ("NVIDIA B200", 4.25, 0.75, 52, 1.2585999745162584, 5.1, 6.53),
    ("NVIDIA GeForce RTX 3090", 0.16, 0.48700000000000004, 115, 0.024995176372815044, 0.192, 0.22),
    ("NVIDIA GeForce RTX 4090", 0.3, 0.9865, 74, 0.09812216236319565, 0.36000000000000004, 0.58),
    ("NVIDIA GeForce RTX 5090", 0.65, 0.37329999999999997, 225, 0.03751769711646656, 0.7800000000000001, 0.69),
    ("NVIDIA H100 80GB HBM3", 1.494, 0.21050000000000002, 19, 0.1209637052400332, 1.7928, 2.76),
    ("NVIDIA H100 PCIe", 1.1988, 0.6667000000000001, 3, 0.30015219813499827, 1.4385599999999998, 2.64),
    ("NVIDIA H200", 3.1, 0.9887999999999999, 89, 1.1174732111591754, 3.42, 4.22),
    ("NVIDIA H200 NVL", 2.9, 0.0, 2, 0.4670451988719279, 3.480000000000001, 5.03),
    ("NVIDIA L40S", 0.35, 0.6806, 72, 0.1120985471858584, 0.4199999999999999, 1.25),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 0.86, 0.843, 172, 0.28960259017037415, 1.032, 1.9),
    ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", 1.0, 0.0833, 12, 0.08131258108236772, 1.2000000000000002, 1.46),
)
WAITING = {
    # family: (of 1x nodes, of 8x nodes), both capped
    "B200": (5, 8),
    "H200": (3, 0),
    "H100": (1, 8),
    "RTX 5090": (6, 136),
    "RTX 4090": (0, 0),
    "RTX PRO 6000": (6, 32),
    "L40S": (0, 0),
    "A100": (0, 0),
    "RTX 3090": (0, 48),
}


def gpu(number: int = 0, model: str = "NVIDIA GeForce RTX 4090", memory: int = 0, pci: str = "") -> Device:
    """A GPU as NVML tells it."""
    return Device(DeviceId(f"gpu-{number}"), model, memory, pci_id=pci, index=number)


RIG = (gpu(0), gpu(1, "NVIDIA GeForce RTX 3090"))


def machine(name: str, price: float, rate: float, gpus: int, rented: float, idle: float, limit: float | None) -> dict[str, Any]:
    """A row of ``/api/machines``."""
    return {
        "name": name,
        "price": price,
        "rental_rate": rate,
        "p_min": price / 2,
        "p_max": price * 2.5,
        "base_price": price,
        "total_gpu_count": gpus,
        "k": 7,
        "usd_per_epoch_rented": rented,
        "usd_per_epoch_unrented": idle,
        "estimates_available": True,
        "soft_price_limit": limit,
    }


MACHINES = [machine(*row) for row in ROWS]
CAPACITY = [
    {
        "base_model": name,
        "buckets": {
            "1": {"max_cap": 10, "unrented_count": one, "hourly_rate": 0.3},
            "8": {"max_cap": 64, "unrented_count": eight, "hourly_rate": 0.3},
        },
    }
    for name, (one, eight) in WAITING.items()
]


def u(number: int, size: int) -> str:
    """An unsigned number as the chain writes it."""
    return f"0x{number.to_bytes(size, 'little').hex()}"


def fixed(share: float) -> str:
    """96.32 bits of fixed point."""
    return u(int(share * 2**32), 16)


def listed(numbers: Sequence[int], size: int) -> str:
    """A short list of numbers."""
    return f"0x{len(numbers) * 4:02x}{''.join(u(number, size)[2:] for number in numbers)}"


def account(written: str) -> str:
    """The 32 bytes of an address."""
    return f"0x{_BYTES[written].hex()}"


_BYTES = {address(bytes([number] * 32)): bytes([number] * 32) for number in range(1, 16)}
OTHER = address(bytes([9] * 32))


def subnet(name: str) -> str:
    """The key of an item of the subnet."""
    return of_subnet(name, NETUID).key


STATE: Mapping[str, str | None] = {
    TIME.key: u(int((NOW - timedelta(seconds=30)).timestamp() * 1000), 8),
    subnet("NetworksAdded"): "0x01",
    subnet("Tempo"): u(360, 2),
    subnet("ImmunityPeriod"): u(5000, 2),
    subnet("Burn"): u(RAO // 2, 8),
    subnet("NetworkRegistrationAllowed"): "0x01",
    subnet("MinerBurned"): fixed(0.25),
    subnet("SubnetEmissionEnabled"): None,
    subnet("SubnetOwner"): account(OWNER),
    subnet("SubnetOwnerHotkey"): account(OWNER_HOTKEY),
    subnet("SubnetAlphaIn"): u(2_000_000 * RAO, 8),
    subnet("SubnetTAO"): u(128_000 * RAO, 8),
    subnet("SubnetAlphaOutEmission"): u(RAO, 8),
    subnet("Emission"): listed([41 * RAO, 3 * RAO, 2 * RAO, 0], 8),
    subnet("Dividends"): listed([0, 500, 0, 0], 2),
    subnet("LastEpochBlock"): u(BLOCK - 100, 8),
    subnet("SubnetEpochIndex"): u(777, 8),
    subnet("LastMechansimStepBlock"): u(BLOCK - 100, 8),
    fee_rate(NETUID).key: None,
    uid_of(NETUID, HOTKEY).key: u(UID, 2),
    of_uid("Keys", NETUID, UID).key: account(HOTKEY),
    of_uid("BlockAtRegistration", NETUID, UID).key: u(BLOCK - 1000, 8),
    owner_of(HOTKEY).key: account(COLDKEY),
}
"""At the block that is looked at. The owner's UID 0 gets most of the incentive, UID 1 validates, UID 2 is ours, UID 3 gets nothing."""
BEFORE: Mapping[str, str | None] = {
    TIME.key: u(int((NOW - timedelta(seconds=30 + 240 * 12)).timestamp() * 1000), 8),
    subnet("LastEpochBlock"): u(BLOCK - 460, 8),
    subnet("SubnetEpochIndex"): u(776, 8),
    subnet("LastMechansimStepBlock"): u(BLOCK - 460, 8),
}
"""240 blocks earlier: an epoch ended in between, 360 blocks after the one before."""
PRICE = u(64_500_000, 8)
_AT = NOW - timedelta(seconds=30)
STATS: Mapping[str, Any] = {
    "metagraph": {
        "netuid": NETUID,
        "uid": UID,
        "hotkey": {"ss58": HOTKEY},
        "coldkey": {"ss58": COLDKEY},
        "block_number": BLOCK,
        "timestamp": f"{_AT:%Y-%m-%dT%H:%M:%SZ}",
        "emission": "2000000000",
        "dividends": "0",
        "incentive": "0.03",
        "registered_at_block": BLOCK - 1000,
        "is_immunity_period": True,
    },
    "dtao/pool": {
        "netuid": NETUID,
        "block_number": BLOCK,
        "timestamp": f"{_AT:%Y-%m-%dT%H:%M:%S}.001Z",
        "price": "0.0645",
        "total_tao": "128000000000000",
        "alpha_in_pool": "2000000000000000",
    },
    "subnet": {
        "netuid": NETUID,
        "block_number": BLOCK,
        "timestamp": f"{_AT:%Y-%m-%dT%H:%M:%SZ}",
        "owner": {"ss58": OWNER},
        "tempo": 360,
        "immunity_period": 5000,
        "neuron_registration_cost": "500000000",
        "registration_allowed": True,
        "blocks_since_last_step": 100,
    },
}

Says = Callable[[httpx.Request], httpx.Response | None]


class World:
    """Answers like the real hosts; what is put into its fields changes what it says."""

    def __init__(self) -> None:
        self.machines: Any = copy.deepcopy(MACHINES)
        self.capacity: Any = copy.deepcopy(CAPACITY)
        self.state: dict[str, str | None] = dict(STATE)
        self.before: dict[str, str | None] | None = dict(BEFORE)
        self.price: Any = PRICE
        self.header: Any = {"number": hex(BLOCK + 2)}
        self.hashes: Any = [HASHES[BLOCK], HASHES[BLOCK - 240]]
        self.stats: dict[str, Any] = copy.deepcopy(dict(STATS))
        self.tao: float | None = TAO
        self.first: Says = lambda _: None
        """Asked first; None leaves the answer to the world."""
        self.asked: Counter[str] = Counter()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The handler of a MockTransport."""
        self.asked[request.url.host] += 1
        early = self.first(request)
        return early if early is not None else self._say(request)

    def _say(self, request: httpx.Request) -> httpx.Response:
        host, path = request.url.host, request.url.path
        if host == "lium.io":
            return httpx.Response(200, json=self.capacity if path.endswith("/capacity") else self.machines)
        if host == "api.coingecko.com" and self.tao is not None:
            return httpx.Response(200, json={"bittensor": {"usd": self.tao, "last_updated_at": int(NOW.timestamp())}})
        if host == "api.taostats.io":
            row = self.stats[path.removeprefix("/api/").removesuffix("/latest/v1")]
            return httpx.Response(200, json={"data": [] if row is None else [row]})
        if host.endswith("opentensor.ai"):
            return httpx.Response(200, json=self.rpc(json.loads(request.content)))
        return httpx.Response(404, json={})

    def rpc(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """A node's answer to one request."""
        outcome = self.result(asked["method"], asked["params"])
        error = {"code": 4003, "message": "Client error: UnknownBlock: State already discarded"}
        return {"jsonrpc": "2.0", "id": asked["id"], **({"error": error} if outcome is None else {"result": outcome})}

    def result(self, method: str, params: Sequence[Any]) -> Any:
        """What a method gives; None is an error."""
        if method == "chain_getHeader":
            return self.header
        if method == "chain_getBlockHash":
            return self.hashes
        if method == "state_call":
            return self.price
        block = params[1] if len(params) > 1 else HASHES[BLOCK]
        values = self.before if block == HASHES[BLOCK - 240] else self.state
        return None if values is None else [{"block": block, "changes": [[key, values.get(key)] for key in params[0]]}]


def kit(world: World, folder: Path, devices: Sequence[Device] = RIG, clock: Clock | None = None) -> Kit:
    """A kit whose only network is the world."""
    clock = clock or SimClock(NOW)
    http = Http(clock, network="bittensor", transport=httpx.MockTransport(world))
    return Kit(NetworkId("bittensor"), clock, devices, folder, http, Tokens(http, clock))


def adapter(world: World, folder: Path, devices: Sequence[Device] = RIG, clock: Clock | None = None, **settings: Any) -> Bittensor:
    """The adapter in that world."""
    return bittensor(BittensorSettings(**settings), kit(world, folder, devices, clock))


MINER: Mapping[str, Any] = {"netuid": NETUID, "hotkey": HOTKEY, "gpus": 1}
ALONE: Mapping[str, Any] = {"lium": {"enabled": False}, "miners": [MINER]}
"""Settings of one miner and nothing else."""
