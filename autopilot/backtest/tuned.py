"""What a tuning says: how the choice did in hours it had not seen, and what to paste into the configuration, if anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autopilot.backtest.runner import Course
from autopilot.backtest.tuning import RULE, Scored, Tuning
from autopilot.store.raterow import zulu

if TYPE_CHECKING:
    from rich.table import Table


def as_toml(tuning: Tuning) -> str:
    """The table of the parameters, as ``autopilot.toml`` has it."""
    kinds = {each.key: each.kind for each in tuning.space.ranges}
    lines = [f"{key} = {_toml(kinds.get(key), written)}" for key, written in tuning.parameters.items()]
    return "\n".join([f"[strategies.{tuning.space.strategy}]", *lines])


def _toml(kind: type | None, written: str) -> str:
    """Numbers and flags are bare; whatever has a unit is in quotes."""
    return written if kind in (bool, int, float) or _is_number(written) else f'"{written}"'


def _is_number(written: str) -> bool:
    try:
        float(written)
    except ValueError:
        return False
    return True


def as_json(tuning: Tuning) -> dict[str, Any]:
    """The tuning as the command gives it out. Numbers are not rounded, shares are of perfect foresight."""
    doubt = tuning.doubt
    return {
        "strategy": tuning.space.strategy,
        "ranges": {each.key: {"low": each.written(each.low), "high": each.written(each.high)} for each in tuning.space.ranges},
        "defaults": dict(tuning.space.kept) | {each.key: each.default_text for each in tuning.space.ranges},
        "folds": [_fold(fold) for fold in tuning.folds],
        "overall": {
            "in_sample": tuning.mean(lambda fold: fold.inside),
            "out_of_sample": tuning.mean(lambda fold: fold.outside),
            "default_in_sample": tuning.mean(lambda fold: fold.inside_default),
            "default_out_of_sample": tuning.mean(lambda fold: fold.outside_default),
            "gap": tuning.mean(lambda fold: fold.gap),
            "gain": tuning.gain,
            "gain_in_sample": tuning.gain_inside,
            "standard_error": tuning.error,
        },
        "rule": RULE,
        "recommend": not doubt,
        "why": doubt,
        "parameters": dict(tuning.parameters),
        "toml": None if doubt else as_toml(tuning),
        "interrupted": tuning.interrupted,
        "lost_workers": tuning.lost,
    }


def _fold(scored: Scored) -> dict[str, Any]:
    return {
        "chosen_on": _span(scored.fold.before),
        "scored_in": _span(scored.fold.part),
        "trials": scored.trials,
        "parameters": dict(scored.parameters),
        "in_sample": scored.inside,
        "out_of_sample": scored.outside,
        "default_in_sample": scored.inside_default,
        "default_out_of_sample": scored.outside_default,
        "gap": scored.gap,
    }


def _span(course: Course) -> dict[str, str]:
    return {"start": zulu(course.start), "end": zulu(course.end)}


def as_table(tuning: Tuning) -> Table:
    """The folds for a person, and their mean."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    caption = "shares of what perfect foresight nets in the same hours; gap: in sample less out of sample"
    table = Table(title=f"{tuning.space.strategy}, walk-forward", caption=caption, box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for name in ("scored from", "trials", "in sample", "out of sample", "defaults", "gap", "chosen before"):
        table.add_column(name, justify="left" if name in {"scored from", "chosen before"} else "right", overflow="fold")
    for fold in tuning.folds:
        chosen = ", ".join(f"{key} {written}" for key, written in fold.parameters.items())
        sums = (fold.inside, fold.outside, fold.outside_default, fold.gap)
        table.add_row(f"{fold.fold.part.start:%Y-%m-%d}", f"{fold.trials}", *(f"{each:.2%}" for each in sums), escape(chosen))
    table.add_section()
    means = (tuning.mean(lambda fold: fold.inside), tuning.mean(lambda fold: fold.outside), tuning.mean(lambda fold: fold.outside_default))
    table.add_row("mean", "", *(f"{each:.2%}" for each in means), f"{tuning.mean(lambda fold: fold.gap):.2%}", "")
    return table


def verdict(tuning: Tuning) -> str:
    """What to do: keep the defaults, and why; or the lines to paste."""
    if tuning.doubt:
        return f"Keep the defaults: {tuning.doubt}."
    told = (
        f"Out of sample they gain {tuning.gain:+.2%} of perfect foresight over the defaults, with a standard error of {tuning.error:.2%}."
    )
    return f"{told} For autopilot.toml:\n\n{as_toml(tuning)}"
