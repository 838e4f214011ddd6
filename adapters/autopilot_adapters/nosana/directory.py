"""The markets as they were last listed, so that the chain alone will do when no HTTP address answers: it has no names and no GPU types."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from autopilot_adapters.nosana.answers import Market, market
from autopilot_adapters.nosana.reading import Nonsense, listed

log = logging.getLogger(__name__)


class Directory:
    """A file of markets. What they pay is not in it: that is asked anew every time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = ""

    def keep(self, markets: Sequence[Market]) -> None:
        """Remember them. Where that fails, the chain alone will not do after the next start: no reason to stop."""
        rows = [
            {"address": each.address, "slug": each.slug, "name": each.name, "type": each.tier, "gpu_types": list(each.gpu_types)}
            for each in markets
        ]
        text = json.dumps(rows, indent=1) + "\n"
        if text == self._kept:
            return
        try:
            fresh = self._path.with_suffix(".new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self._path)
        except OSError as error:
            log.warning("the markets of Nosana were not remembered: %s", error)
        else:
            self._kept = text

    def markets(self) -> Sequence[Market]:
        """Those that are remembered."""
        try:
            rows = listed(json.loads(self._path.read_text(encoding="utf-8")), "the file")
            return [market(row, f"remembered:[{index}]") for index, row in enumerate(rows)]
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, RecursionError, Nonsense) as error:
            log.warning("the markets of Nosana in %s are not read: %s", self._path, error)
            return ()
