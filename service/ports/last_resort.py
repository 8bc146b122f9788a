"""What the web process needs to page somebody when nobody else can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from service.ports.admission import Delivery
from service.ports.pager import Page, Pager


@dataclass(frozen=True, slots=True)
class LastResortParts:
    """The outside of the page of last resort. What asks the store raises StoreUnavailable.

    `pager` is None where no routing key is set. `pages_of` says what the rules page for in a
    notification, without the store. `live_workers` counts those with a lease, `work_waits` tells
    whether anything is queued, and `undelivered` lists the pages that no worker has sent.
    `announced` and `announce` keep, for all web processes, whether "no worker is alive" was paged.
    """

    pager: Pager | None
    pages_of: Callable[[Delivery], list[Page]]
    prove_write: Callable[[], None]
    live_workers: Callable[[], int]
    work_waits: Callable[[], bool]
    undelivered: Callable[[], list[Page]]
    announced: Callable[[], bool]
    announce: Callable[[bool], None]
