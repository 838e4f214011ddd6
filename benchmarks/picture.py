"""Draw the picture in the README, ``python benchmarks/picture.py docs/demo.svg``: the screen of a real flight of the demo."""

from __future__ import annotations

import io
import re
import sys
from contextlib import chdir, closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from autopilot.daemon.gpus import simulated_devices
from autopilot.demo.flight import Flight
from autopilot.demo.live import picture
from autopilot.demo.world import generated
from autopilot.store.store import Store

SEED = 7
AFTER, STEP = timedelta(days=3), timedelta(minutes=3)
"""The picture is taken at the first moment after so long at which switches stand in different states."""
SPEED = 1800.0
WIDTH, HEIGHT = 120, 36


def drawn() -> str:
    """The screen at that moment, as SVG."""
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    with TemporaryDirectory() as folder, chdir(folder):
        state = Path("demo.db")
        with closing(Store.open(state)) as store, closing(Store.read_only(state)) as reader:
            flight = Flight(generated(simulated_devices(("4 x RTX 4090", "2 x H100")), 14, SEED), store, SPEED)
            flight.fly_to(flight.scene.start + AFTER)
            while len({switch.state for switch in store.journal.open_switches()}) < 2 and not flight.over:  # noqa: PLR2004  # two differ
                flight.fly_to(flight.clock.now() + STEP)
            console.print(picture(flight, reader, SPEED))
    svg = console.export_svg(title="autopilot demo", unique_id="demo")
    # Whoever looks at the picture need not fetch a font from elsewhere: any monospace one will do.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(drawn(), encoding="utf-8")
