"""The application's own PostgreSQL: what a look shows, and what is asked of it.

Every method raises `service.domain.errors.VendorError`, and nothing of a driver.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Server:
    """The server, and what runbookd's role may do there.

    `version` is as `server_version_num` has it, such as 180006. `may_signal` is whether the role
    may end the sessions of every role but a superuser's, `sees_all` whether it may see what they
    run. `replica` is True on a standby, which takes no writes.
    """

    database: str
    version: int
    role: str
    superuser: bool
    may_signal: bool
    sees_all: bool
    replica: bool


@dataclass(frozen=True, slots=True)
class LoginRole:
    """A role that may log in; `ours` is whether runbookd's role has its rights."""

    name: str
    superuser: bool
    ours: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A session of the database at one moment.

    `began` is when it connected. `since` is when its query began, or, where it is idle in a
    transaction, when the transaction began. Both are the server's own text, to the microsecond, and
    name the very same work again. `age_s` is how long ago `since` was. `text` is the query, as far
    as the server keeps it, and `digest` the first 8 digits of its md5. `maintains` is whether the
    server lists it as a VACUUM, an index build, a COPY or the like. `kind` is the server's
    `backend_type`.
    """

    pid: int
    kind: str
    role: str
    application: str
    state: str
    began: str
    since: str
    age_s: float
    text: str
    digest: str
    maintains: bool


@dataclass(frozen=True, slots=True)
class Work:
    """What one session does: the same pid with another query is other work."""

    pid: int
    began: str
    since: str
    idle: bool


@dataclass(frozen=True, slots=True)
class Activity:
    """The server, its roles, and the sessions of the database that are busy or in a transaction."""

    server: Server
    roles: Sequence[LoginRole]
    sessions: Sequence[Session]


class AppDatabase(Protocol):
    """One database of the application (docs/kinds/app_database.md)."""

    def activity(self) -> Activity:
        """What goes on in the database now; runbookd's own session is left out."""
        ...

    def going_on(self, works: Sequence[Work]) -> Sequence[Work]:
        """Those of them that still go on: the same session, with the same query or transaction."""
        ...

    def cancel(self, works: Sequence[Work]) -> Sequence[int]:
        """Cancel the query of each that still goes on; the pids that were told to."""
        ...

    def terminate(self, works: Sequence[Work]) -> Sequence[int]:
        """End the session of each that still goes on; the pids that were told to."""
        ...
