"""Floods: more new incidents from one sender than a person can look at one by one.

The first few of a minute are paged each. Those beyond are told as one incident, the flood, with a
count: a page always goes out, and nothing that belongs to it is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from service.domain.alerts.dedup import PREFIX

INCIDENTS_A_MINUTE = 10
"""New incidents of one sender that are paged one by one within a minute, as many as the page of
last resort opens (`service.web.bounded_pager`)."""
MINUTE_S = 60.0
UPDATE_S = 60.0
"""Seconds between two updates of a flood at the pager."""
FLOOD = "runbookd.flood"
"""The rule of a flood's incident. No configured rule can have this name."""
FLOOD_SEVERITY = "critical"
"""The alerts of a flood are of many rules. One of these may be critical, and most are not read."""

_FLOODS = f"{PREFIX}flood/"


@dataclass(frozen=True, slots=True)
class Rate:
    """How many new incidents a sender has made in a minute, and since when it floods.

    Minutes are counted since the epoch. `since` is the minute in which the flood began that goes on
    in this one, and this one where none does.
    """

    minute: int
    incidents: int
    since: int


def rate_after(before: Rate | None, minute: int, more: int) -> Rate:
    """The rate once a sender has made `more` new incidents.

    A clock that is a minute behind counts into the minute that another web process has begun.
    """
    if before is None or not before.minute - 1 <= minute <= before.minute + 1:
        return Rate(minute, more, minute)
    if minute <= before.minute:
        return Rate(before.minute, before.incidents + more, before.since)
    goes_on = before.incidents > INCIDENTS_A_MINUTE
    return Rate(minute, more, before.since if goes_on else minute)


def beyond(rate: Rate, fresh: int) -> int:
    """How many of the `fresh` incidents that were counted last go into the flood."""
    return min(fresh, max(0, rate.incidents - INCIDENTS_A_MINUTE))


def flood_key(sender: str, since: int) -> str:
    """The pager's identity of a sender's flood that began in that minute."""
    name = blake2b(sender.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return f"{_FLOODS}{name}/{since:010d}"


def is_flood_key(key: str) -> bool:
    """Whether it is the incident of a flood."""
    return key.startswith(_FLOODS)
