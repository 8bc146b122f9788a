"""DigitalOcean's bill, and lists of everything in the account that is billed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pydo

from service.domain.costs.costs import Booked, amount_of
from service.domain.errors import VendorError
from service.ports.bills import (
    ADDRESS,
    APP,
    BALANCER,
    DATABASE,
    DROPLET,
    SNAPSHOT,
    VOLUME,
    Inventory,
    Resource,
)
from service.providers.digitalocean import PER_PAGE, DigitalOceanClient, moment
from service.providers.errors import Call, reading
from service.providers.scopes import READ_APP, READ_BILL, READ_BILLED

_SELLER = "DigitalOcean"
_PAID_COMPONENTS = ("services", "workers")
"""The components of an app that have instances all the time. Static sites and jobs have none."""
_OFF = "off"
_BEHIND = ("droplet_ids", "tag", "target_load_balancer_ids")
"""The fields of a load balancer that say to whom it sends."""
_GLOBAL = "GLOBAL"
"""The type of a load balancer that sends to other load balancers, or to addresses outside."""


class DigitalOceanBills:
    """The account (`service.ports.bills.Bills`). Safe for threads."""

    def __init__(self, client: DigitalOceanClient) -> None:
        self._client = client

    @property
    def seller(self) -> str:
        """The vendor."""
        return _SELLER

    def booked(self) -> Booked:
        """The balance's month_to_date_usage, which the vendor writes as text, once a night."""
        call = self._client.call("read the balance of the account", READ_BILL)
        answer = self._client.ask(call, lambda sdk: sdk.balance.get(), "account_balance")
        said = answer.get("month_to_date_usage")
        at = str(answer.get("generated_at") or "")
        dollars = amount_of(said)
        if dollars is None:
            why = f"DigitalOcean's balance names no number as month_to_date_usage, but {said!r}"
            return Booked(_SELLER, None, at, why)
        return Booked(_SELLER, dollars, at)

    def inventory(self) -> Inventory:
        """Apps, droplets, databases, volumes, snapshots, reserved IPs and load balancers."""
        found: list[Resource] = []
        unread: list[str] = []
        for what, read in (
            ("apps", self._apps),
            ("droplets", self._droplets),
            ("databases", self._databases),
            ("volumes", self._volumes),
            ("snapshots", self._snapshots),
            ("reserved IPs", self._addresses),
            ("load balancers", self._balancers),
        ):
            try:
                found += read()
            except VendorError as error:
                unread.append(f"{what}: {error}")
        return Inventory(tuple(found), tuple(unread))

    def listed(self, kind: str) -> tuple[Resource, ...]:
        """All of one of the kinds that can lie unused, by the vendor's list of now."""
        lists = {
            DROPLET: self._droplets,
            VOLUME: self._volumes,
            SNAPSHOT: self._snapshots,
            ADDRESS: self._addresses,
            BALANCER: self._balancers,
        }
        return tuple(lists[kind]())

    def _apps(self) -> Iterable[Resource]:
        prices = self._app_prices()
        for call, app in self._listed("apps", lambda sdk: sdk.apps, READ_APP):
            with reading(call):
                spec, app_id = app["spec"], str(app["id"])
                parts = [part for kind in _PAID_COMPONENTS for part in spec.get(kind) or ()]
                scaled = any(part.get("autoscaling") for part in parts)
                running = self._running(app_id) if scaled else {}
                for part in parts:
                    size = str(part.get("instance_size_slug") or "")
                    count = running.get(part["name"]) or _count(part)
                    price = prices.get(size)
                    yield Resource(
                        APP,
                        app_id,
                        f"{spec['name']} {part['name']}",
                        size or "the vendor's default size",
                        count,
                        month=None if price is None else price * count,
                        since=_moment(app),
                    )

    def _app_prices(self) -> Mapping[str, Decimal | None]:
        call = self._client.call("list the instance sizes of apps", READ_APP)
        key = "instance_sizes"
        answer = self._client.ask(call, lambda sdk: sdk.apps.list_instance_sizes(), key)
        with reading(call):
            return {str(each["slug"]): amount_of(each["usd_per_month"]) for each in answer[key]}

    def _running(self, app_id: str) -> Mapping[str, int]:
        """How many instances the vendor's own autoscaling has made of each component."""
        call = self._client.call(f"read the health of app {app_id}", READ_APP)
        answer = self._client.ask(call, lambda sdk: sdk.apps.get_health(app_id), "app_health")
        with reading(call):
            parts = answer["app_health"].get("components") or ()
            return {str(each["name"]): int(each.get("replicas_desired") or 0) for each in parts}

    def _droplets(self) -> Iterable[Resource]:
        for call, each in self._listed("droplets", lambda sdk: sdk.droplets):
            with reading(call):
                size = each["size"]
                yield Resource(
                    DROPLET,
                    str(each["id"]),
                    str(each["name"]),
                    str(each["size_slug"]),
                    month=amount_of(size.get("price_monthly")),
                    hour=amount_of(size.get("price_hourly")),
                    since=_moment(each),
                    used=each.get("status") != _OFF,
                    tags=_tags(each),
                    disk_gb=int(each["disk"]),
                    busy=bool(each.get("locked")),
                )

    def _databases(self) -> Iterable[Resource]:
        call = self._client.call("list the databases", READ_BILLED)
        answer = self._client.ask(call, lambda sdk: sdk.databases.list_clusters(), "databases")
        with reading(call):
            return [
                Resource(
                    DATABASE,
                    str(each["id"]),
                    f"{each['name']} ({each['engine']})",
                    str(each["size"]),
                    int(each["num_nodes"]),
                    since=_moment(each),
                    tags=_tags(each),
                )
                for each in answer["databases"] or ()
            ]

    def _volumes(self) -> Iterable[Resource]:
        for call, each in self._listed("volumes", lambda sdk: sdk.volumes):
            with reading(call):
                yield Resource(
                    VOLUME,
                    str(each["id"]),
                    str(each["name"]),
                    gigabytes=Decimal(str(each["size_gigabytes"])),
                    since=_moment(each),
                    used=bool(each.get("droplet_ids")),
                    tags=_tags(each),
                )

    def _snapshots(self) -> Iterable[Resource]:
        for call, each in self._listed("snapshots", lambda sdk: sdk.snapshots):
            with reading(call):
                yield Resource(
                    SNAPSHOT,
                    str(each["id"]),
                    str(each["name"]),
                    gigabytes=Decimal(str(each["size_gigabytes"])),
                    since=_moment(each),
                    tags=_tags(each),
                    of=f"{each.get('resource_type')} {each.get('resource_id')}",
                )

    def _addresses(self) -> Iterable[Resource]:
        for call, each in self._listed("reserved_ips", lambda sdk: sdk.reserved_ips):
            with reading(call):
                ip = str(each["ip"])
                used, busy = bool(each.get("droplet")), bool(each.get("locked"))
                yield Resource(ADDRESS, ip, ip, used=used, busy=busy)

    def _balancers(self) -> Iterable[Resource]:
        for call, each in self._listed("load_balancers", lambda sdk: sdk.load_balancers):
            with reading(call):
                yield Resource(
                    BALANCER,
                    str(each["id"]),
                    str(each["name"]),
                    count=int(each.get("size_unit") or 1),
                    since=_moment(each),
                    used=any(each.get(key) for key in _BEHIND) or each.get("type") == _GLOBAL,
                    tags=_tags(each),
                )

    def _listed(
        self,
        key: str,
        part: Callable[[pydo.Client], Any],
        needs: Any = READ_BILLED,
    ) -> Iterator[tuple[Call, Mapping[str, Any]]]:
        call = self._client.call(f"list the {key.replace('_', ' ')} of the account", needs)
        pages = self._client.pages(
            call, lambda sdk, page: part(sdk).list(per_page=PER_PAGE, page=page), key
        )
        return ((call, each) for each in pages)


def _count(part: Mapping[str, Any]) -> int:
    scaling = part.get("autoscaling")
    return int(scaling["min_instance_count"] if scaling else part.get("instance_count") or 1)


def _moment(each: Mapping[str, Any]) -> float:
    made = moment(each.get("created_at"))
    return 0.0 if made is None else made.timestamp()


def _tags(each: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(tag) for tag in each.get("tags") or ())
