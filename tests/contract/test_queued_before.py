"""Runs that an earlier version queued as pickles are written anew where possible, else refused.

The rows are made by the library itself, with the serializer that the earlier version used.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from dbos._serialization import DefaultSerializer

from service.bootstrap.stores import Stores
from service.catalogue.registry import target_fields
from service.catalogue.request_json import load_request
from service.domain.errors import StoreUnavailable
from service.engine.library import SERIALIZER
from service.engine.queue import RunQueue, migrate_queue
from service.ports.admission import NewRun
from service.settings import load_settings
from service.store.bell import bell_of
from service.store.encode import dump
from service.store.migrate import migrate
from tests.databases import Databases
from tests.fakes.runs import API, request_for

BEFORE = "0002"
"""The revision of the last version that wrote pickles."""


@pytest.fixture
def stores(databases: Databases) -> Iterator[Stores]:
    """A database as the version before has left it."""
    stores = Stores(load_settings({"DATABASE_URL": databases.empty()}))
    migrate(stores.engine, to=BEFORE)
    migrate_queue(stores.settings.effective_database_url)
    yield stores
    stores.queue.close()
    stores.engine.dispose()


@pytest.fixture
def old_queue(stores: Stores) -> Iterator[RunQueue]:
    """The queue of the version before."""
    queue = RunQueue(stores.engine, bell_of(stores.engine))
    queue._client._serializer = DefaultSerializer()
    yield queue
    queue.close()


ASK = request_for("horizontal_scale", API)
PINNED = {
    "run_id": "api.out.1",
    "action": "horizontal_scale",
    "rule": "a-rule",
    "target": {"kind": "app_platform", **target_fields(API)},
    "direction": "out",
    "cooldown_s": 600.0,
    "settle_s": 120.0,
    "step": 1,
    "summary": "High CPU Usage is 93",
    "alerts": ["alert-1"],
    "rules_hash": "0123456789ab",
    "replay": False,
}
"""The same, as that version kept it."""


def queued_before(stores: Stores, old_queue: RunQueue, delay_s: float = 0.0) -> None:
    """A run that waits, in our tables and on the queue."""
    insert = (
        "INSERT INTO runs (id, claim, action, rule, target, direction, resource, status, reason,"
        " attempt, ask, replay, created_at) VALUES ('api.out.1', 'api.out', 'horizontal_scale',"
        " 'a-rule', 'api', 'out', 'do-app:1', 'queued', '', 0, :ask, false, 0)"
    )
    with stores.engine.begin() as connection:
        connection.execute(sa.text(insert), {"ask": dump(PINNED)})
        run = NewRun(ASK, "do-app:1", time.time(), delay_s)
        old_queue.enqueue(connection, run)


def rows(stores: Stores, sql: str) -> list[tuple[object, ...]]:
    schema = "" if stores.engine.dialect.name == "sqlite" else "dbos."
    with stores.engine.begin() as connection:
        result = connection.execute(sa.text(sql.replace("dbos.", schema)))
        return [tuple(row) for row in result] if result.returns_rows else []


def inputs(stores: Stores) -> dict[object, tuple[object, list[object]]]:
    """By workflow: its status, and what it is called with, read as a worker reads it."""
    found = rows(
        stores,
        "SELECT s.workflow_uuid, s.status, s.serialization, i.inputs FROM dbos.workflow_status s "
        "JOIN dbos.workflow_input i ON i.workflow_uuid = s.workflow_uuid",
    )
    assert {mark for _, _, mark, _ in found} == {SERIALIZER.name()}
    return {
        id_: (status, SERIALIZER.deserialize(str(text))["args"]) for id_, status, _, text in found
    }


@pytest.mark.parametrize(("delay_s", "status"), [(0.0, "ENQUEUED"), (600.0, "DELAYED")])
def test_a_run_that_waits_keeps_its_place_and_asks_for_the_same(
    stores: Stores, old_queue: RunQueue, delay_s: float, status: str
) -> None:
    queued_before(stores, old_queue, delay_s)

    stores.migrate()

    found, (run_id, pinned) = inputs(stores)["api.out.1"]
    assert (found, run_id) == (status, "api.out.1")
    assert load_request(pinned) == ASK  # type: ignore[arg-type]


def test_a_look_that_waits_keeps_its_place(stores: Stores, old_queue: RunQueue) -> None:
    old_queue.reconcile("api.out.1", "do-app:1", "adopted.2", 60.0)

    stores.migrate()

    assert inputs(stores) == {"api.out.1~look.adopted.2": ("DELAYED", ["api.out.1"])}


def test_a_run_under_way_is_left_to_the_version_before_and_nothing_is_changed(
    stores: Stores, old_queue: RunQueue
) -> None:
    queued_before(stores, old_queue)
    rows(stores, "UPDATE dbos.workflow_status SET status = 'PENDING'")
    old_queue.reconcile("api.out.1", "do-app:1", "adopted.2", 60.0)

    with pytest.raises(StoreUnavailable) as refused:
        stores.migrate()

    assert str(refused.value).startswith(
        "1 run of the version before must be finished by that version first: "
        "api.out.1 (under way). Nothing was changed. Stop web and every worker"
    )
    marks = rows(stores, "SELECT DISTINCT serialization FROM dbos.workflow_status")
    assert marks == [("py_pickle",)]

    rows(stores, "UPDATE dbos.workflow_status SET status = 'SUCCESS' WHERE status = 'PENDING'")
    stores.migrate()


def test_a_run_that_waits_to_be_taken_up_again_is_left_to_the_version_before(
    stores: Stores, old_queue: RunQueue
) -> None:
    queued_before(stores, old_queue)
    rows(
        stores,
        "INSERT INTO dbos.operation_outputs (workflow_uuid, function_id, function_name, output,"
        " serialization, retention_timestamp) VALUES ('api.out.1', 1, 'prepare', 'gASVAQ==',"
        " 'py_pickle', 0)",
    )

    with pytest.raises(StoreUnavailable, match=r"api\.out\.1 \(under way\)"):
        stores.migrate()


def test_pages_that_wait_are_left_to_the_version_before(
    stores: Stores, old_queue: RunQueue
) -> None:
    for number in range(7):
        old_queue.page(f"p-{number}.0", "runbookd/run/api.out.1", {"tries": 0}, 0.0)

    with pytest.raises(StoreUnavailable) as refused:
        stores.migrate()

    assert "7 runs of the version before" in str(refused.value)
    assert "p-4.0 (a page that waits), and 2 more." in str(refused.value)


def test_what_has_ended_is_left_as_it_is(stores: Stores, old_queue: RunQueue) -> None:
    queued_before(stores, old_queue)
    rows(stores, "UPDATE dbos.workflow_status SET status = 'SUCCESS'")

    stores.migrate()

    marks = rows(stores, "SELECT serialization FROM dbos.workflow_status")
    assert marks == [("py_pickle",)]


def test_another_application_in_the_same_tables_is_left_alone(
    stores: Stores, old_queue: RunQueue
) -> None:
    queued_before(stores, old_queue)
    rows(stores, "UPDATE dbos.workflow_status SET application_name = 'another', status = 'PENDING'")

    stores.migrate()

    marks = rows(stores, "SELECT serialization FROM dbos.workflow_status")
    assert marks == [("py_pickle",)]


def test_a_pickle_that_comes_later_does_not_keep_this_version_from_starting(
    stores: Stores, old_queue: RunQueue
) -> None:
    # A worker ends it as an error, and it is told. To hint at another version's worker here would
    # be to have a planted row run.
    stores.migrate()
    old_queue.page("p-1.0", "runbookd/run/api.out.1", {"tries": 0}, 0.0)

    stores.migrate()
