"""Every error of the autopilot, sorted by what to do about it.

::

    AutopilotError
    ├── ConfigError        stop before starting: the field, the file and the remedy are in the message
    │   └── DataError      a file of rates cannot be used: the line and the remedy are in the message
    ├── AdapterError       names its network
    │   ├── Transient      try again next time; the last quote counts until it expires
    │   ├── Refused        credentials, ban, wrong version: the network is left alone until a human looks
    │   └── NodeFault      the node is broken: an open switch turns back
    ├── StrategyError      hold; say so
    └── StoreError         stop: what cannot be written must not be done
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LISTED = 16
"""More names than this do not help."""


class AutopilotError(Exception):
    """The root: its message is one line that a person can act on."""


class ConfigError(AutopilotError):
    """The configuration or the command line cannot be used. Nothing was started."""


class DataError(ConfigError):
    """A file of rates or a state file cannot be used. Nothing was written."""


class AdapterError(AutopilotError):
    """Something about one network went wrong."""

    def __init__(self, network: str, message: str) -> None:
        super().__init__(f"{network}: {message}")
        self.network = network


class Transient(AdapterError):
    """No answer, or one that makes no sense. The next one may."""


class Refused(AdapterError):
    """The network said no, and will say no again until a human changes something."""


class NodeFault(AdapterError):
    """The node cannot do what it was told."""


class StrategyError(AutopilotError):
    """A strategy raised, or answered with something that is not a decision."""


class StoreError(AutopilotError):
    """The journal cannot be read or written. The daemon stops and leaves every node running."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The close matches of an unknown word, or what there is; names out of files are made safe for a terminal."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(map(_printable, close))}?"
    listed = ", ".join(map(_printable, names[:_LISTED])) + (", …" if len(names) > _LISTED else "")
    return f"there is {listed}" if names else "there is none"


def _printable(name: str) -> str:
    return name if name.isprintable() else repr(name)
