"""What lies in an account and may be removed: its lists, snapshots, and deletions.

Every method raises `service.domain.errors.VendorError`.
"""

from __future__ import annotations

from typing import Protocol

from service.ports.bills import ADDRESS, BALANCER, DROPLET, SNAPSHOT, VOLUME, Resource

REMOVABLE = (VOLUME, SNAPSHOT, ADDRESS, BALANCER, DROPLET)
"""The kinds that can lie unused."""
KEPT_AS_SNAPSHOT = (VOLUME, DROPLET)
"""The kinds of which the vendor takes snapshots that outlive them."""


class Account(Protocol):
    """The account at a vendor."""

    def listed(self, kind: str) -> tuple[Resource, ...]:
        """All of one kind, whole: a list that is too long to be read whole is refused."""
        ...

    def take_snapshot(self, kind: str, id_: str, name: str) -> None:
        """Ask for a snapshot of that name of a volume or a droplet. It is listed once it is
        complete."""
        ...

    def delete(self, kind: str, id_: str) -> None:
        """Delete it; nothing happens where it is not there."""
        ...
