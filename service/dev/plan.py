"""The plan of a development service: ports, addresses, and the environments of its processes."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path

from service.bootstrap.access import has_webhook_secret, judge_access, require_access
from service.dev.home import DevRefused
from service.settings import Settings


def choose_port(variable: str, host: str, port: int) -> int:
    """The port to listen on, once it is known to be free. For 0, any free port.

    `variable` is the setting that names the port, for the refusal.

    Raises:
        DevRefused: something else listens there, or `host` is no address of this machine.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family) as bound:
            free: int = bound.getsockname()[1]
            return free
    except OSError as error:
        raise DevRefused(_sentence(variable, host, port, error)) from None


def loopback_of(host: str) -> str:
    """The host under which this machine reaches a server that listens on `host`."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not address.is_unspecified:
        return host
    return "127.0.0.1" if address.version == 4 else "::1"  # noqa: PLR2004 - IP's version


def _sentence(variable: str, host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} is in use on {host}, so nothing was started. End what listens there, "
            f"or set {variable} to another port."
        )
    return f"{variable}={port} cannot be listened on at {host} ({error.strerror or error})."


_SANDBOX_IDS = {
    "api_app_id": "app-quizmentor",
    "droplet_id": "101",
    "supabase_project_ref": "quizmentorquizmentor",
}
"""The ids of the sandbox's targets, by the settings that hold them."""


@dataclass(frozen=True, slots=True)
class DevPlan:
    """Where everything will run.

    `open_webhooks` is true when no sender has a secret. `sandbox_given` says that the settings name
    a sandbox that already runs, so none is started. `redis_given` is the address of a Redis that
    already runs, or empty.
    """

    home: Path
    host: str
    port: int
    sandbox_port: int
    sandbox_url: str
    sandbox_given: bool
    redis_given: str
    database_url: str
    open_webhooks: bool
    prometheus_url: str

    @property
    def reach(self) -> str:
        """The host under which this machine reaches the web process."""
        return loopback_of(self.host)

    @property
    def base_url(self) -> str:
        """The address of the web process, for a browser or curl on this machine."""
        host = f"[{self.reach}]" if ":" in self.reach else self.reach
        return f"http://{host}:{self.port}"


def with_sandbox_ids(settings: Settings) -> Settings:
    """The settings, with the ids of the sandbox's targets where they are not set."""
    missing = {name: value for name, value in _SANDBOX_IDS.items() if not getattr(settings, name)}
    return settings.model_copy(update=missing)


def make_plan(settings: Settings, home: Path) -> DevPlan:
    """Choose the ports and fill in what the settings leave out.

    Raises:
        DevRefused: a port is in use.
        SettingsInvalid: anybody outside this machine could post alerts.
    """
    open_webhooks = not has_webhook_secret(settings)
    taken = settings.model_copy(update={"open_webhooks": open_webhooks})
    require_access(judge_access(taken, keeps_short_secrets=True))
    given = bool(settings.sandbox_url)
    port = choose_port("PORT", settings.host, settings.port)
    sandbox_port = 0 if given else choose_port("SANDBOX_PORT", "127.0.0.1", settings.sandbox_port)
    return DevPlan(
        home=home,
        host=settings.host,
        port=port,
        sandbox_port=sandbox_port,
        sandbox_url=settings.sandbox_url or f"http://127.0.0.1:{sandbox_port}",
        sandbox_given=given,
        redis_given=settings.redis_url,
        database_url=settings.effective_database_url,
        open_webhooks=open_webhooks,
        prometheus_url=settings.prometheus_url,
    )


def environment(plan: DevPlan, settings: Settings, redis_url: str) -> dict[str, str]:
    """The variables of the child processes, beside those of this process."""
    forced = {
        "RUNBOOKD_HOME": str(plan.home),
        "HOST": plan.host,
        "PORT": str(plan.port),
        "SANDBOX_HOST": "127.0.0.1",
        "SANDBOX_PORT": str(plan.sandbox_port),
        "SANDBOX_URL": plan.sandbox_url,
        "REDIS_URL": redis_url,
        "DATABASE_URL": plan.database_url,
        "LOG_FORMAT": "console",
        "PYTHONUNBUFFERED": "1",
    }
    if plan.open_webhooks:
        forced["OPEN_WEBHOOKS"] = "1"
    return {**_target_ids(settings), **forced}


def shared_with_terminals(plan: DevPlan, settings: Settings, redis_url: str) -> dict[str, str]:
    """The variables for commands in a second terminal, which may set others."""
    return {
        **_target_ids(settings),
        "PORT": str(plan.port),
        "SANDBOX_PORT": str(plan.sandbox_port),
        "SANDBOX_URL": plan.sandbox_url,
        **({"OPEN_WEBHOOKS": "1"} if plan.open_webhooks else {}),
        **({} if plan.redis_given else {"REDIS_URL": redis_url}),
    }


def _target_ids(settings: Settings) -> dict[str, str]:
    return {
        "API_APP_ID": settings.api_app_id,
        "DROPLET_ID": settings.droplet_id,
        "SUPABASE_PROJECT_REF": settings.supabase_project_ref,
    }
