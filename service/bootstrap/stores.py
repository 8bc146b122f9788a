"""The stores of a process: one database, and Redis beside it."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import sqlalchemy as sa

from service.bootstrap.database import DATABASE_FORM, open_database, usable
from service.settings import Settings, SettingsInvalid
from service.store.facts import FactStore
from service.store.queries import Queries

if TYPE_CHECKING:
    # The engine, Redis' client and Alembic take most of a second to load. Commands that only read
    # need none of them, so each is imported where it is first used.
    from service.engine.queue import RunQueue
    from service.ports.loop import Loop
    from service.ports.runs import Bell
    from service.store.admissions import SqlJournal
    from service.store.coordination import Coordination
    from service.store.runs import RunStore


class Stores:
    """The stores of one process, each opened when it is first used.

    `busy_timeout_ms` is the longest wait for SQLite's write lock. `connections` is how many
    connections are kept open; at most twice as many are opened. With a `loop`, one greenlet there
    may use the journal and the coordination. The journal then has a connection of its own.

    Raises:
        SettingsInvalid: runbookd would scale its own database. An address that cannot be used
            raises it too, but only when it is used first.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        busy_timeout_ms: int | None = None,
        connections: int = 5,
        loop: Loop | None = None,
    ) -> None:
        _refuse_managed_database(settings)
        self.settings = settings
        self._busy_timeout_ms = busy_timeout_ms
        self._connections = connections
        self._loop = loop

    @cached_property
    def engine(self) -> sa.Engine:
        """The database, which all stores of this process share."""
        return self._open(self._connections, None)

    @cached_property
    def queue(self) -> RunQueue:
        """The queue of runs for the workers, in the same database."""
        from service.engine.queue import RunQueue  # noqa: PLC0415 - see above

        return RunQueue(self.engine, self.bell)

    @cached_property
    def bell(self) -> Bell:
        """Wakes the workers when a run is queued."""
        from service.store.bell import bell_of  # noqa: PLC0415 - see above

        return bell_of(self.engine)

    @cached_property
    def coordination(self) -> Coordination:
        """The reservations and the locks in Redis. Without REDIS_URL they are never available."""
        from service.store.coordination import connect  # noqa: PLC0415 - see above

        url, timeout_s = self.settings.redis_url, self.settings.redis_timeout_s
        with usable("REDIS_URL", "redis://host:6379/0"):
            return connect(url, timeout_s, lambda: self.installation, self._loop)

    @cached_property
    def installation(self) -> str:
        """The id of this installation, by which several can share one Redis.

        Raises:
            StoreUnavailable: the database cannot be used now.
        """
        find = FactStore(self.engine).installation_id
        return find() if self._loop is None else self._loop.reserved(find)

    @cached_property
    def queries(self) -> Queries:
        """The alerts, decisions and runs, for people to read."""
        return Queries(self.engine)

    @cached_property
    def runs(self) -> RunStore:
        """The worker's record of runs."""
        from service.store.runs import RunStore  # noqa: PLC0415 - see above

        return RunStore(self.engine, self.queue.enqueue, self.bell.committed)

    @cached_property
    def journal(self) -> SqlJournal:
        """The journal that admission writes."""
        from service.store.admissions import SqlJournal  # noqa: PLC0415 - see above

        engine = self.engine if self._loop is None else self._open(1, self._loop)
        return SqlJournal(engine, self.queue.enqueue, self.bell.committed)

    def migrate(self) -> None:
        """Bring all tables up to date. Many processes may call it at once."""
        from service.engine.queue import migrate_queue  # noqa: PLC0415 - see above
        from service.store.migrate import migrate, one_at_a_time  # noqa: PLC0415 - see above

        with one_at_a_time(self.engine):
            migrate(self.engine)
            migrate_queue(self.settings.effective_database_url)

    def _open(self, connections: int, loop: Loop | None) -> sa.Engine:
        return open_database(
            self.settings.effective_database_url,
            connections=connections,
            busy_timeout_ms=self._busy_timeout_ms,
            loop=loop,
        )


def _refuse_managed_database(settings: Settings) -> None:
    """Refuse a database that runbookd scales: its resize would stop runbookd in the middle."""
    ref = settings.supabase_project_ref
    with usable("DATABASE_URL", DATABASE_FORM):
        url = sa.make_url(settings.effective_database_url)
    # A project is named in its own host, or behind a pooler in the user: postgres.<ref>.
    named = (url.host or "").split(".") + (url.username or "").split(".")
    if ref and ref in named:
        sentence = (
            f"DATABASE_URL is on Supabase project {ref}, which SUPABASE_PROJECT_REF puts under "
            "runbookd's own management: a resize would stop runbookd in the middle of it. "
            "Give runbookd a database of its own."
        )
        raise SettingsInvalid((sentence,))
