"""The accounts of Nosana's programs on Solana, from their bytes.

An account begins with the discriminator of its kind (8 bytes); fields follow without padding, numbers little-endian. The layouts are
those of ``programs/nosana-jobs/src/state.rs`` and of the staking program in nosana-ci/nosana-programs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import base58

from autopilot_adapters.nosana.reading import Nonsense

JOBS_PROGRAM = "nosJhNRqr2bc9g1nfGDcXXTXvYUmxD4cVwy2pMWhrYM"
STAKING_PROGRAM = "nosScmHY2uR24Zh751PmGj9ww9QRNHewh9H59AfrTJE"
JOB_MARKET_AT, JOB_STATE_AT, STAKE_AUTHORITY_AT = 72, 208, 16
"""Where the fields lie that accounts are searched by."""
MOST_PRICE = 10**7
"""Micro-NOS a second, 36,000 NOS an hour: Nosana's own statistics leave out jobs from this price on as mistakes."""
MOST_SECONDS = 366 * 24 * 3600
"""Of a timeout: a year."""
ANYBODY = "1" * 32
"""The access key of a market that is open to all."""
_MOST_QUEUED = 314
_KEY = 32


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of account: how its bytes begin and what follows."""

    name: str
    discriminator: bytes
    layout: struct.Struct

    @property
    def mark(self) -> str:
        """The discriminator as ``getProgramAccounts`` wants it."""
        return base58.b58encode(self.discriminator).decode()

    def unpack(self, data: bytes) -> tuple[Any, ...]:
        """The fields after the discriminator. Raises Nonsense for the bytes of something else."""
        if len(data) < self.layout.size or not data.startswith(self.discriminator):
            raise Nonsense(f"{len(data)} bytes that begin with {data[:8].hex()} are no {self.name}")
        return self.layout.unpack_from(data)


MARKET = Kind("market account", bytes.fromhex("c94ebbe1f0c6c9fb"), struct.Struct("<8x32sqQqB32sB32s16sBI"))
JOB = Kind("job account", bytes.fromhex("5b10a2052dd27d41"), struct.Struct("<8x32s32s32s32s32sQ32sBqqq"))
RUN = Kind("run account", bytes.fromhex("c2a96ee6eb0be116"), struct.Struct("<8x32s32s32sBq"))
STAKE = Kind("stake account", bytes.fromhex("509e437c32bdc0ff"), struct.Struct("<8xQ32sQq32sB16s"))


class QueueType(IntEnum):
    """Who waits in a market: jobs for nodes, nodes for jobs, or nobody."""

    JOBS = 0
    NODES = 1
    EMPTY = 255


@dataclass(frozen=True, slots=True)
class MarketAccount:
    """A market's price, what it asks of a node, and its one queue."""

    job_price: int
    """Micro-NOS a second, paid to the host; the network fee is charged on top of it, to the client."""
    job_timeout: int
    """Seconds."""
    node_access_key: str
    """The token that a node must hold; ``ANYBODY`` where it needs none."""
    node_xnos_minimum: int
    """Micro-xNOS that a node must have staked."""
    queue_type: QueueType
    queue: tuple[str, ...]
    """Addresses, first come first served."""

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that wait for a job, the next one first."""
        return self.queue if self.queue_type is QueueType.NODES else ()

    @property
    def jobs(self) -> int:
        """The jobs that wait for a node."""
        return len(self.queue) if self.queue_type is QueueType.JOBS else 0


@dataclass(frozen=True, slots=True)
class JobAccount:
    """A job, as far as it concerns us."""

    market: str
    node: str
    price: int
    """Micro-NOS a second."""
    state: int
    """0 queued or running, 2 done, 3 stopped. It runs while a run account points at it."""
    time_end: int
    time_start: int
    timeout: int
    """Seconds."""


@dataclass(frozen=True, slots=True)
class RunAccount:
    """A job that a node is running."""

    job: str
    node: str
    payer: str
    state: int
    time: int
    """Since when, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class StakeAccount:
    """What somebody has staked."""

    amount: int
    """Micro-NOS."""
    authority: str
    duration: int
    """Seconds."""
    time_unstake: int
    xnos: int
    """Micro-xNOS: the amount, weighed by the duration."""


def market_account(data: bytes) -> MarketAccount:
    """A market with its queue; zeros that follow are padding. Raises Nonsense."""
    _, _, price, timeout, _, _, _, access, minimum, waiting, length = MARKET.unpack(data)
    end = MARKET.layout.size + _KEY * _within(length, _MOST_QUEUED, "queue length")
    if waiting not in list(QueueType):
        raise Nonsense(f"queue type {waiting} of a market is none of {', '.join(str(int(each)) for each in QueueType)}")
    if len(data) < end:
        raise Nonsense(f"a market of {len(data)} bytes cannot hold a queue of {length}")
    return MarketAccount(
        job_price=_within(price, MOST_PRICE, "job price"),
        job_timeout=_within(timeout, MOST_SECONDS, "job timeout"),
        node_access_key=_key(access),
        node_xnos_minimum=int.from_bytes(minimum, "little"),
        queue_type=QueueType(waiting),
        queue=tuple(_key(data[at : at + _KEY]) for at in range(MARKET.layout.size, end, _KEY)),
    )


def job_account(data: bytes) -> JobAccount:
    """A job. Raises Nonsense."""
    _, _, market, node, _, price, _, state, end, start, timeout = JOB.unpack(data)
    price = _within(price, MOST_PRICE, "price of a job")
    return JobAccount(_key(market), _key(node), price, state, end, start, timeout)


def run_account(data: bytes) -> RunAccount:
    """A run. Raises Nonsense."""
    job, node, payer, state, time = RUN.unpack(data)
    return RunAccount(_key(job), _key(node), _key(payer), state, time)


def stake_account(data: bytes) -> StakeAccount:
    """A stake. Raises Nonsense."""
    amount, authority, duration, unstake, _, _, xnos = STAKE.unpack(data)
    return StakeAccount(amount, _key(authority), duration, unstake, int.from_bytes(xnos, "little"))


def _within(value: int, most: int, name: str) -> int:
    if not 0 <= value <= most:
        raise Nonsense(f"{name} {value} is not from 0 to {most}")
    return value


def _key(value: bytes) -> str:
    return base58.b58encode(value).decode()
