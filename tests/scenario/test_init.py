"""`autopilot init` as a person meets it: what it asks at a terminal, that it asks nothing elsewhere, and what it writes."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from shared.driver import stand_in

NEXT = "Next:\n\n    autopilot check{there}\n    autopilot run{there}\n\n"


def variables(**more: str) -> dict[str, str]:
    """Those of the process; what lies beyond this machine is not asked."""
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    return {**os.environ, **proxies, "COLUMNS": "80", "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


def init(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """The command, without a terminal."""
    command = [sys.executable, "-m", "autopilot", "init", *words]
    return subprocess.run(command, cwd=folder, env=variables(**more), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


def asked(folder: Path, answers: str, *words: str, **more: str) -> str:
    """The screen of a person who types these answers."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "autopilot", "init", *words]
    with subprocess.Popen(command, cwd=folder, env=variables(**more), stdin=theirs, stdout=theirs, stderr=theirs):
        os.close(theirs)
        os.write(ours, answers.encode())
        screen = b"".join(_read(ours)).decode()
    os.close(ours)
    return screen.replace("\r\n", "\n")


def _read(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # that is how Linux says that nobody writes there any more
        while some := os.read(terminal, 4096):
            yield some


def written(folder: Path) -> dict[str, dict[str, object]]:
    """The configuration."""
    return tomllib.loads((folder / "autopilot.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("words", [(), ("--simulated",), ("--yes", "other.toml")])
def test_without_a_terminal_nothing_is_asked(tmp_path: Path, words: tuple[str, ...]) -> None:
    """The example is written, and the two next commands are told."""
    done = init(tmp_path, *words)
    (path,) = tmp_path.iterdir()
    there = "" if path.name == "autopilot.toml" else " --config other.toml"

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.endswith(f"{path.name} is written. {NEXT.format(there=there)}")
    assert ["4 x RTX 4090", "2 x H100"] == tomllib.loads(path.read_text(encoding="utf-8"))["rig"]["simulated"]


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    """Before anything is asked; and a price without sense is refused."""
    (tmp_path / "autopilot.toml").write_text("mine")
    done = init(tmp_path)
    dear = init(tmp_path, "new.toml", "--simulated", "--price", "a lot")

    assert (2, "mine") == (done.returncode, (tmp_path / "autopilot.toml").read_text())
    assert "autopilot: autopilot.toml exists already, and is left as it is; name another file\n" == done.stderr
    assert 2 == dear.returncode
    assert "'a lot' is not a number of $/kWh" in dear.stderr
    assert not (tmp_path / "new.toml").exists()


def test_networks_are_not_chosen_for_gpus_that_do_not_exist(tmp_path: Path) -> None:
    """Whoever names some is told, and gets no file with others in it."""
    done = init(tmp_path, "--simulated", "--networks", "akash")

    assert (2, "autopilot: --networks: the simulated GPUs have networks of their own; leave it out\n") == (done.returncode, done.stderr)
    assert [] == list(tmp_path.iterdir())


def test_a_person_is_asked_what_no_machine_knows(tmp_path: Path) -> None:
    """The price of power, again where the answer makes no sense."""
    screen = asked(tmp_path, "much\n0.30\n", "--simulated")

    assert 2 == screen.count("What does a kWh cost you, in $ [0.12]:")
    assert "Error: 'much' is not a number of $/kWh" in screen
    assert "0.3 $/kWh" == written(tmp_path)["power"]["price"]


@pytest.mark.parametrize(
    ("words", "joinable"),
    [(("--offline",), "akash, bittensor, nosana, render"), pytest.param((), "akash, bittensor, nosana", marks=pytest.mark.long)],
)
def test_the_gpus_of_a_host_are_found_and_their_networks_proposed(tmp_path: Path, words: tuple[str, ...], joinable: str) -> None:
    """Whoever gives no answer is not known; a person takes some of those that may be joined, and the file can be flown."""
    stand_in(tmp_path)
    state = tmp_path / "state"
    state.write_text("host gpus 2\n")
    driver = {"LD_LIBRARY_PATH": str(tmp_path), "NVML_STATE": str(state)}
    screen = asked(tmp_path, "0.30\nakash, nosana\n", *words, **driver)
    tables = written(tmp_path)
    content = (tmp_path / "autopilot.toml").read_text(encoding="utf-8")

    assert "This host has GPU-0 RTX 4090, GPU-1 RTX 4090." in screen
    assert f"Which of them, with commas [{joinable}]:" in screen
    assert screen.endswith(NEXT.format(there=""))
    assert {"akash": {}, "nosana": {}} == tables["networks"]
    assert "simulated" not in tables["rig"]
    assert "# RTX 4090: not known what it pays; no answer: " in content


@pytest.mark.parametrize(("answers", "wanted"), [("n\n", False), ("\n0.2\n", True)])
def test_a_host_without_gpus_is_offered_simulated_ones(tmp_path: Path, answers: str, *, wanted: bool) -> None:
    """With what stands in the way of real ones; who wants none gets no file."""
    stand_in(tmp_path)
    state = tmp_path / "state"
    state.write_text("host gpus 0\n")
    screen = asked(tmp_path, answers, LD_LIBRARY_PATH=str(tmp_path), NVML_STATE=str(state))

    assert "No GPU to fly: the driver knows of none." in screen
    assert wanted == (tmp_path / "autopilot.toml").exists()
