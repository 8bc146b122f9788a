"""Telling Slack, now or later: what cannot be told now waits in SQL, and no run waits for it.

There is one place for each message that people see. What is said in a place later replaces what
waits there, so the newest state is told once the messenger is back, and never an older one after
it. Messages that open no thread of a run are told together when several wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from service.domain.errors import FailureKind, StoreUnavailable, VendorError
from service.engine.parts import WorkerParts
from service.messages.late import DIGEST_MOST, digest, told_late
from service.ports import Message, MessageRef
from service.ports.outbox import Waiting
from service.retry import call_with_retries

_log = structlog.get_logger(__name__)
_Told = TypeVar("_Told")

_ATTEMPTS, _BUDGET_S = 3, 10.0
"""What a messenger that is away may cost a run, in seconds."""
FIRST_AGAIN_S, LONGEST_AGAIN_S = 5.0, 600.0
"""Between two tries of a message that waits: doubled each time, never shorter than the messenger
asks for."""
LONGEST_ASKED_S = 3_600.0
"""A messenger that asks for more than an hour is asked again after an hour."""
GIVE_UP_S = 3 * 86_400.0
"""After three days nobody needs a message any more."""
_HOLD_S, _SENDING_S = 60.0, 35.0
"""For how long a worker keeps others from what it took, and for how long it begins to send any of
it. A message may take two calls of 10 s each, so it is sent before others get it."""
_AT_A_TIME = 100


def post(
    message: Message, parts: WorkerParts, thread: MessageRef | None = None, run: str = ""
) -> MessageRef | None:
    """Post a message; None where it has to wait. `run` is the run whose message it is: where it is
    then goes on that run's record."""
    if run and _replaced(place_of(run), message, parts):
        return None
    told = post_or_keep(message, parts, thread, run)
    if isinstance(told, VendorError):
        return None
    if run:
        parts.runs.set_message(run, told)
    return told


def post_or_keep(
    message: Message,
    parts: WorkerParts,
    thread: MessageRef | None = None,
    run: str = "",
    place: str = "",
) -> MessageRef | VendorError:
    """Post a message. Returns where it is, or the error for which it now waits.

    `place` names where it waits, so that the same message never waits twice.
    """
    try:
        return _now(lambda: parts.messenger.post(message, thread), parts)
    except VendorError as error:
        place = place or (place_of(run) if run else parts.new_id("m"))
        _keep(Waiting(place, message, None, thread, run, parts.clock.time(), 1, 1), error, parts)
        return error


def tell_in_place(
    run: str, message: Message, parts: WorkerParts, place: Callable[[], MessageRef | None]
) -> None:
    """Post the one message of a run or scenario, or replace it where it was posted already.

    `place` reads where it is. It is asked only once no message of it waits: whoever has told what
    waited keeps its place first, and forgets it then. So it is never posted twice. One caller at a
    time may tell of a run.
    """
    if _replaced(place_of(run), message, parts):
        return
    ref = place()
    if ref is None:
        post(message, parts, run=run)
    else:
        edit(ref, message, parts, run)


def edit(ref: MessageRef, message: Message, parts: WorkerParts, run: str = "") -> bool:
    """Replace a message; False where that has to wait. `run` is the run whose message it is."""
    place = f"{ref.channel}/{ref.ts}"
    if _replaced(place, message, parts):
        return False
    try:
        _now(lambda: parts.messenger.update(ref, message), parts)
    except VendorError as error:
        _keep(Waiting(place, message, ref, None, run, parts.clock.time(), 1, 1), error, parts)
        return False
    return True


def edit_or_post(ref: MessageRef | None, message: Message, parts: WorkerParts) -> MessageRef | None:
    """Replace the message there, or post it where there is none yet; where it is, None where it
    has to wait to be posted."""
    if ref is None:
        return post(message, parts)
    edit(ref, message, parts)
    return ref


def place_of(run: str) -> str:
    """Where the message of a run waits that was never posted."""
    return f"run/{run}"


def _now(call: Callable[[], _Told], parts: WorkerParts) -> _Told:
    return call_with_retries(call, clock=parts.clock, attempts=_ATTEMPTS, budget_s=_BUDGET_S)


def _replaced(place: str, message: Message, parts: WorkerParts) -> bool:
    """Whether an older message waits in this place, which this one takes.

    A store that is away must not keep people from being told.
    """
    try:
        return parts.outbox.replace(place, message, parts.clock.time())
    except StoreUnavailable:
        return False


def _keep(waiting: Waiting, error: VendorError, parts: WorkerParts) -> None:
    now = parts.clock.time()
    _log.warning("told_later", title=waiting.message.title, error=str(error))
    try:
        parts.outbox.put(waiting, now + _wait_s(waiting, error))
    except StoreUnavailable as away:
        _log.error("not_told", title=waiting.message.title, error=str(away))


def _wait_s(waiting: Waiting, error: VendorError) -> float:
    backoff: float = min(LONGEST_AGAIN_S, FIRST_AGAIN_S * 2.0 ** min(waiting.tries - 1, 10))
    return max(backoff, min(error.retry_after or 0.0, LONGEST_ASKED_S))


class OutboxRound:
    """Tells what is due; one worker at a time tells a message."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts

    def __call__(self, _due: bool = True) -> None:
        """Tell what is due, until the messenger takes nothing for now."""
        while taken := self._parts.outbox.take(self._parts.clock.time(), _HOLD_S, _AT_A_TIME):
            groups = _grouped(taken)
            until = self._parts.clock.monotonic() + _SENDING_S
            while groups and self._parts.clock.monotonic() < until:
                group = groups.pop(0)
                error = self._tell(group)
                if error is None:
                    continue
                # What is refused for good says nothing about the next message.
                takes_others = error.kind is FailureKind.PERMANENT
                rest = [] if takes_others else [each for other in groups for each in other]
                for each in (*group, *rest):
                    self._put_off(each, error)
                if not takes_others:
                    return

    def _tell(self, group: Sequence[Waiting]) -> VendorError | None:
        """Tell messages as one; what went wrong."""
        first, now = group[0], self._parts.clock.time()
        message = digest([each.message for each in group]) if len(group) > 1 else first.message
        try:
            ref = self._send(first, told_late(message, first.since, now))
        except VendorError as error:
            return error
        if first.run and first.ref != ref:
            self._parts.runs.set_message(first.run, ref)
        for each in group:
            self._parts.outbox.told(each, ref, self._parts.clock.time())
        _log.info("told_late", title=message.title, messages=len(group), tries=first.tries)
        return None

    def _send(self, waiting: Waiting, message: Message) -> MessageRef:
        if waiting.ref is None:
            return self._parts.messenger.post(message, waiting.thread)
        try:
            self._parts.messenger.update(waiting.ref, message)
        except VendorError as error:
            if error.kind is not FailureKind.PERMANENT:
                raise
            # The message is gone, or too old to be edited: people see the last state in a new one.
            return self._parts.messenger.post(message)
        return waiting.ref

    def _put_off(self, waiting: Waiting, error: VendorError) -> None:
        now = self._parts.clock.time()
        if now - waiting.since < GIVE_UP_S:
            tried = replace(waiting, tries=waiting.tries + 1)
            self._parts.outbox.again(waiting, now + _wait_s(tried, error))
            return
        _log.error("message_given_up", title=waiting.message.title, error=str(error))
        self._parts.outbox.forget(waiting)


def _grouped(taken: Sequence[Waiting]) -> list[list[Waiting]]:
    """What is told together: new messages that no run goes on to edit, and in no thread. Every
    other message stands alone."""
    loose = [each for each in taken if _is_loose(each)]
    alone = [[each] for each in taken if not _is_loose(each)]
    digests = [loose[at : at + DIGEST_MOST] for at in range(0, len(loose), DIGEST_MOST)]
    return [*digests, *alone]


def _is_loose(waiting: Waiting) -> bool:
    return waiting.ref is None and waiting.thread is None and not waiting.run
