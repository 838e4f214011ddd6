"""How fast and how small: ``python benchmarks/first_flight.py [RATES]`` prints a table of figures against their limits.

RATES is a file for the backtest; without it the generated one of ``examples/`` is flown. Each figure is taken from a process
of its own, by what the kernel says of it when it ends: seconds of one core (user and system), and the largest resident size.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autopilot.clock import SystemClock, stopwatch
from autopilot.units import span_of

_MEASURED = """
import atexit, pathlib, sys
from autopilot.cli import main

def peak():
    status = pathlib.Path("/proc/self/status").read_text()
    pathlib.Path(sys.argv[0]).write_text(status.split("VmHWM:")[1].split()[0])

sys.argv = sys.argv[1:]
atexit.register(peak)
main()
"""
"""The command, which leaves its largest resident size in kB behind: what wait4 says of that counts in whoever started it."""
ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "rates.csv.gz"


@dataclass(frozen=True, slots=True)
class Usage:
    """What one process took."""

    wall: float
    """Seconds from start to end."""
    core: float
    """Seconds of one core."""
    megabytes: float
    """Largest resident size."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement and its limit, in the same unit."""

    what: str
    value: float
    limit: float
    unit: str

    @property
    def kept(self) -> bool:
        """Whether the limit is kept."""
        return self.value <= self.limit


def run(command: str, folder: Path, seconds: float | None = None) -> Usage:
    """Run ``autopilot COMMAND`` to its end, or until it has flown for some seconds and is told to end.

    Raises RuntimeError where it does not end well.
    """
    began = stopwatch()
    with (folder / "talk").open("wb") as talk:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-c", _MEASURED, str(folder / "peak"), *shlex.split(command)], cwd=folder, stdout=talk, stderr=talk
        )
        if seconds is not None:
            _wait(seconds)
            process.send_signal(signal.SIGTERM)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"autopilot {command} ended with {process.returncode}: {(folder / 'talk').read_text()[-500:]}")
    return Usage(stopwatch() - began, usage.ru_utime + usage.ru_stime, int((folder / "peak").read_text()) / 1024)


def _wait(seconds: float) -> None:
    import threading

    SystemClock().wait(span_of(f"{seconds:g}s"), threading.Event())


def backtest(rates: Path, folder: Path) -> list[Figure]:
    """One strategy through the full pilot."""
    usage = run(f"backtest {shlex.quote(str(rates))} --strategy payback --json out.json", folder)
    return [
        Figure(f"backtest of payback on {rates.name}", usage.core, 10, "s of a core"),
        Figure(f"backtest of payback on {rates.name}", usage.megabytes, 300, "MB"),
    ]


def daemon(folder: Path, seconds: float) -> list[Figure]:
    """Eight simulated GPUs that stay where they are, looked at every second: fifteen times as often as by default."""
    run("init", folder)
    config = folder / "autopilot.toml"
    written = config.read_text().replace('["4 x RTX 4090", "2 x H100"]', '["8 x RTX 4090"]').replace('tick = "15s"', 'tick = "1s"')
    config.write_text(written)
    start = run("run --live", folder, 3)
    usage = run("run --live", folder, 3 + seconds)
    return [
        Figure("daemon with 8 simulated GPUs", usage.megabytes, 120, "MB"),
        Figure("daemon with 8 simulated GPUs, a tick a second", 100 * (usage.core - start.core) / seconds, 15, "% of a core"),
    ]


def answers(folder: Path) -> list[Figure]:
    """Commands that people wait for, warm: the best of three."""
    figures = []
    for command in ("--help", "status"):
        best = min(run(command, folder).wall for _ in range(3))
        figures.append(Figure(f"autopilot {command}", best, 0.5, "s"))
    return figures


def measure(rates: Path, seconds: float = 30) -> list[Figure]:
    """Everything."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return [*backtest(rates, folder), *daemon(folder, seconds), *answers(folder)]


def main() -> int:
    """Print the table; 1 where a limit is broken."""
    figures = measure(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else EXAMPLE)
    for figure in figures:
        verdict = "" if figure.kept else "  BROKEN"
        print(f"{figure.what:<52} {figure.value:8.2f} {figure.unit:<12} limit {figure.limit:g}{verdict}")
    return 0 if all(figure.kept for figure in figures) else 1


if __name__ == "__main__":
    raise SystemExit(main())
