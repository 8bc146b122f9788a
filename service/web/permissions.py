"""Which role each endpoint of the API wants. It is asked before the body is read."""

from __future__ import annotations

from service.domain.people import Person, Role, require_role

READS = ("GET", "HEAD", "OPTIONS")

NEEDS = {
    "put": Role.OPERATOR,
    "end": Role.OPERATOR,
    "release": Role.OPERATOR,
    "unlock": Role.OPERATOR,
    "resume": Role.OPERATOR,
    # A plan changes nothing and is for everybody. Only the body says which of the two it is.
    "ask_run": Role.VIEWER,
    "start_scenario": Role.VIEWER,
    "cancel": Role.OPERATOR,
    "retry": Role.OPERATOR,
    "undo": Role.OPERATOR,
    "run_job": Role.OPERATOR,
    # Whoever has one of the roles or groups that the approval itself names.
    "decide": Role.VIEWER,
    # Whoever has the group as which the sign-off is given.
    "sign_off": Role.VIEWER,
    # It gives back what an approver decides on otherwise.
    "promote": Role.APPROVER,
    "all_tokens": Role.ADMIN,
    "new_token": Role.ADMIN,
    "revoke_token": Role.ADMIN,
    "audit": Role.OPERATOR,
    # Of the console: it changes nothing.
    "try_out": Role.VIEWER,
    # Of the console: it only ends one's own session.
    "sign_out": Role.VIEWER,
}
"""By the name of the endpoint's function. Everybody may read what is not here."""


def changes(method: str) -> bool:
    """Whether a request of this method may change something."""
    return method not in READS


def needed(endpoint: str, method: str) -> Role:
    """The role that an endpoint wants.

    A change that is not in the table is for admins alone, so that a new one is never open by
    mistake.
    """
    otherwise = Role.ADMIN if changes(method) else Role.VIEWER
    return NEEDS.get(endpoint.rpartition(".")[2], otherwise)


def allowed(person: Person, endpoint: str, method: str) -> bool:
    """Whether this person may use an endpoint."""
    return person.may(needed(endpoint, method))


def require(person: Person, endpoint: str, method: str) -> None:
    """Return when this person may use an endpoint.

    Raises:
        Forbidden: the person lacks the role.
    """
    require_role(person, needed(endpoint, method))
