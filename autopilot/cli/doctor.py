"""``autopilot doctor``: whether all is well, each trouble with its remedy; and the problem report."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autopilot.cli.options import ConfigOption, JsonFlag, StateOption

if TYPE_CHECKING:
    from autopilot.doctor.finding import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonFlag = False,
    bundle: Annotated[Path | None, typer.Option("--bundle", help="Write a problem report without a secret in it, e.g. report.zip.")] = None,
    log: Annotated[Path | None, typer.Option("--log", help="A log file of the daemon; its end goes into the report.")] = None,
) -> None:
    """Look at everything that a flight needs, and change nothing. Exit code 1 if something is bad."""
    import logging

    from autopilot.clock import SystemClock
    from autopilot.doctor import bundle as report
    from autopilot.doctor.examination import Patient, examined

    logging.disable(logging.WARNING)  # what is wrong is a finding, and a log might say it in words of its own
    patient = Patient.of(config, state)
    findings = []
    for finding in examined(patient, SystemClock()):
        findings.append(finding)
        if not as_json:
            _print(finding)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        typer.echo(_sum(findings))
    if bundle is not None:
        report.write(bundle, patient, findings, log)
        typer.echo(f"{bundle} is written. Look into it before you send it: what looks like a secret is hidden", err=as_json)
    if any(finding.verdict == "bad" for finding in findings):
        raise typer.Exit(1)


def _print(finding: Finding) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from autopilot.dashboard.words import plain

    line = Table.grid(padding=(0, 1))
    line.add_column(width=4)
    line.add_column(width=15, overflow="fold")
    line.add_column(overflow="fold")
    line.add_row(Text(finding.verdict, _COLOURS[finding.verdict]), Text(plain(finding.about)), Text(plain(finding.words)))
    if finding.remedy:
        line.add_row("", "", Text(f"→ {plain(finding.remedy)}", "bold"))
    Console().print(line)


def _sum(findings: Iterable[Finding]) -> str:
    """How many of each."""
    verdicts = [finding.verdict.value for finding in findings]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in _COLOURS)
