"""Tokens of people as the environment names them: `name:role[+group…]:secret`. Pure.

An entry of any other form is a secret as a whole. Its holder may read, as before tokens had names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.people import ROLES, Person, Role

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_PARTS = 3


@dataclass(frozen=True, slots=True)
class NamedToken:
    """Whose secret it is. `doubt` says where the entry reads both ways, or is mistaken."""

    person: Person
    secret: bytes
    doubt: str = ""


def read_tokens(entries: Iterable[str]) -> tuple[NamedToken, ...]:
    """Each entry as a token, in order."""
    return tuple(_token(entry, number) for number, entry in enumerate(entries, start=1))


def _token(entry: str, number: int) -> NamedToken:
    parts = entry.split(":", _PARTS - 1)
    if len(parts) == _PARTS and _NAME.match(parts[0]):
        words = [word for word in parts[1].split("+") if word]
        roles = frozenset(Role(word) for word in words if word in ROLES)
        if roles and parts[2]:
            groups = frozenset(word for word in words if word not in ROLES)
            return NamedToken(Person(parts[0], roles, groups), parts[2].encode())
    reader = Person(f"token-{number}", frozenset({Role.VIEWER}))
    doubt = "" if ":" not in entry else _mistaken(number)
    return NamedToken(reader, entry.encode(), doubt)


def _mistaken(number: int) -> str:
    return (
        f"Entry {number} of API_TOKENS has a colon and is not name:role[+group]:secret, so all of "
        f"it is the secret of a viewer. Roles are {', '.join(ROLES)}."
    )
