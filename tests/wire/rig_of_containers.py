"""Four GPUs and three networks whose nodes are real containers, on an engine that may be killed; and what the networks pay."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import ThreadingHTTPServer
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from docker.errors import NotFound

from shared.servers import HERE, Desk, running
from wire import engine

NETWORKS = ("akash", "nosana", "render")
MODELS = ("RTX 3090", "RTX 4090", "A100", "H100")
GPUS = tuple(f"SIM-{number}-{model.replace(' ', '-')}" for number, model in enumerate(MODELS))
CONFIG = """
strategy = "greedy"
[rig]
simulated = ["RTX 3090", "RTX 4090", "A100", "H100"]
[daemon]
tick = "0.3s"
poll = "1s"
answer = "0.8s"
jitter = "0s"
[guards]
dwell = "0s"
cooldown = "0s"
changes_per_day = 1000000
[limits]
drain = "1m"
stop = "1m"
start = "1m"
revert = "1m"
steady = "0s"
"""
NETWORK = """
[networks.{name}]
type = "http"
url = "{url}/{name}"
price = '"{{model}}"'
unit = "$/h"
occupancy = 1
boot = "2s"
drain = "1s"
models = {{ "RTX 3090" = "rtx-3090", "RTX 4090" = "rtx-4090", A100 = "a100", H100 = "h100" }}
[networks.{name}.node]
image = "fakenode:1"
command = ["/bin/sh", "/fake_node.sh", "{name}", "{{device}}"]
mounts = ["{script}:/fake_node.sh:ro", "{rig}:/rig", "/usr:/usr:ro", "/lib:/lib:ro", "/lib64:/lib64:ro"]
gpu = false
options = {{ network_mode = "none", mem_limit = "16m", memswap_limit = "16m" }}
jobs = ["cat", "{rig}/jobs-{name}-{{device}}"]
drain = ["touch", "{rig}/drain-{name}-{{device}}"]
resume = ["rm", "-f", "{rig}/drain-{name}-{{device}}"]
grace = "2s"
"""
"""``/usr`` and its libraries lend the node the host's ``flock``, which busybox lacks."""
SCRIPT = Path(__file__).with_name("fake_node.sh")


class Rates(ThreadingHTTPServer):
    """What each network pays for each model."""

    def __init__(self, random: Random) -> None:
        super().__init__(HERE, RatesDesk)
        self.paid: dict[str, dict[str, float]] = {network: {} for network in NETWORKS}
        for model in MODELS:
            self.change(random, model)

    def change(self, random: Random, model: str) -> None:
        """Another network has the lead for this model, most of the time."""
        for network in NETWORKS:
            self.paid[network][model.lower().replace(" ", "-")] = round(random.uniform(0.2, 1.0), 3)


class RatesDesk(Desk):
    """One request."""

    server: Rates

    def answer(self) -> None:
        """Everything that the network pays now."""
        self.say_json(self.server.paid[self.path.strip("/")])


class Engine:
    """A container engine that may be killed as nobody kills one on purpose, and come back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.host = f"unix://{folder}/docker.sock"
        self.up = False

    def start(self) -> None:
        """Start it and wait until it answers; what ran when it was killed, it has stopped by then."""
        for left in ("docker.sock", "docker.pid", "exec/containerd/containerd.pid"):  # a zombie's number reads like a living one's
            (self._folder / left).unlink(missing_ok=True)
        self._process = engine.start(self._folder)
        self.up = True

    def kill(self) -> None:
        """At once. The containers run on until it is back."""
        self._process.kill()
        self._process.wait()
        self.up = False

    def close(self) -> None:
        """With all its containers."""
        if not self.up:
            self.start()
        with self.client() as client:
            for container in client.containers.list(all=True):
                container.remove(force=True)
        self._process.terminate()
        self._process.wait(timeout=30)
        subprocess.run(["umount", "--quiet", self._folder / "data"], check=False)  # noqa: S607  # one that was killed leaves it mounted
        self._end_shims()

    def _end_shims(self) -> None:
        """Each container has a process beside it, and an engine that is killed as it ends one forgets the other."""
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if f"{self._folder}/exec/containerd" in command.read_text(encoding="utf-8", errors="replace"):
                    os.kill(int(command.parent.name), signal.SIGKILL)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Past our driver."""
        with closing(engine.client_of(self.host)) as client:
            yield client


class Rig:
    """The folder that the nodes share, the engine that they run on, and what they are paid."""

    def __init__(self, folder: Path, rates: Rates, engine: Engine) -> None:
        self.shared = folder / "rig"
        self.shared.mkdir()
        self.log = self.shared / "log"
        self.log.touch()
        self.rates = rates
        self.engine = engine

    def config(self) -> str:
        """How a daemon flies it."""
        url = f"http://127.0.0.1:{self.rates.server_port}"
        return CONFIG + "".join(NETWORK.format(name=name, url=url, rig=self.shared, script=SCRIPT) for name in NETWORKS)

    def say(self, network: str, gpu: str, word: str) -> None:
        """Write into the nodes' own log what was done to them."""
        now = Path("/proc/uptime").read_text(encoding="ascii").split()[0]
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{now} {network} {gpu} - {word}\n")

    def running(self) -> list[tuple[str, str]]:
        """The network and GPU of every container that runs."""
        with self.engine.client() as client:
            labels = [container.labels for container in client.containers.list()]
        return sorted((each["yield-autopilot"], each["yield-autopilot.device"]) for each in labels)

    def remove(self, network: str, gpu: str) -> None:
        """By hand, running or not; nobody is told."""
        with self.engine.client() as client, suppress(NotFound):
            client.containers.get(f"autopilot-{network}-{gpu}").remove(force=True)


@contextmanager
def rig_of_containers(folder: Path, random: Random) -> Iterator[Rig]:
    """All of it, and nothing of it afterwards."""
    with ExitStack() as stack:
        rates = stack.enter_context(running(Rates(random)))
        # The engine's sockets lie deep in its folder, and a socket's path has 108 bytes at the most.
        own = Engine(Path(stack.enter_context(TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True))))
        own.start()
        stack.callback(own.close)
        with own.client() as client:
            client.api.import_image_from_data(engine.busybox(), repository="fakenode", tag="1")
        yield Rig(folder, rates, own)


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A folder on a disk of its own that is soon full."""
    folder.mkdir()
    size = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=True)  # noqa: S607
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)  # noqa: S607
