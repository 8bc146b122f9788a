"""Tokens that an admin makes for people, and ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from service.domain.decisions.decision_json import moment
from service.domain.people import (
    NAME_FORM,
    ROLES,
    AuditEntry,
    BadRequest,
    NotFound,
    Person,
    Role,
    is_name,
    require_role,
)
from service.ports.controls import Beside
from service.triggers.people.asked import token_lasts


class TokenDesk(Protocol):
    """Where tokens are kept."""

    def make(
        self, person: Person, expires_at: float | None, who: str, now: float, beside: Beside
    ) -> str:
        """Keep a new token of this person; its secret, which is kept nowhere."""
        ...

    def revoke(self, name: str, now: float, beside: Beside) -> bool:
        """End a token; False where there is none of that name that is still good."""
        ...

    def all(self) -> list[dict[str, Any]]:
        """Every token by name, without its secret."""
        ...


class Tokens:
    """What an admin may do with the tokens of others. Every method raises a `Refusal`."""

    def __init__(
        self,
        desk: TokenDesk,
        audited: Callable[[AuditEntry], Beside],
        clock: Callable[[], float],
    ) -> None:
        self._desk = desk
        self._audited = audited
        self._clock = clock

    def all(self, person: Person) -> list[dict[str, Any]]:
        """Every token, without its secret."""
        require_role(person, Role.ADMIN)
        return self._desk.all()

    def new(
        self,
        person: Person,
        name: str,
        roles: Sequence[str],
        groups: Sequence[str],
        lasts: str | None,
    ) -> dict[str, Any]:
        """Make a token; the answer is the only place where its secret ever stands."""
        require_role(person, Role.ADMIN)
        if not is_name(name):
            raise BadRequest(f"name: {name!r} must be {NAME_FORM}.")
        unknown = [each for each in roles if each not in ROLES]
        if unknown or not roles:
            said = f"There is no role {unknown[0]!r}." if unknown else "A token needs a role."
            raise BadRequest(f"{said} Roles are {', '.join(ROLES)}.")
        for group in groups:
            if not is_name(group) or group in ROLES:
                raise BadRequest(f"groups: {group!r} must be a word of your own, such as finance.")
        now = self._clock()
        expires_at = None if lasts is None else now + token_lasts(lasts)
        holder = Person(name, frozenset(map(Role, roles)), frozenset(groups))
        what = {**holder.to_json(), "for": lasts}
        record = self._record(person, "token new", name, what)
        secret = self._desk.make(holder, expires_at, person.name, now, record)
        return {**holder.to_json(), "expires_at": moment(expires_at), "secret": secret}

    def revoke(self, person: Person, name: str) -> None:
        """End a token at once; web processes that know it believe it for one second more."""
        require_role(person, Role.ADMIN)
        record = self._record(person, "token revoke", name, {})
        if not self._desk.revoke(name, self._clock(), record):
            raise NotFound(f"There is no token {name!r} that is still good.")

    def _record(self, person: Person, verb: str, name: str, what: dict[str, Any]) -> Beside:
        return self._audited(AuditEntry.by(person, verb, name, "", what, self._clock()))
