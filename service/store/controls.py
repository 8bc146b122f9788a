"""Pauses, locks and holds in SQL."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from service.domain.decisions.controls import Control
from service.ports.controls import Beside
from service.ports.runs import Bell
from service.store import schema
from service.store.bulk import Statement
from service.store.database import begin_writing, translated

_c, _a = schema.controls.c, schema.alerts.c
_NAMES = (
    *("id", "kind", "who", "why", "since", "until"),
    *("target", "rule", "direction", "action", "pin"),
)
_FIELDS = [_c[name] for name in _NAMES]

IN_FORCE = Statement(f"SELECT {', '.join(_NAMES)} FROM controls WHERE ended_at IS NULL", ())  # noqa: S608 - only our own names
"""The fields of a `Control`, in order; the table's partial index holds no others."""

OR_ANY_IN_FORCE = (
    "UNION ALL SELECT NULL, 0, 0, '', '' "
    "WHERE EXISTS (SELECT 1 FROM controls WHERE ended_at IS NULL)"
)
"""Behind a question for cooldowns: one row more, without a key, where a control is in force."""


def _nothing(_connection: sa.Connection) -> None:
    """No record is kept beside it."""


def add_control(connection: sa.Connection, control: Control) -> None:
    """Insert a control that begins."""
    fields = {name: getattr(control, name) for name in control.__dataclass_fields__}
    connection.execute(sa.insert(schema.controls), {**fields, "who": fields.pop("by")})


def controls_in_force(connection: sa.Connection) -> tuple[Control, ...]:
    """Those that nobody has ended, the oldest first."""
    query = sa.select(*_FIELDS).where(_c.ended_at.is_(None)).order_by(_c.since, _c.id)
    return tuple(Control(*row) for row in connection.execute(query))


def end_controls(
    connection: sa.Connection, ids: Sequence[str], who: str, now: float
) -> list[Control]:
    """End those of these that are in force, and have every alert that waits judged again."""
    ended = (
        sa.update(schema.controls)
        .where(_c.id.in_(list(ids)), _c.ended_at.is_(None), _c.until > now)
        .values(ended_at=now, ended_by=who)
        .returning(*_FIELDS)
    )
    found = [Control(*row) for row in connection.execute(ended)]
    if found:
        connection.execute(sa.update(schema.alerts).where(_a.due_at > now).values(due_at=now))
    return found


class ControlStore:
    """The table of pauses and locks."""

    def __init__(self, engine: sa.Engine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell

    def in_force(self) -> tuple[Control, ...]:
        """Those that nobody has ended, the oldest first."""
        with translated(), self._engine.connect() as connection:
            return controls_in_force(connection)

    def put(self, control: Control, beside: Beside = _nothing) -> None:
        """Put one in force."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            add_control(connection, control)
            beside(connection)

    def end(
        self, ids: Sequence[str], who: str, now: float, beside: Beside = _nothing
    ) -> list[Control]:
        """End those of these that are in force, and have every alert that waits judged again.

        An alert may wait for something else. It is then held again by that, and says so.
        """
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            found = end_controls(connection, ids, who, now)
            if found:
                self._bell.within(connection)
                beside(connection)
        if found:
            self._bell.committed()
        return found

    def end_over(self, now: float) -> None:
        """End those whose time is over."""
        over = (
            sa.update(schema.controls)
            .where(_c.ended_at.is_(None), _c.until <= now)
            .values(ended_at=_c.until)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(over)
