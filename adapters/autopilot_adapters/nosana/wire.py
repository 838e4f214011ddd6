"""Asking Nosana's HTTP API, without a key. The same routes live at several addresses, of which any may go: each is tried in turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote

from autopilot.errors import AdapterError, Refused, Transient
from autopilot.kit.http import Http
from autopilot.kit.redaction import shown
from autopilot_adapters.nosana import answers
from autopilot_adapters.nosana.reading import Nonsense, Told

BASES = ("https://api.nosana.com/api", "https://dashboard.k8s.prd.nos.ci/api", "https://dashboard.k8s.prd.nosana.com/api")
"""Newest first."""
PAGE = 50
"""Jobs in one answer; the server gives no more."""
_PATIENCE = timedelta(seconds=8)

T = TypeVar("T")


class Api:
    """The questions that are asked. Each raises Transient or Refused where no address gave an answer that makes sense."""

    def __init__(self, http: Http, bases: Sequence[str] = BASES) -> None:
        self._http = http
        self._bases: Sequence[str] = bases

    def markets(self, wanted: answers.Wanted) -> Told[Sequence[answers.Market]]:
        """All markets. One whose GPUs are not wanted is left out where it makes no sense: it must not hide the others."""
        return self._ask("/markets/", lambda json: answers.markets(json, wanted))

    def running(self) -> Told[Mapping[str, int]]:
        """Jobs that run, by market; a market without any is left out by the server."""
        return self._ask("/jobs/running", answers.running)

    def past(self, since: datetime) -> Told[Mapping[str, answers.Past]]:
        """Jobs that began since then and are over, by market; under the empty name those of all."""
        asked = {"groupBy": "market", "timeStart": str(int(since.timestamp()))}
        return self._ask("/jobs/stats", answers.past, asked)

    def everywhere(self) -> Told[tuple[int, int]]:
        """Nodes that work and nodes that wait, in the whole network."""
        return self._ask("/stats/nodes-country", answers.everywhere)

    def specs(self, node: str) -> Told[answers.NodeSpecs]:
        """One node."""
        return self._ask(f"/nodes/{quote(node, safe='')}/specs", answers.specs)

    def jobs(self, node: str, offset: int) -> Told[Sequence[answers.Job]]:
        """A page of the node's jobs that are over, the newest first."""
        return self._ask("/jobs", answers.jobs, {"node": node, "state": "COMPLETED", "limit": str(PAGE), "offset": str(offset)})

    def _ask(self, path: str, read: Callable[[Any], T], params: Mapping[str, str] | None = None) -> Told[T]:
        silent: list[AdapterError] = []
        for base in self._bases:
            try:
                reply = self._http.get(base + path, params=params, timeout=_PATIENCE)
                told = Told(read(reply.json), reply.seen_at, reply.url)
            except Nonsense as error:
                silent.append(Transient(self._http.network, f"{shown(base + path)}: {error}"))
            except AdapterError as error:
                silent.append(error)
            else:
                self._bases = sorted(self._bases, key=base.__ne__)  # who answered is asked first from now on
                return told
        raise combined(self._http.network, silent)


def combined(network: str, silent: Sequence[AdapterError]) -> AdapterError:
    """Several failures as one: Refused only where all refuse, for otherwise asking again may help."""
    kind = Refused if all(isinstance(each, Refused) for each in silent) else Transient
    return kind(network, "; ".join(str(each).removeprefix(f"{each.network}: ") for each in silent))
