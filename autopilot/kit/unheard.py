"""What the parts of ``kit.http`` say to each other when there is no answer to be had."""

from __future__ import annotations


class Unheard(Exception):
    """No answer, or one that makes no sense. ``Http`` turns it into Transient, so nobody outside the kit sees it."""

    def __init__(self, text: str, *, again: bool = False) -> None:
        super().__init__(text)
        self.again = again
        """Whether asking once more may help: the connection broke, or the server is in trouble."""
