"""Reads single variables of the environment, without loading all settings.

`service.settings` declares and checks all settings. A command that only asks a running service
needs an address and a token. Checking all settings would take it longer than the answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from service.domain.errors import Told
from service.domain.redaction import Redactor, redactor

HOME = "var"
"""The default of RUNBOOKD_HOME."""
SECRETS = frozenset(
    {
        "ALERTMANAGER_BASIC",
        "ALERTMANAGER_TOKENS",
        "API_TOKENS",
        "APP_CACHE_URL",
        "APP_DATABASE_URL",
        "CACHE_CLUSTER_URLS",
        "CLOUDFLARE_API_TOKEN",
        "DIGITALOCEAN_TOKEN",
        "GRAFANA_BASIC",
        "GRAFANA_TOKENS",
        "HEARTBEAT_URL",
        "PAGERDUTY_ROUTING_KEY",
        "PROMETHEUS_TOKEN",
        "RUNBOOKD_TOKEN",
        "SANDBOX_DATABASE_URL",
        "SLACK_BOT_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SPACES_KEY",
        "SPACES_SECRET",
        "SUPABASE_ACCESS_TOKEN",
        "SUPABASE_SQL_URL",
    }
)
"""The settings that hold secrets; a test compares them with `service.settings`. A variable that is
not listed counts as a secret if its name ends like one."""
_SECRET = re.compile(r"_(TOKENS?|BASIC|KEY|SECRET|PASSWORD)$")
"""How the names of other variables with secrets end."""
_SHORTEST_OF_OTHERS = 8
"""Characters. A shorter value of another program's variable is as likely a word or a number as a
secret, and hiding it would make output unreadable."""


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return name in SECRETS or _SECRET.search(name) is not None


class Unreadable(Told):
    """A file with the value of a setting cannot be used."""


def given(name: str, environment: Mapping[str, str] | None = None) -> str:
    """The value of NAME, or the content of the file in NAME_FILE. Empty if neither is set.

    Raises:
        Unreadable: the file cannot be read, or holds nothing.
    """
    values = os.environ if environment is None else environment
    if values.get(name):
        return values[name]
    path = values.get(f"{name}_FILE")
    return content(path, f"{name}_FILE names") if path else ""


def content(path: str, who: str) -> str:
    """The content of a file without blanks around it. `who` begins the sentence of an error.

    Raises:
        Unreadable: it cannot be read, or holds nothing.
    """
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Unreadable(f"{who} {path}, which cannot be read: {why}") from None
    if not text:
        raise Unreadable(f"{who} {path}, which is empty")
    return text


def fill_in(defaults: Mapping[str, str]) -> None:
    """Set the variables that this process has neither as NAME nor as NAME_FILE."""
    for name, value in defaults.items():
        if not os.environ.get(name) and not os.environ.get(f"{name}_FILE"):
            os.environ[name] = value


def home(environment: Mapping[str, str] | None = None) -> Path:
    """RUNBOOKD_HOME, or its default."""
    return Path(given("RUNBOOKD_HOME", environment) or HOME)


def database_url(url: str, directory: Path) -> str:
    """`url`, the value of DATABASE_URL. If it is empty, the SQLite file in `directory`."""
    if url:
        # Heroku and others write postgres://, which SQLAlchemy does not know.
        return re.sub("^postgres://", "postgresql://", url)
    return f"sqlite:///{(directory / 'runbookd.db').resolve()}"


def redactor_by_name(*more: str) -> Redactor:
    """A function that hides the secrets and passwords of this process's environment.

    A variable counts as a secret or an address by its name. `more` are secrets from elsewhere.
    """
    secrets = {*more} - {""}
    addresses: set[str] = set()
    for variable in os.environ:
        name = variable.removesuffix("_FILE")
        if is_secret(name):
            parts = [part.strip() for part in _raw(variable).split(",")]
            behind = [part.partition(":")[2] for part in parts]
            further = [part.partition(":")[2] for part in behind]  # name:role:secret
            values = {*parts, *behind, *further, _raw(variable).strip()}
            shortest = 1 if name in SECRETS else _SHORTEST_OF_OTHERS
            secrets.update(value for value in values if len(value) >= shortest)
        elif name.endswith("_URL"):
            addresses.add(_raw(variable))
    return redactor(secrets, addresses - {""})


def _raw(variable: str) -> str:
    """The value of a variable, or the content of its file. Empty if it cannot be read."""
    value = os.environ[variable]
    if not variable.endswith("_FILE"):
        return value
    try:
        return Path(value).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
