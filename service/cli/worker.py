"""`runbookd worker`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from service.domain.rules.rules import Target
    from service.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("worker")
def worker(
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Start although a secret is missing; the log says it."
        ),
    ] = False,
) -> None:
    """Execute the runs that were decided on, one at a time per vendor resource.

    Start as many as you like on one database. Each run is executed by one of them. When a worker
    dies, another one continues its runs after WORKER_LEASE_S. On SIGTERM or Ctrl-C, a worker gives
    its runs 5 s to end and hands the rest on.

    [bold]Refuses to start[/bold] without PAGERDUTY_ROUTING_KEY, SLACK_BOT_TOKEN or the token for a
    target of the rules, unless SANDBOX_URL is set. Whatever else doctor finds is logged.

    [bold]Settings[/bold]: DATABASE_URL, REDIS_URL, SANDBOX_URL (set: the sandbox stands in for
    every vendor) or the vendors' tokens, WORKER_LEASE_S (15), WORKER_CONCURRENCY (16).

    [bold]Example[/bold]

      DATABASE_URL=postgresql://… DIGITALOCEAN_TOKEN_FILE=/run/secrets/do runbookd worker
    """
    import structlog

    from service.bootstrap.required import missing_secrets, require_secrets
    from service.bootstrap.startup import migrate, start_logging
    from service.bootstrap.worker import build_worker
    from service.doctor.verdict import tell_verdict
    from service.settings import load_settings

    settings = load_settings()
    start_logging(settings)
    missing = missing_secrets(settings, _targets(settings))
    if not allow_missing:
        require_secrets(missing)
    for sentence in missing:
        structlog.get_logger(__name__).error("missing_secret", what=sentence)
    migrate(settings)
    tell_verdict(settings)
    build_worker(settings).serve()


def _targets(settings: Settings) -> list[Target] | None:
    """The targets of the rules. None if the rules cannot be read, because a worker needs none."""
    from service.bootstrap.rules import load_rules
    from service.rulebook import RuleBookInvalid

    try:
        return list(load_rules(settings).targets.values())
    except RuleBookInvalid:
        return None
