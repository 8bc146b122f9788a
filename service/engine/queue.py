"""The queue that leads from a decision to a worker: written by whoever admits alerts.

The names here are pinned: a queued run must be found by workers of later versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions

from service.catalogue.registry import action_spec
from service.catalogue.request_json import dump_request
from service.catalogue.spec import Effect
from service.engine.library import SERIALIZER
from service.ports.admission import NewRun
from service.ports.runs import MESSAGES_QUEUE, PAGES_QUEUE, RUNS_QUEUE, Bell

APPLICATION = "runbookd"
APPLICATION_VERSION = "1"
"""Constant over deploys, so that no run is stranded under an older version. The interpreter's
order of steps changes only behind a patch marker."""
RUN_WORKFLOW = "run"
RECONCILE_WORKFLOW = "reconcile"
PAGE_WORKFLOW = "page"


def migrate_queue(url: str) -> None:
    """Bring the engine's own tables up to date."""
    DBOS.migrate(url)


_QUEUES = {
    Effect.CHANGES: RUNS_QUEUE,
    Effect.CALLS: PAGES_QUEUE,
    Effect.TELLS: MESSAGES_QUEUE,
}
_LOOK = "~look."


def look_id(run_id: str, why: str) -> str:
    """The workflow of a fresh look at a run's target; `why` is a word that can stand in an id."""
    return f"{run_id}{_LOOK}{why}"


def run_of(workflow_id: str) -> str:
    """The run that a workflow executes, or looks at again."""
    return workflow_id.partition(_LOOK)[0]


class RunQueue:
    """Puts runs on the queue, within a transaction of ours or by itself."""

    def __init__(self, engine: sa.Engine, bell: Bell) -> None:
        self._bell = bell
        self._client = DBOSClient(
            system_database_engine=engine,
            application_name=APPLICATION,
            retry_connection_errors=False,
            lazy=True,
            serializer=SERIALIZER,
        )

    def enqueue(self, connection: sa.Connection, run: NewRun) -> None:
        """Queue a run with the caller's transaction; a reused id is refused, not ignored."""
        options = _options(RUN_WORKFLOW, run.request.id, run.partition, run.delay_s)
        options["queue_name"] = _QUEUES[action_spec(run.request.action).effect]
        self._client.enqueue_in_transaction(
            connection, options, run.request.id, dump_request(run.request)
        )
        if run.delay_s <= 0:
            self._bell.within(connection)

    def reconcile(self, run_id: str, partition: str, why: str, delay_s: float) -> None:
        """Queue a fresh look at the target of a run; asking twice for one reason queues one."""
        options = _options(RECONCILE_WORKFLOW, look_id(run_id, why), partition, delay_s)
        options["workflow_id_reuse_policy"] = "return-existing"
        self._client.enqueue(options, run_id)
        self._bell.ring()

    def page(self, page_id: str, partition: str, late: Mapping[str, Any], delay_s: float) -> None:
        """Queue a page that waits; asking twice with one id queues it once."""
        options = _options(PAGE_WORKFLOW, page_id, partition, delay_s)
        options["queue_name"] = PAGES_QUEUE
        options["workflow_id_reuse_policy"] = "return-existing"
        self._client.enqueue(options, page_id, late)
        self._bell.ring()

    def work_waits(self) -> bool:
        """Whether anything is queued or under way: a run, a fresh look, a page that waits."""
        waiting = self._client.list_workflows(
            status=["ENQUEUED", "DELAYED", "PENDING"],
            queues_only=True,
            limit=1,
            load_input=False,
            load_output=False,
        )
        return bool(waiting)

    def close(self) -> None:
        """Let go of the database."""
        self._client.destroy()


def _options(workflow: str, workflow_id: str, partition: str, delay_s: float) -> EnqueueOptions:
    options = EnqueueOptions(
        workflow_name=workflow,
        queue_name=RUNS_QUEUE,
        workflow_id=workflow_id,
        workflow_id_reuse_policy="reject",
        app_version=APPLICATION_VERSION,
        queue_partition_key=partition,
    )
    if delay_s > 0:
        options["delay_seconds"] = delay_s
    return options
