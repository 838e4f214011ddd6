"""All devices of a rig at once: who goes where, what is said about it, and what one more would earn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.market import Quote, Room
from autopilot.model.view import View
from autopilot.testing.views import device, venue, view
from autopilot.units import Share
from autopilot_strategies.capacity import Assignment, Worth, assign

AKASH, NOSANA = venue("akash"), venue("nosana")
HOURS = 10.0


def roomy(seen: View, rooms: Mapping[str, Room]) -> View:
    """The view, with rooms in its quotes."""
    quotes = {
        key: replace(each, room=rooms.get(each.venue.network, each.room)) if isinstance(each, Quote) else each
        for key, each in seen.quotes.items()
    }
    return replace(seen, quotes=quotes)


def rig(devices: int = 4, rooms: Mapping[str, Room] | None = None) -> View:
    """Equal devices at akash, which pays 0.25; nosana pays 0.30."""
    return roomy(view({"akash": [0.25], "nosana": [0.30]}, "akash", devices=devices), rooms or {})


def worths(seen: View, moving: float = 0.1) -> dict[tuple[DeviceId, Venue], Worth]:
    """Ten hours at every quote, and so much for a move."""
    return {
        (each.id, place): Worth(HOURS * float(quote.expected), 0.0 if place == seen.venue(each) else moving)
        for each in seen.devices
        for place, quote in seen.offers(each).items()
    }


def targets(found: Assignment) -> list[Venue]:
    """By the id of the device."""
    return [choice.target for choice in found.choices.values()]


def test_without_limits_every_device_goes_to_its_best_venue() -> None:
    """The assignment is then what each would choose by itself."""
    found = assign(rig(), worths(rig()))

    assert [NOSANA] * 4 == targets(found)
    assert 4 * (3.0 - 0.1) == pytest.approx(found.total) == found.bound


def test_the_one_that_would_earn_less_stays() -> None:
    """With a fall of a tenth the second GPU at nosana earns 0.27, the third 0.243, and akash pays 0.25; moving costs 0.1 $ in ten hours."""
    seen = rig(rooms={"nosana": Room(fall=Share.of("0.1"))})
    found = assign(seen, worths(seen))

    assert [AKASH, AKASH, NOSANA, NOSANA] == targets(found)
    assert {AKASH: pytest.approx(2.5), NOSANA: pytest.approx(2.43)} == found.marginal
    assert "stay at akash (0.25 $/h); nosana (0.243 $/h as GPU 3 of yours) would be worth less" == found.choices[device(0).id].why
    assert "leave akash (0.25 $/h as GPU 4 of yours) for nosana (0.27 $/h as GPU 2 of yours)" == found.choices[device(3).id].why


def test_a_full_venue_takes_nobody() -> None:
    """Places are those that still fit; the sentence says so, and one more GPU there would add nothing."""
    seen = rig(rooms={"nosana": Room(places=1)})
    found = assign(seen, worths(seen))

    assert [AKASH, AKASH, AKASH, NOSANA] == targets(found)
    assert found.choices[device(0).id].why.endswith("; nosana has no place left")
    assert 0.0 == found.marginal[NOSANA]


def test_devices_that_are_there_keep_their_places() -> None:
    """``places`` counts beside them: nobody is turned out of a full venue."""
    seen = roomy(view({"akash": [0.25], "nosana": [0.30]}, "nosana", devices=3), {"nosana": Room(places=0)})

    assert [NOSANA] * 3 == targets(assign(seen, worths(seen)))


def test_fixed_devices_hold_the_first_places() -> None:
    """Two that cannot be moved are at nosana: who comes is the third there, and earns as such."""
    seen = rig(4, {"nosana": Room(fall=Share.of("0.1"))})
    placements = dict(seen.placements)
    for number in (0, 1):
        placements[device(number).id] = replace(placements[device(number).id], venue=NOSANA)
    seen = replace(seen, placements=placements, fixed=frozenset({device(0).id, device(1).id}))
    found = assign(seen, worths(seen))

    assert [AKASH, AKASH] == targets(found)
    assert pytest.approx(3.0 * 0.81) == found.marginal[NOSANA]


def test_equal_venues_move_nobody() -> None:
    """Not even for nothing: a move that gains nothing is not made."""
    seen = view({"akash": [0.3], "nosana": [0.3]}, "nosana", devices=3)
    found = assign(seen, worths(seen, moving=0.0))

    assert [NOSANA] * 3 == targets(found)
    assert all(choice.why == "stay at nosana (0.3 $/h)" or "as GPU" in choice.why for choice in found.choices.values())


def test_the_order_of_devices_and_values_does_not_matter() -> None:
    """By id and by name it is put in order first."""
    seen = rig(5, {"nosana": Room(2, Share.of("0.05"))})
    values = worths(seen)
    turned = replace(seen, devices=seen.devices[::-1], placements=dict(reversed(list(seen.placements.items()))))

    assert assign(seen, values) == assign(turned, dict(reversed(list(values.items()))))


def test_a_device_without_a_value_where_it_is_stays() -> None:
    """What staying is worth is not known, so leaving would be a guess; and who cannot stay at a price is not assigned."""
    seen = rig(2)
    values = {key: worth for key, worth in worths(seen).items() if key != (device(0).id, AKASH)}
    found = assign(seen, values)

    assert [AKASH, NOSANA] == targets(found)
    assert "nothing is known" in found.choices[device(0).id].why
    assert Assignment({}, {}, 0.0, 0.0) == assign(replace(seen, fixed=frozenset(each.id for each in seen.devices)), values)


def test_idle_is_a_venue_without_limits() -> None:
    """Where power costs more than is earned, all may go idle."""
    seen = rig(3, {"akash": Room(0), "nosana": Room(0)})
    values = {key: Worth(worth.pay, worth.cost + 5.0) for key, worth in worths(seen).items()}
    values.update({(each.id, IDLE): Worth(0.0) for each in seen.devices})

    assert [IDLE] * 3 == targets(assign(seen, values))


def test_of_different_rooms_the_tightest_counts() -> None:
    """Two devices hear two figures from one venue: the rig takes neither for more than it is."""
    seen = rig(2, {"nosana": Room(2, Share.of("0.5"))})
    key = (NOSANA, device(1).id)
    quote = seen.quotes[key]
    assert isinstance(quote, Quote)
    seen = replace(seen, quotes={**seen.quotes, key: replace(quote, room=Room(1, Share.of("0.1")))})
    found = assign(seen, worths(seen))

    assert [AKASH, NOSANA] == targets(found)


def test_hundreds_of_devices_are_assigned_within_their_bound() -> None:
    """A fleet too large for the exact way: the bound says how near it is."""
    seen = rig(400, {"nosana": Room(fall=Share.of("0.001"))})
    found = assign(seen, worths(seen))

    assert 0 < found.bound - found.total <= 1e-4 * found.bound
    assert 0 < targets(found).count(NOSANA) < 400


def test_negative_pay_is_refused() -> None:
    """Pay falls towards nothing; what is below that is a cost."""
    with pytest.raises(ValueError, match="pay is finite and not negative"):
        assign(rig(1), {(device(0).id, AKASH): Worth(-1.0)})
