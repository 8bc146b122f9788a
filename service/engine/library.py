"""What runbookd replaces in the library of workflows. Importing this module does it.

- **No pickle is ever read.** The library chooses the decoder by a column of each row. So whoever
  can write to its tables could have any program run, by a row that is marked as a pickle. Here the
  pickle decoder raises, whatever the row says. We write JSON.
- **A row that cannot be read ends as ERROR.** The library writes the error in the row's own form.
  If it does not know that form, it fails a second time, and the row stays under way for ever and
  blocks its partition. Here such an error is written as JSON.
- **Its threads are woken.** The threads that look at the queues only sleep at an event that says
  they are to stop. Here they sleep at one that is also set when something is queued and when a run
  has ended, which frees its partition. What runs in the background without anybody's asking does so
  less often: its own queue, which nothing of ours uses, and the jobs that begin what was delayed.
- **SQLite's clock.** The library chooses the SQL expression for "now" by Python's version. From
  Python 3.12 on it takes one that SQLite before 3.42 answers with NULL.

Each replacement is held by a test in tests/contract/test_dbos.py, because the pinned version of the
library may be replaced.
"""

from __future__ import annotations

import json
import threading
from typing import Any, NoReturn

import sqlalchemy as sa
from dbos import DBOS, Serializer, _core, _dbos, _migration, _queue, _workflow_commands
from dbos._serialization import DefaultSerializer
from dbos._sys_db import SystemDatabase

from service.domain.error_json import dump_error, load_error
from service.engine.waking import Sleeper, Waker


class PickleRefusedError(Exception):
    """A row of the library's tables is marked as a pickle; it was not read."""


class JsonSerializer(Serializer):
    """Writes inputs, records and errors as JSON. An error is marked as one: the library reads
    values and errors by the same method.
    """

    def name(self) -> str:
        """The mark of our rows in the column `serialization`; pinned, as rows wait under it."""
        return "runbookd_json"

    def serialize(self, data: Any) -> str:
        """The text that is stored.

        Raises:
            TypeError: a value is not plain JSON.
        """
        return json.dumps(
            {"error": dump_error(data)} if isinstance(data, BaseException) else {"value": data}
        )

    def deserialize(self, serialized_data: str) -> Any:
        """What was stored: tuples as lists, the keys of mappings as text."""
        stored = json.loads(serialized_data)
        return load_error(stored["error"]) if "error" in stored else stored["value"]


SERIALIZER = JsonSerializer()

_NOW_MS = "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
"""Milliseconds since the epoch on every SQLite; 2440587.5 is the epoch's Julian day."""


def _refuse(_serializer: DefaultSerializer, _text: str) -> NoReturn:
    raise PickleRefusedError(
        "A row of the engine's tables holds a pickle. It was not read, and nothing of it was run, "
        "because reading a pickle can run any program. Either a process of an earlier version of "
        "runbookd still runs beside this one: stop it. Or somebody else writes to this database: "
        "find out who can."
    )


def _now_ms(database: SystemDatabase) -> Any:
    if database.engine.dialect.name == "sqlite":
        return sa.literal_column(_NOW_MS, sa.BigInteger)
    return _library_now_ms(database)


def _dump_last_error(error: Exception, _mark: str | None, serializer: Serializer) -> str:
    return _library_dump_last_error(error, None, serializer)


WAKER = Waker()
"""Wakes the threads of this process that look at the queues."""
IDLE_S = 30.0
"""How often the library looks for new queues, and at its own, unless it is woken."""
DELAYED_S = 5.0
"""How often it looks for what was delayed until now."""


def _look_at_queue(stop: threading.Event | Sleeper, library: DBOS, queue: _queue.Queue) -> None:
    own = queue.name.startswith(_queue.RESERVED_QUEUE_NAME_PREFIX)
    sleeper: Any = Sleeper(stop, WAKER, IDLE_S if own else 0.0)
    _library_look_at_queue(sleeper, library, queue)


def _look_for_queues(stop: threading.Event, library: DBOS) -> None:
    sleeper: Any = Sleeper(stop, WAKER, IDLE_S)
    library.background_thread_stop_events.append(WAKER)  # type: ignore[arg-type]  # it has a `set`
    _library_look_for_queues(sleeper, library)


def _record_outcome(database: SystemDatabase, *arguments: Any, **named: Any) -> bool:
    landed = _library_record_outcome(database, *arguments, **named)
    WAKER.set()
    return landed


def _begin_delayed(database: SystemDatabase) -> None:
    _library_begin_delayed(database)
    WAKER.set()


_library_look_at_queue = _queue.queue_worker_thread
_library_look_for_queues = _queue.queue_thread
_library_record_outcome = SystemDatabase.update_workflow_outcome
_library_begin_delayed = SystemDatabase.transition_delayed_workflows
_library_now_ms = SystemDatabase._now_ms_sql  # noqa: SLF001 - replaced below
_library_dump_last_error = _core._serialize_exception_for_persistence  # noqa: SLF001 - as above

# mypy forbids to replace methods, which is what this module is for.
DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign, assignment]
SystemDatabase._now_ms_sql = _now_ms  # type: ignore[method-assign, assignment]  # noqa: SLF001
_core._serialize_exception_for_persistence = _dump_last_error  # type: ignore[assignment]  # noqa: SLF001
_queue.queue_worker_thread = _look_at_queue  # type: ignore[assignment]
_dbos.queue_thread = _look_for_queues  # type: ignore[assignment, attr-defined]
SystemDatabase.update_workflow_outcome = _record_outcome  # type: ignore[method-assign, assignment]
SystemDatabase.transition_delayed_workflows = _begin_delayed  # type: ignore[method-assign, assignment]
_workflow_commands._BACKGROUND_JOBS_INTERVAL_SEC = DELAYED_S  # noqa: SLF001
# In place, because the module that runs the migrations has the same list.
_migration.sqlite_migrations[:] = [
    migration.replace(_migration.get_sqlite_timestamp_expr(), f"({_NOW_MS})")
    for migration in _migration.sqlite_migrations
]
