"""Vast.ai for Yield Autopilot."""
