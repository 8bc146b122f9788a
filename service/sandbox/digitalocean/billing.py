"""DigitalOcean's bill, and what is billed beside apps, droplets and databases, in the shapes of its
OpenAPI document.

The account has nothing of it at first; `POST /_sandbox/billing` adds it. The balance is made once a
night, as the vendor's is: it says what had been used until midnight (UTC).
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from service.sandbox.core.clock import iso_seconds
from service.sandbox.core.routes import Route
from service.sandbox.core.wire import Answer, Call, Json, as_object, whole_number
from service.sandbox.digitalocean.app_spec import components, count_of, size_of
from service.sandbox.digitalocean.cluster import SIZES, Cluster
from service.sandbox.digitalocean.droplet import Droplet
from service.sandbox.digitalocean.droplets import snapshot_json
from service.sandbox.digitalocean.routes import not_found, page, refusal

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

Args = Mapping[str, str]
VOLUME_GB, SNAPSHOT_GB, ADDRESS, NODE = Decimal("0.10"), Decimal("0.06"), Decimal(5), Decimal(12)
"""Dollars a month (DigitalOcean's price pages)."""
MEMORY_GB = Decimal(15)
"""Dollars a month of a node of Valkey, for each gigabyte of its memory (the same)."""
CAP_HOURS = 672
"""Hours a month that a droplet costs at most."""
_HOUR, _DAY = 3600.0, 86_400.0
_MOST_SNAPSHOTS, _SNAPSHOT_EACH_S = 25, 600.0
"""Of one volume (DigitalOcean's documented limits of snapshots)."""


@dataclass(slots=True)
class Account:
    """What the account has beside its apps, droplets and databases.

    `usage` is what the balance says instead of what was used: a text, or None for no such field.
    """

    volumes: list[Json] = field(default_factory=list)
    snapshots: list[Json] = field(default_factory=list)
    reserved_ips: list[Json] = field(default_factory=list)
    load_balancers: list[Json] = field(default_factory=list)
    usage: str | None = None
    usage_is_said: bool = False


def balance(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/customers/my/balance: amounts are texts."""
    account = cloud.state(Account)
    midnight = call.now - call.now % _DAY
    body: Json = {
        "account_balance": "0.00",
        "generated_at": iso_seconds(midnight),
        "month_to_date_balance": "0.00",
    }
    used = account.usage if account.usage_is_said else _text(used_until(cloud, midnight, call.now))
    if used is not None:
        body |= {"month_to_date_usage": used, "month_to_date_balance": used}
    return Answer(200, body)


def invoices(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/customers/my/invoices: no month has ended in this sandbox; the preview is of this
    one."""
    month = datetime.fromtimestamp(call.now, UTC).strftime("%Y-%m")
    preview = {
        "invoice_uuid": "00000000-0000-4000-8000-00000000b111",
        "amount": _text(used_until(cloud, call.now - call.now % _DAY, call.now)),
        "invoice_period": month,
        "updated_at": iso_seconds(call.now - call.now % _DAY),
    }
    return Answer(200, {**page(call, "invoices", []), "invoice_preview": preview})


def used_until(cloud: Cloud, end: float, now: float) -> Decimal:
    """What the account has used from the beginning of the month of `now` until `end`, in dollars:
    at the present prices, had it been so all the time."""
    at = datetime.fromtimestamp(now, UTC)
    begin = datetime(at.year, at.month, 1, tzinfo=UTC)
    following = datetime(at.year + at.month // 12, at.month % 12 + 1, 1, tzinfo=UTC)
    hours = Decimal(int(max(0.0, end - begin.timestamp()))) / Decimal(3600)
    whole = Decimal(int((following - begin).total_seconds())) / Decimal(3600)
    droplets = sum((Decimal(str(one.spec.usd_hour)) for one in cloud.droplets.values()), Decimal(0))
    month = sum(_by_the_month(cloud), Decimal(0))
    return droplets * min(hours, Decimal(CAP_HOURS)) + month * hours / whole


def _by_the_month(cloud: Cloud) -> Iterator[Decimal]:
    account = cloud.state(Account)
    for app in cloud.apps.values():
        for _, part in components(app.spec, ("services", "workers")):
            yield Decimal(str(size_of(part).usd_month)) * count_of(part)
    cluster = cloud.state(Cluster)
    yield MEMORY_GB * SIZES[cluster.size] * cluster.nodes
    for volume in account.volumes:
        yield VOLUME_GB * Decimal(str(volume["size_gigabytes"]))
    for snapshot in _snapshots(cloud):
        yield SNAPSHOT_GB * Decimal(str(snapshot["size_gigabytes"]))
    yield ADDRESS * sum(1 for each in account.reserved_ips if not each["droplet"])
    for balancer in account.load_balancers:
        yield NODE * int(balancer["size_unit"])


def _text(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _snapshots(cloud: Cloud) -> list[Json]:
    """Those of droplets, which their own list has too, and those that were added."""
    of_droplets = [each for one in cloud.droplets.values() for each in _of_droplet(one)]
    return [*of_droplets, *cloud.state(Account).snapshots]


def _of_droplet(droplet: Droplet) -> list[Json]:
    return [
        {
            **snapshot_json(snapshot),
            "id": str(snapshot.id),
            "resource_id": str(droplet.id),
            "resource_type": "droplet",
            "tags": [],
        }
        for snapshot in droplet.snapshots
    ]


def list_volumes(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/volumes."""
    return Answer(200, page(call, "volumes", cloud.state(Account).volumes))


def list_snapshots(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/snapshots, also of one type (`?resource_type=`)."""
    wanted = call.first("resource_type")
    if wanted not in {None, "droplet", "volume"}:
        raise refusal(400, "bad_request", "resource_type must be droplet or volume")
    found = [one for one in _snapshots(cloud) if wanted in {None, one["resource_type"]}]
    return Answer(200, page(call, "snapshots", found))


def list_addresses(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/reserved_ips."""
    return Answer(200, page(call, "reserved_ips", cloud.state(Account).reserved_ips))


def list_balancers(cloud: Cloud, call: Call, args: Args) -> Answer:
    """GET /v2/load_balancers."""
    return Answer(200, page(call, "load_balancers", cloud.state(Account).load_balancers))


def delete_volume(cloud: Cloud, call: Call, args: Args) -> Answer:
    """DELETE /v2/volumes/{id}: refused while it is attached."""
    volumes = cloud.state(Account).volumes
    found = _found(volumes, "id", args["volume_id"])
    if found["droplet_ids"]:
        raise refusal(409, "conflict", "volume is attached to a droplet; detach it first")
    volumes.remove(found)
    return Answer(204)


def snapshot_volume(cloud: Cloud, call: Call, args: Args) -> Answer:
    """POST /v2/volumes/{id}/snapshots: at most 25 of a volume, and one in 10 minutes."""
    account = cloud.state(Account)
    volume = _found(account.volumes, "id", args["volume_id"])
    name = as_object(call.body).get("name")
    if not isinstance(name, str) or not name:
        raise refusal(422, "unprocessable_entity", "name is required")
    taken = [one for one in account.snapshots if one["resource_id"] == volume["id"]]
    if len(taken) >= _MOST_SNAPSHOTS:
        raise refusal(422, "unprocessable_entity", "snapshot limit of this volume exceeded")
    newest = max((one["created_at"] for one in taken), default="")
    if newest > iso_seconds(call.now - _SNAPSHOT_EACH_S):
        raise refusal(429, "too_many_requests", "a snapshot of this volume was just created")
    made = {
        "id": str(uuid.uuid4()),
        "name": name,
        "created_at": iso_seconds(call.now),
        "regions": [volume["region"]["slug"]],
        "resource_id": volume["id"],
        "resource_type": "volume",
        "min_disk_size": volume["size_gigabytes"],
        "size_gigabytes": float(volume["size_gigabytes"]),
        "tags": [],
    }
    account.snapshots.append(made)
    return Answer(201, {"snapshot": made})


def delete_snapshot(cloud: Cloud, call: Call, args: Args) -> Answer:
    """DELETE /v2/snapshots/{id}: of a droplet or of a volume."""
    for droplet in cloud.droplets.values():
        for snapshot in droplet.snapshots:
            if str(snapshot.id) == args["snapshot_id"]:
                droplet.snapshots.remove(snapshot)
                return Answer(204)
    snapshots = cloud.state(Account).snapshots
    snapshots.remove(_found(snapshots, "id", args["snapshot_id"]))
    return Answer(204)


def delete_droplet(cloud: Cloud, call: Call, args: Args) -> Answer:
    """DELETE /v2/droplets/{id}: its snapshots stay. The sandbox keeps its first droplet, on which
    the load of QuizMentor is."""
    number = whole_number(args["droplet_id"])
    if number == cloud.config.droplet_id:
        raise refusal(422, "unprocessable_entity", "This sandbox keeps its first droplet.")
    droplet = None if number is None else cloud.droplets.pop(number, None)
    if droplet is None:
        raise not_found()
    cloud.state(Account).snapshots += _of_droplet(droplet)
    return Answer(204)


def delete_address(cloud: Cloud, call: Call, args: Args) -> Answer:
    """DELETE /v2/reserved_ips/{ip}."""
    addresses = cloud.state(Account).reserved_ips
    addresses.remove(_found(addresses, "ip", args["ip"]))
    return Answer(204)


def delete_balancer(cloud: Cloud, call: Call, args: Args) -> Answer:
    """DELETE /v2/load_balancers/{id}."""
    balancers = cloud.state(Account).load_balancers
    balancers.remove(_found(balancers, "id", args["balancer_id"]))
    return Answer(204)


def _found(items: list[Json], key: str, value: str) -> Json:
    for each in items:
        if each[key] == value:
            return each
    raise not_found()


ROUTES = (
    Route("GET", "/v2/customers/my/balance", balance, ("billing:read",)),
    Route("GET", "/v2/customers/my/invoices", invoices, ("billing:read",)),
    Route("GET", "/v2/volumes", list_volumes, ("block_storage:read",)),
    Route("DELETE", "/v2/volumes/<volume_id>", delete_volume, ("block_storage:delete",)),
    Route(
        "POST",
        "/v2/volumes/<volume_id>/snapshots",
        snapshot_volume,
        ("block_storage_snapshot:create",),
    ),
    Route("DELETE", "/v2/droplets/<droplet_id>", delete_droplet, ("droplet:delete",)),
    Route("DELETE", "/v2/snapshots/<snapshot_id>", delete_snapshot, ("image:delete",)),
    Route("GET", "/v2/snapshots", list_snapshots, ("snapshot:read",)),
    Route("GET", "/v2/reserved_ips", list_addresses, ("reserved_ip:read",)),
    Route("DELETE", "/v2/reserved_ips/<ip>", delete_address, ("reserved_ip:delete",)),
    Route("GET", "/v2/load_balancers", list_balancers, ("load_balancer:read",)),
    Route("DELETE", "/v2/load_balancers/<balancer_id>", delete_balancer, ("load_balancer:delete",)),
)
