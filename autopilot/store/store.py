"""The books and the connection that they share."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from autopilot.store.experience import ExperienceBook
from autopilot.store.journal import Journal
from autopilot.store.ledger import Ledger
from autopilot.store.owners import OwnerBook
from autopilot.store.power import PowerBook
from autopilot.store.power_limits import PowerLimitBook
from autopilot.store.rates import RateBook
from autopilot.store.schema import Connection, connect, connect_read_only
from autopilot.store.tips import TipBook
from autopilot.store.wishes import Wishes


class Store:
    """One state file."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.rates = RateBook(connection)
        self.journal = Journal(connection)
        self.ledger = Ledger(connection)
        self.experience = ExperienceBook(connection)
        self.owners = OwnerBook(connection)
        self.power = PowerBook(connection)
        self.power_limits = PowerLimitBook(connection)
        self.tips = TipBook(connection)
        self.wishes = Wishes(connection)

    @classmethod
    def open(cls, path: Path) -> Store:
        """The file at the path, made where it is missing. Raises StoreError."""
        return cls(connect(path))

    @classmethod
    def in_memory(cls) -> Store:
        """A store that is gone with the process: for backtests."""
        return cls(connect(None))

    @classmethod
    def read_only(cls, path: Path) -> Store:
        """The file at the path for somebody who only looks. Raises StoreError."""
        return cls(connect_read_only(path))

    def atomic(self) -> AbstractContextManager[None]:
        """All of it or nothing, over all books."""
        return self.connection.atomic()

    def close(self) -> None:
        """Close the file."""
        self.connection.close()
