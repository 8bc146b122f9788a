"""Tokens of people that are kept here; those of the environment are in the settings.

Of a token only the SHA-256 of its secret is kept. That is enough, because a secret is 32 random
bytes: nobody can try that many, as one could with a password.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection, Mapping
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


_SECRET = re.compile(rb"rbd_[A-Za-z0-9_-]{43}")
"""32 bytes in base64 are 43 characters."""


def new_secret() -> str:
    """A secret that nobody can guess, with a beginning by which leaks are found."""
    return f"rbd_{secrets.token_urlsafe(32)}"


def may_be_ours(secret: bytes) -> bool:
    """Whether it has the form of a secret that was made here. Nothing else can be stored."""
    return _SECRET.fullmatch(secret) is not None


class TokenStore:
    """The table of tokens."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    def good(self, now: float) -> Mapping[str, Person]:
        """The holders of all tokens that are good at `now`, by the digests of their secrets."""
        query = sa.select(_t.digest, _t.name, _t.roles, _t.groups).where(_good(now))
        with translated(), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return {
            row.digest: Person(row.name, _roles(row.roles), frozenset(row.groups.split()))
            for row in rows
        }

    def make(
        self, person: Person, expires_at: float | None, who: str, now: float, beside: Beside
    ) -> str:
        """Keep a new token of this person; its secret, which is kept nowhere.

        It takes the place of one of that name that is over or revoked; the audit still tells of
        that one.

        Raises:
            Conflict: there is one of that name that is good.
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
            "revoked_at": None,
        }
        again = sa.update(schema.tokens).where(_t.name == person.name, sa.not_(_good(now)))
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            try:
                if connection.execute(again.values(**row)).rowcount == 0:
                    connection.execute(sa.insert(schema.tokens), row)
            except IntegrityError:
                raise Conflict(
                    f"There is a token {person.name} that is good; choose another name, or end it "
                    f"first: runbookd token revoke {person.name}."
                ) from None
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


def _good(now: float) -> sa.ColumnElement[bool]:
    """That a token has not been revoked, and is not over at `now`."""
    return sa.and_(_t.revoked_at.is_(None), sa.or_(_t.expires_at.is_(None), _t.expires_at > now))


def _roles(text: str) -> frozenset[Role]:
    known: Collection[str] = [role.value for role in Role]
    return frozenset(Role(each) for each in text.split() if each in known)
