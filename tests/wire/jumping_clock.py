"""A time of day that is set while a program runs."""

from __future__ import annotations

import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

from shared.needs import unable

_SOURCE = Path(__file__).parents[1] / "data/jumping_clock.c"


class Ahead:
    """How much later it is for a program than it is. The library that deceives it is compiled into the folder."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("gcc") or shutil.which("cc")
        if compiler is None:
            unable("no C compiler here: the library that sets a program's clock cannot be made")
        library = folder / "jumping_clock.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, _SOURCE], check=True)
        self._file = folder / "ahead"
        self._file.write_bytes(bytes(8))
        self.variables = {"LD_PRELOAD": str(library), "JUMPING_CLOCK": str(self._file)}
        """What the program is started with."""

    def get(self) -> timedelta:
        """By so much, now."""
        return timedelta(seconds=int.from_bytes(self._file.read_bytes(), "little", signed=True))

    def set(self, ahead: timedelta) -> None:
        """From now on."""
        with self._file.open("r+b") as file:
            file.write(int(ahead.total_seconds()).to_bytes(8, "little", signed=True))
