"""What a process does before it serves: refuse unsafe settings, warn, migrate, start its log.

`runbookd web` and a plain `gunicorn -c python:service.web.gunicorn_conf` both use it.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import structlog

from service.bootstrap.access import judge_access, require_access, tokens_of_people
from service.bootstrap.reload import last_good_rules
from service.bootstrap.rules import load_rules
from service.bootstrap.senders import sender_doubts
from service.bootstrap.stores import Stores
from service.domain.named_tokens import token_doubts
from service.domain.rules.rules import RuleBook
from service.rulebook import RuleBookInvalid
from service.settings import Settings, misspelt, redactor_of
from service.store.database import translated
from service.store.facts import SHORT_SECRETS, FactStore
from service.store.rulebooks import RulebookStore
from service.telemetry import configure_logging

_log = structlog.get_logger(__name__)


def prepare_web(settings: Settings, hosts: Sequence[str]) -> None:
    """Check and prepare everything before the first request to a server on `hosts`.

    Rule files that cannot be used keep nothing from starting while the last good ones are stored:
    alerts must still be taken while somebody mends them.

    Raises:
        SettingsInvalid: no sender could post, or everybody could; or runbookd would scale its own
            database.
        RuleBookInvalid: the rules have errors, and this installation has had no good ones before.
        StoreUnavailable: the database cannot be used now.
    """
    # Short secrets are judged after the migration: whether they are accepted is in the database.
    require_access(judge_access(settings, hosts, keeps_short_secrets=True))
    for doubt in token_doubts(tokens_of_people(settings)):
        _log.warning("people", what=doubt)
    tell_doubts(settings, _rules_to_start_with(settings))
    access = judge_access(settings, hosts, keeps_short_secrets=_keeps_short_secrets(settings))
    require_access(access)
    for sentence in access.warnings:
        _log.warning("short_secret", what=sentence)
    _tell_what_cannot_work(settings)


def _rules_to_start_with(settings: Settings) -> RuleBook:
    """What the files say, or the last good rules, once the tables are up to date."""
    try:
        book = load_rules(settings)
    except RuleBookInvalid as invalid:
        # The last good rules are in the database.
        migrate(settings)
        stores = Stores(settings)
        try:
            last_good = last_good_rules(settings, RulebookStore(stores.engine))
        finally:
            # As in `migrate`.
            stores.engine.dispose()
        if last_good is None:
            raise
        _log.error("rules_refused", errors=list(map(str, invalid.errors)), stays=last_good.hash)
        return last_good
    migrate(settings)
    return book


def tell_doubts(settings: Settings, book: RuleBook) -> None:
    """Log what the rules may say and hardly mean."""
    for warning in book.warnings:
        _log.warning("rules", what=warning)
    for doubt in sender_doubts(settings, book.scopes):
        _log.warning("senders", what=doubt)


def _tell_what_cannot_work(settings: Settings) -> None:
    """Log what is missing that web can start without."""
    if not settings.sandbox_url and not settings.pagerduty_routing_key.get_secret_value():
        sentence = (
            "PAGERDUTY_ROUTING_KEY is not set here: web can page nobody when the database is away "
            "or no worker lives."
        )
        _log.error("missing_secret", what=sentence)
    silent = Stores(settings).coordination.ping()
    if settings.redis_url and silent is not None:
        _log.warning("redis", saw=silent)


def migrate(settings: Settings) -> None:
    """Bring all tables up to date.

    Raises:
        SettingsInvalid: runbookd would scale its own database.
        StoreUnavailable: the database cannot be used now.
    """
    stores = Stores(settings)
    with translated():
        try:
            stores.migrate()
        finally:
            # A web process forks next; connections must not be shared with its children.
            stores.engine.dispose()


def _keeps_short_secrets(settings: Settings) -> bool:
    stores = Stores(settings)
    try:
        return bool(FactStore(stores.engine).get(SHORT_SECRETS))
    finally:
        # As above.
        stores.engine.dispose()


def start_logging(settings: Settings) -> None:
    """Log as LOG_LEVEL and LOG_FORMAT say. At info, libraries log only warnings.

    At info, the SDKs would log each request with all its headers, and the engine each migration.
    """
    auto = settings.log_format == "auto"
    json = not sys.stderr.isatty() if auto else settings.log_format == "json"
    configure_logging(settings.log_level, json=json, hide=redactor_of())
    for sentence in misspelt():
        _log.warning("misspelt_setting", what=sentence)
    if settings.log_level.lower() == "info":
        logging.getLogger().setLevel(logging.WARNING)
        logging.getLogger("service").setLevel(logging.INFO)
