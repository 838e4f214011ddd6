"""A small Nosana for tests: what the API and the chain would answer, and a kit that reaches nothing else."""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import base58
import httpx

from autopilot.clock import Clock
from autopilot.kit import Kit
from autopilot.kit.http import Http
from autopilot.kit.tokens import Tokens
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.sim.clock import SimClock

NOW = datetime(2026, 9, 3, 12, 0, tzinfo=UTC)
JOBS = "nosJhNRqr2bc9g1nfGDcXXTXvYUmxD4cVwy2pMWhrYM"
STAKING = "nosScmHY2uR24Zh751PmGj9ww9QRNHewh9H59AfrTJE"
DISCRIMINATORS = {"market": "c94ebbe1f0c6c9fb", "job": "5b10a2052dd27d41", "run": "c2a96ee6eb0be116", "stake": "509e437c32bdc0ff"}
NOS_USD = 0.3092
MARKS = {"afwFqcydEve": "market", "GESmduEEyPE": "job", "ZZTu8o6YwNM": "run", "EV6feDfKSVt": "stake"}


def key(number: int) -> str:
    """An address of its own."""
    return base58.b58encode(number.to_bytes(32, "big")).decode()


OURS = key(7)
"""Our node."""
COMMUNITY = "Dcwz62TisNbWuto6KJM2EGYGVKnHbdZGVGmgLASzsXy8"
PREMIUM = "97G9NnvBDQ2WpKu6fasoMsAKmfj63C9rhysJnkeWodAf"
SMALL = "7AtiXMSH6R1jjBxrcYjehCkkSF7zvYWte63gwEDBcGHq"
H100 = "Crop49jpc7prcgAcS82WbWyGHwbN5GgDym3uFbxxCTZg"
WHOLE = "37VPcEfrA34vLRygFQd7bWiosBwv3a5jPv4hcXdumytC"
A100_40 = "F3aGGSMb73XHbJbDXVbcXo7iYM9fyevvAZGQfwgrnWtB"
A100_80 = "GLJHzqRN9fKGBsvsFzmGnaQGknUtLN1dqaFR8n3YdM22"


def listed(address: str, name: str, tier: str, micro: int, usd: float | None, *types: str) -> dict[str, Any]:
    """A row of the markets: ``micro`` is the host's pay in micro-NOS a second."""
    return {
        "address": address,
        "slug": name.lower().replace(" ", "-"),
        "name": name,
        "sft": key(1000),
        "type": tier,
        "usd_reward_per_hour": usd,
        "nos_reward_per_second": micro / 1e6,
        "nos_job_price_per_second": round(micro * 1.1) / 1e6,
        "network_fee_percentage": 10,
        "premium_community_relation": None,
        "gpu_types": list(types),
        "required_images": [],
        "required_remote_resources": [],
        "client": False,
    }


RTX4090 = ("NVIDIA GeForce RTX 4090 D", "NVIDIA GeForce RTX 4090")
HOPPER = ("NVIDIA H100 80GB HBM3", "NVIDIA H100 PCIe")
MARKETS = [
    listed(COMMUNITY, "NVIDIA 4090 Community", "COMMUNITY", 196, 0.218175, *RTX4090),
    listed(PREMIUM, "NVIDIA 4090", "PREMIUM", 261, 0.2909, *RTX4090),
    listed(SMALL, "NVIDIA 3060", "PREMIUM", 39, 0.0436, "NVIDIA GeForce RTX 3060"),
    listed(H100, "NVIDIA H100", "PREMIUM", 1225, 1.3636, *HOPPER),
    listed(WHOLE, "NVIDIA 8x H100", "OTHER", 16350, 18.20, HOPPER[0]),
    listed(A100_40, "NVIDIA A100 40GB", "PREMIUM", 500, None, "NVIDIA A100-SXM4-40GB", "NVIDIA A100-PCIE-40GB"),
    listed(A100_80, "NVIDIA A100 80GB", "PREMIUM", 800, 0.8905, "NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB PCIe"),
]


def little(value: int, size: int) -> bytes:
    """A number as the chain writes it."""
    return value.to_bytes(size, "little", signed=value < 0)


def market_bytes(
    price: int, nodes: Sequence[str] = (), jobs: Sequence[str] = (), *, minimum: int = 0, access: str = "1" * 32, pad: int = 10_211
) -> bytes:
    """A market account, field by field as the sheet of its layout has them."""
    queue, kind = (nodes, 1) if nodes else (jobs, 0) if jobs else ((), 255)
    head = bytes.fromhex(DISCRIMINATORS["market"]) + b"\x11" * 32 + little(345_600, 8) + little(price, 8) + little(7200, 8) + b"\x04"
    middle = b"\x22" * 32 + b"\xff" + base58.b58decode(access) + little(minimum, 16)
    data = head + middle + little(kind, 1) + little(len(queue), 4) + b"".join(base58.b58decode(each) for each in queue)
    return data.ljust(pad, b"\0")


def job_bytes(market: str, state: int = 0, price: int = 318) -> bytes:
    """A job account."""
    head = bytes.fromhex(DISCRIMINATORS["job"]) + b"\0" * 64 + base58.b58decode(market) + base58.b58decode(OURS) + b"\x33" * 32
    return head + little(price, 8) + b"\x44" * 32 + little(state, 1) + little(0, 8) + little(0, 8) + little(3660, 8)


def run_bytes(job: str, node: str = OURS) -> bytes:
    """A run account."""
    keys = b"".join(base58.b58decode(each) for each in (job, node, key(5)))
    return bytes.fromhex(DISCRIMINATORS["run"]) + keys + b"\x01" + little(1_764_226_351, 8)


def stake_bytes(authority: str, xnos: int) -> bytes:
    """A stake account."""
    head = bytes.fromhex(DISCRIMINATORS["stake"]) + little(0, 8) + base58.b58decode(authority) + little(1_209_600, 8)
    return head + little(0, 8) + b"\x55" * 32 + b"\xfe" + little(xnos, 16)


def account(data: bytes, owner: str = JOBS) -> dict[str, Any]:
    """An account as JSON-RPC gives it."""
    return {"data": [base64.b64encode(data).decode(), "base64"], "executable": False, "lamports": 1, "owner": owner, "space": len(data)}


class Nosana:
    """The API and the chain. Its parts may be changed before it is asked; ``asked`` counts the questions."""

    def __init__(self) -> None:
        self.markets: Any = json.loads(json.dumps(MARKETS))
        self.running: Any = {COMMUNITY: {"running": 6}, PREMIUM: {"running": 9}, SMALL: {"running": 2}, H100: {"running": 5}}
        self.stats: Any = {
            "completed": 3_542_223,
            "duration": "12346915572",
            "price": "2460068.333099",
            "usdReward": "2217285.464934",
            "retrieved": 1,
            "markets": [{"market": COMMUNITY, "name": None, "completed": 100, "duration": 720_000, "price": 141.12, "usdReward": 43.635}],
        }
        self.countries: Any = {
            "data": [{"country": "US", "running": 30, "queue": 50, "offline": 9, "total": 89}, {"running": 10, "queue": 9}]
        }
        self.accounts: dict[str, bytes | None] = {
            COMMUNITY: market_bytes(196, [key(1), key(2)]),
            PREMIUM: market_bytes(261, minimum=10_000_000, access=key(900)),
            SMALL: market_bytes(39, jobs=[key(3)]),
            H100: market_bytes(1225, [key(4)]),
            WHOLE: market_bytes(16_350),
            A100_40: market_bytes(500),
            A100_80: market_bytes(800),
        }
        self.jobs: dict[str, bytes] = {}
        self.runs: dict[str, bytes] = {}
        self.stakes: dict[str, bytes] = {}
        self.specs: Any = {"marketAddress": COMMUNITY, "jobAddress": None}
        self.history: Any = {"jobs": [], "totalJobs": 0}
        self.prices: Any = {"nosana": {"usd": NOS_USD, "last_updated_at": int(NOW.timestamp())}}
        self.down: Callable[[httpx.Request], httpx.Response | None] = lambda _: None
        """Says what a request gets instead of the truth."""
        self.asked: Counter[str] = Counter()

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The whole internet, as far as it is there."""
        path, call = request.url.path.removeprefix("/api"), json.loads(request.content) if request.method == "POST" else None
        self.asked[f"{request.url.host} {call['method'] if call else path}"] += 1
        return self.down(request) or httpx.Response(200, json=self.rpc(call) if call else self.get(path))

    def get(self, path: str) -> Any:
        """The API's answer, or CoinGecko's."""
        routes = {"/markets/": self.markets, "/jobs/running": self.running, "/jobs/stats": self.stats, "/jobs": self.history}
        return {**routes, "/stats/nodes-country": self.countries, "/v3/simple/price": self.prices}.get(path, self.specs)

    def rpc(self, asked: Mapping[str, Any]) -> Any:
        """The chain's answer."""
        first, options = asked["params"]
        if asked["method"] == "getMultipleAccounts":
            found = [self.accounts.get(each) for each in first]
            result: Any = {"context": {"slot": 355_000_000}, "value": [None if each is None else account(each) for each in found]}
        else:
            result = [{"pubkey": address, "account": account(data, first)} for address, data in self.searched(options["filters"])]
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}

    def searched(self, filters: Sequence[Mapping[str, Any]]) -> list[tuple[str, bytes]]:
        """Accounts that hold what is searched for, as the chain compares bytes."""
        wanted = [(each["memcmp"]["offset"], base58.b58decode(each["memcmp"]["bytes"])) for each in filters]
        every = {**self.jobs, **self.runs, **self.stakes}
        return [(address, data) for address, data in every.items() if all(data[at:].startswith(part) for at, part in wanted)]

    def kit(self, devices: Sequence[Device], folder: Path, clock: Clock | None = None) -> Kit:
        """A kit that reaches this and nothing else."""
        clock = clock or SimClock(NOW)
        http = Http(clock, transport=httpx.MockTransport(self.handle)).as_("nosana")
        return Kit(NetworkId("nosana"), clock, devices, folder, http, Tokens(http, clock))


def gpu(number: int = 0, model: str = "NVIDIA GeForce RTX 4090", memory: int = 24) -> Device:
    """A device of the rig."""
    return Device(DeviceId(f"GPU-{number}"), model, memory, index=number)
