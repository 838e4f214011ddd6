"""The loop that observes, settles, books, decides, guards and opens; the same one live, dry and in a backtest."""

from autopilot.pilot.loop import Pilot
from autopilot.pilot.world import World

__all__ = ["Pilot", "World"]
