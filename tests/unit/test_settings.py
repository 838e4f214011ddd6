"""The configuration: what is in force, and what is said about what cannot be."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from autopilot.daemon.gpus import simulated_devices
from autopilot.errors import ConfigError
from autopilot.kit.fields import quantity_of
from autopilot.kit.series import Form
from autopilot.model.device import NetworkId, Venue
from autopilot.model.switch import Limits
from autopilot.plugins import make_strategy
from autopilot.settings import Settings, load, validated
from autopilot.units import Share, UsdPerKwh, Watts

HOUSE = Path(__file__).parents[2]
SHIPPED = HOUSE / "autopilot" / "autopilot.toml"
EXAMPLE = HOUSE / "examples" / "autopilot.toml"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Settings]:
    """Loads a configuration from its text."""

    def load_text(text: str) -> Settings:
        path = tmp_path / "my.toml"
        path.write_text(text, encoding="utf-8")
        return load(path)

    return load_text


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The usual place may be empty; a place that was named may not."""
    monkeypatch.chdir(tmp_path)

    assert Settings() == load(None)
    with pytest.raises(ConfigError, match=r"^autopilot\.toml: no such file; `autopilot init` writes one$"):
        load(Path("autopilot.toml"))


def test_the_usual_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """autopilot.toml, here."""
    monkeypatch.chdir(tmp_path)
    Path("autopilot.toml").write_text('strategy = "greedy"', encoding="utf-8")

    assert "greedy" == load(None).strategy


def test_values_are_read_with_their_units(written: Callable[[str], Settings]) -> None:
    """Durations, money and power; a plugin's table is kept as it is."""
    settings = written('[daemon]\ntick = "30s"\n[power]\nprice = "-0.02 $/kWh"\nlit = "320 W"\n[networks.akash]\nboot = "8m"')

    assert timedelta(seconds=30) == settings.daemon.tick
    assert UsdPerKwh.of("-0.02") == settings.power.price
    assert Watts.of(320) == settings.power.lit
    assert {"akash": {"boot": "8m"}} == settings.networks
    assert Limits(steady=timedelta(seconds=10)) == settings.limits.limits()


@pytest.mark.parametrize(
    ("variable", "value", "read"),
    [
        ("AUTOPILOT_STRATEGY", "greedy", lambda settings: settings.strategy == "greedy"),
        ("AUTOPILOT_DAEMON__TICK", "30s", lambda settings: settings.daemon.tick == timedelta(seconds=30)),
        ("AUTOPILOT_POWER__PRICE", "0.1 $/kWh", lambda settings: settings.power.price == UsdPerKwh.of("0.1")),
        ("AUTOPILOT_POWER__LIT", "300 W", lambda settings: settings.power.lit == Watts.of(300)),
        ("AUTOPILOT_GUARDS__PAY_BACK", "1d", lambda settings: settings.guards.pay_back == timedelta(days=1)),
        ("AUTOPILOT_RIG__SIMULATED", "2 x H100, RTX 4090", lambda settings: settings.rig.simulated == ("2 x H100", "RTX 4090")),
        ("AUTOPILOT_RIG__SIMULATED", '["2 x H100"]', lambda settings: settings.rig.simulated == ("2 x H100",)),
        ("AUTOPILOT_NETWORKS__AKASH__BOOT", "3m", lambda settings: settings.networks["akash"]["boot"] == "3m"),
    ],
)
def test_a_variable_wins_over_the_file(
    written: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, read: Callable[[Settings], bool]
) -> None:
    """Key by key: what it does not set is the file's."""
    text = 'state = "kept.db"\n[daemon]\ntick = "20s"\npoll = "2h"\n[networks.akash]\nboot = "8m"\nfee = "1 $"'

    assert not read(written(text))
    monkeypatch.setenv(variable, value)
    assert read(written(text))
    assert (Path("kept.db"), timedelta(hours=2)) == (written(text).state, written(text).daemon.poll)
    assert "1 $" == written(text).networks["akash"]["fee"]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("AUTOPILOT_DAEMON__TICK", "15", "AUTOPILOT_DAEMON__TICK: daemon.tick: '15' is no duration; "),
        ("AUTOPILOT_DAEMON__TCIK", "15s", "AUTOPILOT_DAEMON__TCIK: unknown key 'daemon.tcik'; did you mean tick?"),
        ("AUTOPILOT_STRATGY", "stay", "AUTOPILOT_STRATGY is a variable for no key; did you mean STRATEGY"),
        ("AUTOPILOT_RIG", "H100", 'a variable AUTOPILOT_...: error parsing value for field "rig"'),
    ],
)
def test_a_wrong_variable_is_named(
    written: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    """Not the file, which has nothing to do with it; and none is set for nothing."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        written("")

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("daemn = 1", "unknown key 'daemn'; did you mean daemon?"),
        ('[daemon]\ntcik = "1s"', "unknown key 'daemon.tcik'; did you mean tick?"),
        ("[guards]\nchange_per_day = 3", "unknown key 'guards.change_per_day'; did you mean changes_per_day?"),
        ("[qqq]", "unknown key 'qqq'; there is daemon, guards, "),
        ('[power]\nprice = "0.12"', "power.price: '0.12' needs its unit: write it like '0.12 $/kWh'"),
        ("[power]\nprice = 0.12", "power.price: 0.12 needs its unit: write it like '0.12 $/kWh'"),
        ('[power]\nprice = "0.12 $/h"', "power.price: '0.12 $/h' needs its unit: write it like '0.12 $/kWh'"),
        ('[power]\nprice = "cheap $/kWh"', "power.price: 'cheap' is not a number of $/kWh"),
        ('[power]\nprice = "nan $/kWh"', "power.price: UsdPerKwh must be finite and in range, not nan"),
        ('[power]\nlit = "0.3 kW"', "power.lit: '0.3 k' is not a number of W"),
        ('[power]\nlit = "-3 W"', "power: lit and idle are what a GPU draws, and must not be negative"),
        ("[daemon]\ntick = 15", "daemon.tick: 15 is no duration; write it with its unit: 15m, 0.25h, 2h30m, 7d"),
        ('[daemon]\ntick = "0s"', "daemon: tick, poll and learn must each be longer than nothing and not longer than the next"),
        ('[daemon]\npoll = "2d"', "daemon: tick, poll and learn must each be longer than nothing and not longer than the next"),
        ('[daemon]\njitter = "1h"', "daemon: jitter must be shorter than poll"),
        ('[limits]\ndrain = "9999999d"', "limits: drain must not be longer than a year"),
        ("[guards]\nchanges_per_day = -1", "guards.changes_per_day: Input should be greater than or equal to 0"),
        ("[rig]\nspeed = 0.5", "rig.speed: Input should be greater than or equal to 1"),
        ("[rig]\nspeed = inf", "rig.speed: Input should be less than or equal to 100000"),
        ("[rig]\nsimulated = 4", "rig.simulated: must be a list in brackets"),
        ("rig = 3", "rig: must be a table"),
        ("networks = [1]", "networks: must be a table"),
        ("strategy = 5", "strategy: Input should be a valid string"),
        ("a = ", "not valid TOML: Invalid value (at end of document)"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(written: Callable[[str], Settings], tmp_path: Path, text: str, message: str) -> None:
    """With the file, the key and what to do."""
    with pytest.raises(ConfigError) as caught:
        written(text)

    assert str(caught.value).startswith(f"{tmp_path / 'my.toml'}: {message}")
    assert "\n" not in str(caught.value)


def test_everything_that_is_wrong_is_said_at_once(written: Callable[[str], Settings]) -> None:
    """Nobody likes to be told one by one."""
    with pytest.raises(ConfigError, match=r"power\.price: '1' needs its unit.*; .*unknown key 'daemon\.tcik'"):
        written('[daemon]\ntcik = "1s"\n[power]\nprice = "1"')


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder, or bytes that are no text."""
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: cannot be read: "):
            load(path)


class Pool(BaseModel):
    """A part of a plugin's settings."""

    model_config = ConfigDict(extra="forbid")
    name: str = ""


class Own(BaseModel):
    """A plugin's settings."""

    model_config = ConfigDict(extra="forbid")
    pool: Pool = Pool()
    pools: list[Pool] = []


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"pol": {}}, "[networks.acme]: unknown key 'pol'; did you mean pool or pools?"),
        ({"pool": {"naem": "x"}}, "[networks.acme]: unknown key 'pool.naem'; did you mean name?"),
        ({"pools": [{"naem": "x"}]}, "[networks.acme]: unknown key 'pools.0.naem'; did you mean name?"),
        ({"pool": 3}, "[networks.acme]: pool: must be a table"),
    ],
)
def test_a_plugins_table_is_judged_alike(table: dict[str, Any], message: str) -> None:
    """At every depth."""
    with pytest.raises(ConfigError) as caught:
        validated(Own, table, "[networks.acme]")

    assert message == str(caught.value)


def test_a_share_needs_no_unit() -> None:
    """A bare number is one already; yes and no are not."""
    assert Share.of("0.15") == quantity_of(Share, 0.15) == quantity_of(Share, "0.15") == quantity_of(Share, Share.of("0.15"))
    with pytest.raises(ValueError, match="'True' is not a number"):
        quantity_of(Share, True)  # noqa: FBT003


def test_a_simulated_rig_is_read() -> None:
    """So many of each, numbered through, each with an identity of its own."""
    rig = simulated_devices(("2 x RTX 4090", "H100 SXM", "1xA100"))

    assert ["RTX 4090", "RTX 4090", "H100 SXM", "A100"] == [device.model for device in rig]
    assert [0, 1, 2, 3] == [device.index for device in rig]
    assert 4 == len({device.id for device in rig})


@pytest.mark.parametrize("text", ["", "0 x H100"])
def test_a_simulated_rig_of_nothing_is_refused(text: str) -> None:
    """With the text, and an example."""
    with pytest.raises(ConfigError, match=f"^rig.simulated: {re.escape(repr(text))} is not like '4 x RTX 4090'$"):
        simulated_devices((text,))


def test_the_example_is_what_init_writes() -> None:
    """One commented configuration, in two places."""
    assert SHIPPED.read_bytes() == EXAMPLE.read_bytes()


def test_the_example_shows_the_defaults() -> None:
    """All but the rig, its power and its networks is what holds without the file, and every key is there."""
    defaults, shown = Settings(), load(EXAMPLE)
    text = EXAMPLE.read_text(encoding="utf-8")
    told = tomllib.loads(text)
    told["power"] |= dict.fromkeys(re.findall(r"^# \[power\.(\w+)\]", text, re.MULTILINE))
    for table in ("daemon", "guards", "limits", "notify", "metrics"):
        assert getattr(defaults, table) == getattr(shown, table)
    for table in ("rig", "power", "daemon", "limits"):
        assert set(type(getattr(defaults, table)).model_fields) == set(told[table])

    assert (defaults.state, defaults.strategy, defaults.rig.speed) == (shown.state, shown.strategy, shown.rig.speed)
    assert make_strategy("payback", {}).strategy == make_strategy("payback", told["strategies"]["payback"]).strategy


def test_the_comments_of_the_example_are_true(written: Callable[[str], Settings]) -> None:
    """A default that stands in a comment is one, and what is commented out may be commented in."""
    text = EXAMPLE.read_text(encoding="utf-8")
    told = dict(re.findall(r'^(\w+) = .*default "(.*)"$', text, re.MULTILINE))
    power = Settings().power

    assert {"price": str(power.price), "lit": str(power.lit), "idle": str(power.idle)} == told
    assert Settings().guards.pay_back is None
    assert timedelta(hours=24) == written(text.replace("# pay_back", "pay_back")).guards.pay_back
    head, commented, rest = re.split(r"(?m)^(?=# \[power\.venues)|^(?=\[daemon\])", text)
    whole = written(head + re.sub(r"(?m)^# ?", "", commented) + rest).power
    assert Watts.of(250) == whole.draw().at(Venue(NetworkId("nosana"), "rtx-4090"))
    assert 2 == len(whole.calendar.periods if whole.calendar else ())
    assert Form() == (whole.series.form() if whole.series else None)
    for variable in re.findall(r"AUTOPILOT_(\w+)", text):
        table, _, key = variable.lower().partition("__")
        assert table in Settings.model_fields
        assert not key or key in type(getattr(Settings(), table)).model_fields


def test_check_finds_the_example_good_to_fly(tmp_path: Path) -> None:
    """As the command line says it, and nothing is left behind."""
    command = [sys.executable, "-m", "autopilot", "check", "--config", str(EXAMPLE)]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (0, "") == (run.returncode, run.stderr)
    assert "strategy forecast; state in autopilot.db; good to fly" == run.stdout.splitlines()[-1]
    assert [] == list(tmp_path.iterdir())
