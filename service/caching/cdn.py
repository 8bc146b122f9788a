"""L3: a CDN. It keeps responses as their headers say, and is purged by tag.

Names and limits are Cloudflare's, as documented in 2026: `CDN-Cache-Control` goes before
`Cache-Control` for the CDN alone, `Cache-Tag` holds up to 16 KB of printable ASCII without spaces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from service.caching.entry import Entry

_PRIVATE = {"Cache-Control": "private, no-store", "CDN-Cache-Control": "no-store"}


class PurgeFailed(Exception):  # noqa: N818 - says what became of the purge
    """The CDN has not confirmed a purge. The message has its own words. To ask again is safe."""


class Purger(Protocol):
    """Purges a CDN."""

    def purge(self, tags: Sequence[str]) -> None:
        """Drop every response that has one of these tags. Repeating it does no harm.

        Raises:
            PurgeFailed: the CDN has not confirmed it.
        """


def cdn_headers(
    entry: Entry, now: float, *, tags: Sequence[str], personal: bool, browser_s: float
) -> Mapping[str, str]:
    """The headers of a response that is made from an entry, by the life that it has left.

    `tags` are as they are purged, with the namespace. A purge does not reach browsers, so they keep
    the response for `browser_s` at most. A personal response is stored nowhere, nor is a dead one.
    """
    left = int(entry.dead_at - now)
    if personal or left <= 0:
        return dict(_PRIVATE)
    # Whole seconds, rounded so that no window ends later than the entry's own.
    fresh = max(0, int(entry.fresh_until - now))
    stale = max(0, int(entry.stale_until - now) - fresh)
    error = max(0, left - fresh)
    cdn = f"max-age={fresh}, stale-while-revalidate={stale}, stale-if-error={error}"
    return {
        "Cache-Control": f"public, max-age={min(fresh, max(0, int(browser_s)))}",
        "CDN-Cache-Control": cdn,
        "Cache-Tag": ",".join(tags),
    }
