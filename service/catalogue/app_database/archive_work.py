"""Old rows that move: the look and the steps.

Each batch is one statement that looks for rows and moves them, in a transaction of its own: it
deletes them, inserts what was deleted, and is rolled back where the two counts differ. So there is
never a row in neither table, or in both, whenever a process or the server dies. A batch whose
answer was lost needs no look: the next one takes whatever is still there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict

from service.catalogue.app_database.archive import FILES, archive_name, older_s, place_of
from service.catalogue.app_database.archive_files import ArchiveFiles
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.polling import Pauses, read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports.app_database import AppDatabase, Batch, NoTable
from service.ports.bucket import Buckets, Place

MOST_LAG_S = 30.0
"""Seconds that a replica may be behind; no batch is begun while one is further."""
TELL_EVERY_S = 60.0
"""Seconds between two lines about how many rows have moved."""
LOST_IN_A_ROW = 5
"""Batches in a row that fail before the step does."""
_PROBE = "is-it-there"
"""The key of an object that is only looked for, to see whether the bucket can be read."""
LOCKED_LOOKS = 5
"""How often rows that somebody has locked are looked at again at the end."""


class ArchiveWork:
    """The steps of `archive_rows` over one port."""

    def __init__(self, database: AppDatabase, tools: Tools) -> None:
        self._database = database
        self._buckets = tools.buckets
        self._clock = tools.clock
        self._timings = tools.timings

    def observe(self, request: Request) -> Record:
        """The server, the table, and what archiving needs to know of it."""
        return read(lambda: self._observe(request), clock=self._clock, timings=self._timings)

    def _observe(self, request: Request) -> Record:
        given = request.options
        server = asdict(self._database.server())
        table = self._database.table(given["table"])
        if isinstance(table, NoTable):
            return {"server": server, "table": None, "close": list(table.close)}
        seen: Record = {"server": server, "table": asdict(table)}
        if given["column"] in table.columns and table.ours and not server["replica"]:
            state = self._database.archive_state(
                table.schema, table.name, given["column"], archive_name(given), older_s(given)
            )
            seen["archive"] = asdict(state)
            if given["to"] == FILES:
                self._require_bucket(place_of(given), given["prefix"])
        return seen

    def _require_bucket(self, place: Place, prefix: str) -> None:
        """Raise VendorError where the bucket cannot be read: rather now than half-way."""
        self._store().look(place, f"{prefix}{_PROBE}", 0)

    def _store(self) -> Buckets:
        if self._buckets is None:
            raise VendorError(
                *("spaces", "write a file", FailureKind.PERMANENT),
                "This worker has no store for files. Nothing was moved. Use to: table.",
            )
        return self._buckets

    def steps(self) -> Mapping[str, StepFunction]:
        """make_archive, move_rows, verify_archive."""
        return {
            "make_archive": self._make,
            "move_rows": self._move,
            "verify_archive": self._verify,
        }

    def make_safe(self, _context: StepContext, plan: Plan) -> str:
        """Says where the rows are: a batch is whole, or was not done."""
        place, into = plan.wanted["table"], plan.wanted["archive"]["into"]
        where = (
            f"the files that {place['schema']}.{into} lists"
            if "place" in plan.wanted["archive"]
            else f"{place['schema']}.{into}"
        )
        return (
            f"No row is lost and none is there twice: those that have moved are in {where}, the "
            f"others in {place['schema']}.{place['table']}. Another run goes on with them."
        )

    def _make(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """The archive, or the list of its files, unless it is there: made with IF NOT EXISTS, so
        it is safe to repeat."""
        place, into = plan.wanted["table"], plan.wanted["archive"]["into"]
        context.intent("make_archive")
        context.fence()
        if "place" in plan.wanted["archive"]:
            return {"made": self._database.make_list(place["schema"], into)}
        made = self._database.make_archive(place["schema"], place["table"], into)
        return {"made": made}

    def _moving(self, context: StepContext, plan: Plan) -> Callable[[Batch], int]:
        """What moves one batch: within the database, or into a file."""
        archive = plan.wanted["archive"]
        if "place" not in archive:
            return self._database.archive_batch
        place = Place(**archive["place"])
        files = ArchiveFiles(self._database, self._store(), place, archive["prefix"], context.fence)
        return files.move

    def _move(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """Batch after batch until no row is due, or those that are stay locked."""
        context.intent("move_rows")
        batch, move = _batch(plan), self._moving(context, plan)
        rows, batches, looks, lost = 0, 0, 0, 0
        pauses, tell_at = Pauses(context.clock, self._timings), context.clock.monotonic()
        while looks < LOCKED_LOOKS:
            if not plan.wanted["archive"].get("ignore_lag"):
                self._wait_for_replicas(context)
            context.fence()
            try:
                moved = move(batch)
            except VendorError as problem:
                lost += 1
                if problem.kind is FailureKind.PERMANENT or lost == LOST_IN_A_ROW:
                    raise
                pauses.wait()
                continue
            lost, rows, batches = 0, rows + moved, batches + bool(moved)
            if moved:
                looks = 0
                pauses.reset()
                if context.clock.monotonic() >= tell_at:
                    context.progress(f"{rows:,} rows have moved to {batch.into}.")
                    tell_at = context.clock.monotonic() + TELL_EVERY_S
                continue
            if not self._due(batch):
                break
            looks += 1
            pauses.wait()
        return {"rows": rows, "batches": batches}

    def _wait_for_replicas(self, context: StepContext) -> None:
        """While a replica is too far behind: rows that move are two writes each for it."""
        pauses, told = Pauses(context.clock, self._timings), False
        while (lag := self._lag()) is None or lag > MOST_LAG_S:
            if lag is None:
                raise StepFailed(
                    "move_rows",
                    "A replica has come while rows moved, and our role may not see how far it is "
                    "behind. Those that have moved are whole in the archive, and the others are "
                    "where they were. As a superuser, GRANT pg_read_all_stats to our role, or say "
                    "ignore_lag: true. Then run it again.",
                )
            if not told:
                context.progress(f"A replica is {lag:.0f} s behind; archiving waits for it.")
                told = True
            pauses.wait()

    def _lag(self) -> float | None:
        return read(self._database.replica_lag_s, clock=self._clock, timings=self._timings)

    def _verify(
        self, context: StepContext, request: Request, plan: Plan, done: Mapping[str, Record]
    ) -> Record:
        """No row of before the cut-off is left."""
        batch = _batch(plan)
        if self._due(batch):
            raise StepFailed(
                "verify_archive",
                f"Rows of {batch.schema}.{batch.table} from before {batch.cutoff} are left: "
                "somebody has them locked, or a trigger keeps them. Those that have moved are "
                f"whole in {batch.into}. See who holds locks, and run it again.",
            )
        return {"moved": done["move_rows"]["rows"], "before": batch.cutoff}

    def _due(self, batch: Batch) -> bool:
        look = lambda: self._database.is_due(batch)  # noqa: E731 - read wants a function
        return read(look, clock=self._clock, timings=self._timings)


def _batch(plan: Plan) -> Batch:
    place, archive = plan.wanted["table"], plan.wanted["archive"]
    return Batch(
        schema=place["schema"],
        table=place["table"],
        into=archive["into"],
        columns=tuple(archive["columns"]),
        column=archive["column"],
        type=archive["type"],
        cutoff=archive["cutoff"],
        rows=archive["batch"],
    )
