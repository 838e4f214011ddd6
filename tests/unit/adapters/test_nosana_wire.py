"""What Nosana answers is read strictly, from whichever address answers, and whatever is wrong is said in one line."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from autopilot.errors import Refused, Transient
from autopilot.kit.http import Http
from autopilot.sim.clock import SimClock
from autopilot_adapters.nosana import answers
from autopilot_adapters.nosana.reading import Nonsense
from autopilot_adapters.nosana.wire import BASES, Api

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/nosana/world.py")))


def everything(_: object) -> bool:
    """Whoever asks wants every market."""
    return True


def nothing(_: object) -> bool:
    """Whoever asks wants none."""
    return False


def changed(**fields: Any) -> list[Any]:
    """The markets, the first of them changed."""
    rows = copy.deepcopy(W.MARKETS)
    rows[0].update(fields)
    return rows


def http(handle: Callable[[httpx.Request], httpx.Response]) -> Http:
    """A client that reaches nothing else."""
    return Http(SimClock(W.NOW), transport=httpx.MockTransport(handle)).as_("nosana")


def said(json_or_status: Any) -> Callable[[httpx.Request], httpx.Response]:
    """Everybody says this."""
    return lambda _: httpx.Response(json_or_status) if isinstance(json_or_status, int) else httpx.Response(200, json=json_or_status)


def test_a_market_as_it_is_listed() -> None:
    """What the host is paid and what the client pays stay apart, and nothing is added or taken off."""
    community, *_, whole = answers.markets(W.MARKETS[:5], everything)

    assert (W.COMMUNITY, "nvidia-4090-community", "COMMUNITY", 1) == (community.address, community.slug, community.tier, community.gpus)
    assert answers.Pay(Decimal("0.000196"), Decimal("0.000216"), Decimal("0.218175")) == community.pay
    assert 8 == whole.gpus


def test_the_price_of_nos_that_a_market_implies() -> None:
    """318 micro-NOS a second are 1.1448 NOS an hour; 0.34934717 $ an hour for them make 0.305 $ a NOS."""
    pay = answers.Pay(Decimal("0.000318"), None, Decimal("0.34934717"))

    assert pay.usd_per_nos is not None
    assert Decimal("0.305") == round(pay.usd_per_nos, 3)


def test_a_price_that_is_null_stays_unknown() -> None:
    """It is not zero; the USD figure need not be there at all."""
    rows = changed(nos_reward_per_second=None, nos_job_price_per_second=None)
    del rows[0]["usd_reward_per_hour"]

    assert answers.Pay(None, None, None) == answers.markets(rows, everything)[0].pay


UNREADABLE: dict[str, dict[str, Any]] = {
    "text": {"nos_reward_per_second": "a lot"},
    "unicode digits": {"nos_reward_per_second": "\u0660.\u0662"},
    "NaN as text": {"nos_reward_per_second": "NaN"},
    "below nought": {"nos_reward_per_second": -0.000196},
    "a boolean": {"nos_reward_per_second": True},
    "a list": {"nos_reward_per_second": [0.000196]},
    "micro-NOS where NOS were meant": {"nos_reward_per_second": 196},
    "beyond all bounds": {"nos_reward_per_second": 1e308},
    "a huge whole number": {"nos_reward_per_second": 10**400},
    "less than the chain can pay": {"nos_reward_per_second": 1e-12},
    "more than the client pays": {"nos_reward_per_second": 0.0003},
    "dollars beyond all bounds": {"usd_reward_per_hour": 1e9},
    "an address that is none": {"address": "Dcwz62"},
    "no address": {"address": None},
    "a name of two lines": {"name": "NVIDIA\n4090"},
    "half of a character": {"slug": "\ud800"},
    "a name that is endless": {"name": "x" * 1000},
    "GPUs that are no list": {"gpu_types": "NVIDIA GeForce RTX 4090"},
    "a GPU that is no text": {"gpu_types": [4090]},
    "two numbers of GPUs": {"name": "2x 4090", "slug": "4x-4090"},
    "the address of another market": {"address": W.PREMIUM},
    "the slug of another market": {"slug": "nvidia-4090"},
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_market_that_matters_and_makes_no_sense_is_an_error(name: str) -> None:
    """Said in one line, with the path of the field."""
    with pytest.raises(Nonsense, match=r"markets:\[[01]\]|GPUs in a node") as caught:
        answers.markets(changed(**UNREADABLE[name]), everything)

    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("field", ["address", "slug", "name", "type", "nos_reward_per_second", "nos_job_price_per_second", "gpu_types"])
def test_a_field_that_changed_its_name_is_noticed(field: str) -> None:
    """It is not the same as a value that is unknown."""
    rows = changed()
    rows[0][f"{field}_v2"] = rows[0].pop(field)

    with pytest.raises(Nonsense, match=rf"markets:\[0\] has no {field}"):
        answers.markets(rows, everything)


def test_a_market_that_does_not_matter_cannot_hide_the_others() -> None:
    """It is left out."""
    found = answers.markets(changed(nos_reward_per_second="a lot"), nothing)

    assert {each["address"] for each in W.MARKETS[1:]} == {each.address for each in found}


def test_a_row_that_comes_twice_counts_once() -> None:
    """Where both say the same."""
    assert len(W.MARKETS) == len(answers.markets([*W.MARKETS, W.MARKETS[0]], everything))


@pytest.mark.parametrize("answer", [None, {}, "no", 3, {"markets": []}, [None], [[]], ["NVIDIA"]])
def test_what_is_no_list_of_markets(answer: Any) -> None:
    """An answer of another shape says nothing about rates."""
    with pytest.raises(Nonsense):
        answers.markets(answer, everything)


def test_running_jobs() -> None:
    """By market; an index that knows of none at all has lost its database."""
    assert {W.COMMUNITY: 1} == answers.running({W.COMMUNITY: {"running": 1}})
    for wrong in ({}, [], None, {"x": 3}, {"x": {}}, {"x": {"running": -1}}, {"x": {"running": 1.5}}, {"x": {"running": None}}):
        with pytest.raises(Nonsense):
            answers.running(wrong)


def test_finished_jobs() -> None:
    """Numbers come as text in the totals and as numbers by market; the mean job of all that Nosana ran took 58 minutes."""
    found = answers.past(W.Nosana().stats)

    assert found[""].mean is not None
    assert timedelta(minutes=58) == timedelta(minutes=round(found[""].mean / timedelta(minutes=1)))
    assert timedelta(hours=2) == found[W.COMMUNITY].mean
    assert answers.past({"completed": 0, "duration": "0", "usdReward": "0.000000"})[""].mean is None
    for wrong in ({}, None, {"completed": 1, "duration": "x", "usdReward": "0"}, {"completed": 1, "duration": "9e9", "usdReward": "0"}):
        with pytest.raises(Nonsense):
            answers.past(wrong)


def test_nodes_by_country_are_added_up() -> None:
    """A network in which nobody works is none."""
    assert (40, 59) == answers.everywhere(W.Nosana().countries)
    for wrong in ({}, {"data": {}}, {"data": []}, {"data": [{"running": 0, "queue": 5}]}, {"data": [{"running": 1}]}):
        with pytest.raises(Nonsense):
            answers.everywhere(wrong)


def test_a_node() -> None:
    """Its market and its job, both of which may be unknown."""
    assert answers.NodeSpecs(W.PREMIUM, None) == answers.specs({"marketAddress": W.PREMIUM, "jobAddress": None, "status": "PREMIUM"})
    for wrong in ({}, None, {"marketAddress": 3, "jobAddress": None}):
        with pytest.raises(Nonsense):
            answers.specs(wrong)


def broken_first(handled: list[str], answer: Any) -> Callable[[httpx.Request], httpx.Response]:
    """The newest address gives this answer, the next one the truth."""

    def handle(request: httpx.Request) -> httpx.Response:
        handled.append(request.url.host)
        if request.url.host == "api.nosana.com":
            return said(answer)(request) if not isinstance(answer, str) else httpx.Response(200, text=answer)
        return httpx.Response(200, json=W.MARKETS)

    return handle


@pytest.mark.parametrize("answer", [404, 403, 451, {"markets": []}, "<html>moved</html>", '{"cut', [{"address": 1}]])
def test_the_next_address_is_asked(answer: Any) -> None:
    """Where the first is silent, refuses or makes no sense; and it is asked first from then on."""
    handled: list[str] = []
    api = Api(http(broken_first(handled, answer)))

    assert len(W.MARKETS) == len(api.markets(everything).value)
    assert ["api.nosana.com", "dashboard.k8s.prd.nos.ci"] == handled
    assert "dashboard.k8s.prd.nos.ci" in api.markets(everything).source
    assert "dashboard.k8s.prd.nos.ci" == handled[2]


def test_all_addresses_silent() -> None:
    """Transient, with what each of them said; Refused only where all refuse."""
    with pytest.raises(Transient) as silent:
        Api(http(said(404))).running()
    with pytest.raises(Refused):
        Api(http(said(403))).running()
    with pytest.raises(Transient):
        Api(http(lambda request: said(403 if request.url.host == "api.nosana.com" else 404)(request))).running()

    assert len(BASES) == str(silent.value).count("answered 404")


def test_the_list_of_markets_wants_its_slash() -> None:
    """And the jobs of a node are asked for by the word for their state."""
    paths: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.raw_path.decode())
        return httpx.Response(200, json=[] if "markets" in request.url.path else {"jobs": []})

    api = Api(http(handle), ["https://a.example/api"])
    api.markets(everything)
    api.jobs(W.OURS, 50)

    assert ["/api/markets/", f"/api/jobs?node={W.OURS}&state=COMPLETED&limit=50&offset=50"] == paths
