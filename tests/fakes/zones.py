"""A Cloudflare zone in memory: its edge keeps a copy of each address until it is purged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service.domain.errors import VendorError
from service.ports.cloudflare_zone import Answered, CacheLevel, CacheRules, EdgeCopy, ZoneState
from tests.fakes.clock import FakeClock
from tests.fakes.faults import Writes, not_found

ZONE = "5eed0000000000000000000000000c0d"


@dataclass(slots=True)
class FakeZones:
    """One zone, quizmentor.app. `copies` maps an address to the instant of its copy; `caches` is
    False where the edge caches nothing. `asked` are the purges that took effect. `origin` maps an
    address to what the site's own server says of it; `sampled` are those that were asked for."""

    clock: FakeClock
    zone_id: str = ZONE
    status: str = "active"
    paused: bool = False
    caches: bool = True
    copies: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    deaf: bool = False
    plan: str = "free"
    rules: list[dict[str, Any]] = field(default_factory=list)
    version: int = 0
    level: str = "aggressive"
    level_editable: bool = True
    origin: dict[str, Answered | VendorError] = field(default_factory=dict)
    sampled: list[tuple[str, str]] = field(default_factory=list)
    writes: Writes = field(default_factory=Writes)

    def zone(self, zone: str) -> ZoneState:
        self._require(zone)
        return ZoneState(zone, "quizmentor.app", self.status, self.paused, self.plan)

    def purge(self, zone: str, by: str, entries: Sequence[str]) -> None:
        self._require(zone)
        self.writes.send(f"purge {by}", lambda: self.empty(by, entries), self.clock.time())

    def empty(self, by: str, entries: Sequence[str]) -> None:
        """What a purge, or a person at the dashboard, does."""
        self.asked.append((by, tuple(entries)))
        if not self.deaf:
            self.copies = {
                url: at for url, at in self.copies.items() if not _names(url, by, entries)
            }

    def cache_rules(self, zone: str) -> CacheRules:
        self._require(zone)
        return CacheRules(self.version, tuple(dict(rule) for rule in self.rules))

    def set_cache_rules(self, zone: str, rules: Sequence[Mapping[str, Any]]) -> CacheRules:
        self._require(zone)
        self.writes.send("set_cache_rules", lambda: self.put(rules), self.clock.time())
        return CacheRules(self.version, tuple(self.rules))

    def put(self, rules: Sequence[Mapping[str, Any]]) -> None:
        """What a write, or a person at the dashboard, makes of the rules."""
        self.version += 1
        self.rules = [
            {"id": f"id-{number}", "version": "1", **rule} for number, rule in enumerate(rules)
        ]

    def cache_level(self, zone: str) -> CacheLevel:
        self._require(zone)
        return CacheLevel(self.level, self.level_editable)

    def set_cache_level(self, zone: str, value: str) -> CacheLevel:
        self._require(zone)
        self.writes.send(
            f"set_cache_level {value}", lambda: setattr(self, "level", value), self.clock.time()
        )
        return CacheLevel(self.level, self.level_editable)

    def answer(self, url: str, host: str) -> Answered:
        self.sampled.append((url, host))
        found = self.origin.get(url, Answered(200, False, "public, max-age=300", ""))
        if isinstance(found, VendorError):
            raise found
        return found

    def copy(self, url: str) -> EdgeCopy:
        self.writes.land(self.clock.time())
        if not self.caches:
            return EdgeCopy("DYNAMIC", None)
        now = self.clock.time()
        if url not in self.copies:
            self.copies[url] = now
            return EdgeCopy("MISS", None)
        return EdgeCopy("HIT", int(now - self.copies[url]))

    def _require(self, zone: str) -> None:
        self.writes.land(self.clock.time())
        if zone != self.zone_id:
            raise not_found()


def _names(url: str, by: str, entries: Sequence[str]) -> bool:
    address = url.partition("://")[2]
    if by == "prefixes":
        return any(address.startswith(each) for each in entries)
    if by == "hosts":
        return address.partition("/")[0] in entries
    return by == "everything" or url in entries
