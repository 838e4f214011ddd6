"""What keeps a daemon honest: one instance only, a word to systemd, a heartbeat for those who watch."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autopilot.errors import ConfigError, StoreError


@contextmanager
def single_instance(state: Path) -> Iterator[None]:
    """Hold the lock beside the state file, by whatever path it was named. Raises ConfigError where another daemon holds it.

    The kernel lets go of the lock when the process ends, however it ends, so there is nothing to clean up by hand.
    """
    file = state.resolve()
    if not file.name:
        raise ConfigError(f"{state} is a folder: name a state file in it")
    path = file.with_name(file.name + ".lock")
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; choose a state file in a folder that this user may write") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.pread(handle, 32, 0).decode(errors="replace").strip()
        os.close(handle)
        raise ConfigError(f"{state} is flown already by process {owner or 'unknown'}: end it first, or choose another --state") from None
    try:
        _sign(handle, path)
        yield
    finally:
        os.close(handle)


def _sign(handle: int, path: Path) -> None:
    """Write our process id, for whoever finds the lock held. Raises StoreError where the disk is full."""
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; free some space, then start again") from None


class Notifier:
    """Tells systemd how we are, where systemd asked for it (``Type=notify``); elsewhere it says nothing.

    The protocol is a datagram of ``KEY=value`` lines to the socket in ``NOTIFY_SOCKET`` (sd_notify(3)).
    """

    def __init__(self, address: str | None = None) -> None:
        where = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + where[1:] if where.startswith("@") else where

    def ready(self) -> None:
        """Start-up is over."""
        self._send("READY=1")

    def alive(self, status: str) -> None:
        """A tick went well: the watchdog may rest until the next."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """An orderly end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as channel:
                channel.sendto(message.encode(), self._address)
        except OSError:
            return  # a watcher that went away, or does not listen, must not hold up what it watches
