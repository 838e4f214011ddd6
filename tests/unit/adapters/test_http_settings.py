"""A network is described in a table, and whatever is wrong with the table is said in one line that names the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autopilot.errors import ConfigError
from autopilot.settings import validated
from autopilot_adapters.http.names import plain
from autopilot_adapters.http.settings import HttpSettings

LEAST = {"url": "https://acme.test/rates", "models": {"RTX 4090": "rtx4090"}, "price": "usd", "unit": "$/h", "occupancy": 1}

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": ({"prise": "usd"}, "unknown key 'prise'; did you mean price"),
    "no JMESPath": ({"price": "a.["}, r"price: 'a.\[' is no JMESPath: Incomplete expression; "),
    "a name without quotes": ({"price": "prices.{model}"}, "price: .* at column 13, .* stands in quotes"),
    "an empty expression": ({"time": ""}, "time: '' is no JMESPath: .*empty"),
    "a flag for an expression": ({"occupancy": True}, "occupancy: must be a JMESPath expression in quotes, or a number"),
    "an unknown unit": ({"unit": "$ per fortnight"}, "unit: .* is no unit: write it like '\\$/h'"),
    "an unknown token": ({"unit": "TOA/h"}, "unit: no price of the token 'TOA' is known; did you mean TAO?"),
    "a block of no length": ({"unit": "TAO/block"}, "block is the time of a block"),
    "a block that nothing is paid by": ({"block": "12s"}, "block is the time of a block"),
    "a block of nothing": ({"unit": "TAO/block", "block": "0s"}, "block is the time of a block"),
    "no models": ({"models": {}}, "models: "),
    "a model twice": ({"models": {"RTX 4090": "a", "NVIDIA GeForce RTX-4090": "b"}}, "models: names one GPU twice"),
    "a name that breaks out": ({"models": {"RTX 4090": "x' || 'y"}}, "models: 'RTX 4090' is called .* no name that can stand"),
    "a name that is empty": ({"models": {"RTX 4090": " "}}, "no name that can stand"),
    "a body that is not sent": ({"body": {"a": 1}}, "a body is sent with method = 'POST'"),
    "a variable that is not set": ({"headers": {"auth": {"env": "NOT_SET"}}}, "headers.auth: the variable NOT_SET is not there"),
    "a file that is not there": ({"headers": {"auth": {"file": "/not/there"}}}, "headers.auth: /not/there cannot be read"),
    "a secret out of nowhere": ({"headers": {"auth": {"vault": "x"}}}, "headers.auth: must be text, { env = "),
    "a fee beyond all": ({"fee": 1.5}, "fee: a share lies between 0 and 1"),
    "a life of nothing": ({"counts_for": "0m"}, "counts_for must be longer than nothing"),
    "decimals below nought": ({"decimals": -6}, "decimals: "),
}


def settings(**changed: Any) -> HttpSettings:
    """A table with as little as it may say, and some more."""
    model = validated(HttpSettings, {**LEAST, **changed}, "[networks.acme]")
    assert isinstance(model, HttpSettings)
    return model


def test_little_needs_to_be_said() -> None:
    """Six keys make a network."""
    said = settings()

    assert ("GET", "`1`", "`1`", None, "estimate", "device") == (
        *(said.method, said.gpus, said.occupancy, said.idle),
        *(said.basis.value, said.scope.value),
    )


@pytest.mark.parametrize(("changed", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said(changed: dict[str, Any], message: str) -> None:
    """With the key and the remedy, before anything starts."""
    with pytest.raises(ConfigError, match=rf"^\[networks\.acme\]: .*{message}") as caught:
        settings(**changed)

    assert "\n" not in str(caught.value)


def test_the_occupancy_must_be_said() -> None:
    """An ask that nobody takes is no income: nobody gets all of the hour for nothing."""
    with pytest.raises(ConfigError, match="occupancy"):
        validated(HttpSettings, {key: value for key, value in LEAST.items() if key != "occupancy"}, "[networks.acme]")


def test_secrets_come_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Out of a variable or a file, without the line break that editors leave, and never into a repr."""
    monkeypatch.setenv("ACME_KEY", "sesame-open\n")
    (tmp_path / "key").write_text("sesame-file\n")
    said = settings(
        headers={
            "Authorization": {"env": "ACME_KEY", "prefix": "Bearer "},
            "X-Key": {"file": str(tmp_path / "key")},
            "Accept": "application/json",
        }
    )

    assert ["Bearer sesame-open", "sesame-file", "application/json"] == [value.get_secret_value() for value in said.headers.values()]
    assert "sesame" not in f"{said!r} {said} {said.model_dump()}"


def test_an_empty_secret_is_none(tmp_path: Path) -> None:
    """A file without a key would ask as nobody."""
    (tmp_path / "key").write_text("\n")
    with pytest.raises(ConfigError, match="holds nothing"):
        settings(headers={"X-Key": {"file": str(tmp_path / "key")}})


@pytest.mark.parametrize("written", ["RTX 4090", "NVIDIA GeForce RTX 4090", "rtx-4090", "GeForce RTX4090"])
def test_a_gpu_is_known_however_it_is_written(written: str) -> None:
    """With brand or without, in whatever case."""
    assert "rtx4090" == plain(written)


def test_other_gpus_are_others() -> None:
    """What tells them apart stays."""
    assert 4 == len({plain(model) for model in ("RTX 4090", "RTX 4090 D", "RTX 4090 Laptop GPU", "RTX 4080")})
