"""`POST /_sandbox/billing`: sets what the account has, and what its balance says."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from service.sandbox.cloud import Cloud
from service.sandbox.core.clock import iso_seconds
from service.sandbox.core.wire import Json, one_of
from service.sandbox.digitalocean.billing import Account
from service.sandbox.digitalocean.droplet import Droplet
from service.sandbox.digitalocean.sizes import DROPLET_SIZES

_FIELDS = ("volumes", "snapshots", "reserved_ips", "load_balancers", "month_to_date_usage")
_DROPLETS = "droplets"
_FIRST_ADDED = 900
"""The id of the first droplet that is added."""
_DAY = 86_400.0
_MOST_GB = 16_384
"""The vendor's largest volume, in GB."""
_REGION: Json = {
    "name": "New York 1",
    "slug": "nyc1",
    "features": [],
    "available": True,
    "sizes": [],
}


class BillingControlError(ValueError):
    """Why a change of the account is refused, in one sentence."""


def billing_json(cloud: Cloud) -> Json:
    """What the account has."""
    account = cloud.state(Account)
    added = [one for one in cloud.droplets if one != cloud.config.droplet_id]
    return (
        {_DROPLETS: added}
        | {name: getattr(account, name) for name in _FIELDS[:-1]}
        | {"month_to_date_usage": account.usage if account.usage_is_said else "as used"}
    )


def change_billing(cloud: Cloud, body: Any, now: float) -> None:
    """Set everything that the body names, or nothing if a value is wrong.

    `volumes`: a list of {name, gb, attached, days, tags}. `snapshots`: of {name, gb, of, days,
    tags}, where `of` is droplet or volume. `reserved_ips`: of {ip, assigned}. `load_balancers`: of
    {name, nodes, droplets, days, tags}. `days` is how old each is. `month_to_date_usage` is what
    the balance says from now on, null for no such field, and `as used` for what was used.
    `droplets`: a list of {name, size, off, days, tags}, which stand beside the first one.

    Raises:
        BillingControlError: the body makes no sense.
    """
    known = (*_FIELDS, _DROPLETS)
    if not isinstance(body, dict) or not body or not set(body) <= set(known):
        raise BillingControlError(f"The body sets {' or '.join(known)}.")
    usage = body.get("month_to_date_usage", "as used")
    if usage is not None and not isinstance(usage, str):
        raise BillingControlError(
            "month_to_date_usage is a text, as the vendor writes it, or null."
        )
    made = {
        name: [_made(name, each, now) for each in _listed(name, body[name])]
        for name in _FIELDS[:-1]
        if name in body
    }
    if _DROPLETS in body:
        listed = enumerate(_listed(_DROPLETS, body[_DROPLETS]), _FIRST_ADDED)
        added = {number: _droplet(number, each, now) for number, each in listed}
        first = cloud.config.droplet_id
        cloud.droplets = {first: cloud.droplets[first], **added}
    account = cloud.state(Account)
    for name, items in made.items():
        setattr(account, name, items)
    if "month_to_date_usage" in body:
        account.usage_is_said = usage != "as used"
        account.usage = usage if account.usage_is_said else None


def _listed(name: str, given: Any) -> list[Json]:
    if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise BillingControlError(f"{name} must be a list of objects.")
    return given


def _droplet(number: int, given: Json, now: float) -> Droplet:
    size = given.get("size", "s-1vcpu-1gb")
    if not one_of(size, DROPLET_SIZES):
        raise BillingControlError("size must be one that droplets are sold in.")
    return Droplet(
        number,
        _text(given, "name"),
        size,
        now - float(_number(given, "days", 0, 10_000)) * _DAY,
        DROPLET_SIZES[size].disk_gb,
        status="off" if given.get("off") else "active",
        tags=_tags(given),
    )


def _made(name: str, given: Json, now: float) -> Json:
    if name == "reserved_ips":
        droplet = {"id": 101} if given.get("assigned") else None
        return {
            "ip": _text(given, "ip"),
            "region": _REGION,
            "droplet": droplet,
            "locked": False,
            "project_id": str(uuid.uuid4()),
        }
    common = {
        "id": str(uuid.uuid4()),
        "name": _text(given, "name"),
        "created_at": iso_seconds(now - float(_number(given, "days", 0, 10_000)) * _DAY),
        "tags": _tags(given),
    }
    if name == "load_balancers":
        nodes, droplets = _number(given, "nodes", 1, 100), given.get("droplets", [])
        return {
            **common,
            "size_unit": int(nodes),
            "status": "active",
            "droplet_ids": droplets,
            "tag": "",
            "region": _REGION,
        }
    gigabytes = _number(given, "gb", 1, _MOST_GB)
    if name == "volumes":
        attached = [101] if given.get("attached") else []
        return {
            **common,
            "size_gigabytes": int(gigabytes),
            "droplet_ids": attached,
            "description": "",
            "filesystem_type": "ext4",
            "region": _REGION,
        }
    of = given.get("of", "droplet")
    if not one_of(of, ("droplet", "volume")):
        raise BillingControlError("of must be droplet or volume.")
    return {
        **common,
        "size_gigabytes": float(gigabytes),
        "resource_type": of,
        "resource_id": str(given.get("resource", "101")),
        "regions": ["nyc1"],
        "min_disk_size": 25,
    }


def _text(given: Json, key: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not value:
        raise BillingControlError(f"Each needs {key}, as a text.")
    return value


def _number(given: Json, key: str, least: int, most: int) -> Decimal:
    value = given.get(key, least)
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
        raise BillingControlError(f"{key} must be a number from {least} to {most}.")
    return Decimal(str(value))


def _tags(given: Json) -> list[str]:
    tags = given.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(each, str) for each in tags):
        raise BillingControlError("tags must be a list of texts.")
    return tags
