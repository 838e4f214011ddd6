"""Programs on this host: start, drain, stop and see them, one driver for every engine that runs them.

``ServiceNode`` is a whole ``NodeDriver``. It is made of a *shape*, which knows an engine (a process, a container, a unit, a replica
set) and nothing of work, and of *work*, which knows what a network gave the node to do and nothing of engines.
"""

from autopilot.kit.service.node import ServiceNode
from autopilot.kit.service.shape import LastingWork, Look, Shape, UnheardWork, Work

__all__ = ["LastingWork", "Look", "ServiceNode", "Shape", "UnheardWork", "Work"]
