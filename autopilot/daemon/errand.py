"""Work in a process of its own, so that the daemon ticks on and stays small."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar, cast

from autopilot.clock import stopwatch
from autopilot.errors import StrategyError
from autopilot.units import span_text

log = logging.getLogger(__name__)

T = TypeVar("T")
_COURTESY = 10
"""How much less urgent than the daemon the process is, as nice(1) counts."""


class Errand:
    """Does one piece of work at a time in a background process, which ends with this one, however this one ends."""

    def __init__(self, name: str, patience: timedelta) -> None:
        self._name = name
        self._patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def run(self, work: Callable[..., T], *given: object) -> T:
        """Have it done there, and wait for what it gives: ``work`` is a function of a module, and all else can be pickled.

        Raises StrategyError where it failed, took too long, or the process died.
        """
        process, began = self._open(), stopwatch()
        limit = threading.Timer(self._patience.total_seconds(), _kill, (process,))
        limit.daemon = True
        limit.start()
        try:
            told = _converse(process, (work, given))
        finally:
            limit.cancel()
            code = _end(process)
        if not told:
            late = stopwatch() - began >= self._patience.total_seconds()
            what = f"took longer than {span_text(self._patience)}" if late else f"ended with {code}"
            raise StrategyError(f"the process that {self._name} {what}")
        given_back, why = pickle.loads(told)  # noqa: S301  # our own process wrote it
        if why:
            raise StrategyError(why)
        return cast("T", given_back)

    def close(self) -> None:
        """End what is under way, if anything is."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                _kill(self._process)

    def _open(self) -> subprocess.Popen[bytes]:
        """The process. A session of its own keeps a terminal's Ctrl-C from it; the pipe to it tells it of our end."""
        command = [sys.executable, "-P", "-m", "autopilot.daemon.errand"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with self._lock:
            if self._closed:
                raise StrategyError("the daemon ends")
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True)  # noqa: S603
            return self._process


def _converse(process: subprocess.Popen[bytes], task: object) -> bytes:
    """Hand out the task and wait for all that is told; nothing where the process ends without a word."""
    if process.stdin is None or process.stdout is None:
        return b""
    with suppress(BrokenPipeError):
        pickle.dump(task, process.stdin)
        process.stdin.flush()
    return process.stdout.read()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With all that it has started, which would hold the pipe open; where it is known to be gone, nobody."""
    with suppress(ProcessLookupError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> int:
    """Its exit code; by now it has said what it had to say."""
    _kill(process)
    code = process.wait()
    for pipe in (process.stdin, process.stdout):
        with suppress(BrokenPipeError):
            if pipe is not None:
                pipe.close()
    return code


def _work() -> None:
    """What the process does: read the task, do it, tell what came of it.

    The pipe that the task came through stays open as long as the daemon lives, so its end is the daemon's, however it came.
    """
    with os.fdopen(os.dup(1), "wb") as answer, os.fdopen(0, "rb", closefd=False) as task:
        os.dup2(2, 1)  # what a strategy prints is talk
        os.nice(_COURTESY)
        work, given = pickle.load(task)  # noqa: S301  # the daemon wrote it
        threading.Thread(target=_end_with_the_daemon, daemon=True).start()
        pickle.dump(_outcome(work, given), answer)


def _end_with_the_daemon() -> None:
    os.read(0, 1)  # nothing more is ever said: it returns when the other end is closed
    os.killpg(0, signal.SIGKILL)  # and all that the work has started


def _outcome(work: Callable[..., T], given: tuple[object, ...]) -> tuple[T | None, str]:
    """What came of it; and what went wrong, in words."""
    try:
        return work(*given), ""
    except Exception as error:  # a stranger's strategy may raise anything
        log.exception("%s failed", work.__name__)
        return None, f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    _work()
