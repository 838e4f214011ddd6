"""What a report may say: nothing that is a key, a password or a wallet, wherever it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.doctor.secrets import HIDDEN, Redactor, configured, is_key, redactor
from autopilot.settings import Settings

AKASH = "akash1qqqsyqcyq5rqwzqfpg9scrgwpugpzysn4hcxqz"
SOLANA = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
SUBSTRATE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
ETHEREUM = "0x52908400098527886E0F7030069857D2E4169EE7"


@pytest.mark.parametrize("wallet", [AKASH, SOLANA, SUBSTRATE, ETHEREUM])
def test_wallets_are_masked_but_can_be_told_apart(wallet: str) -> None:
    """Of each, four letters are left."""
    assert f"paid to {wallet[:4]}*** at noon" == Redactor().clean(f"paid to {wallet} at noon")


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("GET https://me:pw@host.example/v1?api-key=abc&gpu=h100#x", "GET https://host.example/v1?api-key=***"),
        ("started with --token hunter2", "started with --token ***"),
        ("started with --token hunter", "started with --token ***"),
        ("told tgram://123:hunter2/chat", "told tgram://***"),
        ("sent Bearer hunter", "sent Bearer ***"),
        ("HF_TOKEN=hunter2 was set", "HF_TOKEN=*** was set"),
        ("Authorization: Bearer hunter2", "Authorization: ***"),
        ('{"password": "correct horse"}', '{"password": ***}'),
        ("mail me@host.example", "mail ***"),
        ("no token of yours is known", "no token of yours is known"),
        ("RTX 4090 moves from akash to nosana/rtx-4090, 0.29 $/h", "RTX 4090 moves from akash to nosana/rtx-4090, 0.29 $/h"),
        ("2026-09-01T12:00:00.000000+00:00 driver 580.65.06", "2026-09-01T12:00:00.000000+00:00 driver 580.65.06"),
    ],
)
def test_text_is_cleaned_of_what_looks_like_a_key(text: str, cleaned: str) -> None:
    """And what is none stays readable."""
    assert cleaned == Redactor().clean(text)


@given(st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=4, max_size=40), st.text(max_size=30), st.text(max_size=30))
def test_a_known_secret_is_hidden_wherever_it_stands(secret: str, before: str, after: str) -> None:
    """In any text, and within any structure, as a key too."""
    known = Redactor((secret,))
    told = known.cleaned({"why": [before + secret + after], secret: 1, "deep": {"note": (secret,)}})

    assert secret not in str(told).replace(HIDDEN, "") or secret in {"note", "deep", "None"}


def test_gpus_keep_their_names() -> None:
    """Their ids look like keys."""
    ident = "GPU-8f0e1234-0000-0000-0000-000000000000"

    assert "GPU-3 is fenced" == Redactor(names=((ident, "GPU-3"),)).clean(f"{ident} is fenced")


@pytest.mark.parametrize("name", ["api_key", "rpc-token", "MNEMONIC", "hf.token", "wallet_password", "client_secret", "seed"])
def test_keys_are_known_by_their_names(name: str) -> None:
    """In any spelling."""
    assert is_key(name)


def tables(url: str, word: str, number: object) -> dict[str, Any]:
    """A configuration with something private here and there."""
    node = {"command": [word, word], "env": {"PLAIN": word}, "gpu": True, "token": number}
    return {
        "strategy": "forecast",
        "daemon": {"tick": "15s"},
        "power": {"price": "0.12 $/kWh"},
        "networks": {"mine": {"type": "http", "url": url, "headers": {"X-Anything": word}, "fee": 0.1, "node": node}},
    }


def test_of_a_configuration_only_the_harmless_is_shown() -> None:
    """A text that is not known to be harmless is hidden, whatever its key is called."""
    assert tables(HIDDEN, HIDDEN, HIDDEN) == configured(tables("https://host.example/secret", "hunter2", 7))


def test_secrets_are_gathered_from_where_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of tables, of models of adapters, of files and variables that they name, of commands, and of the environment."""
    (tmp_path / "key").write_text("from-a-file\n")
    monkeypatch.setenv("MY_HEADER", "from-a-variable")
    http = {
        "type": "http",
        "url": "https://host.example/x?token=from-a-url",
        "models": {"RTX 4090": "x"},
        "price": "p",
        "unit": "$/h",
        "occupancy": 1,
        "params": {"account": "from-a-parameter"},
        "headers": {"A": {"file": str(tmp_path / "key"), "prefix": "Bearer "}, "B": {"env": "MY_HEADER"}},
        "node": {"process": ["miner", "--password=from-a-word", "--api-key", "from-an-option"]},
    }
    nosana = {"rpc_url": "https://user:from-userinfo@rpc.example/abcdefgh0123456789abcdefgh"}
    settings = Settings(networks={"mine": http, "nosana": nosana}, tokens={"pyth": "from-the-settings"})
    environment = {
        "HTTPS_PROXY": "http://me:from-a-proxy@proxy.example:1",
        "SOME_TOKEN": "from-the-environment",
        "AUTOPILOT_TOKENS__PYTH": "from-a-key",
        "HOME": "/home/me",
    }
    written = {"notify": {"urls": ["tgram://from-a-service/chat"]}}
    known = redactor(written, settings, environment).known
    places = ("file", "variable", "url", "word", "proxy")
    expected = {
        *(f"from-a-{place}" for place in places),
        "from-a-parameter",
        "from-an-option",
        "from-userinfo",
        "from-the-settings",
        "from-the-environment",
    }

    assert expected <= set(known)
    assert {"/home/me", "MY_HEADER", str(tmp_path / "key"), "Bearer", "Bearer ", "miner"}.isdisjoint(known)
    assert sorted(known, key=len, reverse=True) == list(known)
