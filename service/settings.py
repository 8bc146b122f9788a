"""Every setting. Only this module and `service.environment` read the environment.

Each `NAME` may also be given as `NAME_FILE`, the path of a file with the value, because container
platforms mount secrets as files. README.md lists all settings, and a test compares the two.
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
"""Several secrets in one variable, separated by commas, so that one can replace another."""

ACCESS_SECRETS = frozenset(
    {"ALERTMANAGER_TOKENS", "ALERTMANAGER_BASIC", "GRAFANA_TOKENS", "GRAFANA_BASIC", "API_TOKENS"}
)
"""Settings that let somebody in. An empty value is refused as a mistake; it never means "open"."""
PAGER_SECRET = "PAGERDUTY_ROUTING_KEY"  # noqa: S105 - a name
SIGNING_SECRET = "SLACK_SIGNING_SECRET"  # noqa: S105 - a name
_OF_WEB_TOO = frozenset({PAGER_SECRET, SIGNING_SECRET})
_PREFIX = "RUNBOOKD_"
_OF_OTHERS = frozenset({"WEB_CONCURRENCY"})
"""Heroku sets it for every web process, and it looks like WORKER_CONCURRENCY."""
_NEAR = 0.8
"""The similarity (difflib) above which a name counts as misspelt. API_TOKEN and API_TOKENS have
0.95, SLACK_TOKEN and SLACK_BOT_TOKEN 0.85. HOSTNAME, which every shell sets, and HOST have 0.67."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ADDRESSES = frozenset({"DATABASE_URL", "REDIS_URL", "PROMETHEUS_URL", "RUNBOOKD_URL"})
"""Settings whose value may carry a password without being a secret as a whole."""


class SettingsInvalid(Told):
    """The settings cannot be used. There is one sentence for each fault."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__(sentences)
        self.sentences = sentences

    def __str__(self) -> str:
        """All sentences, one a line."""
        return "\n".join(self.sentences)


class Settings(BaseModel):
    """The settings of one process. Defaults are those of `runbookd dev`."""

    model_config = ConfigDict(extra="ignore", frozen=True, validate_default=True)

    runbookd_home: Path = Field(Path(HOME), alias="RUNBOOKD_HOME")
    """The directory for everything that must survive a restart. With DATABASE_URL, the database is
    elsewhere."""
    database_url: str = Field("", alias="DATABASE_URL")
    """`postgresql://…` or `sqlite:////…`; default: a SQLite file in RUNBOOKD_HOME."""
    redis_url: str = Field("", alias="REDIS_URL")
    """`redis://…`. Empty: decisions are made on SQL alone."""
    redis_timeout_s: float = Field(0.1, alias="REDIS_TIMEOUT_S", gt=0)
    """Seconds to wait for Redis before going on without it."""

    host: str = Field("127.0.0.1", alias="HOST")
    """The host on which the web process listens. The default is this machine alone."""
    port: int = Field(8080, alias="PORT", ge=0, le=65535)
    """The port on which the web process listens."""
    web_workers: int = Field(1, alias="WEB_WORKERS", ge=1)
    """Web processes. One is fastest on SQLite, two or more on PostgreSQL."""
    web_threads: int = Field(8, alias="WEB_THREADS", ge=1)
    """Threads of one web process for the read API."""
    max_body_bytes: int = Field(16 * 1024 * 1024, alias="MAX_BODY_BYTES", gt=0)
    """The largest notification in bytes. Larger ones are answered 413."""
    open_webhooks: bool = Field(default=False, alias="OPEN_WEBHOOKS")
    """Take alerts without authentication, on loopback only. `runbookd dev` sets it."""
    alertmanager_tokens: Secrets = Field((), alias="ALERTMANAGER_TOKENS")
    """`name:secret` or a secret alone, comma-separated (`service.domain.credentials`)."""
    alertmanager_basic: Secrets = Field((), alias="ALERTMANAGER_BASIC")
    """`user:password`, comma-separated. The user is the credential's name."""
    grafana_tokens: Secrets = Field((), alias="GRAFANA_TOKENS")
    """As ALERTMANAGER_TOKENS."""
    grafana_basic: Secrets = Field((), alias="GRAFANA_BASIC")
    """As ALERTMANAGER_BASIC."""
    api_tokens: Secrets = Field((), alias="API_TOKENS")
    """Bearer tokens for the API, /metrics and the details of /readyz. Without any, whoever is on
    this machine may read, on loopback only. Changes then take a stored token, but in open mode
    none."""

    rules: Names = Field(("rules/quizmentor.yml",), alias="RULES")
    """Rule files, comma-separated, in order."""
    rules_env: Names = Field((), alias="RULES_ENV")
    """Variables that rule files may use as `${NAME}` beside the targets' ids, comma-separated. No
    others are allowed, because the text of a rule is shown, logged and sent to Slack."""
    refire_grace_s: float = Field(REFIRE_GRACE_S, alias="REFIRE_GRACE_S", ge=0)
    """Seconds after a resolve in which firing again is the same episode."""

    snapshot_keep_days: float = Field(7.0, alias="SNAPSHOT_KEEP_DAYS", ge=1, le=3650)
    """Days after which the snapshot of a verified resize is deleted, because the vendor bills it.
    Only runbookd's own snapshots are deleted."""
    readings_hours_days: float = Field(35.0, alias="READINGS_HOURS_DAYS", ge=15, le=3650)
    """Days for which readings of hours are kept. Missing hours are asked for up to 14 days back, so
    it must be longer."""
    readings_days: float = Field(800.0, alias="READINGS_DAYS", ge=35, le=36500)
    """Days for which readings of days are kept: two years and a little, so that a month can be
    compared with those of the years before."""
    worker_lease_s: float = Field(15.0, alias="WORKER_LEASE_S", ge=1)
    """Seconds of a worker's lease. After that, another worker adopts its runs. It must be longer
    than the longest vendor time-out (10 s)."""
    worker_poll_s: float = Field(5.0, alias="WORKER_POLL_S", gt=0)
    """Seconds between looks at the queue. A worker is woken when a run is queued, so this only
    bounds how much a lost wake-up costs."""
    worker_concurrency: int = Field(16, alias="WORKER_CONCURRENCY", ge=1)
    """Runs that one worker executes at a time, each on another resource."""

    sandbox_url: str = Field("", alias="SANDBOX_URL")
    """The sandbox's address. If it is set, every vendor client uses the sandbox and needs no
    token."""
    sandbox_host: str = Field("127.0.0.1", alias="SANDBOX_HOST")
    """The host on which `runbookd sandbox` listens."""
    sandbox_port: int = Field(8090, alias="SANDBOX_PORT", ge=0, le=65535)
    """The port on which `runbookd sandbox` listens."""
    sandbox_action_seconds: float = Field(1.0, alias="SANDBOX_ACTION_SECONDS", ge=0)
    """Seconds that the sandbox's deployments, droplet actions and resizes take."""
    sandbox_rate_limits: bool = Field(default=True, alias="SANDBOX_RATE_LIMITS")
    """Whether the sandbox answers 429 as the vendors do."""
    sandbox_database_url: SecretStr = Field(SecretStr(""), alias="SANDBOX_DATABASE_URL")
    """`postgresql://…` on this machine: it answers what Supabase's query operation is asked in the
    sandbox."""

    api_app_id: str = Field("", alias="API_APP_ID")
    """The App Platform app of the shipped rules. The sandbox uses these ids too."""
    droplet_id: str = Field("", alias="DROPLET_ID")
    """The droplet of the shipped rules, a number."""
    supabase_project_ref: str = Field("", alias="SUPABASE_PROJECT_REF")
    """The Supabase project of the shipped rules."""
    digitalocean_token: SecretStr = Field(SecretStr(""), alias="DIGITALOCEAN_TOKEN")
    supabase_token: SecretStr = Field(SecretStr(""), alias="SUPABASE_ACCESS_TOKEN")
    supabase_sql_url: SecretStr = Field(SecretStr(""), alias="SUPABASE_SQL_URL")
    """How a project's databases are reached over SQL, such as
    `postgresql://{user}:PASSWORD@{host}:5432/postgres?sslmode=require`. Supabase names host and
    user of each. Only `set_replicas` needs it. Empty: it is held."""
    cloudflare_token: SecretStr = Field(SecretStr(""), alias="CLOUDFLARE_API_TOKEN")
    """A token for the zones among the targets, never the global key."""
    app_database_url: SecretStr = Field(SecretStr(""), alias="APP_DATABASE_URL")
    """`postgresql://…`: the application's own database, never the one that runbookd keeps its state
    in. It is a secret as a whole, because it holds a password. Targets of kind app_database are off
    until it is given."""
    app_cache_url: SecretStr = Field(SecretStr(""), alias="APP_CACHE_URL")
    """`redis://…` or `rediss://…`: the application's own Redis or Valkey, never the one of
    REDIS_URL. It is a secret as a whole, because it holds a password. Targets of kind cache are off
    until it is given."""
    cache_cluster_urls: SecretStr = Field(SecretStr(""), alias="CACHE_CLUSTER_URLS")
    """`redis://…` or `rediss://…` of every node of a Valkey or Redis cluster that you run, parted
    by spaces. It is a secret as a whole, because it holds passwords. Targets of kind valkey_cluster
    are off until it is given."""
    spaces_key: SecretStr = Field(SecretStr(""), alias="SPACES_KEY")
    """The id of a key of Spaces, or of another store that speaks S3, with which objects are put."""
    spaces_secret: SecretStr = Field(SecretStr(""), alias="SPACES_SECRET")
    """The secret that belongs to SPACES_KEY. Targets of kind bucket are off until both are
    given."""
    pagerduty_routing_key: SecretStr = Field(SecretStr(""), alias="PAGERDUTY_ROUTING_KEY")
    """An integration key of Events v2. Web and worker both need it."""
    slack_token: SecretStr = Field(SecretStr(""), alias="SLACK_BOT_TOKEN")
    """A bot's token with the scope `chat:write`."""
    slack_channel: str = Field("#ops", alias="SLACK_CHANNEL")
    """Where the bot posts: a channel's name or id."""
    slack_signing_secret: SecretStr = Field(SecretStr(""), alias="SLACK_SIGNING_SECRET")
    """By which Slack signs the buttons that people press. Web and worker both need it. Empty: no
    message has buttons."""
    slack_people: Names = Field((), alias="SLACK_PEOPLE")
    """Who may press: `U012ABC=anna:approver+finance`, comma-separated. The id is Slack's, then come
    the person's name, roles and groups as in API_TOKENS."""
    prometheus_url: str = Field("", alias="PROMETHEUS_URL")
    """The Prometheus that the action investigate queries. Empty: the action says what it could not
    look up."""
    prometheus_token: SecretStr = Field(SecretStr(""), alias="PROMETHEUS_TOKEN")
    """The bearer token for a Prometheus behind authentication."""

    heartbeat_url: SecretStr = Field(SecretStr(""), alias="HEARTBEAT_URL")
    """An address that one of the workers calls each minute while all is well: a check of a service
    that wakes people when it is not called. It is a secret as a whole, because whoever knows it can
    say that all is well."""

    nginx_command: str = Field("nginx", alias="NGINX_COMMAND", min_length=1)
    """How nginx is called on this machine, in words without a shell: `sudo -n /usr/sbin/nginx` for
    a worker that is not root."""

    runbookd_url: str = Field("", alias="RUNBOOKD_URL")
    """The service that the terminal asks. Empty: it reads the local store."""
    runbookd_token: SecretStr = Field(SecretStr(""), alias="RUNBOOKD_TOKEN")
    """The terminal's token for that service, one of its API_TOKENS."""

    log_level: str = Field("info", alias="LOG_LEVEL")
    """debug, info, warning or error."""
    log_format: Literal["auto", "json", "console"] = Field("auto", alias="LOG_FORMAT")
    """`json` for machines, `console` for people. `auto` is console on a terminal, and json
    elsewhere."""

    @field_validator(
        "alertmanager_tokens",
        "alertmanager_basic",
        "grafana_tokens",
        "grafana_basic",
        "api_tokens",
        "rules",
        "rules_env",
        "slack_people",
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

    @field_validator("heartbeat_url")
    @classmethod
    def _is_address(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not re.match(r"https?://[^\s/]+", value.get_secret_value()):
            raise ValueError("it must be an address that begins with http:// or https://")
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
        """The secret in that environment variable. Empty if it is not set."""
        fields = type(self).model_fields.items()
        (attribute,) = (name for name, field in fields if field.alias == variable)
        secret: SecretStr = getattr(self, attribute)
        return secret

    @property
    def nginx_words(self) -> list[str]:
        """NGINX_COMMAND, word by word."""
        return self.nginx_command.split()

    @property
    def effective_database_url(self) -> str:
        """DATABASE_URL, or the SQLite file in RUNBOOKD_HOME."""
        return database_url(self.database_url, self.runbookd_home)


VENDOR_SECRETS = frozenset(
    field.alias
    for field in Settings.model_fields.values()
    if field.annotation is SecretStr and field.alias and field.alias not in _OF_WEB_TOO
)
"""The secrets that web does not need: the vendors', and the terminal's token. The pager's key is
not among them, because web pages as a last resort. Slack's signing secret
is not either, because web takes what Slack sends."""
SECRETS = ACCESS_SECRETS | VENDOR_SECRETS | _OF_WEB_TOO


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
    """The variables that a rule file may use as `${NAME}`: the targets' ids, and those in
    RULES_ENV.

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
    """One setting and where its value comes from, for `runbookd doctor`.

    `origin` is the variable that was read (NAME or NAME_FILE), or empty for the default. `shown` is
    the value for people. It never holds a secret, and an address comes without user and query.
    """

    name: str
    origin: str
    shown: str


def where_given(environment: Mapping[str, str] | None = None) -> tuple[Given, ...]:
    """Every setting, in the order of their declaration.

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
    """A function that hides all secrets of the settings, also of settings that cannot be used."""
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
    """The environment for a child process: this one's with `overrides`, and without `withheld`.

    A withheld setting is left out in both forms, NAME and NAME_FILE.
    """
    kept = {name: value for name, value in os.environ.items() if _bare(name) not in withheld}
    return {**kept, **overrides}


def given_of(names: Collection[str]) -> tuple[str, ...]:
    """The variables of this process that set one of these settings, as NAME or as NAME_FILE."""
    return tuple(
        sorted(name for name, value in os.environ.items() if value and _bare(name) in names)
    )


def setting_names() -> tuple[str, ...]:
    """The environment variables of all settings, without their `_FILE` forms."""
    return tuple(field.alias for field in Settings.model_fields.values() if field.alias)


def misspelt(environment: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """A sentence for each variable that looks like a misspelt setting.

    Platforms set variables with similar names (REDIS_TLS_URL beside REDIS_URL). So a variable is
    reported only if the setting that it looks like is not given.
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
    """The setting that a variable's name looks like. Empty if there is none."""
    bare = _bare(name)
    ending = name[len(bare) :]
    if bare.startswith(_PREFIX):
        return _meant_of_ours(bare.removeprefix(_PREFIX), ending, ours)
    near = difflib.get_close_matches(bare, ours, n=1, cutoff=_NEAR)
    return near[0] + ending if near else ""


def _meant_of_ours(rest: str, ending: str, ours: tuple[str, ...]) -> str:
    """The same for a name with our prefix. It is compared without the prefix, which makes all
    alike."""
    if rest in ours:
        return rest + ending
    rests = [name.removeprefix(_PREFIX) for name in ours if name.startswith(_PREFIX)]
    near = difflib.get_close_matches(rest, rests, n=1, cutoff=_NEAR)
    return f"{_PREFIX}{near[0]}{ending}" if near else "one of those in README.md"


def _behind_colons(text: str) -> tuple[str, str]:
    """The parts of an entry that may be its secret: `user:password`, `name:role:secret`."""
    rest = text.partition(":")[2]
    return rest, rest.partition(":")[2]


def _is_pair(text: str) -> bool:
    user, _, password = text.partition(":")
    return bool(user and password)


def _raw(name: str, given: Mapping[str, str]) -> str:
    """The value that is given for a setting, valid or not. Empty if it cannot be read."""
    if given.get(name):
        return given[name]
    try:
        return Path(given.get(f"{name}_FILE", "")).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _origin(name: str, given: Mapping[str, str]) -> str:
    return next((each for each in (name, f"{name}_FILE") if given.get(each)), "")


def _shown(name: str, settings: Settings, attribute: str) -> str:
    """A setting's value as text. Of secrets, only whether they are set, and how many."""
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
