"""What lium, the chain and taostats say is read strictly: keys, widths, bounds; and whatever is wrong names its field."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from autopilot.errors import Transient
from autopilot.kit.reading import Field
from autopilot.sim.clock import SimClock
from autopilot_adapters.bittensor import codec
from autopilot_adapters.bittensor.chain import Chain
from autopilot_adapters.bittensor.codec import Item, State
from autopilot_adapters.bittensor.figures import plain
from autopilot_adapters.bittensor.lium import read_capacity, read_machines
from autopilot_adapters.bittensor.taostats import Taostats
from autopilot_adapters.bittensor.wire import Step, Subnet, Wanted

W: Any = SimpleNamespace(**run_path(str(Path(__file__).parents[2] / "data/bittensor/world.py")))
OURS = Wanted(W.NETUID, W.HOTKEY, None)
PALLET = "0x658faa385070e074c85bf6b568cf0555"
ITEM = Item("0x01", "Pallet.Item(4)")


def chain(world: Any, tmp_path: Path, wanted: Wanted = OURS) -> Subnet | None:
    """What the chain of this world says of one subnet."""
    kit = W.kit(world, tmp_path)
    return Chain(kit.http, [W.ENDPOINT], kit.clock.now).subnets([wanted])[0]


def said(value: str | None) -> State:
    """A state of one item."""
    return State("bittensor", {"0x01": None if value is None else bytes.fromhex(value)})


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Tempo", "7641384bb339f3758acddfd7053d3317"),
        ("ImmunityPeriod", "b6522cfe03433e9e101a258ee2f580ab"),
        ("Burn", "01be1755d08418802946bca51b686325"),
        ("NetworksAdded", "0e30450fc4d507a846032a7fa65d9a43"),
        ("SubnetMovingPrice", "1abf1b0f4fd14f7b72ee50f9d91d5915"),
        ("MinerBurned", "1eac6222ebba7feba4ca36a94736815e"),
        ("SubnetEmissionEnabled", "c97bb5c5631e5f593b5bd2da84a5fa16"),
        ("SubnetTaoInEmission", "dd62ae7237581e8f6a684f1ecae06215"),
    ],
)
def test_storage_keys_are_those_of_the_chain(name: str, key: str) -> None:
    """Pallet, item, and the netuid in two bytes, the lower first."""
    assert f"{PALLET}{key}3300" == codec.of_subnet(name, 51).key
    assert f"{PALLET}{key}0201" == codec.of_subnet(name, 258).key


def test_the_clock_of_the_chain_has_its_well_known_key() -> None:
    """Every Substrate chain keeps its time there."""
    assert codec.NOW.key == "0xf0c365c3cf59d671eb72da0e7a4113c49f1f0515f462cdcf84e0f1d6045dfcbb"


def test_addresses_are_read_and_written() -> None:
    """The same 32 bytes both ways, with a checksum that notices a slip of the pen."""
    alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    key = codec.public_key(alice)

    assert key.hex() == "d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d"
    assert codec.address(key) == alice
    for wrong in (alice[:-1] + "Z", alice[:-1], "", "cosmos1qqqq", "0x" + key.hex(), "\u0665" + alice[1:], "1" * 4000):
        with pytest.raises(ValueError, match="no address of Bittensor"):
            codec.public_key(wrong)


def test_values_have_the_width_that_they_should() -> None:
    """A number that grew or shrank between two runtimes is not guessed at."""
    assert said("6801").number(ITEM, 2) == 360
    assert said(None).number(ITEM, 2, 4096) == 4096
    assert said("00000000010000000000000000000000").share(ITEM) == 2**32 / 2**32
    assert Decimal("0.25") == said("00000040000000000000000000000000").share(ITEM)
    assert list(said("0c010002000300").numbers(ITEM, 2)) == [1, 2, 3]
    assert list(said("0101" + "0100" * 64).numbers(ITEM, 2)) == [1] * 64
    assert not list(said(None).numbers(ITEM, 2))
    for reader in (
        lambda: said("680100").number(ITEM, 2),
        lambda: said(None).number(ITEM, 2),
        lambda: said("02").flag(ITEM, absent=True),
        lambda: said("01000000010000000000000000000000").share(ITEM),
        lambda: said("ff" * 8).amount(ITEM, 21_000_000),
        lambda: said("00" * 31).account(ITEM),
        lambda: said("0c0100").numbers(ITEM, 2),
        lambda: said("03").numbers(ITEM, 2),
        lambda: said("ffffffff").numbers(ITEM, 2),
        lambda: State("bittensor", {}).number(ITEM, 2, 0),
    ):
        with pytest.raises(Transient, match=r"bittensor: Pallet\.Item\(4\)"):
            reader()


@pytest.mark.parametrize("text", ["", "51", "0x5", "0xzz", "0x 51", "\u0660x51", None, 81, ["0x51"]])
def test_bytes_are_written_in_hexadecimal(text: Any) -> None:
    """And in nothing else."""
    with pytest.raises(Transient, match="state_call: should be bytes"):
        codec.unhexed(Field("bittensor", "state_call:", text))


def test_the_chain_says_all_there_is_to_say(tmp_path: Path) -> None:
    """From one look, with every default that the chain has for what is not stored."""
    subnet = chain(W.World(), tmp_path)

    assert subnet is not None
    assert (W.BLOCK, Step(W.BLOCK - 100, 777)) == (subnet.look.block, subnet.look.step)
    assert subnet.before is not None
    assert Step(W.BLOCK - 460, 776) == subnet.before.step
    assert (360, 5000, Decimal("0.5"), True) == (subnet.tempo, subnet.immunity, subnet.burn, subnet.open)
    assert (Decimal("0.0645"), 2_000_000, 128_000) == (subnet.price, subnet.alpha_in, subnet.tao_in)
    assert (Decimal(33) / 65535, 1, Decimal("0.25"), True) == (subnet.swap_fee, subnet.minted, subnet.burned, subnet.enabled)
    assert frozenset({W.OWNER, W.OWNER_HOTKEY}) == subnet.owners
    assert subnet.miner is not None
    assert (W.UID, W.HOTKEY, W.COLDKEY, 2, False) == (
        subnet.miner.uid,
        subnet.miner.hotkey,
        subnet.miner.coldkey,
        subnet.miner.emission,
        subnet.miner.dividends,
    )
    assert W.BLOCK + 4000 == subnet.miner.immune_until


def test_a_miner_is_found_by_its_uid_as_well(tmp_path: Path) -> None:
    """The chain tells whose it is."""
    world = W.World()
    world.state[codec.owner_of(W.HOTKEY).key] = W.account(W.COLDKEY)
    subnet = chain(world, tmp_path, Wanted(W.NETUID, None, W.UID))

    assert subnet is not None
    assert subnet.miner is not None
    assert subnet.miner.hotkey == W.HOTKEY


def test_an_old_runtime_counts_one_block_more(tmp_path: Path) -> None:
    """It knows neither LastEpochBlock nor a count of epochs, and its period is tempo + 1."""
    world = W.World()
    for name in ("LastEpochBlock", "SubnetEpochIndex"):
        world.state[W.subnet(name)] = world.before[W.subnet(name)] = None
    subnet = chain(world, tmp_path)

    assert subnet is not None
    assert (361, Step(W.BLOCK - 100, None)) == (subnet.tempo, subnet.look.step)


def test_what_is_not_there_is_not_made_up(tmp_path: Path) -> None:
    """No subnet is None; no UID is no miner."""
    gone, unregistered = W.World(), W.World()
    gone.state[W.subnet("NetworksAdded")] = None
    unregistered.state[codec.uid_of(W.NETUID, W.HOTKEY).key] = None
    subnet = chain(unregistered, tmp_path)

    assert chain(gone, tmp_path) is None
    assert subnet is not None
    assert subnet.miner is None


def test_a_state_that_was_forgotten_is_no_error(tmp_path: Path) -> None:
    """A node that is no archive may have dropped the earlier block: then nothing was measured."""
    world = W.World()
    world.before = None
    subnet = chain(world, tmp_path)

    assert subnet is not None
    assert subnet.before is None


def _set(name: str, value: str | None) -> Callable[[Any], None]:
    return lambda world: world.state.update({W.subnet(name): value})


def _put(name: str, value: Any) -> Callable[[Any], None]:
    return lambda world: setattr(world, name, value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_set("Tempo", "0x0000"), r"Tempo\(4\) is 0"),
        (_set("Tempo", None), r"Tempo\(4\)"),
        (_set("LastEpochBlock", W.u(W.BLOCK + 1, 8)), "lies after block"),
        (_set("Emission", W.listed([1, 2], 8)), r"Emission\(4\) has 2 entries, none for UID 2"),
        (_set("Emission", W.listed([0, 0, 50_401 * W.RAO], 8)), r"Emission\(4\)\[2\]"),
        (_set("Burn", W.u(10_001 * W.RAO, 8)), r"Burn\(4\)"),
        (_set("SubnetTAO", W.u(2**64 - 1, 8)), r"SubnetTAO\(4\)"),
        (_put("price", "0x01"), "state_call"),
        (_put("price", W.u(1001 * W.RAO, 8)), "state_call"),
        (_put("price", None), "UnknownBlock"),
        (_put("header", {"height": 5}), "number is missing"),
        (_put("header", {"number": "0x10"}), "number of a block"),
        (_put("header", {"number": 8_740_402}), "number of a block"),
        (_put("hashes", [None, None]), "chain_getBlockHash"),
        (_put("hashes", ["0xaa"]), "two hashes"),
        (_put("hashes", ["0xaa", "0xbb"]), "the hash of a block"),
        (lambda world: world.state.update({codec.NOW.key: W.u(2**60, 8)}), "no time in milliseconds"),
        (lambda world: world.state.update({codec.NOW.key: W.u(10**12, 8)}), "does not follow the chain"),
        (lambda world: world.state.update({codec.of_uid("Keys", W.NETUID, W.UID).key: W.account(W.OTHER)}), "changed hands"),
    ],
)
def test_a_chain_that_makes_no_sense_is_transient(change: Callable[[Any], None], named: str, tmp_path: Path) -> None:
    """And the message says which item it is."""
    world = W.World()
    change(world)
    with pytest.raises(Transient, match=named):
        chain(world, tmp_path)


def test_a_state_of_another_block_is_not_taken() -> None:
    """Nor two, nor one in which a key has two values."""
    pair = ["0x01", "0x6801"]
    for answer in ([], [{"block": "0xcc", "changes": []}], [{"block": "0xaa", "changes": [pair, ["0x01", "0x00"]]}], [{"block": "0xaa"}]):
        with pytest.raises(Transient):
            State.of(Field("bittensor", "state_queryStorageAt:", answer), "0xaa")
    twice = [{"block": "0xaa", "changes": [pair, pair]}]

    assert State.of(Field("bittensor", "", twice), "0xaa").number(ITEM, 2) == 360


def test_taostats_says_the_same_as_the_chain(tmp_path: Path) -> None:
    """But for what it does not say: burned, switched off, minted."""
    kit = W.kit(W.World(), tmp_path)
    there = Taostats(kit.http, W.TAOSTATS, W.KEY, kit.clock.now).subnets([OURS])[0]
    here = chain(W.World(), tmp_path)

    assert there is not None
    assert here is not None
    for name in ("netuid", "tempo", "immunity", "burn", "open", "price", "alpha_in", "tao_in", "swap_fee", "miner"):
        assert getattr(here, name) == getattr(there, name), name
    assert (None, None, None) == (there.minted, there.burned, there.enabled)
    assert Step(W.BLOCK - 100, None) == there.look.step


@pytest.mark.parametrize(
    ("table", "name", "value", "named"),
    [
        ("subnet", "netuid", 5, "subnet:data has 0 rows"),
        ("metagraph", "hotkey", {"ss58": W.COLDKEY}, "metagraph:data has 0 rows"),
        ("metagraph", "emission", "2.5", "emission"),
        ("metagraph", "emission", "٢", "emission"),
        ("metagraph", "emission", None, "emission"),
        ("metagraph", "emission", 10**40, "emission"),
        ("dtao/pool", "price", "NaN", "price"),
        ("dtao/pool", "price", -1, "price"),
        ("dtao/pool", "price", 1e308, "price"),
        ("dtao/pool", "price", True, "price"),
        ("subnet", "timestamp", "yesterday", "timestamp"),
        ("subnet", "timestamp", "2026-02-30T00:00:00Z", "timestamp"),
        ("subnet", "timestamp", "2025-08-25T12:00:00Z", "timestamp"),
        ("subnet", "blocks_since_last_step", 10**8, "blocks_since_last_step"),
        ("subnet", "registration_allowed", "yes", "registration_allowed"),
    ],
)
def test_what_taostats_cannot_mean_is_transient(table: str, name: str, value: Any, named: str, tmp_path: Path) -> None:
    """And names the field."""
    world = W.World()
    world.stats[table][name] = value
    kit = W.kit(world, tmp_path)
    with pytest.raises(Transient, match=named):
        Taostats(kit.http, W.TAOSTATS, W.KEY, kit.clock.now).subnets([OURS])


def test_taostats_is_asked_five_times_a_minute_at_most(tmp_path: Path) -> None:
    """The free tier allows no more: requests lie twelve seconds apart."""
    clock = SimClock(W.NOW)
    kit = W.kit(W.World(), tmp_path, clock=clock)
    Taostats(kit.http, W.TAOSTATS, W.KEY, clock.now).subnets([OURS])

    assert timedelta(seconds=24) <= clock.now() - W.NOW


@pytest.mark.parametrize("name", sorted(W.MACHINES[0].keys() - {"base_price", "k"}))
def test_a_column_of_lium_that_changed_its_name_is_noticed(name: str) -> None:
    """A missing field is no null."""
    rows = [{key: value for key, value in row.items() if key != name} for row in W.MACHINES]
    with pytest.raises(Transient, match=rf"machines:\[0\]\.{name} is missing"):
        read_machines("bittensor", rows)


@pytest.mark.parametrize("value", ["NaN", "x", -0.1, 1e308, 101, True, [], {}, "٢", 10**40])
def test_a_price_of_lium_has_bounds(value: Any) -> None:
    """Beyond them, units were mixed up."""
    rows = [{**W.MACHINES[4], "price": value}]
    with pytest.raises(Transient, match=r"machines:\[0\]\.price should be a number from 0 to 100"):
        read_machines("bittensor", rows)


def test_a_rental_rate_in_per_cent_is_refused() -> None:
    """It is a share."""
    with pytest.raises(Transient, match="rental_rate"):
        read_machines("bittensor", [{**W.MACHINES[4], "rental_rate": 98.65}])


def test_numbers_may_be_written_as_text() -> None:
    """In plain digits."""
    (row,) = read_machines("bittensor", [{**W.MACHINES[4], "price": "0.30"}])

    assert row.price == Decimal("0.30")


def test_a_row_that_comes_twice_is_one_row() -> None:
    """Two that differ are none, also where the name is only written in another way."""
    row = W.MACHINES[4]

    assert len(read_machines("bittensor", [row, row])) == 1
    for other in ({**row, "price": 0.31}, {**row, "name": "rtx4090"}):
        with pytest.raises(Transient, match=r"machines:\[1\] should be what machines:\[0\] says"):
            read_machines("bittensor", [row, other])


@pytest.mark.parametrize("answer", [None, [], {}, "x", [None], [[]], {"data": W.MACHINES}, [{"base_model": "A", "buckets": {"x": {}}}]])
def test_garbage_is_transient(answer: Any) -> None:
    """For both questions."""
    for read in (read_machines, read_capacity):
        with pytest.raises(Transient):
            read("bittensor", answer)


@pytest.mark.parametrize(
    ("number", "text"),
    [("0", "0"), ("0.30", "0.3"), ("1234567890.12", "1234567890"), ("0.000012345678912", "0.0000123456789"), ("100", "100")],
)
def test_figures_are_printed_for_a_pocket_calculator(number: str, text: str) -> None:
    """Nine digits that count, and no exponent."""
    assert text == plain(Decimal(number))
