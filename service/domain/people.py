"""People who tell runbookd what to do: who they are, what they may do, and the record of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from service.domain.errors import Told
from service.domain.filters import BadFilter


class Role(StrEnum):
    """What a person may do. Each person may read."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    """Pauses, locks, cancels, retries, undoes, and asks for changes."""
    APPROVER = "approver"
    """Decides what waits for approval."""
    ADMIN = "admin"
    """All of it, and the tokens of others."""


ROLES = tuple(role.value for role in Role)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}\Z")
NAME_FORM = "1 to 63 letters, digits, dots, - and _"
"""What a name may be, for a sentence."""


def is_name(text: str) -> bool:
    """Whether a person, or a group, may be called so."""
    return _NAME.match(text) is not None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is known by a token, or who types on this machine.

    `groups` are words of the operator's own, such as finance. `via` is `api`, `console` or
    `terminal`, and `address` where the request came from.
    """

    name: str
    roles: frozenset[Role]
    groups: frozenset[str] = frozenset()
    via: str = "api"
    address: str = ""

    def may(self, role: Role) -> bool:
        """Whether the person has this role; an admin has each, and everybody is a viewer."""
        return role is Role.VIEWER or role in self.roles or Role.ADMIN in self.roles

    def to_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "name": self.name,
            "roles": sorted(role.value for role in self.roles),
            "groups": sorted(self.groups),
        }


DONE, FORBIDDEN, UNAUTHORIZED = "done", "forbidden", "unauthorized"
"""How what a person tried has ended."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that a person did, or was refused. `at` is in seconds since the epoch.

    `verb` is what was done, `subject` to what: a target, a run, a token. `what` is the rest of what
    was asked for, as plain JSON. Of what was refused, `verb` is the HTTP method and `subject` the
    path, because its body is not read.
    """

    at: float
    who: str
    via: str
    address: str
    verb: str
    subject: str
    why: str
    what: Mapping[str, Any] = field(default_factory=dict)
    outcome: str = DONE

    @classmethod
    def by(
        cls,
        person: Person,
        verb: str,
        subject: str,
        why: str,
        what: Mapping[str, Any],
        at: float,
    ) -> AuditEntry:
        """What this person has done."""
        return cls(at, person.name, person.via, person.address, verb, subject, why, what)


class Refusal(Told):
    """Nothing was changed; `sentence` says why, and what to do instead."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class BadRequest(Refusal, BadFilter):
    """What was asked for makes no sense: a target that does not exist, a pause without an end."""


class NotFound(Refusal):
    """There is no such thing."""


class Conflict(Refusal):
    """It cannot be done as things are now: the run has ended."""


class Forbidden(Refusal):
    """The person lacks the role for it."""


def require_role(person: Person, role: Role) -> None:
    """Return when the person has this role.

    Raises:
        Forbidden: the person lacks it.
    """
    if not person.may(role):
        has = ", ".join(sorted(person.roles)) or "no role"
        raise Forbidden(f"{person.name} needs the role {role} for this, and has {has}.")
