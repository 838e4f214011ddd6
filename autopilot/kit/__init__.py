"""What every adapter needs, public so that strangers have it too."""

from autopilot.kit.kit import Kit

__all__ = ["Kit"]
