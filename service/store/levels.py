"""The record of levels in SQL: the rules in force, and what became of each attribute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from service.catalogue.request_json import load_request
from service.domain.decisions.decision import Check
from service.domain.decisions.requests import Request
from service.domain.levels.acting import Undone, check_level
from service.domain.levels.applied import Applied
from service.domain.levels.levels import Attribute, Baseline, Value
from service.domain.levels.told import Acted
from service.ports.levels import BOOK_SILENT_S, CHANGING_S
from service.store import schema
from service.store.database import begin_writing, insert_of, translated
from service.store.decode import load

_b, _v, _r, _t = (
    table.c for table in (schema.rules_in_force, schema.levels, schema.runs, schema.levels_told)
)
_ONE = 1
_SEEN_EVERY_S = 60.0
"""How often a worker says that its rules are in force, in seconds."""


class LevelStore:
    """The tables of levels."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._insert = insert_of(engine.dialect, schema.levels)

    def put_in_force(self, rules_hash: str, now: float, *, starts: bool) -> bool:
        """Whether these rules are in force; see `service.ports.levels`."""
        known = sa.select(_b.hash, _b.seen_at)
        with translated(), self._engine.connect() as connection:
            row = connection.execute(known).one_or_none()
        if not starts and row is not None:
            mine = row.hash == rules_hash
            if mine and now < row.seen_at + _SEEN_EVERY_S:
                return True
            if not mine and now < row.seen_at + BOOK_SILENT_S:
                return False
        insert = insert_of(self._engine.dialect, schema.rules_in_force)
        new = insert.excluded
        put = insert.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "hash": new.hash,
                "since": sa.case((_b.hash == new.hash, _b.since), else_=new.since),
                "seen_at": new.seen_at,
            },
            where=None
            if starts
            else sa.or_(_b.hash == new.hash, _b.seen_at <= now - BOOK_SILENT_S),
        ).returning(_b.hash)
        row_of = {"id": _ONE, "hash": rules_hash, "since": now, "seen_at": now}
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            return connection.execute(put, row_of).first() is not None

    def in_force(self) -> str:
        """The hash of the rules in force; empty where there is none."""
        with translated(), self._engine.connect() as connection:
            return rules_in_force(connection)

    def binds(self, rules_hash: str, now: float) -> bool:
        """Whether the levels of these rules bound alerts; see `service.ports.levels`."""
        with translated(), self._engine.connect() as connection:
            row = connection.execute(sa.select(_b.hash, _b.since)).one_or_none()
        return row is not None and (row.hash == rules_hash or now < row.since + CHANGING_S)

    def rows(self) -> Mapping[Attribute, Applied]:
        """What is known of each attribute."""
        with translated(), self._engine.connect() as connection:
            return applied_levels(connection)

    def asked(self, connection: Any, request: Request, now: float) -> None:
        """Keep that a run was asked for, within the transaction that queues it."""
        insert = self._insert
        new = insert.excluded
        same = _v.asked_says == new.asked_says
        put = insert.on_conflict_do_update(
            index_elements=["target", "attribute"],
            set_={
                "asked_says": new.asked_says,
                "run": new.run,
                "tries": sa.case((same, _v.tries + 1), else_=1),
                "waits": "",
            },
        )
        for each in {held.of: held for held in request.held}.values():
            row = {"asked_says": each.says, "run": request.id, "tries": 1}
            connection.execute(put, _row(request.target.name, each.of, **row))

    def applied(self, attribute: Attribute, says: str, now: float) -> None:
        """A look has found it as it is wanted. The run is kept that had asked for the same."""
        insert = self._insert
        new = insert.excluded
        by_run = sa.case((_v.asked_says == new.applied_says, _v.run), else_="")
        put = insert.on_conflict_do_update(
            index_elements=["target", "attribute"],
            set_={
                "applied_says": new.applied_says,
                "applied_at": sa.case(
                    (_v.applied_says == new.applied_says, _v.applied_at), else_=new.applied_at
                ),
                "applied_run": by_run,
                "tries": 0,
                "waits": "",
            },
            where=sa.or_(_v.applied_says != new.applied_says, _v.waits != "", _v.tries > 0),
        )
        row = _row(*attribute, applied_says=says, applied_at=now)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(put, row)

    def waits(self, attribute: Attribute, saw: str) -> None:
        """Keep what holds a level back."""
        insert = self._insert
        put = insert.on_conflict_do_update(
            index_elements=["target", "attribute"],
            set_={"waits": insert.excluded.waits},
            where=_v.waits != insert.excluded.waits,
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(put, _row(*attribute, waits=saw))

    def is_news(self, level: str, digest: str, now: float) -> bool:
        """Whether people were not told yet of what a level says; once for each that it says."""
        insert = insert_of(self._engine.dialect, schema.levels_told)
        put = insert.on_conflict_do_update(
            index_elements=["level"],
            set_={"digest": insert.excluded.digest, "at": insert.excluded.at},
            where=_t.digest != insert.excluded.digest,
        ).returning(_t.level)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            row = {"level": level, "digest": digest, "at": now}
            return connection.execute(put, row).first() is not None

    def baselines(self) -> Mapping[Baseline, Value]:
        """What there was at the start of each growth."""
        with translated(), self._engine.connect() as connection:
            return level_baselines(connection)

    def keep_baseline(self, of: Baseline, value: Value, now: float) -> None:
        """Keep what there was; what is known already stays."""
        growth, target, attribute = of
        insert = insert_of(self._engine.dialect, schema.level_baselines).on_conflict_do_nothing()
        is_count = isinstance(value, int)
        kept = {"value": value if is_count else 0, "text": None if is_count else value}
        row = {"growth": growth, "target": target, "attribute": attribute, **kept}
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(insert, {**row, "at": now})

    def check(self, request: Request, now: float) -> Check:
        """Whether what a level has asked for is still wanted."""
        with translated(), self._engine.connect() as connection:
            return level_check(connection, request, now)


_UNDONE = ("undone_run", "undone_says", "undone_until")
_NOT_APPLIED = ("applied_says", "applied_at", "applied_run")


def _row(target: str, attribute: str, **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("asked_says", "run", "applied_says", "applied_run", "waits"), "")
    undone = {"undone_run": "", "undone_says": "", "undone_until": 0.0}
    none = {"tries": 0, "applied_at": None}
    return {"target": target, "attribute": attribute, **empty, **undone, **none, **values}


def acted(engine: sa.Engine) -> Acted:
    """What workers have made of levels.

    Raises:
        StoreUnavailable: the database cannot be used now.
    """
    with translated(), engine.connect() as connection:
        return Acted(
            rules_in_force(connection), applied_levels(connection), level_baselines(connection)
        )


def applied_levels(connection: sa.Connection) -> dict[Attribute, Applied]:
    """What is known of each attribute that a level holds or has held."""
    query = sa.select(schema.levels, _r.status, _r.ended_at).outerjoin_from(
        schema.levels, schema.runs, _r.id == _v.run
    )
    return {
        (row["target"], row["attribute"]): _applied(row)
        for row in connection.execute(query).mappings()
    }


def level_baselines(connection: sa.Connection) -> dict[Baseline, Value]:
    """What there was at the start of each growth."""
    b = schema.level_baselines.c
    rows = connection.execute(sa.select(b.growth, b.target, b.attribute, b.value, b.text))
    return {(row.growth, row.target, row.attribute): row.text or row.value for row in rows}


def _applied(row: sa.RowMapping) -> Applied:
    undone = None
    if row["undone_run"]:
        undone = Undone(row["undone_run"], row["undone_says"], row["undone_until"])
    names = ("asked_says", "run", "tries", "ended_at")
    return Applied(
        **{name: row[name] for name in names},
        status=row["status"] or "",
        applied_says=row["applied_says"],
        applied_at=row["applied_at"],
        applied_run=row["applied_run"],
        waits=row["waits"],
        undone=undone,
    )


def hold_back(connection: sa.Connection, run: str) -> None:
    """A person undoes a run. What a level has asked for by it is held back until something else
    holds; within the transaction of the undo."""
    ask = connection.execute(sa.select(_r.ask).where(_r.id == run)).scalar_one_or_none()
    request = None if ask is None else load_request(load(ask))
    if request is None or not request.held:
        return
    insert = insert_of(connection.dialect, schema.levels)
    put = insert.on_conflict_do_update(
        index_elements=["target", "attribute"],
        set_={name: insert.excluded[name] for name in (*_UNDONE, *_NOT_APPLIED)},
    )
    for each in {held.of: held for held in request.held}.values():
        values: dict[str, Any] = dict(zip(_UNDONE, (run, each.says, each.until), strict=True))
        connection.execute(put, _row(request.target.name, each.of, **values))


def level_check(connection: sa.Connection, request: Request, now: float) -> Check:
    """Whether what a level has asked for is still wanted, on a connection."""
    query = sa.select(schema.levels).where(_v.target == request.target.name, _v.undone_run != "")
    undone = {
        (row.target, row.attribute): Undone(row.undone_run, row.undone_says, row.undone_until)
        for row in connection.execute(query)
    }
    return check_level(request, rules_in_force(connection), undone, now)


def rules_in_force(connection: sa.Connection) -> str:
    """The hash of the rules by which workers judge levels; empty before any has begun."""
    return str(connection.execute(sa.select(_b.hash)).scalar_one_or_none() or "")
