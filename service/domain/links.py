"""Links to where a person reads on, out of text that strangers wrote."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

Link = tuple[str, str]
"""An address, and what it leads to."""

MOST_LINKS = 10
"""Links of one message or page; PagerDuty's event is sent with so many."""
LONGEST_HREF = 2_000
"""Characters of an address. It cannot be cut, so a longer one is left out. Browsers and proxies
take about as much."""


def shown_links(pairs: Iterable[Link], most: int = MOST_LINKS) -> tuple[Link, ...]:
    """The links that may be shown: only http and https, each address once, at most so many."""
    found: dict[str, str] = {}
    for href, text in pairs:
        if is_web_address(href):
            found.setdefault(href, text)
    return tuple(found.items())[:most]


def is_web_address(text: str) -> bool:
    """Whether a link may be made of it: http or https, with a host, and not too long.

    An alert is written by whoever can reach its sender: no other scheme becomes a link.
    """
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    web = parts.scheme in ("http", "https") and bool(parts.hostname)
    return web and len(text) <= LONGEST_HREF
