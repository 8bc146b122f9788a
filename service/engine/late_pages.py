"""Pages that the pager could not be told at once: queued, and tried until it takes them.

They have workflows of their own, so that no run waits for the pager, and no crash loses one. The
same page may be sent twice; it is one incident, by its dedup_key. A page whose reason is over opens
nothing any more: its incident is closed instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from typing import Any

import structlog

from service.domain.durations import lasted
from service.engine import outbox, reports
from service.engine.parts import LatePage, StepRunner, WorkerParts
from service.engine.steps import Steps
from service.ports import Message, Page

_log = structlog.get_logger(__name__)

AGAIN_S = 60.0
"""What the pager did not take is tried again this much later."""
GIVE_UP_S = 3_600.0
"""After an hour what the page says may be long over; Slack says that nobody was paged."""


def dump_late(late: LatePage) -> dict[str, Any]:
    """The page as it is queued."""
    return asdict(late)


def load_late(stored: Mapping[str, Any]) -> LatePage:
    """What `dump_late` made."""
    page = stored["page"]
    links = tuple((href, text) for href, text in page["links"])
    return LatePage(
        Page(**{**page, "links": links}),
        stored["since"],
        stored["tries"],
        # A page that an earlier version queued names no run.
        stored.get("run", ""),
    )


def page_id(late: LatePage) -> str:
    """The same for the same page and try: a step that is repeated queues nothing twice."""
    said = f"{late.page.dedup_key}\n{late.page.summary}" + (f"\n{late.run}" if late.run else "")
    return f"p-{sha256(said.encode()).hexdigest()[:24]}.{late.tries}"


def deliver(parts: WorkerParts, late: LatePage, record: StepRunner) -> None:
    """Try once more; what is not taken is queued again, or given up after an hour."""
    step = Steps(parts, page_id(late), 0, record)
    try:
        told = step("page", _tell, parts, late)
    except Exception:
        # Whatever went wrong, nobody was paged; the next try is a new one.
        _log.exception("page_went_wrong", summary=late.page.summary)
        told = {"delivered": False}
    step("conclude", _conclude, parts, late, told)


def _tell(parts: WorkerParts, late: LatePage) -> dict[str, Any]:
    """Open the incident, or close it where its reason is over."""
    over = _is_over(parts, late)
    delivered = False if over else reports.send(late.page, parts)
    # Asked again: a run that succeeded while the page was on its way closed the incident too soon.
    over = over or (delivered and _is_over(parts, late))
    if over:
        delivered = reports.resolve(late.page.dedup_key, parts)
    return {"delivered": delivered, "over": over}


def _is_over(parts: WorkerParts, late: LatePage) -> bool:
    return bool(late.run) and parts.runs.succeeded_since(late.run)


def _conclude(parts: WorkerParts, late: LatePage, told: Mapping[str, Any]) -> dict[str, Any]:
    # A record of an earlier version does not say whether the reason is over.
    delivered, over = told["delivered"], told.get("over", False)
    waited_s = max(0.0, parts.clock.time() - late.since)
    if not delivered and waited_s < GIVE_UP_S:
        parts.page_later(replace(late, tries=late.tries + 1), AGAIN_S)
        return {"again_in_s": AGAIN_S}
    if not delivered:
        _log.error("page_given_up", summary=late.page.summary, over=over, after_s=round(waited_s))
    if not over:
        outbox.post(_told(late.page, waited_s, delivered=delivered), parts)
    return {"delivered": delivered, "over": over}


def _told(page: Page, waited_s: float, *, delivered: bool) -> Message:
    waited = lasted(waited_s)
    if not delivered:
        title, text = (
            "Nobody was paged",
            f"The pager did not take it in {waited}: look now.",
        )
    elif waited_s < AGAIN_S:
        title, text = "Paged", "The person on call was paged."
    else:
        title, text = "Paged late", f"The pager took it after {waited}."
    to_type = page.details.get("what to type")
    return Message(
        title=f"{title}: {page.summary}"[:150],
        text=text,
        context=f"`{to_type}`" if to_type else "",
        links=page.links,
    )
