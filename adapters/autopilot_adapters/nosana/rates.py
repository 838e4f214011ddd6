"""From what was seen of a market to a Quote or a NoQuote, with the sum written out so that a person can do it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Context, Decimal

from autopilot.kit.tokens import TokenPrice
from autopilot.model.device import Device, Venue
from autopilot.model.market import Answer, Basis, NativePrice, NoQuote, Quote, Room, Working
from autopilot.units import Share, UsdPerHour
from autopilot_adapters.nosana.answers import Market
from autopilot_adapters.nosana.codec import MarketAccount
from autopilot_adapters.nosana.hire import Crowd
from autopilot_adapters.nosana.reading import Nonsense
from autopilot_adapters.nosana.survey import Survey

LASTS = timedelta(hours=2)
"""Prices change by the week and queues by the hour; a missed hourly poll is forgiven."""
MOST_USD_PER_GPU_HOUR = Decimal(100)
"""No GPU is paid as much: the dearest gets some 2.3 $."""
SAME = Decimal("0.01")
"""By so much the list and the chain may differ before it is said."""
FLAGGED = Decimal("0.05")
"""A rate that lies further from the published one gets a warning: prices are set in USD, and in NOS only now and then."""


@dataclass(frozen=True, slots=True)
class Place:
    """A device that could serve a market, and what is known of both."""

    venue: Venue
    market: Market
    device: Device
    node: str | None
    """The address of the device's own node."""
    alike: int
    """GPUs of this kind on the rig."""

    def account(self, survey: Survey) -> MarketAccount | None:
        """The market as the chain knows it."""
        return survey.accounts.get(self.market.address)


def answer(place: Place, survey: Survey, now: datetime) -> Answer:
    """What the market would pay the device. Raises Nonsense for figures beyond all bounds."""
    price, per_second = survey.price, _nos_per_second(place, survey)
    reason = _obstacle(place, survey, per_second)
    if reason:
        return NoQuote(place.venue, place.device.id, now, reason, min(survey.as_of, now))
    nos = per_second * 3600 / place.market.gpus
    crowd = survey.crowd(place.market, place.node)
    quote = Quote(
        venue=place.venue,
        device=place.device.id,
        gross=_in_usd(place.market, nos, price),
        as_of=min(survey.as_of, price.as_of, now),
        seen_at=now,
        expires=now + LASTS,
        basis=Basis.ESTIMATE if survey.everywhere else Basis.ADMINISTERED,
        source=survey.source,
        occupancy=crowd.occupancy,
        job_length=survey.job_length(place.market),
        native=NativePrice("NOS", nos, price.usd, price.as_of),
        # The GPUs of one node share its fall.
        room=Room(fall=Share(crowd.fall.count // place.market.gpus)),
    )
    lines = (*_pay(place, survey, per_second), *_price(place, quote, price), _hired(place, survey, crowd), _expected(quote))
    return replace(quote, workings=lines)


def plain(value: Decimal) -> str:
    """All digits that matter, without an exponent."""
    return format(value.normalize(Context(prec=12)), "f")


def _nos_per_second(place: Place, survey: Survey) -> Decimal:
    """What the list and the chain say that the host of a node is paid; the lower one where they differ, zero where it is nothing."""
    account, pay = place.account(survey), place.market.pay
    on_chain = [Decimal(account.job_price).scaleb(-6)] if account else []
    in_list = [pay.reward or Decimal(0)] if pay else []
    return min(on_chain + in_list, default=Decimal(0))


def _obstacle(place: Place, survey: Survey, per_second: Decimal) -> str:
    """Why the device earns nothing here; empty where it can."""
    market, account = place.market, place.account(survey)
    if survey.accounts and account is None:
        return f"{market.name} is listed, but its account {market.address} is gone from the chain"
    if market.pay and market.pay.reward is None:
        return f"{market.name} has no price"
    if not per_second:
        return f"{market.name} pays nothing at the moment"
    if place.alike < market.gpus:
        return f"{market.name} takes nodes of {market.gpus} GPUs, and this rig has {place.alike} of this kind"
    wanted, staked = account.node_xnos_minimum if account else 0, survey.staked.get(place.node or "")
    if staked is not None and staked < wanted:
        return f"{market.name} wants {plain(_nos(wanted))} xNOS staked, and the node has {plain(_nos(staked))}"
    return ""


def _in_usd(market: Market, nos: Decimal, price: TokenPrice) -> UsdPerHour:
    if nos * price.usd > MOST_USD_PER_GPU_HOUR:
        raise Nonsense(f"{market.path}.nos_reward_per_second and {plain(price.usd)} $/NOS make {plain(nos * price.usd)} $/h for one GPU")
    return UsdPerHour.of(nos * price.usd)


def _pay(place: Place, survey: Survey, per_second: Decimal) -> list[Working]:
    """From what a second is paid to NOS an hour."""
    market, account, pay = place.market, place.account(survey), place.market.pay
    lines = []
    if pay and pay.reward is not None:
        charge = f" (the client pays {plain(pay.charge)}, the network fee on top: nothing is taken off here)" if pay.charge else ""
        fields = ("nos_reward_per_second", "nos_job_price_per_second", "name", "slug")
        said = f"{market.name}, {market.tier}, pays the host {plain(pay.reward)} NOS/s{charge}"
        lines.append(Working(said, tuple(f"{market.path}.{field}" for field in fields)))
    if account:
        apart = "" if not pay or _near(pay.reward, per_second, _nos(account.job_price)) else ", another figure: the lower one counts"
        lines.append(Working(f"the chain says {account.job_price} micro-NOS/s{apart}", (chain_path(market),)))
    hourly = per_second * 3600
    each = f" / {market.gpus} GPUs of the node = {plain(hourly / market.gpus)} NOS/h for each" if market.gpus > 1 else ""
    return [*lines, Working(f"{plain(per_second)} NOS/s x 3600 s = {plain(hourly)} NOS/h{each}")]


def _price(place: Place, quote: Quote, price: TokenPrice) -> list[Working]:
    """From NOS an hour to USD an hour."""
    nos = quote.native.per_hour if quote.native else Decimal(0)
    said = f"{plain(nos)} NOS/h x {plain(price.usd)} $/NOS = {quote.gross} while a job runs (NOS: {price.source})"
    lines = [Working(said, (f"{place.market.path}.usd_reward_per_hour", "markets:[*].usd_reward_per_hour"))]
    return [*lines, *_published(place.market, nos * price.usd * place.market.gpus)]


def _published(market: Market, ours: Decimal) -> list[Working]:
    """Whether that is what the market itself says, in USD an hour for a node."""
    if not (market.pay and market.pay.usd):
        return []
    apart = ours / market.pay.usd - 1
    warning = "; more than 5 % apart: the published figure is a snapshot, and NOS/s is what is paid" if abs(apart) > FLAGGED else ""
    node = f" for {market.gpus} GPUs" if market.gpus > 1 else ""
    said = f"the market publishes {plain(market.pay.usd)} $/h{node}: this is {abs(apart):.1%} {'below' if apart < 0 else 'above'} it"
    return [Working(f"{said}{warning}", (f"{market.path}.usd_reward_per_hour",))]


def _hired(place: Place, survey: Survey, crowd: Crowd) -> Working:
    share = f"{crowd.demand} / {crowd.supply}" + (", at most 1" if crowd.demand > crowd.supply else "")
    ours = "ours among them" if crowd.here else "ours would be one more"
    if survey.everywhere:
        said = f"who waits in this market is not known; nodes of the whole network at work: {crowd.running}, waiting: {crowd.nodes}"
        return Working(
            f"{said}, {ours}: {share} = {crowd.occupancy} of the hour",
            ("nodes-country:data", "running:", "getProgramAccounts:", "getMultipleAccounts:"),
        )
    inputs = (*survey.counted, f"{place.market.path}.address", chain_path(place.market), "specs:")
    queue = f"jobs waiting: {crowd.jobs}" if crowd.jobs else f"nodes waiting: {crowd.nodes}"
    return Working(f"jobs running: {crowd.running}, {queue}, {ours}: {share} = {crowd.occupancy} of the hour", inputs)


def _expected(quote: Quote) -> Working:
    return Working(f"{quote.gross} x {quote.occupancy} = {quote.expected} expected; waiting is not paid")


def chain_path(market: Market) -> str:
    """How the market's account is named among the inputs of a working."""
    return f"getMultipleAccounts:{market.address}.data"


def _near(one: Decimal | None, *others: Decimal) -> bool:
    return one is not None and all(abs(one - each) <= SAME * one for each in others)


def _nos(micro: int) -> Decimal:
    return Decimal(micro).scaleb(-6)
