"""``autopilot explain``, ``plan`` and ``history`` say what was decided and done, with the figures of that time."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from autopilot.backtest.planning import planned
from autopilot.backtest.replay import recall
from autopilot.cli import explain, history
from autopilot.contracts import Scope
from autopilot.errors import ConfigError
from autopilot.guards import Dwell, RigScope
from autopilot.model.device import DeviceId, NetworkId
from autopilot.model.power import Draw, PowerPrice
from autopilot.pilot import Pilot
from autopilot.pilot.deciding import ask, describe
from autopilot.plugins import make_strategy
from autopilot.sim.node import Manner
from autopilot.store.journal import Ruling
from autopilot.store.store import Store
from autopilot.store.wishes import Want, Wish
from autopilot.testing.views import START, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd, UsdPerHour, UsdPerKwh, Watts

Run = Callable[..., Result]


@dataclass(frozen=True, slots=True)
class Flight:
    """A rig of two GPUs by ``payback``, still in the air, and its state file."""

    fleet: Fleet
    path: Path

    def rulings(self) -> list[Ruling]:
        """What the journal has, the newest first."""
        return list(self.fleet.store.journal.newest_rulings())

    def beat(self) -> None:
        """The daemon's sign of life."""
        devices = [[each.id, each.model, each.index] for each in self.fleet.devices]
        body = {"strategy": "payback", "live": True, "tick_seconds": 15.0, "speed": 1.0, "by_hand": True, "devices": devices}
        now = self.fleet.clock.now()
        with self.fleet.store.atomic():
            self.fleet.store.journal.beat(now, now, 1, {**body, "silent": {}, "quarantine": {}})


@pytest.fixture
def flight(tmp_path: Path) -> Flight:
    """To akash at once, since nosana has less; when nosana has more an hour later, the dwell guard holds both back."""
    draw, power = Draw(Watts.of(330), Watts.of(30)), PowerPrice(UsdPerKwh.of("0.10"))
    fleet = Fleet(
        "akash",
        "nosana",
        "render",
        gpus=2,
        manner=Manner(boot=HOUR / 12),
        fee=Usd.of("0.02"),
        guards=(Dwell(timedelta(hours=6)),),
        draw=draw,
        power=power,
    )
    fleet.store = Store.open(tmp_path / "autopilot.db")
    world = fleet.restart().world
    fleet.pilot = Pilot(world, make_strategy("payback", {"horizon": "24h"}), fleet.guards)
    fleet.sites["nosana"].rate, fleet.sites["render"].rate = "0.30", None
    fleet.decide()
    fleet.fly(HOUR)
    fleet.sites["nosana"].rate = "0.60"
    fleet.decide()
    found = Flight(fleet, tmp_path / "autopilot.db")
    found.beat()
    return found


@pytest.fixture
def run(flight: Flight, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in the folder of the flight, on a terminal of 80 columns without colour."""
    monkeypatch.chdir(flight.path.parent)
    monkeypatch.setenv("COLUMNS", "80")
    app = typer.Typer(rich_markup_mode=None)
    explain.register(app)
    history.register(app)
    return lambda *words: CliRunner().invoke(app, list(words), catch_exceptions=True)


EXPLAINED = """\
GPU-0 RTX 4090 at akash for 55 m
2026-01-01 01:00:00 UTC, payback horizon=24h
leave akash (0.37 $/h net) for nosana (0.57 $/h net): a lead of 0.144 $/h pays
0.0675 $ of switch back in 0.467 h, horizon 24 h
held back: it came 55m ago, and stays for 6h at least

venue     quoted     net  switch $  dark  back in
● akash   0.4000  0.3700
→ nosana  0.6000  0.5700     0.068   5 m     20 m
  idle    0.0000  0.0000     0.000   0 m    never
  render       ?       ?         ?   5 m

akash: paid for every hour; what it pays of what it quotes is not known, counted
as quoted
nosana: paid for every hour; what it pays of what it quotes is not known,
counted as quoted; going there: 5 m dark, 0.020 $, by what its adapter says
idle: earns nothing and costs nothing
render: offers nothing: no rate; going there: 5 m dark, 0.020 $, by what its
adapter says
--ask finds the rates at which it would have been decided otherwise; they are
not on record
"""


def test_explain_agrees_with_what_was_recorded(run: Run, flight: Flight) -> None:
    """Sentence, target and veto are the journal's; the figures are those of the quotes that counted then."""
    last = flight.rulings()[0]
    told = json.loads(run("explain", "--json").stdout)

    assert ["GPU-0", "GPU-1"] == [each["gpu"] for each in told]
    assert [last.decision["notes"][each["device"]] for each in told] == [each["sentence"] for each in told]
    assert [last.vetoes[each["device"]] for each in told] == [each["veto"] for each in told]
    assert ["nosana", "nosana"] == [each["target"] for each in told]
    here, nosana, idle, render = told[0]["candidates"]
    assert ["akash", "nosana", "idle", "render"] == [each["venue"] for each in (here, nosana, idle, render)]
    assert (0.4, 0.37, None) == (here["quoted_usd_per_hour"], here["net_usd_per_hour"], here["switch_cost_usd"])
    assert (0.6, 0.57, 0.02) == (nosana["quoted_usd_per_hour"], nosana["net_usd_per_hour"], nosana["cash_usd"])
    dark = nosana["dark_seconds"] / 3600
    assert pytest.approx(0.02 + 0.57 * dark) == nosana["switch_cost_usd"]
    assert pytest.approx((0.02 + 0.57 * dark) / 0.2) == nosana["pays_back_hours"]


def test_what_is_not_known_is_null_and_never_zero(run: Run) -> None:
    """A venue without a quote has no rate; a strategy that was not asked again has no rates to move at."""
    told = json.loads(run("explain", "GPU-0", "--json").stdout)[0]
    render = told["candidates"][-1]

    assert [None] * 4 == [render[name] for name in ("quoted_usd_per_hour", "net_usd_per_hour", "switch_cost_usd", "pays_back_hours")]
    assert "offers nothing: no rate" == render["evidence"]
    assert told["asked_again"] is False
    assert {None} == {each["moves_at_usd_per_hour"] for each in told["candidates"]}


def test_a_decision_is_drawn_for_a_person(run: Run) -> None:
    """The sentence, the veto, a line for each candidate, and what each rests upon, within 80 columns."""
    text = run("explain", "GPU-0").stdout

    assert EXPLAINED == "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def test_asked_again_it_names_the_rates_at_which_it_would_decide_otherwise(run: Run) -> None:
    """Nosana is worth a move from a rate on that is lower than its own, which it has; akash would have to pay more to keep its GPU."""
    told = json.loads(run("explain", "GPU-0", "--ask", "--json").stdout)[0]
    akash, nosana, *_ = told["candidates"]

    assert told["asked_again"] is True
    assert 0.4 < nosana["moves_at_usd_per_hour"] < 0.6
    assert 0.4 < akash["moves_at_usd_per_hour"] < 0.6


def test_rates_that_were_found_beside_the_flight_are_told_without_asking(run: Run, flight: Flight) -> None:
    """In the table and in numbers; of a venue for which none was found nothing is said, and of one that no rate would lead to, that."""
    akash, nosana = flight.fleet.venue("akash"), flight.fleet.venue("nosana")
    own = flight.fleet.devices[0].id
    flight.fleet.store.tips.note(flight.rulings()[0].at, {own: {akash: UsdPerHour.of("0.4321"), nosana: None}})
    told = json.loads(run("explain", "GPU-0", "--json").stdout)[0]
    text = run("explain", "GPU-0").stdout

    assert told["asked_again"] is False
    assert [("akash", 0.4321, True), ("nosana", None, True), ("idle", None, False), ("render", None, False)] == [
        (each["venue"], each["moves_at_usd_per_hour"], each["moves_at_known"]) for each in told["candidates"]
    ]
    assert ["< 0.4321", "none"] == [line.split("  ")[-1].strip() for line in text.splitlines() if line.startswith(("● akash", "→ nosana"))]
    assert "--ask" not in text
    assert {""} == {row["moves_at_usd_per_hour"] for row in csv.DictReader(io.StringIO(run("explain", "GPU-1", "--csv").stdout))}


def test_the_decision_at_an_instant_is_found(run: Run, flight: Flight) -> None:
    """The last one at or before it; --last goes further back from there."""
    first = flight.rulings()[-1]
    told = json.loads(run("explain", "GPU-0", "--at", "2026-01-01T00:30:00Z", "--json").stdout)
    both = json.loads(run("explain", "GPU-0", "--last", "9", "--json").stdout)

    assert [first.at.isoformat()] == [each["at"] for each in told]
    assert [each.at.isoformat() for each in flight.rulings() if "gpu-0" not in each.context["fixed"]] == [each["at"] for each in both]


def test_what_was_learned_is_learned_again(tmp_path: Path) -> None:
    """A strategy with lessons is asked as it was: it gives the recorded decision, and the view has the rates of that time."""
    fleet = Fleet("akash", "nosana")
    fleet.store = Store.open(tmp_path / "autopilot.db")
    fleet.pilot = Pilot(fleet.restart().world, make_strategy("forecast", {}))
    for hour in range(30):
        fleet.sites["nosana"].rate = f"0.{30 + hour * 7 % 20}"
        if hour % 12 == 5:
            fleet.pilot.learn()
        fleet.decide()
        fleet.later(HOUR)
    for ruling in list(fleet.store.journal.newest_rulings())[:2]:
        strategy, known = recall(fleet.store, ruling)

        assert ruling.lesson is not None
        assert ruling.decision == describe(ask(strategy, known))


@pytest.mark.parametrize(
    ("words", "says"), [(("GPU-7",), "no GPU is called 'GPU-7'"), (("--at", "2020-01-01T00:00:00Z"), "nothing was decided up to")]
)
def test_what_is_not_there_is_one_line(run: Run, words: tuple[str, ...], says: str) -> None:
    """A GPU of another name, or a time before the first decision."""
    result = run("explain", *words)

    assert isinstance(result.exception, ConfigError)
    assert says in str(result.exception)


def test_a_spreadsheet_has_units_in_its_columns(run: Run) -> None:
    """One row a candidate; every figure but a count or a share names its unit."""
    rows = list(csv.DictReader(io.StringIO(run("explain", "--csv").stdout)))

    assert 8 == len(rows)
    assert {"quoted_usd_per_hour", "dark_seconds", "cash_usd", "pays_back_hours", "moves_at_usd_per_hour"} <= rows[0].keys()
    assert [""] == [row["quoted_usd_per_hour"] for row in rows if row["venue"] == "render" and row["gpu"] == "GPU-0"]


def test_the_plan_is_what_the_pilot_then_decides(run: Run, flight: Flight) -> None:
    """From the state file alone, with rates that were heard and not yet decided upon."""
    flight.fleet.later(HOUR)
    flight.fleet.sites["nosana"].rate = "0.20"
    flight.fleet.pilot.poll()
    flight.fleet.pilot.take_in()
    flight.beat()
    told = json.loads(run("plan", "--json").stdout)
    flight.fleet.pilot.tick()
    last = flight.rulings()[0]

    assert [last.decision["notes"][each["device"]] for each in told] == [each["sentence"] for each in told]
    assert {last.at.isoformat()} == {each["at"] for each in told}
    assert {"akash"} == {each["target"] for each in told}


@pytest.mark.parametrize(
    ("wish", "target", "says"),
    [
        (Wish(Want.PAUSE, START), "akash", "paused by a person until `autopilot resume`"),
        (Wish(Want.HOLD, START, DeviceId("gpu-0")), "akash", "held by a person until `autopilot resume`"),
        (Wish(Want.PIN, START, DeviceId("gpu-0"), venue("akash")), "akash", "pinned to akash by a person until `autopilot resume`"),
        (Wish(Want.MOVE, START, DeviceId("gpu-0"), venue("render")), "render", "GPU-0: moved to render by a person"),
        (Wish(Want.BAN, START, None, venue("akash")), "idle", "GPU-0: akash is banned by a person until `autopilot resume`"),
    ],
    ids=lambda value: value.want if isinstance(value, Wish) else None,
)
def test_the_plan_obeys_persons_as_the_daemon_would(run: Run, flight: Flight, wish: Wish, target: str, says: str) -> None:
    """What is asked of a GPU goes before the strategy, is said in the daemon's own words, and nothing of it is ended by looking."""
    flight.fleet.store.wishes.add(wish)
    told = json.loads(run("plan", "GPU-0", "--json").stdout)[0]

    assert (target, False) == (told["target"], told["asked_about"])
    assert says == (told["veto"] if target == "akash" else told["sentence"])
    assert says.removeprefix("GPU-0: ") in " ".join(run("plan", "GPU-0").stdout.split())
    assert [wish.want] == [each.want for each in flight.fleet.store.wishes.standing(flight.fleet.clock.now())]


def test_the_plan_leaves_out_what_is_closed_and_keeps_rigs_together(run: Run, flight: Flight) -> None:
    """A banned venue is no candidate; a network that takes whole rigs is not entered by one GPU of two."""
    flight.fleet.store.wishes.add(Wish(Want.BAN, START, DeviceId("gpu-0"), venue("nosana")))
    now = flight.fleet.clock.now()
    made = planned(flight.fleet.store, now, (RigScope({NetworkId("nosana"): Scope.RIG}),))
    told = json.loads(run("plan", "GPU-0", "--json").stdout)[0]

    assert ["akash", "idle", "render"] == [each["venue"] for each in told["candidates"]]
    assert made is not None
    assert {"gpu-1": "nosana takes the whole rig, and not all devices move with it"} == made.ruling.vetoes


def test_nothing_is_known_before_the_first_decision(run: Run, flight: Flight) -> None:
    """One line that says what to do."""
    with closing(Store.open(flight.path.with_name("new.db"))):
        pass
    for command in ("explain", "plan"):
        result = run(command, "--state", "new.db")

        assert isinstance(result.exception, ConfigError)
        assert "`autopilot run` decides after its first poll" in str(result.exception)


def test_history_tells_every_switch(run: Run, flight: Flight) -> None:
    """From where to where, how long each state took, what it cost, and why: in numbers, and within 80 columns."""
    told = json.loads(run("history", "--json").stdout)
    first = flight.rulings()[-1]
    lines = run("history").stdout.splitlines()

    assert [("GPU-0", "idle", "akash", "settled"), ("GPU-1", "idle", "akash", "settled")] == [
        (each["gpu"], each["source"], each["target"], each["state"]) for each in told
    ]
    assert {(0.0, 300.0, 300.0, 0.02)} == {
        (each["draining_seconds"], each["starting_seconds"], each["dark_seconds"], each["fee_usd"]) for each in told
    }
    assert [first.decision["notes"][each["device"]] for each in told] == [each["why"] for each in told]
    assert {2} == {each["planned_moves"] for each in told}
    assert max(map(len, lines)) <= 80
    assert sum("settled" in line for line in lines) == 2
    assert "GPU-1" not in run("history", "GPU-0", "--csv").stdout
    assert "no switch was made" in run("history", "--since", "2030-01-01T00:00:00Z").stdout


def test_nothing_heavy_is_loaded_to_explain(run: Run, flight: Flight) -> None:
    """It must answer at once: what only the strategy needs is left where it is."""
    assert run("explain").exit_code == 0
    heavy = {"numpy", "pandas", "sklearn", "pyarrow", "pydantic_settings", "apscheduler", "httpx"}
    code = (
        f"import sys; from autopilot.cli import explain; explain.explain(None, at=None, last=1); sys.exit(str({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=flight.path.parent, capture_output=True, text=True, check=False)

    assert "set()" == done.stderr.strip()
