"""From what is known to a Render estimate: the arithmetic, the names, and everything without which there is no rate."""

from __future__ import annotations

import csv
import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from autopilot.errors import Transient
from autopilot.kit.reading import Field
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.model.market import Answer, Basis, NoQuote, Quote
from autopilot.units import NONE, Share, UsdPerHour
from autopilot_adapters.render import frames
from autopilot_adapters.render.dispersed import Dispersed, job_pay, waiting_pay
from autopilot_adapters.render.frames import Frames, busy_pay, idle_pay, tier_pay
from autopilot_adapters.render.names import MULTIPLIERS, SCORES, plain
from autopilot_adapters.render.settings import DispersedSettings, RenderSettings
from autopilot_adapters.render.stats import Known
from autopilot_adapters.render.wire import closed_epochs

RENDER = NetworkId("render")
NOW = datetime(2025, 10, 31, 1, tzinfo=UTC)
PRICE = TokenPrice("RENDER", Decimal("2.49"), NOW - timedelta(minutes=4), "coingecko 2.49, kraken 2.49: median of 2", confirmed=True)
FILE = Path(__file__).parents[2] / "data" / "render" / "liability-epochs-data.json"
MEAN_97 = Decimal(15000) / 19_694_748


def device(model: str = "NVIDIA GeForce RTX 4090", number: int = 0, memory: int = 24) -> Device:
    """A GPU."""
    return Device(DeviceId(f"gpu-{number}"), model, memory, index=number)


def known(count: int = 4, trouble: str = "") -> Known:
    """The epochs of the file, read an hour ago."""
    answer = Field(RENDER, "liability-epochs-data:", json.loads(FILE.read_text(encoding="utf-8")))
    return Known(closed_epochs(answer, NOW, count), NOW - timedelta(hours=1), trouble)


def bare(**written: Any) -> RenderSettings:
    """As a configuration has them."""
    return RenderSettings(**written)


def settings(**written: Any) -> RenderSettings:
    """With work in one hour of twenty."""
    return bare(**{"utilisation": "0.05", **written})


def answer(asked: RenderSettings, gpu: Device | None = None, epochs: Known | None = None, now: datetime = NOW, rig: int = 1) -> Answer:
    """What one GPU of a rig is answered."""
    gpu = gpu or device()
    devices = [replace(gpu, id=DeviceId(f"gpu-{number}")) for number in range(rig)]
    [found, *_] = Frames(RENDER, asked, devices).answers([gpu], PRICE, epochs or known(), now)
    return found


def quote(asked: RenderSettings, **terms: Any) -> Quote:
    """The quote that there must be."""
    found = answer(asked, **terms)

    assert isinstance(found, Quote), found
    return found


def reason(asked: RenderSettings, **terms: Any) -> str:
    """Why there is none."""
    found = answer(asked, **terms)

    assert isinstance(found, NoQuote), found
    return found.reason


# --- the arithmetic


def test_epoch_97_paid_a_4090_of_tier_2_three_dollars_for_an_hour_of_rendering() -> None:
    """Score 1300 at 2.49 $: about 3.04 $ at full use, 0.15 at 5 % and 0.30 at 10 %."""
    full = busy_pay(Decimal(1300), tier_pay(MEAN_97, 2, Decimal("1.62"))) * Decimal("2.49")

    assert ("3.04", "0.15", "0.30") == (f"{full:.2f}", f"{full / 20:.2f}", f"{full / 10:.2f}")


def test_the_tiers_pay_what_was_seen() -> None:
    """0.00094 RENDER per OctaneBench-hour in the upper and half of it in the lower, which mix to the mean of epoch 97."""
    upper, lower = (tier_pay(MEAN_97, weight, Decimal("1.62")) for weight in (2, 1))

    assert ("0.00094", "0.00047") == (f"{upper:.5f}", f"{lower:.5f}")


def test_a_quote_has_the_full_rate_only_for_the_hours_that_are_worked() -> None:
    """Expected is score x utilisation x pay x price; the figure at full use stands nowhere but beside its occupancy."""
    found = quote(settings(tier=2, scores={"RTX 4090": 1300}, epochs=1))

    assert ("3.04", "0.15") == (f"{float(found.gross):.2f}", f"{float(found.expected):.2f}")
    assert (Share.of("0.05"), UsdPerHour(0), Basis.ESTIMATE) == (found.occupancy, found.idle, found.basis)
    assert found.expected == found.gross.scaled(Share.of("0.05"))
    assert "3.04" not in found.source


def test_availability_is_paid_while_waiting() -> None:
    """9.57 RENDER a week at 2.49 $ are 0.1418 $ for every hour of it, on top of the work."""
    without, found = quote(settings()), quote(settings(availability="9.57"))
    each_hour = UsdPerHour.of(Decimal("9.57") / 168 * Decimal("2.49"))

    assert abs((found.expected - without.expected) - each_hour) <= UsdPerHour(2)
    assert any("availability pay is not configured, and counted as nothing" in working.text for working in without.workings)


def test_a_node_shares_its_availability_pay_among_its_gpus() -> None:
    """It is paid for the node."""
    assert idle_pay(Decimal("33.6"), 2, NONE) * 2 == idle_pay(Decimal("33.6"), 1, NONE) == Decimal("0.2")
    assert quote(settings(availability=20)).idle.count == pytest.approx(4 * quote(settings(availability=20), rig=4).idle.count)


def test_the_median_is_of_the_last_closed_epochs_which_are_named() -> None:
    """One wild week does not move it."""
    found = quote(settings(scores={"RTX 4090": 1000}, mean_weight=1))
    per_obh = [Decimal(paid) / obh for paid, obh in ((15000, 17_383_436), (15000, 17_000_000))]

    assert found.native is not None
    assert float(sum(per_obh)) / 2 * 1000 == pytest.approx(float(found.native.per_hour))
    assert "epochs 94 to 97, which ended on 2025-10-29" in found.source


def test_the_workings_can_be_done_again_by_hand() -> None:
    """Every line with an equals sign is right as printed, and the last one is what is expected."""
    asked = settings(tier=2, availability="9.57", scores={"4090": "1300.5"})
    subnet = compute("RTX 3060", utilisation="0.3", preparation="0.01", availability=6, available_at_work=True)
    for found in (quote(asked, rig=3), subnet):
        assert isinstance(found, Quote)
        sums = [working.text for working in found.workings if "=" in working.text]

        assert len(sums) >= 5
        for text in sums:
            left, right = text.rpartition(": ")[2].split(" = ")
            assert reckoned(left) == pytest.approx(float(number(right)), abs=2e-9), text
        assert found.workings[-1].text.endswith(f"= {found.expected}")


def number(text: str) -> str:
    """The first number of a text."""
    found = re.search(r"[0-9.]*[0-9]", text)

    assert found
    return found[0]


def reckoned(left: str) -> float:
    """The left side of a printed sum, as a person would reckon it."""
    plain_sum = re.sub(r"\([A-Za-z][^)]*\)", "", left).replace(" x ", " * ")
    plain_sum = re.sub(r"[A-Za-z$][A-Za-z$/'-]*", "", plain_sum)

    assert re.fullmatch(r"[0-9.()*/+ ]+", plain_sum), left
    return float(eval(plain_sum))  # noqa: S307  # digits and signs, as was just asserted


def test_what_the_answer_gave_is_named_as_input() -> None:
    """Each epoch's sum with its own fields, and the choice of epochs with those that decide it."""
    inputs = {each for working in quote(settings()).workings for each in working.inputs}

    assert "liability-epochs-data:data.epochs[2].amountDue" in inputs
    assert "liability-epochs-data:data.epochs[*].end" in inputs
    assert "tokens:RENDER" in inputs


# --- times


def test_an_estimate_is_of_now_and_counts_for_three_hours() -> None:
    """As long as the file is read well, it is as old as the price."""
    found = quote(settings())

    assert (PRICE.as_of, NOW, NOW + timedelta(hours=3)) == (found.as_of, found.seen_at, found.expires)


def test_a_price_from_a_clock_that_is_ahead_is_of_now() -> None:
    """No figure describes the future."""
    [found] = Frames(RENDER, settings(), [device()]).answers([device()], replace(PRICE, as_of=NOW + timedelta(minutes=4)), known(), NOW)

    assert isinstance(found, Quote)
    assert found.as_of == NOW


def test_a_file_in_trouble_leaves_the_last_value_with_its_age() -> None:
    """As old as the last good reading, and the source says why."""
    broken = known(trouble="render: file:data is missing from the answer")
    found = quote(settings(), epochs=broken)

    assert broken.read_at == found.as_of
    assert "could not be read since 2025-10-31 00:00 UTC: render: file:data is missing" in found.source


def test_an_epoch_that_is_too_old_says_nothing_about_today() -> None:
    """Three weeks after its end there is no quote, and none outlives that instant."""
    end = datetime(2025, 10, 29, tzinfo=UTC) + timedelta(days=21)
    last = quote(settings(), now=end - timedelta(minutes=1))

    assert end == last.expires
    assert "epoch 97, which ended on 2025-10-29, 21 days ago: too old" in reason(settings(), now=end)
    assert "no such field" in reason(settings(), now=end, epochs=known(trouble="no such field"))


# --- utilisation: never invented


def test_without_a_utilisation_there_is_no_rate() -> None:
    """And the reason says what to configure."""
    told = Frames(RENDER, RenderSettings(), [device()]).without()

    assert "set 'utilisation', or 'log' (the client's rndr_log.txt), or 'wallet' with 'wallet_score' in [networks.render]" in told


def test_the_wallet_measures_it() -> None:
    """The median wallet of epoch 97, on one RTX 4090: 12.7 % of the week."""
    found = quote(bare(wallet="MedianWa11et", wallet_score=1300, epochs=1))

    assert "0.127" == f"{float(found.occupancy):.3f}"
    assert any("27672 OctaneBench-hours / (1300 x 168 h x 1)" in working.text for working in found.workings)


def test_a_wallet_that_worked_around_the_clock_is_not_believed_to_go_on() -> None:
    """217,225 hours on one RTX 4090 are 99 % of the week; nine tenths are the most that is counted."""
    assert Share.of("0.9") == quote(bare(wallet="BusyWa11et", wallet_score=1300, epochs=1)).occupancy


def test_a_wallet_that_contradicts_its_score_is_no_measure() -> None:
    """There are more GPUs behind it than were configured."""
    told = reason(bare(wallet="BigWa11etA", wallet_score=1300, epochs=1))

    assert told == "the wallet did 809504 OctaneBench-hours where a score of 1300 can do 218400: raise 'wallet_score'"


def test_a_wallet_that_nobody_lists_is_no_measure() -> None:
    """Unknown is not zero."""
    assert "the wallet Unheard0f is in none of the epochs 94 to 97" in reason(bare(wallet="Unheard0f", wallet_score=1300))


LOG = """2025-10-28 12:00:00 INFO: [4242] 1 usable gpus detected
2025-10-28 12:03:10 INFO: [4242] starting a new render job with config hash: 9f2c1a
2025-10-28 12:05:44 INFO: [4242] sent render finished, job completed successfully (render time 151.0 seconds)
2025-10-28 12:06:00 INFO: [4242] starting a new render job with config hash: 77aa01
2025-10-28 12:07:02 ERROR: [4242] job failed with config hash: 77aa01
no line of a log
2025-13-28 12:08:00 INFO: [4242] sent render finished, job completed successfully (render time 9000 seconds)
2025-10-29 18:00:00 INFO: [4242] sent render finished, job completed successfully (render time 3449.0 seconds)
2025-10-30 12:00:00 INFO: [4242] job was canceled
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two days with an hour of rendering."""
    file = tmp_path / "rndr_log.txt"
    file.write_bytes(LOG.encode() + b"\xff\xfe torn \r\n")
    return file


def test_the_log_measures_it(log: Path) -> None:
    """3600 s of completed frames in 48 h: a 48th, in frames of half an hour. What failed or was cancelled is not paid."""
    found = quote(bare(log=log))

    assert (Share.of("0.020833333"), timedelta(seconds=1800)) == (found.occupancy, found.job_length)
    assert any("3600 s of rendering / 172800 s = 0.020833333 (2 frames until 2025-10-30" in working.text for working in found.workings)


def test_only_the_last_days_of_the_log_count(log: Path) -> None:
    """What was before is another market."""
    log.write_text(LOG.replace("2025-10-28 12:00:00", "2024-01-01 12:00:00"), encoding="utf-8")

    found = quote(bare(log=log, log_days=14))

    assert "0.02" == f"{float(found.occupancy):.2f}"


def test_what_is_configured_goes_before_what_is_measured(log: Path) -> None:
    """A person has the last word."""
    assert Share.of("0.05") == quote(settings(log=log)).occupancy


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "does not cover a day yet"),
        (LOG.replace("10-30 12", "10-28 19").replace("10-29 18", "10-28 18"), "does not cover a day yet"),
        (LOG.replace("2025-10", "2025-08"), "ends on 2025-08-30, too long ago"),
        (LOG.replace("3449.0", "999999"), "more rendering than time"),
    ],
    ids=["empty", "hours", "last summer", "too much"],
)
def test_a_log_that_says_too_little_is_no_measure(log: Path, content: str, told: str) -> None:
    """Unknown is not zero."""
    log.write_text(content, encoding="utf-8")

    assert told in reason(bare(log=log))


def test_a_log_that_cannot_be_read_is_silence(tmp_path: Path) -> None:
    """It may be back at the next look; the last quote counts until then."""
    with pytest.raises(Transient, match=r"rndr_log\.txt cannot be read: No such file"):
        answer(bare(log=tmp_path / "rndr_log.txt"))


# --- OctaneBench


def test_the_score_is_configured_measured_or_a_known_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order; the client's benchmark is of the whole node."""

    def busy(asked: RenderSettings) -> float:
        native = quote(asked, rig=2).native

        assert native
        return float(native.per_hour)

    known_point = busy(settings())
    monkeypatch.setattr(frames, "registry_score", lambda: Decimal(2600))
    measured, configured = busy(settings()), busy(settings(scores={"NVIDIA GeForce RTX 4090": 1400}))

    assert [1300 / 1274, 1400 / 1274] == pytest.approx([measured / known_point, configured / known_point])


def test_the_benchmark_of_a_mixed_rig_is_nobodys_share(monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be told how much of it is whose."""
    monkeypatch.setattr(frames, "registry_score", lambda: Decimal(2600))
    rig = [device(), device("RTX 3090", 1)]
    first, second = Frames(RENDER, settings(), rig).answers(rig, PRICE, known(), NOW)

    assert isinstance(first, Quote)
    assert any("OctaneBench 1274 (a known point)" in working.text for working in first.workings)
    assert isinstance(second, NoQuote)


@pytest.mark.parametrize("model", ["RTX 3090", "NVIDIA GeForce RTX 4090 D", "RTX 4080 SUPER", "NVIDIA H100 PCIe", "Voodoo 2", "", "🚀"])
def test_a_gpu_that_nobody_measured_has_no_rate(model: str) -> None:
    """Nothing is interpolated; the reason names the model and the remedy."""
    told = reason(settings(), gpu=device(model))

    assert f"no OctaneBench score of {model} is known" in told
    assert "[networks.render.scores]" in told


def test_a_small_card_is_not_served() -> None:
    """The client wants 8 GB; where the memory is not known, nobody is turned away."""
    assert "Render wants 8 GB of memory, and GTX 980 has 4" == reason(settings(), gpu=device("GTX 980", memory=4))
    assert isinstance(answer(settings(), gpu=device("GTX 980", memory=0)), Quote)


def test_a_unit_that_was_mixed_up_moves_no_gpu() -> None:
    """More than 100 $/h for a GPU is no rate."""
    with pytest.raises(Transient, match="some unit was mixed up"):
        answer(settings(scores={"RTX 4090": 10_000}, render_per_obh="0.02"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("RTX4090", "RTX 4090"),
        ("4090", "RTX 4090"),
        ("geforce rtx 4090 24GB", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", "RTX 4090 LAPTOP"),
        ("NVIDIA RTX 5090D", "RTX 5090 D"),
        ("RTX 4070Ti Super", "RTX 4070 TI SUPER"),
        ("RTX 3060M", "RTX 3060 LAPTOP"),
        ("NVIDIA RTX 3080-12G", "RTX 3080"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA H100 PCIe", "H100"),
        ("NVIDIA A100-SXM4-40GB", "A100"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", "A100 MIG 1G.5GB"),
        ("NVIDIA L40S", "L40S"),
        ("Tesla T4", "T4"),
        ("AMD Instinct MI300X", "MI300X"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX 6000 ADA GENERATION"),
        ("GTX980", "GTX 980"),
    ],
)
def test_names_in_one_spelling(written: str, expected: str) -> None:
    """What NVML writes and what people write; what makes another product of it stays."""
    assert expected == plain(written)
    assert expected == plain(expected)


def test_the_tables_are_in_that_spelling() -> None:
    """So that they are found."""
    assert [*SCORES, *MULTIPLIERS] == [plain(model) for model in (*SCORES, *MULTIPLIERS)]


# --- the compute subnet


@pytest.mark.parametrize(
    ("job", "multiplier", "expected"),
    [(10, "1", "0.148"), (25, "1", "0.371"), (10, "0.5", "0.074")],
    ids=["RNP-019", "RNP-021", "RTX 3060"],
)
def test_an_hour_of_compute_pays_by_the_formula(job: int, multiplier: str, expected: str) -> None:
    """At 2.49 $."""
    full = job_pay(Decimal(job), Decimal(multiplier), Decimal(0)) * Decimal("2.49")

    assert expected == f"{full:.3f}"


def test_a_week_of_waiting_pays_the_availability() -> None:
    """A = 6 makes 0.089 $/h; an hour of preparation always pays 2/168."""
    assert "0.089" == f"{waiting_pay(Decimal(6), NONE, NONE) * Decimal('2.49'):.3f}"
    assert waiting_pay(Decimal(2), Share.of("0.5"), NONE) == waiting_pay(Decimal(2), NONE, Share.of("0.3")) == Decimal(2) / 168


def compute(gpu: str = "RTX 4090", **written: Any) -> Answer:
    """What Dispersed is reckoned to pay."""
    [found] = Dispersed(RENDER, DispersedSettings(**written)).answers([device(gpu)], PRICE, NOW)
    return found


def test_dispersed_is_a_venue_of_its_own_on_the_careful_side() -> None:
    """The lower of every figure that the texts disagree about, and one pay at a time."""
    found = compute(utilisation="0.1")

    assert isinstance(found, Quote)
    assert ("render/dispersed", Basis.ESTIMATE) == (str(found.venue), found.basis)
    assert (UsdPerHour.of("0.148214286"), UsdPerHour.of("0.029642857")) == (found.gross, found.idle)
    assert "0.0415" == f"{float(found.expected):.4f}"


def test_what_is_uncertain_can_be_configured() -> None:
    """The higher figures are there for whoever knows them to be in force."""
    careful, bold = compute(utilisation="0.1"), compute(utilisation="0.1", availability=6, job=25, available_at_work=True)

    assert isinstance(careful, Quote)
    assert isinstance(bold, Quote)
    assert UsdPerHour.of(Decimal(31) / 168 * Decimal("2.49")) == bold.gross
    assert bold.expected > careful.expected


def test_dispersed_without_a_utilisation_or_a_multiplier_has_no_rate() -> None:
    """The reason says what to set."""
    unset, unknown = compute(), compute("Voodoo 2", utilisation="0.1")

    assert isinstance(unset, NoQuote)
    assert "set 'utilisation' in [networks.render.dispersed]" in unset.reason
    assert isinstance(unknown, NoQuote)
    assert "no multiplier of Voodoo 2 is known: set 'VOODOO 2' in [networks.render.dispersed.multipliers]" == unknown.reason
    assert isinstance(compute("Voodoo 2", utilisation="0.1", multipliers={"voodoo 2": "0.1"}), Quote)


# --- recorded tables


def test_the_tables_hold_no_more_than_the_recorded_ones() -> None:
    """The lowest of the points that are known, for every GPU in the recorded tables."""
    folder = Path(os.environ.get("AUTOPILOT_TEST_SAMPLES", "")) / "render"
    if not os.environ.get("AUTOPILOT_TEST_SAMPLES") or not folder.is_dir():
        pytest.skip("AUTOPILOT_TEST_SAMPLES names no folder with recorded tables of Render")
    points = list(csv.DictReader((folder / "octanebench_known_points.csv").read_text(encoding="utf-8").splitlines()))
    scores = list(csv.DictReader((folder / "rnp019_gpu_scores.csv").read_text(encoding="utf-8").splitlines()))
    rewards = json.loads((folder / "SCHEMA_dispersed_rewards.json").read_text(encoding="utf-8"))
    most = {plain(gpu): factor for gpu, factor in {**rewards["multiplier_examples"], **rewards["rnp021_enterprise_multipliers"]}.items()}

    assert {plain(point["gpu"]) for point in points} == set(SCORES)
    for point in points:
        assert SCORES[plain(point["gpu"])] <= Decimal(point["octanebench_score"])
    for score in scores:
        assert MULTIPLIERS[plain(score["gpu"])] <= Decimal(score["rnp019_gpu_score_vs_rtx4090"])
    for gpu, factor in most.items():
        assert MULTIPLIERS[gpu] <= Decimal(str(factor))
