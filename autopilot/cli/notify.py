"""``autopilot notify``: whether messages arrive."""

from __future__ import annotations

import typer

from autopilot.cli.options import ConfigOption
from autopilot.errors import AutopilotError, ConfigError

app = typer.Typer(help="Messages to people: [notify] in the configuration says to whom.", no_args_is_help=True)


@app.callback()
def notify() -> None:
    """Messages to people: [notify] in the configuration says to whom."""


@app.command("test")
def try_out(config: ConfigOption = None) -> None:
    """Send a test message to every service of the configuration, and a ping to its address."""
    from autopilot.settings import load
    from autopilot.telling.ping import asked
    from autopilot.telling.services import Services

    settings = load(config).notify
    ping = settings.ping.get_secret_value()
    if not settings.urls and not ping:
        raise ConfigError("nobody is told anything: name services in [notify] urls, e.g. 'ntfy://ntfy.sh/a-topic-of-your-own'")
    failed = []
    for kind, took in Services(settings.urls).outcomes("A test: your rig can reach you here.") if settings.urls else ():
        typer.echo(f"{kind}: {'sent' if took else 'not taken'}")
        failed += [] if took else [kind]
    if ping:
        trouble = asked(ping)
        typer.echo(f"ping: {trouble or 'heard'}")
        failed += ["ping"] if trouble else []
    if failed:
        raise AutopilotError(f"not everything arrived: {', '.join(failed)}; look at the addresses, and at the services' own limits")
