"""The arithmetic from asks, leases and GPUs to a quote, recomputed here by hand."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from autopilot.errors import Transient
from autopilot.kit.http import Reply
from autopilot.kit.reading import Field
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Basis, Fee, NativePrice, NoQuote, Quote, Working
from autopilot.units import Share, UsdPerHour
from autopilot_adapters.akash.money import API_BLOCK, MEASURED_BLOCK, per_hour
from autopilot_adapters.akash.rates import LIFE, Figure, Heard, Own, Terms, answer
from autopilot_adapters.akash.wire import Kind, Lease, Provider, gpu_rows

NOW = datetime(2026, 7, 17, 20, 7, tzinfo=UTC)
VENUE = Venue(NetworkId("akash"))
ROWS = json.loads(Path(__file__).parents[2].joinpath("data/akash/console.json").read_text())["/v1/gpu-prices"]
H100: Kind = ("nvidia", "h100")
AKT = TokenPrice("AKT", Decimal("0.5434716"), NOW - timedelta(minutes=2), "oracle", confirmed=True)
EARNED = Working("own earnings")
PLAIN = Terms()
USDC = "ibc/170C677610AC31DF0904FFE09CD3B5C657492170E7E52372E48756B71E56F2F1"


def gpu(model: str, memory_gib: int = 0, pci_id: str = "") -> Device:
    """A device."""
    return Device(DeviceId("gpu-0"), model, memory_gib, pci_id=pci_id)


SXM = gpu("NVIDIA H100 80GB HBM3", 79, "2330")


def reply(page: str) -> Reply:
    """Something that was heard."""
    return Reply(None, NOW, f"https://console.test/v1/{page}", 200)


def lease(per_block: str, gpus: int, denom: str = "uact", dseq: str = "1") -> Lease:
    """An active lease of our own."""
    return Lease(("akash1t", dseq, 1, 1), denom, Decimal(per_block), gpus, f"deployments:deployments[{dseq}].leases[0]")


def own(*leases: Lease, gpus: int = 8, kinds: Sequence[Kind] = (H100,)) -> Own:
    """Our own provider."""
    return Own(Provider(frozenset(kinds), gpus), leases, reply("deployments"), EARNED)


def offer(device: Device, terms: Terms = PLAIN, ours: Own | None = None, rows: Any = ROWS, akt: TokenPrice | None = AKT) -> Quote | NoQuote:
    """What the API's answer comes to for a device."""
    kinds = {(vendor, row["model"]) for vendor in ("nvidia", "amd") for row in ROWS["models"]} - {("nvidia", "t4")}
    return answer(VENUE, device, Heard(gpu_rows(Field("akash", "gpu-prices:", rows), kinds), reply("gpu-prices"), akt, ours), terms)


def quote(device: Device, terms: Terms = PLAIN, ours: Own | None = None, rows: Any = ROWS) -> Quote:
    """The same, where it is a quote."""
    offered = offer(device, terms, ours, rows)

    assert isinstance(offered, Quote), offered.reason
    return offered


def reason(device: Device, terms: Terms = PLAIN, ours: Own | None = None) -> str:
    """Why there is none."""
    offered = offer(device, terms, ours)

    assert isinstance(offered, NoQuote)
    return offered.reason


def text(offered: Quote) -> str:
    """All of its workings."""
    return "\n".join(line.text for line in offered.workings)


def test_an_ask_becomes_a_quote() -> None:
    """H100: the median 2.56 is lower than the weighted 2.72; 53 of 68 leased, and one joins."""
    offered = quote(SXM)

    assert (UsdPerHour.of("2.56"), Basis.ASK, UsdPerHour(0)) == (offered.gross, offered.basis, offered.idle)
    assert Share.of(Decimal(53) / 69) == offered.occupancy
    assert UsdPerHour.of("1.966376812") == offered.expected
    assert (NOW, NOW, NOW + LIFE) == (offered.as_of, offered.seen_at, offered.expires)
    assert NativePrice("ACT", Decimal("2.56"), Decimal(1), NOW) == offered.native
    assert "asks, https://console.test/v1/gpu-prices" == offered.source


@pytest.mark.parametrize(
    ("figure", "ask"), [(Figure.CAUTIOUS, "0.4"), (Figure.MIN, "0.17"), (Figure.MEDIAN, "0.48"), (Figure.WEIGHTED, "0.4")]
)
def test_the_figure_is_chosen(figure: Figure, ask: str) -> None:
    """One provider dumps at 0.17, one wishes for 0.60: a newcomer reckons with neither, unless told to."""
    assert UsdPerHour.of(ask) == quote(gpu("RTX 4090"), Terms(figure=figure)).gross


def test_the_lower_of_median_and_weighted_average_is_taken() -> None:
    """The median where it is lower (H100), the weighted average where that is (A100)."""
    assert ["2.56 $/h", "1.36 $/h"] == [str(quote(device).gross) for device in (SXM, gpu("A100 80GB SXM4"))]


def test_one_leased_gpu_does_not_prove_that_the_next_is_leased_too() -> None:
    """A model of which there is one: with ours there are two, and the demand is for one."""
    assert Share.of("0.5") == quote(gpu("RTX 5090")).occupancy


def test_a_model_that_nobody_leases_is_expected_to_earn_nothing() -> None:
    """All 24 are free: that is known, and it is nought."""
    offered = quote(gpu("RTX PRO 6000 Blackwell Server Edition"))

    assert (UsdPerHour.of("1.63"), UsdPerHour(0)) == (offered.gross, offered.expected)


def test_rows_of_one_variant_are_put_together() -> None:
    """The interface is spelled in two ways: 30 of 72 leased, the lower ask."""
    offered = quote(gpu("NVIDIA H200", 140))

    assert (UsdPerHour.of("2.95"), Share.of(Decimal(30) / 73)) == (offered.gross, offered.occupancy)


def test_a_device_that_does_not_say_its_variant_is_quoted_the_least() -> None:
    """An A100 may be the one that nobody leases; an H100 without bids for the PCIe board may only be the other."""
    assert UsdPerHour(0) == quote(gpu("A100")).expected
    assert "it may be one of a100 80Gi SXM4, a100 40Gi PCIe" in text(quote(gpu("A100")))
    assert quote(SXM).expected == quote(gpu("H100")).expected


@pytest.mark.parametrize(
    ("device", "why"),
    [
        (gpu("NVIDIA H100 PCIe"), "no provider made a usable bid with a h100 80Gi PCIe in the last 31 days"),
        (gpu("RTX A6000"), "no provider with a rtxa6000 48Gi PCIe is online, so nobody knows how it would be hired"),
        (gpu("NVIDIA Voodoo 2"), "Akash lists no voodoo2 (its name, 'NVIDIA Voodoo 2')"),
        (gpu("anything", pci_id="13c2"), "Akash lists no gtx970 4Gi pcie (PCI id 13c2)"),
        (gpu("A100", 64), "Akash lists a100 80Gi SXM4, a100 40Gi PCIe, none of which is the a100 64Gi of its name, 'A100'"),
        (gpu(""), "Akash lists no (no name) (its name, '')"),
    ],
)
def test_no_quote_says_why(device: Device, why: str) -> None:
    """A null price, nobody online, a model or a variant that is not listed."""
    assert why == reason(device)


def test_configured_occupancy_stands_in() -> None:
    """Also where nobody is online to learn it from."""
    offered = quote(gpu("RTX A6000"), Terms(occupancy=Share.of("0.3")))

    assert UsdPerHour.of("0.12") == offered.expected
    assert "occupancy 0.3, as configured" in text(offered)


def test_a_configured_occupancy_of_nought_is_one() -> None:
    """Nought is not unset."""
    assert UsdPerHour(0) == quote(SXM, Terms(occupancy=Share(0))).expected


def test_the_block_time_turns_blocks_into_hours() -> None:
    """4262.041502 uact a block are 2.557 $/h at 6 s, and 2 % more at the 5.883 s that were measured."""
    amount = Decimal("4262.041502")

    assert Decimal("2.5572249012") == per_hour(amount, API_BLOCK)
    assert Decimal("2.608083") == round(per_hour(amount, MEASURED_BLOCK), 6)


def test_an_ask_is_corrected_for_the_block_time() -> None:
    """The API reckons with 6 s: what is paid per block comes sooner."""
    assert UsdPerHour.of(Decimal("2.56") * 6 / Decimal("5.883")) == quote(SXM, Terms(block=MEASURED_BLOCK)).gross


def test_own_leases_are_the_realised_rate_and_the_ask_stands_apart() -> None:
    """One number or the other, never a mixture; both can be read."""
    offered = quote(SXM, ours=own(lease("4262.041502", 1)))

    assert (UsdPerHour.of("2.557224901"), Basis.REALISED) == (offered.gross, offered.basis)
    assert NativePrice("ACT", Decimal("2.5572249012"), Decimal(1), NOW) == offered.native
    assert "active leases, https://console.test/v1/deployments" == offered.source
    assert "(not used, our own leases say more) asks for h100 80Gi SXM5" in text(offered)
    assert EARNED in offered.workings


def test_several_leases_are_shared_by_their_gpus() -> None:
    """A lease of two GPUs pays for both: (600 + 1800) blocks' worth over three."""
    offered = quote(SXM, ours=own(lease("1000", 1), lease("3000", 2, dseq="2")))

    assert UsdPerHour.of("0.8") == offered.gross


def test_each_token_has_its_worth() -> None:
    """ACT and USDC a dollar, AKT its price; together they are in no one token."""
    denoms = ("uact", "uakt", USDC, "uusdc")
    offered = quote(SXM, ours=own(*(lease("2000", 1, denom, denom) for denom in denoms)))

    assert UsdPerHour.of(Decimal("1.2") * (3 + Decimal("0.5434716")) / 4) == offered.gross
    assert offered.native is None


def test_leases_in_akt_alone_keep_their_native_price() -> None:
    """With the instant of the token's price."""
    offered = quote(SXM, ours=own(lease("5000", 2, "uakt")))

    assert NativePrice("AKT", Decimal("1.5"), AKT.usd, AKT.as_of) == offered.native
    assert UsdPerHour.of(Decimal("1.5") * AKT.usd) == offered.gross


@pytest.mark.parametrize(
    ("ours", "akt", "why"),
    [
        (own(lease("5000", 1, "uakt")), None, "leases are paid in AKT, and no price of AKT can be trusted"),
        (own(lease("5000", 1, "ufoo")), AKT, r"deployments:deployments\[1\].denom is 'ufoo', whose worth is not known"),
        (own(lease("0", 1)), AKT, r"leases\[0\].price: own leases come to 0 \$/h for a GPU"),
        (own(lease("200000", 1)), AKT, r"own leases come to 120 \$/h for a GPU"),
    ],
)
def test_leases_that_cannot_be_valued_are_no_silent_nought(ours: Own, akt: TokenPrice | None, why: str) -> None:
    """The quote of an hour ago is worth more than a wrong one."""
    with pytest.raises(Transient, match=rf"^akash: .*{why}"):
        offer(SXM, ours=ours, akt=akt)


def test_own_gpus_are_in_the_count_already() -> None:
    """None joins when ours are online."""
    assert Share.of(Decimal(53) / 68) == quote(SXM, ours=own()).occupancy
    assert Share.of(Decimal(53) / 69) == quote(SXM, ours=own(gpus=0)).occupancy


def test_own_leases_raise_the_occupancy_and_never_lower_it() -> None:
    """Seven of ours are leased: the market counts as one more GPU. One of eight may be the only one that was on offer."""
    market = Decimal(53) / 68
    full = quote(SXM, ours=own(lease("28000", 7), gpus=8)).occupancy

    assert abs(float(full) - float((7 + market) / 9)) < 1e-8
    assert Share.of(market) == quote(SXM, ours=own(lease("4000", 1), gpus=8)).occupancy


def test_more_leased_than_there_are_is_an_inventory_that_lies() -> None:
    """It is not more than the whole."""
    market = Decimal(53) / 68
    offered = quote(SXM, ours=own(lease("28000", 7), gpus=3))

    assert abs(float(offered.occupancy) - float((7 + market) / 8)) < 1e-8


def test_leases_of_several_models_are_shown_but_not_used() -> None:
    """A lease does not say which model it is on."""
    offered = quote(SXM, ours=own(lease("4262.041502", 1), kinds=(H100, ("nvidia", "t4"))))

    assert (Basis.ASK, UsdPerHour.of("2.56")) == (offered.basis, offered.gross)
    assert "(not used, our provider has several models" in text(offered)
    assert "2.557224901 $/h" in text(offered)


def test_leases_of_another_model_do_not_speak_of_this_one() -> None:
    """The ask does."""
    offered = quote(gpu("RTX 4090"), ours=own(lease("4262.041502", 1)))

    assert (Basis.ASK, UsdPerHour.of("0.4")) == (offered.basis, offered.gross)
    assert "our provider lists h100: its leases are not counted here" in text(offered)


def test_a_provider_without_leases_leaves_the_ask() -> None:
    """And says so."""
    offered = quote(SXM, ours=own())

    assert Basis.ASK is offered.basis
    assert "own leases: none that holds a GPU" in text(offered)


def test_leases_make_a_quote_where_nobody_bids() -> None:
    """What is paid is known better than what nobody asks."""
    assert Basis.REALISED is quote(gpu("NVIDIA H100 PCIe"), ours=own(lease("4000", 1))).basis


def test_there_is_no_take_unless_one_is_configured() -> None:
    """It was removed in March 2026; it could come back."""
    taken = quote(SXM, Terms(take=Share.of("0.02")))

    assert () == quote(SXM).fees
    assert (Fee("take", Share.of("0.02")),) == taken.fees
    assert UsdPerHour.of("2.5088").scaled(taken.occupancy) == taken.expected


UNITS = re.compile(r" (\$/h|s|millionths a block|ACT/h|AKT/h|\$ \([^)]*\)|GPUs leased|take)(?=[ )]|$)")
PART = r"(?:\([0-9.]+ [+-] [0-9.]+\)|[0-9.]+)"
PRODUCT = re.compile(rf"{PART}(?: [*/] {PART})+$")


def value(part: str) -> Decimal:
    """A number, or the sum or difference of two in brackets."""
    first, *rest = part.strip("()").split()
    return Decimal(first) if not rest else Decimal(first) + Decimal(rest[1]) * (-1 if rest[0] == "-" else 1)


def products(line: str) -> list[tuple[Decimal, Decimal]]:
    """Each ``a * b / c = d`` of a line: what it says, and what multiplying and dividing by hand gives."""
    found = []
    steps = UNITS.sub("", line).split(" = ")
    for left, right in pairwise(steps):
        product, result = PRODUCT.search(left), re.match(r"[0-9.]*[0-9]", right)
        if product and result:
            done = Decimal(1)
            for sign, part in re.findall(rf"([*/]?) ?({PART})", product[0]):
                done = done / value(part) if sign == "/" else done * value(part)
            found.append((Decimal(result[0]), done))
    return found


@pytest.mark.parametrize(
    ("terms", "ours", "lines"),
    [
        (Terms(), None, 2),
        (Terms(block=MEASURED_BLOCK, take=Share.of("0.02")), None, 3),
        (Terms(), own(lease("4262.041502", 1), lease("9000", 2, "uakt", "2"), gpus=3), 8),
    ],
    ids=["an ask", "another block time and a take", "own leases"],
)
def test_the_workings_can_be_done_by_hand(terms: Terms, ours: Own | None, lines: int) -> None:
    """Every line that multiplies and divides is right, and the last one ends at the expected rate."""
    offered = quote(SXM, terms, ours)
    sums = [each for line in offered.workings for each in products(line.text)]

    assert lines == len(sums)
    for said, done in sums:
        assert abs(said - done) <= Decimal("2e-9")
    assert f"= {offered.expected}" in offered.workings[-1].text
    assert abs(float(sums[-1][1]) - float(offered.expected)) < 2e-9


def test_the_inputs_name_the_fields_that_were_used() -> None:
    """By their paths in the answers."""
    used = {name for line in quote(SXM, ours=own(lease("1000", 1))).workings for name in line.inputs}

    assert {
        "gpu-prices:models[0].price.med",
        "gpu-prices:models[0].availability.available",
        "gpu-prices:models[0].model",
        "deployments:deployments[1].leases[0].price",
        "deployments:deployments[1].denom",
        "providers:stats.gpu.active",
        "providers:gpuModels",
    } <= used


def test_the_recorded_prices_come_to_the_numbers_of_that_day() -> None:
    """2026-07-17, A100 80 GiB SXM4: the weighted 1.36, 42 of 48 leased."""
    folder = os.environ.get("AUTOPILOT_TEST_SAMPLES")
    if not folder:
        pytest.skip("AUTOPILOT_TEST_SAMPLES names no folder of recorded answers")
    said = json.loads(Path(folder, "akash", "gpu-prices_2026-07-17_excerpt.json").read_text())
    offered = quote(gpu("NVIDIA A100-SXM4-80GB", 80, "20b2"), rows=said)

    assert (UsdPerHour.of("1.36"), Share.of(Decimal(42) / 49)) == (offered.gross, offered.occupancy)
    assert "42 of 48 GPUs are leased" in text(offered)


def test_devices_are_answered_one_by_one() -> None:
    """Each under its own id."""
    other = replace(SXM, id=DeviceId("gpu-7"))

    assert DeviceId("gpu-7") == offer(other).device
