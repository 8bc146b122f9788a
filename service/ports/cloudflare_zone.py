"""Cloudflare's API about one zone (docs/vendors.md): what a look shows, and what is asked of it.

Every method raises `service.domain.errors.VendorError`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class ZoneState:
    """A zone: `name` is its domain, `status` such as active, `plan` such as free.

    `paused` is True where Cloudflare only answers for its names, and caches nothing.
    """

    zone: str
    name: str
    status: str
    paused: bool
    plan: str


@dataclass(frozen=True, slots=True)
class EdgeCopy:
    """What the edge said about its copy of one address.

    `status` is its CF-Cache-Status, such as HIT, or empty. `age_s` is its Age in whole seconds,
    None where it said none.
    """

    status: str
    age_s: int | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a site's own server said to a stranger: its status, and what decides who may share it.

    `sets_cookie` is whether there was a Set-Cookie; its value is not kept. The other two are
    headers, empty where they are not there.
    """

    status: int
    sets_cookie: bool
    cache_control: str
    vary: str


@dataclass(frozen=True, slots=True)
class CacheRules:
    """All cache rules of a zone in their order, as the API has them, and the version of the list.

    The version is 0 where the zone has never had one.
    """

    version: int
    rules: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class CacheLevel:
    """A zone's cache level: basic, simplified or aggressive, and whether it may be changed."""

    value: str
    editable: bool


class CloudflareZones(Protocol):
    """Cloudflare's API and its edge."""

    def zone(self, zone: str) -> ZoneState:
        """The zone as it is now."""
        ...

    def purge(self, zone: str, by: str, entries: Sequence[str]) -> None:
        """Ask for one purge of at most 100 entries. `by` is prefixes, tags, hosts or files.

        It is everything where `by` is everything; then there are no entries.
        """
        ...

    def cache_rules(self, zone: str) -> CacheRules:
        """The zone's cache rules now, those of people among them."""
        ...

    def set_cache_rules(self, zone: str, rules: Sequence[Mapping[str, Any]]) -> CacheRules:
        """Replace all cache rules of the zone by these, in one write; what Cloudflare made of
        it."""
        ...

    def cache_level(self, zone: str) -> CacheLevel:
        """The zone's cache level now."""
        ...

    def set_cache_level(self, zone: str, value: str) -> CacheLevel:
        """Set the zone's cache level; what Cloudflare made of it."""
        ...

    def answer(self, url: str, host: str) -> Answered:
        """Get this address of a site's own server without credentials. `host` is the name of the
        site, where it is not that of the address."""
        ...

    def copy(self, url: str) -> EdgeCopy:
        """Get this address as a visitor does, and tell what the edge said of its copy."""
        ...
