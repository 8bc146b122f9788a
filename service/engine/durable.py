"""The library that records workflows and steps, and nothing else of the worker.

What is replaced in the library is in `service.engine.library`. What is used here behind its public
face is held by a contract test too (tests/contract/test_dbos.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSConfig
from dbos._error import DBOSWorkflowConflictIDError

from service.catalogue.context import Record
from service.domain.error_json import as_recorded
from service.domain.errors import StoreUnavailable
from service.engine.library import SERIALIZER, WAKER
from service.engine.parts import RunLost
from service.engine.queue import (
    APPLICATION,
    APPLICATION_VERSION,
    PAGE_WORKFLOW,
    RECONCILE_WORKFLOW,
    RUN_WORKFLOW,
    run_of,
)
from service.ports.runs import MESSAGES_QUEUE, PAGES_QUEUE, RUNS_QUEUE

_PAGES_AT_A_TIME = 8
_MESSAGES_AT_A_TIME = 4
"""Slack takes about one message a second for a channel; more at a time would only wait for it."""
_NEVER_GIVE_UP = 1_000
"""Times that a run is taken up again after its worker died, before the sweeper pages."""

RunFunction = Callable[[str, Mapping[str, Any]], None]
ReconcileFunction = Callable[[str], None]
PageFunction = Callable[[str, Mapping[str, Any]], None]


def launch(
    engine: sa.Engine,
    *,
    executor: str,
    run: RunFunction,
    reconcile: ReconcileFunction,
    page: PageFunction,
    poll_s: float,
    concurrency: int,
) -> None:
    """Start taking runs off the queue, `concurrency` at a time, one per partition.

    `executor` must be unique per process start: two processes that share one run everything
    twice. `poll_s` is how often a queue is looked at when nothing wakes, in seconds.
    """
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_engine": engine,
        "system_database_url": _placeholder(engine),
        "application_version": APPLICATION_VERSION,
        "executor_id": executor,
        "run_migrations": False,
        "max_executor_threads": 2 * (concurrency + _PAGES_AT_A_TIME + _MESSAGES_AT_A_TIME),
        "use_listen_notify": False,
        "log_level": "WARNING",
        "serializer": SERIALIZER,
    }
    DBOS(config=config)

    @DBOS.workflow(name=RUN_WORKFLOW, max_recovery_attempts=_NEVER_GIVE_UP)
    def _run(run_id: str, pinned: Mapping[str, Any]) -> None:
        run(run_id, pinned)

    @DBOS.workflow(name=RECONCILE_WORKFLOW, max_recovery_attempts=_NEVER_GIVE_UP)
    def _reconcile(run_id: str) -> None:
        reconcile(run_id)

    @DBOS.workflow(name=PAGE_WORKFLOW, max_recovery_attempts=_NEVER_GIVE_UP)
    def _page(page_id: str, late: Mapping[str, Any]) -> None:
        page(page_id, late)

    DBOS.launch()
    for queue, at_a_time in (
        (RUNS_QUEUE, concurrency),
        (PAGES_QUEUE, _PAGES_AT_A_TIME),
        (MESSAGES_QUEUE, _MESSAGES_AT_A_TIME),
    ):
        DBOS.register_queue(
            queue,
            partition_concurrency=1,
            worker_concurrency=at_a_time,
            polling_interval_sec=poll_s,
            on_conflict="always_update",
        )
    WAKER.set()  # the library looks for the new queues


def batched(ids: list[str], size: int = 500) -> list[list[str]]:
    """`ids` in lists that fit one query."""
    return [ids[start : start + size] for start in range(0, len(ids), size)]


def run_step(name: str, function: Callable[..., Record], *arguments: object) -> Record:
    """A recorded step: its record is kept, and a repeated execution gets that instead.

    This execution, too, gets the record as JSON keeps it, and the error as a record keeps it: so
    both executions go the same way.

    Raises:
        RunLost: another execution has recorded it meanwhile.
        StoreUnavailable: its record could not be read or kept; whether it ran is not known.
    """
    try:
        return DBOS.run_step({"name": name}, _as_recorded, function, *arguments)
    except DBOSWorkflowConflictIDError as error:
        # Left to the library, this execution would be parked in silence, and what it wrote last
        # would never be looked at.
        raise RunLost(f"step {name} was recorded by another execution") from error
    except sa.exc.DataError:
        raise  # a mistake of the step's, not of the store
    except (sa.exc.DBAPIError, sa.exc.TimeoutError) as error:
        raise StoreUnavailable(f"step {name} could not be recorded ({error})") from error


def _as_recorded(function: Callable[..., Record], *arguments: object) -> Record:
    try:
        record: Record = SERIALIZER.deserialize(SERIALIZER.serialize(function(*arguments)))
    except Exception as error:
        known = as_recorded(error)
        if known is error:
            raise
        raise known from error
    return record


def pending_query(dialect: str) -> sa.Select[str]:
    """A query for the executor of each workflow under way, to stand within one of ours.

    The library keeps an index of these rows alone. SQLite uses it for the literal status only.
    """
    table = sa.table(
        "workflow_status",
        sa.column("executor_id", sa.Text),
        sa.column("status", sa.Text),
        schema="dbos" if dialect == "postgresql" else None,
    )
    return sa.select(table.c.executor_id).where(table.c.status == sa.literal_column("'PENDING'"))


def waiting_query(dialect: str) -> sa.Select[int | None, int | None]:
    """Since when the oldest run waits that could begin, and the oldest page that has not ended, in
    milliseconds since the epoch; NULL where none waits.

    What is queued for later does not wait before its time, and neither does a run while another one
    of its partition is under way: it could not begin. A page that the pager did not take is queued
    again with the next try in its id (`service.engine.late_pages`), and waits since its first.
    """
    table = _workflows(dialect)
    first, ahead = table.alias("first"), table.alias("ahead")
    since = sa.func.coalesce(table.c.delay_until_epoch_ms, table.c.created_at)
    queues = (RUNS_QUEUE, PAGES_QUEUE, MESSAGES_QUEUE)
    under_way = sa.exists().where(
        ahead.c.status == sa.literal_column("'PENDING'"),
        ahead.c.queue_name == table.c.queue_name,
        ahead.c.queue_partition_key == table.c.queue_partition_key,
    )
    runs = sa.select(sa.func.min(since)).where(
        table.c.status == "ENQUEUED", table.c.queue_name.in_(queues), sa.not_(under_way)
    )
    pages = sa.select(sa.func.min(since)).where(
        table.c.status.in_(("ENQUEUED", "PENDING")), table.c.queue_name == PAGES_QUEUE
    )
    late = (
        sa.select(sa.func.min(first.c.created_at))
        .select_from(table)
        .join(first, first.c.workflow_uuid == sa.func.substr(table.c.workflow_uuid, 1, 26) + ".0")
        .where(
            table.c.status.in_(("ENQUEUED", "PENDING", "DELAYED")),
            *(table.c.queue_name == PAGES_QUEUE, table.c.name == PAGE_WORKFLOW),
        )
    )
    oldest = sa.union_all(pages, late).subquery()
    return sa.select(runs.scalar_subquery(), sa.select(sa.func.min(oldest.c[0])).scalar_subquery())


def _workflows(dialect: str) -> sa.TableClause:
    """The library's table of workflows, as far as our queries ask it."""
    texts = ("workflow_uuid", "name", "status", "queue_name", "queue_partition_key")
    return sa.table(
        "workflow_status",
        *(sa.column(name, sa.Text) for name in texts),
        *(sa.column(name, sa.BigInteger) for name in ("created_at", "delay_until_epoch_ms")),
        schema="dbos" if dialect == "postgresql" else None,
    )


def pending_of(executor: str) -> set[str]:
    """The runs that are recorded as under way at an executor, or being looked at again there."""
    pending = DBOS.list_workflows(
        status="PENDING", executor_id=executor, load_input=False, load_output=False
    )
    return {run_of(workflow.workflow_id) for workflow in pending}


def pending_executors() -> set[str]:
    """The executors that have workflows under way, alive or not."""
    pending = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
    return {workflow.executor_id for workflow in pending if workflow.executor_id}


def hand_on(executor: str) -> int:
    """Put a dead executor's workflows back on the queue, each once; how many there were."""
    handed_on = DBOS._recover_pending_workflows([executor])  # noqa: SLF001 - no public way is safe: resuming is unconditional
    WAKER.set()
    return len(handed_on)


OVER = frozenset({"ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED", "SUCCESS"})
"""The library's statuses of a workflow that has ended."""


def statuses(workflow_ids: list[str]) -> dict[str, str]:
    """The library's status of each of these workflows that exists."""
    return {
        workflow.workflow_id: workflow.status
        for some in batched(workflow_ids)
        for workflow in DBOS.list_workflows(workflow_ids=some, load_input=False, load_output=False)
    }


def ended_unsuccessfully(run_ids: list[str]) -> dict[str, str]:
    """Of these runs, those whose workflow has ended, with the library's status."""
    return {run: status for run, status in statuses(run_ids).items() if status in OVER}


def wake() -> None:
    """Look at the queues now."""
    WAKER.set()


def stop(wait_s: int) -> None:
    """Stop taking runs; those under way get `wait_s` seconds."""
    DBOS.destroy(workflow_completion_timeout_sec=wait_s)


def _placeholder(engine: sa.Engine) -> str:
    return "sqlite:///given" if engine.dialect.name == "sqlite" else "postgresql://given/given"
