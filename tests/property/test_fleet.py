"""Assigning all GPUs at once: against every assignment there is, against HiGHS, and against its own bound."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, milp

from autopilot_strategies.blocks import bound, search
from autopilot_strategies.fleet import Fleet, Ints, exact

MONEY = st.integers(0, 60).map(lambda cents: cents / 10)


@st.composite
def fleets(draw: st.DrawFn, gpus: int = 5, venues: int = 3) -> Fleet:
    """A few groups of a few kinds, with ties, full venues, and venues that some may not go to."""
    names = draw(st.integers(1, venues))
    kinds = draw(st.integers(1, 3))
    homes = draw(st.lists(st.tuples(st.integers(0, kinds - 1), st.integers(0, names - 1)), min_size=1, max_size=gpus))
    cells = sorted(set(homes))
    counts = np.array([homes.count(cell) for cell in cells])
    home = np.array([cell[1] for cell in cells])
    cost = np.array(
        draw(st.lists(st.lists(MONEY | st.just(np.inf), min_size=names, max_size=names), min_size=len(cells), max_size=len(cells)))
    )
    cost[np.arange(len(cells)), home] = 0.0
    there = np.bincount(home, weights=counts, minlength=names).astype(int)
    return Fleet(
        counts=counts,
        kind=np.array([cell[0] for cell in cells]),
        home=home,
        pay=np.array(draw(st.lists(st.lists(MONEY, min_size=names, max_size=names), min_size=kinds, max_size=kinds))),
        cost=cost,
        fall=np.array(draw(st.lists(st.sampled_from([0.0, 0.01, 0.2, 0.5, 1.0]), min_size=names, max_size=names))),
        places=there + np.array(draw(st.lists(st.integers(0, 4), min_size=names, max_size=names))),
    )


def told(fleet: Fleet, targets: tuple[int, ...]) -> float:
    """The worth of an assignment GPU by GPU, as the model's words have it: the best paid first, each place pays less than the last."""
    groups = np.repeat(np.arange(len(fleet.counts)), fleet.counts)
    worth = -sum(fleet.cost[group, venue] for group, venue in zip(groups, targets, strict=True))
    for venue in set(targets):
        pays = sorted(
            (fleet.pay[fleet.kind[group], venue] for group, there in zip(groups, targets, strict=True) if there == venue), reverse=True
        )
        if len(pays) > fleet.places[venue]:
            return -np.inf
        worth += sum(pay * (1 - fleet.fall[venue]) ** place for place, pay in enumerate(pays))
    return float(worth)


def every(fleet: Fleet) -> list[tuple[float, int]]:
    """Every assignment there is: what it is worth, and how many move."""
    homes = np.repeat(fleet.home, fleet.counts)
    ways = itertools.product(range(len(fleet.places)), repeat=len(homes))
    return [(told(fleet, way), int(sum(homes != np.array(way)))) for way in ways]


def moved(fleet: Fleet, where: Ints) -> int:
    """How many GPUs move."""
    return int(where.sum() - where[np.arange(len(fleet.home)), fleet.home].sum())


def legal(fleet: Fleet, where: Ints) -> bool:
    """Whether every GPU has one place, no venue is overfilled and nobody is where it may not be."""
    placed = (where.sum(1) == fleet.counts).all() and (where >= 0).all()
    return bool(placed and (where.sum(0) <= fleet.places).all() and np.isfinite(fleet.cost[where > 0]).all())


def drawn(seed: int, gpus: int = 400, kinds: int = 4, venues: int = 6) -> Fleet:
    """A fleet too large to try every assignment, with limits that bind."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(gpus, np.full(kinds * venues, 1 / kinds / venues))
    kind, home = np.divmod(np.arange(kinds * venues), venues)
    cost = rng.uniform(0, 0.2, (len(kind), 1)) + rng.uniform(0, 0.4, (len(kind), venues))
    cost[np.arange(len(kind)), home] = 0.0
    there = np.bincount(home, weights=counts, minlength=venues).astype(int)
    pay = rng.lognormal(2.0, 0.6, (kinds, venues))
    return Fleet(counts, kind, home, pay, cost, rng.uniform(0, 0.02, venues), there + rng.integers(0, gpus // 8, venues))


@given(fleets())
def test_no_assignment_is_better_than_the_exact_one(fleet: Fleet) -> None:
    """It is worth as much as the best of all there are, and moves no more than the laziest of those that are worth as much."""
    where = exact(fleet)
    ways = every(fleet)
    best = max(worth for worth, _ in ways)

    assert legal(fleet, where)
    assert best == pytest.approx(fleet.total(where), abs=1e-6)
    assert min(moves for worth, moves in ways if worth > best - 1e-9) >= moved(fleet, where)


@given(fleets(gpus=8, venues=4))
def test_a_search_is_legal_never_worse_than_staying_and_never_above_its_bound(fleet: Fleet) -> None:
    """Whatever the numbers: whole GPUs, places kept, and the bound holds above the best there is."""
    where, best = search(fleet), fleet.total(exact(fleet))
    limit = bound(fleet, where)

    assert legal(fleet, where)
    assert fleet.total(fleet.staying()) - 1e-9 <= fleet.total(where) <= best + 1e-6
    assert best <= limit + 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_hundreds_of_gpus_are_within_a_ten_thousandth_of_their_bound(seed: int) -> None:
    """And the bound is not loose: the exact sum lies between the two."""
    fleet = drawn(seed)
    where = search(fleet)
    limit, best = bound(fleet, where), fleet.total(exact(fleet))

    assert legal(fleet, where)
    assert fleet.total(where) <= best + 1e-6 <= limit + 2e-6
    assert limit - fleet.total(where) <= 1e-4 * limit


@pytest.mark.parametrize("seed", range(3))
def test_highs_finds_the_same_sum(seed: int) -> None:
    """The same model as a mixed-integer programme over groups, venues and places."""
    fleet = drawn(seed, gpus=12, kinds=2, venues=3)
    depth = fleet.counts.sum()
    shares = (1 - fleet.fall[:, None]) ** np.arange(depth)
    worth = fleet.pay[fleet.kind][:, :, None] * shares - fleet.cost[:, :, None]
    worth[:, np.arange(depth) >= fleet.places[:, None]] = -1e6
    index = np.arange(worth.size).reshape(worth.shape)
    groups = np.array([np.isin(index, index[group]).ravel() for group in range(len(fleet.counts))], float)
    places = np.array([np.isin(index, index[:, venue, place]).ravel() for venue in range(3) for place in range(depth)], float)
    rules = [LinearConstraint(groups, fleet.counts, fleet.counts), LinearConstraint(places, 0, 1)]
    solved = milp(-worth.ravel(), constraints=rules, integrality=np.ones(worth.size))

    assert -solved.fun == pytest.approx(fleet.total(exact(fleet)))


def test_pay_that_falls_to_nothing_is_not_followed() -> None:
    """Where only the first GPU is paid, one goes, and the others keep what they have."""
    fleet = Fleet(
        np.array([3]), np.array([0]), np.array([0]), np.array([[1.0, 5.0]]), np.array([[0.0, 0.5]]), np.array([0.0, 1.0]), np.array([3, 3])
    )

    assert [[2, 1]] == exact(fleet).tolist() == search(fleet).tolist()


def test_a_fleet_of_nobody_stays_as_it_is() -> None:
    """A group without a GPU moves none, though another venue pays more and there is nobody to change places with."""
    fleet = Fleet(
        np.array([0]), np.array([0]), np.array([0]), np.array([[1.0, 2.0]]), np.array([[0.0, 0.1]]), np.array([0.1, 0.1]), np.array([0, 0])
    )

    assert [[0, 0]] == search(fleet).tolist()


def test_the_marginal_is_what_one_more_gpu_adds() -> None:
    """The second GPU at the first venue would be paid a tenth less; at the second there is no place; the third has nobody yet."""
    fleet = Fleet(
        counts=np.array([1, 1]),
        kind=np.array([0, 1]),
        home=np.array([0, 1]),
        pay=np.array([[2.0, 1.0, 3.0], [1.0, 1.0, 4.0]]),
        cost=np.zeros((2, 3)),
        fall=np.array([0.1, 0.0, 0.5]),
        places=np.array([2, 1, 1]),
    )

    assert [pytest.approx(1.8), 0.0, pytest.approx(4.0)] == fleet.marginal(fleet.staying()).tolist()


@pytest.mark.parametrize("solve", [exact, search])
def test_gpus_that_took_each_others_venue_are_no_better_off(solve: object) -> None:
    """Two venues that are alike to all: nobody moves, though a thousand assignments are worth the same before the cost of moving."""
    fleet = Fleet(
        np.array([4, 4]),
        np.array([0, 0]),
        np.array([0, 1]),
        np.array([[1.0, 1.0]]),
        np.zeros((2, 2)),
        np.array([0.1, 0.1]),
        np.array([8, 8]),
    )

    assert callable(solve)
    assert fleet.staying().tolist() == solve(fleet).tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        {"pay": np.array([[-1.0, 1.0]])},
        {"pay": np.array([[np.nan, 1.0]])},
        {"fall": np.array([0.0, 1.1])},
        {"cost": np.array([[0.0, np.nan]])},
        {"cost": np.array([[np.inf, 0.0]])},
        {"places": np.array([1, 9])},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, np.ndarray]) -> None:
    """Before anything is solved."""
    right = {
        "counts": np.array([2]),
        "kind": np.array([0]),
        "home": np.array([0]),
        "pay": np.array([[1.0, 1.0]]),
        "cost": np.zeros((1, 2)),
        "fall": np.zeros(2),
        "places": np.array([2, 2]),
    }
    with pytest.raises(ValueError, match=r"a fall lies between 0 and 1|every GPU has a place"):
        Fleet(**{**right, **wrong})
