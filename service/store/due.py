"""The alerts that are judged again, because what held them is over."""

from __future__ import annotations

import sqlalchemy as sa

from service.ports.admission import Delivery
from service.store import schema
from service.store.database import begin_writing, translated
from service.store.replays import stored_notifications

_a = schema.alerts.c


class DueStore:
    """The alerts whose guard lets go."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def next_due(self) -> float | None:
        """When the first alert is due; None where none waits."""
        query = sa.select(sa.func.min(_a.due_at)).where(_a.due_at.is_not(None))
        with translated(), self._engine.connect() as connection:
            found: float | None = connection.execute(query).scalar_one()
        return found

    def take(self, now: float, limit: int, again_s: float) -> list[Delivery]:
        """Reserve alerts that are due, the longest waiting first, and load them as they came."""
        due = (
            sa.select(_a.id)
            .where(_a.due_at <= now)
            .order_by(_a.due_at, _a.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            ids = list(connection.execute(due).scalars())
            if not ids:
                return []
            reserve = sa.update(schema.alerts).where(_a.id.in_(ids)).values(due_at=now + again_s)
            connection.execute(reserve)
            kept = stored_notifications(connection, ids)
        return [
            Delivery(
                each.notification,
                now,
                kept_as=each.delivery,
                credential=each.credential,
                address=each.address,
            )
            for each in kept
        ]
