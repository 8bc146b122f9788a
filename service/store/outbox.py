"""Messages that wait for the messenger, as `service.ports.outbox.Outbox`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from service.ports import Message, MessageRef
from service.ports.outbox import Waiting
from service.store import schema
from service.store.database import begin_writing, insert_of, translated
from service.store.decode import load, load_ref
from service.store.encode import dump, dump_ref

_o = schema.outbox.c


class OutboxStore:
    """The table of messages that wait."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def put(self, waiting: Waiting, due_at: float) -> None:
        """Keep a message until `due_at`; in a place that is taken it replaces what waits there."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            keep_message(connection, waiting, due_at)

    def replace(self, key: str, message: Message, now: float) -> bool:
        """Say something newer in a place where a message waits; False where none does."""
        return self._write(
            sa.update(schema.outbox)
            .where(_o.key == key)
            .values(message=_dump(message), since=now, version=_o.version + 1)
        )

    def take(self, now: float, hold_s: float, limit: int) -> Sequence[Waiting]:
        """Messages that are due, oldest first, held for `hold_s` seconds."""
        due = (
            sa.select(_o.key)
            .where(_o.due_at <= now)
            .order_by(_o.since, _o.key)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        take = (
            sa.update(schema.outbox)
            .where(_o.key.in_(due))
            .values(due_at=now + hold_s)
            .returning(schema.outbox)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            rows = connection.execute(take).mappings().all()
        return [_waiting(row) for row in sorted(rows, key=lambda row: (row["since"], row["key"]))]

    def told(self, waiting: Waiting, ref: MessageRef, now: float) -> None:
        """Forget what was told; something newer is due now, as an edit."""
        newer = sa.update(schema.outbox).where(_o.key == waiting.key)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            told = sa.delete(schema.outbox).where(
                _o.key == waiting.key, _o.version == waiting.version
            )
            if connection.execute(told).rowcount == 0:
                connection.execute(newer.values(ref=dump_ref(ref), due_at=now))

    def again(self, waiting: Waiting, due_at: float) -> None:
        """Try it again at `due_at`."""
        self._write(
            sa.update(schema.outbox)
            .where(_o.key == waiting.key)
            .values(due_at=due_at, tries=waiting.tries + 1, ref=dump_ref(waiting.ref))
        )

    def forget(self, waiting: Waiting) -> None:
        """Give it up, whatever was said in its place since."""
        self._write(sa.delete(schema.outbox).where(_o.key == waiting.key))

    def count(self) -> int:
        """How many messages wait."""
        query = sa.select(sa.func.count()).select_from(schema.outbox)
        with translated(), self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _write(self, statement: sa.Insert | sa.Update | sa.Delete) -> bool:
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return bool(connection.execute(statement).rowcount)


def keep_message(connection: sa.Connection, waiting: Waiting, due_at: float) -> None:
    """Keep a message as `OutboxStore.put` does, with the caller's transaction."""
    insert = insert_of(connection.dialect, schema.outbox).values(
        key=waiting.key,
        message=_dump(waiting.message),
        ref=dump_ref(waiting.ref),
        thread=dump_ref(waiting.thread),
        run=waiting.run,
        since=waiting.since,
        due_at=due_at,
        tries=waiting.tries,
        version=waiting.version,
    )
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["key"],
            set_={
                "message": insert.excluded.message,
                "since": insert.excluded.since,
                "version": _o.version + 1,
            },
        )
    )


def _dump(message: Message) -> str:
    return dump(asdict(message))


def _message(text: str) -> Message:
    stored = load(text)
    # What an earlier version kept has no buttons.
    lists = ("fields", "links", "buttons")
    pairs = {name: tuple(map(tuple, stored.get(name, ()))) for name in lists}
    return Message(**{**stored, **pairs})


def _waiting(row: sa.RowMapping) -> Waiting:
    return Waiting(
        key=row["key"],
        message=_message(row["message"]),
        ref=load_ref(row["ref"]),
        thread=load_ref(row["thread"]),
        run=row["run"],
        since=row["since"],
        tries=row["tries"],
        version=row["version"],
    )
