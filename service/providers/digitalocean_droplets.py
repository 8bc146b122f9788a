"""Droplets: their state, their snapshots, and the actions that change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import pydo

from service.domain.errors import FailureKind, VendorError
from service.ports.droplet import DropletAction, DropletSize, DropletState
from service.providers.digitalocean import (
    PER_PAGE,
    DigitalOceanClient,
    is_busy_elsewhere,
    moment,
)
from service.providers.errors import Call, reading
from service.providers.scopes import DELETE_SNAPSHOT, OF_ACTION, POWER, READ_DROPLET

BUSY_WAIT = 5.0
"""Seconds until the next try at a droplet that is busy. Power actions take some tens of seconds."""
_NEWEST = 20
"""Actions on the one page that is read."""


class DigitalOceanDroplets:
    """Droplets (`service.ports.droplet.Droplets`). Safe for threads."""

    def __init__(self, client: DigitalOceanClient) -> None:
        self._client = client

    def get(self, droplet_id: str) -> DropletState:
        """The droplet's present state."""
        call = self._client.call(f"read droplet {droplet_id}", READ_DROPLET)
        number = _number(call, droplet_id)
        answer = self._client.ask(call, lambda sdk: sdk.droplets.get(number), "droplet")
        with reading(call):
            return _state(answer["droplet"])

    def snapshot_names(self, droplet_id: str) -> Sequence[str]:
        """The names of all snapshots of the droplet."""
        return tuple(name for name, _ in self._snapshots(droplet_id))

    def delete_snapshot(self, droplet_id: str, name: str) -> None:
        """Delete the snapshots of that name. Nothing happens if there is none."""
        for found, snapshot_id in self._snapshots(droplet_id):
            if found == name:
                call = self._client.call(
                    f"delete snapshot {name} of droplet {droplet_id}", DELETE_SNAPSHOT
                )
                self._client.tell(call, partial(_delete, snapshot_id=snapshot_id))

    def _snapshots(self, droplet_id: str) -> list[tuple[str, str]]:
        """The name and the id of each snapshot of the droplet."""
        call = self._client.call(f"list the snapshots of droplet {droplet_id}", READ_DROPLET)
        number = _number(call, droplet_id)
        found = self._client.pages(
            call,
            lambda sdk, page: sdk.droplets.list_snapshots(number, per_page=PER_PAGE, page=page),
            "snapshots",
        )
        with reading(call):
            return [(str(item["name"]), str(item["id"])) for item in found]

    def list_actions(self, droplet_id: str) -> Sequence[DropletAction]:
        """The `_NEWEST` newest actions, newest first."""
        call = self._client.call(f"list the actions of droplet {droplet_id}", READ_DROPLET)
        number = _number(call, droplet_id)
        answer = self._client.ask(
            call, lambda sdk: sdk.droplet_actions.list(number, per_page=_NEWEST), "actions"
        )
        with reading(call):
            return tuple(_action(item) for item in answer["actions"] or ())

    def get_action(self, droplet_id: str, action_id: int) -> DropletAction:
        """An action in its present status."""
        call = self._client.call(f"read action {action_id} of droplet {droplet_id}", READ_DROPLET)
        number = _number(call, droplet_id)
        answer = self._client.ask(
            call, lambda sdk: sdk.droplet_actions.get(number, action_id), "action"
        )
        with reading(call):
            return _action(answer["action"])

    def act(self, droplet_id: str, action: str, **parameters: Any) -> DropletAction:
        """Start an action.

        Raises:
            VendorError: TEMPORARY when the droplet is busy with another action.
        """
        call = self._client.call(
            f"{action.replace('_', ' ')} droplet {droplet_id}",
            OF_ACTION.get(action, POWER),
            repeatable=False,
        )
        number = _number(call, droplet_id)
        body = {"type": action, **parameters}
        try:
            answer = self._client.ask(
                call, lambda sdk: sdk.droplet_actions.post(number, body), "action"
            )
        except VendorError as problem:
            raise _later_if_busy(call, problem) from problem
        with reading(call):
            return _action(answer["action"])

    def sizes(self) -> Mapping[str, DropletSize]:
        """All sizes by slug, also those that are not on sale."""
        call = self._client.call("list the droplet sizes", READ_DROPLET)
        found = self._client.pages(
            call, lambda sdk, page: sdk.sizes.list(per_page=PER_PAGE, page=page), "sizes"
        )
        with reading(call):
            return {size.slug: size for size in map(_size, found)}


def _delete(sdk: pydo.Client, snapshot_id: str) -> object:
    # The SDK declares JSON for the id, which it puts into the path as it is.
    return sdk.snapshots.delete(cast("Any", snapshot_id))


def _number(call: Call, droplet_id: str) -> int:
    if droplet_id.isascii() and droplet_id.isdigit():
        return int(droplet_id)
    sentence = f"{droplet_id} is no droplet id, which is a number; check DROPLET_ID."
    raise call.error(FailureKind.PERMANENT, sentence)


def _later_if_busy(call: Call, problem: VendorError) -> VendorError:
    if not is_busy_elsewhere(problem):
        return problem
    sentence = (
        f"DigitalOcean does not {call.operation} yet: another action of it is still under way."
    )
    return call.error(FailureKind.TEMPORARY, sentence, retry_after=BUSY_WAIT, status=problem.status)


def _state(droplet: Mapping[str, Any]) -> DropletState:
    region = droplet.get("region") or {}
    sold = region.get("sizes")
    return DropletState(
        droplet_id=str(droplet["id"]),
        name=str(droplet["name"]),
        size=str(droplet["size_slug"]),
        status=str(droplet["status"]),
        locked=bool(droplet["locked"]),
        disk_gb=int(droplet["disk"]),
        vcpus=int(droplet["vcpus"]),
        memory_mb=int(droplet["memory"]),
        region=str(region.get("slug", "")),
        region_sizes=None if sold is None else frozenset(map(str, sold)),
    )


def _action(item: Mapping[str, Any]) -> DropletAction:
    return DropletAction(
        id=int(item["id"]),
        type=str(item["type"]),
        status=str(item["status"]),
        started_at=moment(item.get("started_at")),
    )


def _size(item: Mapping[str, Any]) -> DropletSize:
    return DropletSize(
        slug=str(item["slug"]),
        price_monthly=float(item["price_monthly"]),
        disk_gb=int(item["disk"]),
        available=bool(item["available"]),
    )
