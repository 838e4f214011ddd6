"""Draw the pictures in the README, ``python benchmarks/picture.py docs``, all of them from real runs.

``demo.svg`` is the screen of a flight of the demo; ``watch.svg`` is the dashboard of that flight, and below it the page that says why a
GPU is where it is; ``report.png`` is the top of the page of a backtest, as Chromium shows it. Where there is no Chromium, the last one
stays as it is.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
from contextlib import chdir, closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console, Group, RenderableType
from rich.text import Text

from autopilot.cli.watch import why_of
from autopilot.daemon.gpus import simulated_devices
from autopilot.dashboard.app import Page, Stand, frame
from autopilot.dashboard.reading import Reader
from autopilot.demo.flight import Flight
from autopilot.demo.live import picture
from autopilot.demo.world import generated
from autopilot.store.store import Store

SEED = 7
AFTER, STEP = timedelta(days=3), timedelta(minutes=3)
"""The picture is taken at the first moment after so long at which switches stand in different states."""
SPEED = 1800.0
WIDTH, HEIGHT = 120, 36
ROOT = Path(__file__).parent.parent
BACKTEST = (
    "backtest",
    "examples/rates.csv.gz",
    "--fee",
    "0.02",
    *(f"--strategy={name}" for name in ("forecast", "payback", "greedy", "stay")),
)
WINDOW = 1000, 1085
"""Of the browser, in pixels."""


def drawn() -> dict[str, str]:
    """The two screens at that moment, as SVG."""
    with TemporaryDirectory() as folder, chdir(folder):
        state = Path("demo.db")
        with closing(Store.open(state)) as store, closing(Store.read_only(state)) as reader:
            flight = Flight(generated(simulated_devices(("4 x RTX 4090", "2 x H100")), 14, SEED), store, SPEED)
            flight.fly_to(flight.scene.start + AFTER)
            while len({switch.state for switch in store.journal.open_switches()}) < 2 and not flight.over:  # noqa: PLR2004  # two differ
                flight.fly_to(flight.clock.now() + STEP)
            watched = Group(_page(reader, flight, Page.RIG), Text(), _page(reader, flight, Page.WHY))
            return {"demo.svg": _svg(picture(flight, reader, SPEED), "demo"), "watch.svg": _svg(watched, "watch")}


def _page(store: Store, flight: Flight, page: Page) -> RenderableType:
    return frame(Reader(store, days=True).read(flight.clock.now()), Stand(page, len(flight.scene.devices) - 1), why_of(store))


def _svg(screen: RenderableType, name: str) -> str:
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(screen)
    svg = console.export_svg(title=f"autopilot {name}", unique_id=name)
    # Whoever looks at the picture need not fetch a font from elsewhere: any monospace one will do.
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def photograph(out: Path) -> None:
    """The page of a backtest of the example's rates. Raises CalledProcessError where one of the programs fails."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        print(f"{out}: stays as it is: Chromium is not installed")
        return
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=5000"]
    with TemporaryDirectory() as folder:
        page, shot = Path(folder, "page.html"), f"--screenshot={out.resolve()}"
        flown = [sys.executable, "-m", "autopilot", *BACKTEST, "--report", str(page)]
        subprocess.run(flown, cwd=ROOT, check=True, capture_output=True)  # noqa: S603  # our own command
        seen = [browser, *options, f"--window-size={WINDOW[0]},{WINDOW[1]}", f"--user-data-dir={folder}/home", shot, page.as_uri()]
        subprocess.run(seen, check=True, capture_output=True)  # noqa: S603  # what is shown is ours


if __name__ == "__main__":
    docs = Path(sys.argv[1])
    docs.mkdir(parents=True, exist_ok=True)
    for name, svg in drawn().items():
        (docs / name).write_text(svg, encoding="utf-8")
    photograph(docs / "report.png")
