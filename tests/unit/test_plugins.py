"""Plugins are found by entry point, loaded when named, and named when they do not load."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from autopilot.clock import SystemClock
from autopilot.contracts import Strategy
from autopilot.errors import ConfigError
from autopilot.kit import Kit
from autopilot.model.device import NetworkId
from autopilot.plugins import ADAPTERS, STRATEGIES, built_in_strategies, listing, load, make_adapter, make_strategy, strategy_names
from autopilot.testing.views import device
from autopilot.units import Share
from autopilot_strategies.payback import Payback

Install = Callable[..., None]

STRATEGY = """
from __future__ import annotations
from dataclasses import dataclass
from datetime import timedelta
from autopilot.units import Share, UsdPerHour
{imports}

@dataclass(frozen=True)
class Mine:
    rate: UsdPerHour = UsdPerHour(0)
    patient: bool = False
    times: int = 1
    label: str = ""
    {field}

    def __post_init__(self):
        {check}

    def decide(self, view): ...
    def fit(self, history): return self
"""

SETTINGS = "from pydantic import BaseModel\nclass Own(BaseModel): ...\n"


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Installs a distribution with one module and one entry point that leads to it."""
    known = set(sys.modules)

    def into_path(distribution: str, module: str, code: str, entry: str, attribute: str = "Mine", group: str = STRATEGIES) -> None:
        folder = tmp_path / distribution
        metadata = folder / f"{distribution}-1.2.dist-info"
        metadata.mkdir(parents=True)
        (folder / f"{module}.py").write_text(code)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
        (metadata / "entry_points.txt").write_text(f"[{group}]\n{entry} = {module}:{attribute}\n")
        monkeypatch.syspath_prepend(folder)

    yield into_path
    for module in set(sys.modules) - known:
        del sys.modules[module]


def strategy(imports: str = "", field: str = "", check: str = "pass") -> str:
    """The code of a strategy."""
    return STRATEGY.format(imports=imports, field=field, check=check)


def test_the_built_in_strategies_are_found_by_name() -> None:
    """Each is made by its entry point, like a stranger's."""
    assert {"stay", "greedy", "threshold", "payback", "rainbow", "rainbow-ticks"} <= set(built_in_strategies())
    assert built_in_strategies() == sorted(built_in_strategies())
    for name in built_in_strategies():
        made = make_strategy(name, {})

        assert name == made.name
        assert isinstance(made.strategy, Strategy)


def test_a_stranger_is_found_but_is_not_built_in(install: Install) -> None:
    """By the same door, with its distribution and version."""
    install("acme-brain", "acme_brain", strategy(), "brain")
    found = next(plugin for plugin in listing() if plugin.name == "brain")

    assert ("strategy", "acme-brain", "1.2", "acme_brain:Mine", "") == (
        found.kind,
        found.distribution,
        found.version,
        found.value,
        found.problem,
    )
    assert "brain" in strategy_names()
    assert "brain" not in built_in_strategies()


def test_everything_that_is_listed_here_loads() -> None:
    """The house's own plugins have no problem."""
    assert [plugin.problem for plugin in listing()] == [""] * len(listing())


@pytest.mark.parametrize(
    ("group", "name", "message"),
    [
        (STRATEGIES, "pay-back", "no strategy is called 'pay-back'; did you mean payback?"),
        (ADAPTERS, "simulatr", "no adapter is called 'simulatr'; did you mean simulator?"),
    ],
)
def test_an_unknown_name_is_answered_with_a_close_one(group: str, name: str, message: str) -> None:
    """A slip of the pen is the likeliest reason."""
    with pytest.raises(ConfigError) as caught:
        load(group, name)

    assert message == str(caught.value)


def test_an_unknown_name_without_a_close_one_is_answered_with_all() -> None:
    """So that the reader need not look further."""
    with pytest.raises(ConfigError, match="no strategy is called 'qqq'; there is forecast, greedy, mindminer, "):
        load(STRATEGIES, "qqq")


def test_two_distributions_with_one_name_are_refused(install: Install) -> None:
    """Neither wins silently: both are named, and both are listed with the problem."""
    install("acme-brain", "acme_brain", strategy(), "brain")
    install("other-brain", "other_brain", strategy(), "brain")
    message = "acme-brain and other-brain both bring the strategy 'brain': uninstall one"
    with pytest.raises(ConfigError) as caught:
        load(STRATEGIES, "brain")

    assert message == str(caught.value)
    assert [message] * 2 == [plugin.problem for plugin in listing() if plugin.name == "brain"]


def test_a_stranger_may_not_take_a_built_in_name(install: Install) -> None:
    """A strategy of the house is not replaced by whoever is installed beside it."""
    install("acme-brain", "acme_brain", strategy(), "payback")
    with pytest.raises(ConfigError, match="acme-brain and yield-autopilot both bring the strategy 'payback'"):
        make_strategy("payback", {})


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import acme_that_is_missing", "does not load: No module named 'acme_that_is_missing'; install what it misses"),
        ("1 / 0", "does not load: ZeroDivisionError: division by zero"),
        ("def broken(:", "does not load: SyntaxError: "),
        ("Other = 1", "does not load: AttributeError: "),
    ],
)
def test_a_module_that_does_not_import_says_why(install: Install, code: str, message: str) -> None:
    """Whoever named it reads the reason, and the listing carries it while the others still load."""
    install("acme-brain", "acme_brain", code, "brain")
    with pytest.raises(ConfigError) as caught:
        make_strategy("brain", {})
    problems = {plugin.name: plugin.problem for plugin in listing()}

    assert str(caught.value).startswith(f"strategy 'brain' of acme-brain {message}")
    assert problems["brain"].startswith(f"strategy 'brain' of acme-brain {message}")
    assert problems["payback"] == ""


def test_nothing_is_imported_that_was_not_named(install: Install) -> None:
    """A heavy plugin costs nothing while the configuration does not ask for it."""
    install("acme-brain", "acme_brain", strategy(), "brain")
    make_strategy("stay", {})

    assert "acme_brain" not in sys.modules
    make_strategy("brain", {})
    assert "acme_brain" in sys.modules


@pytest.mark.parametrize(("version", "loads"), [(2, False), (1, True), (0, True), (-1, False)])
def test_the_contract_of_today_and_the_one_before_are_supported(install: Install, version: int, loads: bool) -> None:  # noqa: FBT001
    """Another one is refused by name, with the remedy."""
    install("acme-brain", "acme_brain", strategy() + f"\nMine.contract_version = {version}\n", "brain")
    if loads:
        assert "brain" == make_strategy("brain", {}).name
    else:
        with pytest.raises(ConfigError, match=f"'brain' of acme-brain is written for contract {version}, this is 1: update one of them"):
            make_strategy("brain", {})


def test_parameters_are_read_with_their_units() -> None:
    """As they are written in a configuration, on the command line or in TOML."""
    written = make_strategy("payback", {"theta": 0.2, "horizon": "12h"})

    assert Payback(Share.of("0.2"), timedelta(hours=12)) == written.strategy
    assert {"theta": "0.2", "horizon": "12h"} == written.parameters


def test_parameters_of_every_kind_are_read(install: Install) -> None:
    """Money with its unit, yes and no, whole numbers, words."""
    install("acme-brain", "acme_brain", strategy(), "brain")
    made: Any = make_strategy("brain", {"rate": "0.4 $/h", "patient": "yes", "times": "3", "label": "x y"}).strategy

    assert ("0.4 $/h", True, 3, "x y") == (str(made.rate), made.patient, made.times, made.label)
    assert not getattr(make_strategy("brain", {"patient": False}).strategy, "patient", None)


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("payback", {"tetha": "0.1"}, "strategy 'payback' has no parameter 'tetha'; did you mean theta?"),
        ("stay", {"lead": "0.1"}, "strategy 'stay' has no parameter 'lead'; there is none"),
        ("payback", {"horizon": "48"}, "payback.horizon: '48' is no duration; write it with its unit: 15m, 0.25h, 2h30m, 7d"),
        ("payback", {"horizon": "0h"}, "strategy 'payback': payback.horizon must be longer than nothing, not 0:00:00"),
        ("payback", {"theta": "a lot"}, "payback.theta: 'a lot' is not a number of Share"),
        ("payback", {"theta": "1.5"}, "payback.theta: a share lies between 0 and 1, not 1.5"),
        ("payback", {"theta": "nan"}, "payback.theta: Share must be finite and in range, not nan"),
        ("brain", {"rate": "0.4"}, "brain.rate: '0.4' needs its unit: write it like '0.12 $/h'"),
        ("brain", {"patient": "perhaps"}, "brain.patient: 'perhaps' is neither true nor false"),
        ("brain", {"times": "1.5"}, "brain.times: invalid literal for int() with base 10: '1.5'"),
    ],
)
def test_a_wrong_parameter_is_refused(install: Install, name: str, parameters: Mapping[str, str], message: str) -> None:
    """By its name, with what was written."""
    install("acme-brain", "acme_brain", strategy(), "brain")
    with pytest.raises(ConfigError) as caught:
        make_strategy(name, parameters)

    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (strategy(check="{}['x']"), "strategy 'brain' cannot be made: KeyError: 'x'"),
        (strategy(field="other: 'Missing' = None"), "strategy 'brain': the kinds of its parameters cannot be read: name 'Missing' is not"),
        ("class Mine:\n    def decide(self, view): ...", "strategy 'brain' lacks fit, which autopilot.contracts asks for"),
        ("def Mine(): return None", "strategy 'brain' lacks decide and fit, which autopilot.contracts asks for"),
    ],
)
def test_a_factory_that_makes_no_strategy_is_refused(install: Install, code: str, message: str) -> None:
    """Before anything flies, in one line."""
    install("acme-brain", "acme_brain", code, "brain")
    with pytest.raises(ConfigError) as caught:
        make_strategy("brain", {})

    assert str(caught.value).startswith(message)


def kit(folder: Path) -> Kit:
    """For a network of one GPU, that nobody talks to."""
    nobody: Any = None
    return Kit(NetworkId("akash"), SystemClock(), [device()], folder, nobody, nobody)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"bot": "5m"}, "[networks.akash]: unknown key 'bot'; did you mean boot?"),
        ({"boot": "5"}, "[networks.akash]: boot: '5' is no duration; write it with its unit: 15m, 0.25h, 2h30m, 7d"),
        ({"fee": "0.1"}, "[networks.akash]: fee: '0.1' needs its unit: write it like '0.12 $'"),
    ],
)
def test_an_adapter_reads_its_own_table(table: Mapping[str, str], message: str, tmp_path: Path) -> None:
    """And what is wrong in it is named with the table."""
    with pytest.raises(ConfigError) as caught:
        make_adapter("simulator", table, kit(tmp_path))

    assert message == str(caught.value)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def Mine(settings, kit): ...", "adapter 'acme' lacks Settings, which autopilot.contracts asks for"),
        (
            SETTINGS + "def Mine(settings, kit): return object()\nMine.Settings = Own",
            "adapter 'acme' lacks network and scope and ",
        ),
        (
            SETTINGS + "def Mine(settings, kit): raise OSError('no socket')\nMine.Settings = Own",
            "adapter 'acme' cannot be made: OSError: no socket",
        ),
    ],
)
def test_a_factory_that_makes_no_adapter_is_refused(install: Install, code: str, message: str, tmp_path: Path) -> None:
    """Before anything flies, in one line."""
    install("acme-network", "acme_network", code, "acme", group=ADAPTERS)
    with pytest.raises(ConfigError) as caught:
        make_adapter("acme", {}, kit(tmp_path))

    assert str(caught.value).startswith(message)
