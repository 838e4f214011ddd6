"""``autopilot rates``: results on stdout, talk on stderr, and one line for whatever goes wrong."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from autopilot.cli import exit_code
from autopilot.cli.rates import app
from autopilot.errors import AutopilotError, ConfigError, DataError, StoreError

HEADER = "timestamp,network,gpu,usd_per_hour\n"
GOOD = "2026-01-01T00:00:00Z,akash,H100,2.5\n2026-01-01T01:00:00Z,akash,H100,\n2026-01-01T00:00:00Z,nosana,A100,2.25\n"
EXAMPLE = Path(__file__).parents[2] / "examples" / "rates.csv.gz"
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder with one file of rates."""
    monkeypatch.chdir(tmp_path)
    Path("rates.csv").write_text(HEADER + GOOD)
    Path("bad.csv").write_text(HEADER + GOOD + "2026-01-01T07:00:00Z,akash,H100,nan\n")
    return lambda *words: CliRunner().invoke(app, list(words))


def failed(result: Result, kind: type[AutopilotError], code: int) -> str:
    """The one line of a command that failed so."""
    assert isinstance(result.exception, kind)
    assert exit_code(result.exception) == code
    assert result.stdout == ""
    return str(result.exception)


def test_import_list_export(run: Run) -> None:
    """Rates go into the state file, are summed up, and come out again."""
    imported = run("import", "rates.csv")
    assert imported.stdout == "rates.csv: 3 rows: 3 new, 0 changed, 0 there already; 1 without a rate; 0 bad ones left out\n"
    assert imported.stderr == ""
    assert Path("autopilot.db").exists()

    (row,) = (line for line in run("list").stdout.splitlines() if "nosana" in line)
    assert ["nosana", "A100", "2026-01-01", "2026-01-01", "1", "0", "2.2500"] == [cell.strip() for cell in row.strip("│").split("│")]

    assert run("export", "out.csv", "--gpu", "H100").stdout == "out.csv: 2 rows\n"
    assert Path("out.csv").read_text() == HEADER + "".join(GOOD.splitlines(keepends=True)[:2])


def test_everything_speaks_json(run: Run) -> None:
    """One object for each file, a list of what there is, and the file that was written."""
    first, second = (json.loads(line) for line in run("import", "--json", "rates.csv", "rates.csv").stdout.splitlines())
    assert (first["file"], first["new"], first["same"], second["new"], second["same"]) == ("rates.csv", 3, 0, 0, 3)

    listed = json.loads(run("list", "--json").stdout)
    assert listed[0] == {
        "network": "akash",
        "gpu": "H100",
        "first": "2026-01-01T00:00:00Z",
        "last": "2026-01-01T01:00:00Z",
        "rows": 2,
        "missing": 1,
        "mean_usd_per_hour": 2.5,
    }
    assert json.loads(run("export", "out.parquet", "--json").stdout) == {"file": "out.parquet", "rows": 3}
    assert json.loads(run("generate", "made.csv", "--days", "1", "--json").stdout)["file"] == "made.csv"


def test_bad_rows_refuse_the_file_unless_they_are_skipped(run: Run) -> None:
    """Refused, it exits with 2; skipped, each shown row is told on stderr and the count is in the result."""
    assert failed(run("import", "bad.csv"), DataError, 2).startswith("bad.csv: 1 bad row: line 5: usd_per_hour 'nan'")

    skipped = run("import", "bad.csv", "--skip-bad", "--json")
    assert "bad.csv: line 5: usd_per_hour 'nan'" in skipped.stderr
    report = json.loads(skipped.stdout)
    assert (report["rows"], report["bad"], report["first_bad"][0]["line"]) == (3, 1, 5)


def test_the_files_before_a_refused_one_are_imported(run: Run) -> None:
    """Each file is a whole of its own."""
    result = run("import", "rates.csv", "none.csv")

    assert result.stdout.startswith("rates.csv: 3 rows")
    assert str(result.exception) == "none.csv: no such file"
    assert len(json.loads(run("list", "--json").stdout)) == 2


def test_the_state_file_can_be_named(run: Run) -> None:
    """By option or by configuration; a state that is not there is not made by looking."""
    run("import", "rates.csv", "--state", "other.db")
    assert not Path("autopilot.db").exists()
    assert "no such file" in failed(run("list"), StoreError, 3)
    assert "no such file" in failed(run("export", "out.csv"), StoreError, 3)

    Path("autopilot.toml").write_text('state = "other.db"\n')
    assert len(json.loads(run("list", "--json").stdout)) == 2


def test_a_state_file_that_is_none_is_said(run: Run) -> None:
    """One line with the remedy."""
    Path("autopilot.db").write_bytes(b"no database at all, but long enough to look like one" * 50)

    assert "the file is damaged or not ours" in failed(run("import", "rates.csv"), StoreError, 3)
    assert "the file is damaged or not ours" in failed(run("list"), StoreError, 3)


def test_an_empty_state_is_said(run: Run) -> None:
    """Nothing on stdout, and how to begin on stderr."""
    Path("empty.csv").write_text(HEADER)
    assert failed(run("import", "empty.csv"), DataError, 2) == "empty.csv: it has a header and no rows"
    result = run("list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "autopilot rates import FILE" in result.stderr
    assert json.loads(run("list", "--json").stdout) == []


def test_odd_names_are_shown_safely(run: Run) -> None:
    """Markup is text, and control characters are escapes."""
    Path("odd.csv").write_text(HEADER + "2026-01-01T00:00:00Z,[red]a,H100,1\n2026-01-01T00:00:00Z,b\x1b]0;x\x07,H100,1\n")
    run("import", "odd.csv")
    shown = run("list").stdout

    assert "[red]a" in shown
    assert r"b\x1b]0;x\x07" in shown
    assert "\x1b" not in shown
    assert [each["network"] for each in json.loads(run("list", "--json").stdout)] == ["[red]a", "b\x1b]0;x\x07"]


def test_the_example_comes_from_the_command(run: Run) -> None:
    """Without options it writes what lies in ``examples/``."""
    run("generate", "rates.csv.gz")

    assert gzip.decompress(EXAMPLE.read_bytes()) == gzip.decompress(Path("rates.csv.gz").read_bytes())


def test_generated_rates_can_be_imported(run: Run) -> None:
    """Several models, any kind of file, each model once however often it is named."""
    words = ("--gpu", "H100", "--gpu", "A100", "--gpu", "H100", "--seed", "1", "--start", "2026-03-01T01:00:00+01:00", "--days", "2")
    run("generate", "made.parquet", *words)
    run("import", "made.parquet")
    listed = json.loads(run("list", "--json").stdout)

    assert {"A100", "H100"} == {each["gpu"] for each in listed}
    assert "2026-03-01T00:00:00Z" == min(each["first"] for each in listed)
    assert "2026-03-02T23:00:00Z" == max(each["last"] for each in listed)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("generate", "x.csv", "--days", "0"), "--days: must be 1 or more"),
        (("generate", "x.csv", "--days", "99999999999"), "--days: "),
        (("generate", "x.csv", "--start", "2026-01-01"), "--start: 2026-01-01 has no zone"),
        (("generate", "x.csv", "--start", "2026-01-01T00:30:00Z"), "--start: 2026-01-01T00:30:00Z is not a full hour"),
        (("generate", "x.csv", "--gpu", "H1000"), "did you mean H100"),
        (("generate", "x.txt"), "x.txt: name it .csv"),
        (("generate", "none/x.csv"), "none/x.csv: cannot be written: No such file or directory"),
        (("export", "x.csv", "--start", "soon"), "--start: "),
    ],
)
def test_a_wrong_option_is_one_line(run: Run, words: tuple[str, ...], why: str) -> None:
    """It names the option and the remedy, and no file is made."""
    run("import", "rates.csv")
    result = run(*words)

    assert why in failed(result, ConfigError, 2)
    assert "\n" not in str(result.exception)
    assert [] == list(Path().glob("x.*"))


def test_nothing_is_drawn_where_nobody_looks(run: Run) -> None:
    """In a pipe there is no progress bar; the whole command ends with one line and its exit code."""
    assert run("import", "rates.csv").exit_code == 0  # the folder is set up
    command = [sys.executable, "-m", "autopilot", "rates", "import"]
    good = subprocess.run([*command, "rates.csv"], capture_output=True, text=True, check=False)
    bad = subprocess.run([*command, "bad.csv"], capture_output=True, text=True, check=False)

    assert (good.returncode, good.stderr) == (0, "")
    assert "3 there already" in good.stdout
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("autopilot: bad.csv: 1 bad row: line 5:")
    assert bad.stderr.count("\n") == 1


def test_a_bar_is_drawn_on_a_terminal(tmp_path: Path) -> None:
    """Where a person looks, the reading of a file is shown on stderr; stdout stays the result."""
    ours, theirs = pty.openpty()
    words = ["rates", "import", str(EXAMPLE), "--state", str(tmp_path / "state.db")]
    with subprocess.Popen([sys.executable, "-m", "autopilot", *words], stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        drawn = everything(ours)
        result = process.communicate()[0]

    assert b"reading rates.csv.gz" in drawn
    assert result.startswith(f"{EXAMPLE}: 11,")
    assert result.count("\n") == 1


def everything(terminal: int) -> bytes:
    """What is written to the terminal until its other end is closed."""
    parts = []
    with suppress(OSError), open(terminal, "rb", buffering=0) as stream:  # a terminal that closes is an OSError
        while part := stream.read(4096):
            parts.append(part)
    return b"".join(parts)
