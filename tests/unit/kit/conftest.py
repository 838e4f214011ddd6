"""What the tests of the kit share: a client whose server does what a test says, on a clock on which waiting takes no time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from autopilot.errors import AdapterError, Transient
from autopilot.kit.http import Http
from autopilot.kit.tokens import OwnPrice, Tokens
from autopilot.sim.clock import SimClock

IDS = {"AKT": "akash-network", "NOS": "nosana", "RENDER": "render-token", "TAO": "bittensor", "USDC": "usd-coin", "SOL": "solana"}
Answer = httpx.Response | Exception


class Wire:
    """The way from a client to a server that answers from a list, the last entry of which holds for ever."""

    def __init__(self) -> None:
        self.clock = SimClock(datetime(2026, 11, 22, 12, tzinfo=UTC))
        self.asked: list[httpx.Request] = []
        self._answers: list[Answer | Callable[[httpx.Request], Answer]] = []

    def serves(self, *answers: Answer | Callable[[httpx.Request], Answer], **options: Any) -> Http:
        """A new client whose server gives these answers."""
        self._answers = list(answers)
        return Http(self.clock, network="akash", transport=httpx.MockTransport(self._answer), **options)

    def failure(self, http: Http, url: str = "https://api.example/v1/prices", **options: Any) -> AdapterError:
        """The error of a GET that must not succeed."""
        with pytest.raises(AdapterError) as caught:
            http.get(url, **options)
        return caught.value

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if callable(answer):
            answer = answer(request)
        elif isinstance(answer, httpx.Response):
            answer = httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def wire() -> Wire:
    """A wire to a server that nobody told what to do yet."""
    return Wire()


class Sources:
    """The price sources as a test has them; a host that nobody set up answers 500."""

    def __init__(self) -> None:
        self.clock = SimClock(datetime(2026, 11, 22, 12, tzinfo=UTC))
        self.asked: list[httpx.Request] = []
        self.answers: dict[str, Any] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.get(request.url.host, 500)
        answer = answer(request) if callable(answer) else answer
        return httpx.Response(answer) if isinstance(answer, int) else httpx.Response(200, json=answer)

    def tokens(self, **options: Any) -> Tokens:
        """Prices from these sources."""
        return Tokens(Http(self.clock, transport=httpx.MockTransport(self)), self.clock, **options)

    def later(self, span: timedelta = timedelta(minutes=6)) -> None:
        """Let time go by."""
        self.clock.move_to(self.clock.now() + span)

    def coingecko(self, **usd: Any) -> None:
        """CoinGecko knows these prices, as of now."""
        self.answers["api.coingecko.com"] = lambda _: {
            IDS[token]: {"usd": price, "last_updated_at": int(self.clock.now().timestamp())} for token, price in usd.items()
        }

    def kraken(self, usd: str, pair: str = "XSOMETHING") -> None:
        """Kraken has a ticker, under whatever key it likes."""
        self.answers["api.kraken.com"] = {"error": [], "result": {pair: {"a": [usd, "1"], "b": [usd, "1"], "c": [usd, "1"]}}}

    def own(self, usd: str, age: timedelta = timedelta(0)) -> OwnPrice:
        """What the network itself says."""
        return OwnPrice(Decimal(usd), self.clock.now() - age, "oracle")

    def hosts(self) -> list[str]:
        """Who was asked, in order, and each once for all its tries."""
        return list(dict.fromkeys(request.url.host for request in self.asked))

    def why_not(self, tokens: Tokens, token: str, own: OwnPrice | None = None) -> str:
        """Why there is no price."""
        with pytest.raises(Transient) as caught:
            tokens.usd(token, own)
        return str(caught.value)


@pytest.fixture
def world() -> Sources:
    """A world in which no source of prices answers."""
    return Sources()
