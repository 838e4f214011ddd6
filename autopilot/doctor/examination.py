"""All checks of one host and one configuration."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from autopilot.clock import Clock
from autopilot.doctor import engines, host, memory, networks, prices
from autopilot.doctor.finding import Check, Finding, bad, examine, ok, parted
from autopilot.doctor.secrets import Redactor, redactor
from autopilot.errors import AutopilotError, ConfigError
from autopilot.kit.http import Http
from autopilot.settings import Settings, load

_SIMULATED = "simulator"
_USUAL = Path("autopilot.toml")


@dataclass(frozen=True, slots=True)
class Patient:
    """What is examined."""

    config: Path | None
    """The file; None where there is none."""
    tables: Mapping[str, Any]
    """What is written there, as far as it can be read."""
    settings: Settings
    """Of the file; the defaults where it cannot be used."""
    trouble: str
    """Why it cannot be used; empty where it can."""
    redactor: Redactor

    @classmethod
    def of(cls, config: Path | None, state: Path | None) -> Patient:
        """The one that a command line names. It raises nothing: what is wrong is the trouble."""
        where = config or (_USUAL if _USUAL.exists() else None)
        tables: Mapping[str, Any] = {}
        with suppress(OSError, ValueError):
            tables = tomllib.loads(where.read_text(encoding="utf-8")) if where else {}
        try:
            settings, trouble = load(config), ""
        except ConfigError as error:
            settings, trouble = Settings.model_construct(), str(error)
        settings = settings.model_copy(update={"state": state}) if state else settings
        return cls(where, tables, settings, trouble, redactor(tables, settings, os.environ))


def examined(patient: Patient, clock: Clock) -> Iterator[Finding]:
    """Every finding, without a secret in it, as soon as it is there."""
    with ExitStack() as held:
        http = Http(clock)
        held.callback(http.close)
        for finding in chain(_first(patient), examine(list(_checks(patient, clock, http, held))), _time(http)):
            yield finding.told(patient.redactor.clean)


def _time(http: Http) -> Iterator[Finding]:
    """Last of all: by then it is known who answered, and when."""
    yield from host.time(http.drifts())


def _first(patient: Patient) -> Iterator[Finding]:
    if patient.trouble:
        yield bad("configuration", *parted(patient.trouble))
    elif patient.config is None:
        yield bad("configuration", "there is no autopilot.toml here", "autopilot init writes one; or name it with --config")


def _checks(patient: Patient, clock: Clock, http: Http, held: ExitStack) -> Iterator[Check]:
    settings = patient.settings
    nodes = list(engines.checks(settings.networks))
    secret = bool(redactor(patient.tables, None, {}).known)
    yield Check("version", host.release)
    yield Check("permissions", partial(host.permissions, settings.state, patient.config, secret=secret))
    yield Check("disk", partial(host.disk, settings.state, images=any(each.about == "docker" for each in nodes)))
    yield Check("state file", partial(memory.state_file, settings.state, clock), memory.LIMIT)
    yield Check("gpus", partial(host.gpus, settings))
    yield from nodes
    if not patient.trouble and patient.config is not None:
        yield from _flight(patient, clock, http, held)


def _flight(patient: Patient, clock: Clock, http: Http, held: ExitStack) -> Iterator[Check]:
    """Whether all that was configured can be made, and then a question to each network."""
    settings = patient.settings
    try:
        devices, adapters = networks.asking(settings, clock, held, http)
    except AutopilotError as error:
        finding = bad("configuration", *parted(str(error)))
        yield Check("configuration", lambda: [finding])
        return
    words = f"{patient.config}: strategy {settings.strategy}, {len(settings.networks)} networks, {len(devices)} GPUs"
    yield Check("configuration", lambda: [ok("configuration", words)])
    yield from networks.checks(adapters, devices, clock, settings.daemon.answer)
    if any(table.get("adapter", table.get("type", name)) != _SIMULATED for name, table in settings.networks.items()):
        yield Check("token prices", partial(prices.tokens, http.as_("tokens"), clock, settings.tokens.keys()), prices.LIMIT)
