"""Writes what doctor finds into the log of a worker, at each start."""

from __future__ import annotations

import threading

import structlog

from service.doctor.checks import Health, examine
from service.settings import Settings

_WEBS = frozenset({"rules", "rules in force", "senders", "people", "workers"})
"""The checks of the web process's parts, and of workers in general. A worker does not log them."""

_log = structlog.get_logger(__name__)


def tell_verdict(settings: Settings) -> threading.Thread:
    """Run doctor on a thread of its own: a vendor that is away must not keep a worker from
    starting."""
    thread = threading.Thread(target=_tell, args=(settings,), name="verdict", daemon=True)
    thread.start()
    return thread


def _tell(settings: Settings) -> None:
    for found in examine(settings):
        if found.name in _WEBS or found.health is Health.OK:
            continue
        say = _log.error if found.health is Health.WRONG else _log.info
        say("doctor", part=found.name, saw="; ".join(found.saw.splitlines()))
