"""DigitalOcean's droplet operations, in the shapes of its OpenAPI document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from service.sandbox.core.clock import iso_seconds
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json, as_object, one_of, whole_number
from service.sandbox.digitalocean.droplet import (
    TYPES,
    Action,
    ActionRefusedError,
    Droplet,
    Request,
    Snapshot,
)
from service.sandbox.digitalocean.routes import not_found, page, refusal
from service.sandbox.digitalocean.sizes import DROPLET_SIZES, DropletSize

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

Args = Mapping[str, str]

_IMAGE = {
    "id": 155133621,
    "name": "12 x64",
    "distribution": "Debian",
    "slug": "debian-12-x64",
    "public": True,
    "regions": ["nyc1", "nyc3"],
    "created_at": "2026-01-05T00:00:00Z",
    "min_disk_size": 7,
    "type": "base",
    "size_gigabytes": 0.62,
    "description": "Debian 12 x64",
    "tags": [],
    "status": "available",
}


def list_droplets(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/droplets, also by name (`?name=`)."""
    name = call.first("name")
    found = [one for one in cloud.droplets.values() if name in {None, one.name}]
    return Answer(200, page(call, "droplets", [droplet_json(one) for one in found]))


def get_droplet(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/droplets/{id}."""
    return Answer(200, {"droplet": droplet_json(_droplet(cloud, args))})


def list_snapshots(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/droplets/{id}/snapshots."""
    snapshots = [snapshot_json(one) for one in _droplet(cloud, args).snapshots]
    return Answer(200, page(call, "snapshots", snapshots))


def list_actions(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/droplets/{id}/actions, newest first."""
    droplet = _droplet(cloud, args)
    actions = [_action_json(one, droplet) for one in droplet.actions]
    return Answer(200, page(call, "actions", actions))


def get_action(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/droplets/{id}/actions/{action_id}."""
    droplet = _droplet(cloud, args)
    number = whole_number(args["action_id"])
    action = None if number is None else droplet.find(number)
    if action is None:
        raise not_found()
    return Answer(200, {"action": _action_json(action, droplet)})


def post_action(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/droplets/{id}/actions: starts an action, or refuses it with 422."""
    droplet = _droplet(cloud, args)
    request = _request(as_object(call.body))
    try:
        action = droplet.start(
            request, call.now, cloud.durations(), cloud.next_action_id(), call.outcome
        )
    except ActionRefusedError as error:
        raise refusal(422, "unprocessable_entity", str(error)) from None
    return Answer(201, {"action": _action_json(action, droplet)})


def list_sizes(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/sizes."""
    sold = [set(one.region_sizes) for one in cloud.droplets.values()]
    sizes = [
        _size_json(size, here=all(slug in region for region in sold))
        for slug, size in DROPLET_SIZES.items()
    ]
    return Answer(200, page(call, "sizes", sizes))


def droplet_json(droplet: Droplet) -> Json:
    """A droplet as the vendor shows it. It is `locked` while an action is in progress."""
    size = droplet.spec
    return {
        "id": droplet.id,
        "name": droplet.name,
        "memory": size.memory_mb,
        "vcpus": size.vcpus,
        "disk": droplet.disk_gb,
        "disk_info": [_disk(droplet.disk_gb)],
        "locked": droplet.under_way is not None,
        "status": droplet.status,
        "kernel": None,
        "created_at": iso_seconds(droplet.created_at),
        "features": ["droplet_agent", "private_networking"],
        "backup_ids": [],
        "next_backup_window": None,
        "snapshot_ids": [one.id for one in droplet.snapshots],
        "image": _IMAGE,
        "volume_ids": [],
        "size": _size_json(size, here=droplet.size in droplet.region_sizes),
        "size_slug": droplet.size,
        "networks": {"v4": [_ADDRESS], "v6": []},
        "region": _region_json(droplet),
        "tags": list(droplet.tags),
        "vpc_uuid": "00000000-0000-4000-8000-000000000003",
    }


_ADDRESS = {
    # From the range for documentation (RFC 5737), so that no real machine has it.
    "ip_address": "192.0.2.101",
    "netmask": "255.255.255.0",
    "gateway": "192.0.2.1",
    "type": "public",
}


def snapshot_json(snapshot: Snapshot) -> Json:
    """A snapshot as the vendor lists it."""
    return {
        "id": snapshot.id,
        "name": snapshot.name,
        "created_at": iso_seconds(snapshot.created_at),
        "regions": ["nyc1"],
        "min_disk_size": snapshot.min_disk_gb,
        "size_gigabytes": snapshot.size_gb,
        "type": "snapshot",
    }


def _region_json(droplet: Droplet) -> Json:
    return {
        "name": "New York 1",
        "slug": "nyc1",
        "features": ["backups", "ipv6", "metadata", "install_agent", "storage", "image_transfer"],
        "available": True,
        "sizes": list(droplet.region_sizes),
    }


def _action_json(action: Action, droplet: Droplet) -> Json:
    done = action.completed_at
    return {
        "id": action.id,
        "status": action.status,
        "type": action.request.type,
        "started_at": iso_seconds(action.started_at),
        "completed_at": None if done is None else iso_seconds(done),
        "resource_id": droplet.id,
        "resource_type": "droplet",
        "region": _region_json(droplet),
        "region_slug": "nyc1",
    }


def _size_json(size: DropletSize, *, here: bool) -> Json:
    return {
        "slug": size.slug,
        "memory": size.memory_mb,
        "vcpus": size.vcpus,
        "disk": size.disk_gb,
        "transfer": size.transfer_tb,
        "price_monthly": float(size.usd_month),
        "price_hourly": size.usd_hour,
        "regions": ["nyc1", "nyc3"] if here else ["nyc3"],
        "available": True,
        "description": size.family,
        "disk_info": [_disk(size.disk_gb)],
    }


def _disk(gigabytes: int) -> Json:
    return {"type": "local", "size": {"amount": gigabytes, "unit": "gib"}}


def _droplet(cloud: Cloud, args: Args) -> Droplet:
    number = whole_number(args["droplet_id"])
    droplet = None if number is None else cloud.droplets.get(number)
    if droplet is None:
        raise not_found()
    return droplet


def _request(body: Json) -> Request:
    kind, disk = body.get("type"), body.get("disk", False)
    if not kind:
        raise refusal(422, "unprocessable_entity", "type is required")
    if not one_of(kind, TYPES):
        raise refusal(
            422, "unprocessable_entity", f"{kind} is no action that this sandbox carries out."
        )
    if not isinstance(disk, bool):
        raise refusal(422, "unprocessable_entity", "disk must be true or false")
    size, name = body.get("size"), body.get("name")
    if not all(word is None or isinstance(word, str) for word in (size, name)):
        raise refusal(422, "unprocessable_entity", "size and name must be strings")
    return Request(str(kind), size=size, disk=disk, name=name)


_ONE = "/v2/droplets/<droplet_id>"


def _needed(call: Call) -> tuple[str, ...]:
    """The scopes of an action. A snapshot also creates an image, and a resize a machine."""
    more = {"snapshot": ("image:create",), "resize": ("droplet:create",)}
    return ("droplet:update", *more.get(str(as_object(call.body).get("type")), ()))


ROUTES = (
    Route("GET", "/v2/sizes", list_sizes),
    Route("GET", "/v2/droplets", list_droplets, ("droplet:read",)),
    Route("GET", _ONE, get_droplet, ("droplet:read",)),
    Route("GET", f"{_ONE}/snapshots", list_snapshots, ("droplet:read",)),
    Route("GET", f"{_ONE}/actions", list_actions, ("droplet:read",)),
    Route("POST", f"{_ONE}/actions", post_action, _needed),
    Route("GET", f"{_ONE}/actions/<action_id>", get_action, ("droplet:read",)),
)
