"""What the render client's log says of its frames, and how a path travels to PowerShell."""

from __future__ import annotations

import base64
import os
from datetime import timedelta
from pathlib import Path

import pytest

from autopilot.errors import NodeFault
from autopilot.model.device import NetworkId
from autopilot_adapters.render.windows import Job, Windows, last_job

BEGUN = "2025-09-01 12:03:10 INFO: [4242] starting a new render job with config hash: 9f2c1a"
DONE = "2025-09-01 12:05:44 INFO: [4242] sent render finished, job completed successfully (render time 151.2 seconds)"


def test_the_last_frame_is_told_by_its_line() -> None:
    """The same scene may be rendered again, so its time belongs to its name."""
    assert Job("2025-09-01T12:03:10 9f2c1a", runs=True, age=timedelta(0)) == last_job([BEGUN])
    assert Job("2025-09-01T12:03:10 9f2c1a", runs=False, age=timedelta(seconds=154)) == last_job([BEGUN, DONE])


@pytest.mark.parametrize(
    "lines", [[], ["half a line"], [DONE], ["2025-13-01 12:03:10 INFO: starting a new render job with config hash: 1"]]
)
def test_a_log_without_a_frame_names_none(lines: list[str]) -> None:
    """Nor does an end whose beginning was cut off, or a time that is none."""
    assert last_job(lines) is None


def test_a_clock_that_is_set_back_makes_no_frame_of_negative_age() -> None:
    """Local times jump twice a year."""
    assert Job("2025-09-01T12:03:10 9f2c1a", runs=True, age=timedelta(0)) == last_job(
        [BEGUN, "2025-09-01 11:03:12 INFO: [4242] 1 usable gpus detected"]
    )


def test_a_path_is_a_literal_in_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote in it ends nothing, and no shell on the way reads it."""
    stub = tmp_path / "powershell.exe"
    stub.write_text(f'#!/bin/sh\nfor last; do :; done\nprintf %s "$last" >{tmp_path}/said\necho no >&2\nexit 1\n', encoding="utf-8")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    host = Windows(NetworkId("render"), (), (r"C:\it's; rm\rndrclient.exe", r"C:\b\TCPSVCS.EXE"), "log")
    with pytest.raises(NodeFault, match=r"^render: the host could not start the client: no$"):
        host.start()
    script = base64.b64decode((tmp_path / "said").read_text(encoding="utf-8")).decode("utf-16-le")

    assert r"$paths = @('C:\it''s; rm\rndrclient.exe', 'C:\b\TCPSVCS.EXE' |" in script
