"""What Akash's provider is asked and told: its settings, its certificate, and how long an answer stands."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from autopilot.clock import SystemClock
from autopilot.errors import ConfigError, Transient
from autopilot_adapters.akash.adapter import AkashSettings
from autopilot_adapters.akash.money import worth
from autopilot_adapters.akash.node import NodeSettings
from autopilot_adapters.akash.status import ProviderStatus, Status
from shared.servers import HERE, Desk, running

OURS = "akash18ga02jzaq8cw52anyhzkwta5wygufgu6zsz6xc"
SAID = {"address": OURS, "cluster": {"leases": 24, "inventory": {}}, "bidengine": {"orders": 3}, "manifest": {"deployments": 1}}


def certificate(folder: Path, name: str) -> Path:
    """A certificate that a provider signed itself, and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on this host")
    file = folder / f"{name}.pem"
    made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509", "-days", "2", "-subj", f"/CN={OURS}"]
    subprocess.run(["openssl", "req", *made, "-keyout", file, "-out", folder / "crt"], check=True, capture_output=True)  # noqa: S607
    file.write_text(file.read_text(encoding="utf-8") + (folder / "crt").read_text(encoding="utf-8"), encoding="utf-8")
    return file


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Its address and its certificate."""
    signed = certificate(tmp_path, "provider")

    class Status(Desk):
        def answer(self) -> None:
            self.say_json(SAID)

    server = HTTPServer(HERE, Status)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with running(server):
        yield f"https://127.0.0.1:{server.server_port}/status", signed


@pytest.mark.parametrize("pinned", [True, False])
def test_a_provider_that_signed_its_own_certificate_is_heard(provider: tuple[str, Path], *, pinned: bool) -> None:
    """Compared with a copy, or not looked at; the name in it is never that of the address."""
    url, signed = provider
    status = ProviderStatus("akash", SystemClock(), url, signed if pinned else None, OURS)

    assert Status(leases=24, orders=3) == status.look()
    status.close()


def test_another_certificate_than_the_copy_is_not_believed(provider: tuple[str, Path], tmp_path: Path) -> None:
    """Somebody else speaks there."""
    status = ProviderStatus("akash", SystemClock(), provider[0], certificate(tmp_path, "other"), OURS)
    with pytest.raises(Transient):
        status.look()
    status.close()


def test_a_copy_that_is_none_is_said_at_once(tmp_path: Path) -> None:
    """Before anything is started, in one line."""
    with pytest.raises(ConfigError, match="is no certificate"):
        ProviderStatus("akash", SystemClock(), "https://127.0.0.1:8443/status", tmp_path / "none.pem", OURS)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"node": {"refusal": "/srv/refuse"}}, "a node needs its address"),
        ({"provider": OURS, "node": {}}, "refusal"),
        ({"provider": OURS, "node": {"refusal": "/srv/refuse", "chain": []}}, "chain"),
    ],
)
def test_a_node_needs_an_address_and_a_file(table: Any, words: str) -> None:
    """Without them nobody could drain it."""
    with pytest.raises(ValidationError, match=words):
        AkashSettings.model_validate(table)


def test_the_provider_is_that_of_the_chart() -> None:
    """By its names there."""
    node = NodeSettings(refusal=Path("/srv/refuse"))

    assert ("akash-services", "akash-provider") == (node.namespace, node.name)


def test_a_token_without_a_price_is_worth_nothing_known() -> None:
    """Not zero."""
    assert [1, None, None] == [worth(denom, None) for denom in ("uact", "uakt", "ibc/unknown")]
