"""Single facts of this installation, for which a table each would be too much."""

from __future__ import annotations

import secrets

import sqlalchemy as sa

from service.store import schema
from service.store.database import begin_writing, insert_of, translated

SHORT_SECRETS = "short_secrets"
"""There when alerts had been kept before short secrets were refused (migration 0005)."""

PROBE = "probe"
"""When it was last proved that the database takes writes, in seconds since the epoch."""
NO_WORKER_PAGED = "no_worker_paged"
"""There while a page says that no worker is alive; whichever web process finds one closes it."""

TARGETS = "targets"
"""The targets of the rules that web decides by, as JSON (`service.store.status.declared`)."""

RULES_ASKED = "rules_asked"
"""The name of the last request to read the rule files again."""
RULES_TOLD = "rules_told"
"""`refused` while people know that rule files are refused."""
GOOD_RULES = "good_rules"
"""Before the name of some rule files: what they said when they were good."""

INSTALLATION = "installation"
"""The id that tells this installation from others that share its Redis: 8 hex digits."""

_f = schema.facts.c


class FactStore:
    """Reads and writes facts. Every method raises StoreUnavailable when the database cannot be
    used."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        statement = insert_of(engine.dialect, schema.facts)
        self._put_first = statement.on_conflict_do_nothing()
        self._put = statement.on_conflict_do_update(
            index_elements=["name"], set_={"value": statement.excluded.value}
        )

    def get(self, name: str) -> str:
        """The value of a fact; empty when there is none."""
        with translated(), self._engine.connect() as connection:
            return _value(connection, name)

    def put(self, name: str, value: str) -> None:
        """Set a fact, and return when that is on disk."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(self._put, {"name": name, "value": value})

    def installation_id(self) -> str:
        """The id of this installation; whichever process asks first makes it, once for all."""
        known = self.get(INSTALLATION)
        if known:
            return known
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(
                self._put_first, {"name": INSTALLATION, "value": secrets.token_hex(4)}
            )
            return _value(connection, INSTALLATION)


def _value(connection: sa.Connection, name: str) -> str:
    query = sa.select(_f.value).where(_f.name == name)
    return str(connection.execute(query).scalar_one_or_none() or "")
