"""Pages that the pager could not be told at once: queued, and tried until it takes them.

They have workflows of their own, so that no run waits for the pager, and no crash loses one. The
same page may be sent twice; it is one incident, by its dedup_key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import structlog

from service.engine import telling
from service.engine.guarded import Guarded
from service.engine.parts import LatePage, StepRunner, WorkerParts
from service.ports import Message, Page

_log = structlog.get_logger(__name__)

AGAIN_S = 60.0
"""What the pager did not take is tried again this much later."""
GIVE_UP_S = 3_600.0
"""After an hour what the page says may be long over; Slack says that nobody was paged."""


def dump_page(page: Page) -> dict[str, Any]:
    """The page as it is queued."""
    return asdict(page)


def load_page(stored: Mapping[str, Any]) -> Page:
    """What `dump_page` made."""
    links = tuple((href, text) for href, text in stored["links"])
    return Page(**{**stored, "links": links})


def deliver(parts: WorkerParts, page_id: str, late: LatePage, step: StepRunner) -> None:
    """Try once more; what is not taken is queued again, or given up after an hour."""
    guarded = Guarded(parts, page_id, 0, step)
    told = guarded("page", lambda: {"delivered": telling.send(late.page, parts)})
    guarded("conclude", lambda: _conclude(parts, late, delivered=told["delivered"]))


def _conclude(parts: WorkerParts, late: LatePage, *, delivered: bool) -> dict[str, Any]:
    waited_s = parts.clock.time() - late.since
    if not delivered and waited_s < GIVE_UP_S:
        parts.page_later(late, AGAIN_S)
        return {"again_in_s": AGAIN_S}
    if not delivered:
        _log.error("page_given_up", summary=late.page.summary, after_s=round(waited_s))
    telling.post(_told(late.page, waited_s, delivered=delivered), parts)
    return {"delivered": delivered}


def _told(page: Page, waited_s: float, *, delivered: bool) -> Message:
    minutes = f"{waited_s / 60:.0f} minutes"
    if not delivered:
        title, text = (
            "Nobody was paged",
            f"The pager did not take it in {minutes}: look now.",
        )
    elif waited_s < AGAIN_S:
        title, text = "Paged", "The person on call was paged."
    else:
        title, text = "Paged late", f"The pager took it after {minutes}."
    return Message(title=f"{title}: {page.summary}"[:150], text=text)
