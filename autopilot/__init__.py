"""Yield Autopilot: moves GPUs between compute networks to where they earn most, and says why.

The core knows no network and no strategy by name. Read ``autopilot.contracts`` first.
"""
