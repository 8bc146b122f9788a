"""What stands behind a droplet that a run switches off: a record, a watch, and one line in Slack.

A droplet that is off needs neither our database nor Slack to come back on. So each call to them has
a deadline here, and after a failure the section goes on without them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from service.bounded import Bounded, Overdue
from service.catalogue.context import Watched
from service.domain.errors import StoreConflict, StoreUnavailable, VendorError
from service.engine.off_watch import OffDroplet, Vigil
from service.engine.parts import WorkerParts
from service.ports import Message, MessageRef
from service.ports.offs import ON, OffRecord, Resize, Sent

_log = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

STORE_DEADLINE_S = 2.5
"""After this long without an answer our store counts as away (rule of safety 4: 2 to 3 s)."""
_CHAT_DEADLINE_S = 3.0
_MUTE_S = 60.0
"""After a line that could not be told, none is tried for so long: each costs its deadline."""


class Duty:
    """The duty for one droplet, in one execution of a run.

    `fence` raises FencedOut when another execution has the run; `thread` gives the run's message.
    """

    def __init__(
        self,
        parts: WorkerParts,
        droplet: OffDroplet,
        fence: Callable[[], None],
        thread: Callable[[], MessageRef | None],
    ) -> None:
        self._parts = parts
        self._droplet = droplet
        self._fence = fence
        self._thread = thread
        self._store = Bounded(STORE_DEADLINE_S)
        self._chat = Bounded(_CHAT_DEADLINE_S)
        self._muted_until = parts.clock.monotonic()
        self._told = ""
        self._line: MessageRef | None = None
        self._number = 0
        self._began: float | None = None
        self._record = parts.offs.take(droplet.run, parts.executor)
        self._go_on_watching()

    @property
    def sent(self) -> Sequence[Sent]:
        """What this run sent, or was about to send, to take the droplet down."""
        return self._record.sent if self._record else ()

    @property
    def open(self) -> bool:
        """Whether the droplet may be off because of this run."""
        return self._record is not None and self._record.open

    @property
    def seen_on(self) -> bool:
        """Whether the record has ended because the droplet was seen on again."""
        return self._record is not None and self._record.ended == ON

    def begin(self, size: str) -> bool:
        """Make the record of a resize, or take it over; whether it is new."""
        of, now = self._droplet, self._parts.clock.time()
        resize = Resize(of.run, of.resource, of.droplet, size)
        self._record, new = self._parts.offs.hold(resize, self._parts.executor, now)
        return new

    def assume(self, kinds: Sequence[str], after: int | None) -> None:
        """Record what an execution without a record may have sent."""
        for kind in kinds:
            sent = Sent(kind, after)
            self._note(sent, self._put_on_record(sent))
        self._go_on_watching()

    def sending(self, kind: str, after: int | None) -> None:
        """Record, right before it is sent, what takes the droplet down; the watch begins."""
        sent = Sent(kind, after)

        def admit() -> int:
            number = self._put_on_record(sent)
            self._fence()
            return number

        # Before the first one the droplet is on, and nothing is on its way to it: waiting for a
        # slow store does no harm.
        self._note(sent, self._in_time(admit) if self.sent else admit())
        self._watch(0.0)

    def answered(self, action: int | None) -> None:
        """Record the id of what was just sent; None: the vendor did not take it."""
        number, sent = self._number, list(self._opened().sent)
        last = sent.pop()
        if action is not None:
            sent.append(replace(last, id=action))
        self._change(sent=tuple(sent))
        self._try(lambda: self._parts.offs.answered(self._droplet.run, number, action))

    def fence(self) -> None:
        """Refuse to write when another execution has the run; without the store, go on."""
        self._try(self._fence)

    def look(self, *, on: bool, doing: str) -> None:
        """What a look has just shown."""
        vigil = self._parts.off_watch.of(self._droplet.run)
        if vigil is None:
            return
        vigil.doing = doing
        if on:
            vigil.seen_on()

    def off_again(self) -> None:
        """A late action of this run has switched the droplet off: open the record, watch again."""
        self._change(ended="")
        self._watch(0.0)
        self._try(lambda: self._parts.offs.open_again(self._droplet.run))

    def doubt(self, text: str) -> None:
        """Page at once: it is not sure that the droplet is this run's to switch on."""
        self._watch(0.0).doubt(text)

    def refused(self, words: str) -> None:
        """Record that the vendor refused the new size for good."""
        self._try(lambda: self._parts.offs.refused(self._droplet.run, words))

    def tell(self, text: str) -> None:
        """Put this text into the one line of the run's thread that tells how it goes."""
        thread, now = self._thread(), self._parts.clock.monotonic()
        if thread is None or text == self._told or now < self._muted_until:
            return
        try:
            new_line = self._chat(lambda: self._write(text, thread))
        except (VendorError, Overdue) as error:
            self._muted_until = self._parts.clock.monotonic() + _MUTE_S
            _log.warning("progress_not_told", run=self._droplet.run, text=text, error=str(error))
            return
        self._told = text
        if new_line is not None and self._record is not None:
            self._try(lambda: self._parts.offs.told(self._droplet.run, new_line))

    def may_leave(self) -> bool:
        """Whether our store answers, so that others go on with a droplet that is left off."""
        return not self.open or self._try(lambda: self._parts.offs.get(self._droplet.run))

    def end(self, how: str) -> Watched | None:
        """The droplet needs no watch any more."""
        paged = self._parts.off_watch.end(self._droplet.run)
        if self._record is None:
            return None
        self._change(ended=how)
        self._try(lambda: self._parts.offs.end(self._droplet.run, how, self._parts.clock.time()))
        if self._began is None:
            return None
        return Watched(self._parts.clock.monotonic() - self._began, paged)

    def _put_on_record(self, sent: Sent) -> int:
        return self._parts.offs.sending(self._droplet.run, sent, self._parts.clock.time())

    def _note(self, sent: Sent, number: int) -> None:
        record, self._number = self._opened(), number
        since = record.since if record.sent else self._parts.clock.time()
        self._change(sent=(*record.sent, sent), since=since, ended="")

    def _go_on_watching(self) -> None:
        """Watch on, from when the droplet went off, where it may be off already."""
        if self._record is not None and self._record.open:
            self._watch(max(0.0, self._parts.clock.time() - self._record.since))

    def _watch(self, off_for_s: float) -> Vigil:
        if self._began is None:
            self._began = self._parts.clock.monotonic() - off_for_s
        return self._parts.off_watch.watch(self._droplet, off_for_s)

    def _write(self, text: str, thread: MessageRef) -> MessageRef | None:
        """Edit the line, or post it; where it is when it is new."""
        message = Message(title="", text=text)
        self._line = self._line or (self._record.line if self._record else None)
        if self._line is not None:
            self._parts.messenger.update(self._line, message)
            return None
        self._line = self._parts.messenger.post(message, thread)
        return self._line

    def _opened(self) -> OffRecord:
        if self._record is None:
            raise RuntimeError(f"run {self._droplet.run} has no record of its droplet yet")
        return self._record

    def _change(self, **changes: object) -> None:
        self._record = replace(self._opened(), **changes)  # type: ignore[arg-type] # fields by name

    def _in_time(self, call: Callable[[], _Result]) -> _Result:
        try:
            return self._store(call)
        except Overdue:
            sentence = f"the database has not answered for {STORE_DEADLINE_S:g} s"
            raise StoreUnavailable(sentence) from None

    def _try(self, call: Callable[[], object]) -> bool:
        """Make a call to our store; False when it is away or hangs. FencedOut is raised."""
        try:
            self._in_time(call)
        except (StoreUnavailable, StoreConflict) as error:
            _log.warning("off_record_not_kept", run=self._droplet.run, error=str(error))
            return False
        return True
