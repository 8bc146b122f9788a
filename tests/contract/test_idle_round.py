"""What a worker at rest asks of the database in its rounds, and that it misses nothing by that."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from service.bootstrap.stores import Stores
from service.bootstrap.worker import build_worker
from service.domain.decisions.controls import HOLD, LOCK, Control
from service.engine.worker import Worker
from service.ports import Message
from service.ports.offs import ON, Resize, Sent
from service.ports.outbox import Waiting
from service.ports.runs import Outcome, Signs
from service.settings import Settings, load_settings
from service.store.bell import bell_of
from service.store.controls import ControlStore
from service.store.offs import OffStore
from service.store.outbox import OutboxStore
from tests.contract.admission import SqlDesk
from tests.contract.leases import lease_store
from tests.fakes.alerts import CPU, alert, delivery

ME, OTHER = "me", "other"
RUN = "worker-vm.up.1"
_OF_A_TRANSACTION = ("BEGIN", "COMMIT")


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return load_settings(
        {
            "DATABASE_URL": database_url,
            "SANDBOX_URL": "http://127.0.0.1:1",
            "RUNBOOKD_HOME": str(tmp_path),
        }
    )


@contextmanager
def statements(engine: sa.Engine) -> Iterator[list[str]]:
    """What is sent to the database but for the ends of transactions."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(_OF_A_TRANSACTION):
            seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def registered(worker: Worker) -> Worker:
    worker._parts.leases.register(worker.executor, socket.gethostname(), 1)
    return worker


def test_a_round_of_a_worker_at_rest_is_one_statement(settings: Settings) -> None:
    worker = registered(build_worker(settings))
    told: list[Signs] = []
    worker._lease._tell = told.append
    with statements(worker._engine) as seen:
        for number in range(6):
            worker._lease.renew()
            worker._supervisor.round(told[number])
    assert told == [Signs()] * 6
    assert len(seen) == 6, seen
    worker._engine.dispose()


class Installation:
    """Two workers that are alive, and what one of them sees when it shows life."""

    def __init__(self, settings: Settings) -> None:
        self.stores = Stores(settings)
        self.leases = lease_store(self.stores.engine, 15.0)
        self.offs = OffStore(self.stores.engine)
        for name in (ME, OTHER):
            self.leases.register(name, "host", 1)

    def seen(self) -> Signs | None:
        return self.leases.renew(ME)

    def execute(self, statement: str, **values: str | None) -> None:
        with self.stores.engine.begin() as connection:
            connection.execute(sa.text(statement), values)

    def workflow_at(self, executor: str | None) -> None:
        """A workflow that this executor has begun."""
        self.stores.queue.page("page-1", "incident", {}, 0.0)
        table = "workflow_status" if self.sqlite else "dbos.workflow_status"
        change = f"UPDATE {table} SET status = 'PENDING', executor_id = :executor"  # noqa: S608 - the test's own
        self.execute(change, executor=executor)

    @property
    def sqlite(self) -> bool:
        return self.stores.engine.dialect.name == "sqlite"


@pytest.fixture
def installation(settings: Settings) -> Iterator[Installation]:
    made = Installation(settings)
    yield made
    made.stores.queue.close()
    made.stores.engine.dispose()


def test_a_lease_that_is_over_is_seen_until_its_worker_is_retired(
    installation: Installation,
) -> None:
    lease_store(installation.stores.engine, -1.0).register("dead", "host", 1)
    for _ in range(2):
        assert installation.seen() == Signs(dead=True)
    assert installation.leases.retire_dead(besides=ME) == ["dead"]
    assert installation.seen() == Signs()


def test_a_lease_further_ahead_than_its_length_is_seen_as_over(installation: Installation) -> None:
    installation.execute(
        "UPDATE workers SET lease_until = lease_until + 3600 WHERE executor = :name", name=OTHER
    )
    assert installation.seen() == Signs(dead=True)


def test_a_worker_that_is_late_does_not_see_its_own_lease_as_over(
    installation: Installation,
) -> None:
    installation.execute("UPDATE workers SET lease_until = 0 WHERE executor = :name", name=ME)
    assert installation.seen() == Signs()


def test_what_a_worker_that_ended_in_good_order_left_under_way_is_seen(
    installation: Installation,
) -> None:
    installation.workflow_at(OTHER)
    assert installation.seen() == Signs(), "it is alive"
    installation.leases.retire(OTHER)
    for _ in range(2):
        assert installation.seen() == Signs(left=True)


def test_what_is_under_way_at_an_executor_that_nobody_knows_is_seen(
    installation: Installation,
) -> None:
    installation.workflow_at("forgotten-long-ago")
    assert installation.seen() == Signs(left=True)


@pytest.mark.parametrize("nobody", [None, ""])
def test_what_is_under_way_at_nobody_is_left_to_the_engine(
    installation: Installation, nobody: str | None
) -> None:
    installation.workflow_at(nobody)
    assert installation.seen() == Signs()


def test_what_is_under_way_at_the_worker_itself_is_seen(installation: Installation) -> None:
    installation.workflow_at(ME)
    assert installation.seen() == Signs(here=True)


def test_a_run_is_seen_until_it_has_an_outcome(installation: Installation) -> None:
    desk = SqlDesk(installation.stores.engine, journal=installation.stores.journal)
    (decision,) = desk.verdicts(delivery(alert(CPU)))
    assert decision.run is not None
    assert installation.seen() == Signs(unended=True)
    installation.stores.runs.conclude(decision.run, Outcome("succeeded", "", 0.0), 1.0)
    assert installation.seen() == Signs()


def test_a_droplet_that_may_be_off_is_seen_until_it_was_seen_on(installation: Installation) -> None:
    installation.offs.hold(Resize(RUN, "do-droplet:101", "101", "large"), OTHER, 1.0)
    installation.offs.sending(RUN, Sent("shutdown", 7), 1.0)
    assert installation.seen() == Signs(off=True)
    installation.offs.end(RUN, ON, 2.0)
    assert installation.seen() == Signs()


def test_a_worker_that_was_retired_sees_nothing_whatever_there_is(
    installation: Installation,
) -> None:
    installation.workflow_at("forgotten-long-ago")
    installation.leases.retire(ME)
    assert installation.seen() is None


def test_a_message_that_is_due_is_seen(installation: Installation) -> None:
    outbox, now = OutboxStore(installation.stores.engine), time.time()
    waiting = Waiting("m-1", Message("Scaling api", "2 → 3"), None, None, "", now, 1, 1)
    outbox.put(waiting, now + 3_600)
    assert installation.seen() == Signs(), "it is not due yet"
    outbox.again(waiting, now - 60)
    assert installation.seen() == Signs(untold=True)
    outbox.forget(waiting)
    assert installation.seen() == Signs()


def test_a_lock_of_a_person_is_seen_until_it_is_ended(installation: Installation) -> None:
    engine, now = installation.stores.engine, time.time()
    controls = ControlStore(engine, bell_of(engine))
    controls.put(Control("h-1", HOLD, "anna", "set by hand", now, now + 900, "api"))
    assert installation.seen() == Signs(), "it is no lock"
    controls.put(Control("l-1", LOCK, "anna", "I move it", now, now + 900, "api"))
    assert installation.seen() == Signs(locked=True)
    controls.end(["l-1"], "anna", now + 1)
    assert installation.seen() == Signs()
