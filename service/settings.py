"""Every setting, in one place: the only module that reads the environment.

Each `NAME` may also be given as `NAME_FILE`, the path of a file that holds the value, as
container platforms mount secrets. README.md lists them all; a test holds the two equal.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from service.domain.alerts.episodes import REFIRE_GRACE_S
from service.domain.errors import Told
from service.domain.redaction import Redactor, redactor, shown_address
from service.environment import HOME, Unreadable, content, database_url

Names = tuple[str, ...]
"""Several values in one variable, separated by commas."""
Secrets = tuple[SecretStr, ...]
"""Several secrets at once, separated by commas, so that one can be replaced by another."""


ACCESS_SECRETS = frozenset(
    {"ALERTMANAGER_TOKENS", "ALERTMANAGER_BASIC", "GRAFANA_TOKENS", "GRAFANA_BASIC", "API_TOKENS"}
)
"""Settings that let somebody in: set to nothing is a mistake, and never means "open"."""
PAGER_SECRET = "PAGERDUTY_ROUTING_KEY"  # noqa: S105 - a name
_PREFIX = "RUNBOOKD_"
_OF_OTHERS = frozenset({"WEB_CONCURRENCY"})
"""Heroku sets it for every web process, and it looks like WORKER_CONCURRENCY."""
_NEAR = 0.8
"""How alike a misspelt name is (difflib): API_TOKEN is 0.95 like API_TOKENS, SLACK_TOKEN 0.85 like
SLACK_BOT_TOKEN; HOSTNAME, which every shell sets, is 0.67 like HOST."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESSES = frozenset({"DATABASE_URL", "REDIS_URL", "PROMETHEUS_URL", "RUNBOOKD_URL"})
"""Settings whose value may carry a password without being a secret as a whole."""


class SettingsInvalid(Told):
    """The environment cannot be used; one sentence for each variable."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__(sentences)
        self.sentences = sentences

    def __str__(self) -> str:
        """All of them, a line each."""
        return "\n".join(self.sentences)


class Settings(BaseModel):
    """The settings of one process. Defaults are those of `runbookd dev`."""

    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=True)

    runbookd_home: Path = Field(Path(HOME), alias="RUNBOOKD_HOME")
    """Where everything that must survive a restart is kept when there is no DATABASE_URL."""
    database_url: str = Field("", alias="DATABASE_URL")
    """`postgresql://…` or `sqlite:////…`; default: a SQLite file in RUNBOOKD_HOME."""
    redis_url: str = Field("", alias="REDIS_URL")
    """`redis://…`; empty: decisions are made on SQL alone, and say so."""
    redis_timeout_s: float = Field(0.1, alias="REDIS_TIMEOUT_S", gt=0)
    """Seconds to wait for Redis before going on without it."""

    host: str = Field("127.0.0.1", alias="HOST")
    port: int = Field(8080, alias="PORT", ge=0, le=65535)
    web_workers: int = Field(1, alias="WEB_WORKERS", ge=1)
    """Web processes; one is fastest on SQLite, two or more on PostgreSQL."""
    web_threads: int = Field(8, alias="WEB_THREADS", ge=1)
    """Threads of one web process for reads."""
    max_body_bytes: int = Field(16 * 1024 * 1024, alias="MAX_BODY_BYTES", gt=0)
    """Largest notification, in bytes; larger ones are answered 413."""
    open_webhooks: bool = Field(default=False, alias="OPEN_WEBHOOKS")
    """Take alerts without authentication; `runbookd dev` sets it, on loopback only."""
    alertmanager_tokens: Secrets = Field((), alias="ALERTMANAGER_TOKENS")
    """`name:secret` or a secret alone, comma-separated (`service.domain.credentials`)."""
    alertmanager_basic: Secrets = Field((), alias="ALERTMANAGER_BASIC")
    """`user:password`, comma-separated; the user is the credential's name."""
    grafana_tokens: Secrets = Field((), alias="GRAFANA_TOKENS")
    grafana_basic: Secrets = Field((), alias="GRAFANA_BASIC")
    api_tokens: Secrets = Field((), alias="API_TOKENS")
    """Bearer tokens for the read API, /metrics and the details of /readyz. None: open, which is
    for loopback only."""

    rules: Names = Field(("rules/quizmentor.yml",), alias="RULES")
    """Rule files, comma-separated, in order."""
    rules_env: Names = Field((), alias="RULES_ENV")
    """Variables that rule files may use as `${NAME}`, comma-separated, beside the targets' own ids.
    Nothing else is allowed, because what a rule says is shown, logged and sent to Slack."""
    refire_grace_s: float = Field(REFIRE_GRACE_S, alias="REFIRE_GRACE_S", ge=0)
    """Seconds after a resolve within which firing again is the same incident."""

    snapshot_keep_days: float = Field(7.0, alias="SNAPSHOT_KEEP_DAYS", ge=1, le=3650)
    """Days that the snapshot of a verified resize is kept before it is deleted: the vendor bills
    it. Only runbookd's own snapshots are deleted."""
    worker_lease_s: float = Field(15.0, alias="WORKER_LEASE_S", ge=1)
    """Seconds without a sign of life after which a worker's runs are taken over; longer than the
    longest vendor time-out (10 s)."""
    worker_poll_s: float = Field(5.0, alias="WORKER_POLL_S", gt=0)
    """Seconds between looks at a queue when nobody has told the worker that something waits."""
    worker_concurrency: int = Field(16, alias="WORKER_CONCURRENCY", ge=1)
    """Runs that one worker executes at a time, on different resources."""

    sandbox_url: str = Field("", alias="SANDBOX_URL")
    """Set: every vendor client talks to the sandbox there and needs no real token."""
    sandbox_host: str = Field("127.0.0.1", alias="SANDBOX_HOST")
    sandbox_port: int = Field(8090, alias="SANDBOX_PORT", ge=0, le=65535)
    sandbox_action_seconds: float = Field(1.0, alias="SANDBOX_ACTION_SECONDS", ge=0)
    """How long the sandbox's deployments, droplet actions and resizes take, in seconds."""
    sandbox_rate_limits: bool = Field(default=True, alias="SANDBOX_RATE_LIMITS")

    api_app_id: str = Field("", alias="API_APP_ID")
    droplet_id: str = Field("", alias="DROPLET_ID")
    supabase_project_ref: str = Field("", alias="SUPABASE_PROJECT_REF")
    digitalocean_token: SecretStr = Field(SecretStr(""), alias="DIGITALOCEAN_TOKEN")
    supabase_token: SecretStr = Field(SecretStr(""), alias="SUPABASE_ACCESS_TOKEN")
    pagerduty_routing_key: SecretStr = Field(SecretStr(""), alias="PAGERDUTY_ROUTING_KEY")
    slack_token: SecretStr = Field(SecretStr(""), alias="SLACK_BOT_TOKEN")
    slack_channel: str = Field("#ops", alias="SLACK_CHANNEL")
    prometheus_url: str = Field("", alias="PROMETHEUS_URL")
    """Asked by investigate; empty: it says what could not be looked up."""
    prometheus_token: SecretStr = Field(SecretStr(""), alias="PROMETHEUS_TOKEN")
    """Bearer token for a Prometheus that wants one."""

    runbookd_url: str = Field("", alias="RUNBOOKD_URL")
    """The service that the terminal asks; empty: it reads the local store."""
    runbookd_token: SecretStr = Field(SecretStr(""), alias="RUNBOOKD_TOKEN")
    """The terminal's token for that service, one of its API_TOKENS."""

    log_level: str = Field("info", alias="LOG_LEVEL")
    log_format: Literal["auto", "json", "console"] = Field("auto", alias="LOG_FORMAT")
    """`json` for machines, `console` for people; `auto` is console on a terminal, else json."""

    @field_validator(
        "alertmanager_tokens",
        "alertmanager_basic",
        "grafana_tokens",
        "grafana_basic",
        "api_tokens",
        "rules",
        "rules_env",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            parts = tuple(part.strip() for part in value.split(",") if part.strip())
            if not parts:
                raise ValueError("it is set and holds nothing; give it a value, or unset it")
            return parts
        return value

    @field_validator("alertmanager_basic", "grafana_basic")
    @classmethod
    def _pairs(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(_is_pair(secret.get_secret_value()) for secret in value):
            raise ValueError("each entry must be user:password, and neither may be empty")
        return value

    @field_validator("rules_env")
    @classmethod
    def _no_secrets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _VARIABLE.fullmatch(name):
                raise ValueError(f"{name!r} is not a variable's name: letters, digits and _")
            if name in SECRETS or name in _ADDRESSES:
                raise ValueError(
                    f"{name} may hold a secret, and what a rule file says is shown to people; "
                    "take it out of RULES_ENV and out of the rule files"
                )
        return value

    def secret(self, variable: str) -> SecretStr:
        """The secret of that environment variable; empty when it is not set."""
        fields = type(self).model_fields.items()
        (attribute,) = (name for name, field in fields if field.alias == variable)
        secret: SecretStr = getattr(self, attribute)
        return secret

    @property
    def effective_database_url(self) -> str:
        """DATABASE_URL, or the SQLite file in RUNBOOKD_HOME."""
        return database_url(self.database_url, self.runbookd_home)


VENDOR_SECRETS = frozenset(
    field.alias
    for field in Settings.model_fields.values()
    if field.annotation is SecretStr and field.alias and field.alias != PAGER_SECRET
)
"""What web does not need: the vendors' secrets, which only a worker needs, and the terminal's own
token. The pager's key is not among them: web pages as a last resort."""
SECRETS = ACCESS_SECRETS | VENDOR_SECRETS | {PAGER_SECRET}


def load_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings from `environment` (default: the process's own).

    Raises:
        SettingsInvalid: a variable has a value that cannot be used.
    """
    given = os.environ if environment is None else environment
    try:
        return Settings(**_values(given))
    except ValidationError as error:
        raise SettingsInvalid(tuple(_sentence(each) for each in error.errors())) from None


def rule_variables(
    settings: Settings, environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What `${NAME}` in a rule file may refer to: the targets' own ids and what RULES_ENV lists.

    The value of a variable that is not set is empty.
    """
    given = os.environ if environment is None else environment
    return {
        **{name: given.get(name, "") for name in settings.rules_env},
        "API_APP_ID": settings.api_app_id,
        "DROPLET_ID": settings.droplet_id,
        "SUPABASE_PROJECT_REF": settings.supabase_project_ref,
    }


@dataclass(frozen=True, slots=True)
class Given:
    """Where one setting's value comes from, for `runbookd doctor`.

    `origin` is the variable that was read (NAME or NAME_FILE), or empty for the default. `shown`
    is the value for a person: never a secret's, and an address without user and query.
    """

    name: str
    origin: str
    shown: str


def where_given(environment: Mapping[str, str] | None = None) -> tuple[Given, ...]:
    """Every setting, in the order in which they are declared.

    Raises:
        SettingsInvalid: a variable has a value that cannot be used.
    """
    given = os.environ if environment is None else environment
    settings = load_settings(given)
    return tuple(
        Given(field.alias, _origin(field.alias, given), _shown(field.alias, settings, attribute))
        for attribute, field in Settings.model_fields.items()
        if field.alias
    )


def redactor_of(environment: Mapping[str, str] | None = None) -> Redactor:
    """Hides all secrets of the settings, also of settings that cannot be used."""
    given = os.environ if environment is None else environment
    secrets: set[str] = set()
    addresses: set[str] = set()
    for name in setting_names():
        value = _raw(name, given)
        if name in SECRETS:
            parts = [part.strip() for part in value.split(",")]
            named = [rest for part in parts for rest in _behind_colons(part)]
            secrets.update(parts, named, {value.strip()})
        elif name.endswith("_URL"):
            addresses.add(value)
    return redactor(secrets, addresses)


def child_environment(
    overrides: Mapping[str, str], withheld: Collection[str] = ()
) -> dict[str, str]:
    """The environment for a process of ours: this one's, without the settings `withheld` in any
    form, and with `overrides` put in."""
    kept = {name: value for name, value in os.environ.items() if _bare(name) not in withheld}
    return {**kept, **overrides}


def given_of(names: Collection[str]) -> tuple[str, ...]:
    """Which variables of this process give one of these settings, by name or by file."""
    return tuple(
        sorted(name for name, value in os.environ.items() if value and _bare(name) in names)
    )


def setting_names() -> tuple[str, ...]:
    """The environment variables that are read, without their `_FILE` forms."""
    return tuple(field.alias for field in Settings.model_fields.values() if field.alias)


def misspelt(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """A sentence for each variable whose name looks like a setting's and is none.

    Platforms set names of their own that look like ours (REDIS_TLS_URL beside REDIS_URL); so one is
    told only while the setting that it looks like is not given.
    """
    given = os.environ if environment is None else environment
    ours = setting_names()
    known = {*ours, *(f"{name}_FILE" for name in ours), *_OF_OTHERS}
    return tuple(
        f"{name} is not a setting; did you mean {meant}?"
        for name in sorted(given.keys() - known)
        if (meant := _meant(name, ours)) and not given.get(meant)
    )


def _bare(name: str) -> str:
    return name.removesuffix("_FILE")


def _meant(name: str, ours: tuple[str, ...]) -> str:
    """The setting that a variable's name comes near to; empty when it comes near to none."""
    bare = _bare(name)
    ending = name[len(bare) :]
    if bare.startswith(_PREFIX):
        return _meant_of_ours(bare.removeprefix(_PREFIX), ending, ours)
    near = difflib.get_close_matches(bare, ours, n=1, cutoff=_NEAR)
    return near[0] + ending if near else ""


def _meant_of_ours(rest: str, ending: str, ours: tuple[str, ...]) -> str:
    """The same for a name with our prefix, which is compared without it: it makes all alike."""
    if rest in ours:
        return rest + ending
    rests = [name.removeprefix(_PREFIX) for name in ours if name.startswith(_PREFIX)]
    near = difflib.get_close_matches(rest, rests, n=1, cutoff=_NEAR)
    return f"{_PREFIX}{near[0]}{ending}" if near else "one of those in README.md"


def _behind_colons(text: str) -> tuple[str, str]:
    """What is secret of `user:password`, and of `name:role:secret`."""
    rest = text.partition(":")[2]
    return rest, rest.partition(":")[2]


def _is_pair(text: str) -> bool:
    user, _, password = text.partition(":")
    return bool(user and password)


def _raw(name: str, given: Mapping[str, str]) -> str:
    """What is given for a setting, used or not; empty when it cannot be read."""
    if given.get(name):
        return given[name]
    try:
        return Path(given.get(f"{name}_FILE", "")).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _origin(name: str, given: Mapping[str, str]) -> str:
    return next((each for each in (name, f"{name}_FILE") if given.get(each)), "")


def _shown(name: str, settings: Settings, attribute: str) -> str:
    """A setting's value as text; of secrets only whether and how many there are."""
    value = getattr(settings, attribute)
    if isinstance(value, SecretStr):
        return "set" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        if any(isinstance(each, SecretStr) for each in value):
            return "set" if len(value) == 1 else f"{len(value)} of them"
        return ", ".join(str(each) for each in value)
    return shown_address(str(value)) if name.endswith("_URL") else str(value)


def _values(given: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in setting_names():
        if given.get(name):
            values[name] = given[name]
        elif path := given.get(f"{name}_FILE"):
            values[name] = _content(name, path)
        elif name in given and name in ACCESS_SECRETS:
            values[name] = ""
    return values


def _content(name: str, path: str) -> str:
    try:
        return content(path, f"{name}_FILE names")
    except Unreadable as unreadable:
        raise SettingsInvalid((str(unreadable),)) from None


def _sentence(error: Any) -> str:
    name = ".".join(str(part) for part in error["loc"])
    return f"{name}: {error['msg']}"
