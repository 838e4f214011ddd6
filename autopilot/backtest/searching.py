"""The search itself: one Optuna study for each span of hours, shared by any number of processes and machines.

Trials go round the spans, so that an early end leaves each with about as many. What a worker did not finish is nobody's: a
killed one leaves a trial that is never counted, and the others make up for it.
"""

from __future__ import annotations

import hashlib
import os
import signal
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autopilot.backtest.earning import compiled, net_usd
from autopilot.backtest.parameters import Space
from autopilot.backtest.runner import Course, Terms
from autopilot.errors import AutopilotError, ConfigError

if TYPE_CHECKING:
    import optuna

_BATCH = 8
"""Trials that a compiled sweep takes at once; a flight is long enough to be one by itself."""
_LOOK = 0.2
"""Seconds between two looks at the workers."""
_OF = "of"
"""The attribute of a study that says what it is a search of."""
_INSTALL = 'autopilot tune needs Optuna: pip install "yield-autopilot[sweep]"'


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched, over which hours, and how long."""

    space: Space
    terms: Terms
    courses: Mapping[str, Course]
    """The hours to search over, each a study of its own."""
    trials: int
    """Of each study, those of earlier runs included."""
    seed: int
    """Of a search that is not shared: the same finds the same."""
    study: str
    storage: str | None
    """A URL as Optuna takes it, or the path of a journal file; None is memory."""

    def named(self, course: str) -> str:
        """The study over these hours."""
        return f"{self.study}/{course}"

    def digest(self, course: str) -> str:
        """What must be the same for trials to be comparable: rates, hours, terms and ranges."""
        flown = self.courses[course]
        words = (flown.panel.start, flown.panel.networks, flown.start, flown.end, self.terms, self.space)
        sums = (flown.panel.rates.tobytes(), flown.shown.tobytes(), repr(words).encode())
        return hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in sums)).hexdigest()


@dataclass(frozen=True, slots=True)
class Found:
    """The best trial of a study."""

    numbers: Mapping[str, float]
    trials: int
    """That were finished."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search came to."""

    best: Mapping[str, Found]
    """By course; a course without a finished trial is left out."""
    interrupted: bool
    lost: int
    """Workers that ended before their time."""


def search(wanted: Search, processes: int, on_trial: Callable[[], None] = lambda: None) -> Searched:
    """Search until every study has its trials, or until Ctrl-C; ``on_trial`` is called after each trial.

    Raises ConfigError where Optuna is missing, where the storage cannot be used, and where a study is of something else.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        if processes > 1 and wanted.storage is None:
            wanted = replace(wanted, storage=str(Path(folder) / "studies.log"))
        studies = _studies(wanted)
        interrupted, lost = False, 0
        try:
            if processes > 1:
                lost = _by_workers(wanted, processes, studies, on_trial)
            else:
                for count in _turns(wanted, studies):
                    _call(on_trial, count)
        except KeyboardInterrupt:
            interrupted = True
        best = {course: _best(study) for course, study in studies.items()}
        return Searched({course: found for course, found in best.items() if found}, interrupted, lost)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna keeps its log to itself, and what it says of its own experiments. Raises ConfigError where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise ConfigError(_INSTALL) from None
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _studies(wanted: Search) -> dict[str, optuna.Study]:
    import optuna

    storage = _storage(wanted.storage)
    studies = {}
    for number, course in enumerate(wanted.courses):
        # Those who share a search must not all try the same first: they draw for themselves.
        seed = wanted.seed + number if wanted.storage is None else None
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
        name = wanted.named(course)
        study = optuna.create_study(storage=storage, sampler=sampler, study_name=name, direction="maximize", load_if_exists=True)
        digest = wanted.digest(course)
        if study.user_attrs.setdefault(_OF, digest) != digest:
            raise ConfigError(f"--study: {name} is a search over other rates, options or ranges; name another")
        study.set_user_attr(_OF, digest)
        numbers = wanted.space.default_numbers()
        if numbers:
            study.enqueue_trial(numbers, skip_if_exists=True)
        studies[course] = study
    return studies


def _storage(where: str | None) -> Any:
    from optuna.storages import InMemoryStorage, JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend
    from sqlalchemy.exc import SQLAlchemyError

    if where is None:
        return InMemoryStorage()
    try:
        return RDBStorage(where) if "://" in where else JournalStorage(JournalFileBackend(where))
    except (ImportError, OSError, ValueError, SQLAlchemyError) as error:
        raise ConfigError(f"--storage: {where} cannot be used: {str(error).splitlines()[0]}") from None


def _turns(wanted: Search, studies: Mapping[str, optuna.Study]) -> Iterator[int]:
    """Trials in the study that has the fewest, until all have enough; yields how many were made."""
    import optuna

    size = _BATCH if compiled(wanted.space.default(), wanted.terms) else 1
    kinds = {each.key: _distribution(each.low, each.high, whole=each.whole, by_ratio=each.by_ratio) for each in wanted.space.ranges}
    while True:
        course, done = min(((course, _finished(study)) for course, study in studies.items()), key=lambda pair: pair[1])
        if done >= wanted.trials:
            return
        trials = [studies[course].ask(kinds) for _ in range(min(size, wanted.trials - done))]
        values = _evaluate(wanted, wanted.courses[course], [trial.params for trial in trials])
        for trial, value in zip(trials, values, strict=True):
            pruned = optuna.trial.TrialState.PRUNED if value is None else None
            studies[course].tell(trial, value, state=pruned)
        yield len(trials)


def _evaluate(wanted: Search, course: Course, numbers: Sequence[Mapping[str, float]]) -> list[float | None]:
    """USD, None where the strategy refuses the parameters."""
    made = [wanted.space.made(each) for each in numbers]
    nets = iter(net_usd(course, wanted.terms, [each for each in made if each is not None]))
    return [None if each is None else next(nets) for each in made]


def _distribution(low: float, high: float, *, whole: bool, by_ratio: bool) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    return IntDistribution(int(low), int(high)) if whole else FloatDistribution(low, high, log=by_ratio)


def _finished(study: optuna.Study) -> int:
    return sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False))


def _best(study: optuna.Study) -> Found | None:
    """Of equally good trials the first, which is that of the defaults."""
    from optuna.trial import TrialState

    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not done:
        return None
    best = max(done, key=lambda trial: (trial.value, -trial.number))
    return Found(dict(best.params), len(done))


def _by_workers(wanted: Search, processes: int, studies: Mapping[str, optuna.Study], on_trial: Callable[[], None]) -> int:
    """Let processes search, and look on. Returns how many ended before their time."""
    workers = [get_context("spawn").Process(target=_work, args=(wanted,), daemon=True) for _ in range(processes)]
    counted = 0
    try:
        _start(workers)
        while any(worker.is_alive() for worker in workers):
            wait([worker.sentinel for worker in workers if worker.is_alive()], _LOOK)
            done = sum(_finished(study) for study in studies.values())
            counted += _call(on_trial, done - counted)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
    return sum(worker.exitcode != 0 for worker in workers)


def _start(workers: Sequence[SpawnProcess]) -> None:
    """Ctrl-C is for the one who started them: it lets them go."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for worker in workers:
            worker.start()
    finally:
        signal.signal(signal.SIGINT, before)


def _work(wanted: Search) -> None:
    """What a worker does."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    try:
        with _quiet():
            for _ in _turns(wanted, _studies(wanted)):
                pass
    except AutopilotError as error:
        raise SystemExit(f"autopilot: {error}") from None


def _end_with_the_parent() -> None:
    """However it ended: nobody would ever ask for what is found then."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(on_trial: Callable[[], None], times: int) -> int:
    for _ in range(times):
        on_trial()
    return times
