"""Claims in SQL: one statement takes all that a batch wants, with one winner for each."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from service.domain.decisions.claims import BUSY_UNTIL, Cooldown
from service.ports.admission import Claimed
from service.store.bulk import Lookup, Statement, rows_of_each
from service.store.encode import dump

RESTING = "SELECT key, generation, until, run, reason FROM cooldowns WHERE key"

_TAKE = """
INSERT INTO cooldowns (key, generation, until, run, reason)
SELECT {key}, 1, {busy}, {key} || '.1', '' FROM {wanted} WHERE true ORDER BY {key}
ON CONFLICT (key) DO UPDATE SET
    generation = cooldowns.generation + 1,
    until = {busy},
    run = cooldowns.key || '.' || (cooldowns.generation + 1),
    reason = ''
WHERE cooldowns.until <= {now}
RETURNING key, generation, until, run, reason
"""
_TAKE_ON = {
    "sqlite": _TAKE.format(
        key="wanted.value", wanted="json_each(?) AS wanted", now="?", busy=BUSY_UNTIL
    ),
    "postgresql": _TAKE.format(
        key="wanted.key", wanted="unnest(%s::text[]) AS wanted(key)", now="%s", busy=BUSY_UNTIL
    ),
}


_NUMBER = """
INSERT INTO cooldowns (key, generation, until, run, reason)
VALUES (CAST(:key AS TEXT), 1, 0, CAST(:key AS TEXT) || '.1', '')
ON CONFLICT (key) DO UPDATE SET
    generation = cooldowns.generation + 1,
    until = 0,
    run = cooldowns.key || '.' || (cooldowns.generation + 1),
    reason = ''
RETURNING run
"""


def next_run(connection: sa.Connection, key: str) -> str:
    """The id of the next run of a claim that each request takes, and that never rests."""
    return str(connection.execute(sa.text(_NUMBER), {"key": key}).scalar_one())


def take_claims(connection: sa.Connection, keys: Collection[str], now: float) -> dict[str, Claimed]:
    """Take each claim that is free at `now`; the cooldown in force of each, won or not.

    The statement compares again what may have been read before, so that among any number of
    callers one wins. In order of the keys: two callers never wait for each other's claims. On
    PostgreSQL it locks every row, won or not.
    """
    if not keys:
        return {}
    wanted = sorted(keys)
    name = connection.dialect.name
    given = dump(wanted) if name == "sqlite" else wanted
    won, held = rows_of_each(
        connection, Statement(_TAKE_ON[name], (given, now)), Lookup(RESTING, wanted)
    )
    claimed = {row[0]: Claimed(won=False, cooldown=Cooldown(*row)) for row in held}
    for row in won:
        claimed[row[0]] = Claimed(won=True, cooldown=Cooldown(*row))
    return claimed
