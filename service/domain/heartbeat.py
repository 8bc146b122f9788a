"""Whether runbookd as a whole is well enough to say so to somebody outside. Pure.

A heartbeat is a dead man's switch: its absence wakes a person. So it is sent only while all works
that a person relies on: the database answers, a worker makes its rounds, runs begin, and pages
reach the pager.
"""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.durations import lasted

EVERY_S = 60.0
"""Seconds between two heartbeats, of all workers together."""
RUN_WAITS_S = 1_200.0
"""A run that waits longer means that the queue does not move: a resize with a snapshot may keep
others on the same resource for 20 minutes (rules/prometheus/runbookd.rules.yml)."""
PAGE_WAITS_S = 300.0
"""A page that waits longer has not reached anybody. The pager is tried for 10 s and then each 15 s,
so five minutes are many tries."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Since when the oldest run waits that could begin, and the oldest page that the pager has not
    taken, however often it was tried; in seconds since the epoch, None where none waits."""

    run_since: float | None = None
    page_since: float | None = None


def why_unwell(waiting: Waiting, now: float) -> str:
    """Why no heartbeat is sent; empty where all is well."""
    for what, since, longest in (
        ("run", waiting.run_since, RUN_WAITS_S),
        ("page", waiting.page_since, PAGE_WAITS_S),
    ):
        if since is not None and now - since > longest:
            return f"the oldest {what} has waited for {lasted(now - since)}"
    return ""
