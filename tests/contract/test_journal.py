"""One contract for admission's journal, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.alerts.floods import Rate, rate_after
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.controls import PAUSE, Control
from service.domain.decisions.decision import Decision, Verdict
from service.domain.errors import StoreConflict
from service.domain.rules.scopes import EVERYTHING, Scopes
from service.engine.queue import RunQueue
from service.intake.parse import parse_notification
from service.ports.admission import Changes, Claimed, Delivery, NewRun, OnRecord
from service.store.admissions import SqlJournal
from service.store.bell import bell_of
from service.store.controls import ControlStore
from service.store.database import open_engine
from service.store.due import DueStore
from tests.contract.admission import SqlDesk, all_at_once
from tests.databases import PostgresDatabases
from tests.fakes.alerts import (
    CPU,
    ERRORS,
    MEMORY,
    NOW,
    OTHER,
    SLOW,
    alert,
    delivery,
    resolved,
)
from tests.postgres import PostgresServer

ACT, HOLD = Verdict.ACT, Verdict.HOLD
EPISODES = "SELECT open, newest, times_seen, resolved_at FROM alerts ORDER BY id"


@pytest.fixture
def desk(engine: sa.Engine) -> SqlDesk:
    return SqlDesk(engine)


@pytest.fixture
def journal(engine: sa.Engine) -> SqlJournal:
    return SqlJournal(engine, lambda _connection, _run: None)


def _claim(journal: SqlJournal, key: str, now: float) -> Claimed:
    with journal.transaction() as transaction:
        return transaction.claim([key], now)[key]


# ---- claims ----


def test_a_claim_has_one_winner_among_many_threads(journal: SqlJournal) -> None:
    claims = all_at_once([lambda: _claim(journal, "api.out", NOW)] * 8)
    assert sum(claimed.won for claimed in claims) == 1
    assert {claimed.cooldown.run for claimed in claims} == {"api.out.1"}
    assert {claimed.cooldown.until for claimed in claims} == {BUSY_UNTIL}


def test_a_claim_is_taken_again_from_its_until_on_and_not_before(desk: SqlDesk) -> None:
    journal = SqlJournal(desk.engine, lambda _connection, _run: None)
    _claim(journal, "api.out", NOW)
    desk.rest("api.out", NOW + 600, "replicas 2 → 3")
    early, late = _claim(journal, "api.out", NOW + 599.9), _claim(journal, "api.out", NOW + 600)
    assert (early.won, early.cooldown.until, early.cooldown.reason) == (
        False,
        NOW + 600,
        "replicas 2 → 3",
    )
    assert (late.won, late.cooldown.run, late.cooldown.generation) == (True, "api.out.2", 2)
    assert late.cooldown.reason == ""


def test_generations_only_ever_rise(desk: SqlDesk) -> None:
    journal = SqlJournal(desk.engine, lambda _connection, _run: None)
    runs = []
    for _ in range(12):
        runs.append(_claim(journal, "api.out", NOW).cooldown.run)
        desk.rest("api.out", NOW)
    assert runs == [f"api.out.{number}" for number in range(1, 13)]


def test_a_claim_of_a_transaction_that_fails_was_never_taken(journal: SqlJournal) -> None:
    def claim_and_fail() -> None:
        with journal.transaction() as transaction:
            assert transaction.claim(["api.out"], NOW)["api.out"].won
            raise LookupError

    with pytest.raises(LookupError):
        claim_and_fail()
    assert _claim(journal, "api.out", NOW).cooldown.generation == 1


def test_many_claims_are_taken_at_once_each_by_its_own_cooldown(desk: SqlDesk) -> None:
    journal = SqlJournal(desk.engine, lambda _connection, _run: None)
    _claim(journal, "api.out", NOW)
    _claim(journal, "database.up", NOW)
    desk.rest("database.up", NOW + 10)
    with journal.transaction() as transaction:
        claimed = transaction.claim({"worker-vm.up", "database.up", "api.out"}, NOW + 10)
    assert {key: (each.won, each.cooldown.run) for key, each in claimed.items()} == {
        "api.out": (False, "api.out.1"),
        "database.up": (True, "database.up.2"),
        "worker-vm.up": (True, "worker-vm.up.1"),
    }


def test_no_claims_are_no_statement(journal: SqlJournal) -> None:
    with journal.transaction() as transaction:
        assert transaction.claim([], NOW) == {}


def test_two_processes_that_want_the_same_claims_in_opposite_orders_both_commit(
    journal: SqlJournal,
) -> None:
    """Taken one by one in the order in which they are asked for, they would wait for each other."""
    names = [f"claim-{number:03}" for number in range(200)]

    def take(wanted: list[str]) -> int:
        with journal.transaction() as transaction:
            return sum(claimed.won for claimed in transaction.claim(wanted, NOW).values())

    won = all_at_once([lambda: take(names), lambda: take(names[::-1])] * 3)
    assert sorted(won) == [0, 0, 0, 0, 0, 200]


# ---- episodes ----


def test_an_episode_opens_repeats_and_resolves(desk: SqlDesk) -> None:
    desk.admit(delivery(alert(), at=NOW))
    desk.admit(delivery(alert(), at=NOW + 30))
    assert desk.rows(EPISODES) == [(True, True, 2, None)]
    assert desk.rows("SELECT last_seen, first_seen FROM alerts") == [(NOW + 30, NOW)]
    desk.admit(delivery(resolved(), at=NOW + 60))
    assert desk.rows(EPISODES) == [(False, True, 3, NOW + 60)]


def test_a_notification_that_comes_late_takes_no_sign_of_life_back(desk: SqlDesk) -> None:
    desk.admit(delivery(alert(), at=NOW))
    desk.admit(delivery(alert(), at=NOW + 30))
    desk.admit(delivery(alert(), at=NOW + 10), now=NOW + 31)
    assert desk.rows("SELECT last_seen, times_seen FROM alerts") == [(NOW + 30, 3)]


def test_firing_again_within_the_grace_reopens_and_later_opens_anew(desk: SqlDesk) -> None:
    desk.admit(delivery(alert(), at=NOW))
    desk.admit(delivery(resolved(), at=NOW + 10))
    desk.admit(delivery(alert(), at=NOW + 130))
    assert desk.rows(EPISODES) == [(True, True, 3, None)]
    desk.admit(delivery(resolved(), at=NOW + 140))
    desk.admit(delivery(alert(), at=NOW + 261))
    assert desk.rows(EPISODES) == [(False, False, 4, NOW + 140), (True, True, 1, None)]


def test_resolved_without_having_fired_is_kept(desk: SqlDesk) -> None:
    (decision,) = desk.verdicts(delivery(resolved()))
    assert decision.verdict is HOLD
    assert desk.rows(EPISODES) == [(False, True, 1, NOW)]
    assert desk.count("decisions") == 1


def test_alerts_of_two_sources_with_one_fingerprint_are_two(desk: SqlDesk) -> None:
    desk.admit(delivery(alert(source="alertmanager")), delivery(alert(source="grafana")))
    assert desk.count("alerts") == 2


def test_a_repeat_that_changes_nothing_is_counted_in_one_row(desk: SqlDesk) -> None:
    for each in range(4):
        desk.admit(delivery(alert(), at=NOW + each))
    rows = desk.rows("SELECT verdict, times, decided_at, last_at FROM decisions ORDER BY id")
    assert rows == [("act", 1, NOW, NOW), ("hold", 3, NOW + 1, NOW + 3)]
    assert desk.count("deliveries") == 4


def test_every_verdict_on_record_names_a_stored_decision(desk: SqlDesk) -> None:
    desk.admit(delivery(alert(CPU), alert(ERRORS), alert(OTHER)))
    desk.admit(delivery(alert(CPU), resolved(ERRORS)))
    stored = {row[0] for row in desk.rows("SELECT id FROM decisions")}
    with desk.journal.transaction() as transaction:
        identities = [row[0] for row in desk.rows("SELECT identity FROM alerts")]
        records = transaction.read(identities, ()).episodes.values()
    assert len(records) == 3
    assert {last[0] for record in records for last in record.verdicts.values()} <= stored


# ---- many at once ----


def test_one_notification_from_many_threads_is_one_run_and_one_episode(engine: sa.Engine) -> None:
    desks = [SqlDesk(engine) for _ in range(8)]
    alerts = [alert(instance=f"{number}") for number in range(10)]
    decided = all_at_once([partial(desk.verdicts, delivery(*alerts)) for desk in desks])
    verdicts = [decision.verdict for decisions in decided for decision in decisions]
    assert verdicts.count(ACT) == 1
    assert len(verdicts) == 80
    assert desks[0].rows("SELECT id FROM runs") == [("api.out.1",)]
    assert {row[:3] for row in desks[0].rows(EPISODES)} == {(True, True, 8)}
    assert desks[0].count("alerts") == 10
    assert sum(len(desk.queued) for desk in desks) >= 1


def test_overlapping_batches_in_opposite_orders_all_come_through(engine: sa.Engine) -> None:
    names = [CPU, MEMORY, ERRORS, SLOW, OTHER]
    one = [delivery(alert(name, "a"), alert(name, "b")) for name in names]
    other = one[::-1]
    desks = [SqlDesk(engine) for _ in range(6)]
    began = time.monotonic()
    orders = [one, other] * 3
    all_at_once([partial(desk.admit, *order) for desk, order in zip(desks, orders, strict=True)])
    took = time.monotonic() - began
    desk = desks[0]
    assert desk.count("runs") == 5
    assert {row[2] for row in desk.rows(EPISODES)} == {6}
    assert desk.count("incidents") == 1
    assert took < 120, "they waited for a time-out, not for each other"


def test_two_resolves_at_once_of_the_last_two_alerts_queue_the_end(engine: sa.Engine) -> None:
    for attempt in range(5):
        group = {"attempt": f"{attempt}"}
        first, second = SqlDesk(engine), SqlDesk(engine)
        names = f"a{attempt}", f"b{attempt}"
        first.admit(delivery(*(alert(ERRORS, each) for each in names), group=group))
        before = first.count("runs")
        all_at_once(
            [
                partial(first.admit, delivery(resolved(ERRORS, names[0]), group=group)),
                partial(second.admit, delivery(resolved(ERRORS, names[1]), group=group)),
            ]
        )
        assert first.count("runs") == before + 1


def test_a_resolve_is_not_undone_by_a_repeat_at_the_same_time(engine: sa.Engine) -> None:
    """Whichever comes last, the episode and the incident agree on whether it fires."""
    desks = SqlDesk(engine), SqlDesk(engine)
    desks[0].admit(delivery(alert(ERRORS)))
    for _ in range(5):
        all_at_once(
            [
                lambda: desks[0].admit(delivery(resolved(ERRORS))),
                lambda: desks[1].admit(delivery(alert(ERRORS))),
            ]
        )
        ((open_, resolved_at),) = desks[0].rows("SELECT open, resolved_at FROM alerts WHERE newest")
        assert bool(open_) is (resolved_at is None)


# ---- all or nothing ----


def test_a_failed_enqueue_leaves_nothing_behind(engine: sa.Engine) -> None:
    def refuse(_connection: sa.Connection, _run: NewRun) -> None:
        raise LookupError("the queue refuses")

    desk = SqlDesk(engine, enqueue=refuse)
    with pytest.raises(LookupError):
        desk.admit(delivery(alert(CPU), alert(ERRORS)))
    tables = "deliveries", "alerts", "decisions", "cooldowns", "runs", "incidents"
    assert {table: desk.count(table) for table in tables} == dict.fromkeys(tables, 0)
    assert SqlDesk(engine).verdicts(delivery(alert(CPU)))[0].run == "api.out.1"


def test_a_run_and_its_place_in_the_queue_are_committed_together(engine: sa.Engine) -> None:
    queue = RunQueue(engine, bell_of(engine))
    desk = SqlDesk(engine, enqueue=queue.enqueue)
    desk.admit(delivery(alert(CPU), alert(ERRORS)))
    schema = "" if engine.dialect.name == "sqlite" else "dbos."
    queued = desk.rows(f"SELECT workflow_uuid FROM {schema}workflow_status")  # noqa: S608 - ours
    assert sorted(queued) == sorted(desk.rows("SELECT id FROM runs"))
    assert len(queued) == 2
    queue.close()


def test_a_reused_run_id_is_refused_and_nothing_is_kept(engine: sa.Engine) -> None:
    """After a restore of an old backup, say: a second run of that name would not be executed."""
    queue = RunQueue(engine, bell_of(engine))
    desk = SqlDesk(engine, enqueue=queue.enqueue)
    desk.admit(delivery(alert()))
    desk.execute("DELETE FROM cooldowns")
    desk.execute("DELETE FROM runs")
    with pytest.raises(Exception, match=r"api\.out\.1"):
        desk.admit(delivery(alert(), at=NOW + 1))
    assert desk.count("deliveries") == 1
    queue.close()


def test_rows_that_another_process_wrote_first_are_a_conflict(engine: sa.Engine) -> None:
    desk = SqlDesk(engine)
    desk.admit(delivery(alert()))
    with pytest.raises(StoreConflict), desk.journal.transaction() as transaction:
        transaction._connection.execute(
            sa.text("INSERT INTO cooldowns VALUES ('api.out', 1, 0, 'api.out.1', '')")
        )


@pytest.mark.parametrize("last", [False, True])
def test_a_row_that_is_there_already_undoes_all_of_its_transaction(
    engine: sa.Engine, last: bool
) -> None:
    desk = SqlDesk(engine)
    changes = Changes(rules_hash="0" * 12, deliveries=[("n-1", delivery(alert()))])

    def admit_it_twice() -> None:
        with desk.journal.transaction() as transaction:
            transaction.claim(["api.out"], NOW)
            transaction.write(changes)
            transaction.write(changes, last=last)

    with pytest.raises(StoreConflict):
        admit_it_twice()
    assert (desk.count("deliveries"), desk.count("cooldowns")) == (0, 0)
    with desk.journal.transaction() as transaction:
        transaction.write(changes, last=last)
    assert desk.count("deliveries") == 1


def test_postgresql_commits_along_with_the_last_write_where_nothing_is_left_to_say(
    engine: sa.Engine,
) -> None:
    desk = SqlDesk(engine)
    along = 1 if engine.dialect.name == "postgresql" else 0
    with desk.journal.transaction() as transaction:
        kept = Changes(rules_hash="0" * 12, deliveries=[("n-1", delivery(alert()))])
        transaction.write(kept, last=True)
        assert desk.count("deliveries") == along
    with desk.journal.transaction() as transaction:
        more = Changes(rules_hash="0" * 12, deliveries=[("n-2", delivery(alert()))])
        more.turns[1] = (NOW,)
        transaction.write(more, last=True)
        assert desk.count("deliveries") == 1
    assert desk.count("deliveries") == 2


# ---- what strangers send ----

HOSTILE = "\x00 \ud83d \u202e'\"`;--<script>{{1}}${X}%s%(a)s\r\n" + "é" * 50


def _posted(payload: dict[str, Any]) -> Delivery:
    body = json.dumps({"version": "4", "status": "firing", **payload}).encode()
    taken = parse_notification(
        body,
        source="alertmanager",
        content_type="application/json",
        received_at=datetime.fromtimestamp(NOW, UTC),
    )
    return Delivery(taken, NOW)


def test_text_that_no_database_takes_is_kept_repaired(desk: SqlDesk) -> None:
    hostile = {HOSTILE: HOSTILE, "alertname": HOSTILE}
    good = {"status": "firing", "labels": hostile, "annotations": hostile, "fingerprint": HOSTILE}
    bad = {**good, "labels": {HOSTILE: [HOSTILE]}}
    texts = {"receiver": HOSTILE, "groupKey": HOSTILE, "externalURL": HOSTILE}
    receipts = desk.admit(
        _posted({**texts, "groupLabels": hostile, "commonLabels": hostile, "alerts": [good, bad]})
    )
    assert len(receipts[0].verdicts) == 1
    assert len(receipts[0].quarantined) == 1
    repaired = HOSTILE.replace("\x00", "\ufffd").replace("\ud83d", "\ufffd")
    assert desk.rows("SELECT receiver, group_key FROM deliveries") == [(repaired, repaired)]
    ((name, body, fingerprint),) = desk.rows("SELECT name, body, fingerprint FROM alerts")
    assert (name, fingerprint) == (repaired, repaired)
    assert json.loads(body)["labels"] == {repaired: repaired, "alertname": repaired}
    ((reason, raw),) = desk.rows("SELECT reason, raw FROM quarantine")
    assert "\x00" not in reason + raw
    assert json.loads(raw)["labels"] == {repaired: [repaired]}


def test_huge_texts_are_kept(desk: SqlDesk) -> None:
    huge = "x" * 2_000_000
    one = {"labels": {"alertname": huge, "a": huge}, "annotations": {huge: huge}}
    taken = _posted(
        {"receiver": huge, "groupLabels": {"a": huge}, "alerts": [{"status": "firing", **one}] * 2}
    )
    assert [each.verdict for each in desk.verdicts(taken)] == [ACT, HOLD]
    assert desk.rows("SELECT length(name), length(receiver) FROM alerts, deliveries") == [
        (500, 2_000_000)
    ]


def test_an_empty_list_is_kept(desk: SqlDesk) -> None:
    (receipt,) = desk.admit(_posted({"alerts": []}))
    assert receipt.verdicts == ()
    assert desk.rows("SELECT id, alerts FROM deliveries") == [(receipt.delivery, 0)]


@pytest.mark.parametrize("name", [CPU, ERRORS])
def test_ten_thousand_alerts_in_one_notification_are_one_run(desk: SqlDesk, name: str) -> None:
    alerts = [alert(name, f"{number}") for number in range(10_000)]
    began = time.process_time()
    first = desk.verdicts(delivery(*alerts))
    ended = desk.verdicts(delivery(*(resolved(name, f"{each}") for each in range(10_000))))
    took = time.process_time() - began
    assert len(first) == len(ended) == 10_000
    assert len(desk.queued[0].request.origin.alerts) == 10_000
    assert {each.run for each in first if each.run} == {desk.queued[0].request.id}
    assert desk.rows("SELECT count(*), min(times_seen) FROM alerts WHERE NOT open") == [(10_000, 2)]
    # Of the processor: what it takes on the clock depends on who else is there.
    assert took < 30, f"two notifications took {took:.1f} s of the processor"


@pytest.mark.parametrize(("alerts", "idle_s"), [(0, 8), (512, 8), (10_000, 108)])
def test_a_large_batch_may_be_decided_on_slowly(
    postgres: PostgresServer, alerts: int, idle_s: int
) -> None:
    """PostgreSQL hears nothing of a batch meanwhile. It ends a transaction that does nothing for
    8 s, and on a busy machine ten thousand alerts take longer than that."""
    engine = open_engine(PostgresDatabases(postgres).fresh())
    show = sa.text("SELECT setting::integer / 1000 FROM pg_settings WHERE name = :name")
    name = {"name": "idle_in_transaction_session_timeout"}
    with SqlJournal(engine, lambda _connection, _run: None).transaction() as transaction:
        transaction.read(range(alerts), ())
        assert transaction._connection.execute(show, name).scalar_one() == idle_s
    with engine.connect() as connection:
        assert connection.execute(show, name).scalar_one() == 8
    engine.dispose()


def test_a_thousand_alerts_that_each_claim_for_themselves_come_through(desk: SqlDesk) -> None:
    alerts = [alert(OTHER, f"{number}") for number in range(1_000)]
    decisions = desk.verdicts(delivery(*alerts, group={}))
    assert {decision.verdict for decision in decisions} == {ACT}
    assert desk.count("runs") == 1_000


def test_more_claims_than_a_statement_takes_values_come_through(desk: SqlDesk) -> None:
    with desk.journal.transaction() as transaction:
        assert transaction.cooldowns([f"claim{number}" for number in range(40_000)]) == {}
        assert transaction.incidents([f"key{n}" for n in range(40_000)], range(40_000)) == {}
        assert transaction.open_members([f"key{number}" for number in range(40_000)]) == {}
        assert transaction.incidents_of(range(40_000)) == {}
        assert transaction.read(range(40_000), ()) == OnRecord({}, {})


# ---- senders ----

FORGED = {"alertname": ERRORS, "forged": "yes"}


def test_a_delivery_is_kept_with_its_credential_and_address(desk: SqlDesk) -> None:
    desk.admit(delivery(alert(CPU), credential="prod", address="192.0.2.7"))
    desk.admit(delivery(alert(CPU)))
    rows = desk.rows("SELECT credential, address FROM deliveries ORDER BY id")
    assert rows == [("prod", "192.0.2.7"), (None, None)]


def test_an_episode_remembers_the_labels_with_which_it_fired(desk: SqlDesk) -> None:
    desk.admit(delivery(alert(ERRORS)))
    (forged,) = desk.verdicts(delivery(resolved(ERRORS, labels=FORGED), at=NOW + 1))
    assert forged.guard == "labels"
    open_and_newest = "SELECT open, newest FROM alerts ORDER BY id"
    assert desk.rows(open_and_newest) == [(True, True), (False, False)]
    (ended,) = desk.verdicts(delivery(resolved(ERRORS), at=NOW + 2))
    assert ended.guard == "resolved"
    assert desk.rows(open_and_newest) == [(False, True), (False, False)]


def test_what_a_sender_may_not_earn_is_kept_apart_from_the_real_alert(engine: sa.Engine) -> None:
    desk = SqlDesk(engine, scopes=Scopes.stating({"prod": EVERYTHING}))
    (refused,) = desk.verdicts(delivery(alert(ERRORS), credential="stranger"))
    (earned,) = desk.verdicts(delivery(alert(ERRORS), credential="prod"))
    (forged,) = desk.verdicts(delivery(resolved(ERRORS), credential="stranger"))
    assert (refused.guard, earned.verdict, forged.guard) == ("scope", ACT, "resolved")
    assert desk.rows("SELECT open, newest FROM alerts ORDER BY id") == [(False, True), (True, True)]
    assert desk.count("incidents") == 1


def test_an_alert_that_is_judged_again_is_judged_as_its_senders(engine: sa.Engine) -> None:
    """Its credential has lost its scope while a pause held it."""
    scopes = Scopes.stating({"prod": EVERYTHING})
    ControlStore(engine, bell_of(engine)).put(
        Control("p-1", PAUSE, "anna", "the vendor is down", NOW, NOW + 900)
    )
    (held,) = SqlDesk(engine, scopes=scopes).verdicts(delivery(alert(CPU), credential="prod"))
    (again,) = DueStore(engine).take(NOW + 900, 10, 60)
    assert (again.credential, held.guard) == ("prod", "paused")
    after = SqlDesk(engine, scopes=Scopes.stating({"other": EVERYTHING}))
    (refused,) = after.verdicts(again)
    assert (refused.verdict, refused.guard) == (HOLD, "scope")
    assert after.rows("SELECT open, newest, due_at FROM alerts") == [(True, True, None)]


# ---- floods ----


def _counted(journal: SqlJournal, fresh: dict[str, int], minute: int) -> dict[str, Rate]:
    with journal.transaction() as transaction:
        return transaction.count_incidents(fresh, minute)


def test_incidents_are_counted_as_the_domain_counts_them(journal: SqlJournal) -> None:
    minute, expected = 29_000_000, None
    for step, more in [(0, 4), (0, 8), (1, 3), (0, 20), (-1, 1), (3, 11), (1, 1), (-60, 2)]:
        minute += step
        expected = rate_after(expected, minute, more)
        assert _counted(journal, {"prod": more}, minute) == {"prod": expected}


def test_each_sender_has_a_counter_of_its_own(journal: SqlJournal) -> None:
    _counted(journal, {"prod": 4}, 7)
    assert _counted(journal, {"prod": 1, "dev": 2}, 7) == {
        "prod": Rate(7, 5, 7),
        "dev": Rate(7, 2, 7),
    }


def test_many_processes_at_once_count_each_incident_once(engine: sa.Engine) -> None:
    desks = [SqlDesk(engine) for _ in range(4)]

    def admit(desk: SqlDesk, first: int) -> list[Decision]:
        return [
            decision
            for number in range(first, first + 5)
            for decision in desk.verdicts(_group(number))
        ]

    decided = all_at_once([partial(admit, desk, 5 * at) for at, desk in enumerate(desks)])
    flooded = ["flood" in decision.reason for each in decided for decision in each]
    assert sum(flooded) == 10
    desk = desks[0]
    assert desk.rows("SELECT incidents FROM incident_rates") == [(20,)]
    floods = "SELECT count(*) FROM incident_members WHERE dedup_key LIKE 'runbookd/flood/%'"
    assert desk.rows(floods) == [(10,)]
    assert desk.count("incidents") == 11


def test_a_batch_that_fails_counts_nothing(engine: sa.Engine) -> None:
    def refuse(_connection: sa.Connection, _run: NewRun) -> None:
        raise RuntimeError("the queue refuses")

    with pytest.raises(RuntimeError):
        SqlDesk(engine, enqueue=refuse).admit(_group(1))
    assert SqlDesk(engine).count("incident_rates") == 0


def test_an_alert_of_a_flood_is_found_by_its_membership_without_its_key(desk: SqlDesk) -> None:
    desk.admit(*(_group(number) for number in range(11)))
    (again,) = desk.verdicts(_group(10), now=NOW + 600)
    assert "as part of a flood" in again.reason
    assert desk.count("incidents") == 11


def test_an_incident_of_before_that_is_flooded_is_left_by_its_alert(desk: SqlDesk) -> None:
    desk.admit(_group(0))
    desk.admit(delivery(resolved(ERRORS, "0"), group={"n": "0"}, credential="prod", at=NOW + 1))
    desk.admit(*(_group(number) for number in range(1, 11)), now=NOW + 600)
    (flooded,) = desk.verdicts(_group(0), now=NOW + 601)
    assert "as part of a flood" in flooded.reason
    members = "SELECT count(*) FROM incident_members GROUP BY identity"
    assert {row[0] for row in desk.rows(members)} == {1}


def _group(number: int) -> Delivery:
    return delivery(alert(ERRORS, f"{number}"), group={"n": f"{number}"}, credential="prod")
