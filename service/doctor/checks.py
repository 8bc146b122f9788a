"""The checks of `runbookd doctor`: each asks one part, and says what it found. None changes
anything.

Each check has a time-out of its own, and all of them together have one. So doctor answers even if
the network is dead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import redis
import sqlalchemy as sa
from pydantic import SecretStr

from service.bootstrap.access import is_open_mode, judge_access, tokens_of_people
from service.bootstrap.prices import kept_prices
from service.bootstrap.rules import load_rules
from service.bootstrap.senders import sender_doubts, senders_of
from service.bootstrap.stores import Stores
from service.bootstrap.vendors import PORTS, Vendors, build_bills, build_metrics
from service.catalogue.actions import COST_REPORT, TELL, WEEKLY_REPORT
from service.catalogue.prices import Kept
from service.catalogue.registry import kind_spec
from service.catalogue.spec import KindSpec
from service.catalogue.watch import WATCH
from service.domain.costs.costs import shown
from service.domain.deciders import nobody_decides
from service.domain.durations import away, lasted
from service.domain.errors import StoreUnavailable, VendorError
from service.domain.named_tokens import token_doubts
from service.domain.people import Person
from service.domain.rules.rules import RuleBook, Target
from service.domain.rules.scopes import UNSTATED
from service.domain.rules.told import wrong_with
from service.domain.scenarios.able import going_said, unable
from service.domain.scenarios.going import ScenarioNow
from service.domain.slack import mistaken_people, people_of
from service.domain.watchdogs import Watchdog
from service.providers.scopes import (
    LISTS_CHANNELS,
    POST_ANYWHERE,
    POST_MESSAGES,
    UPLOAD,
    only_writing_tells,
)
from service.rulebook import RuleBookInvalid
from service.settings import Settings, SettingsInvalid
from service.store.bell import notifications_reach
from service.store.coordination import OLDEST_REDIS
from service.store.database import translated
from service.store.migrate import missing_revision
from service.store.outbox import OutboxStore
from service.store.readings import ReadingStore
from service.store.rulebooks import RulebookStore
from service.store.scenarios import ScenarioStore
from service.store.stuck import stuck_now
from service.store.tokens import TokenStore
from service.store.watchdogs import WatchdogStore
from service.store.watchdogs_told import last_heartbeat

LONGEST_S = 25.0
"""Seconds for all checks together. They run side by side, and the longest one makes two vendor
requests of 10 s each."""
NOTIFIED_WITHIN_S = 2.0
"""Seconds to wait for a notification of PostgreSQL, which takes milliseconds."""
OLD_PRICES_S = 7 * 86_400.0
"""A list is asked for with a run, and targets may go without one for days."""
OLD_READING_S = 3 * 3_600.0
"""An hour is read after its end, so the newest one began up to two hours ago; one more for a
Prometheus that is away for a while."""
OLD_HEARTBEAT_S = 180.0
"""One is sent each minute. Three may be missed while workers are started anew."""
_DIRECT = (
    "Set DATABASE_URL to the database's direct address, or to the pooler's session mode (Supabase: "
    "port 5432)."
)
_POOLERS_REFUSAL = "unsupported startup parameter"
"""PgBouncer's own words. PostgreSQL says it differently."""


class Health(StrEnum):
    """The state of one part."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing, but nothing is broken."""
    WRONG = "wrong"
    """Something required is missing, refuses, or does not answer."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: the part, its state, and a sentence about it."""

    name: str
    health: Health
    saw: str


Look = Callable[[], Finding]


def examine(settings: Settings, longest_s: float = LONGEST_S) -> list[Finding]:
    """Check every part that the settings name, in `longest_s` seconds. The order is always the
    same."""
    return _side_by_side(list(_looks(settings)), longest_s)


def _looks(settings: Settings) -> Iterator[tuple[str, Look]]:
    book, rules = _rules(settings)
    yield "rules", lambda: rules
    yield "prices", lambda: _prices(settings, book)
    yield "senders", lambda: _senders(settings, book)
    yield "people", lambda: _people(settings, book)
    yield "database", lambda: _database(settings)
    if not _on_sqlite(settings):
        yield "wake-up", lambda: _wake_up(settings)
    yield "rules in force", lambda: _rules_in_force(settings)
    yield "workers", lambda: _workers(settings)
    yield "messages", lambda: _messages(settings)
    yield "stuck scenarios", lambda: _stuck_scenarios(settings)
    yield "heartbeat", lambda: _heartbeat(settings)
    if book:
        yield "watchdogs", lambda: _watchdogs(settings, book)
    yield "readings", lambda: _readings(settings)
    yield "redis", lambda: _redis(settings)
    for target in book.targets.values() if book else ():
        name = f"target {target.name}"
        yield name, lambda target=target, name=name: _target(name, target, settings)  # type: ignore[misc]  # a lambda's defaults have no types
    chores = {each.action for each in book.jobs.values()} if book else set()
    if chores & {COST_REPORT.name, WEEKLY_REPORT.name}:
        yield "bill", lambda: _bill(settings)
    yield "slack", lambda: _slack(settings, pictures=WEEKLY_REPORT.name in chores)
    if settings.slack_signing_secret.get_secret_value() or settings.slack_people:
        yield "slack buttons", lambda: _buttons(settings)
    if book and (channels := _told_channels(book)):
        yield "channels", lambda: _channels(settings, channels)
    yield "pagerduty", lambda: _pagerduty(settings)
    yield "prometheus", lambda: _prometheus(settings, book)
    if book and book.scenarios:
        yield "scenarios", lambda: _scenarios(settings, book)


def _rules(settings: Settings) -> tuple[RuleBook | None, Finding]:
    try:
        book = load_rules(settings)
    except RuleBookInvalid as invalid:
        return None, Finding("rules", Health.WRONG, str(invalid))
    saw = f"{len(book.rules)} rules, {len(book.targets)} targets, hash {book.hash}"
    if book.warnings:
        return book, Finding("rules", Health.NOTE, "\n".join((saw, *book.warnings)))
    return book, Finding("rules", Health.OK, saw)


def _rules_in_force(settings: Settings) -> Finding:
    """Which rules the running processes have, and whether they refuse what their files say."""
    name = "rules in force"
    try:
        if _not_made_yet(settings):
            return Finding(name, Health.NOTE, "nothing runs yet")
        with _stores(settings) as stores:
            found = RulebookStore(stores.engine).all(time.time())
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    if wrong := wrong_with(found):
        return Finding(name, Health.WRONG, "\n".join(wrong))
    if not found:
        return Finding(name, Health.NOTE, "no process runs")
    names = ", ".join(each.name for each in found)
    return Finding(name, Health.OK, f"{found[0].hash or 'none'} in {names}")


def _prices(settings: Settings, book: RuleBook | None) -> Finding:
    """How old the vendors' price lists are that runs have kept."""
    name, kept = "prices", kept_prices(settings)
    kinds = dict.fromkeys(target.kind for target in (book.targets.values() if book else ()))
    used = [kind for kind in kinds if kind_spec(kind).prices.note]
    saw = "\n".join(_price_list(kind_spec(kind), kept.get(kind)) for kind in used)
    now = time.time()
    fresh = all(kind in kept and now - kept[kind].at < OLD_PRICES_S for kind in used)
    return Finding(name, Health.OK if fresh else Health.NOTE, saw or "no target needs any")


def _price_list(kind: KindSpec, kept: Kept | None) -> str:
    prices = kind.prices
    if kept is None:
        return (
            f"{kind.name}: no list is kept yet; until a run has asked, {prices.seller}'s "
            f"documented prices of {prices.documented_in} are used"
        )
    age = away(kept.at, time.time())
    return f"{kind.name}: {prices.list_of(kept)} with {len(kept.sizes)} sizes, asked for {age}"


def _senders(settings: Settings, book: RuleBook | None) -> Finding:
    # Whether short secrets are still accepted is in the database, which may be away.
    access = judge_access(settings, keeps_short_secrets=True)
    if access.refusals:
        return Finding("senders", Health.WRONG, " ".join(access.refusals))
    doubts = [*access.warnings, *sender_doubts(settings, book.scopes if book else UNSTATED)]
    if settings.open_webhooks:
        saw = "OPEN_WEBHOOKS: anyone on this machine may post alerts"
        return Finding("senders", Health.NOTE, "\n".join((saw, *doubts)))
    saw = f"{' and '.join(_who_can_post(settings))} can post, with a secret"
    said = "\n".join((saw, *_read_both_ways(settings), *doubts))
    return Finding("senders", Health.NOTE if doubts else Health.OK, said)


def _who_can_post(settings: Settings) -> Iterator[str]:
    """Each source with the names of its credentials."""
    for sender in senders_of(settings):
        if sender.credentials:
            names = ", ".join(dict.fromkeys(each.name for each in sender.credentials))
            yield f"{sender.source.capitalize()} ({names})"


def _read_both_ways(settings: Settings) -> Iterator[str]:
    for sender in senders_of(settings):
        names = [each.name for each in sender.tokens if each.both_ways]
        if names:
            yield (
                f"{sender.tokens_from}: what is before the first colon is the name "
                f"({', '.join(names)}). A sender is let in by what follows the colon, and by the "
                "whole entry."
            )


def _people(settings: Settings, book: RuleBook | None) -> Finding:
    """Who may use the operator API, and whether somebody of them can decide what rules ask."""
    name = "people"
    given = tokens_of_people(settings)
    try:
        stored = _stored_people(settings)
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    people = [*(each.person for each in given), *stored]
    if is_open_mode(settings) and not given:
        return Finding(name, Health.NOTE, "open mode: anyone on this machine may do everything")
    names = ", ".join(dict.fromkeys(each.name for each in people))
    saw = f"{names} may use the API" if people else "nobody has a token"
    if not given:
        saw += "; API_TOKENS is not set, so anyone on this machine may read"
    doubts = [*token_doubts(given), *(nobody_decides(book, people) if book else ())]
    return Finding(name, Health.NOTE if doubts else Health.OK, "\n".join((saw, *doubts)))


def _stored_people(settings: Settings) -> list[Person]:
    """The holders of the stored tokens; none where there is no database yet."""
    if _not_made_yet(settings):
        return []
    with _stores(settings) as stores:
        return list(TokenStore(stores.engine).good(time.time()).values())


def _database(settings: Settings) -> Finding:
    name = "database"
    try:
        if _not_made_yet(settings):
            saw = "there is none yet; web and worker make it when they start"
            return Finding(name, Health.NOTE, saw)
        with _stores(settings) as stores, translated(), stores.engine.connect() as connection:
            kind = f"{connection.dialect.name} {_version(connection)}"
            missing = missing_revision(connection)
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.WRONG, f"{error}{_advice_on(str(error))}")
    if missing is not None:
        saw = f"{kind} answers; its tables are not up to date ({missing}): `runbookd migrate`"
        return Finding(name, Health.NOTE, saw)
    return Finding(name, Health.OK, f"{kind} answers, and its tables are up to date")


def _wake_up(settings: Settings) -> Finding:
    name = "wake-up"
    try:
        with _stores(settings) as stores:
            reached = notifications_reach(stores.engine, NOTIFIED_WITHIN_S)
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    if reached:
        return Finding(name, Health.OK, "who listens at the database hears of new work at once")
    saw = (
        f"a notification of PostgreSQL was sent and not heard within {NOTIFIED_WITHIN_S:g} s. Most "
        "likely DATABASE_URL leads through a pooler in transaction mode (PgBouncer, Supavisor on "
        "port 6543). Workers are not told of new work there. They still find it when they look, "
        f"every {settings.worker_poll_s:g} s (WORKER_POLL_S), so runs begin that much later. Such "
        "a pooler also loses the connection's time-outs, and prepared statements may fail. "
        f"{_DIRECT}"
    )
    return Finding(name, Health.WRONG, saw)


def _advice_on(refusal: str) -> str:
    """Advice for a refusal by a pooler, which its own words do not give. Otherwise empty."""
    if _POOLERS_REFUSAL not in refusal:
        return ""
    return (
        f". A pooler such as PgBouncer answers at DATABASE_URL, and refuses our options. {_DIRECT}"
    )


@contextmanager
def _stores(settings: Settings) -> Iterator[Stores]:
    """The stores for one check. Their connections are closed after it: a worker needs few."""
    stores = Stores(settings)
    try:
        yield stores
    finally:
        stores.engine.dispose()


def _not_made_yet(settings: Settings) -> bool:
    url = sa.make_url(settings.effective_database_url)
    return url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file()


def _on_sqlite(settings: Settings) -> bool:
    return settings.effective_database_url.startswith("sqlite")


def _version(connection: sa.Connection) -> str:
    return ".".join(str(part) for part in connection.dialect.server_version_info or ())


def _counted(settings: Settings, count: Callable[[Stores], int]) -> int | None:
    """What `count` counts in the stores. None if there is no database yet."""
    if _not_made_yet(settings):
        return None
    with _stores(settings) as stores:
        return count(stores)


def _workers(settings: Settings) -> Finding:
    name = "workers"
    try:
        live = _counted(settings, lambda stores: stores.queries.live_workers())
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    if live is None:
        return Finding(name, Health.NOTE, "none: there is no database yet")
    if live == 0:
        saw = "none lives: alerts are kept and decided on, and nothing is done until one starts"
        return Finding(name, Health.NOTE, saw)
    return Finding(name, Health.OK, f"{live} alive")


def _messages(settings: Settings) -> Finding:
    """How many messages wait for Slack. They are sent when it takes messages again."""
    name = "messages"
    try:
        waiting = _counted(settings, lambda stores: OutboxStore(stores.engine).count())
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    if not waiting:
        return Finding(name, Health.OK, "none waits")
    saw = f"{waiting} wait for Slack; a worker tells them when Slack takes messages again"
    return Finding(name, Health.NOTE, saw)


def _stuck_scenarios(settings: Settings) -> Finding:
    """Whether a scenario does not go on."""
    name = "stuck scenarios"
    try:
        if _not_made_yet(settings):
            return Finding(name, Health.OK, "none has started: there is no database yet")
        with _stores(settings) as stores:
            stuck = stuck_now(stores.engine)
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    if not stuck:
        return Finding(name, Health.OK, "each that was started goes on")
    now = time.time()
    shown = "; ".join(
        f"{each.run} does not go on (first seen {away(each.since, now)}): {each.why.rstrip('.')}"
        for each in stuck
    )
    saw = f"{shown}. Look at what it has changed, then `runbookd cancel {stuck[0].run} --why WHY`"
    return Finding(name, Health.WRONG, saw)


def _heartbeat(settings: Settings) -> Finding:
    """When somebody outside was last told that all is well."""
    name = "heartbeat"
    if not settings.heartbeat_url.get_secret_value():
        saw = (
            "HEARTBEAT_URL is not set: nobody outside notices when all of runbookd is down "
            "(docs/watching.md)"
        )
        return Finding(name, Health.NOTE, saw)
    try:
        last = _last_heartbeat(settings)
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    if last is None:
        return Finding(name, Health.NOTE, "none was due yet; a worker says it each minute")
    sent_at, problem = last
    now = time.time()
    taken = "none was ever taken" if sent_at is None else f"the last was taken {away(sent_at, now)}"
    if problem:
        return Finding(name, Health.WRONG, f"{taken}. The newest was not: {problem}")
    late = sent_at is None or now - sent_at > OLD_HEARTBEAT_S
    return Finding(name, Health.NOTE if late else Health.OK, taken)


def _last_heartbeat(settings: Settings) -> tuple[float | None, str] | None:
    if _not_made_yet(settings):
        return None
    with _stores(settings) as stores, translated(), stores.engine.connect() as connection:
        return last_heartbeat(connection)


def _watchdogs(settings: Settings, book: RuleBook) -> Finding:
    """When each watchdog was last heard. One that never was pages nobody, so it is told here."""
    name = "watchdogs"
    if not book.watchdogs:
        saw = (
            "the rules name none: nobody notices when Prometheus or Alertmanager stops sending "
            "(docs/watching.md)"
        )
        return Finding(name, Health.NOTE, saw)
    try:
        heard = _heard(settings, book)
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    now = time.time()
    told = [_watchdog(each, heard.get(each.alert), now) for each in book.watchdogs.values()]
    worst = max((health for health, _ in told), key=list(Health).index)
    return Finding(name, worst, "\n".join(said for _, said in told))


def _watchdog(watchdog: Watchdog, heard_at: float | None, now: float) -> tuple[Health, str]:
    allowed = lasted(watchdog.absent_s)
    if heard_at is None:
        said = (
            f"{watchdog.alert}: never heard yet, so its silence pages nobody. Send it from "
            "Alertmanager; the first word of it arms it"
        )
        return Health.NOTE, said
    said = f"{watchdog.alert}: heard {away(heard_at, now)}, may be absent for {allowed}"
    silent = now - heard_at >= watchdog.absent_s
    return (Health.WRONG if silent else Health.OK), f"{said}{': it is silent' if silent else ''}"


def _heard(settings: Settings, book: RuleBook) -> dict[str, float | None]:
    if _not_made_yet(settings):
        return {}
    with _stores(settings) as stores:
        store = WatchdogStore(stores.engine)
        return {name: store.heard(name) for name in book.watchdogs}


def _readings(settings: Settings) -> Finding:
    """How old the newest reading is."""
    name = "readings"
    try:
        newest = _newest_reading(settings)
    except (StoreUnavailable, SettingsInvalid) as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    what = (
        "" if settings.prometheus_url else "; without PROMETHEUS_URL only what vendors tell is kept"
    )
    if newest is None:
        saw = f"none is kept yet; a worker keeps one of each hour{what}"
        return Finding(name, Health.NOTE, saw)
    now = time.time()
    saw = f"the newest hour began {away(newest, now)}{what}"
    if now - newest > OLD_READING_S:
        saw += "; does a worker live, and does Prometheus answer? The log says `not_read`"
        return Finding(name, Health.NOTE, saw)
    return Finding(name, Health.NOTE if what else Health.OK, saw)


def _newest_reading(settings: Settings) -> float | None:
    if _not_made_yet(settings):
        return None
    with _stores(settings) as stores:
        return ReadingStore(stores.engine).newest()


def _redis(settings: Settings) -> Finding:
    name = "redis"
    if not settings.redis_url:
        saw = "REDIS_URL is not set: decisions are made on SQL alone, slower in a storm"
        return Finding(name, Health.NOTE, saw)
    try:
        client = redis.Redis.from_url(
            settings.redis_url, socket_timeout=3.0, socket_connect_timeout=3.0
        )
        info = client.info("server")
    except (redis.RedisError, ValueError) as error:
        saw = f"does not answer ({error}): decisions are made on SQL alone"
        return Finding(name, Health.WRONG, saw)
    version = str(info.get("redis_version", "0"))
    if tuple(int(part) for part in version.split(".")[:2] if part.isdecimal()) < OLDEST_REDIS:
        return Finding(name, Health.WRONG, f"is {version}; 6.2 or newer is needed")
    return Finding(name, Health.OK, f"{version} answers")


def _target(name: str, target: Target, settings: Settings) -> Finding:
    port, stands_in = PORTS[target.kind], kind_spec(target.kind).stand_in
    if port.optional and not (stands_in and settings.sandbox_url):
        return _optional_target(name, target, settings)
    secret = port.secret
    if secret and (missing := _no_secret(settings, name, settings.secret(secret), secret)):
        return missing
    try:
        saw = kind_spec(target.kind).look(port.build(Vendors(settings)), target)
    except VendorError as error:
        return Finding(name, Health.WRONG, str(error))
    untried = only_writing_tells(target.kind)
    if stands_in:
        saw += _stand_in(settings)
    told = f"{saw}. {untried}" if untried else saw
    return Finding(name, Health.OK, told)


def _optional_target(name: str, target: Target, settings: Settings) -> Finding:
    """A target that is off while its setting is not given."""
    port = PORTS[target.kind]
    if not settings.secret(port.secret).get_secret_value():
        saw = f"off: {port.secret} is not set, so whatever asks for a change of it is held"
        return Finding(name, Health.NOTE, saw)
    try:
        return Finding(
            name, Health.OK, kind_spec(target.kind).look(port.build(Vendors(settings)), target)
        )
    except VendorError as error:
        return Finding(name, Health.WRONG, str(error))


def _slack(settings: Settings, *, pictures: bool) -> Finding:
    """Whether the token may post; and show `pictures`, where a job tells of the week."""
    if missing := _no_secret(settings, "slack", settings.slack_token, "SLACK_BOT_TOKEN"):
        return missing
    try:
        who = Vendors(settings).slack.whoami()
    except VendorError as error:
        return Finding("slack", Health.WRONG, str(error))
    saw = f"the token is {who}; it will post to {settings.slack_channel}{_stand_in(settings)}"
    missing_scopes = [each for each in POST_MESSAGES.scopes if each not in who.scopes]
    if who.scopes and missing_scopes:
        sentence = (
            f"{saw}. It lacks the scope {', '.join(missing_scopes)}, so nothing can be posted"
        )
        return Finding("slack", Health.WRONG, sentence)
    without = [each for each in UPLOAD.scopes if each not in who.scopes]
    if pictures and who.scopes and without:
        sentence = f"{saw}. It lacks the scope {', '.join(without)}: weekly reports are text alone"
        return Finding("slack", Health.NOTE, sentence)
    return Finding("slack", Health.OK, saw)


def _buttons(settings: Settings) -> Finding:
    """Whether a button in Slack can be pressed, by whom, and where Slack has to send it."""
    name, people = "slack buttons", people_of(settings.slack_people)
    if wrong := list(mistaken_people(settings.slack_people)):
        return Finding(name, Health.WRONG, "\n".join(wrong))
    if not settings.slack_signing_secret.get_secret_value():
        saw = "SLACK_SIGNING_SECRET is not set, so no message has buttons"
        return Finding(name, Health.WRONG, saw)
    if not people:
        saw = "SLACK_PEOPLE is not set, so nobody may press what every message shows"
        return Finding(name, Health.WRONG, saw)
    at = settings.runbookd_url.rstrip("/") or "https://YOUR-RUNBOOKD"
    may = ", ".join(
        f"{each.name} ({'+'.join(sorted((*each.roles, *each.groups)))})" for each in people.values()
    )
    return Finding(
        name,
        Health.OK,
        f"{may} may press; the Request URL in Slack's app has to be {at}/slack/interactions",
    )


def _told_channels(book: RuleBook) -> list[str]:
    """The channels that rules tell, each once."""
    named = [rule.options["channels"] for rule in book.rules if rule.action == TELL.name]
    return list(dict.fromkeys(channel for channels in named for channel in channels))


def _channels(settings: Settings, channels: Sequence[str]) -> Finding:
    """Whether the bot can post where rules tell. Posting would be the only other way to know."""
    name, where = "channels", ", ".join(channels)
    if missing := _no_secret(settings, name, settings.slack_token, "SLACK_BOT_TOKEN"):
        return missing
    slack = Vendors(settings).slack
    try:
        scopes = slack.whoami().scopes
        kinds = [kind for scope, kind in LISTS_CHANNELS.items() if scope in scopes]
        if not kinds:
            return Finding(name, Health.NOTE, f"rules tell {where}; {_UNKNOWN_MEMBER}")
        member = slack.channels_of(kinds)
    except VendorError as error:
        return Finding(name, Health.WRONG, str(error))
    if absent := [each for each in channels if each not in member]:
        return _absent(name, absent, scopes)
    return Finding(name, Health.OK, f"rules tell {where}; the bot is a member of each")


def _absent(name: str, absent: Sequence[str], scopes: Collection[str]) -> Finding:
    """The bot is not in some of the channels, as far as its token can list them."""
    saw = f"the bot is no member of {', '.join(absent)}, which rules tell"
    if POST_ANYWHERE in scopes:
        saw += f"; by {POST_ANYWHERE} it can post there all the same where a channel is public"
        return Finding(name, Health.NOTE, saw)
    hidden = [each for each in LISTS_CHANNELS if each not in scopes]
    if hidden:
        saw += f", unless they can only be listed with the scope {' and '.join(hidden)}"
        return Finding(name, Health.NOTE, f"{saw}. {_INVITE}")
    return Finding(name, Health.WRONG, f"{saw}, so nothing can be told there. {_INVITE}")


_INVITE = "Type `/invite @runbookd` in each of them."
_UNKNOWN_MEMBER = (
    "whether the bot is in them can't be told without the scope channels:read (groups:read for "
    f"private ones). {_INVITE}"
)


def _pagerduty(settings: Settings) -> Finding:
    name = "pagerduty"
    key = settings.pagerduty_routing_key
    if missing := _no_secret(settings, name, key, "PAGERDUTY_ROUTING_KEY"):
        return missing
    if settings.sandbox_url:
        return Finding(name, Health.NOTE, "the sandbox takes the pages; nobody is woken")
    saw = "the key is set; whether it is right can't be told without paging somebody"
    return Finding(name, Health.NOTE, saw)


def _bill(settings: Settings) -> Finding:
    """Whether the bill and every list of what is billed can be read, as cost_report does."""
    name = "bill"
    seen: list[str] = []
    unread: list[str] = []
    for account in build_bills(settings):
        try:
            booked, inventory = account.booked(), account.inventory()
        except VendorError as error:
            return Finding(name, Health.WRONG, str(error))
        said = shown(booked.dollars)
        seen.append(f"{account.seller} has booked {said}, {len(inventory.resources)} things billed")
        unread += inventory.unread
    if not seen:
        return Finding(name, Health.WRONG, "no account has a bill: DIGITALOCEAN_TOKEN is not set")
    health = Health.WRONG if unread else Health.OK
    return Finding(name, health, "\n".join([*seen, *unread]) + _stand_in(settings))


def _prometheus(settings: Settings, book: RuleBook | None) -> Finding:
    name = "prometheus"
    metrics = build_metrics(settings)
    if metrics is None:
        saw = "PROMETHEUS_URL is not set: investigate says what it could not look up"
        watching = [each.name for each in (book.rules if book else ()) if each.action == WATCH.name]
        if watching:
            saw += f"; rules that watch have no reading of it: {', '.join(watching)}"
        return Finding(name, Health.NOTE, saw)
    try:
        metrics.query("vector(1)")
    except VendorError as error:
        return Finding(name, Health.WRONG, str(error))
    return Finding(name, Health.OK, f"{settings.prometheus_url} answers queries")


def _scenarios(settings: Settings, book: RuleBook) -> Finding:
    """Which scenarios are under way, and which cannot start, or not do all of it."""
    name = "scenarios"
    try:
        going = _going(settings)
    except StoreUnavailable as error:
        return Finding(name, Health.NOTE, f"unknown: {error}")
    off = {
        each.name: PORTS[each.kind].secret
        for each in book.targets.values()
        if _is_off(each, settings)
    }
    measured = build_metrics(settings) is not None
    doubts = list(unable(book.scenarios.values(), going, off, measured=measured))
    saw = [f"{', '.join(book.scenarios)} can be started" if not doubts else ""]
    saw += [going_said(each) for each in going]
    health = Health.NOTE if doubts else Health.OK
    return Finding(name, health, "\n".join(filter(None, [*saw, *doubts])))


def _is_off(target: Target, settings: Settings) -> bool:
    """Whether it is off, because its setting is not given and nothing stands in."""
    port = PORTS[target.kind]
    stands_in = bool(kind_spec(target.kind).stand_in and settings.sandbox_url)
    return port.optional and not stands_in and not settings.secret(port.secret).get_secret_value()


def _going(settings: Settings) -> list[ScenarioNow]:
    """The scenarios that go on; none where there is no database yet."""
    if _not_made_yet(settings):
        return []
    with _stores(settings) as stores:
        return ScenarioStore(stores.engine, stores.queue.enqueue, stores.bell).unended()


def _no_secret(settings: Settings, name: str, secret: SecretStr, variable: str) -> Finding | None:
    if settings.sandbox_url or secret.get_secret_value():
        return None
    saw = f"{variable} is not set (and no SANDBOX_URL stands in for the vendor)"
    return Finding(name, Health.WRONG, saw)


def _stand_in(settings: Settings) -> str:
    return " (the sandbox stands in)" if settings.sandbox_url else ""


def _side_by_side(looks: Sequence[tuple[str, Look]], longest_s: float) -> list[Finding]:
    """Run all checks at once. One that is not done after `longest_s` is reported as silent."""
    found: dict[str, Finding] = {}
    threads = [
        threading.Thread(target=_keep, args=(name, look, found), daemon=True)
        for name, look in looks
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + longest_s
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return list(_in_order((name for name, _ in looks), dict(found), longest_s))


def _keep(name: str, look: Look, found: dict[str, Finding]) -> None:
    try:
        finding = look()
    except Exception as error:
        finding = Finding(name, Health.WRONG, f"could not be looked at: {error!r}")
    found[name] = replace(finding, name=name)


def _in_order(
    names: Iterable[str], found: dict[str, Finding], longest_s: float
) -> Iterator[Finding]:
    for name in names:
        silent = Finding(name, Health.WRONG, f"did not answer within {longest_s:g} s")
        yield found.get(name, silent)
