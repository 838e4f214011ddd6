"""Every recorded answer of Nosana is read, and gives the numbers that are known of it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.errors import Transient
from autopilot.kit.http import Http
from autopilot.model.device import Device, DeviceId
from autopilot.model.market import Quote
from autopilot.sim.clock import SimClock
from autopilot.units import UsdPerHour
from autopilot_adapters.nosana import answers, codec
from autopilot_adapters.nosana.adapter import NosanaSettings, nosana_network
from autopilot_adapters.nosana.names import gpus_of, takes
from autopilot_adapters.nosana.reading import is_address

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))
SAMPLES = os.environ.get("AUTOPILOT_TEST_SAMPLES")
pytestmark = pytest.mark.skipif(not SAMPLES, reason="AUTOPILOT_TEST_SAMPLES names no folder of recorded answers")
OTHER = {"schema_http.json", "stats_2026-03-24.json", "node-report_2026-03_field-examples.json", "stake_2026-03_field-examples.json"}
"""A schema, and answers to questions that are not asked."""


def sample(name: str) -> Any:
    """One file."""
    return json.loads((Path(SAMPLES or "") / "nosana" / name).read_text())


def the_4090() -> Device:
    """The GPU of the recorded node."""
    return Device(DeviceId("GPU-0"), sample("node-info_2026-03_field-examples.json")["info"]["gpus"]["devices"][0]["name"], 24)


def quote_of(nosana: Any, folder: Path) -> Quote:
    """What the community market quotes."""
    source = nosana_network(NosanaSettings(), nosana.kit([the_4090()], folder))
    found = next(each for each in source.quotes([the_4090()]) if each.venue.market == "nvidia-4090-community")

    assert isinstance(found, Quote)
    return found


def test_the_listed_market(tmp_path: Path) -> None:
    """0.000196 NOS/s for the host, 10 % more for the client; 0.218175 $ an hour, so 0.309 $ a NOS."""
    nosana = W.Nosana()
    nosana.markets, nosana.prices = sample("markets_kit-fixture.json"), {}
    quote = quote_of(nosana, tmp_path)

    assert quote.native is not None
    assert (Decimal("0.7056"), Decimal("0.3092")) == (quote.native.per_hour, round(quote.native.usd_per_token, 4))
    assert UsdPerHour.of("0.218175") == quote.gross


def test_the_recorded_job(tmp_path: Path) -> None:
    """A price of 318 is 1.1448 NOS an hour, and with 0.34934717 $ an hour 0.305 $ a NOS."""
    nosana, job = W.Nosana(), sample("job_kit-fixture.json")
    nosana.markets = sample("markets_kit-fixture.json")
    nosana.markets[0].update(
        nos_reward_per_second=job["price"] / 1e6, nos_job_price_per_second=None, usd_reward_per_hour=job["usdRewardPerHour"]
    )
    nosana.accounts[W.COMMUNITY], nosana.prices = W.market_bytes(job["price"]), {}
    quote = quote_of(nosana, tmp_path)
    read = answers.job({**job, "address": W.key(1)}, "job")

    assert quote.native is not None
    assert (Decimal("1.1448"), Decimal("0.305")) == (quote.native.per_hour, round(quote.native.usd_per_token, 3))
    assert (Decimal("0.34934717"), timedelta(seconds=3660)) == (read.usd_per_hour, read.timeout)


def test_the_statistics() -> None:
    """3.54 million jobs, 3.43 million hours, 2.217 million dollars: 58 minutes each, 0.65 $ an hour."""
    past = answers.past(sample("jobs-stats_2026-03-24_excerpt.json"))[""]

    assert past.mean is not None
    assert 58 == round(past.mean / timedelta(minutes=1))
    assert Decimal("0.65") == round(past.usd * 3600 / past.seconds, 2)


def test_running_jobs_and_a_node() -> None:
    """One job in the market of the 4090; the node of that market runs none."""
    shape = sample("jobs-running_shape.json")
    specs = answers.specs(sample("node-specs_2026-03_field-examples.json"))

    assert {W.PREMIUM: 1} == answers.running(shape)
    assert answers.NodeSpecs(W.PREMIUM, None) == specs


def test_the_map_of_markets() -> None:
    """Every address is one, and the labels say how many GPUs their nodes have."""
    tiers = sample("market_map.json")
    labels = {label: where for tier in ("premium", "community") for label, where in tiers[tier].items()}

    assert all(map(is_address, labels.values()))
    assert {"8xH100": 8, "8xA5000": 8} == {label: gpus_of(label) for label in labels if gpus_of(label) > 1}


def test_the_published_prices() -> None:
    """Eight H100 at 18.20 $ make 2.275 $ for each."""
    rows = {row["market"]: Decimal(str(row["usd_per_hour"])) for row in sample("prices_2026-09-03_snapshot.json")["rows"]}
    whole = next(name for name in rows if gpus_of(name.split()[0]) > 1)

    assert Decimal("2.275") == rows[whole] / gpus_of(whole.split()[0])


def test_the_accounts() -> None:
    """Each gives what is expected of it."""
    file = sample("solana_accounts_SYNTHETIC.json")
    for name, expected in file["expected"].items():
        found = codec.market_account(base64.b64decode(file["markets"][name]["result"]["value"]["data"][0]))

        assert (expected["job_price"], expected["queue_type"], expected["queue"]) == (found.job_price, found.queue_type, list(found.queue))
    decoders: dict[str, Callable[[bytes], Any]] = {"job": codec.job_account, "stake": codec.stake_account}
    for kind, decode in decoders.items():
        account = decode(base64.b64decode(file[f"{kind}_account"]["data"][0]))

        assert file[f"expected_{kind}"] == {field: getattr(account, field) for field in file[f"expected_{kind}"]}
    run = codec.run_account(base64.b64decode(file["program_accounts_runs"]["result"][0]["account"]["data"][0]))

    assert file["expected_run"] == {field: getattr(run, field) for field in file["expected_run"]}
    assert file["discriminators_base58"] == {
        "market": codec.MARKET.mark,
        "job": codec.JOB.mark,
        "run": codec.RUN.mark,
        "stake": codec.STAKE.mark,
    }


def test_the_layouts() -> None:
    """The sizes and the places that accounts are searched by."""
    schema = sample("schema_accounts.json")
    fields = schema["JobAccount"]["fields"]

    assert [233, 113, 113] == [schema[kind]["size"] for kind in ("JobAccount", "RunAccount", "StakeAccount")]
    assert (fields["market"]["offset"], fields["state"]["offset"]) == (codec.JOB_MARKET_AT, codec.JOB_STATE_AT)
    assert schema["StakeAccount"]["fields"]["authority"]["offset"] == codec.STAKE_AUTHORITY_AT
    assert schema["StakeAccount"]["program"] == codec.STAKING_PROGRAM
    for kind, known in {"Market": codec.MARKET, "Job": codec.JOB, "Run": codec.RUN, "Stake": codec.STAKE}.items():
        assert bytes.fromhex(schema[f"{kind}Account"]["discriminator_hex"]) == known.discriminator


def test_the_rate_limit(tmp_path: Path) -> None:
    """Is silence."""
    nosana = W.Nosana()
    nosana.down = lambda _: httpx.Response(429, json=sample("rate-limit_429.json"))

    with pytest.raises(Transient, match="answered 429"):
        quote_of(nosana, tmp_path)


def test_no_sample_is_forgotten() -> None:
    """Each is read above, or is known to be something else."""
    read = Path(__file__).read_text(encoding="utf-8")
    names = {file.name for file in (Path(SAMPLES or "") / "nosana").glob("*.json")}

    assert {name for name in names - OTHER if f'"{name}"' not in read} == set()


def test_the_recorded_gpu_is_served() -> None:
    """Its name is one of the market's."""
    assert takes(sample("markets_kit-fixture.json")[0]["gpu_types"], the_4090())


def test_a_recorded_answer_is_no_answer_to_another_question() -> None:
    """Whatever file is sent in place of the markets: an error of ours, or markets, and nothing else."""
    for file in sorted((Path(SAMPLES or "") / "nosana").glob("*.json")):
        body = file.read_bytes()
        http = Http(SimClock(W.NOW), transport=httpx.MockTransport(lambda _, body=body: httpx.Response(200, content=body)))  # type: ignore[misc]
        json_said = http.get("https://a.example/markets/").json
        if file.name == "markets_kit-fixture.json":
            assert 1 == len(answers.markets(json_said, lambda _: True))
        else:
            with pytest.raises(answers.Nonsense):
                answers.markets(json_said, lambda _: True)
