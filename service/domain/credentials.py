"""Credentials: the secrets that let somebody in, each under a name that may be shown."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

SHORTEST_SECRET = 16
"""Characters of a secret that others than this machine may try. Sixteen random letters and digits
are 95 bits; `openssl rand -hex 16` makes 32."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""What may stand before the first colon of a token as its name. A text that cannot be a name is a
part of the secret."""


@dataclass(frozen=True, slots=True)
class Credential:
    """Who may send, by the secrets that are accepted from him. Its name is no secret.

    `both_ways` is whether the entry has a colon and is accepted with its name and without it.
    `as_a_whole` is whether it has a colon and is accepted only as it was written, because what
    follows the colon is too short to be a secret.
    """

    name: str
    secrets: tuple[str, ...] = field(repr=False)
    both_ways: bool = False
    as_a_whole: bool = False


def read_tokens(
    entries: Sequence[str],
    unnamed: str,
    *,
    shortest: int = 1,
    taken: Collection[str] = (),
) -> tuple[Credential, ...]:
    """Bearer tokens, in order: `name:secret`, or a secret alone.

    A secret of an earlier version may hold a colon. So an entry with one is accepted as it is
    written and by what follows the first colon. What follows has to have `shortest` characters;
    otherwise a long secret with a colon near its end would become one of few characters.

    A secret alone is named by `unnamed` and its place in the list, from 1. It gets the next free
    place when one of the other names, or one of `taken`, is called so.
    """
    named = [_named(entry, shortest) for entry in entries]
    used = {each.name for each in named if each is not None} | set(taken)
    read: list[Credential] = []
    for place, (entry, known) in enumerate(zip(entries, named, strict=True), start=1):
        credential = known or _unnamed(entry, _free(unnamed, place, used), shortest)
        used.add(credential.name)
        read.append(credential)
    return tuple(read)


def read_pairs(entries: Sequence[str]) -> tuple[Credential, ...]:
    """Pairs of basic authentication, `user:password`: the user is the name."""
    return tuple(Credential(entry.partition(":")[0], (entry,)) for entry in entries)


def one_secret_of_two(credentials: Sequence[Credential]) -> Iterator[tuple[str, str]]:
    """The names of two credentials that accept the same secret; the first of the two counts."""
    first: dict[str, str] = {}
    for credential in credentials:
        for secret in credential.secrets:
            earlier = first.setdefault(secret, credential.name)
            if earlier != credential.name:
                yield earlier, credential.name


def _named(entry: str, shortest: int) -> Credential | None:
    name, _, secret = entry.partition(":")
    if not _NAME.fullmatch(name) or len(secret) < max(shortest, 1):
        return None
    return Credential(name, (entry, secret), both_ways=True)


def _unnamed(entry: str, name: str, shortest: int) -> Credential:
    before, _, after = entry.partition(":")
    short = bool(_NAME.fullmatch(before)) and 0 < len(after) < shortest
    return Credential(name, (entry,), as_a_whole=short)


def _free(unnamed: str, place: int, used: Collection[str]) -> str:
    while f"{unnamed}-{place}" in used:
        place += 1
    return f"{unnamed}-{place}"
