"""Whatever becomes of Render's answers, the outcome is a sane quote, a NoQuote or an error of ours; and no field moves a quote unseen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autopilot.errors import Transient
from autopilot.kit.http import Reply
from autopilot.kit.reading import Field
from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, DeviceId, NetworkId
from autopilot.model.market import Answer, NoQuote, Quote
from autopilot.units import Share
from autopilot_adapters.render.client import worked
from autopilot_adapters.render.frames import Frames
from autopilot_adapters.render.names import plain
from autopilot_adapters.render.settings import RenderSettings
from autopilot_adapters.render.stats import Known
from autopilot_adapters.render.transfers import MINT, Solana
from autopilot_adapters.render.wire import closed_epochs

pytestmark = pytest.mark.long

RENDER = NetworkId("render")
NOW = datetime(2025, 10, 31, 1, tzinfo=UTC)
PRICE = TokenPrice("RENDER", Decimal("2.49"), NOW, "a test", confirmed=True)
GPU = Device(DeviceId("gpu-0"), "RTX 4090", 24)
SETTINGS = RenderSettings(utilisation=Share.of("0.05"), availability=Decimal(10), tier=2)
FRAMES = Frames(RENDER, SETTINGS, [GPU])
MUCH = settings(max_examples=2000, derandomize=True, suppress_health_check=list(HealthCheck))
Path_ = tuple[str | int, ...]


def _recorded() -> dict[str, Any]:
    """The file with fewer epochs and wallets, and the work of all: fewer fields, so that each is hit more often."""
    file = Path(__file__).parents[1] / "data" / "render" / "liability-epochs-data.json"
    answer: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    answer["data"]["epochs"] = [row for row in answer["data"]["epochs"] if row["epochId"] not in range(89, 93)]
    for row in answer["data"]["epochs"]:
        first, *others = [(wallet, entry) for wallet, entry in row["metadataBySolKey"].items() if entry] or [("", {})]
        if others:
            rest = sum(entry["obhUsed"] for _, entry in others)
            row["metadataBySolKey"] = {first[0]: first[1], "the others": {"obhUsed": rest}}
    return answer


ANSWER = _recorded()


def paths(value: Any, prefix: Path_ = ()) -> list[Path_]:
    """The way to every value inside."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [prefix, *(path for name, each in inner for path in paths(each, (*prefix, name)))]


PATHS = [path for path in paths(ANSWER) if path]
OURS = [path for path in PATHS if len(path) > 2 and ANSWER["data"]["epochs"][path[2]]["channel"] == "node_operator"]
"""What an estimate is made from; it is changed more often than the rest."""
NUMBERS = st.sampled_from([0, -1, 1, 1e308, -1e308, 1e-308, float("inf"), float("nan"), 10**30, 10**5000, 2**63, 0.1, True])
WORDS = st.sampled_from(
    [
        "",
        "0",
        "1499999999867",
        "\u0661\u0665\u0660\u0660",
        "NaN",
        "2025-10-29T00:00:00.000Z",
        "2031-01-01T00:00:00.000Z",
        "node_operator",
        "\x00",
        "🚀",
    ]
)
THINGS = (
    NUMBERS | WORDS | st.none() | st.sampled_from([[], {}, [[]], {"obhUsed": 1}]) | st.text(max_size=6) | st.integers(-(10**15), 10**15)
)
FACTORS = st.sampled_from([0.001, 0.5, 0.79, 0.9, 1.1, 1.3, 2, 100, 1e8])
DAYS = st.sampled_from([-3650, -7, -1, 1, 7, 14, 3650])


@st.composite
def mutations(draw: st.DrawFn) -> tuple[Path_, Any]:
    """The answer with one thing changed, and where."""
    path = draw(st.sampled_from(OURS) | st.sampled_from(OURS) | st.sampled_from(PATHS))
    answer = deepcopy(ANSWER)
    *way, last = path
    holder: Any = answer
    for step in way:
        holder = holder[step]
    _change(draw, holder, last)
    return path, answer


def _change(draw: st.DrawFn, holder: Any, last: str | int) -> None:
    value = holder[last]
    ways = ["replace", "remove", "again" if isinstance(holder, list) else "rename"]
    ways += ["scale"] * 2 if isinstance(value, int) and not isinstance(value, bool) else []
    ways += ["shift"] * 2 if isinstance(value, str) and value.endswith("Z") else []
    match draw(st.sampled_from(ways)):
        case "replace":
            holder[last] = draw(THINGS)
        case "remove":
            del holder[last]
        case "rename":
            holder[f"{last}_"] = holder.pop(last)
        case "again":
            holder.append(deepcopy(value))
        case "scale":
            holder[last] = draw(st.sampled_from([int, float]))(value * draw(FACTORS))
        case _:
            moved = datetime.fromisoformat(value) + timedelta(days=draw(DAYS))
            holder[last] = moved.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def outcome(answer: Any) -> Answer | Transient:
    """What comes of an answer."""
    try:
        epochs = closed_epochs(Field(RENDER, "liability-epochs-data:", answer), NOW, SETTINGS.epochs)
        [found] = FRAMES.answers([GPU], PRICE, Known(epochs, NOW), NOW)
    except Transient as error:
        return error
    return found


WHOLE = outcome(ANSWER)
KNOWN = Known(closed_epochs(Field(RENDER, "liability-epochs-data:", ANSWER), NOW, SETTINGS.epochs), NOW)


def printed(path: Path_, quote: Quote) -> bool:
    """Whether the printed arithmetic names the field among its inputs: itself, or what holds it."""
    spelt = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
    inputs = [each.removeprefix("liability-epochs-data:") for working in quote.workings for each in working.inputs]
    return any(_covers(each, spelt) for each in inputs)


def _covers(given_path: str, spelt: str) -> bool:
    before, star, after = given_path.partition("[*]")
    if not star:
        return spelt == given_path or spelt.startswith(f"{given_path}.")
    rest = spelt.removeprefix(before).partition("]")[2]
    return spelt.startswith(f"{before}[") and (rest in {"", after} or rest.startswith(f"{after}."))


@MUCH
@given(mutations())
def test_a_changed_answer_is_a_sane_quote_or_says_what_is_wrong(mutation: tuple[Path_, Any]) -> None:
    """And a quote that lies 20 % off was moved by a field that its arithmetic names."""
    path, answer = mutation
    found = outcome(answer)

    assert isinstance(WHOLE, Quote)
    if isinstance(found, Quote):
        assert 0 < float(found.gross) < 100
        assert 0 < float(found.expected) < 20
        near = abs(float(found.expected) / float(WHOLE.expected) - 1) <= 0.2

        assert near or printed(path, WHOLE), f"{path} moved the quote from {WHOLE.expected} to {found.expected}"
    else:
        assert isinstance(found, Transient | NoQuote)
        assert str(found).isprintable()


def test_the_changes_can_be_seen() -> None:
    """The unchanged answer has a quote, the fields are named in it, and one that is not an input is known as such."""
    assert isinstance(WHOLE, Quote)
    assert printed(("data", "epochs", 2, "amountDue"), WHOLE)
    assert printed(("data", "epochs", 2, "metadataBySolKey", "the others", "obhUsed"), WHOLE)
    assert printed(("data", "epochs", 5, "end"), WHOLE)
    assert not printed(("data", "epochs", 1, "amountDue"), WHOLE)
    assert not printed(("timestamp",), WHOLE)


LINES = [
    "2025-10-28 12:00:00 INFO: [4242] 1 usable gpus detected",
    "2025-10-28 12:05:44 INFO: [4242] sent render finished, job completed successfully (render time 151.0 seconds)",
    "2025-10-29 18:00:00 INFO: [4242] sent render finished, job completed successfully (render time 3449.0 seconds)",
    "2025-10-30 12:00:00 INFO: [4242] job was canceled",
]
TORN = st.sampled_from(
    [
        "2025-99-99 12:00:00 x",
        "0000-00-00 00:00:00",
        "\u0662\u0660\u0662\u0665-10-30 12:00:00 y",
        "(render time nan seconds)",
        "",
        "\x00" * 9,
    ]
)
NEW_LINES = TORN | st.text(max_size=30) | st.sampled_from(LINES)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file to write to."""
    return tmp_path_factory.mktemp("render") / "rndr_log.txt"


@MUCH
@given(
    st.lists(NEW_LINES, max_size=3),
    st.integers(0, 4),
    st.integers(0, 300),
    st.sampled_from(["", "9", "-", "e9", "2025-10-27 00:00:00 z (render time 9 seconds)\n", "\ufffd", "job completed successfully ("]),
)
def test_a_torn_log_measures_something_sane_or_nothing(log: Path, new: Sequence[str], line: int, at: int, text: str) -> None:
    """A share of the time between nothing and nine tenths, or the reason why there is none."""
    content = "\n".join([*LINES[:line], *new, *LINES[line:]])
    log.write_text(content[:at] + text + content[at:], encoding="utf-8")
    [found] = Frames(RENDER, RenderSettings(log=log), [GPU]).answers([GPU], PRICE, KNOWN, NOW)
    did = worked(log, 14)

    assert did is None or (did.span >= timedelta(0) and did.rendering >= timedelta(0))
    if isinstance(found, Quote):
        assert 0 <= float(found.occupancy) <= 0.9
        assert float(found.expected) < 20
    else:
        assert found.reason


@given(st.text(max_size=40) | st.from_regex(r"\A(NVIDIA )?(GeForce )?[RG]TX ?[0-9]{4}[ -]?(Ti|SUPER|D|M|Laptop GPU)?( [0-9]{1,2} ?GB)?\Z"))
def test_a_name_in_one_spelling_stays_as_it_is(model: str) -> None:
    """Nothing that people write breaks it, and spelling it again changes nothing."""
    once = plain(model)

    assert once == plain(once)


TRANSFER = {
    "blockTime": 1,
    "meta": {
        "err": None,
        "preTokenBalances": [{"mint": MINT, "owner": "payer", "uiTokenAmount": {"amount": "50000000000"}}],
        "postTokenBalances": [
            {"mint": MINT, "owner": "payer", "uiTokenAmount": {"amount": "47950000000"}},
            {"mint": MINT, "owner": "ours", "uiTokenAmount": {"amount": "2050000000"}},
        ],
    },
}
ALL_OF_IT = [path for path in paths(TRANSFER) if path]


class Endpoint:
    """A client whose every answer is one transaction."""

    network = RENDER

    def __init__(self, said: Any) -> None:
        self._said = said

    def post(self, url: str, body: Any, **_: Any) -> Reply:  # noqa: ARG002
        return Reply({"result": self._said}, NOW, url, 200)


@MUCH
@given(st.data())
def test_a_changed_transfer_makes_no_money(data: st.DataObject) -> None:
    """It is an amount of RENDER that there can be, or none, or an error of ours."""
    *way, last = data.draw(st.sampled_from(ALL_OF_IT))
    said = deepcopy(TRANSFER)
    holder: Any = said
    for step in way:
        holder = holder[step]
    _change(data.draw, holder, last)
    client: Any = Endpoint(said)
    with suppress(Transient):
        gained = Solana(client, "https://rpc.test").received("tx", "ours", ["payer"])

        assert gained is None or 0 < gained <= Decimal(10**9)


def test_the_unchanged_transfer_is_pay() -> None:
    """Else nothing above would be changed."""
    client: Any = Endpoint(TRANSFER)

    assert Decimal("20.5") == Solana(client, "https://rpc.test").received("tx", "ours", ["payer"])
