"""What the console API of Akash says is read strictly, and whatever is wrong is said in one line that names the field."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from autopilot.errors import Refused, Transient
from autopilot.kit.http import Http
from autopilot.kit.prices import OwnPrice
from autopilot.kit.reading import Field
from autopilot.sim.clock import SimClock
from autopilot_adapters.akash.wire import Asks, Console, Day, Earnings, Kind, Provider, days, earnings, gpu_rows, leases, provider

NOW = datetime(2026, 7, 17, 20, 7, tzinfo=UTC)
SAID = json.loads(Path(__file__).parents[2].joinpath("data/akash/console.json").read_text())
OURS = "akash18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"
H100: Kind = ("nvidia", "h100")
RTX4090: Kind = ("nvidia", "rtx4090")
DEPLOYMENTS = f"/v1/providers/{OURS}/deployments/0/100"

UNREADABLE: dict[str, Any] = {
    "text": "a lot",
    "unicode digits": "\u0662.\u0665",
    "NaN as text": "NaN",
    "infinity as text": "Infinity",
    "beyond all bounds": 1e308,
    "below nought": -1,
    "a boolean": True,
    "an object": {"USD": 2.5},
    "a huge whole number": 10**300,
    "an underscore": "2_5",
}


def field(value: Any, name: str = "gpu-prices") -> Field:
    """An answer that was heard."""
    return Field("akash", f"{name}:", copy.deepcopy(value))


def changed(path: str, *keys: str | int, value: Any) -> Any:
    """The answer of a path with one value in it changed."""
    answer = copy.deepcopy(SAID[path])
    inner = answer
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    return answer


def without(path: str, *keys: str | int) -> Any:
    """The answer of a path with one member renamed."""
    answer = copy.deepcopy(SAID[path])
    inner = answer
    for key in keys[:-1]:
        inner = inner[key]
    inner[f"{keys[-1]}New"] = inner.pop(keys[-1])
    return answer


def console(serve: Callable[[httpx.Request], httpx.Response]) -> Console:
    """The API, answered by a function."""
    clock = SimClock(NOW)
    return Console(Http(clock, network="akash", transport=httpx.MockTransport(serve)), "https://console.test/")


def saying(*answers: Any) -> Console:
    """The API that gives one answer after another."""
    left = list(answers)
    return console(lambda _: httpx.Response(200, json=left.pop(0)))


def test_a_row_is_read_with_all_that_matters() -> None:
    """Asks in dollars for a GPU-hour, and the GPUs that are leased."""
    rows = gpu_rows(field(SAID["/v1/gpu-prices"]), {H100})

    assert Asks(Decimal("2.04"), Decimal("3.16"), Decimal("2.56"), Decimal("2.72")) == rows[0].asks
    assert (68, 15, 53, 80, "sxm", "gpu-prices:models[0]") == (*(rows[0].total, rows[0].available, rows[0].leased), 80, "sxm", rows[0].path)
    assert [("80Gi", "SXM5"), ("80Gi", "PCIe")] == [(row.ram, row.interface) for row in rows]


def test_a_null_price_is_no_price() -> None:
    """Nobody made a usable bid: that is not nought."""
    assert gpu_rows(field(SAID["/v1/gpu-prices"]), {H100})[1].asks is None


@pytest.mark.parametrize("written", ["SXM5", "sxm", "SXM4", "Sxm2"])
def test_interfaces_are_compared_by_prefix(written: str) -> None:
    """Live answers and lists of models write it in several ways."""
    answer = changed("/v1/gpu-prices", "models", 0, "interface", value=written)

    assert "sxm" == gpu_rows(field(answer), {H100})[0].family


def test_a_model_is_found_however_it_is_written() -> None:
    """Lower case without spaces is the rule, and no more than that."""
    answer = changed("/v1/gpu-prices", "models", 0, "model", value="H100 ")

    assert 2 == len(gpu_rows(field(answer), {H100}))


def test_numbers_as_text_are_numbers() -> None:
    """Plain digits only."""
    answer = changed("/v1/gpu-prices", "models", 0, "price", "med", value="2.56")

    assert gpu_rows(field(SAID["/v1/gpu-prices"]), {H100}) == gpu_rows(field(answer), {H100})


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize(
    "keys", [("price", "med"), ("price", "min"), ("price", "weightedAverage"), ("availability", "total")], ids=".".join
)
def test_a_figure_that_makes_no_sense_is_refused_by_name(keys: tuple[str, str], value: Any) -> None:
    """Never read as nought, and never as what it might have meant."""
    answer = changed("/v1/gpu-prices", "models", 0, *keys, value=value)
    with pytest.raises(Transient, match=rf"^akash: gpu-prices:models\[0\]\.{'.'.join(keys)} should be a number from .*, not "):
        gpu_rows(field(answer), {H100})


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("price", "min"), 0),  # cents that were rounded away, or a default of a broken release
        (("price", "med"), 3.18),  # the median lies between the least and the most
        (("price", "weightedAverage"), 2.02),
        (("price", "max"), 250),
        (("price", "max"), 2.0),
        (("price", "currency"), "uakt"),
        (("price",), 2.56),
        (("availability", "available"), 69),  # more than there are
        (("availability", "available"), 1.5),
        (("availability", "total"), 18446744073709551615),  # below nought in 64 bits without a sign: it has happened
        (("availability", "total"), None),
        (("ram",), None),
        (("interface",), 5),
    ],
)
def test_figures_that_contradict_each_other_are_refused(keys: tuple[str, ...], value: Any) -> None:
    """Units that were mixed up show so."""
    with pytest.raises(Transient, match=r"^akash: gpu-prices:models\[0\]\."):
        gpu_rows(field(changed("/v1/gpu-prices", "models", 0, *keys, value=value)), {H100})


@pytest.mark.parametrize(
    "keys", [("models",), *(("models", 0, name) for name in ("vendor", "model", "ram", "interface", "price", "availability"))]
)
def test_a_field_that_was_renamed_is_missed(keys: tuple[str | int, ...]) -> None:
    """A missing price is not a null price: the API has changed, and nothing can be concluded."""
    with pytest.raises(Transient, match=rf"{keys[-1]} is missing from the answer$"):
        gpu_rows(field(without("/v1/gpu-prices", *keys)), {H100})


@pytest.mark.parametrize(
    "answer", [None, [], "closed", 7, {"models": {}}, {"models": None}, {"models": []}, {"models": ["h100"]}, {"models": [None]}]
)
def test_an_answer_of_another_shape_is_refused(answer: Any) -> None:
    """A network without a single GPU is a broken index too."""
    with pytest.raises(Transient, match=r"^akash: gpu-prices:"):
        gpu_rows(field(answer), {H100})


def test_the_broken_inventory_of_another_model_is_not_our_concern() -> None:
    """Its count wrapped below nought; ours did not."""
    assert 1 == len(gpu_rows(field(SAID["/v1/gpu-prices"]), {RTX4090}))
    with pytest.raises(Transient, match=r"models\[11\]\.availability\.total"):
        gpu_rows(field(SAID["/v1/gpu-prices"]), {("nvidia", "t4")})


def test_a_row_that_comes_twice_counts_once() -> None:
    """Its GPUs are not twice as many."""
    rows = SAID["/v1/gpu-prices"]["models"]

    assert gpu_rows(field({"models": rows}), {RTX4090}) == gpu_rows(field({"models": [*rows, rows[6]]}), {RTX4090})


def test_two_rows_of_one_name_that_differ_are_refused() -> None:
    """Nobody can tell which is right."""
    rows = changed("/v1/gpu-prices", "models", 6, "price", "min", value=0.2)["models"]
    with pytest.raises(Transient, match="says two things of one"):
        gpu_rows(field({"models": [*rows, SAID["/v1/gpu-prices"]["models"][6]]}), {RTX4090})


def test_own_leases_are_those_that_are_active_hold_gpus_and_are_ours() -> None:
    """A deployment may lease from others as well, and a lease without a GPU tells nothing about one."""
    found = leases(field(SAID[DEPLOYMENTS], "deployments"), OURS)

    assert [("uact", Decimal("4262.041502"), 1), ("uact", Decimal(8000), 2)] == [(each.denom, each.per_block, each.gpus) for each in found]


@pytest.mark.parametrize("state", ["closed", "insufficient_funds", "reclaiming"])
def test_a_lease_that_ends_is_not_counted(state: str) -> None:
    """Only what is paid on and on."""
    answer = changed(DEPLOYMENTS, "deployments", 0, "leases", 0, "status", value=state)

    assert [Decimal(8000)] == [each.per_block for each in leases(field(answer, "deployments"), OURS)]


@pytest.mark.parametrize("value", UNREADABLE.values(), ids=UNREADABLE)
def test_a_lease_whose_price_makes_no_sense_is_refused(value: Any) -> None:
    """By the path of its price."""
    answer = changed(DEPLOYMENTS, "deployments", 0, "leases", 0, "price", value=value)
    with pytest.raises(Transient, match=r"^akash: deployments:deployments\[0\]\.leases\[0\]\.price should be a number"):
        leases(field(answer, "deployments"), OURS)


def test_a_provider_is_its_models_and_its_gpus() -> None:
    """Leased, free and on hold."""
    assert Provider(frozenset({H100}), 8) == provider(field(SAID[f"/v1/providers/{OURS}"], "providers"))


def test_earnings_are_in_millionths() -> None:
    """Of each token, and of a dollar: what is more than the ACT is the worth of the AKT."""
    sums = earnings(field(SAID[f"/v1/provider-earnings/{OURS}"], "provider-earnings"))

    assert Earnings(Decimal(412), Decimal("1.5"), Decimal("412.815207")) == sums
    assert Decimal("0.543471") == round(sums.usd_per_akt or 0, 6)


def test_what_is_told_under_two_names_counts_once() -> None:
    """The API gives the sum of ACT and USDC under either name; where they differ, nobody knows what they mean."""
    path, name = f"/v1/provider-earnings/{OURS}", "totalUUsdcEarned"
    both = earnings(field(changed(path, "earnings", name, value=412000000), "provider-earnings"))

    assert (Decimal(412), Decimal("412.815207")) == (both.act, both.usd)
    with pytest.raises(Transient, match=r"provider-earnings:earnings\.totalUUsdcEarned should be what totalUActEarned is"):
        earnings(field(changed(path, "earnings", name, value=5), "provider-earnings"))


@pytest.mark.parametrize("usd", [411000000, 1.5e9 + 412e6 + 1e3])
def test_dollars_that_are_not_the_worth_of_the_tokens_are_refused(usd: float) -> None:
    """Less than the ACT, or more than any AKT was ever worth: some unit was mixed up."""
    answer = changed(f"/v1/provider-earnings/{OURS}", "earnings", "totalUUsdEarned", value=usd)
    with pytest.raises(Transient, match=r"should be the worth of 412 ACT and 1\.5 AKT"):
        earnings(field(answer, "provider-earnings"))


@pytest.mark.parametrize("utilisation", ["76.19", 76.19, None, "\u0667\u0666"])
def test_the_days_do_not_depend_on_how_utilisation_is_written(utilisation: Any) -> None:
    """It comes as text although the schema says number: the counts beside it are what is read."""
    answer = changed("/v1/gpu-breakdown", 0, "gpuUtilization", value=utilisation)

    assert Day(datetime(2026, 7, 15, tzinfo=UTC), 63, 48) == days(field(answer, "gpu-breakdown"), H100)[0]


@pytest.mark.parametrize("date", ["2026-02-30T00:00:00.000Z", "today", 1784318820, None, "2026-\u06607-15", "2026-07-15T00:00:00+02:00"])
def test_a_day_must_be_one(date: Any) -> None:
    """Of the calendar, in UTC."""
    with pytest.raises(Transient, match=r"gpu-breakdown:\[0\]\.date should be a date"):
        days(field(changed("/v1/gpu-breakdown", 0, "date", value=date), "gpu-breakdown"), H100)


def test_leases_are_read_page_by_page() -> None:
    """A hundred deployments at a time, and no more pages than there are; one that moved to the next page meanwhile counts once."""
    first = changed(DEPLOYMENTS, "total", value=103)
    second = changed(DEPLOYMENTS, "deployments", 0, "dseq", value="999")
    found, reply = saying(first, {**second, "total": 103}).leases(OURS)

    assert 3 == len(found)
    assert reply.url.endswith("/deployments/100/100?status=active")


def test_more_leases_than_are_read_are_not_a_sample() -> None:
    """Half a figure is none."""
    with pytest.raises(Transient, match="more than 500 active deployments"):
        saying(*[changed(DEPLOYMENTS, "total", value=501)] * 5).leases(OURS)


def test_an_unknown_provider_is_named_with_the_remedy() -> None:
    """Its address is a setting."""
    with pytest.raises(Transient, match=f"^akash: it knows no provider {OURS}: look at 'provider'"):
        console(lambda _: httpx.Response(404, json={"message": "Provider not found"})).provider(OURS)


def test_a_slow_answer_is_waited_for() -> None:
    """Sixteen seconds have been seen: each try has more than thirty."""
    seen: list[float] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request.extensions["timeout"]["read"])
        return httpx.Response(200, json=SAID["/v1/gpu-prices"])

    console(serve).gpu_prices({H100})

    assert seen[0] > 30


def test_the_address_is_what_the_api_documents() -> None:
    """With the filters that keep an answer small."""
    seen: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.raw_path.decode())
        return httpx.Response(200, json=SAID[request.url.path])

    api = console(serve)
    api.days(H100)
    api.leases(OURS)
    api.earnings(OURS, NOW - timedelta(days=7), NOW)

    assert [
        "/v1/gpu-breakdown?vendor=nvidia&model=h100",
        f"{DEPLOYMENTS}?status=active",
        f"/v1/provider-earnings/{OURS}?from=2026-07-10&to=2026-07-17",
    ] == seen


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, b"<html>maintenance</html>", Transient),
        (200, b'{"models": [', Transient),
        (200, b'{"models": [{"vendor": NaN}]}', Transient),
        (200, b"", Transient),
        (429, b"slow down", Transient),
        (500, b"", Transient),
        (302, b"", Transient),
        (401, b'{"message":"unauthorized access"}', Refused),
        (403, b"", Refused),
        (451, b"", Refused),
    ],
)
def test_no_answer_is_one_of_our_errors(status: int, body: bytes, error: type[Exception]) -> None:
    """Which of them depends on whether asking again could help."""
    with pytest.raises(error, match=r"^akash: "):
        console(lambda _: httpx.Response(status, content=body)).gpu_prices({H100})


def test_the_price_of_akt_is_the_oracles() -> None:
    """The only figure of that answer which is kept up."""
    assert OwnPrice(Decimal("0.5434716"), NOW, "akash oracle") == saying(SAID["/v1/market-data"]).akt()


def sample(name: str) -> Field:
    """A recorded answer, where the folder of recordings is at hand."""
    folder = os.environ.get("AUTOPILOT_TEST_SAMPLES")
    if not folder:
        pytest.skip("AUTOPILOT_TEST_SAMPLES names no folder of recorded answers")
    return field(json.loads(Path(folder, "akash", name).read_text()), name)


RECORDED_ROWS: Sequence[tuple[str, Kind, int, int, Asks | None]] = [
    ("gpu-prices_2026-07-17_excerpt.json", ("nvidia", "a100"), 48, 42, Asks(*map(Decimal, ("1.13", "1.83", "1.48", "1.36")))),
    ("gpu-prices_console-test-expected.json", ("amd", "gpu2"), 8, 4, None),
    ("gpu-prices_console-test-expected.json", ("amd", "gpu3"), 16, 8, Asks(*map(Decimal, ("1.2", "1.2", "1.2", "1.2")))),
    ("gpu-prices_console-test-expected.json", ("nvidia", "gpu0"), 2, 1, Asks(*map(Decimal, ("0.6", "0.6", "0.6", "0.6")))),
    ("gpu-prices_console-test-expected.json", ("nvidia", "gpu1"), 4, 2, None),
]


@pytest.mark.parametrize(
    ("name", "kind", "total", "leased", "asks"), RECORDED_ROWS, ids=lambda case: case[1] if isinstance(case, tuple) else ""
)
def test_recorded_prices_are_read(name: str, kind: Kind, total: int, leased: int, asks: Asks | None) -> None:
    """A100 on 2026-07-17: 42 of 48 leased, the weighted average 1.36."""
    (row,) = gpu_rows(sample(name), {kind})

    assert (total, leased, asks) == (row.total, row.leased, row.asks)


@pytest.mark.parametrize(("name", "usd"), [("market-data_2026-07-17.json", "0.5434716"), ("market-data_console-test-expected.json", "1.5")])
def test_recorded_prices_of_akt_are_read(name: str, usd: str) -> None:
    """The on-chain median."""
    assert Decimal(usd) == saying(sample(name).value).akt().usd


def test_the_recorded_breakdown_is_read() -> None:
    """One GPU, leased; its utilisation is the text ``100.00``."""
    answer = sample("gpu-breakdown_console-test-expected.json")

    assert [Day(datetime(2026, 8, 22, tzinfo=UTC), 1, 1)] == days(answer, ("nvidia", "gpu0"))


PARSERS: Sequence[Callable[[Field], object]] = [
    lambda answer: gpu_rows(answer, {H100, ("nvidia", "a100")}),
    lambda answer: leases(answer, OURS),
    provider,
    earnings,
    lambda answer: days(answer, H100),
]


def test_no_recorded_answer_breaks_a_parser() -> None:
    """Whatever is heard where something else was expected: it is read, or it is Transient."""
    folder = Path(sample("market-data_2026-07-17.json") and os.environ["AUTOPILOT_TEST_SAMPLES"], "akash")
    files = sorted(folder.glob("*.json"))
    refused = 0
    for file in files:
        for parse in PARSERS:
            try:
                parse(field(json.loads(file.read_text()), file.name))
            except Transient:
                refused += 1

    assert len(files) * (len(PARSERS) - 1) <= refused < len(files) * len(PARSERS)
