"""Storage keys and SCALE values of the chain: as much of them as plain storage needs, with no metadata and no SDK.

A key is twox128(pallet), twox128(item) and the arguments, each hashed as the item's declaration says (opentensor/subtensor,
``pallets/subtensor/src/lib.rs``; the hashes are Substrate's). Values of plain storage items keep their width from runtime to runtime;
one that has another width than expected is not guessed at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b

import base58
import xxhash

from autopilot.errors import Transient
from autopilot.kit.reading import Field
from autopilot_adapters.bittensor.figures import RAO

_PALLET = "SubtensorModule"
_PREFIX = b"\x2a"
"""Of every address on this chain: the generic 42."""
_KEY_BYTES = 32
_CHECKSUM_BYTES = 2
_LONGEST_ADDRESS = 60
_FRACTION = 2**32
_FIXED_BYTES = 16


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the chain's storage."""

    key: str
    label: str
    """For a person: ``SubtensorModule.Tempo(51)``."""


def _twox(data: bytes, words: int) -> bytes:
    return b"".join(xxhash.xxh64(data, seed=seed).intdigest().to_bytes(8, "little") for seed in range(words))


def twox64_concat(data: bytes) -> bytes:
    """Of the pallet that swaps."""
    return _twox(data, 1) + data


def blake2_128_concat(data: bytes) -> bytes:
    """Of everything that accounts are the keys of."""
    return blake2b(data, digest_size=16).digest() + data


def u16(number: int) -> bytes:
    """A netuid or a UID, as Identity hashes it: not at all."""
    return number.to_bytes(2, "little")


def item(name: str, arguments: bytes, shown: str, pallet: str = _PALLET) -> Item:
    """An item by its name and its arguments, which are hashed already."""
    key = _twox(pallet.encode(), 2) + _twox(name.encode(), 2) + arguments
    return Item(f"0x{key.hex()}", f"{pallet}.{name}{f'({shown})' if shown else ''}")


def of_subnet(name: str, netuid: int) -> Item:
    """An item that every subnet has one of."""
    return item(name, u16(netuid), f"{netuid}")


def of_uid(name: str, netuid: int, uid: int) -> Item:
    """An item that every UID of a subnet has one of."""
    return item(name, u16(netuid) + u16(uid), f"{netuid}, {uid}")


def uid_of(netuid: int, hotkey: str) -> Item:
    """Which UID a hotkey has on a subnet."""
    return item("Uids", u16(netuid) + blake2_128_concat(public_key(hotkey)), f"{netuid}, {hotkey[:6]}…")


def owner_of(hotkey: str) -> Item:
    """The coldkey of a hotkey."""
    return item("Owner", blake2_128_concat(public_key(hotkey)), f"{hotkey[:6]}…")


def fee_rate(netuid: int) -> Item:
    """What the pool of a subnet takes of every swap."""
    return item("FeeRate", twox64_concat(u16(netuid)), f"{netuid}", "Swap")


NOW = item("Now", b"", "", "Timestamp")


def address(key: bytes) -> str:
    """A public key as people write it (SS58)."""
    return base58.b58encode(_PREFIX + key + _checksum(key)).decode()


def public_key(written: str) -> bytes:
    """The public key of an address. Raises ValueError where it is none of this chain."""
    plain = written.isascii() and written.isalnum() and len(written) <= _LONGEST_ADDRESS
    data = base58.b58decode(written) if plain else b""
    key = data[1:-_CHECKSUM_BYTES]
    if len(key) != _KEY_BYTES or data[:1] != _PREFIX or data[-_CHECKSUM_BYTES:] != _checksum(key):
        msg = f"{written[:_LONGEST_ADDRESS]!r} is no address of Bittensor: 48 characters that begin with 5"
        raise ValueError(msg)
    return key


def _checksum(key: bytes) -> bytes:
    return blake2b(b"SS58PRE" + _PREFIX + key, digest_size=64).digest()[:_CHECKSUM_BYTES]


@dataclass(frozen=True, slots=True)
class State:
    """What a block says about some items. Every reader raises Transient where the value is not what it should be."""

    network: str
    values: Mapping[str, bytes | None]
    """By key; None where the chain has no entry, so that the item's default holds."""

    @classmethod
    def of(cls, answer: Field, block: str) -> State:
        """From the answer to ``state_queryStorageAt`` for one block."""
        (change_set, *others) = answer.items() or [answer]
        if others or change_set.member("block").value != block:
            raise answer.wrong(f"the state of block {block[:10]}… alone")
        values: dict[str, bytes | None] = {}
        for change in change_set.member("changes").items():
            pair = change.items()
            if len(pair) != len(("key", "value")):
                raise change.wrong("a key and a value")
            key, value = str(pair[0].value), None if pair[1].value is None else unhexed(pair[1])
            if values.setdefault(key, value) != value:
                raise change.wrong("the same value as before for the same key")
        return cls(answer.network, values)

    def raw(self, wanted: Item) -> bytes | None:
        """The bytes of an item, None where there is no entry."""
        if wanted.key not in self.values:
            raise Transient(self.network, f"{wanted.label} is missing from the answer")
        return self.values[wanted.key]

    def number(self, wanted: Item, size: int, absent: int | None = None) -> int:
        """An unsigned number of so many bytes; ``absent`` where there is no entry and the chain has such a default."""
        data = self.raw(wanted)
        if data is None and absent is not None:
            return absent
        if data is None or len(data) != size:
            raise self._wrong(wanted, f"{size} bytes", data)
        return int.from_bytes(data, "little")

    def amount(self, wanted: Item, most: int, absent: int | None = None) -> Decimal:
        """TAO or alpha out of 64 bits of rao."""
        found = self.number(wanted, 8, absent) * RAO
        if found > most:
            raise Transient(self.network, f"{wanted.label} is {found}, more than the {most} there can be")
        return found

    def flag(self, wanted: Item, *, absent: bool) -> bool:
        """One byte, 0 or 1."""
        found = self.number(wanted, 1, int(absent))
        if found > 1:
            raise Transient(self.network, f"{wanted.label} is {found}, neither 0 nor 1")
        return bool(found)

    def share(self, wanted: Item) -> Decimal:
        """A part of a whole in 96.32 bits of fixed point; nought where there is no entry."""
        found = Decimal(self.number(wanted, _FIXED_BYTES, 0)) / _FRACTION
        if found > 1:
            raise Transient(self.network, f"{wanted.label} is {found:.6g}, which is no share")
        return found

    def account(self, wanted: Item) -> str:
        """The address of an account; empty where there is no entry."""
        data = self.raw(wanted)
        if data is not None and len(data) != _KEY_BYTES:
            raise self._wrong(wanted, f"{_KEY_BYTES} bytes", data)
        return address(data) if data else ""

    def numbers(self, wanted: Item, size: int) -> Sequence[int]:
        """A list of unsigned numbers, its length in front as a compact number."""
        data = self.raw(wanted) or b"\x00"
        mode = data[0] & 3
        width = 1 << mode
        count = int.from_bytes(data[:width], "little") >> 2
        if mode > 2 or len(data) != width + count * size:  # noqa: PLR2004  # the fourth mode is for lists that no memory holds
            raise self._wrong(wanted, f"a list of numbers of {size} bytes", data)
        return [int.from_bytes(data[start : start + size], "little") for start in range(width, len(data), size)]

    def _wrong(self, wanted: Item, expected: str, data: bytes | None) -> Transient:
        found = "nothing" if data is None else f"{len(data)} bytes, 0x{data[:16].hex()}"
        return Transient(self.network, f"{wanted.label} should be {expected}, not {found}")


def unhexed(field: Field) -> bytes:
    """The bytes that are written as ``0x…``. Raises Transient where they are not."""
    text = field.value if isinstance(field.value, str) and field.value.isascii() else ""
    try:
        return bytes.fromhex(text.removeprefix("0x") if text.startswith("0x") and " " not in text else "?")
    except ValueError:
        raise field.wrong("bytes, written as 0x…") from None
