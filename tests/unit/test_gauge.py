"""A driver that hangs or breaks holds up nobody, and what it said last is not believed for long."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from autopilot.clock import stopwatch
from autopilot.daemon.gauge import Gauge
from autopilot.model.gpu import Ailment, Condition, Reading
from autopilot.testing.views import device
from autopilot.units import Watts
from shared.nodes import until
from shared.probes import Driver

GPU = device()
SHORT = timedelta(milliseconds=50)
NEVER = timedelta(0)


@pytest.fixture
def driver() -> Iterator[Driver]:
    """Let go of at the end, whatever hangs."""
    made = Driver((GPU,))
    yield made
    made.answers.set()


def test_a_hung_driver_is_not_waited_for_twice(driver: Driver) -> None:
    """The first look gives up after its time; the next ones ask nothing and wait for nothing, until the driver is back."""
    gauge = Gauge(driver, wait=SHORT, life=NEVER)
    driver.answers.clear()

    hung = gauge.look([GPU])[GPU.id]
    assert isinstance(hung, Ailment)
    assert (Condition.HUNG, "its driver has given no answer within 0.05s") == (hung.condition, hung.remedy.partition(":")[0])
    begun = stopwatch()
    assert [hung] * 50 == [gauge.look([GPU])[GPU.id] for _ in range(50)]
    assert stopwatch() - begun < 50 * SHORT.total_seconds() / 2
    assert 1 == driver.asked
    driver.answers.set()
    until(lambda: isinstance(gauge.look([GPU])[GPU.id], Reading))


def test_the_last_reading_counts_for_a_while_and_no_longer(driver: Driver) -> None:
    """A hiccup of the driver moves nothing; a reading that has grown old is none."""
    patient, hasty = Gauge(driver, wait=SHORT), Gauge(driver, wait=SHORT, life=NEVER)
    seen = patient.look([GPU])
    assert seen == hasty.look([GPU])
    driver.answers.clear()

    assert seen == patient.look([GPU])
    assert isinstance(hasty.look([GPU])[GPU.id], Ailment)


def test_a_hung_driver_holds_up_no_census_and_no_limit(driver: Driver) -> None:
    """Starting up, and setting a power limit, are given up in the same way."""
    gauge = Gauge(driver, wait=SHORT)
    driver.answers.clear()
    census = gauge.census()

    assert ((), [Condition.HUNG]) == (census.devices, [each.condition for each in census.ailments])
    refused = gauge.limit(GPU.id, Watts.of(300))
    assert isinstance(refused, Ailment)
    assert Condition.HUNG == refused.condition


def test_a_library_that_fails_ends_no_flight(driver: Driver) -> None:
    """What is neither an answer nor an error of the driver is an ailment with its words."""
    driver.broken = OSError("undefined symbol")
    seen = Gauge(driver, life=NEVER).look([GPU])[GPU.id]

    assert Ailment(Condition.UNREADABLE, "its driver's library fails: OSError('undefined symbol')") == seen
