"""The settings of Render. What is not known for certain is a setting, and stands on the careful side until somebody sets it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from autopilot.kit.fields import ShareField, SpanField, Table, UsdField
from autopilot.units import NONE, Share, Usd
from autopilot_adapters.programs import Argv, ProgramSettings
from autopilot_adapters.render.names import plain

CLAIMED = Share.of("0.5")
"""The most that may be claimed for a render node. The recorded median wallet does in a week what one RTX 4090 does in an eighth of it."""
BUSIEST = Share.of("0.9")
"""Nobody is taken to work around the clock, whatever was measured: pay at full use is no rate."""


def _plainly(written: object) -> object:
    """The names of GPUs in one spelling."""
    return {plain(str(model)): value for model, value in written.items()} if isinstance(written, Mapping) else written


Score = Annotated[Decimal, Field(ge=10, le=10_000)]
Scores = Annotated[Mapping[str, Score], BeforeValidator(_plainly)]
Multiplier = Annotated[Decimal, Field(gt=0, le=20)]
Multipliers = Annotated[Mapping[str, Multiplier], BeforeValidator(_plainly)]
Address = Annotated[str, Field(pattern="^[1-9A-HJ-NP-Za-km-z]{32,44}$")]
"""Of an account of Solana, in base58."""
Weekly = Annotated[Decimal, Field(ge=0, le=1000)]


class ClientSettings(Table):
    """The render client on its Windows host: ``[networks.render.node]``. Windows fills in names like ``%LOCALAPPDATA%``."""

    launcher: str = Field(min_length=1)
    r"""The path of ``rndrclient.exe``."""
    client: str = Field(min_length=1)
    """The path of the ``TCPSVCS.EXE`` that it starts. Windows has a service of that name, so the name alone is not enough."""
    log: str = r"%LOCALAPPDATA%\OtoyRndrNetwork\rndr_log.txt"
    host: Argv = ()
    """The words before ``powershell.exe`` that reach the host, e.g. ``["ssh", "rig"]``; none within WSL."""
    finishes: bool = False
    """Whether a client that is closed while it renders finishes its frame first, which nobody has confirmed. Then a frame may be broken."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.launcher.casefold() == self.client.casefold() or not all("\\" in path for path in (self.launcher, self.client)):
            msg = r"launcher and client are two whole paths of Windows, like 'C:\OTOY\rndrclient.exe'"
            raise ValueError(msg)
        return self


class DispersedSettings(Table):
    """The compute subnet: ``[networks.render.dispersed]``."""

    utilisation: ShareField | None = None
    """The share of the hours in which it gives work. Nobody publishes it; without it there is no rate."""
    preparation: ShareField = NONE
    """The share of the hours spent preparing for jobs."""
    availability: Weekly = Decimal(2)
    """RENDER for a week of being assignable: 2 in RNP-019, 6 in the documents for node operators."""
    job: Weekly = Decimal(10)
    """RENDER for a week of work at multiplier 1: 10 in RNP-019 and the documents, 25 in RNP-021."""
    available_at_work: bool = False
    """Whether the availability pay goes on during a job, which no text says."""
    multipliers: Multipliers = Field(default_factory=dict)
    """By GPU, over the built-in ones."""
    stake: UsdField = Usd.of(100)
    """What of the first 100 $ is still to be earned: they are kept as a stake (RNP-021), and counted as lost on arrival."""
    boot: SpanField = timedelta(minutes=10)
    drain: SpanField = timedelta(days=1)
    """How long a job may go on. No command to drain or stop is known, and a persistent job has no end of its own."""
    node: ProgramSettings | None = None
    """How its client is started and stopped here; without it, rates only."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.node and not self.node.jobs:
            msg = "node.jobs must be a command that prints a line for each job that runs: the client does not say it, and none may be cut"
            raise ValueError(msg)
        if self.utilisation is not None and self.utilisation > BUSIEST:
            msg = f"utilisation must be at most {BUSIEST}: nobody works around the clock"
            raise ValueError(msg)
        if (self.utilisation or NONE).count + self.preparation.count > Share.per_unit:
            msg = "utilisation and preparation are more than the whole week"
            raise ValueError(msg)
        if self.stake < Usd(0):
            msg = "stake must not be negative"
            raise ValueError(msg)
        return self


class PayoutSettings(Table):
    """Where pay comes in: ``[networks.render.payouts]``."""

    wallet: Address
    """The payout wallet."""
    payers: tuple[Address, ...] = Field(min_length=1)
    """The wallets that Render pays from, as the transactions of earlier payouts show them. What others send is no pay."""
    rpc_url: SecretStr = SecretStr("https://api.mainnet-beta.solana.com")
    """A JSON-RPC endpoint of Solana's mainnet. The public one is free and slow to forgive; a provider's holds a key."""


class RenderSettings(Table):
    """Render nodes: ``[networks.render]``."""

    utilisation: ShareField | None = None
    """The share of the hours in which frames are rendered, as the operator knows it: at most a half; more has to be measured."""
    log: Path | None = None
    r"""The client's own log, ``%LOCALAPPDATA%\OtoyRndrNetwork\rndr_log.txt``, from which the utilisation is measured."""
    log_days: int = Field(default=14, ge=1, le=366)
    wallet: str = ""
    """The payout wallet: its published OctaneBench-hours measure the utilisation where there is no log."""
    wallet_score: Annotated[Decimal, Field(ge=10, le=10_000_000)] | None = None
    """The OctaneBench scores of all GPUs that render for that wallet, together."""
    scores: Scores = Field(default_factory=dict)
    """OctaneBench by GPU, over the registry and the built-in points."""
    tier: Literal[2, 3] = 3
    """2 is priority, 3 economy, which pays half of it for the same work."""
    mean_weight: Annotated[Decimal, Field(ge=1, le=2)] = Decimal("1.62")
    """What all work weighs in the mean, where tier 3 weighs 1 and tier 2 weighs 2. Epoch 97 paid tier 2 0.00094 RENDER per
    OctaneBench-hour and 0.00076162 in the mean, so 2 x 0.00076162 / 0.00094."""
    epochs: int = Field(default=4, ge=1, le=12)
    """How many closed epochs the median is taken of."""
    render_per_obh: Annotated[Decimal, Field(gt=0, le=Decimal("0.02"))] | None = None
    """Own payouts by own OctaneBench-hours: it holds the tier, and takes the place of the published figures."""
    availability: Weekly | None = None
    """RENDER that the node is paid for a week of being available, as its own payouts show it. Counted as nothing where not set."""
    render_price: UsdField | None = None
    """In place of the market's."""
    stats_url: str = "https://stats.renderfoundation.com/liability-epochs-data.json"
    stats_origin: str = ""
    """The site to claim to come from, for a server that answers nobody else. An honest client claims nothing."""
    refresh: SpanField = timedelta(hours=6)
    """How long the published figures are used before they are asked for again. They change once a week."""
    keeps: SpanField = timedelta(days=21)
    """How long after its end an epoch counts: one is published a few days after it closed, the next a week later."""
    whole_rig: bool = True
    """Whether the client takes all GPUs of its host, as its log suggests."""
    boot: SpanField = timedelta(seconds=75)
    first_scene: SpanField = timedelta(minutes=10)
    """Unpaid, for the download of the first scene."""
    frame: SpanField = timedelta(minutes=30)
    """The longest wait for a frame to end. The client has no command to drain."""
    dispersed: DispersedSettings = DispersedSettings()
    payouts: PayoutSettings | None = None
    """Where pay comes in; without it, none is seen."""
    node: ClientSettings | None = None
    """How the client is started and stopped; without it, rates only."""

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if self.utilisation is not None and self.utilisation > CLAIMED:
            msg = f"utilisation must be at most {CLAIMED} where it is claimed; to measure it, give log, or wallet and wallet_score"
            raise ValueError(msg)
        if bool(self.wallet) != (self.wallet_score is not None):
            msg = "wallet and wallet_score go together: hours by wallet are a utilisation only for a known score"
            raise ValueError(msg)
        if self.render_price is not None and self.render_price <= Usd(0):
            msg = "render_price must be more than nothing"
            raise ValueError(msg)
        if not timedelta(0) < self.refresh < self.keeps:
            msg = "refresh must be longer than nothing and shorter than keeps"
            raise ValueError(msg)
        return self

    @property
    def measured(self) -> bool:
        """Whether anything says how much a node works."""
        return self.utilisation is not None or self.log is not None or bool(self.wallet)

    @property
    def needs_statistics(self) -> bool:
        """Whether the published figures have to be asked for."""
        by_wallet = self.utilisation is None and self.log is None
        return self.measured and (self.render_per_obh is None or by_wallet)
