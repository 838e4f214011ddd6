"""Render's statistics: which epochs count, and what is not believed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from autopilot.errors import Transient
from autopilot.kit.reading import Field
from autopilot_adapters.render.wire import Epoch, closed_epochs

NOW = datetime(2025, 10, 31, 1, tzinfo=UTC)
FILE = Path(__file__).parents[2] / "data" / "render" / "liability-epochs-data.json"
ANSWER = json.loads(FILE.read_text(encoding="utf-8"))
NEWEST = 2
"""Where epoch 97 stands among the rows of the file; epoch 98 is still running."""
Spoil = Callable[[dict[str, Any]], object]


def read(answer: Any, now: datetime = NOW, count: int = 4) -> list[Epoch]:
    """The epochs of an answer."""
    return list(closed_epochs(Field("render", "file:", answer), now, count))


def spoilt(spoil: Spoil) -> Any:
    """The answer, with something done to it."""
    answer = deepcopy(ANSWER)
    spoil(answer)
    return answer


def rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Its rows."""
    found: list[dict[str, Any]] = answer["data"]["epochs"]
    return found


def row(name: str, value: Any, index: int = NEWEST) -> Spoil:
    """One field of a row with another value."""
    return lambda answer: rows(answer)[index].update({name: value})


def hours(value: Any) -> Spoil:
    """The work of one wallet with another value."""
    return lambda answer: rows(answer)[NEWEST]["metadataBySolKey"]["MedianWa11et"].update({"obhUsed": value})


def test_the_newest_closed_epochs_are_read() -> None:
    """Oldest first; not the one that still runs, not those of other products, and not those of before hours were published."""
    assert [94, 95, 96, 97] == [epoch.number for epoch in read(ANSWER)]
    assert [97] == [epoch.number for epoch in read(ANSWER, count=1)]
    assert list(range(89, 98)) == [epoch.number for epoch in read(ANSWER, count=9)]


def test_an_epoch_counts_from_its_end_on() -> None:
    """Intervals are half-open: at its end it is over."""
    end = datetime(2025, 10, 29, tzinfo=UTC)

    assert 97 == read(ANSWER, end)[-1].number
    assert 96 == read(ANSWER, end - timedelta(microseconds=1))[-1].number


def test_the_figures_are_those_of_the_record() -> None:
    """15,000 RENDER in units of 1e-8, for 19,694,748 OctaneBench-hours: 0.00076 for each; the other epochs likewise."""
    epochs = {epoch.number: epoch for epoch in read(ANSWER, count=9)}
    newest = epochs[97]

    assert (Decimal("14999.99999867"), Decimal(19_694_748)) == (newest.paid, newest.obh)
    assert datetime(2025, 10, 29, tzinfo=UTC) == newest.end
    assert {89: "0.00024", 94: "0.00170", 95: "0.00086", 97: "0.00076"} == {n: f"{epochs[n].per_obh:.5f}" for n in (89, 94, 95, 97)}


def test_a_row_that_comes_twice_counts_once() -> None:
    """The same row again is no second week."""
    doubled = spoilt(lambda answer: rows(answer).append(deepcopy(rows(answer)[NEWEST])))

    assert read(ANSWER) == read(doubled)


def test_an_epoch_whose_work_is_not_published_yet_is_not_counted() -> None:
    """It has just closed; the one before is the newest that can be reckoned with."""
    assert [93, 94, 95, 96] == [epoch.number for epoch in read(spoilt(row("metadataBySolKey", {})))]


def test_other_rows_may_hold_anything() -> None:
    """A channel that does not concern us cannot break ours."""
    assert read(ANSWER) == read(spoilt(lambda answer: rows(answer).append({"channel": "gifts", "epochId": None})))


BROKEN: dict[str, tuple[Spoil, str]] = {
    "no data": (lambda answer: answer.pop("data"), "file:data is missing"),
    "another name for the epochs": (lambda answer: answer["data"].update(weeks=answer["data"].pop("epochs")), "data.epochs is missing"),
    "no list": (lambda answer: answer["data"].update(epochs={}), "data.epochs should be an array"),
    "no epochs": (lambda answer: answer["data"].update(epochs=[]), "closed epochs of the channel node_operator"),
    "no success": (lambda answer: answer.update(success=False), "success should be true"),
    "a hole": (lambda answer: rows(answer).pop(NEWEST + 2), "from epoch 95 to epoch 97"),
    "an epoch twice, and different": (
        lambda answer: rows(answer).append({**rows(answer)[NEWEST], "amountDue": 1}),
        "says something else of epoch 97",
    ),
    "another name for the amount": (lambda answer: rows(answer)[NEWEST].pop("amountDue"), "epochs[2].amountDue is missing"),
    "another name for the channel": (lambda answer: rows(answer)[0].pop("channel"), "epochs[0].channel is missing"),
    "unicode digits": (row("amountDue", "\u0661\u0665"), "amountDue should be a number"),
    "an amount in RENDER": (row("amountDue", 15000), "amountDue should be a number from 10000000000"),
    "half a unit": (row("amountDue", 1499999999867.5), "amountDue should be a whole number"),
    "an amount beyond all sense": (row("amountDue", 1e308), "amountDue should be a number"),
    "a huge whole number": (row("amountDue", 10**5000), "not a huge number"),
    "not a number": (row("amountDue", float("nan")), "amountDue should be a number"),
    "a negative amount": (row("amountDue", -1499999999867), "amountDue should be a number"),
    "true": (row("amountDue", value=True), "amountDue should be a number"),
    "null": (row("amountDue", None), "amountDue should be a number"),
    "an end without a zone": (row("end", "2025-10-29T00:00:00"), "end should be an instant"),
    "an end in the thirteenth month": (row("end", "2025-13-29T00:00:00Z"), "end should be an instant"),
    "an end before the calendar": (row("end", "0001-01-01T00:00:00+23:59"), "end should be an instant"),
    "an end in seconds": (row("end", 1761696000), "end should be an instant"),
    "a month": (row("start", "2025-10-01T00:00:00Z"), "end should be a week after 2025-10-01"),
    "an epoch of nothing": (row("epochId", None), "epochId should be a number"),
    "unknown hours": (hours(None), "MedianWa11et.obhUsed should be a number"),
    "negative hours": (hours(-27672), "MedianWa11et.obhUsed should be a number"),
    "another name for the hours": (row("metadataBySolKey", {"wallet": {"obh": 10**7}}), "wallet.obhUsed is missing"),
    "wallets as a list": (row("metadataBySolKey", [1]), "metadataBySolKey should be an object"),
    "most wallets are missing": (row("metadataBySolKey", {"wallet": {"obhUsed": 809_504}}), "metadataBySolKey cannot be whole"),
    "nobody worked": (row("metadataBySolKey", {"wallet": {"obhUsed": 0}}), "metadataBySolKey cannot be whole"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_makes_no_sense_is_named(name: str) -> None:
    """Transient with the field: unknown is not zero, and a change of shape is no rate."""
    spoil, told = BROKEN[name]
    with pytest.raises(Transient) as caught:
        read(spoilt(spoil))

    assert told in str(caught.value)


@pytest.mark.parametrize("answer", [None, [], 7, "text", {}, {"data": None}, {"success": "yes", "data": {}}])
def test_no_answer_of_another_kind_is_read(answer: Any) -> None:
    """Whatever it is."""
    with pytest.raises(Transient):
        read(answer)


@pytest.fixture
def samples() -> Path:
    """Recorded answers."""
    folder = Path(os.environ.get("AUTOPILOT_TEST_SAMPLES", "")) / "render"
    if not os.environ.get("AUTOPILOT_TEST_SAMPLES") or not folder.is_dir():
        pytest.skip("AUTOPILOT_TEST_SAMPLES names no folder with recorded answers of Render")
    return folder


def test_the_recorded_file_is_read_down_to_the_wallets_that_were_cut_from_it(samples: Path) -> None:
    """Every field is found; the eight wallets that are left of 253 cannot have shared 15,000 RENDER, and that is noticed."""
    answer = json.loads((samples / "liability-epochs-data.trimmed.json").read_text(encoding="utf-8"))
    with pytest.raises(Transient) as caught:
        read(answer)

    assert "353438 OctaneBench-hours of 8 wallets share 14999.99999873 RENDER" in str(caught.value)


def test_the_recorded_file_with_all_of_its_work(samples: Path) -> None:
    """With the sum of hours that the whole file had, epoch 97 pays what it paid."""
    answer = json.loads((samples / "liability-epochs-data.trimmed.json").read_text(encoding="utf-8"))
    newest = next(each for each in rows(answer) if each["epochId"] == 97 and each["channel"] == "node_operator")
    listed = sum(entry["obhUsed"] for entry in newest["metadataBySolKey"].values())
    newest["metadataBySolKey"]["the others"] = {"obhUsed": 19_694_748 - listed}
    [epoch] = read(answer, count=1)

    assert 759_648 == listed
    assert ("0.00076", 9) == (f"{epoch.per_obh:.5f}", len(epoch.work))


def test_every_recorded_answer_is_a_number_or_an_error_of_ours(samples: Path) -> None:
    """Also those that are other files: burns, schemas."""
    for file in sorted(samples.glob("*.json")):
        with pytest.raises(Transient):
            read(json.loads(file.read_text(encoding="utf-8")))
