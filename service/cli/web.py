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

    It checks the settings and every rule file, and brings the tables up to date. Then gunicorn
    serves in this process, as `gunicorn -c python:service.web.gunicorn_conf` does. Runs need a
    worker beside it. The only vendor that it calls is PagerDuty, as a last resort. It drops the
    other vendors' secrets from its environment when it starts.

    [bold]Refuses to start[/bold] when a rule file has an error (file and line are printed) and the
    database has no earlier rules that were good, or when no sender has a secret. Beyond loopback it
    also refuses to start when OPEN_WEBHOOKS is set, when API_TOKENS is not set, or when a secret
    has fewer than 16 characters.

    [bold]Settings[/bold]: HOST (127.0.0.1), PORT (8080), DATABASE_URL, REDIS_URL, RULES,
    ALERTMANAGER_TOKENS, ALERTMANAGER_BASIC, GRAFANA_TOKENS, GRAFANA_BASIC, API_TOKENS.

    [bold]Example[/bold]

      ALERTMANAGER_TOKENS_FILE=/run/secrets/am HOST=0.0.0.0 runbookd web
    """
    from service.bootstrap.access import judge_access, require_access
    from service.environment import fill_in
    from service.settings import load_settings

    if all_interfaces:
        fill_in({"HOST": "0.0.0.0"})  # noqa: S104 - asked for; judged below
    settings = load_settings()
    # gunicorn judges again when it starts: it then knows the sockets, and the database. It reads
    # the rules then, too: where they have an error, the last good ones are in the database.
    require_access(judge_access(settings, keeps_short_secrets=True))
    # gunicorn restarts itself without the vendors' secrets (`service.web.gunicorn_conf`).
    os.execv(_GUNICORN[0], _GUNICORN)  # noqa: S606 - our own command
