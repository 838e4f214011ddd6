"""The guard against a bad forecast: act on the vote only while the base rule can be caught up with (docs/market.md §5).

Beside the vote runs a base rule without parameters. With own and base profits by the same accounts::

    slack = own - (1 - rho) * base + B          rho = 0.002, B = 17 h of income + 4 times the dearest switch

A move is made on the vote only while slack - S(here, there) - S(there, base) stays above nothing; otherwise the base rule is followed
until half of B is regained. So own >= (1 - rho) * base - B, whatever the forecaster does. Plain scalar functions, fit to be compiled.
"""

from __future__ import annotations

RHO = 0.002
"""The share of the base rule's profit that may be missed."""
HOURS = 17.0
SWITCHES = 4.0
REGAINED = 0.5
"""Of the budget, from which on the vote is trusted again."""


def budget(rate: float, dearest: float) -> float:
    """What may be lost before the base rule is followed, in USD: at an hourly income, and the dearest switch."""
    return HOURS * rate + SWITCHES * dearest


def slack(own: float, base: float, allowed: float) -> float:
    """What may still be lost, in USD."""
    return own - (1.0 - RHO) * base + allowed
