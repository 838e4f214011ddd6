"""The doctor: each look finds what is wrong and says what to do, and none stops another."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from autopilot.clock import SystemClock
from autopilot.doctor import engines, host, memory, prices
from autopilot.doctor.finding import Check, Finding, Verdict, bad, examine, ok, warn
from autopilot.doctor.networks import checks
from autopilot.errors import ConfigError, Refused, Transient
from autopilot.kit.http import Http
from autopilot.kit.token_sources import Keys
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.model.gpu import Ailment, Census, Condition
from autopilot.store.store import Store
from autopilot.store.wishes import Want, Wish
from shared.servers import Desk, served

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
GPU = Device(DeviceId("GPU-0000"), "RTX 4090", index=0)


class Frozen:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW

    def wait(self, span: timedelta, until: threading.Event) -> bool:  # noqa: ARG002
        return until.is_set()


def verdicts(findings: Iterator[Finding] | Sequence[Finding]) -> list[tuple[str, str]]:
    """What each finding is about, and how it is."""
    return [(each.about, each.verdict.value) for each in findings]


def test_a_look_that_fails_or_hangs_stops_no_other() -> None:
    """Each is a finding itself, with a remedy, in the order of the checks."""
    never = threading.Event()

    def wrong() -> Sequence[Finding]:
        raise ConfigError("a key is wrong; write it right")

    def broken() -> Sequence[Finding]:
        raise ZeroDivisionError

    def hung() -> Sequence[Finding]:
        never.wait()
        return []

    looks = {"wrong": wrong, "broken": broken, "hung": hung, "well": lambda: [ok("well", "it is")]}
    found = list(examine([Check(about, look, timedelta(seconds=0.3)) for about, look in looks.items()]))
    never.set()

    assert [("wrong", "bad"), ("broken", "bad"), ("hung", "bad"), ("well", "ok")] == verdicts(found)
    assert bad("wrong", "a key is wrong", "write it right") == found[0]
    assert "no answer within 0.3s" == found[2].words
    assert all(each.remedy for each in found if each.verdict is not Verdict.OK)


@pytest.mark.parametrize(
    ("seconds", "verdict", "words"),
    [
        (2, "ok", "the clock is 2 s behind the host that answered"),
        (-40, "warn", "the clock is 40 s ahead of the host that answered"),
        (900, "bad", "the clock is 900 s behind the host that answered"),
    ],
)
def test_drift_is_told_by_the_answers(seconds: int, verdict: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the Date header of whoever answered, whatever the kernel says of itself."""
    monkeypatch.setattr(host, "synchronised", lambda: True)
    dated = f"{NOW + timedelta(seconds=seconds):%a, %d %b %Y %H:%M:%S} GMT"
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}, headers={"date": dated}))
    with closing(Http(Frozen(), transport=transport)) as http:
        http.get("https://network.example/rates")
        (found,) = host.time(http.drifts())

    assert (verdict, words) == (found.verdict.value, found.words)


def test_an_answer_out_of_a_cache_is_no_drift() -> None:
    """It says how old it is; and one that tells no date tells nothing."""
    headers = [{"date": f"{NOW - timedelta(minutes=10):%a, %d %b %Y %H:%M:%S} GMT", "age": "600"}, {"date": "yesterday"}]
    answers = iter(headers)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={}, headers=next(answers)))
    with closing(Http(Frozen(), transport=transport)) as http:
        http.get("https://cached.example/rates")
        http.get("https://undated.example/rates")

        assert {"cached.example": timedelta(0)} == {name.partition(":")[0]: drift for name, drift in http.drifts().items()}


def test_a_clock_that_nobody_keeps_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where it is right today; where the kernel does not tell, nothing is claimed."""
    monkeypatch.setattr(host, "synchronised", lambda: False)
    unkept = verdicts(host.time({"a": timedelta(0)}))
    monkeypatch.setattr(host, "synchronised", lambda: None)
    untold = list(host.time({}))

    assert [("clock", "ok"), ("clock", "warn")] == unkept
    assert ["nobody answered to compare it with; the kernel does not tell whether somebody keeps it"] == [each.words for each in untold]


def test_the_kernel_is_asked() -> None:
    """It says yes or no, or that it does not tell; it is not set."""
    assert host.synchronised() in (True, False, None)


def test_an_open_configuration_with_keys_is_a_warning(tmp_path: Path) -> None:
    """One that others may read is one that holds no key."""
    config = tmp_path / "autopilot.toml"
    config.touch(mode=0o644)
    state = tmp_path / "autopilot.db"
    open_one = list(host.permissions(state, config, secret=True))
    harmless = list(host.permissions(state, config, secret=False))
    config.chmod(0o600)
    closed = list(host.permissions(state, config, secret=True))
    nowhere = list(host.permissions(tmp_path / "gone" / "autopilot.db", None, secret=False))

    assert [("permissions", "ok"), ("permissions", "warn")] == verdicts(open_one)
    assert f"chmod 600 {config}" == open_one[1].remedy
    assert [("permissions", "ok")] == verdicts(harmless) == verdicts(closed)
    assert [f"make it: mkdir -p {tmp_path / 'gone'}"] == [each.remedy for each in nowhere]


def test_a_gpu_that_ails_beside_others_is_a_warning() -> None:
    """Where none is left, it is bad; the remedy is the driver's."""
    lost = Ailment(Condition.LOST, "GPU-1: the GPU fell off the bus: reboot")
    sliced = Ailment(Condition.SLICED, "GPU-1: MIG is on, and slices are not served; `nvidia-smi -mig 0` makes it whole again")

    assert [("gpus", "warn")] == verdicts(host.ailing(Census((GPU,), (lost,))))
    assert [("gpus", "bad")] == verdicts(host.ailing(Census((), (lost,))))
    assert ["`nvidia-smi -mig 0` makes it whole again"] == [each.remedy for each in host.ailing(Census((GPU,), (sliced,)))]
    assert [("gpus", "bad")] == verdicts(host.ailing(Census(())))


def test_each_engine_of_a_node_is_looked_at_once() -> None:
    """Wherever the table of a node stands, and none that no node names."""
    networks = {
        "akash": {"node": {"refusal": "/x", "namespace": "akash"}},
        "bittensor": {"lium": {"node": {"image": "a:1"}}, "miners": [{"node": {"pm2": "miner"}}, {"node": {"image": "b:1"}}]},
        "mine": {"node": {"unit": "miner.service", "user": True}},
    }

    assert ["docker", "systemd", "pm2", "kubernetes"] == [check.about for check in engines.checks(networks)]
    assert [] == list(engines.checks({"akash": {}, "image": {"x": 1}}))


@pytest.mark.parametrize(
    ("node", "program", "script", "verdict"),
    [
        ({"unit": "miner.service"}, "systemctl", "echo degraded; exit 1", "ok"),
        ({"unit": "miner.service"}, "systemctl", "echo offline; exit 1", "bad"),
        ({"pm2": "miner"}, "pm2", "echo banner; echo '[]'", "ok"),
        ({"pm2": "miner"}, "pm2", "echo broken >&2; exit 1", "bad"),
        ({"pm2": "miner"}, "other", "", "bad"),
        ({"kubeconfig": "/nowhere"}, "other", "", "bad"),
    ],
)
def test_an_engine_answers_or_is_bad(
    node: dict[str, str], program: str, script: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what its own program or socket says, with a remedy where it does not."""
    (tmp_path / program).write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (found,) = examine(list(engines.checks({"mine": {"node": node}})))

    assert verdict == found.verdict.value
    assert (verdict == "bad") == bool(found.remedy)


class Engine(Desk):
    """An engine of containers that tells its version."""

    def answer(self) -> None:
        self.say_json({"ApiVersion": "1.45", "Version": "27.1"})


def test_an_engine_of_containers_tells_its_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the address that the environment names."""
    with served(Engine) as address:
        monkeypatch.setenv("DOCKER_HOST", address.replace("http://", "tcp://"))
        found = list(examine(list(engines.checks({"mine": {"node": {"image": "x:1"}}}))))

    assert [ok("docker", "version 27.1")] == found


def beat(store: Store, at: datetime, **more: Any) -> None:
    """A sign of life."""
    body = {"strategy": "stay", "live": True, "tick_seconds": 15, "speed": 1, "devices": [["GPU-0000", "RTX 4090", 0]]}
    store.journal.beat(at, at, 7, {**body, "silent": {}, "quarantine": {}, **more})


def test_a_state_file_tells_what_stands_in_it(store: Store, path: Path) -> None:
    """Soundness, the daemon, silent networks, fences, wishes, and what is not learned yet."""
    now = SystemClock().now()
    beat(store, now, silent={"akash": "no answer"}, ignorance="nothing learned yet")
    store.journal.fence(GPU.id, now, "it did not stop")
    store.wishes.add(Wish(Want.HOLD, now, device=GPU.id))
    found = list(memory.state_file(path, SystemClock()))

    assert [
        ("state file", "ok"),
        ("daemon", "ok"),
        ("daemon", "warn"),
        ("fenced GPUs", "bad"),
        ("wishes", "ok"),
        ("learned", "warn"),
    ] == verdicts(found)
    assert "autopilot lift GPU-0" in found[3].remedy


def test_a_daemon_that_is_gone_is_a_warning(store: Store, path: Path) -> None:
    """Nobody has ticked for an hour."""
    beat(store, SystemClock().now() - timedelta(hours=1))

    assert ("daemon", "warn") in verdicts(memory.state_file(path, SystemClock()))


def test_a_damaged_state_file_is_found(store: Store, path: Path) -> None:
    """By SQLite's own look at its pages."""
    store.journal.arrivals()
    for number in range(400):
        store.journal.fence(DeviceId(f"GPU-{number}"), NOW, "w" * 400)
    store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 20 * 4096)
        file.write(b"\xff" * 4096 * 10)
    found = list(examine([Check("state file", lambda: list(memory.state_file(path, SystemClock())))]))

    assert ("state file", "bad") == verdicts(found)[0]
    assert "restore a copy" in found[0].remedy


def test_a_sound_state_file_with_rates_is_sound(store: Store, path: Path) -> None:
    """The quick look of SQLite 3.40 says otherwise of tables whose key has another order than their columns."""
    store.connection.execute("INSERT INTO rates (network, gpu, hour) VALUES ('akash', 'H100', '2026-09-01T00:00:00.000000+00:00')")

    assert Verdict.OK is memory.sound(store, path).verdict


def test_no_state_file_is_no_trouble(tmp_path: Path) -> None:
    """It is made by the first flight."""
    assert [("state file", "ok")] == verdicts(memory.state_file(tmp_path / "autopilot.db", SystemClock()))


def priced(request: httpx.Request) -> httpx.Response:
    """CoinGecko knows three tokens, Kraken knows AKT, and Binance is not to be reached."""
    if request.url.host == "api.coingecko.com":
        coins = ("akash-network", "nosana", "bittensor")
        return httpx.Response(200, json={coin: {"usd": 0.5, "last_updated_at": int(NOW.timestamp())} for coin in coins})
    if request.url.host == "api.kraken.com":
        if request.url.params["pair"] != "AKTUSD":
            return httpx.Response(200, json={"error": ["EQuery:Unknown asset pair"]})
        return httpx.Response(200, json={"error": [], "result": {"AKTUSD": {"a": ["0.5"], "b": ["0.5"], "c": ["0.5"]}}})
    return httpx.Response(403, text="not here")


def test_each_token_is_told_by_each_of_its_sources() -> None:
    """Two that agree are well, the only one that lists it too; one beside silent ones is a warning, and so is none."""
    with closing(Http(Frozen(), transport=httpx.MockTransport(priced))) as http:
        found = {each.about: each for each in prices.tokens(http, Frozen(), Keys())}

    assert "binance: https://data-api.binance.vision/api/v3/ticker/price" in found["price source"].words
    assert ok("price of AKT", "0.5 $ by coingecko, 0.5 $ by kraken") == found["price of AKT"]
    assert ok("price of NOS", "0.5 $ by coingecko") == found["price of NOS"]
    assert (
        warn("price of TAO", "0.5 $ by coingecko; nothing by binance, kraken", "nothing to do: it counts, unconfirmed")
        == (found["price of TAO"])
    )
    assert "nothing by binance, coingecko, kraken" == found["price of SOL"].words


@dataclass
class Stub:
    """An adapter that says one thing, and whose node cannot be looked at."""

    error: Exception
    payouts: None = None

    @property
    def network(self) -> NetworkId:
        return NetworkId("stub")

    @property
    def rates(self) -> Stub:
        return self

    @property
    def node(self) -> Stub:
        return self

    def quotes(self, devices: Sequence[Device]) -> Sequence[Any]:  # noqa: ARG002
        raise self.error

    def observe(self, device: Device) -> Any:  # noqa: ARG002
        raise Transient(self.network, "no engine answers")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (Refused("stub", "answered 401"), "give [networks.stub] the right key or address; what it says stands there"),
        (Transient("stub", "answered 500"), "see whether this host reaches it; the last quotes count until they expire"),
    ],
)
def test_a_network_that_refuses_is_told_from_one_that_is_away(error: Exception, remedy: str) -> None:
    """And its node is looked at all the same, once for all GPUs that say the same."""
    adapters: Any = {NetworkId("stub"): Stub(error)}
    devices = (GPU, Device(DeviceId("GPU-1111"), "RTX 4090", index=1))
    found = list(examine(list(checks(adapters, devices, Frozen(), timedelta(seconds=5)))))

    assert [("stub", "bad"), ("stub", "bad")] == verdicts(found)
    assert [str(error).removeprefix("stub: "), "its node cannot be looked at: no engine answers"] == [each.words for each in found]
    assert remedy == found[0].remedy
