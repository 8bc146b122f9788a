"""Pages when a droplet that a run switched off is not seen on again within a minute.

Each droplet that is off has a thread of its own here. It measures by the monotonic clock and calls
the pager directly, so neither the database, nor the vendor's answers, nor a page of another droplet
can delay its page.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from service.catalogue.droplet.target import console_of
from service.domain.alerts.dedup import run_dedup_key
from service.domain.errors import VendorError
from service.messages.going_on import explained
from service.ports import Clock, Page, Pager

_log = structlog.get_logger(__name__)

PAGE_AFTER_S = 60.0
"""README.md, What it promises: a droplet that is off is on again, or has been paged, in 60 s."""
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5.0, 60.0
"""Between two tries of a page that the pager does not take: doubled each time."""
_LATE_S = 5.0
"""A thread that wakes this much too late was stopped, with its whole process."""
_GRACE_S = 10.0
"""After such a stop, and for a droplet taken over from a dead worker: long enough to find out that
another worker has the run, or that the droplet is on."""
_IN_FLIGHT_S = 15.0
"""How long the end of a watch waits for a page on its way; the pager's time-outs end at 10 s."""
_NOTHING_MORE_S = 3_600.0


@dataclass(frozen=True, slots=True)
class OffDroplet:
    """The droplet that is off, the run that switched it off, and the vendor resource."""

    run: str
    droplet: str
    resource: str


class Vigil:
    """The watch over one droplet. `step` does what is due, and says when to come again."""

    def __init__(
        self, watched: OffDroplet, pager: Pager, clock: Clock, page_after_s: float, off_for_s: float
    ) -> None:
        self._watched = watched
        self._pager = pager
        self._clock = clock
        self._page_after_s = page_after_s
        now = clock.monotonic()
        self._on_at = now - off_for_s
        self._not_before = now + _GRACE_S if off_for_s > 0 else now
        self._due_at = now
        self._tries = 0
        self._busy = threading.Lock()
        self._doubt = ""
        self._over = False
        self._wake = threading.Event()
        self.paged = False
        self.doing = ""
        """What is under way, for the page."""

    def seen_on(self) -> None:
        """A look at the vendor has just shown the droplet on."""
        self._on_at = self._clock.monotonic()

    def doubt(self, text: str) -> None:
        """Page now, and say why: nobody is sure that this droplet is to be switched on."""
        self._doubt = text
        self._wake.set()

    def run(self) -> None:
        """Watch until it is over; the thread's function."""
        while not self._over:
            self._wake.wait(self.step())
            self._wake.clear()

    def step(self) -> float:
        """Page when that is due; seconds until the next step."""
        with self._busy:
            now = self._clock.monotonic()
            if now - self._due_at > _LATE_S:
                self._not_before = now + _GRACE_S
            wait = self._wait(now)
            if wait <= 0:
                wait = self._page(now - self._on_at)
            self._due_at = self._clock.monotonic() + wait
            return wait

    def end(self) -> None:
        """Page no more. Returns once no page is on its way, so that a resolve comes after it."""
        self._over = True
        self._wake.set()
        if self._busy.acquire(timeout=_IN_FLIGHT_S):
            self._busy.release()

    def _wait(self, now: float) -> float:
        if self.paged or self._over:
            return _NOTHING_MORE_S
        page_at = now if self._doubt else self._on_at + self._page_after_s
        return max(page_at, self._not_before) - now

    def _page(self, off_s: float) -> float:
        try:
            self._pager.trigger(self._text(off_s))
        except VendorError as error:
            wait = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** min(self._tries, 10))
            self._tries += 1
            self._not_before = self._clock.monotonic() + wait
            _log.error("off_page_not_taken", run=self._watched.run, error=str(error), again_s=wait)
            return wait
        self.paged = True
        _log.error("droplet_off_paged", run=self._watched.run, off_s=round(off_s, 1))
        return _NOTHING_MORE_S

    def _text(self, off_s: float) -> Page:
        run, droplet = self._watched.run, self._watched.droplet
        doing = self.doing or "it is looked at as soon as a worker takes its run up"
        what = self._doubt or f"Droplet {droplet} has not been seen on for {off_s:.0f} s: {doing}."
        return Page(
            dedup_key=run_dedup_key(run),
            summary=f"{what} It is being brought on; look at it too."[:1024],
            source="runbookd",
            severity="critical",
            group=self._watched.resource,
            details={
                "run": run,
                "droplet": droplet,
                "what is under way": doing,
                "what to do": "Look at the droplet in the control panel. The page closes by "
                "itself when the run ends well.",
                "what to type": explained(run),
            },
            links=[(console_of(droplet), f"droplet {droplet}: the vendor's console")],
        )


def _in_a_thread(vigil: Vigil) -> None:
    threading.Thread(target=vigil.run, name="off-watch", daemon=True).start()


class OffWatch:
    """The droplets of this process's runs that are off, each with its watch.

    `page_after_s` is in seconds. `begin` starts a watch's thread; tests step it themselves.
    """

    def __init__(
        self,
        pager: Pager,
        clock: Clock,
        page_after_s: float | None = None,
        begin: Callable[[Vigil], None] = _in_a_thread,
    ) -> None:
        self._pager = pager
        self._clock = clock
        self._page_after_s = PAGE_AFTER_S if page_after_s is None else page_after_s
        self._begin = begin
        self._lock = threading.Lock()
        self._vigils: dict[str, Vigil] = {}

    def watch(self, watched: OffDroplet, off_for_s: float = 0.0) -> Vigil:
        """Watch a droplet that goes off now, or has been off for `off_for_s` seconds."""
        with self._lock:
            known = self._vigils.get(watched.run)
            if known is not None:
                return known
            vigil = Vigil(watched, self._pager, self._clock, self._page_after_s, off_for_s)
            self._vigils[watched.run] = vigil
        self._begin(vigil)
        return vigil

    def of(self, run_id: str) -> Vigil | None:
        """The watch over a run's droplet, while there is one."""
        return self._vigils.get(run_id)

    def end(self, run_id: str) -> bool:
        """Watch a run's droplet no more; whether somebody was paged."""
        with self._lock:
            vigil = self._vigils.pop(run_id, None)
        if vigil is None:
            return False
        vigil.end()
        return vigil.paged

    def runs(self) -> frozenset[str]:
        """The runs whose droplets are watched."""
        with self._lock:
            return frozenset(self._vigils)
