"""What the table of units does not have is a type error. Never run: mypy reads it, and complains of an ignore that it does not need."""

from __future__ import annotations

from autopilot.units import HOUR, Kwh, Share, Usd, UsdPerHour, UsdPerKwh, Watts

Usd(1) + UsdPerHour(1)  # type: ignore[operator]
Usd(1) - Watts(1)  # type: ignore[operator]
Usd(1) + 1  # type: ignore[operator]
Usd(1) * HOUR  # type: ignore[operator]
Usd(1) * Usd(1)  # type: ignore[operator]
Usd(1) * 1.5  # type: ignore[operator]
Usd(1) / Usd(1)  # type: ignore[operator]
UsdPerHour(1) * UsdPerHour(1)  # type: ignore[operator]
UsdPerHour(1) / HOUR  # type: ignore[operator]
Watts(1) * Kwh(1)  # type: ignore[operator]
Kwh(1) * HOUR  # type: ignore[operator]
UsdPerKwh(1) * HOUR  # type: ignore[operator]
less = Usd(1) < UsdPerHour(1)  # type: ignore[operator]
Usd(1).scaled(Usd(1))  # type: ignore[arg-type]
Usd.of(1.5)  # type: ignore[arg-type]
Usd(1.5)  # type: ignore[arg-type]

rate: UsdPerHour = Usd(1) / HOUR
span_is_no_rate: UsdPerHour = Usd(1) / UsdPerHour(1)  # type: ignore[assignment]
money: Usd = UsdPerHour(1).scaled(Share(1))  # type: ignore[assignment]
