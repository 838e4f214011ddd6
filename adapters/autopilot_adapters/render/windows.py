r"""The Windows host of the Render client, through PowerShell: the one place that speaks to it.

PowerShell is on the path where we run in WSL; elsewhere a prefix reaches it (``ssh rig``). A script travels as ``-EncodedCommand``,
base64 over UTF-16 (about_Powershell_exe), so that no shell on the way reads it. Names like ``%LOCALAPPDATA%`` are filled in there.

The client is two programs: ``rndrclient.exe`` starts ``TCPSVCS.EXE``, whose name a service of Windows has as well. So both are found by
their whole path, and one whose path Windows does not show is nobody's that we know.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from autopilot.errors import NodeFault, Transient
from autopilot.kit.reading import Field
from autopilot.kit.service.command import Said, run
from autopilot.model.device import NetworkId
from autopilot_adapters.render.client import dated

_LIMIT = timedelta(seconds=20)
_POWERSHELL = ("powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand")
_HEAD = """
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
function Whole($name) {{ [Environment]::ExpandEnvironmentVariables($name) }}
$paths = @({paths} | ForEach-Object {{ Whole $_ }})
"""
_LOOK = """
$names = @($paths | ForEach-Object {{ Split-Path -Leaf $_ }})
$running = @(Get-CimInstance Win32_Process | Where-Object {{ $names -contains $_.Name }} |
    ForEach-Object {{ @{{ id = $_.ProcessId; path = $_.ExecutablePath }} }})
$idle = (Get-ItemProperty -Path 'HKCU:\\SOFTWARE\\OTOY').RNDR_IDLE
$log = @(Get-Content -LiteralPath (Whole {log}) -Tail 2000 -Encoding UTF8 | ForEach-Object {{ "$_" }})
ConvertTo-Json -Compress -Depth 4 @{{ paths = $paths; running = $running; idle = "$idle"; log = $log }}
"""
_START = "Start-Process -FilePath $paths[0] -WorkingDirectory (Split-Path $paths[0]) -WindowStyle Minimized\n"
_CLOSE = "Get-Process | Where-Object {{ $paths -contains $_.Path }} | ForEach-Object {{ [void]$_.CloseMainWindow() }}\n"
_KILL = "Get-Process | Where-Object {{ $paths -contains $_.Path }} | Stop-Process -Force\n"
_BEGUN = re.compile(r"starting a new render job with config hash: ([0-9A-Za-z]{1,64})")
_ENDED = re.compile(r"job completed successfully|job failed with config hash|job was canceled")


@dataclass(frozen=True, slots=True)
class Job:
    """The frame that the log says was begun last."""

    id: str
    """Its time in the log and its configuration: the same scene may come again."""
    runs: bool
    """Whether no line says that it finished, failed or was cancelled."""
    age: timedelta
    """From its beginning to the last line of the log, so the least that it can be."""


@dataclass(frozen=True, slots=True)
class Sight:
    """One look at the host."""

    runs: bool
    """Whether one of the client's programs is there, by its path."""
    idle: bool
    """RNDR_IDLE. Advisory: whoever restarts a client that hangs sets it to 1 as well."""
    job: Job | None


class Windows:
    """The host and the client's two programs on it."""

    def __init__(self, network: NetworkId, prefix: Sequence[str], paths: tuple[str, str], log: str) -> None:
        """The paths of the launcher and of the client proper."""
        self._network = network
        self._prefix = prefix
        self._paths = paths
        self._log = log

    def look(self) -> Sight:
        """Raises Transient where the host gives no answer, or one that leaves it open."""
        said = self._run(_LOOK)
        if said.code:
            raise Transient(self._network, f"the host of the client does not answer: {said.complaint}")
        try:
            answer = Field(self._network, "host:", json.loads(said.out))
        except ValueError:
            raise Transient(self._network, f"the host of the client makes no sense: {said.complaint}") from None
        flag = answer.member("idle")
        if flag.text() not in ("0", "1"):
            raise flag.wrong("0 or 1: RNDR_IDLE")
        paths = {path.text().casefold() for path in answer.member("paths").items()}
        return Sight(self._runs(answer, paths), flag.text() == "1", last_job(line.value for line in answer.member("log").items()))

    def start(self) -> None:
        """The launcher, minimised. Raises NodeFault where that fails."""
        self._tell(_START, "start")

    def close(self) -> None:
        """As if somebody closed its window."""
        self._tell(_CLOSE, "close")

    def kill(self) -> None:
        """At once, whatever it does."""
        self._tell(_KILL, "kill")

    def _runs(self, answer: Field, paths: set[str]) -> bool:
        found = [process.member("path") for process in answer.member("running").items()]
        if any(path.text().casefold() in paths for path in found if not path.absent):
            return True
        if any(path.absent for path in found):
            raise Transient(self._network, "a program with the client's name runs, and Windows does not show its path: run as its user")
        return False

    def _tell(self, script: str, verb: str) -> None:
        said = self._run(script)
        if said.code:
            raise NodeFault(self._network, f"the host could not {verb} the client: {said.complaint}")

    def _run(self, script: str) -> Said:
        whole = (_HEAD + script).format(paths=", ".join(map(_quoted, self._paths)), log=_quoted(self._log))
        encoded = base64.b64encode(whole.encode("utf-16-le")).decode("ascii")
        return run(self._network, [*self._prefix, *_POWERSHELL, encoded], _LIMIT)


def last_job(lines: Iterable[object]) -> Job | None:
    """What the log says of the frame that was begun last. None where none was."""
    begun: tuple[datetime, str] | None = None
    runs, last = False, None
    for line in lines:
        stamped = dated(str(line))
        if stamped is None:
            continue
        last, text = stamped
        if match := _BEGUN.search(text):
            begun, runs = (last, match[1]), True
        elif _ENDED.search(text):
            runs = False
    if begun is None or last is None:
        return None
    return Job(f"{begun[0]:%Y-%m-%dT%H:%M:%S} {begun[1]}", runs, max(last - begun[0], timedelta(0)))


def _quoted(text: str) -> str:
    """A literal of PowerShell: within single quotes nothing is read, and a quote is written twice (about_Quoting_Rules)."""
    return "'" + text.replace("'", "''") + "'"
