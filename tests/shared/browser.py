"""A page in headless Chromium, driven over a pipe (chromedevtools.github.io/devtools-protocol)."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.needs import unable

_ASKED = 60
"""Seconds that an answer may take."""


class Tab:
    """One page. It keeps what the browser complained of, and what was loaded from anywhere but itself."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._number, self._opened, self._rest = 0, 0, b""
        self._session: dict[str, str] = {}
        self.complaints: list[str] = []
        self.loaded: list[str] = []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and its answer; what happens in between is noted."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params, **self._session}
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer

                return dict(answer["result"])
            self._note(answer)

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = os.read(self._reading, 1 << 16)
            assert more, "the browser has gone"

            self._rest += more
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))

    def _note(self, event: dict[str, Any]) -> None:
        params = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.complaints.append(str(params["entry"]))
            case "Page.loadEventFired":
                self._opened += 1
            case "Network.requestWillBeSent" if not params["request"]["url"].startswith("data:"):
                self.loaded.append(params["request"]["url"])

    def run(self, script: str) -> Any:
        """The value of an expression; a promise is waited for."""
        answer = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer

        return answer["result"].get("value")

    def show(self, page: Path, width: int, height: int = 844) -> None:
        """Open a page at a width in pixels, and wait until its scripts have run."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        before = self._opened
        self.ask("Page.navigate", url=page.resolve().as_uri())
        while self._opened == before:
            self._note(self._next())

    def picture(self, out: Path) -> None:
        """All of the page, as a PNG."""
        shot = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        out.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def chromium(home: Path) -> Iterator[Tab]:
    """A browser with one page. Where there is none, the test is skipped on a user's machine, and fails in CI."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        unable("no Chromium is installed")
    commands, answers = os.pipe(), os.pipe()
    options = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe")
    command = f'exec "$@" 3<&{commands[0]} 4>&{answers[1]}'
    with (home / "chromium.log").open("wb") as log:
        browser = subprocess.Popen(
            ["/bin/bash", "-c", command, "chromium", program, *options, f"--user-data-dir={home / 'profile'}"],
            pass_fds=(commands[0], answers[1]),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    os.close(commands[0])
    os.close(answers[1])
    previous = signal.signal(signal.SIGALRM, _late)
    signal.alarm(_ASKED)
    try:
        yield Tab(answers[0], commands[1])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        os.close(answers[0])
        os.close(commands[1])


def _late(*_: object) -> None:
    msg = f"the browser did not answer within {_ASKED} s"
    raise TimeoutError(msg)
