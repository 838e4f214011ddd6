"""The command ``autopilot``. stdout is the result, stderr is talk.

Exit codes: 0 done · 1 something went wrong while running · 2 bad command line, configuration or data: nothing was done ·
3 the state file cannot be used · 130 interrupted.
"""

from __future__ import annotations

import errno
import os
import sys

import typer

from autopilot.cli import (
    backtest,
    daemon,
    demo,
    doctor,
    explain,
    history,
    init,
    inspect,
    ledger,
    notify,
    rates,
    report,
    status,
    tune,
    watch,
    wishes,
)
from autopilot.errors import AutopilotError, ConfigError, StoreError

app = typer.Typer(
    help="Moves GPUs between compute networks to where they earn most, and says why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for module in (demo, daemon, init, doctor, watch, status, explain, history, report, inspect, backtest, tune, wishes):
    module.register(app)
app.add_typer(rates.app, name="rates")
app.add_typer(ledger.app, name="ledger")
app.add_typer(notify.app, name="notify")


def main() -> None:
    """Run the command line; an error is one line that says what to do, never a traceback."""
    try:
        app()
    except AutopilotError as error:
        _complain(str(error))
        raise SystemExit(exit_code(error)) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # The reader of our output has gone, as `head` does; the interpreter must not try to flush what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _complain(f"{error.filename or 'the disk'}: {error.strerror}; free some space, then start again")
        raise SystemExit(3) from None


def _complain(words: str) -> None:
    """One line on stderr. Where that has no room either, the exit code alone says it."""
    try:
        typer.echo(f"autopilot: {words}", err=True)
    except OSError:
        # As above: what could not be written must not fail once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def exit_code(error: AutopilotError) -> int:
    """What the shell is told."""
    if isinstance(error, ConfigError):
        return 2
    return 3 if isinstance(error, StoreError) else 1
