"""Tokens of people that are kept here; those of the environment are in the settings.

Of a token only the SHA-256 of its secret is kept. That is enough, because a secret is 32 random
bytes: nobody can try that many, as one could with a password.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from service.domain.decisions.decision_json import moment
from service.domain.people import Conflict, Person, Role
from service.ports.controls import Beside
from service.store import schema
from service.store.database import begin_writing, translated

_t = schema.tokens.c


def digest_of(secret: bytes) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret).hexdigest()


def new_secret() -> str:
    """A secret that nobody can guess, with a beginning by which leaks are found."""
    return f"rbd_{secrets.token_urlsafe(32)}"


class TokenStore:
    """The table of tokens."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def person(self, secret: bytes, now: float) -> Person | None:
        """Whose token this is; None when it is nobody's, is over, or was revoked."""
        query = (
            sa.select(_t.name, _t.roles, _t.groups)
            .where(_t.digest == digest_of(secret), _t.revoked_at.is_(None))
            .where(sa.or_(_t.expires_at.is_(None), _t.expires_at > now))
        )
        with translated(), self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Person(row.name, _roles(row.roles), frozenset(row.groups.split()))

    def make(
        self, person: Person, expires_at: float | None, who: str, now: float, beside: Beside
    ) -> str:
        """Keep a new token of this person; its secret, which is kept nowhere.

        Raises:
            Conflict: there is one of that name.
        """
        secret = new_secret()
        row = {
            "name": person.name,
            "roles": " ".join(sorted(person.roles)),
            "groups": " ".join(sorted(person.groups)),
            "digest": digest_of(secret.encode()),
            "created_at": now,
            "created_by": who,
            "expires_at": expires_at,
        }
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            known = sa.select(_t.name).where(_t.name == person.name)
            if connection.execute(known).first() is not None:
                raise Conflict(f"There is a token {person.name} already; choose another name.")
            try:
                connection.execute(sa.insert(schema.tokens), row)
            except IntegrityError:
                raise Conflict(f"There is a token {person.name} already.") from None
            beside(connection)
        return secret

    def revoke(self, name: str, now: float, beside: Beside) -> bool:
        """End a token; False where there is none of that name that is still good."""
        statement = (
            sa.update(schema.tokens)
            .where(_t.name == name, _t.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            if connection.execute(statement).rowcount == 0:
                return False
            beside(connection)
        return True

    def all(self) -> list[dict[str, Any]]:
        """Every token by name, without its secret."""
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(sa.select(schema.tokens).order_by(_t.name)).mappings().all()
        return [
            {
                "name": row["name"],
                "roles": row["roles"].split(),
                "groups": row["groups"].split(),
                "created_at": moment(row["created_at"]),
                "created_by": row["created_by"],
                "expires_at": moment(row["expires_at"]),
                "revoked_at": moment(row["revoked_at"]),
            }
            for row in rows
        ]


def _roles(text: str) -> frozenset[Role]:
    known: Collection[str] = [role.value for role in Role]
    return frozenset(Role(each) for each in text.split() if each in known)
