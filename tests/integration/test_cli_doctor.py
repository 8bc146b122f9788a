"""`runbookd doctor` against a real sandbox, a real Redis, and ports where nobody answers."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from moto.server import ThreadedMotoServer
from structlog.testing import capture_logs

from service.bootstrap.pager import SANDBOX_TOKEN
from service.bootstrap.rules import build_admitter, in_force, load_rules
from service.bootstrap.startup import migrate
from service.bootstrap.stores import Stores
from service.bootstrap.vendors import build_works
from service.catalogue.prices import load_kept
from service.catalogue.registry import KINDS
from service.doctor.checks import Finding, Health, examine
from service.doctor.verdict import tell_verdict
from service.domain.people import Person, Role
from service.domain.readings.readings import reading_of
from service.engine.durable import waiting_query
from service.ports import Message
from service.ports.bucket import NEW, Contents, Place
from service.ports.outbox import Waiting
from service.ports.scenarios import NewScenario
from service.providers.spaces import SpacesBuckets
from service.sandbox.app import create_app
from service.sandbox.config import SandboxConfig
from service.sandbox.server import make_server
from service.settings import Settings, load_settings, where_given
from service.store import schema
from service.store.clock import StoreClock
from service.store.facts import FactStore
from service.store.outbox import OutboxStore
from service.store.readings import ReadingStore
from service.store.scenarios import ScenarioStore
from service.store.tokens import TokenStore
from service.store.watchdogs import HeartbeatStore
from service.triggers.scenarios.starting import requests_of
from tests.contract.leases import lease_store
from tests.fakes.alerts import alert, delivery
from tests.poolers import SESSION, TRANSACTION, pooler
from tests.postgres import PostgresServer
from tests.processes import ROOT, free_port
from tests.redis_clusters import nodes
from tests.redis_servers import RedisServer, executable
from tests.unit.cli.commandline import SANDBOX_IDS, CommandLine

SECRET = "test-token-not-real"


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    server = make_server(create_app(SandboxConfig()), "127.0.0.1", 0)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
    )
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environment(
    tmp_path: Path, sandbox_url: str, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    monkeypatch.chdir(ROOT)
    found = {
        **SANDBOX_IDS,
        "RUNBOOKD_HOME": str(tmp_path),
        "SANDBOX_URL": sandbox_url,
        "ALERTMANAGER_TOKENS": SECRET,
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


def examined(environment: dict[str, str], **others: str) -> dict[str, Finding]:
    found = examine(load_settings({**environment, **others}))
    return {each.name: each for each in found}


@pytest.fixture
def runbookd(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    monkeypatch.setenv("NO_COLOR", "1")
    return CommandLine(monkeypatch, capsys)


def test_on_the_sandbox_all_targets_answer_and_nothing_required_is_missing(
    environment: dict[str, str], tmp_path: Path
) -> None:
    found = examined(environment)
    assert [name for name, each in found.items() if each.health is Health.WRONG] == []
    assert "droplet 101, s-1vcpu-1gb, active" in found["target worker-vm"].saw
    assert "quizmentorquizmentor, ci_micro, ACTIVE_HEALTHY" in found["target database"].saw
    assert "app-quizmentor" in found["target api"].saw
    assert found["slack"].health is Health.OK
    assert found["database"].saw.startswith("there is none yet")
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_the_bill_is_tried_where_a_job_reports_costs(environment: dict[str, str]) -> None:
    assert "bill" not in examined(environment)
    found = examined(environment, RULES="rules/quizmentor.yml,rules/jobs.yml")["bill"]
    assert found.health is Health.OK
    assert found.saw.startswith("DigitalOcean has booked $")
    assert "3 things billed (the sandbox stands in)" in found.saw


def test_the_database_and_its_workers_are_told_as_they_are(environment: dict[str, str]) -> None:
    settings = load_settings(environment)
    migrate(settings)
    found = examined(environment)
    assert found["database"].health is Health.OK
    assert "up to date" in found["database"].saw
    assert found["workers"].saw.startswith("none lives")
    stores = Stores(settings)
    lease_store(stores.engine, 60.0).register("worker-1", "host", 1)
    stores.engine.dispose()
    assert examined(environment)["workers"].saw == "1 alive"


def test_a_watchdog_that_was_never_heard_is_told_and_one_that_is_silent_is_wrong(
    environment: dict[str, str],
) -> None:
    settings = load_settings(environment)
    before = examined(environment)["watchdogs"]
    assert before.health is Health.NOTE
    assert before.saw.startswith("Watchdog: never heard yet, so its silence pages nobody")
    migrate(settings)
    assert examined(environment)["watchdogs"] == before
    stores = Stores(settings)
    rules = in_force(load_rules(settings))
    admitter = build_admitter(stores, lambda: rules)
    now = time.time()
    admitter.admit([delivery(alert("Watchdog"), at=now - 700)], now - 700)
    silent = examined(environment)["watchdogs"]
    assert silent.health is Health.WRONG
    assert silent.saw == "Watchdog: heard 12 min ago, may be absent for 10 min: it is silent"
    admitter.admit([delivery(alert("Watchdog"), at=now - 1)], now - 1)
    heard = examined(environment)["watchdogs"]
    assert heard.health is Health.OK
    stores.engine.dispose()


def test_the_heartbeat_is_told_as_it_is_and_its_address_never(environment: dict[str, str]) -> None:
    unset = examined(environment)["heartbeat"]
    assert unset.health is Health.NOTE
    assert unset.saw.startswith("HEARTBEAT_URL is not set: nobody outside notices")
    address = {"HEARTBEAT_URL": "https://checks.example/ping/not-real"}
    assert examined(environment, **address)["heartbeat"].saw.startswith("none was due yet")
    settings = load_settings(environment)
    migrate(settings)
    stores = Stores(settings)
    heartbeats = HeartbeatStore(stores.engine, waiting_query("sqlite"))
    heartbeats.take(time.time(), 60.0)
    heartbeats.said(time.time(), "", 15.0)
    sent = examined(environment, **address)["heartbeat"]
    assert (sent.health, sent.saw) == (Health.OK, "the last was taken now")
    heartbeats.said(time.time(), "the oldest run has waited for 21 min", 15.0)
    failed = examined(environment, **address)["heartbeat"]
    assert failed.health is Health.WRONG
    assert failed.saw.endswith("The newest was not: the oldest run has waited for 21 min")
    stores.engine.dispose()
    assert "not-real" not in str(where_given({**environment, **address}))


def test_the_age_of_the_price_lists_that_runs_have_kept_is_told(
    environment: dict[str, str],
) -> None:
    settings = load_settings(environment)
    migrate(settings)
    before = examined(environment)["prices"]
    assert before.health is Health.NOTE
    assert before.saw.splitlines()[0] == (
        "app_platform: no list is kept yet; until a run has asked, DigitalOcean's documented "
        "prices of 2026-11 are used"
    )
    stores = Stores(settings)
    look_at_all(settings, FactStore(stores.engine))
    told = examined(environment)["prices"]
    assert told.health is Health.OK
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    for name, seller in {"app_platform": "DigitalOcean", "supabase": "Supabase"}.items():
        assert re.search(
            rf"^{name}: {seller}'s list of {today} with \d+ sizes, asked for (\d+ s ago|now)$",
            told.saw,
            re.MULTILINE,
        )
    for kind in (each for each in KINDS if each.prices.note):
        notes = FactStore(stores.engine)
        kept = load_kept(notes.get(kind.prices.note))
        assert kept is not None
        notes.put(kind.prices.note, replace(kept, at=kept.at - 8 * 86_400.0).dump())
    stores.engine.dispose()
    old = examined(environment)["prices"]
    assert (old.health, "8 days ago" in old.saw) == (Health.NOTE, True)


def look_at_all(settings: Settings, notes: FactStore) -> None:
    """As a run does, which keeps what the vendors say of their prices."""
    works = build_works(settings, StoreClock(), notes)
    for target in load_rules(settings).targets.values():
        works[target.kind].observe(target)


def test_check_judges_sizes_by_the_lists_that_runs_have_kept(
    environment: dict[str, str], tmp_path: Path, runbookd: CommandLine
) -> None:
    rules = tmp_path / "rules.yml"
    pack = (ROOT / "rules" / "quizmentor.yml").read_text(encoding="utf-8")
    rules.write_text(pack.replace("s-4vcpu-8gb]", "s-4vcpu-8gb, g-2vcpu-8gb]"), encoding="utf-8")
    said = runbookd("check", str(rules), env=environment).out
    assert ": valid." in said, "the documented list of droplets is not whole"
    settings = load_settings(environment)
    migrate(settings)
    stores = Stores(settings)
    look_at_all(settings, FactStore(stores.engine))
    stores.engine.dispose()
    said = " ".join(runbookd("check", str(rules), env=environment).out.split())
    assert "g-2vcpu-8gb is not on DigitalOcean's list of" in said
    assert "valid, 1 warning." in said


def test_the_age_of_the_newest_reading_is_told(environment: dict[str, str]) -> None:
    assert examined(environment)["readings"].saw.startswith("none is kept yet")
    settings = load_settings(environment)
    migrate(settings)
    stores = Stores(settings)
    hour = time.time() // 3600 * 3600
    ReadingStore(stores.engine).keep([reading_of("cpu", "", hour - 9 * 3600, [1.0])], [])
    old = examined(environment)["readings"]
    assert old.health is Health.NOTE
    assert "not_read" in old.saw
    ReadingStore(stores.engine).keep([reading_of("cpu", "", hour - 3600, [1.0])], [])
    stores.engine.dispose()
    found = examined(environment, PROMETHEUS_URL="http://127.0.0.1:1")["readings"]
    assert found.health is Health.OK
    assert found.saw.startswith("the newest hour began ")
    without = examined(environment)["readings"]
    assert without.health is Health.NOTE
    assert "without PROMETHEUS_URL" in without.saw


def test_senders_are_told_by_name_and_how_a_name_is_read(environment: dict[str, str]) -> None:
    given = {"ALERTMANAGER_TOKENS": f"prod:{SECRET}", "GRAFANA_BASIC": f"dev:{SECRET}"}
    found = examined(environment, **given)["senders"]
    assert found.health is Health.NOTE
    first, second, third = found.saw.splitlines()
    assert first == "Alertmanager (prod) and Grafana (dev) can post, with a secret"
    assert second.startswith(
        "ALERTMANAGER_TOKENS: what is before the first colon is the name (prod)."
    )
    assert third.startswith("Each of the credentials prod, dev may earn every rule")
    assert SECRET not in found.saw


def test_a_scope_that_names_no_credential_is_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    rules = tmp_path / "scopes.yml"
    rules.write_text("scopes: {alertmanager-1: {rules: all}, dev: {rules: [high-cpu]}}")
    found = examined(environment, RULES=f"rules/quizmentor.yml,{rules}")["senders"]
    assert found.health is Health.NOTE
    assert found.saw.endswith(
        "The rules have a scope for dev, but the credentials are: alertmanager-1."
    )


def test_messages_that_wait_for_slack_are_counted(environment: dict[str, str]) -> None:
    settings = load_settings(environment)
    migrate(settings)
    assert examined(environment)["messages"] == Finding("messages", Health.OK, "none waits")
    stores = Stores(settings)
    waiting = Waiting("m-1", Message("Scaling api", "2 → 3"), None, None, "", 0.0, 1, 1)
    OutboxStore(stores.engine).put(waiting, 0.0)
    stores.engine.dispose()
    found = examined(environment)["messages"]
    assert (found.health, found.saw.partition(";")[0]) == (Health.NOTE, "1 wait for Slack")


def test_a_scenario_that_does_not_go_on_is_named(environment: dict[str, str]) -> None:
    settings = load_settings(environment)
    migrate(settings)
    goes_on = Finding("stuck scenarios", Health.OK, "each that was started goes on")
    assert examined(environment)["stuck scenarios"] == goes_on
    stores = Stores(settings)
    texts = dict.fromkeys(("reason", "why", "approved", "told", "paged"), "")
    stuck = '{"why": "its row cannot be read", "since": 0.0, "tries": 3, "told": true}'
    row = {
        **texts,
        "id": "rush.1",
        "scenario": "rush",
        "state": "running",
        "who": "olga",
        "spec": "{}",
        "rules_hash": "",
        "emergency": False,
        "plan_only": False,
        "created_at": 0.0,
    }
    with stores.engine.begin() as connection:
        connection.execute(sa.insert(schema.scenario_runs), {**row, "stuck": stuck})
    stores.engine.dispose()
    found = examined(environment)["stuck scenarios"]
    assert found.health is Health.WRONG
    assert found.saw.startswith("rush.1 does not go on (first seen ")
    assert "its row cannot be read. Look at what it has changed, then `runbookd cancel" in found.saw


def test_on_sqlite_there_is_nothing_to_say_of_notifications(environment: dict[str, str]) -> None:
    assert "wake-up" not in examined(environment)


def test_a_database_whose_notifications_reach_who_listens_is_told_so(
    environment: dict[str, str], postgres: PostgresServer
) -> None:
    found = examined(environment, DATABASE_URL=postgres.create())
    assert found["wake-up"].health is Health.OK


def test_a_pooler_in_transaction_mode_is_told_with_what_follows_and_what_to_do(
    environment: dict[str, str], postgres: PostgresServer, tmp_path: Path
) -> None:
    with pooler(postgres.create(), TRANSACTION, tmp_path) as url:
        found = examined(environment, DATABASE_URL=url, WORKER_POLL_S="7")
    assert found["database"].saw.startswith("postgresql "), "it answers"
    assert found["wake-up"].health is Health.WRONG
    assert "not heard within 2 s" in found["wake-up"].saw
    assert "every 7 s (WORKER_POLL_S)" in found["wake-up"].saw
    assert "direct address, or to the pooler's session mode" in found["wake-up"].saw


def test_a_pooler_that_refuses_our_options_is_told_with_what_to_do(
    environment: dict[str, str], postgres: PostgresServer, tmp_path: Path
) -> None:
    with pooler(postgres.create(), SESSION, tmp_path, ignored="extra_float_digits") as url:
        found = examined(environment, DATABASE_URL=url)
    assert found["database"].health is Health.WRONG
    assert "Set DATABASE_URL to the database's direct address" in found["database"].saw
    assert found["wake-up"].saw.startswith("unknown: ")


@pytest.mark.parametrize("reached", [True, False])
def test_a_worker_that_is_not_notified_says_so_in_its_log_at_its_start(
    environment: dict[str, str],
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    reached: bool,
) -> None:
    monkeypatch.setattr("service.doctor.checks.notifications_reach", lambda *_: reached)
    settings = load_settings({**environment, "DATABASE_URL": postgres.create()})
    with capture_logs() as logs:
        tell_verdict(settings).join(60)
    told = [each["log_level"] for each in logs if each.get("part") == "wake-up"]
    assert told == ([] if reached else ["error"])


def test_a_redis_is_told_with_its_version_and_one_that_is_away_as_wrong(
    environment: dict[str, str], tmp_path: Path
) -> None:
    server = RedisServer(executable(""), tmp_path / "redis")
    server.start()
    found = examined(environment, REDIS_URL=server.url)["redis"]
    server.stop()
    assert found.health is Health.OK
    assert found.saw.endswith("answers")
    away = examined(environment, REDIS_URL=server.url)["redis"]
    assert away.health is Health.WRONG
    assert "does not answer" in away.saw


def test_a_target_that_the_vendor_does_not_know_is_wrong(environment: dict[str, str]) -> None:
    found = examined(environment, DROPLET_ID="404404")["target worker-vm"]
    assert found.health is Health.WRONG
    assert "404" in found.saw


def test_where_nobody_answers_it_says_so_and_does_not_wait_for_ever(
    environment: dict[str, str],
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    began = time.monotonic()
    found = examined(
        environment,
        SANDBOX_URL=f"http://{nowhere}",
        PROMETHEUS_URL=f"http://{nowhere}",
        DATABASE_URL=f"postgresql://runbookd@{nowhere}/runbookd",
    )
    assert time.monotonic() - began < 30
    wrong = {name for name, each in found.items() if each.health is Health.WRONG}
    assert wrong == {
        "database",
        "target api",
        "target worker-vm",
        "target database",
        "slack",
        "prometheus",
    }


def test_one_that_hangs_is_told_as_silent_and_the_others_are_still_told(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hang(_settings: Settings, *, pictures: bool) -> Finding:
        released.wait(60)
        return Finding("slack", Health.OK, "too late")

    monkeypatch.setattr("service.doctor.checks._slack", hang)
    found = {each.name: each for each in examine(load_settings(environment), longest_s=8.0)}
    released.set()
    assert found["slack"] == Finding("slack", Health.WRONG, "did not answer within 8 s")
    assert found["target api"].health is Health.OK


def test_without_a_sandbox_each_missing_secret_is_named(environment: dict[str, str]) -> None:
    found = examined(environment, SANDBOX_URL="")
    for name, variable in {
        "target api": "DIGITALOCEAN_TOKEN",
        "target database": "SUPABASE_ACCESS_TOKEN",
        "slack": "SLACK_BOT_TOKEN",
        "pagerduty": "PAGERDUTY_ROUTING_KEY",
    }.items():
        assert found[name].health is Health.WRONG
        assert f"{variable} is not set" in found[name].saw


def test_the_table_tells_where_each_value_is_from_and_never_a_secret(
    runbookd: CommandLine, environment: dict[str, str], tmp_path: Path
) -> None:
    secret_file = tmp_path / "grafana"
    secret_file.write_text("another-test-token-not-real\n")
    said = runbookd(
        "doctor",
        env={
            **environment,
            "GRAFANA_TOKENS_FILE": str(secret_file),
            "DATABASE_URL": "postgresql://user:password-not-real@127.0.0.1:1/runbookd",
        },
    )
    lines = {line.split()[0]: line.split() for line in said.out.splitlines() if line.split()}
    assert lines["ALERTMANAGER_TOKENS"] == ["ALERTMANAGER_TOKENS", "set", "ALERTMANAGER_TOKENS"]
    assert lines["GRAFANA_TOKENS"] == ["GRAFANA_TOKENS", "set", "GRAFANA_TOKENS_FILE"]
    assert lines["PORT"] == ["PORT", "8080", "default"]
    assert "postgresql://127.0.0.1:1/runbookd" in said.out
    assert "not-real" not in said.out
    assert said.status == 1
    assert "Not in order: database." in said.out


def test_the_exit_status_is_0_when_all_that_is_required_is_there(
    runbookd: CommandLine, environment: dict[str, str]
) -> None:
    said = runbookd("doctor", env=environment)
    assert said.status == 0
    assert "All that is required is there." in said.out


def test_a_variable_that_only_looks_like_a_setting_is_told(
    runbookd: CommandLine, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", SECRET)
    said = runbookd("doctor", env=environment)
    assert "API_TOKEN is not a setting; did you mean API_TOKENS?" in said.out
    assert said.status == 0


def test_people_are_named_and_what_is_doubtful_of_their_tokens(
    environment: dict[str, str],
) -> None:
    migrate(load_settings(environment))
    stores = Stores(load_settings(environment))
    eve = Person("eve", frozenset({Role.APPROVER}))
    TokenStore(stores.engine).make(eve, None, "ada", time.time(), lambda _connection: None)
    stores.engine.dispose()
    entries = f"anna:operator+aprover:{SECRET},old:{SECRET}"
    found = examined(environment, API_TOKENS=entries)["people"]
    assert found.health is Health.NOTE
    lines = found.saw.splitlines()
    assert lines[0] == "anna, token-2, eve may use the API"
    assert "aprover of anna is taken as a group" in lines[1]
    assert lines[2].startswith("Entry 2 of API_TOKENS has a colon")
    assert len(lines) == 3
    assert SECRET not in found.saw


def test_a_group_that_the_rules_ask_and_no_token_has_is_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    rules = tmp_path / "rules.yml"
    text = (ROOT / "rules" / "quizmentor.yml").read_text(encoding="utf-8")
    asks = "  - name: high-cpu\n    approval: {from: [finance]}\n"
    rules.write_text(text.replace("  - name: high-cpu\n", asks), encoding="utf-8")
    given = {"RULES": str(rules), "API_TOKENS": f"anna:approver:{SECRET}"}
    found = examined(environment, **given)["people"]
    assert found.health is Health.NOTE
    assert "No token has the role or group finance, which high-cpu may ask" in found.saw
    given["API_TOKENS"] = f"bo:approver+finance:{SECRET}"
    assert examined(environment, **given)["people"] == Finding(
        "people", Health.OK, "bo may use the API"
    )


def test_a_mistaken_token_of_a_person_is_wrong(environment: dict[str, str]) -> None:
    found = examined(environment, API_TOKENS=f"anna:boss:{SECRET}")["senders"]
    assert found.health is Health.WRONG
    assert "names no role that is known" in found.saw


def test_doctor_tells_of_a_buckets_objects_and_that_it_is_off_without_its_keys(
    environment: dict[str, str], tmp_path: Path
) -> None:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    place = Place(f"http://127.0.0.1:{port}", "us-east-1", "quizmentor")
    rules = tmp_path / "static.yml"
    shipped = (ROOT / "rules" / "static.yml").read_text(encoding="utf-8")
    rules.write_text(
        shipped.replace("region: nyc3\n", f"region: us-east-1\n    endpoint: {place.endpoint}\n")
    )
    keys = {"SPACES_KEY": "fake-key", "SPACES_SECRET": "fake-secret"}
    buckets = SpacesBuckets(key="fake-key", secret="fake-secret")
    buckets._made(place).create_bucket(Bucket=place.bucket)
    normal = Contents(
        b'{"maintenance": false, "static_mode": false}',
        {"ContentType": "application/json", "CacheControl": "no-cache"},
    )
    beside_sandbox = examined(environment, RULES=str(rules))["target frontend"]
    keys["SANDBOX_URL"] = ""
    empty = examined(environment, RULES=str(rules), **keys)["target frontend"]
    buckets.put(place, "emergency/config.json", normal, NEW, public=True)
    looked = examined(environment, RULES=str(rules), **keys)["target frontend"]
    server.stop()
    off = examined(environment, RULES=str(rules), SANDBOX_URL="")["target frontend"]
    listed = "below assets/ are 0 objects"
    assert empty.saw == "bucket quizmentor answers: emergency/config.json is none, " + listed
    assert looked.saw == "bucket quizmentor answers: emergency/config.json is normal, " + listed
    assert looked.health is Health.OK
    assert off.saw.startswith("off: SPACES_SECRET is not set")
    assert beside_sandbox.saw == f"{empty.saw} (the sandbox stands in)"


def test_doctor_tells_of_the_applications_cache_and_that_it_is_off_or_our_own(
    environment: dict[str, str], tmp_path: Path
) -> None:
    server = RedisServer(executable(), tmp_path / "cache")
    server.start()
    server.client.set("session:1", "me")
    server.client.hset("runbookd:cache-settings", "ttl", "600")
    rules = {"RULES": "rules/cache.yml"}
    looked = examined(environment, **rules, APP_CACHE_URL=server.url)["target app-cache"]
    off = examined(environment, **rules)["target app-cache"]
    other_name = server.url.replace("127.0.0.1", "localhost")
    ours = examined(environment, **rules, APP_CACHE_URL=server.url, REDIS_URL=other_name)
    keys = server.client.dbsize()
    server.stop()
    assert looked.health is Health.OK
    assert "a primary, with 2 keys and the policy noeviction" in looked.saw
    assert looked.saw.endswith("its strategy is ttl=600"), "nothing stands in for it"
    assert off.health is Health.NOTE
    assert off.saw.startswith("off: APP_CACHE_URL is not set")
    assert ours["target app-cache"].health is Health.WRONG
    assert "lead to the same server" in ours["target app-cache"].saw
    assert keys == 2


TELLING = """\
rules:
  - name: emergency
    match: [alertname=Down]
    action: tell
    with: {channels: ['#ops', '#web'], text: It is down.}
    cooldown: 1h
  - name: growth
    match: [alertname=Growth]
    action: watch
    with: {for: 2h}
    cooldown: 1h
"""
ALL_CHANNELS = ["channels:read", "groups:read"]


def with_slack(
    environment: dict[str, str], tmp_path: Path, member_of: list[str], scopes: list[str]
) -> dict[str, str]:
    """The rules that tell and watch, and a bot in these channels whose token has these scopes."""
    control = f"{environment['SANDBOX_URL']}/_sandbox"
    httpx.post(f"{control}/slack", json={"member_of": member_of}).raise_for_status()
    tokens = {"slack": {SANDBOX_TOKEN: ["chat:write", *scopes]}}
    httpx.post(f"{control}/tokens", json=tokens).raise_for_status()
    rules = tmp_path / "telling.yml"
    rules.write_text(TELLING)
    return {**environment, "RULES": str(rules)}


@pytest.mark.parametrize(
    ("member_of", "scopes", "health", "sentence"),
    [
        (["ops", "web"], ALL_CHANNELS, Health.OK, "rules tell #ops, #web; the bot is a member of"),
        (["ops"], ALL_CHANNELS, Health.WRONG, "no member of #web, which rules tell, so nothing"),
        (["ops"], ALL_CHANNELS, Health.WRONG, "Type `/invite @runbookd` in each of them."),
        (["ops"], ["channels:read"], Health.NOTE, "listed with the scope groups:read"),
        (
            ["ops"],
            [*ALL_CHANNELS, "chat:write.public"],
            Health.NOTE,
            "by chat:write.public it can post there all the same where a channel is public",
        ),
        (["ops", "web"], [], Health.NOTE, "can't be told without the scope channels:read"),
    ],
)
def test_doctor_says_whether_the_bot_can_post_where_rules_tell(
    environment: dict[str, str],
    tmp_path: Path,
    member_of: list[str],
    scopes: list[str],
    health: Health,
    sentence: str,
) -> None:
    found = examined(with_slack(environment, tmp_path, member_of, scopes))["channels"]
    assert (found.health, sentence in found.saw) == (health, True), found.saw


@pytest.mark.parametrize(
    ("rules", "scopes", "health"),
    [
        ("rules/quizmentor.yml,rules/jobs.yml", [], Health.NOTE),
        ("rules/quizmentor.yml,rules/jobs.yml", ["files:write"], Health.OK),
        ("rules/quizmentor.yml", [], Health.OK),
    ],
)
def test_doctor_says_when_a_weekly_report_may_show_no_picture(
    environment: dict[str, str], tmp_path: Path, rules: str, scopes: list[str], health: Health
) -> None:
    asked = {**with_slack(environment, tmp_path, ["ops"], scopes), "RULES": rules}
    found = examined(asked)["slack"]
    assert found.health is health
    assert ("lacks the scope files:write" in found.saw) == (health is Health.NOTE)


def test_doctor_says_which_rules_watch_without_prometheus(
    environment: dict[str, str], tmp_path: Path
) -> None:
    found = examined(with_slack(environment, tmp_path, [], []))["prometheus"]
    assert found.health is Health.NOTE
    assert "rules that watch have no reading of it: growth" in found.saw


def test_doctor_says_which_scenarios_go_on_and_what_keeps_the_others(
    environment: dict[str, str], tmp_path: Path
) -> None:
    assert "scenarios" not in examined(environment)
    rules = tmp_path / "rush.yml"
    step = "{id: out, action: set_capacity, target: api, to: {replicas: 4}, undo: restore}"
    slow = step.replace("undo", "when: 'p95 > 500', undo").replace("out", "more")
    rules.write_text(
        f"scenarios:\n  rush: {{steps: [{step}, {slow}]}}\n  night: {{steps: [{step}]}}\n"
    )
    given = {"RULES": f"rules/quizmentor.yml,{rules}", "API_TOKENS": f"olga:operator:{SECRET}"}
    settings = load_settings({**environment, **given})
    found = examined(environment, **given)["scenarios"]
    assert found.health is Health.NOTE
    assert found.saw == (
        "rush has no readings, because PROMETHEUS_URL is not set: step more is left out"
    )
    migrate(settings)
    stores, book = Stores(settings), load_rules(settings)
    store = ScenarioStore(stores.engine, lambda connection, run: None, stores.bell)
    rush = book.scenarios["rush"]
    asks = requests_of(book, rush, "a test")
    new = NewScenario(rush, asks, "olga", "a test", book.hash, time.time())
    store.start(new, lambda connection: None)
    stores.engine.dispose()
    lines = examined(environment, **given)["scenarios"].saw.splitlines()
    assert lines[0] == "rush.1 is planning, 0 of 2 steps over"
    assert "night cannot start now: rush.1 is planning and changes api" in lines


def test_where_no_rule_tells_doctor_asks_for_no_channels(environment: dict[str, str]) -> None:
    assert "channels" not in examined(environment)


def test_a_cluster_of_ones_own_is_asked_node_by_node_and_compared_with_our_own_redis(
    environment: dict[str, str], tmp_path: Path
) -> None:
    rules = tmp_path / "cluster.yml"
    rules.write_text(
        "targets: {nodes: {kind: valkey_cluster}}\nrules: [{name: full, match: [alertname=Full], "
        "action: scale_cache, target: nodes, with: {shards: 2}, cooldown: 30m}]\n",
        encoding="utf-8",
    )
    told = {"RULES": str(rules)}
    with nodes(executable(), tmp_path, 2) as cluster:
        first, second = cluster.nodes
        cluster.join({0: [(0, 16_383)]}, {})
        urls = {"CACHE_CLUSTER_URLS": cluster.urls}
        looked = examined(environment, **told, **urls)["target nodes"]
        off = examined(environment, **told)["target nodes"]
        own = f"redis://localhost:{second.port}/0"
        ours = examined(environment, **told, **urls, REDIS_URL=own)["target nodes"]
        second.process.kill()
        away = examined(environment, **told, **urls)["target nodes"]
    assert looked.health is Health.OK
    assert "every node says that the cluster is ok: nodes 1, shards 1; 0 keys" in looked.saw
    assert looked.saw.endswith("new nodes that wait to join: 1")
    assert off.health is Health.NOTE
    assert off.saw.startswith("off: CACHE_CLUSTER_URLS is not set")
    assert ours.health is Health.WRONG
    assert f"{second.address} is runbookd's own Redis" in ours.saw
    assert away.health is Health.WRONG
    assert second.address in away.saw
    assert first.address not in away.saw
