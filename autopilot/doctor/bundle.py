"""A problem report: one archive with all that somebody else needs to see what is wrong, and no secret in it."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict, replace
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from autopilot.doctor.examination import Patient
from autopilot.doctor.finding import Finding
from autopilot.doctor.secrets import Redactor, configured
from autopilot.errors import AutopilotError, ConfigError
from autopilot.plugins import listing
from autopilot.store.store import Store

_ROWS = 200
"""Of each list, the newest."""
_LINES = 2000
"""Of a log, the last."""
_LINE = 2000
"""Letters of a line that are worth keeping."""
_LISTS = {
    "events": "SELECT at, switch, before, after, why FROM events ORDER BY id DESC LIMIT ?",
    "switches": "SELECT opened_at, since, id, device, state, source_network, source_market, target_network, target_market"
    " FROM switches ORDER BY opened_at DESC LIMIT ?",
    "arrivals": "SELECT at, device, network, market, why FROM placements ORDER BY id DESC LIMIT ?",
    "fences": "SELECT at, device, why, lifted_at FROM fences ORDER BY id DESC LIMIT ?",
    "wishes": "SELECT made_at, kind, device, network, market, until, ended_at, outcome FROM wishes ORDER BY id DESC LIMIT ?",
    "vetoes": "SELECT at, strategy, vetoes FROM decisions WHERE vetoes <> '[]' ORDER BY id DESC LIMIT ?",
    "no quotes": "SELECT seen_at, network, market, model, reason FROM quotes WHERE reason IS NOT NULL ORDER BY id DESC LIMIT ?",
    "sentences": "SELECT at, device, sentence FROM sentences ORDER BY device LIMIT ?",
    "heartbeat": "SELECT at, started_at, pid, body FROM heartbeat LIMIT ?",
}


def write(path: Path, patient: Patient, findings: Sequence[Finding], log: Path | None) -> None:
    """Write the archive, which must not be there yet. Raises ConfigError where it cannot be written, or the log cannot be read."""
    try:
        with path.open("xb") as file, ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name, text in _members(patient, findings, log):
                archive.writestr(name, text)
    except FileExistsError:
        raise ConfigError(f"{path} exists already, and is left as it is; name another file") from None
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; choose a folder that this user may write") from None


def _members(patient: Patient, findings: Sequence[Finding], log: Path | None) -> Iterator[tuple[str, str]]:
    """Each file of the archive; what comes from outside is cleaned here and nowhere else."""
    clean = patient.redactor
    yield "doctor.json", _json(clean.cleaned([asdict(finding) for finding in findings]))
    yield "versions.json", _json(clean.cleaned(_versions()))
    yield "configuration.json", _json(clean.cleaned(_configuration(patient)))
    journal = clean
    if patient.settings.state.exists():
        try:
            with closing(Store.read_only(patient.settings.state)) as store:
                journal = replace(clean, names=tuple(store.journal.labels().items()))
                yield "journal.json", _json(journal.cleaned(_journal(store)))
        except AutopilotError as error:
            yield "journal.json", _json(clean.cleaned({"unreadable": str(error)}))
    if log is not None:
        yield "log.txt", _tail(log, journal)


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n"


def _versions() -> Mapping[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "distributions": dict(sorted({each.name: each.version for each in distributions() if each.name}.items())),
        "plugins": [[each.kind, each.name, each.distribution, each.version, each.problem] for each in listing()],
    }


def _configuration(patient: Patient) -> Mapping[str, Any]:
    """What is written, what is in force, and the names of the variables that were set."""
    force = {} if patient.trouble else json.loads(patient.settings.model_dump_json())
    return {
        "file": None if patient.config is None else patient.config.name,
        "trouble": patient.trouble,
        "written": configured(patient.tables),
        "in force": configured(force),
        "variables": sorted(name for name in os.environ if name.upper().startswith("AUTOPILOT_")),
    }


def _journal(store: Store) -> Mapping[str, Any]:
    return {name: list(_rows(store, query)) for name, query in _LISTS.items()}


def _rows(store: Store, query: str) -> Iterator[Mapping[str, Any]]:
    cursor = store.connection.execute(query, (_ROWS,))
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield {name: _unpacked(value) for name, value in zip(names, row, strict=True)}


def _unpacked(value: Any) -> Any:
    """JSON as what it holds, so that its names are seen."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        with suppress(ValueError):
            return json.loads(value)
    return value


def _tail(log: Path, clean: Redactor) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES:]
    except OSError as error:
        raise ConfigError(f"{log}: {error.strerror}; name a log that this user may read") from None
    return "\n".join(clean.clean(line[:_LINE]) for line in lines) + "\n"
