"""`runbookd web`."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich")

_GUNICORN = (sys.executable, "-m", "gunicorn", "-c", "python:service.web.gunicorn_conf")


@app.command("web")
def web(
    all_interfaces: Annotated[
        bool,
        typer.Option(
            "--all-interfaces",
            help="Listen on 0.0.0.0 where HOST is not set, as platforms that set PORT want it.",
        ),
    ] = False,
) -> None:
    """Take alerts from Alertmanager and Grafana, decide, and queue what follows.

    Checks the settings and every rule file, brings the tables up to date, then serves with
    gunicorn in this very process: the same as `gunicorn -c python:service.web.gunicorn_conf`.
    It needs a worker beside it for anything to be done. It calls no vendor itself but PagerDuty,
    as a last resort, and drops the other vendors' secrets from its environment when it starts.

    [bold]Refuses to start[/bold] when a rule file has an error (file and line are printed), or
    when no sender has a secret. Beyond loopback also when OPEN_WEBHOOKS is set, when API_TOKENS
    is not, or when a secret has fewer than 16 characters.

    [bold]Settings[/bold]: HOST (127.0.0.1), PORT (8080), DATABASE_URL, REDIS_URL, RULES,
    ALERTMANAGER_TOKENS, ALERTMANAGER_BASIC, GRAFANA_TOKENS, GRAFANA_BASIC, API_TOKENS.

    [bold]Example[/bold]

      ALERTMANAGER_TOKENS_FILE=/run/secrets/am HOST=0.0.0.0 runbookd web
    """
    from service.bootstrap.access import judge_access, require_access
    from service.bootstrap.rules import load_rules
    from service.environment import fill_in
    from service.settings import load_settings

    if all_interfaces:
        fill_in({"HOST": "0.0.0.0"})  # noqa: S104 - asked for; judged below
    settings = load_settings()
    # What only the database knows, and what gunicorn really binds, is judged as it starts.
    require_access(judge_access(settings, keeps_short_secrets=True))
    load_rules(settings)
    # gunicorn starts anew without the vendors' secrets, and says so (`service.web.gunicorn_conf`).
    os.execv(_GUNICORN[0], _GUNICORN)  # noqa: S606 - our own command
