"""A driver's library for hosts without a GPU."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from shared.needs import unable

SOURCE = Path(__file__).parents[1] / "wire/nvml.c"


def stand_in(folder: Path) -> Path:
    """The stand-in, compiled into a folder. It has the real one's name, so that whoever opens that name there finds it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        unable("no C compiler here: the stand-in for the driver's library cannot be built")
    built = folder / "libnvidia-ml.so.1"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-Wl,-soname,libnvidia-ml.so.1", "-o", built, SOURCE], check=True)
    return built
