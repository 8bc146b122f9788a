"""`runbookd dev`."""

from __future__ import annotations

import typer
from rich.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("dev")
def dev() -> None:
    """Run all of it in one terminal: Redis, SQLite, a sandbox cloud, the web process, a worker.

    This is for a first look and for work on rules. Alerts are taken on loopback, and they change
    a stand-in cloud only, so nothing costs money. When everything is ready, it prints what runs
    where, and a curl that sends an example alert. Ctrl-C ends everything; the data stays in
    RUNBOOKD_HOME.

    [bold]Settings[/bold]: PORT (8080), SANDBOX_PORT (8090), RUNBOOKD_HOME (var/). Give all three
    another value to run a second one beside the first. Set REDIS_URL and DATABASE_URL to use
    servers that run already. PROMETHEUS_URL lets investigate ask your Prometheus; none is started.
    Webhooks are open on loopback unless a sender has a secret (ALERTMANAGER_TOKENS,
    GRAFANA_TOKENS).

    [bold]Examples[/bold]

      runbookd dev

      PORT=8081 SANDBOX_PORT=8091 RUNBOOKD_HOME=/tmp/second runbookd dev
    """
    from service.bootstrap.rules import load_rules
    from service.dev.plan import with_sandbox_ids
    from service.dev.session import run
    from service.settings import load_settings

    settings = with_sandbox_ids(load_settings())
    load_rules(settings)
    run(settings, Console(highlight=False))
