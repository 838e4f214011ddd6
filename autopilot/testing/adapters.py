"""The suites of an adapter's two halves: inherit them, give the fixtures, and run pytest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest

from autopilot.contracts import NodeDriver, Prepares, RateSource
from autopilot.errors import AdapterError, Refused, Transient
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.market import Answer, Quote, Silence
from autopilot.model.node import Phase, Stage
from autopilot.testing.bench import Bench


def _must(name: str, what: str) -> NotImplementedError:
    return NotImplementedError(f"give the fixture {name!r}: {what}")


def _answers(source: RateSource, devices: Sequence[Device]) -> Sequence[Answer]:
    """What it answers while nothing is wrong: then no venue is silent."""
    answers = source.quotes(devices)
    told = [answer for answer in answers if not isinstance(answer, Silence)]

    assert len(told) == len(answers), "a venue is silent, and nothing is wrong"
    return told


class RateSourceContract:
    """What holds for every rate source. The fixtures ``source`` and ``devices`` must be given, the others may be."""

    @pytest.fixture
    def source(self) -> RateSource:
        """Must be given: the source, connected to answers that were recorded or made up, never to the network itself."""
        raise _must("source", "the rate source")

    @pytest.fixture
    def devices(self) -> Sequence[Device]:
        """Must be given: devices that the network can serve, two at least."""
        raise _must("devices", "two devices or more that the network can serve")

    @pytest.fixture
    def secrets(self) -> Sequence[str]:
        """May be given: every password, key and token that the source was made with."""
        return ()

    @pytest.fixture
    def broken(self) -> Sequence[RateSource]:
        """May be given: sources whose network is silent, answers with an error of its own, or with garbage."""
        return ()

    @pytest.fixture
    def refusing(self) -> Sequence[RateSource]:
        """May be given: sources that the network turns away."""
        return ()

    def test_every_device_is_answered(self, source: RateSource, devices: Sequence[Device]) -> None:
        """A quote or a NoQuote for each device asked about and for no other, one for each pair of a venue and a device."""
        answers = _answers(source, devices)
        pairs = [(answer.venue, answer.device) for answer in answers]

        assert {device.id for device in devices} == {answer.device for answer in answers}
        assert len(pairs) == len(set(pairs)), "a venue answered twice for a device"

    def test_only_what_was_asked_is_answered(self, source: RateSource, devices: Sequence[Device]) -> None:
        """The answer about a device does not depend on who else was asked about; nobody asked, nothing answered."""
        together = {(answer.venue, answer.device) for answer in _answers(source, devices)}
        alone = {(answer.venue, answer.device) for device in devices for answer in _answers(source, [device])}

        assert together == alone
        assert not source.quotes([])

    def test_the_venues_are_of_one_network(self, source: RateSource, devices: Sequence[Device]) -> None:
        """And it is not idle, which is no network's to quote."""
        networks = {answer.venue.network for answer in _answers(source, devices)}

        assert len(networks) == 1
        assert IDLE.network not in networks

    def test_the_figures_make_sense(self, source: RateSource, devices: Sequence[Device]) -> None:
        """What the types cannot refuse: fees beyond the rate, a job that takes no time, a figure or an absence out of nowhere."""
        for answer in _answers(source, devices):
            if isinstance(answer, Quote):
                assert answer.expected.count >= 0, "the fees are more than the rate"
                assert answer.job_length is None or answer.job_length > timedelta(0)
                assert answer.source, "a quote without its source"
            else:
                assert answer.reason, "a NoQuote without its reason"

    def test_the_times_are_utc(self, source: RateSource, devices: Sequence[Device]) -> None:
        """Of every answer, and none describes an instant after the one at which it was seen."""
        for answer in _answers(source, devices):
            as_of = answer.as_of or answer.seen_at
            times = [answer.seen_at, as_of, *([answer.expires] if isinstance(answer, Quote) else [])]

            assert [timedelta(0)] * len(times) == [at.utcoffset() for at in times]
            assert as_of <= answer.seen_at

    def test_no_secret_is_told(
        self,
        source: RateSource,
        devices: Sequence[Device],
        secrets: Sequence[str],
        broken: Sequence[RateSource],
        refusing: Sequence[RateSource],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Neither in the source's repr nor in an answer, an error or a line of the log."""
        if not secrets:
            pytest.skip("no secrets were named: this source needs none")
        with caplog.at_level(logging.DEBUG):
            told = [repr(source), repr(source.quotes(devices)), *(_complaint(each, devices) for each in (*broken, *refusing))]
        for secret in secrets:
            assert secret not in "\n".join([*told, caplog.text])

    def test_silence_is_transient(self, broken: Sequence[RateSource], devices: Sequence[Device]) -> None:
        """No answer, or one that makes no sense, is no statement about rates: the last quote counts until it expires."""
        if not broken:
            pytest.skip("no broken sources were given: no wire leads to this network")
        for source in broken:
            _assert_raises(Transient, source, devices)

    def test_a_refusal_is_refused(self, refusing: Sequence[RateSource], devices: Sequence[Device]) -> None:
        """Bad credentials, a ban, a wrong version: asking again would not help."""
        if not refusing:
            pytest.skip("no refusing sources were given: nobody has to be let in to this network")
        for source in refusing:
            _assert_raises(Refused, source, devices)


class NodeDriverContract:
    """What holds for every node driver. The fixture ``reopened`` may be given, the others must be.

    Every check begins with a node that is absent from the device.
    """

    @pytest.fixture
    def node(self) -> NodeDriver:
        """Must be given: the driver of a healthy node."""
        raise _must("node", "the node driver")

    @pytest.fixture
    def device(self) -> Device:
        """Must be given: a device that no network holds."""
        raise _must("device", "a device that no network holds")

    @pytest.fixture
    def venue(self) -> Venue:
        """Must be given: a venue of the network that the device can serve."""
        raise _must("venue", "a venue of the network")

    @pytest.fixture
    def patience(self) -> Callable[[], object]:
        """Must be given: lets a moment pass; a node is up, or empty after a drain, within a few hundred of them."""
        raise _must("patience", "what lets a moment pass")

    @pytest.fixture
    def reopened(self) -> Callable[[], NodeDriver] | None:
        """May be given: makes the driver anew, as another process that knows nothing of the first one would."""
        return None

    @pytest.fixture
    def bench(
        self,
        node: NodeDriver,
        device: Device,
        venue: Venue,
        patience: Callable[[], object],
        reopened: Callable[[], NodeDriver] | None,
    ) -> Bench:
        """All of the above."""
        return Bench(node, device, venue, patience, reopened)

    def test_nothing_runs_before_it_is_started(self, bench: Bench) -> None:
        """However often one looks; and draining or stopping what is not there is no mistake."""
        assert {Phase.ABSENT} == bench.phases()
        bench.drain()
        assert {Phase.ABSENT} == bench.phases()
        bench.stop()
        assert {Phase.ABSENT} == bench.phases()

    def test_preparing_touches_nothing(self, bench: Bench) -> None:
        """It gets ready, and nothing is on the device for it; asked again while it serves, it serves on."""
        node = bench.node
        if not isinstance(node, Prepares):
            pytest.skip("this driver is started unprepared")
        bench.until(lambda: node.prepare(bench.device, bench.venue).stage is Stage.READY, "it did not get ready")
        assert {Phase.ABSENT} == bench.phases()
        bench.serve()
        assert Stage.READY is node.prepare(bench.device, bench.venue).stage
        assert {True} == {phase.serves for phase in bench.phases()}

    def test_a_start_leads_to_serving(self, bench: Bench) -> None:
        """It holds the device at once. No repetition begins the boot anew, and none restarts what serves."""
        bench.start()
        assert bench.look().phase is not Phase.ABSENT
        bench.serve()
        for _ in range(3):
            bench.start()

            assert bench.look().phase.serves

    def test_looking_changes_nothing(self, bench: Bench) -> None:
        """A node serves on, and drains on, whoever looks."""
        bench.serve()
        assert {True} == {phase.serves for phase in bench.phases()}
        bench.drain()
        assert bench.phases() <= {Phase.DRAINING, Phase.ABSENT}

    def test_a_start_that_is_repeated_is_one_start(self, bench: Bench) -> None:
        """One stop ends it, and nothing comes back by itself."""
        bench.serve()
        bench.start()
        bench.node.stop(bench.device)
        bench.until(lambda: bench.look().phase is Phase.ABSENT, "a single stop was not enough: the node did not go")
        assert {Phase.ABSENT} == bench.phases()

    def test_a_drain_takes_no_new_work(self, bench: Bench) -> None:
        """What runs may finish, and does, however often the drain is repeated; nothing is begun after it."""
        bench.serve()
        running = bench.drain()

        def emptied() -> bool:
            left = bench.drain()

            assert left <= running, "a lease was taken while draining"
            return not left

        bench.until(emptied, "the work that ran did not finish")
        for _ in range(5):
            bench.patience()

            assert emptied()

    def test_a_start_undoes_a_drain(self, bench: Bench) -> None:
        """The gain was gone, and the node takes new work again; also when the drain was over already."""
        bench.serve()
        bench.drain()
        bench.serve()
        bench.until(lambda: not bench.drain(), "the work that ran did not finish")
        bench.serve()

    def test_a_stopped_node_is_absent(self, bench: Bench) -> None:
        """From whatever it was doing: booting, serving or draining; and it can be started again."""
        bench.start()
        bench.stop()
        bench.serve()
        bench.stop()
        bench.serve()
        bench.drain()
        bench.stop()
        bench.stop()
        assert {Phase.ABSENT} == bench.phases()
        bench.serve()

    def test_another_process_finds_what_runs(self, bench: Bench) -> None:
        """A crash of the autopilot is nothing to the node: booting, serving, draining and gone are seen by whoever comes next."""
        bench.start()
        assert bench.again().look().phase is not Phase.ABSENT
        bench.serve()
        assert bench.again().look().phase.serves
        bench.drain()
        assert bench.look().phase is bench.again().look().phase
        bench.again().serve()
        assert bench.again().look().phase.serves
        bench.again().stop()
        assert bench.again().look().phase is Phase.ABSENT


def _complaint(source: RateSource, devices: Sequence[Device]) -> str:
    try:
        return repr(source.quotes(devices))
    except AdapterError as error:
        return f"{error!r} {error} {error.__cause__!r} {error.__context__!r}"


def _assert_raises(kind: type[AdapterError], source: RateSource, devices: Sequence[Device]) -> None:
    """That kind of error and no other, in one line that names its network."""
    with pytest.raises(AdapterError) as caught:
        source.quotes(devices)
    message = str(caught.value)

    assert caught.type is kind
    assert message.startswith(f"{caught.value.network}: ")
    assert "\n" not in message
