"""The words of a configuration that stand for a device: filled in, and never read by a shell."""

from __future__ import annotations

from collections.abc import Sequence

from autopilot.model.device import Device, Venue


def filled(text: str, device: Device, venue: Venue | None = None) -> str:
    """``{device}``, ``{index}`` and ``{market}`` stand for the GPU's UUID, its number on this host, and the venue's market."""
    words = {"{device}": device.id, "{index}": str(device.index or 0), "{market}": venue.market if venue else ""}
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def filled_all(argv: Sequence[str], device: Device, venue: Venue | None = None) -> list[str]:
    """Every word of a command."""
    return [filled(word, device, venue) for word in argv]
