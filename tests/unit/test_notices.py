"""What is written about messages and metrics: addresses with commas, nothing of them shown, one line for what cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest

from autopilot.cli.daemon import check
from autopilot.errors import ConfigError
from autopilot.notices import MetricsSettings, NotifySettings, Topic
from autopilot.settings import Settings, load
from autopilot.telling.beside import require
from shared.needs import needed

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise's own, before Python 3.13
CANARY = "canary7f3a9b"


@pytest.mark.parametrize(
    "written",
    [
        f"json://{CANARY}/a,b , tgram://1:{CANARY}/2",
        f"json://{CANARY}/a,b tgram://1:{CANARY}/2",
        f'["json://{CANARY}/a,b", "tgram://1:{CANARY}/2"]',
    ],
)
def test_a_variable_lists_addresses(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    """By commas or blanks, or as in the file; a comma within an address is its own."""
    monkeypatch.setenv("AUTOPILOT_NOTIFY__URLS", written)
    monkeypatch.setenv("AUTOPILOT_NOTIFY__EVENTS", "gpu, digest")
    notify = Settings().notify

    assert [f"json://{CANARY}/a,b", f"tgram://1:{CANARY}/2"] == [url.get_secret_value() for url in notify.urls]
    assert (Topic.GPU, Topic.DIGEST) == notify.events


def test_addresses_are_never_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither by ``check --show`` nor by a repr."""
    path = tmp_path / "autopilot.toml"
    ping = f"https://hc.example/{CANARY}"
    notify = f'[notify]\nurls = ["json://{CANARY}"]\nping = "{ping}"'
    path.write_text(f'{notify}\n[rig]\nsimulated = ["1 x H100"]\n[networks.akash]\nadapter = "simulator"', encoding="utf-8")
    check(path, show=True)
    shown = capsys.readouterr().out

    assert '"notify"' in shown
    assert CANARY not in shown + repr(load(path))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (f'[notify]\nping = "ftp://{CANARY}"', "notify.ping: must begin with http:// or https://"),
        (f'[notify]\nurls = [3, "{CANARY}"]', "notify.urls.0: Input should be a valid string"),
        ('[notify]\ndigest = "8 am"', "notify.digest: String should match pattern"),
        ('[notify]\nevents = ["moves"]', "notify.events.0: Input should be 'switch', 'stranded'"),
        ('[notify]\nevery = "0s"', "silent, no_income and every must be longer than nothing"),
        ('[metrics]\nlisten = "9477"', "metrics.listen: String should match pattern"),
        ('[metrics]\nlisten = "127.0.0.1:99999"', "listen: a port is at most 65535"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, table: str, said: str) -> None:
    """Without what was written, where that may be a key."""
    path = tmp_path / "autopilot.toml"
    path.write_text(table, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load(path)

    assert said in str(refused.value)
    assert CANARY not in str(refused.value)


@pytest.mark.parametrize("url", [f"nosuch://{CANARY}", CANARY, f"tgram://{CANARY}"])
def test_an_address_that_is_none_is_refused_before_a_flight(url: str) -> None:
    """By its number and its kind, and nothing more of it."""
    needed("apprise")
    with pytest.raises(ConfigError, match=r"notify\.urls: number 2, a '\w+' one, is no address that Apprise knows") as refused:
        require(Settings(notify=NotifySettings(urls=("json://localhost", url))))

    assert CANARY not in str(refused.value)


@pytest.mark.parametrize(("listen", "address"), [("127.0.0.1:9477", ("127.0.0.1", 9477)), ("[::1]:80", ("::1", 80)), ("rig:1", ("rig", 1))])
def test_an_address_has_a_host_and_a_port(listen: str, address: tuple[str, int]) -> None:
    """Of both families."""
    assert address == MetricsSettings(listen=listen).address
