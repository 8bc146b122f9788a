"""Tokens of people as the environment names them: `name:role[+group…]:secret`. Pure.

An entry of any other form is a secret as a whole. Its holder may read, as before tokens had names.
An entry that was meant to have this form, and is mistaken, is refused: it would let nobody in, or
somebody who guesses it. No sentence here shows a part of an entry that may be secret.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from service.domain.people import ROLES, Person, Role

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
_WORDS = re.compile(r"[A-Za-z_-]+(?:\+[A-Za-z_-]+)*\Z")
"""What was meant as roles. A random secret hardly ever has letters alone between two colons."""
_NEAR = 0.8
"""How alike a group and a role are (difflib) to be told: `aprover` is 0.93 like `approver`,
`devops` is 0.29 like `operator`."""


@dataclass(frozen=True, slots=True)
class NamedToken:
    """Whose secret it is. `doubt` says where the entry reads both ways, or is hardly meant so."""

    person: Person
    secret: bytes = field(repr=False)
    doubt: str = ""


def read_tokens(entries: Iterable[str]) -> tuple[NamedToken, ...]:
    """Each entry that lets somebody in, in order. An entry that is refused lets nobody in."""
    return tuple(each for each in _each(entries) if isinstance(each, NamedToken))


def mistaken_tokens(entries: Iterable[str]) -> tuple[str, ...]:
    """Why an entry is refused, a sentence for each."""
    return tuple(each for each in _each(entries) if isinstance(each, str))


def token_doubts(tokens: Sequence[NamedToken]) -> Iterator[str]:
    """What is hardly meant of entries that are taken."""
    yield from (each.doubt for each in tokens if each.doubt)
    first: dict[bytes, NamedToken] = {}
    for each in tokens:
        earlier = first.setdefault(each.secret, each).person.name
        if earlier != each.person.name:
            yield (
                f"{earlier} and {each.person.name} have the same secret in API_TOKENS; "
                f"{earlier} counts."
            )


def _each(entries: Iterable[str]) -> Iterator[NamedToken | str]:
    for number, entry in enumerate(entries, start=1):
        yield _read(entry, f"Entry {number} of API_TOKENS", number)


def _read(entry: str, place: str, number: int) -> NamedToken | str:
    name, _, rest = entry.partition(":")
    said, colon, secret = rest.partition(":")
    words = [word for word in said.split("+") if word]
    if ":" in entry and _NAME.match(name):
        if not rest.strip(":") or (not secret and any(word in ROLES for word in words)):
            return f"{place} has no secret: write it as name:role:secret."
        if any(word in ROLES for word in words):
            return _named(name, words, secret, place)
        if colon and _WORDS.match(said):
            return (
                f"{place} names no role that is known. Roles are {', '.join(ROLES)}; other words "
                "beside one of them are groups. If all of the entry is a secret of an earlier "
                "version, write `reader:viewer:` before it."
            )
    reader = Person(f"token-{number}", frozenset({Role.VIEWER}))
    doubt = (
        f"{place} has a colon and is not name:role[+group]:secret, so all of it is the secret of a "
        f"viewer. Roles are {', '.join(ROLES)}."
    )
    return NamedToken(reader, entry.encode(), doubt if ":" in entry else "")


def _named(name: str, words: Sequence[str], secret: str, place: str) -> NamedToken:
    roles = frozenset(Role(word) for word in words if word in ROLES)
    groups = frozenset(word for word in words if word not in ROLES)
    near = [
        f"{place}: {group} of {name} is taken as a group; if {alike[0]} was meant, write that."
        for group in sorted(groups)
        if (alike := difflib.get_close_matches(group.lower(), ROLES, n=1, cutoff=_NEAR))
    ]
    return NamedToken(Person(name, roles, groups), secret.encode(), " ".join(near))
