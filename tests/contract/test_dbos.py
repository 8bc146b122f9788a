"""What the engine leans on in dbos 3.4 that its makers do not promise."""

from __future__ import annotations

import base64
import pickle
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dbos
import pytest
import sqlalchemy as sa
from dbos import DBOS
from dbos._dbos import _get_dbos_instance

from service.catalogue.request_json import dump_request
from service.domain.alerts.dedup import run_dedup_key
from service.domain.errors import (
    FailureKind,
    StepFailed,
    StoreUnavailable,
    TargetChanged,
    Unforeseen,
    VendorError,
)
from service.engine import durable
from service.engine import queue as queue_module
from service.engine.execution import execute
from service.engine.library import PickleRefusedError
from service.engine.parts import RunLost
from service.engine.queue import RunQueue, migrate_queue
from service.ports.admission import NewRun
from service.ports.runs import MESSAGES_QUEUE, PAGES_QUEUE, RUNS_QUEUE
from service.store.bell import bell_of
from service.store.database import open_engine
from tests.fakes.engine import FakeWorker
from tests.fakes.runs import API, request_for

PATIENCE_S = 30.0
POLL_S = 0.05

ERRORS = [
    VendorError("digitalocean", "resize", FailureKind.TEMPORARY, "Busy.", 5.0, 429),
    VendorError("slack", "post", FailureKind.UNKNOWN, "No answer."),
    StepFailed("resize", "It is OFF."),
    TargetChanged("update_app", "A person changed it."),
]


@dataclass
class Work:
    """What the runs of one test do, and what became of it."""

    body: Callable[[str], None] = lambda _: None
    began: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    pages: list[tuple[str, Any]] = field(default_factory=list)
    let_go: threading.Event = field(default_factory=threading.Event)

    def run(self, run_id: str, _: Mapping[str, Any]) -> None:
        self.began.append(run_id)
        self.body(run_id)

    def reconcile(self, run_id: str) -> None:
        self.looks.append(run_id)

    def page(self, page_id: str, late: Mapping[str, Any]) -> None:
        self.pages.append((page_id, late))

    def hold(self, run_id: str) -> None:
        """A run in the middle of a step."""
        durable.run_step("hold", lambda: {"let_go": self.let_go.wait(PATIENCE_S)})


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    path = tmp_path / "dbos.db"
    migrate_queue(f"sqlite:///{path}")
    opened = open_engine(f"sqlite:///{path}")
    yield opened
    opened.dispose()


@pytest.fixture
def queue(engine: sa.Engine) -> Iterator[RunQueue]:
    opened = RunQueue(engine, bell_of(engine))
    yield opened
    opened.close()


@pytest.fixture
def work(engine: sa.Engine) -> Iterator[Work]:
    """A worker named `live`."""
    yield from launched(engine, POLL_S)


def launched(engine: sa.Engine, poll_s: float) -> Iterator[Work]:
    work = Work()
    durable.launch(
        engine,
        executor="live",
        run=work.run,
        reconcile=work.reconcile,
        page=work.page,
        poll_s=poll_s,
        concurrency=8,
    )
    yield work
    work.let_go.set()
    DBOS.destroy(destroy_registry=True)


@pytest.fixture
def rarely_looking(engine: sa.Engine) -> Iterator[Work]:
    """The same, which looks at its queues each ten minutes unless it is woken."""
    yield from launched(engine, 600.0)


def enqueue(
    engine: sa.Engine, queue: RunQueue, run_id: str, partition: str = "do-app:1", delay_s: float = 0
) -> None:
    request = request_for("horizontal_scale", API, id=run_id)
    with engine.begin() as connection:
        queue.enqueue(connection, NewRun(request, partition, time.time(), delay_s))


def row_of(engine: sa.Engine, run_id: str) -> sa.RowMapping:
    query = "SELECT * FROM workflow_status WHERE workflow_uuid = ?"
    with engine.connect() as connection:
        return connection.exec_driver_sql(query, (run_id,)).mappings().one()


def belongs_to(engine: sa.Engine, run_id: str, executor: str) -> None:
    """Make a run one that `executor` has begun and not finished."""
    change = (
        "UPDATE workflow_status SET status = 'PENDING', executor_id = ?, completed_at = NULL "
        "WHERE workflow_uuid = ?"
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(change, (executor, run_id))


def wait_for(condition: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.01)


def has_status(engine: sa.Engine, run_id: str, status: str) -> Callable[[], bool]:
    return lambda: bool(row_of(engine, run_id)["status"] == status)


def queried(engine: sa.Engine) -> list[str]:
    """The executors of what is under way, by the query that stands within a worker's round."""
    with engine.connect() as connection:
        query = durable.pending_query(engine.dialect.name)
        return sorted(connection.execute(query).scalars())


def test_a_dead_executors_run_is_handed_on_once(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    work.body = work.hold
    enqueue(engine, queue, "api.out.0")
    wait_for(lambda: work.began == ["api.out.0"], "a run that keeps the partition busy")
    enqueue(engine, queue, "api.out.1")
    belongs_to(engine, "api.out.1", "dead")

    assert durable.pending_executors() == {"dead", "live"}
    assert queried(engine) == ["dead", "live"]
    assert durable.hand_on("dead") == 1
    assert durable.hand_on("dead") == 0
    assert durable.pending_executors() == {"live"}
    assert queried(engine) == ["live"]

    work.let_go.set()
    wait_for(has_status(engine, "api.out.1", "SUCCESS"), "the run to be executed")
    assert work.began == ["api.out.0", "api.out.1"]


def test_handing_on_keeps_queue_and_partition(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    work.body = work.hold
    enqueue(engine, queue, "api.out.0")
    wait_for(lambda: work.began, "a run that keeps the partition busy")
    enqueue(engine, queue, "api.out.1")
    belongs_to(engine, "api.out.1", "dead")

    durable.hand_on("dead")

    row = row_of(engine, "api.out.1")
    assert row["status"] == "ENQUEUED"
    assert row["queue_name"] == RUNS_QUEUE
    assert row["queue_partition_key"] == "do-app:1"
    assert work.began == ["api.out.0"]


def test_a_survivor_that_comes_late_does_not_take_a_run_from_who_has_it_now(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    work.body = work.hold
    enqueue(engine, queue, "api.out.1")
    wait_for(lambda: work.began, "the run to begin")

    # The late one has listed the run as the dead one's before another handed it on.
    assert (
        _get_dbos_instance()._sys_db.reenqueue_for_recovery("api.out.1", ["dead"], RUNS_QUEUE)
        is False
    )

    row = row_of(engine, "api.out.1")
    assert (row["status"], row["executor_id"]) == ("PENDING", "live")


def test_what_is_queued_by_one_version_is_found_by_the_next() -> None:
    # Rows under these names may be waiting in somebody's database.
    assert (queue_module.APPLICATION, queue_module.APPLICATION_VERSION) == ("runbookd", "1")
    assert (RUNS_QUEUE, queue_module.RUN_WORKFLOW) == ("runs", "run")
    assert (PAGES_QUEUE, MESSAGES_QUEUE) == ("pages", "messages")
    assert (queue_module.RECONCILE_WORKFLOW, queue_module.PAGE_WORKFLOW) == ("reconcile", "page")


def test_runs_of_one_partition_follow_one_another(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    work.body = work.hold
    enqueue(engine, queue, "api.out.1", "do-app:1")
    wait_for(lambda: work.began, "the first run to begin")
    enqueue(engine, queue, "api.up.1", "do-app:1")
    enqueue(engine, queue, "worker-vm.up.1", "do-droplet:101")
    wait_for(lambda: len(work.began) == 2, "the run of the other partition to begin")

    assert work.began == ["api.out.1", "worker-vm.up.1"]
    assert row_of(engine, "api.up.1")["status"] == "ENQUEUED"

    work.let_go.set()
    wait_for(has_status(engine, "api.up.1", "SUCCESS"), "the second run")


def test_nobody_waits_for_the_next_look_at_the_queue(
    engine: sa.Engine, queue: RunQueue, rarely_looking: Work
) -> None:
    work = rarely_looking
    work.body = work.hold
    enqueue(engine, queue, "api.out.1", "do-app:1")
    enqueue(engine, queue, "api.up.1", "do-app:1")
    durable.wake()
    wait_for(lambda: work.began == ["api.out.1"], "the first run to begin when it is told of")
    work.let_go.set()
    wait_for(lambda: "api.up.1" in work.began, "the next, when the end of the first makes room")
    wait_for(has_status(engine, "api.up.1", "SUCCESS"), "its end, which nothing may record later")
    belongs_to(engine, "api.up.1", "dead")
    durable.hand_on("dead")
    wait_for(lambda: work.began.count("api.up.1") == 2, "the run of a dead worker")


def test_a_reused_id_is_refused_and_takes_its_transaction_along(
    engine: sa.Engine, queue: RunQueue
) -> None:
    enqueue(engine, queue, "api.out.1")

    with pytest.raises(Exception, match=r"api\.out\.1"):
        enqueue(engine, queue, "api.out.1", "do-app:2")

    assert row_of(engine, "api.out.1")["queue_partition_key"] == "do-app:1"


def test_a_transaction_that_is_rolled_back_queues_nothing(
    engine: sa.Engine, queue: RunQueue
) -> None:
    request = request_for("horizontal_scale", API)
    with engine.connect() as connection:
        queue.enqueue(connection, NewRun(request, "do-app:1", 0.0))
        connection.rollback()
        count = connection.exec_driver_sql("SELECT count(*) FROM workflow_status").scalar_one()
    assert count == 0


def test_a_delayed_run_waits_for_its_time_and_then_runs(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    enqueue(engine, queue, "api.out.2", delay_s=600.0)
    queued_at = time.time()
    enqueue(engine, queue, "api.out.1", delay_s=1.0)

    wait_for(has_status(engine, "api.out.1", "SUCCESS"), "the delayed run")

    assert time.time() - queued_at >= 1.0
    assert row_of(engine, "api.out.2")["status"] == "DELAYED"


def test_a_look_is_queued_once_for_each_reason_however_often_it_is_asked_for(
    engine: sa.Engine, queue: RunQueue
) -> None:
    queue.reconcile("api.out.1", "do-app:1", "adopted.2", 60.0)
    queue.reconcile("api.out.1", "do-app:1", "adopted.2", 60.0)
    queue.reconcile("api.out.1", "do-app:1", "fenced.1", 0.0)

    with engine.connect() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM workflow_status").scalar_one()
    assert count == 2


def test_a_page_that_waits_is_handed_to_a_worker_as_it_was_queued_and_once(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    late = {"page": {"links": [["https://example.com", "it"]]}, "since": 12.5, "tries": 0}
    for page_id in ("p-1.0", "p-1.0", "p-1.1"):
        queue.page(page_id, "runbookd/run/api.out.1", late, 0.0)
    wait_for(has_status(engine, "p-1.1", "SUCCESS"), "the pages")
    assert work.pages == [("p-1.0", late), ("p-1.1", late)]


@pytest.mark.parametrize(
    "error", ERRORS, ids=["temporary", "unknown", "StepFailed", "TargetChanged"]
)
def test_a_recorded_failure_is_raised_again_without_running_the_step(
    engine: sa.Engine, queue: RunQueue, work: Work, error: Exception
) -> None:
    raised: list[Exception] = []
    calls: list[str] = []

    def fail() -> dict[str, Any]:
        calls.append("called")
        raise error

    def body(_: str) -> None:
        try:
            durable.run_step("fails", fail)
        except (VendorError, StepFailed) as caught:
            raised.append(caught)

    work.body = body
    enqueue(engine, queue, "api.out.1")
    wait_for(has_status(engine, "api.out.1", "SUCCESS"), "the first execution")
    belongs_to(engine, "api.out.1", "dead")
    durable.hand_on("dead")
    wait_for(lambda: len(raised) == 2, "the second execution")

    assert calls == ["called"]
    assert vars(raised[1]) == vars(error)


def test_a_recorded_result_is_given_without_running_the_step(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    results: list[dict[str, Any]] = []

    def body(_: str) -> None:
        results.append(durable.run_step("counts", lambda: {"call": len(results)}))

    work.body = body
    enqueue(engine, queue, "api.out.1")
    wait_for(has_status(engine, "api.out.1", "SUCCESS"), "the first execution")
    belongs_to(engine, "api.out.1", "dead")
    durable.hand_on("dead")
    wait_for(lambda: len(results) == 2, "the second execution")

    assert results == [{"call": 0}, {"call": 0}]


def test_a_step_whose_record_cannot_be_kept_fails_as_a_store_failure(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    raised: list[Exception] = []

    def body(_: str) -> None:
        try:
            durable.run_step("loses its record", lose_the_records)
        except StoreUnavailable as caught:
            raised.append(caught)

    def lose_the_records() -> dict[str, Any]:
        with engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE operation_outputs RENAME TO gone")
        return {}

    work.body = body
    enqueue(engine, queue, "api.out.1")

    wait_for(lambda: raised, "the step to fail")


def test_a_step_that_ends_after_its_run_was_handed_on_finds_the_run_lost(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    raised: list[BaseException] = []

    def body(_: str) -> None:
        try:
            durable.run_step("one", lose_the_run)
        except RunLost as caught:
            raised.append(caught)

    def lose_the_run() -> dict[str, Any]:
        if not raised:
            durable.hand_on("live")
        return {}

    work.body = body
    enqueue(engine, queue, "api.out.1")

    wait_for(lambda: raised, "the step to find its run lost")
    # The library's thread waits until somebody has ended the run; no process ends before.
    change(engine, "api.out.1", "status = 'CANCELLED'")


def test_a_stopped_worker_leaves_the_run_in_its_step_pending_for_another(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    ended = threading.Event()

    def body(run_id: str) -> None:
        try:
            work.hold(run_id)
        finally:
            ended.set()

    work.body = body
    enqueue(engine, queue, "api.out.1")
    wait_for(lambda: work.began, "the run to begin")

    durable.stop(1)
    work.let_go.set()
    assert ended.wait(PATIENCE_S)

    row = row_of(engine, "api.out.1")
    assert (row["status"], row["executor_id"]) == ("PENDING", "live")


def test_a_worker_that_stops_lets_a_run_go_through_all_of_its_steps(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    in_step = threading.Event()

    def slow() -> dict[str, Any]:
        in_step.set()
        time.sleep(0.3)
        return {}

    def body(_: str) -> None:
        durable.run_step("one", slow)
        durable.run_step("two", dict)

    work.body = body
    enqueue(engine, queue, "api.out.1")
    assert in_step.wait(PATIENCE_S)

    durable.stop(10)

    assert row_of(engine, "api.out.1")["status"] == "SUCCESS"


# ---- What is stored: JSON, and no pickle is ever read ----


class _Touch:
    """Makes a file when it is unpickled, as a planted pickle would run a program."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def pickle_that_touches(path: Path) -> str:
    return base64.b64encode(pickle.dumps(_Touch(path))).decode()


def change(engine: sa.Engine, run_id: str, assignments: str, *values: object) -> None:
    """Write to the row of a workflow as somebody could who has the database's password."""
    statement = f"UPDATE workflow_status SET {assignments} WHERE workflow_uuid = ?"  # noqa: S608
    with engine.begin() as connection:
        connection.exec_driver_sql(statement, (*values, run_id))


def plant_input(engine: sa.Engine, run_id: str, text: str, mark: str | None = "py_pickle") -> None:
    """Give a run that waits another input, and let it begin now."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE workflow_input SET inputs = ? WHERE workflow_uuid = ?", (text, run_id)
        )
    change(engine, run_id, "serialization = ?, status = 'ENQUEUED'", mark)


@pytest.mark.parametrize("mark", ["py_pickle", None, "portable_json", "unheard-of"])
def test_a_pickle_planted_as_a_runs_input_is_not_read_and_ends_the_run(
    engine: sa.Engine, queue: RunQueue, work: Work, tmp_path: Path, mark: str | None
) -> None:
    touched = tmp_path / "touched"
    enqueue(engine, queue, "api.out.1", delay_s=600.0)

    plant_input(engine, "api.out.1", pickle_that_touches(touched), mark)

    wait_for(has_status(engine, "api.out.1", "ERROR"), "the run to end")
    assert durable.ended_unsuccessfully(["api.out.1"]) == {"api.out.1": "ERROR"}
    assert work.began == []
    assert not touched.exists()


@pytest.mark.parametrize("column", ["output", "error"])
def test_a_pickle_planted_as_a_steps_record_is_not_read_and_ends_the_run(
    engine: sa.Engine, queue: RunQueue, work: Work, tmp_path: Path, column: str
) -> None:
    touched = tmp_path / "touched"
    planted = {"output": None, "error": None, column: pickle_that_touches(touched)}
    plant = "UPDATE operation_outputs SET serialization = 'py_pickle', output = ?, error = ?"

    def body(_: str) -> None:
        durable.run_step("one", dict)

    work.body = body
    enqueue(engine, queue, "api.out.1")
    wait_for(has_status(engine, "api.out.1", "SUCCESS"), "the first execution")
    with engine.begin() as connection:
        connection.exec_driver_sql(plant, tuple(planted.values()))

    belongs_to(engine, "api.out.1", "dead")
    durable.hand_on("dead")

    wait_for(has_status(engine, "api.out.1", "ERROR"), "the second execution to end")
    assert work.began == ["api.out.1", "api.out.1"]
    assert not touched.exists()


def test_pickles_in_rows_that_have_ended_are_passed_over(
    engine: sa.Engine, queue: RunQueue, work: Work, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    planted = pickle_that_touches(touched)
    enqueue(engine, queue, "api.out.1")
    wait_for(has_status(engine, "api.out.1", "SUCCESS"), "the run")
    change(
        engine,
        "api.out.1",
        "serialization = 'py_pickle', inputs = ?, output = ?, error = ?",
        *[planted] * 3,
    )

    assert durable.ended_unsuccessfully(["api.out.1"]) == {"api.out.1": "SUCCESS"}
    assert durable.pending_executors() == set()
    assert durable.pending_of("live") == set()
    assert not touched.exists()


def test_the_library_has_one_place_that_reads_pickles_and_that_one_refuses(tmp_path: Path) -> None:
    lines = [
        (path.name, line.strip())
        for path in Path(dbos.__file__).parent.rglob("*.py")
        for line in path.read_text().splitlines()
        if any(word in line for word in ("import pickle", "pickle.load", "pickle.Unpickler"))
    ]
    assert lines == [
        ("_serialization.py", "import pickle"),
        ("_serialization.py", "return pickle.loads(pickled_data)"),
    ]
    with pytest.raises(PickleRefusedError, match="find out who can"):
        dbos._serialization.DBOSDefaultSerializer.deserialize(
            pickle_that_touches(tmp_path / "touched")
        )
    assert not (tmp_path / "touched").exists()


def test_everything_that_a_run_leaves_in_the_librarys_tables_is_json(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    def body(_: str) -> None:
        durable.run_step("one", dict)
        durable.run_step("two", fail)

    def fail() -> dict[str, Any]:
        raise StepFailed("two", "It is OFF.")

    work.body = body
    enqueue(engine, queue, "api.out.1")
    queue.reconcile("api.out.1", "do-app:1", "adopted.2", 0.0)
    queue.page("p-1.0", "runbookd/run/api.out.1", {"tries": 0}, 0.0)
    wait_for(has_status(engine, "api.out.1", "ERROR"), "the run")
    wait_for(lambda: work.looks and work.pages, "the look and the page")

    with engine.connect() as connection:
        marks = [
            mark
            for table in ("workflow_status", "operation_outputs")
            for mark in connection.exec_driver_sql(f"SELECT serialization FROM {table}").scalars()  # noqa: S608
        ]
    assert marks == ["runbookd_json"] * 5


def test_the_first_and_a_repeated_execution_get_the_same_record(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    results: list[dict[str, Any]] = []

    def body(_: str) -> None:
        results.append(durable.run_step("one", lambda: {"sizes": ("s", "m"), 1: "one"}))  # type: ignore[dict-item]

    work.body = body
    execute_twice(engine, queue)

    assert results == [{"sizes": ["s", "m"], "1": "one"}] * 2


def test_the_first_and_a_repeated_execution_get_the_same_error_whatever_a_step_raises(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    raised: list[BaseException] = []

    def fail() -> dict[str, Any]:
        raise KeyError("size")

    def body(_: str) -> None:
        try:
            durable.run_step("one", fail)
        except Exception as caught:
            raised.append(caught)

    work.body = body
    execute_twice(engine, queue)

    assert [type(error) for error in raised] == [Unforeseen, Unforeseen]
    assert [str(error) for error in raised] == ["KeyError: 'size'"] * 2


def execute_twice(engine: sa.Engine, queue: RunQueue) -> None:
    """A run, and once more by whoever takes it from its dead worker."""
    enqueue(engine, queue, "api.out.1")
    wait_for(has_status(engine, "api.out.1", "SUCCESS"), "the first execution")
    belongs_to(engine, "api.out.1", "dead")
    durable.hand_on("dead")
    wait_for(has_status(engine, "api.out.1", "SUCCESS"), "the second execution")


# ---- One at a time, and never given up ----


def test_of_many_runs_of_one_resource_one_is_under_way_however_often_the_queue_is_looked_at(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    work.body = work.hold
    for number in range(4):
        enqueue(engine, queue, f"api.out.{number}", "do-app:1")
    wait_for(lambda: work.began, "the first run to begin")

    # Each of these is queued after the one before it began. So between the first and the last,
    # the worker has looked at all partitions at least once.
    for number in range(3):
        enqueue(engine, queue, f"other-{number}.out.1", f"do-app:other-{number}")
        wait_for(lambda n=number: f"other-{n}.out.1" in work.began, "a run of another resource")  # type: ignore[misc]

    assert [run for run in work.began if run.startswith("api.")] == ["api.out.0"]


@pytest.mark.parametrize("queue_name", ["runs", "pages", "messages"])
def test_each_queue_takes_one_of_a_partition_at_a_time(
    engine: sa.Engine, work: Work, queue_name: str
) -> None:
    query = "SELECT partition_concurrency FROM queues WHERE name = ?"
    with engine.connect() as connection:
        assert connection.exec_driver_sql(query, (queue_name,)).scalar_one() == 1


DEAD_WORKERS = 500
"""As many as a machine that starts a worker anew each second loses in eight minutes."""


@pytest.mark.parametrize("workflow", ["run", "reconcile", "page"])
def test_what_many_workers_have_died_of_is_taken_up_again(
    engine: sa.Engine, queue: RunQueue, work: Work, workflow: str
) -> None:
    workflow_id = queue_later(engine, queue, workflow)
    change(engine, workflow_id, "recovery_attempts = ?", DEAD_WORKERS)
    belongs_to(engine, workflow_id, "dead")

    durable.hand_on("dead")

    wait_for(has_status(engine, workflow_id, "SUCCESS"), "it to be taken up again")
    assert row_of(engine, workflow_id)["recovery_attempts"] == DEAD_WORKERS + 1
    assert len(work.began + work.looks + work.pages) == 1


def queue_later(engine: sa.Engine, queue: RunQueue, workflow: str) -> str:
    """Queue one of our workflows for in ten minutes; its id."""
    if workflow == "reconcile":
        queue.reconcile("api.out.1", "do-app:1", "lost", 600.0)
        return "api.out.1~look.lost"
    if workflow == "page":
        queue.page("p-1.0", "runbookd/run/api.out.1", {"tries": 0}, 600.0)
        return "p-1.0"
    enqueue(engine, queue, "api.out.1", delay_s=600.0)
    return "api.out.1"


# ---- SQLite's clock ----


def test_the_librarys_tables_tell_the_time_on_every_sqlite(engine: sa.Engine) -> None:
    # Before 3.42, `unixepoch('subsec')` is NULL, and a default that is NULL refuses the row.
    insert = "INSERT INTO workflow_status (workflow_uuid, name) VALUES ('x', 'run')"
    with engine.begin() as connection:
        schema = connection.exec_driver_sql("SELECT group_concat(sql) FROM sqlite_master").scalar()
        connection.exec_driver_sql(insert)
    assert "unixepoch" not in str(schema)
    assert abs(row_of(engine, "x")["created_at"] / 1000 - time.time()) < PATIENCE_S


def test_the_library_asks_sqlite_for_milliseconds_since_the_epoch(
    engine: sa.Engine, work: Work
) -> None:
    before = time.time()
    with engine.connect() as connection:
        now = connection.execute(sa.select(_get_dbos_instance()._sys_db._now_ms_sql())).scalar_one()
    assert before - 0.01 <= now / 1000 <= time.time() + 0.01


def test_a_run_whose_step_raises_anything_ends_with_an_outcome_of_its_own(
    engine: sa.Engine, queue: RunQueue, work: Work
) -> None:
    worker = FakeWorker()
    worker.change.unseen = ValueError("not ours, and not one that a record can hold")
    request = request_for("horizontal_scale", API, id="api.out.7")
    worker.runs.add(request)
    work.body = lambda run_id: execute(
        worker.parts, run_id, dump_request(request), durable.run_step
    )

    enqueue(engine, queue, "api.out.7")

    wait_for(has_status(engine, "api.out.7", "SUCCESS"), "the end of its workflow")
    assert worker.runs.outcomes["api.out.7"].status == "failed"
    assert [late.page.dedup_key for late, _ in worker.late] == [run_dedup_key("api.out.7")]
