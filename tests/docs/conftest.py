"""A place where a reader of the documents follows them: a folder with the examples, a pip, and what the autopilot comes with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PIP = f"""#!{sys.executable}
import os, pathlib, sys, zipfile
import hatchling.build

assert sys.argv[1] == "install", sys.argv
os.chdir(sys.argv[-1])
site = pathlib.Path(os.environ["SITE"])
zipfile.ZipFile(site / hatchling.build.build_wheel(str(site))).extractall(site)
"""
"""Builds a wheel and unpacks it, as pip does; it asks no index, and puts nothing into the environment of the tests."""


@dataclass(frozen=True)
class Reader:
    """Somebody who types what a document says."""

    home: Path

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        """In a shell that stops at the first command that fails."""
        beside = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        environment = {
            "HOME": str(self.home),
            "SITE": str(self.home / "site"),
            "PATH": os.pathsep.join([str(self.home / "bin"), str(Path(sys.executable).parent), os.defpath]),
            "PYTHONPATH": os.pathsep.join([str(self.home / "site"), *(str(ROOT / path) for path in beside if path)]),
            "COLUMNS": "200",
        }
        return subprocess.run(
            [str(shutil.which("bash")), "-euo", "pipefail", "-c", script],
            cwd=self.home,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """One who has installed nothing but the autopilot, and stands where the examples are."""
    (tmp_path / "site").mkdir()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pip").write_text(PIP, encoding="utf-8")
    (tmp_path / "bin" / "pip").chmod(0o755)
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    return Reader(tmp_path)
