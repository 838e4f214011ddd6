"""The suite of what a network has paid or owes: inherit it, give the fixtures, and run pytest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from autopilot.contracts import PayoutSource
from autopilot.model.node import Payout
from autopilot.store.accounts import Span, accounts
from autopilot.store.store import Store


class PayoutSourceContract:
    """What holds for every payout source. Both fixtures must be given."""

    @pytest.fixture
    def source(self) -> PayoutSource:
        """Must be given: the source, connected to answers that were recorded or made up."""
        raise NotImplementedError("give the fixture 'source': the payout source")

    @pytest.fixture
    def since(self) -> datetime:
        """Must be given: an instant before the end of some work that it tells of."""
        raise NotImplementedError("give the fixture 'since': an instant before the end of some work that it tells of")

    def test_the_same_is_told_again(self, source: PayoutSource, since: datetime) -> None:
        """Whoever asks again gets the same payouts, under the same ids."""
        assert _told(source, since) == _told(source, since)

    def test_each_payout_has_an_id_of_its_own(self, source: PayoutSource, since: datetime) -> None:
        """Which is not empty."""
        idents = [payout.id for payout in _told(source, since)]

        assert all(idents)
        assert len(idents) == len(set(idents)), "two payouts have one id"

    def test_only_what_ended_later_is_told(self, source: PayoutSource, since: datetime) -> None:
        """After the instant that was asked about: asked from the end of one on, that one is not among them, and all later ones are."""
        told = _told(source, since)
        for end in sorted({payout.end for payout in told}):
            assert [payout for payout in told if payout.end > end] == _told_after(source, end)

    def test_the_figures_make_sense(self, source: PayoutSource, since: datetime) -> None:
        """Spans in UTC that do not end before they begin, of one network; a token's price is that of the dollars told."""
        told = _told(source, since)

        assert len({payout.venue.network for payout in told}) == 1
        for payout in told:
            assert [timedelta(0)] * 2 == [at.utcoffset() for at in (payout.start, payout.end)]
            assert payout.start <= payout.end
            if payout.native:
                worth = float(payout.native.amount * payout.native.usd_per_token)
                assert worth == pytest.approx(float(payout.amount), rel=1e-4, abs=1e-6), "the token's amount is not worth the dollars"

    def test_asking_twice_books_once(self, source: PayoutSource, since: datetime) -> None:
        """The books of whoever asks every hour show what is owed and paid once."""
        store = Store.in_memory()
        store.ledger.paid(_told(source, since))
        once = accounts(store, Span())
        store.ledger.paid(_told(source, since))

        assert once
        assert once == accounts(store, Span())


def _told(source: PayoutSource, since: datetime) -> Sequence[Payout]:
    told = _told_after(source, since)

    assert told, "it tells no payout: the suite has nothing to look at"
    return told


def _told_after(source: PayoutSource, since: datetime) -> Sequence[Payout]:
    return sorted(source.payouts(since), key=lambda payout: (payout.end, payout.id))
