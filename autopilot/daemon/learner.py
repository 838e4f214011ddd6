"""Learning in a process of its own, so that the daemon ticks on and stays small."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import cast

from autopilot.clock import stopwatch
from autopilot.contracts import Strategy
from autopilot.daemon.fanout import beside
from autopilot.errors import StrategyError
from autopilot.model.history import History
from autopilot.pilot.world import in_turn
from autopilot.units import span_text

log = logging.getLogger(__name__)

_PATIENCE = timedelta(minutes=30)
_COURTESY = 10
"""How much less urgent than the daemon the process is, as nice(1) counts."""


_Outcome = tuple[Strategy | None, str]
"""A wiser strategy, None where nothing was learned; and what went wrong, in words."""


class Learner:
    """Fits one strategy at a time in a background process, which ends with this one, however this one ends."""

    def __init__(self, patience: timedelta = _PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def teach(self, strategy: Strategy, history: History) -> Future[Strategy]:
        """Begin a lesson. Its future raises StrategyError where it failed, took too long, or its process died."""
        packed = in_turn(lambda: pickle.dumps(strategy))  # here and now: a strategy that decides meanwhile may change what it remembers
        return beside(partial(self._lesson, strategy, packed, history))

    def close(self) -> None:
        """End the lesson that is under way, if there is one."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                _kill(self._process)

    def _lesson(self, strategy: Strategy, packed: Future[bytes], history: History) -> Strategy:
        task = (packed.result(), history)
        process, began = self._open(), stopwatch()
        limit = threading.Timer(self._patience.total_seconds(), _kill, (process,))
        limit.daemon = True
        limit.start()
        try:
            told = _converse(process, task)
        finally:
            limit.cancel()
            code = _end(process)
        if not told:
            late = stopwatch() - began >= self._patience.total_seconds()
            what = f"took longer than {span_text(self._patience)}" if late else f"ended with {code}"
            raise StrategyError(f"the process that learned {what}")
        wiser, why = cast("_Outcome", pickle.loads(told))  # noqa: S301  # our own process wrote it
        if why:
            raise StrategyError(why)
        return strategy if wiser is None else wiser

    def _open(self) -> subprocess.Popen[bytes]:
        """The process. A session of its own keeps a terminal's Ctrl-C from it; the pipe to it tells it of our end."""
        command = [sys.executable, "-P", "-m", "autopilot.daemon.learner"]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with self._lock:
            if self._closed:
                raise StrategyError("the daemon ends")
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, start_new_session=True)  # noqa: S603
            return self._process


def _converse(process: subprocess.Popen[bytes], task: tuple[bytes, History]) -> bytes:
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


def _learn() -> None:
    """What the process does: read the task, fit, tell what came of it.

    The pipe that the task came through stays open as long as the daemon lives, so its end is the daemon's, however it came.
    """
    with os.fdopen(os.dup(1), "wb") as answer, os.fdopen(0, "rb", closefd=False) as task:
        os.dup2(2, 1)  # what a strategy prints is talk
        os.nice(_COURTESY)
        packed, history = pickle.load(task)  # noqa: S301  # the daemon wrote it
        threading.Thread(target=_end_with_the_daemon, daemon=True).start()
        pickle.dump(_outcome(pickle.loads(packed), history), answer)  # noqa: S301


def _end_with_the_daemon() -> None:
    os.read(0, 1)  # nothing more is ever said: it returns when the other end is closed
    os.killpg(0, signal.SIGKILL)  # and all that the lesson has started


def _outcome(strategy: Strategy, history: History) -> _Outcome:
    try:
        wiser = strategy.fit(history)
    except Exception as error:  # a stranger's strategy may raise anything
        log.exception("a lesson failed")
        return None, f"{type(error).__name__}: {error}"
    return None if wiser is strategy else wiser, ""


if __name__ == "__main__":
    _learn()
