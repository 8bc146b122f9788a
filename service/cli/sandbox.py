"""`runbookd sandbox`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from service.cli.output import fail

if TYPE_CHECKING:
    from service.sandbox.config import SandboxConfig
    from service.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command("sandbox")
def sandbox() -> None:
    """Stand in for DigitalOcean, Supabase, PagerDuty and Slack, for the real SDKs over real HTTP.

    Its state is in memory: an app with 2 instances, a droplet, a database, and a simulated
    QuizMentor whose load can be set. Set SANDBOX_URL so that a worker uses it.

    [bold]Control[/bold]: GET /_sandbox/state, GET /_sandbox/calls, POST /_sandbox/load,
    POST /_sandbox/faults, POST /_sandbox/reset; /metrics for Prometheus.

    [bold]Settings[/bold]: SANDBOX_PORT (8090), SANDBOX_HOST (127.0.0.1), SANDBOX_RATE_LIMITS,
    SANDBOX_ACTION_SECONDS (1), SANDBOX_DATABASE_URL; API_APP_ID, DROPLET_ID and
    SUPABASE_PROJECT_REF set the ids in it.

    [bold]Example[/bold]

      SANDBOX_ACTION_SECONDS=10 runbookd sandbox
    """
    from service.sandbox.server import serve
    from service.settings import load_settings

    settings = load_settings()
    where = f"{settings.sandbox_host}:{settings.sandbox_port}"
    try:
        serve(config_of(settings), settings.sandbox_host, settings.sandbox_port)
    except OSError as error:
        fail(f"The sandbox cannot listen on {where} ({error.strerror}): set SANDBOX_PORT.")


def config_of(settings: Settings) -> SandboxConfig:
    """The sandbox's configuration, with the ids of the targets from the settings.

    Raises:
        SettingsInvalid: DROPLET_ID is no number, or SANDBOX_DATABASE_URL leads to another machine.
    """
    from service.sandbox.config import SandboxConfig
    from service.settings import SettingsInvalid

    default = SandboxConfig()
    droplet = settings.droplet_id or str(default.droplet_id)
    if not droplet.isascii() or not droplet.isdecimal():
        raise SettingsInvalid((f"DROPLET_ID={droplet} must be a number, as DigitalOcean's are.",))
    return SandboxConfig(
        action_seconds=settings.sandbox_action_seconds,
        rate_limits=settings.sandbox_rate_limits,
        app_id=settings.api_app_id or default.app_id,
        droplet_id=int(droplet),
        supabase_ref=settings.supabase_project_ref or default.supabase_ref,
        database_url=_real_database(settings),
        slack_signing_secret=settings.slack_signing_secret.get_secret_value(),
        slack_requests_to=settings.runbookd_url or f"http://127.0.0.1:{settings.port}",
    )


def _real_database(settings: Settings) -> str:
    from service.sandbox.supabase.sql import RealDatabase
    from service.settings import SettingsInvalid

    url = settings.sandbox_database_url.get_secret_value()
    try:
        return RealDatabase(url).url if url else ""
    except ValueError as error:
        raise SettingsInvalid((str(error),)) from None
