"""The state of one Cloudflare zone: its plan, what its edge has cached, and its purges."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

BUCKETS = {
    "free": (5 / 60, 25),
    "pro": (5.0, 25),
    "business": (10.0, 50),
    "enterprise": (50.0, 500),
}
"""By plan: purge requests that come back each second, and the most there are at once. By tag, host,
prefix, or of everything (Cloudflare's documentation, Purge cache, July 2026)."""


@dataclass(slots=True)
class Bucket:
    """What is left of a bucket of requests, which fills again with time."""

    left: float
    at: float

    def take(self, now: float, per_second: float, most: int) -> bool:
        """Take one request. False if there is none."""
        self.left = min(float(most), self.left + max(0.0, now - self.at) * per_second)
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


@dataclass(slots=True)
class Zone:
    """One zone. `copies` maps each address that the edge has cached to the instant of its copy.

    `tags` maps an address to the cache tags that its origin sends. `deaf` is how many purges are
    taken and have no effect. `rules` are its cache rules, `rules_version` how often they were set;
    0 means that there is no list yet. `purges` are those that had one, as they were asked for.
    `level` is its cache level, which was changed at `level_changed`.
    `origin` maps a path to the `status` and the `headers` with which the site's own server answers.
    """

    name: str = "quizmentor.app"
    plan: str = "free"
    status: str = "active"
    paused: bool = False
    copies: dict[str, float] = field(default_factory=dict)
    tags: dict[str, list[str]] = field(default_factory=dict)
    purges: list[dict[str, object]] = field(default_factory=list)
    deaf: int = 0
    rules: list[dict[str, Any]] = field(default_factory=list)
    rules_version: int = 0
    level: str = "aggressive"
    level_editable: bool = True
    level_changed: float | None = None
    origin: dict[str, dict[str, Any]] = field(default_factory=dict)
    bucket: Bucket | None = None

    def may_purge(self, now: float) -> bool:
        """Whether the plan's bucket has a purge left; it is taken."""
        per_second, most = BUCKETS[self.plan]
        if self.bucket is None:
            self.bucket = Bucket(float(most), now)
        return self.bucket.take(now, per_second, most)

    def visit(self, address: str, now: float) -> tuple[str, int]:
        """A visitor gets an address: Cloudflare's word for where it came from, and its age."""
        if self.paused or self.status != "active":
            return "DYNAMIC", 0
        path, query, _ = address.partition("?")
        if query and self.level == "basic":
            return "DYNAMIC", 0
        if self.level == "simplified":
            address = path
        if address not in self.copies:
            self.copies[address] = now
            return "MISS", 0
        return "HIT", int(now - self.copies[address])

    def purge(self, by: str, entries: list[str]) -> None:
        """Remove what the entries name from the edge."""
        if self.deaf:
            self.deaf -= 1
            return
        self.purges.append({"by": by, "entries": entries})
        for address in [one for one in self.copies if self._named(one, by, entries)]:
            del self.copies[address]

    def _named(self, address: str, by: str, entries: list[str]) -> bool:
        parts = urlsplit(f"//{address}")
        if by == "prefixes":
            return any(address.startswith(each) for each in entries)
        if by == "hosts":
            return parts.hostname in entries
        if by == "tags":
            return bool(set(self.tags.get(address, ())) & set(entries))
        if by == "files":
            return address in {each.partition("://")[2] for each in entries}
        return True
