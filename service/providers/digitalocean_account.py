"""What lies in the account of DigitalOcean and may be removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, cast

import pydo

from service.domain.errors import FailureKind, VendorError
from service.ports.bills import ADDRESS, BALANCER, DROPLET, SNAPSHOT, VOLUME, Resource
from service.providers.digitalocean import MOST_PAGES, PER_PAGE, DigitalOceanClient
from service.providers.digitalocean_bill import DigitalOceanBills
from service.providers.digitalocean_droplets import DigitalOceanDroplets
from service.providers.scopes import READ_BILLED, REMOVE, SNAPSHOT_VOLUME

_DELETIONS: Mapping[str, Callable[[pydo.Client, str], object]] = {
    VOLUME: lambda sdk, id_: sdk.volumes.delete(id_),
    # The SDK declares JSON for the id, which it puts into the path as it is.
    SNAPSHOT: lambda sdk, id_: sdk.snapshots.delete(cast("Any", id_)),
    ADDRESS: lambda sdk, id_: sdk.reserved_ips.delete(id_),
    BALANCER: lambda sdk, id_: sdk.load_balancers.delete(id_),
    DROPLET: lambda sdk, id_: sdk.droplets.destroy(int(id_)),
}


class DigitalOceanAccount:
    """The account (`service.ports.digitalocean_account.Account`). Safe for threads."""

    def __init__(self, client: DigitalOceanClient) -> None:
        self._client = client
        self._lists = DigitalOceanBills(client)
        self._droplets = DigitalOceanDroplets(client)

    def listed(self, kind: str) -> tuple[Resource, ...]:
        """All of one kind. What stands beyond the last page that is read could be missed, and
        what is missed would count as gone."""
        found = self._lists.listed(kind)
        if len(found) >= PER_PAGE * MOST_PAGES:
            call = self._client.call(f"list every {kind} of the account", READ_BILLED)
            sentence = (
                f"DigitalOcean lists {len(found):,} or more of kind {kind}, and no more are read. "
                "So it is not sure what is there. Remove some by hand."
            )
            raise call.error(FailureKind.PERMANENT, sentence)
        return found

    def take_snapshot(self, kind: str, id_: str, name: str) -> None:
        """A volume's is one request; a droplet's is an action, which takes minutes."""
        if kind == DROPLET:
            self._droplets.act(id_, "snapshot", name=name)
            return
        call = self._client.call(
            f"take a snapshot of volume {id_}", SNAPSHOT_VOLUME, repeatable=False
        )
        body = {"name": name}
        self._client.ask(call, lambda sdk: sdk.volume_snapshots.create(id_, body), "snapshot")

    def delete(self, kind: str, id_: str) -> None:
        """One request. An answer that it is not there means that it is gone."""
        call = self._client.call(f"delete {kind} {id_}", REMOVE, repeatable=False)
        try:
            self._client.tell(call, lambda sdk: _DELETIONS[kind](sdk, id_))
        except VendorError as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
