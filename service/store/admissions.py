"""Admission's transaction in SQL: alerts, episodes, decisions, claims and queued runs together.

Statements are few and wide: a batch of many notifications costs about as many as one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from service.catalogue.request_json import dump_request
from service.domain.alerts.floods import Rate, is_flood_key
from service.domain.decisions.claims import Cooldown
from service.domain.decisions.controls import Control
from service.ports.admission import (
    NOTHING_MORE,
    Changes,
    Claimed,
    EpisodeRecord,
    IncidentRecord,
    NewEpisode,
    NewRun,
    OnRecord,
    Sought,
)
from service.store import schema
from service.store.bulk import (
    Lookup,
    Pending,
    Statement,
    bulk_insert,
    bulk_update,
    change_together,
    chunks,
    rows_of_each,
)
from service.store.claims import RESTING, take_claims
from service.store.controls import IN_FORCE, OR_ANY_IN_FORCE
from service.store.database import allow_idle, begin_writing, insert_of, require_file, translated
from service.store.decode import load
from service.store.demotions import DEMOTIONS, demotions_of
from service.store.encode import dump
from service.store.incidents import (
    count_incidents,
    count_open_members,
    read_incidents,
    read_members,
)
from service.store.outcomes import COUNTED, COUNTED_ORDER
from service.store.rows import (
    CheckEncoder,
    decision_row,
    delivery_row,
    episode_row,
    incident_row,
    quarantine_rows,
    repeated_row,
    touched_row,
)
from service.store.turns import TURNS, read_turns, write_turns

Enqueue = Callable[[sa.Connection, NewRun], None]
"""Puts a run on the worker's queue within the caller's transaction."""


_SOON_DECIDED, _DECIDING_MS = 512, 10
"""While a batch is decided on, PostgreSQL hears nothing of it. An alert takes 60 µs of that on a
quiet machine (docs/performance.md); 10 ms is long enough for one that is very busy. A batch of up
to so many alerts ends in time on any machine, and is spared the round trip."""


class SqlJournal:
    """The journal that admission writes to."""

    def __init__(
        self, engine: sa.Engine, enqueue: Enqueue, told: Callable[[], None] = lambda: None
    ) -> None:
        self._engine = engine
        self._enqueue = enqueue
        self._told = told

    @contextmanager
    def transaction(self) -> Iterator[SqlTransaction]:
        """Begin; commit at the end, roll back on any exception.

        A batch that is admitted again, although its commit went through as the connection was
        lost, is a batch of repeats: as if its senders had not seen the answers.
        """
        with translated(repeatable=True), self._engine.connect() as connection:
            with connection.begin():
                begin_writing(connection)
                # SQLite has one writer, which this transaction is from its beginning.
                locks = connection.dialect.name != "sqlite"
                transaction = SqlTransaction(connection, self._enqueue, locks=locks)
                yield transaction
            # Asked again: what was committed to a file that is gone was not kept.
            require_file(connection)
        if transaction.queued:
            self._told()


class SqlTransaction:
    """One transaction of admission; `locks` keeps what it reads from changing until its end."""

    def __init__(self, connection: sa.Connection, enqueue: Enqueue, *, locks: bool = False) -> None:
        self._connection = connection
        self._enqueue = enqueue
        self._locks = locks
        self.queued = False
        """Whether a run was queued in it."""

    def read(
        self, identities: Collection[int], claims: Collection[str], more: Sought = NOTHING_MORE
    ) -> OnRecord:
        """The newest episode of each alert that has one, locked: what is decided from it stays
        true until the commit. And the cooldowns, pauses and locks on record."""
        if len(identities) > _SOON_DECIDED:
            allow_idle(self._connection, len(identities) * _DECIDING_MS)
        lock = " FOR UPDATE" if self._locks else ""
        # What hangs on the alerts is read behind them, and so once they are locked.
        beside: list[Lookup | Statement] = []
        if more.turning:
            beside.append(Lookup(TURNS, sorted(more.turning)))
        if more.giving_up:
            beside.append(Lookup(COUNTED, sorted(more.giving_up), COUNTED_ORDER))
        if more.demotions:
            beside.append(DEMOTIONS)
        episodes, resting, *found = rows_of_each(
            self._connection,
            Lookup(_NEWEST, sorted(identities), f"AND newest ORDER BY identity{lock}"),
            Lookup(RESTING, sorted(claims), OR_ANY_IN_FORCE),
            *beside,
        )
        cooldowns = [row for row in resting if row[0] is not None]
        return OnRecord(
            {row[0]: _episode(*row[1:]) for row in episodes},
            _by_key(cooldowns),
            self._controls() if len(cooldowns) < len(resting) else (),
            read_turns(found.pop(0)) if more.turning else {},
            _in_vain(found.pop(0)) if more.giving_up else {},
            demotions_of(found.pop(0)) if more.demotions else {},
        )

    def _controls(self) -> tuple[Control, ...]:
        """The pauses and locks. They are few and seldom: what is asked in any case only says
        whether there are any, because one more statement is a quarter of what is asked."""
        (rows,) = rows_of_each(self._connection, IN_FORCE)
        return tuple(Control(*row) for row in rows)

    def cooldowns(self, claims: Collection[str]) -> dict[str, Cooldown]:
        """The cooldowns on record."""
        (rows,) = rows_of_each(self._connection, Lookup(RESTING, sorted(claims)))
        return _by_key(rows)

    def claim(self, keys: Collection[str], now: float) -> dict[str, Claimed]:
        """Take each claim that is free at `now`."""
        return take_claims(self._connection, keys, now)

    def incidents(
        self, dedup_keys: Collection[str], identities: Collection[int]
    ) -> dict[str, IncidentRecord]:
        """The incidents on record, with their members among `identities`, locked until the commit:
        two batches that resolve the last two alerts of one must not each count the other's. And
        the floods that any of these are members of, locked behind them."""
        asked = sorted(dedup_keys)
        self._lock_incidents(asked)
        members = list(read_members(self._connection, identities))
        floods = sorted({key for key, _ in members if is_flood_key(key)}.difference(asked))
        self._lock_incidents(floods)
        found: dict[str, IncidentRecord] = {}
        for some in chunks([*asked, *floods]):
            found |= read_incidents(self._connection, some)
        for key, identity in members:
            if key in found:
                found[key].members.add(identity)
        return found

    def count_incidents(self, fresh: Mapping[str, int], minute: int) -> dict[str, Rate]:
        """Count new incidents of each sender."""
        return count_incidents(self._connection, fresh, minute)

    def _lock_incidents(self, dedup_keys: Sequence[str]) -> None:
        if self._locks:
            for some in chunks(dedup_keys):
                self._connection.execute(_LOCK_INCIDENTS, {"keys": some})

    def incidents_of(self, identities: Collection[int]) -> dict[int, list[str]]:
        """The dedup_keys of the incidents that each alert belongs to."""
        members = schema.incident_members.c
        found: dict[int, list[str]] = {}
        for some in chunks(identities):
            query = sa.select(members.identity, members.dedup_key).where(members.identity.in_(some))
            for identity, key in self._connection.execute(query):
                found.setdefault(identity, []).append(key)
        return found

    def open_members(self, dedup_keys: Collection[str]) -> dict[str, int]:
        """How many alerts of each incident fire, by what is written."""
        found: dict[str, int] = {}
        for some in chunks(dedup_keys):
            found |= count_open_members(self._connection, some)
        return found

    def write(self, changes: Changes, *, last: bool = False) -> None:
        """Everything but the runs; rows are ordered, so that two processes can't deadlock.

        Decisions are only ever repeated under the lock of their alert, which `read` has taken. A
        COMMIT goes along with what is the `last` statement: it would be a round trip of its own.
        """
        write = self._connection.execute
        if poison := list(quarantine_rows(changes.deliveries)):
            write(sa.insert(schema.quarantine), poison)
        if changes.superseded:
            write(_SUPERSEDE, [{"row": row} for row in sorted(changes.superseded)])
        encode = CheckEncoder()
        change_together(
            self._connection,
            (
                Pending(_TOUCH, _by_id(changes.touched.values()), touched_row),
                Pending(_REPEAT, sorted(changes.repeats.items()), repeated_row),
                Pending(_DELIVERIES, changes.deliveries, lambda each: delivery_row(*each)),
                Pending(_ALERTS, _ordered(changes.episodes), episode_row),
                Pending(
                    _DECISIONS,
                    changes.decisions.values(),
                    lambda new: decision_row(new, changes.rules_hash, encode),
                ),
            ),
            commit=last and not (changes.ends or changes.incidents or changes.turns),
        )
        if changes.ends:
            self._write_ends(changes.ends)
        self._write_incidents(changes.incidents.values())
        if changes.turns:
            write_turns(self._connection, changes.turns)

    def enqueue(self, runs: Collection[NewRun]) -> None:
        """Insert the runs and put them on the worker's queue."""
        self.queued = self.queued or bool(runs)
        for run in runs:
            add_run(self._connection, run)
            self._enqueue(self._connection, run)

    def _write_ends(self, ends: Mapping[str, str]) -> None:
        """Why episodes ended, in the place of what was kept of their ends before."""
        table, ids = schema.unmeasured_ends, sorted(ends)
        for some in chunks(ids):
            self._connection.execute(sa.delete(table).where(table.c.alert.in_(some)))
        if rows := [{"alert": each, "reason": ends[each]} for each in ids if ends[each]]:
            self._connection.execute(sa.insert(table), rows)

    def _write_incidents(self, incidents: Iterable[IncidentRecord]) -> None:
        for incident in sorted(incidents, key=lambda each: each.dedup_key):
            if incident.removed:
                self._connection.execute(_REMOVE, _memberships(incident, incident.removed))
            if not incident.added:
                continue
            if not incident.exists:
                self._connection.execute(sa.insert(schema.incidents), incident_row(incident))
            self._connection.execute(
                insert_of(
                    self._connection.dialect, schema.incident_members
                ).on_conflict_do_nothing(),
                _memberships(incident, incident.added),
            )


_a = schema.alerts.c
_DELIVERIES = bulk_insert(schema.deliveries)
_ALERTS = bulk_insert(schema.alerts)
_DECISIONS = bulk_insert(schema.decisions)
_TOUCH = bulk_update(
    schema.alerts,
    become=("open", "last_seen", "resolved_at", "verdicts", "due_at", "labels_hash"),
    grow=("times_seen",),
)
_REPEAT = bulk_update(schema.decisions, become=("last_at",), grow=("times",))
_NEWEST = (
    "SELECT identity, id, open, last_seen, resolved_at, verdicts, labels_hash FROM alerts "
    "WHERE identity"
)
_SUPERSEDE = sa.update(schema.alerts).where(_a.id == sa.bindparam("row")).values(newest=False)
_m = schema.incident_members.c
_REMOVE = sa.delete(schema.incident_members).where(
    _m.dedup_key == sa.bindparam("dedup_key"), _m.identity == sa.bindparam("identity")
)
_i = schema.incidents.c
_LOCK_INCIDENTS = (
    sa.select(_i.dedup_key)
    .where(_i.dedup_key.in_(sa.bindparam("keys", expanding=True)))
    .order_by(_i.dedup_key)
    .with_for_update()
)


def _episode(
    id_: str,
    open_: bool,
    last_seen: float,
    resolved_at: float | None,
    verdicts: str,
    labels_hash: int | None,
) -> EpisodeRecord:
    return EpisodeRecord(
        id=id_,
        open=bool(open_),
        last_seen=last_seen,
        resolved_at=resolved_at,
        verdicts={rule: tuple(last) for rule, last in load(verdicts).items()},
        labels_hash=labels_hash,
    )


def _in_vain(rows: Iterable[tuple[Any, ...]]) -> dict[tuple[str, str], tuple[str, ...]]:
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for rule, target, run in rows:
        found[rule, target] = (*found.get((rule, target), ()), run)
    return found


def _memberships(incident: IncidentRecord, identities: Iterable[int]) -> list[dict[str, Any]]:
    key = incident.dedup_key
    return [{"dedup_key": key, "identity": identity} for identity in sorted(identities)]


def _by_key(rows: Iterable[tuple[Any, ...]]) -> dict[str, Cooldown]:
    return {row[0]: Cooldown(*row) for row in rows}


def add_run(connection: sa.Connection, run: NewRun) -> None:
    """Insert a queued run."""
    request = run.request
    connection.execute(
        sa.insert(schema.runs),
        {
            "id": request.id,
            "claim": request.claim,
            "action": request.action,
            "rule": request.origin.by,
            "target": request.on.name if request.on is not None else None,
            "direction": request.direction,
            "resource": run.partition,
            "status": "queued",
            "reason": request.origin.why,
            "attempt": 0,
            "ask": dump(dump_request(request)),
            "replay": request.origin.replayed,
            "created_at": run.created_at,
        },
    )


def _by_id(records: Iterable[EpisodeRecord]) -> list[EpisodeRecord]:
    return sorted(records, key=lambda record: record.id)


def _ordered(episodes: Sequence[NewEpisode]) -> list[NewEpisode]:
    return sorted(episodes, key=lambda new: new.identity)
