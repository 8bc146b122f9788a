"""Droplets that runs switch off, kept so that a restart knows of each that may still be off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from service.domain.capacity.refusals import Refusal
from service.ports import MessageRef
from service.ports.offs import OffRecord, Resize, Sent
from service.store import schema
from service.store.database import begin_writing, translated
from service.store.decode import load, load_ref
from service.store.encode import dump, dump_ref

_o = schema.droplet_offs.c
_Sending = list[dict[str, Any]]


class OffStore:
    """The table of droplets that runs switch off, as `service.ports.offs.Offs`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def hold(self, resize: Resize, holder: str, now: float) -> tuple[OffRecord, bool]:
        """Take the run's record over, or make it; and whether it is new."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            taken = _take(connection, resize.run, holder)
            if taken is not None:
                return taken, False
            row = {
                "run": resize.run,
                "resource": resize.resource,
                "droplet": resize.droplet,
                "size": resize.size,
                "holder": holder,
                "since": now,
                "sent": dump([]),
                "tries": 0,
                "next_at": now,
            }
            connection.execute(sa.insert(schema.droplet_offs), row)
        return OffRecord(
            resize.run, resize.resource, resize.droplet, holder, now, next_at=now
        ), True

    def take(self, run_id: str, holder: str) -> OffRecord | None:
        """Take the run's record over, where there is one."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return _take(connection, run_id, holder)

    def get(self, run_id: str) -> OffRecord | None:
        """The run's record."""
        with translated(), self._engine.connect() as connection:
            return _read(connection, run_id)

    def sending(self, run_id: str, sent: Sent, now: float) -> int:
        """Record an action before it is sent, which opens the record again; its number."""

        def add(all_sent: _Sending) -> dict[str, Any]:
            all_sent.append(asdict(sent))
            first = {"since": now} if len(all_sent) == 1 else {}
            return {"ended": None, "ended_at": None, **first}

        return len(self._change_sent(run_id, add)) - 1

    def answered(self, run_id: str, number: int, action: int | None) -> None:
        """Record the id of that action; None: the vendor did not take it."""

        def set_id(all_sent: _Sending) -> dict[str, Any]:
            all_sent[number] |= {"id": action, "refused": action is None}
            return {}

        self._change_sent(run_id, set_id)

    def refused(self, run_id: str, words: str) -> None:
        """Record that the vendor refused the resize for good, in its own words."""
        self._update(run_id, refused=words)

    def told(self, run_id: str, line: MessageRef) -> None:
        """Record where the message is that tells how it goes."""
        self._update(run_id, line=dump_ref(line))

    def looked(self, run_id: str, tries: int, next_at: float) -> None:
        """Record a look after the run's end, once: `tries` is how many there were before it."""
        self._update(run_id, _o.tries == tries, tries=tries + 1, next_at=next_at)

    def end(self, run_id: str, how: str, now: float) -> None:
        """Record that the droplet need not be looked after."""
        self._update(run_id, _o.ended.is_(None), ended=how, ended_at=now)

    def open_again(self, run_id: str) -> None:
        """Record that the droplet was found off again."""
        self._update(run_id, ended=None, ended_at=None)

    def still_open(self) -> Sequence[OffRecord]:
        """All records of droplets that may be off, oldest first."""
        query = sa.select(schema.droplet_offs).where(_o.ended.is_(None)).order_by(_o.since)
        with translated(), self._engine.connect() as connection:
            found = [_record(row) for row in connection.execute(query).mappings()]
        return [one for one in found if one.open]

    def refusals(self, resource: str) -> Sequence[Refusal]:
        """What the vendor refused for good on this resource, oldest first."""
        query = (
            sa.select(_o.run, _o.size, _o.since, _o.refused)
            .where(_o.resource == resource, _o.refused.is_not(None))
            .order_by(_o.since)
        )
        with translated(), self._engine.connect() as connection:
            return [Refusal(*row) for row in connection.execute(query)]

    def _change_sent(self, run_id: str, change: Callable[[_Sending], dict[str, Any]]) -> _Sending:
        query = sa.select(_o.sent).where(_o.run == run_id).with_for_update()
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            all_sent: _Sending = load(connection.execute(query).scalar_one())
            values = change(all_sent)
            connection.execute(
                sa.update(schema.droplet_offs)
                .where(_o.run == run_id)
                .values(sent=dump(all_sent), **values)
            )
        return all_sent

    def _update(self, run_id: str, *conditions: sa.ColumnElement[bool], **values: Any) -> None:
        statement = sa.update(schema.droplet_offs).where(_o.run == run_id, *conditions)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(statement.values(**values))


def _take(connection: sa.Connection, run_id: str, holder: str) -> OffRecord | None:
    statement = sa.update(schema.droplet_offs).where(_o.run == run_id).values(holder=holder)
    connection.execute(statement)
    return _read(connection, run_id)


def _read(connection: sa.Connection, run_id: str) -> OffRecord | None:
    query = sa.select(schema.droplet_offs).where(_o.run == run_id)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _record(row)


def _record(row: sa.RowMapping) -> OffRecord:
    sent = [one for one in load(row["sent"]) if not one.get("refused")]
    return OffRecord(
        run=row["run"],
        resource=row["resource"],
        droplet=row["droplet"],
        holder=row["holder"],
        since=row["since"],
        sent=tuple(Sent(one["type"], one["after"], one["id"]) for one in sent),
        tries=row["tries"],
        next_at=row["next_at"],
        line=load_ref(row["line"]),
        ended=row["ended"] or "",
    )
