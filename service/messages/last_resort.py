"""The pages of last resort: what the web process tells the pager when nobody else can.

Pure texts. Their keys are constant, so that any number of web processes open one incident.
"""

from __future__ import annotations

from dataclasses import replace

from service.domain.alerts.dedup import PREFIX
from service.messages.announcements import SOURCE
from service.ports import Page

NO_WORKER_KEY = f"{PREFIX}last-resort/no-worker"
NO_STORE_KEY = f"{PREFIX}last-resort/no-store"


def no_worker_page(silent_s: float) -> Page:
    """Nobody executes what is decided; `silent_s` is for how long, in seconds."""
    return Page(
        dedup_key=NO_WORKER_KEY,
        summary="No worker of runbookd is alive: it decides and nobody acts.",
        source=SOURCE,
        severity="critical",
        details={
            "what happened": f"For {silent_s:.0f} s no worker has shown a sign of life, and "
            "something waits for one.",
            "what was done": "Alerts are kept and decided on. Nothing is scaled and no message is "
            "sent. The web process sends the pages that wait.",
            "what to do": "Start a worker (`runbookd worker`), or read in its log why it ended. "
            "`runbookd runs` shows what waits. This incident is closed when a worker lives.",
        },
    )


def no_store_page(left_out: int) -> Page:
    """More pages than may be sent one by one, or more notifications than can be looked at."""
    return Page(
        dedup_key=NO_STORE_KEY,
        summary="runbookd cannot store alerts, and more come than are paged one by one.",
        source=SOURCE,
        severity="critical",
        details={
            "what happened": "The database takes no alerts. Senders are answered 503 and repeat "
            f"them. {left_out} pages or notifications were left out just now.",
            "what was done": "Only rules that page are served, ten pages a minute at most.",
            "what to do": "Look at Alertmanager and Grafana for what fires. Bring the database "
            "back: /readyz and the log say what ails it. This incident is closed when it is.",
        },
    )


def without_store(page: Page) -> Page:
    """A page for an alert that could not be stored; once it is, a worker adds to its incident."""
    note = "This alert could not be stored; the web process sent this page."
    return replace(page, details={**page.details, "runbookd": note})


def without_worker(page: Page) -> Page:
    """A page that no worker has sent."""
    note = "No worker of runbookd is alive; the web process sent this page."
    return replace(page, details={**page.details, "runbookd": note})
