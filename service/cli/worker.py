"""`runbookd worker`."""

from __future__ import annotations

import typer

from service.bootstrap.startup import migrate, start_logging
from service.bootstrap.worker import build_worker
from service.settings import load_settings

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("worker")
def worker() -> None:
    """Execute the runs that were decided on, one at a time per vendor resource.

    Run as many as you like on one database: each run is executed by one of them, and when one
    dies another goes on with its runs after WORKER_LEASE_S. SIGTERM and Ctrl-C let what is under
    way end for 5 s and hand the rest on.

    [bold]Settings[/bold]: DATABASE_URL, REDIS_URL, SANDBOX_URL (set: the sandbox stands in for
    every vendor) or the vendors' tokens, WORKER_LEASE_S (15), WORKER_CONCURRENCY (16).

    [bold]Example[/bold]

      DATABASE_URL=postgresql://… DIGITALOCEAN_TOKEN_FILE=/run/secrets/do runbookd worker
    """
    settings = load_settings()
    start_logging(settings)
    migrate(settings)
    build_worker(settings).serve()
