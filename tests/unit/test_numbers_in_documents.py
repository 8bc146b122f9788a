"""The documents say the times and bounds that the code has."""

from __future__ import annotations

import pytest

from service.catalogue.steps.timings import Timings
from service.domain.alerts.floods import INCIDENTS_A_MINUTE, UPDATE_S
from service.domain.credentials import SHORTEST_SECRET
from service.engine import late_pages, outbox, outcomes, pages
from service.engine.lease import ROUNDS_PER_LEASE
from service.engine.off_watch import PAGE_AFTER_S
from service.engine.scaling import ADOPTED_LOOK_S
from service.engine.supervision import _SWEEP_EVERY
from service.engine.worker import STOP_WAIT_S
from service.intake.alertmanager import MAX_ALERTS
from service.intake.text import MAX_RAW_BYTES
from service.providers.slack_blocks import (
    BLOCKS_LIMIT,
    FIELD_LIMIT,
    HEADER_LIMIT,
    SUM_LIMIT,
    TEXT_LIMIT,
)
from service.providers.waits import Timeouts
from service.settings import load_settings
from service.triggers.alerts.notices import TOLD_AGAIN_S
from service.web.answers import RETRY_AFTER_S
from service.web.body import SMALL
from service.web.bounded_pager import AGAIN_S, PAGES_A_MINUTE
from service.web.connections import BODY_S, HEAD_S, STALLED_S, STRANGER_IDLE_S
from service.web.group_commit import Bounds
from service.web.last_resort import ALONE_S
from service.web.ops import READY_S
from service.web.webhooks import IN_FLIGHT
from tests.processes import ROOT

COUNTS = {3: "three", 10: "ten"}
FRACTIONS = {5: "a fifth"}
LENGTHS = {1.0: "a second", 60.0: "a minute", 3_600.0: "an hour"}
SETTINGS = load_settings({})
MINUTE_S, DAY_S = 60, 86_400
MIB = 1024 * 1024
ROUND_S = SETTINGS.worker_lease_s / ROUNDS_PER_LEASE


def length(seconds: float) -> str:
    """In the page's words. Another length than those is in no page."""
    return LENGTHS.get(seconds, f"<{seconds:g} seconds>")


def once_a(seconds: float) -> str:
    """How often, in the page's words."""
    return f"once {length(seconds)}"


SAYS = {
    "operations.md": [
        f"{SHORTEST_SECRET} characters at least",
        f"No worker alive for {ALONE_S:.0f} s",
        f"After {ALONE_S:.0f} s, while anything waits, web pages",
        f"A web process opens {COUNTS[PAGES_A_MINUTE]} a minute",
        f"{COUNTS[INCIDENTS_A_MINUTE].capitalize()} new incidents a minute of one sender are paged",
        f"its count is brought up to date {once_a(UPDATE_S)}",
        f"told again after {AGAIN_S / MINUTE_S:.0f} min",
        f"longer than {length(READY_S)}",
        f"twice `WORKER_CONCURRENCY` ({2 * SETTINGS.worker_concurrency})",
        f"from the first byte of a request's head to its last | {HEAD_S:.0f} s",
        f"a whole body | {BODY_S:.0f} s",
        f"a sender that does not read its answer | {STALLED_S:.0f} s",
        f"(gunicorn's `keepalive`), {STRANGER_IDLE_S:.0f} s",
        f"bodies above {SMALL // 1024} KiB that are being taken | {IN_FLIGHT // MIB} MiB in all",
        f"503 with `Retry-After: {RETRY_AFTER_S}`",
        f"a message is tried {COUNTS[outbox._ATTEMPTS]} times within {outbox._BUDGET_S:.0f} s",
        (
            f"after {outbox.FIRST_AGAIN_S:.0f} s, doubled up to "
            f"{outbox.LONGEST_AGAIN_S / MINUTE_S:.0f} min"
        ),
        f"at most {length(outbox.LONGEST_ASKED_S)} later",
        f"After {COUNTS[round(outbox.GIVE_UP_S / DAY_S)]} days a message is given up",
        (
            f"page_oncall is tried {COUNTS[pages._ATTEMPTS]} times within {pages._BUDGET_S:.0f} s, "
            f"and again {pages.AGAIN_S:.0f} s later"
        ),
        f"tried again every {pages.REFUSED_AGAIN_S / MINUTE_S:.0f} min while its alerts fire",
        (
            f"tried each {length(late_pages.AGAIN_S).removeprefix('a ')} for "
            f"{length(late_pages.GIVE_UP_S)}, by whichever worker lives"
        ),
        f"tried again after {length(outcomes.SOONEST_AGAIN_S)}",
        f"it is paged after {PAGE_AFTER_S:.0f} s and tried until it is on",
        (
            f"looked after for {Timings().settle_unknown_s:.0f} s and sent again only if it had no "
            f"effect, {COUNTS[Timings().write_attempts]} times at most"
        ),
        f"`WORKER_LEASE_S` ({SETTINGS.worker_lease_s:.0f} s)",
        f"the next round, {FRACTIONS[ROUNDS_PER_LEASE]} of the lease ({ROUND_S:.0f} s)",
        f"{STOP_WAIT_S} s for what is under way",
        f"{_SWEEP_EVERY * ROUND_S:.0f} s: every third round",
        f"its target is looked at once more | {ADOPTED_LOOK_S:.0f} s",
        f"must stay above {Timeouts().total:.0f} s, the longest that a call to a vendor may take",
    ],
    "webhooks.md": [
        f"A notification of more than {Bounds().alerts} alerts is taken in parts",
        f"more than {MAX_ALERTS // 1_000},000 alerts",
        f"cut to {MAX_RAW_BYTES // 1024} KiB",
        f"{once_a(TOLD_AGAIN_S)} for each source and reason",
        f"more than `MAX_BODY_BYTES` ({SETTINGS.max_body_bytes // MIB} MiB)",
    ],
    "vendors.md": [
        (
            f"{Timeouts().connect:.0f} s to connect, {Timeouts().read:.0f} s to answer; "
            f"{Timeouts().total:.0f} s together"
        ),
        f"Supabase has {Timeouts().slow_read:.0f} s to answer an order of compute",
        (
            f"Limits kept: {BLOCKS_LIMIT} blocks, header {HEADER_LIMIT}, section {TEXT_LIMIT:,}, "
            f"field {FIELD_LIMIT:,} characters"
        ),
        f"All blocks together have at most {SUM_LIMIT:,}",
    ],
}


@pytest.mark.parametrize(
    ("page", "sentence"), [(page, each) for page, said in SAYS.items() for each in said]
)
def test_the_page_says_what_the_code_does(page: str, sentence: str) -> None:
    text = " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())
    assert sentence in text
