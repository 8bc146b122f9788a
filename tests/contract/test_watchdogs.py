"""Watchdogs and the heartbeat: the fakes, and the tables on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.catalogue.request_json import dump_request
from service.domain.decisions.decision_json import moment
from service.domain.errors import FailureKind, VendorError
from service.domain.heartbeat import Waiting, why_unwell
from service.domain.rules.matching import RuleIndex
from service.domain.watchdogs import Known, Watchdog
from service.engine.durable import waiting_query
from service.engine.execution import execute
from service.engine.late_pages import dump_late, page_id
from service.engine.pages import AGAIN_S as PAGE_AGAIN_S
from service.engine.parts import LatePage
from service.engine.queue import RunQueue
from service.ports import Message, Page
from service.ports.admission import NewRun
from service.ports.watchdogs import Heartbeat, Heartbeats, Watchdogs
from service.providers.heartbeat import HttpHeartbeat
from service.providers.waits import Timeouts
from service.store.admissions import add_run
from service.store.bell import bell_of
from service.store.incidents import IncidentStore
from service.store.outbox import OutboxStore
from service.store.runs import RunStore
from service.store.status import declared, status
from service.store.watchdogs import HeartbeatStore, WatchdogStore
from service.store.watchdogs_told import last_heartbeat
from service.triggers.alerts.candidates import RulesInForce
from tests.contract.admission import SqlDesk
from tests.contract.loopback import Loopback, closed_port
from tests.fakes.alerts import ERRORS, NOW, alert, delivery, resolved, rule_book
from tests.fakes.engine import FakeWorker, Recorder
from tests.fakes.faults import vendor_error
from tests.fakes.outbox import FakeOutbox
from tests.fakes.runs import API, request_for
from tests.fakes.watchdogs import FakeHeartbeat, FakeHeartbeats, FakeWatchdogs

DOG = Watchdog("Watchdog", 600.0)
SILENT, BACK = Message("Silent", "It is silent."), Message("Back", "It is back.")


@pytest.fixture(params=["fake", "sql"])
def kept(
    request: pytest.FixtureRequest, engine: sa.Engine
) -> tuple[Watchdogs, FakeOutbox | OutboxStore]:
    if request.param == "fake":
        fake = FakeWatchdogs()
        return fake, fake.outbox
    return WatchdogStore(engine), OutboxStore(engine)


@pytest.fixture
def watchdogs(kept: tuple[Watchdogs, FakeOutbox | OutboxStore]) -> Watchdogs:
    """A record with one watchdog, heard at NOW."""
    kept[0].note(DOG, NOW)
    return kept[0]


@pytest.fixture
def outbox(kept: tuple[Watchdogs, FakeOutbox | OutboxStore]) -> FakeOutbox | OutboxStore:
    return kept[1]


def titles(outbox: FakeOutbox | OutboxStore) -> list[str]:
    return [each.message.title for each in outbox.take(NOW + 1e6, 1.0, 10)]


def test_the_newest_word_stays_whoever_notes_last(watchdogs: Watchdogs) -> None:
    watchdogs.note(DOG, NOW + 60)
    watchdogs.note(DOG, NOW + 30)
    watchdogs.note(DOG, None)
    watchdogs.note(Watchdog("Another"), None)
    assert list(watchdogs.known()) == [
        Known("Another", 600.0),
        Known("Watchdog", 600.0, heard_at=NOW + 60),
    ]


def test_a_watchdog_becomes_silent_once_and_the_message_waits_with_it(
    watchdogs: Watchdogs, outbox: FakeOutbox | OutboxStore
) -> None:
    assert watchdogs.silent("Watchdog", NOW + 600, SILENT)
    assert not watchdogs.silent("Watchdog", NOW + 601, BACK)
    assert titles(outbox) == ["Silent"]
    (known,) = watchdogs.known()
    assert (known.silent_since, known.paged_at) == (NOW + 600, None)


def test_it_is_back_once_and_only_where_it_was_silent(
    watchdogs: Watchdogs, outbox: FakeOutbox | OutboxStore
) -> None:
    assert not watchdogs.back("Watchdog", NOW, BACK)
    watchdogs.silent("Watchdog", NOW + 600, SILENT)
    assert watchdogs.paged("Watchdog", NOW + 601)
    assert watchdogs.back("Watchdog", NOW + 700, BACK)
    assert not watchdogs.back("Watchdog", NOW + 701, BACK)
    assert sorted(titles(outbox)) == ["Back", "Silent"]
    assert list(watchdogs.known()) == [Known("Watchdog", 600.0, heard_at=NOW)]


def test_a_page_of_one_that_is_heard_again_is_not_put_down(watchdogs: Watchdogs) -> None:
    assert not watchdogs.paged("Watchdog", NOW + 601)
    (known,) = watchdogs.known()
    assert known.paged_at is None


def test_one_worker_tells_the_pager_at_a_time(watchdogs: Watchdogs) -> None:
    watchdogs.silent("Watchdog", NOW, SILENT)
    assert [watchdogs.take("Watchdog", NOW + at, 60.0) for at in (0, 1, 59, 60)] == [
        True,
        False,
        False,
        True,
    ]
    assert not watchdogs.take("Nobody", NOW, 60.0)


def test_one_that_is_forgotten_is_not_on_record(watchdogs: Watchdogs) -> None:
    watchdogs.forget("Watchdog")
    assert list(watchdogs.known()) == []


def test_of_workers_that_see_the_silence_at_the_same_time_one_tells_of_it(
    engine: sa.Engine,
) -> None:
    store = WatchdogStore(engine)
    store.note(DOG, NOW)
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda _: store.silent("Watchdog", NOW + 600, SILENT), range(8)))
    assert won.count(True) == 1
    assert OutboxStore(engine).count() == 1


# ---- What is heard, from the webhook on ----


def desk_with_watchdog(engine: sa.Engine) -> SqlDesk:
    """Admission by rules that match no watchdog, and name one."""
    book = rule_book()
    book = replace(book, rules=book.rules[:-1], watchdogs={"Watchdog": DOG})
    return SqlDesk(engine, rules=RulesInForce(book, RuleIndex(book)))


def test_a_watchdog_that_no_rule_matches_is_heard_and_tells_nobody(engine: sa.Engine) -> None:
    desk, store = desk_with_watchdog(engine), WatchdogStore(engine)
    assert store.heard("Watchdog") is None
    (decision,) = desk.verdicts(delivery(alert("Watchdog")))
    assert (decision.rule, decision.action) == ("watchdogs", "ignore")
    assert desk.queued == []
    assert store.heard("Watchdog") == NOW
    desk.admit(delivery(alert("Watchdog"), at=NOW + 60))
    assert store.heard("Watchdog") == NOW + 60
    desk.admit(delivery(resolved("Watchdog"), at=NOW + 90))
    assert store.heard("Watchdog") == NOW + 90


def test_a_replayed_watchdog_is_no_word_of_it(engine: sa.Engine) -> None:
    desk, store = desk_with_watchdog(engine), WatchdogStore(engine)
    desk.admit(delivery(alert("Watchdog"), replay=True))
    assert store.heard("Watchdog") is None
    desk.admit(delivery(alert("Watchdog"), at=NOW + 10))
    desk.admit(delivery(alert("Watchdog"), at=NOW + 500, replay=True))
    assert store.heard("Watchdog") == NOW + 10


def test_an_alert_that_no_rule_matches_is_still_told_beside_a_watchdog(engine: sa.Engine) -> None:
    (decision,) = desk_with_watchdog(engine).verdicts(delivery(alert("Something")))
    assert decision.rule == "unmatched"


# ---- The heartbeat ----


@pytest.fixture(params=["fake", "sql"])
def heartbeats(request: pytest.FixtureRequest, engine: sa.Engine) -> Heartbeats:
    if request.param == "fake":
        return FakeHeartbeats()
    return HeartbeatStore(engine, waiting_query(engine.dialect.name))


def test_a_heartbeat_is_due_once_in_its_time_for_whoever_comes_first(
    heartbeats: Heartbeats,
) -> None:
    taken = [heartbeats.take(NOW + at, 60.0) for at in (0, 0, 59, 60, 61)]
    assert taken == [True, False, False, True, False]


def test_one_that_failed_is_due_again_soon(heartbeats: Heartbeats) -> None:
    heartbeats.take(NOW, 60.0)
    heartbeats.said(NOW + 1, "no route to host", 15.0)
    assert [heartbeats.take(NOW + at, 60.0) for at in (15, 16)] == [False, True]
    heartbeats.said(NOW + 17, "", 15.0)
    assert not heartbeats.take(NOW + 40, 60.0)


def test_a_clock_that_was_set_back_by_a_day_does_not_silence_it(heartbeats: Heartbeats) -> None:
    heartbeats.take(NOW + 86_400, 60.0)
    assert heartbeats.take(NOW, 60.0)


def test_what_became_of_the_last_one_is_on_record(engine: sa.Engine) -> None:
    store = HeartbeatStore(engine, waiting_query(engine.dialect.name))
    with engine.connect() as connection:
        assert last_heartbeat(connection) is None
    store.take(NOW, 60.0)
    store.said(NOW + 1, "", 15.0)
    store.said(NOW + 61, "refused", 15.0)
    with engine.connect() as connection:
        assert last_heartbeat(connection) == (NOW + 1, "refused")


def test_what_waits_is_what_could_begin_and_not_what_is_queued_for_later(
    engine: sa.Engine,
) -> None:
    store = HeartbeatStore(engine, waiting_query(engine.dialect.name))
    queue = RunQueue(engine, bell_of(engine))
    assert store.waiting() == Waiting()
    later = request_for("horizontal_scale", API)
    soon = replace(later, id="api.out.2")
    for request, delay_s in ((later, 3_600.0), (soon, 0.0)):
        with engine.begin() as connection:
            run = NewRun(request, "do-app:app-1", NOW, delay_s)
            add_run(connection, run)
            queue.enqueue(connection, run)
        known = store.waiting()
        assert (known.run_since is None) is (delay_s > 0)
        assert known.page_since is None
    queue.page("page-1", "incident", {}, 0.0)
    assert store.waiting().page_since is not None
    queue.close()


class Telling:
    """A worker whose pager takes nothing, over the real tables and the real queue."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.queue = RunQueue(engine, bell_of(engine))
        self.worker = FakeWorker()
        self.worker.pager.problem = vendor_error(FailureKind.TEMPORARY, "It is away.")
        self.parts = replace(
            self.worker.parts,
            runs=RunStore(engine, self.queue.enqueue),
            incidents=IncidentStore(engine),
            heartbeats=HeartbeatStore(engine, waiting_query(engine.dialect.name)),
            watchdogs=WatchdogStore(engine),
            page_later=lambda late, delay: self.queue.page(
                page_id(late), late.page.dedup_key, dump_late(late), delay
            ),
        )
        self.desk = SqlDesk(engine, enqueue=self.queue.enqueue)

    @property
    def now(self) -> float:
        return self.worker.clock.time()

    def waits(self) -> str:
        """Why no heartbeat is sent now."""
        return why_unwell(self.parts.heartbeats.waiting(), self.now)

    def try_for(self, seconds: float) -> None:
        """Execute what is queued, again and again, as a worker does that has time for it."""
        until = self.now + seconds
        while self.now < until:
            for (run,) in self.desk.rows("SELECT id FROM runs WHERE ended_at IS NULL"):
                stored = self.parts.runs.get(run)
                assert stored is not None
                execute(self.parts, run, dump_request(stored.request), Recorder())
                self.ended(run)
            self.worker.clock.sleep(PAGE_AGAIN_S)

    def ended(self, workflow: str) -> None:
        """What the durable engine notes of a workflow that it has executed."""
        schema = "" if self.engine.dialect.name == "sqlite" else "dbos."
        self.desk.execute(
            f"UPDATE {schema}workflow_status SET status = 'SUCCESS' WHERE workflow_uuid = :id",  # noqa: S608 - ours
            id=workflow,
        )


@pytest.fixture
def telling(engine: sa.Engine) -> Iterator[Telling]:
    made = Telling(engine)
    yield made
    made.queue.close()


def test_no_heartbeat_is_sent_while_the_pager_takes_no_page_however_often_it_is_tried(
    telling: Telling,
) -> None:
    telling.desk.admit(delivery(alert(ERRORS), at=telling.now))
    telling.try_for(240)
    assert telling.waits() == ""
    telling.try_for(120)
    assert len(telling.desk.rows("SELECT id FROM runs")) > 3, "no try has followed another"
    assert telling.waits().startswith("the oldest page has waited for 6 min")
    telling.worker.pager.problem = None
    telling.try_for(30)
    assert telling.waits() == ""


def test_a_page_is_measured_from_when_it_was_wanted_and_not_from_its_last_try(
    telling: Telling,
) -> None:
    began = telling.now
    telling.desk.admit(delivery(alert(ERRORS), at=began))
    telling.try_for(360)
    seen = status(telling.engine, declared(rule_book()), telling.now)
    assert seen["queue"]["page_since"] == moment(began)


def test_an_alert_that_is_over_is_no_page_that_waits(telling: Telling) -> None:
    telling.desk.admit(delivery(alert(ERRORS), at=telling.now))
    telling.try_for(360)
    telling.desk.admit(delivery(resolved(ERRORS), at=telling.now))
    assert telling.waits() == ""


def test_the_page_of_a_watchdog_waits_since_it_is_silent_until_the_pager_takes_it(
    telling: Telling,
) -> None:
    store = telling.parts.watchdogs
    store.note(DOG, NOW)
    assert telling.waits() == ""
    store.silent("Watchdog", telling.now, SILENT)
    telling.worker.clock.sleep(360)
    assert telling.waits().startswith("the oldest page")
    store.paged("Watchdog", telling.now)
    assert telling.waits() == ""


def test_a_late_page_waits_since_its_first_try(telling: Telling) -> None:
    """Its tries are workflows of their own, each of which is queued for a minute later."""
    late = LatePage(Page("runbookd/run/x", "It failed", "runbookd", "critical"), telling.now)
    queue_page = telling.parts.page_later
    queue_page(late, 0.0)
    first = telling.parts.heartbeats.waiting().page_since
    assert first is not None
    telling.ended(page_id(late))
    queue_page(replace(late, tries=1), 600.0)
    assert telling.parts.heartbeats.waiting().page_since == first
    telling.ended(page_id(replace(late, tries=1)))
    assert telling.parts.heartbeats.waiting().page_since is None


def test_a_run_that_waits_for_a_long_one_on_its_own_target_is_no_queue_that_stands(
    telling: Telling,
) -> None:
    schema = "" if telling.engine.dialect.name == "sqlite" else "dbos."
    long = request_for("horizontal_scale", API)
    for run in (long, replace(long, id="api.out.2")):
        with telling.engine.begin() as connection:
            telling.queue.enqueue(connection, NewRun(run, "do-app:app-1", NOW))
    telling.desk.execute(
        f"UPDATE {schema}workflow_status SET status = 'PENDING' WHERE workflow_uuid = :id",  # noqa: S608 - ours
        id=long.id,
    )
    assert telling.parts.heartbeats.waiting().run_since is None
    with telling.engine.begin() as connection:
        another = NewRun(replace(long, id="api.out.3"), "do-app:app-2", NOW)
        telling.queue.enqueue(connection, another)
    assert telling.parts.heartbeats.waiting().run_since is not None


@pytest.fixture(params=["fake", "http"])
def address(request: pytest.FixtureRequest, vendor: Loopback) -> Heartbeat:
    """An address that refuses once, and then takes every call."""
    if request.param == "fake":
        return FakeHeartbeat(problem=vendor_error(FailureKind.PERMANENT, "no such check"))
    vendor.answers(404, {"message": "no such check"})
    vendor.answers(200, b"OK")
    return HttpHeartbeat(f"{vendor.url}/ping/abc")


def test_an_address_that_refuses_says_why_and_one_that_takes_it_says_nothing(
    address: Heartbeat,
) -> None:
    with pytest.raises(VendorError, match="no such check"):
        address.beat()
    if isinstance(address, FakeHeartbeat):
        address.problem = None
    address.beat()


def test_the_address_is_asked_as_it_was_given_and_is_in_no_error(vendor: Loopback) -> None:
    vendor.answers(302, b"", {"Location": "/login"})
    url = f"{vendor.url}/ping/1f3a-not-real?create=0"
    with pytest.raises(VendorError) as refused:
        HttpHeartbeat(url).beat()
    assert vendor.seen[0].path == "/ping/1f3a-not-real?create=0"
    assert "1f3a-not-real" not in str(refused.value)
    gone = HttpHeartbeat(f"http://127.0.0.1:{closed_port()}/ping/1f3a-not-real")
    with pytest.raises(VendorError) as away:
        gone.beat()
    assert away.value.kind is FailureKind.TEMPORARY
    assert "1f3a-not-real" not in str(away.value)


def test_an_address_that_never_answers_is_given_up(vendor: Loopback) -> None:
    vendor.hangs()
    quick = Timeouts(connect=1.0, read=0.4, slow_read=0.4)
    with pytest.raises(VendorError) as late:
        HttpHeartbeat(f"{vendor.url}/ping", quick).beat()
    assert late.value.kind is FailureKind.TEMPORARY
