"""What the web process needs from the rest of the service.

These are protocols, because the bootstrap makes the parts, and it lies below this package and may
not import it. A test passes parts of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from service.domain.levels.told import Acted
from service.domain.people import Person
from service.ports.admission import Delivery, Receipt
from service.ports.last_resort import LastResortParts
from service.settings import Settings
from service.store.audit import AuditStore
from service.store.queries import Queries
from service.store.replays import StoredNotification
from service.triggers.alerts.candidates import RulesInForce
from service.triggers.alerts.preview import Preview
from service.triggers.people.people import People
from service.triggers.people.tokens import Tokens

Admit = Callable[[Sequence[Delivery], float], list[Receipt]]
"""`Admitter.admit`: decides on a batch and commits it."""


class ControlParts(Protocol):
    """What the operator API needs."""

    @property
    def people(self) -> People:
        """What people may do: pause, run, approve and so on."""
        ...

    @property
    def tokens(self) -> Tokens:
        """The tokens of people."""
        ...

    @property
    def audit(self) -> AuditStore:
        """The record of what people did."""
        ...

    @property
    def stored_tokens(self) -> Callable[[float], Mapping[str, Person]]:
        """The holders of the stored tokens that are good at a time (seconds since the epoch), by
        the digests of their secrets."""
        ...


class WebParts(ControlParts, Protocol):
    """All parts, as attributes. A frozen dataclass with these fields is one."""

    @property
    def settings(self) -> Settings:
        """The settings of this process."""
        ...

    @property
    def admit(self) -> Admit:
        """Decides on a batch and commits it. One committer per process calls it."""
        ...

    @property
    def queries(self) -> Queries:
        """The stored alerts, decisions and runs."""
        ...

    @property
    def prove_write(self) -> Callable[[], None]:
        """Returns when a test write is on the disk. Raises StoreUnavailable otherwise."""
        ...

    @property
    def redis_ping(self) -> Callable[[], bool]:
        """Whether Redis answers."""
        ...

    @property
    def live_workers(self) -> Callable[[], int]:
        """How many workers have a valid lease."""
        ...

    @property
    def last_resort(self) -> LastResortParts:
        """The parts of the page of last resort."""
        ...

    @property
    def rules(self) -> Callable[[], RulesInForce]:
        """The rules that decide about alerts now."""
        ...

    @property
    def stored_notifications(self) -> Callable[[Sequence[str]], list[StoredNotification]]:
        """Stored alerts by their ids, as firing, grouped as they came, with who sent them."""
        ...

    @property
    def preview(self) -> Callable[[Sequence[Delivery], RulesInForce], list[Preview]]:
        """What rules would decide now. Nothing is stored, claimed or queued."""
        ...

    @property
    def status(self) -> Callable[[str | None], dict[str, Any]]:
        """The status (`service.store.status`) of one target by name, or of all."""
        ...

    @property
    def levels(self) -> Callable[[], Acted]:
        """What workers have made of levels."""
        ...

    @property
    def ended_runs(self) -> Callable[[], Sequence[tuple[str, str, str, int]]]:
        """How many runs have ended (`service.store.status.ended_runs`)."""
        ...

    @property
    def clock(self) -> Callable[[], float]:
        """The time in seconds since the epoch."""
        ...
