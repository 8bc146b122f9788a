"""Which thresholds of the budget people were told of, in SQL."""

from __future__ import annotations

import sqlalchemy as sa

from service.store import schema
from service.store.database import begin_writing, insert_of, translated

_n = schema.budget_notices.c


class BudgetNoticeStore:
    """The table of notices."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def take(self, month: str, percent: int, run: str, now: float) -> bool:
        """As `BudgetNotices`: the row is what one run alone can add."""
        row = {"month": month, "percent": percent, "run": run, "at": now}
        insert = insert_of(self._engine.dialect, schema.budget_notices).on_conflict_do_nothing()
        whose = sa.select(_n.run).where(_n.month == month, _n.percent == percent)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(insert, row)
            return bool(connection.execute(whose).scalar_one() == run)
