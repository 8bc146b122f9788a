"""Single variables of the environment, for who must not load all settings to know one.

`service.settings` says what there is and checks it. The terminal that only asks a running service
needs an address and a token, and checking all settings takes it longer than the answer.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from service.domain.errors import Told
from service.domain.redaction import Redactor, redactor

HOME = "var"
"""Where everything is kept when RUNBOOKD_HOME is not set."""
SECRETS = frozenset(
    {
        "ALERTMANAGER_BASIC",
        "ALERTMANAGER_TOKENS",
        "API_TOKENS",
        "DIGITALOCEAN_TOKEN",
        "GRAFANA_BASIC",
        "GRAFANA_TOKENS",
        "PAGERDUTY_ROUTING_KEY",
        "PROMETHEUS_TOKEN",
        "RUNBOOKD_TOKEN",
        "SLACK_BOT_TOKEN",
        "SUPABASE_ACCESS_TOKEN",
    }
)
"""The names of our secrets, for who does not load the settings. A secret that is not listed here is
known by the end of its name."""
_SECRET = re.compile(r"_(TOKENS?|BASIC|KEY|SECRET|PASSWORD)$")
"""How the names of others' secrets end."""
_SHORTEST_OF_OTHERS = 8
"""Characters: what is shorter is as likely a word or a number as a secret."""


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a secret."""
    return name in SECRETS or _SECRET.search(name) is not None


class Unreadable(Told):
    """A file that holds a value cannot be used."""


def given(name: str, environment: Mapping[str, str] | None = None) -> str:
    """The value of NAME, or of the file that NAME_FILE names; empty when neither is set.

    Raises:
        Unreadable: the file cannot be read, or holds nothing.
    """
    values = os.environ if environment is None else environment
    if values.get(name):
        return values[name]
    path = values.get(f"{name}_FILE")
    return content(path, f"{name}_FILE names") if path else ""


def content(path: str, who: str) -> str:
    """What a file holds, without blanks around it. `who` begins the sentence when that fails.

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
    """Set what the environment of this process leaves open, under either of its names."""
    for name, value in defaults.items():
        if not os.environ.get(name) and not os.environ.get(f"{name}_FILE"):
            os.environ[name] = value


def home(environment: Mapping[str, str] | None = None) -> Path:
    """RUNBOOKD_HOME, or its default."""
    return Path(given("RUNBOOKD_HOME", environment) or HOME)


def database_url(url: str, directory: Path) -> str:
    """DATABASE_URL, which is `url`, or the SQLite file in a directory."""
    if url:
        # Heroku's and others' own word for it, which SQLAlchemy does not know.
        return re.sub("^postgres://", "postgresql://", url)
    return f"sqlite:///{(directory / 'runbookd.db').resolve()}"


def redactor_by_name(*more: str) -> Redactor:
    """Hides our secrets, and whatever else is a secret or an address by its variable's name; and
    `more` secrets, which came another way."""
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
    """The value of a variable, or what its file holds; empty when that cannot be read."""
    value = os.environ[variable]
    if not variable.endswith("_FILE"):
        return value
    try:
        return Path(value).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
