"""One contract for messages that wait: in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.ports import Message, MessageRef
from service.ports.outbox import Outbox, Waiting
from service.store.outbox import OutboxStore
from tests.fakes.outbox import FakeOutbox

NOW = 1_780_000_000.0
REF = MessageRef("C1", "17.5")
MESSAGE = Message("Scaling api", "2 → 3", [("CPU", "91 %")], "rule high-cpu", [("http://x", "x")])
NEWER = Message("Done: api", "2 → 3")
WAITING = Waiting("run/api.out.1", MESSAGE, None, None, "api.out.1", NOW, 1, 1)


@pytest.fixture(params=["memory", "sql"])
def outbox(request: pytest.FixtureRequest, engine: sa.Engine) -> Outbox:
    return FakeOutbox() if request.param == "memory" else OutboxStore(engine)


def test_a_message_is_due_at_its_time_and_then_held_for_whoever_took_it(outbox: Outbox) -> None:
    outbox.put(WAITING, NOW + 5)
    assert outbox.take(NOW + 4.9, 60, 10) == []
    (taken,) = outbox.take(NOW + 5, 60, 10)
    assert (taken.key, taken.run, taken.since, taken.ref, taken.thread) == (
        WAITING.key,
        WAITING.run,
        NOW,
        None,
        None,
    )
    assert list(taken.message.fields) == [("CPU", "91 %")]
    assert list(taken.message.links) == [("http://x", "x")]
    assert outbox.take(NOW + 64, 60, 10) == []
    assert len(outbox.take(NOW + 65, 60, 10)) == 1


def test_the_oldest_come_first_and_no_more_than_are_asked_for(outbox: Outbox) -> None:
    for number in (3, 1, 2):
        outbox.put(replace(WAITING, key=f"m-{number}", since=NOW + number), NOW)
    assert [each.key for each in outbox.take(NOW + 9, 60, 2)] == ["m-1", "m-2"]
    assert outbox.count() == 3


def test_what_is_said_later_in_a_place_takes_it_and_is_due_with_what_waits(outbox: Outbox) -> None:
    assert not outbox.replace(WAITING.key, NEWER, NOW + 3)
    outbox.put(WAITING, NOW + 5)
    assert outbox.replace(WAITING.key, NEWER, NOW + 3)
    outbox.put(replace(WAITING, message=NEWER, since=NOW + 99), NOW + 99)
    (taken,) = outbox.take(NOW + 5, 60, 10)
    assert (taken.message.title, taken.since, taken.version) == ("Done: api", NOW + 99, 3)


def test_what_was_told_is_forgotten(outbox: Outbox) -> None:
    outbox.put(WAITING, NOW)
    (taken,) = outbox.take(NOW, 60, 10)
    outbox.told(taken, REF, NOW + 1)
    assert outbox.count() == 0


def test_what_was_said_while_the_message_was_on_its_way_is_told_as_an_edit_of_it(
    outbox: Outbox,
) -> None:
    outbox.put(WAITING, NOW)
    (taken,) = outbox.take(NOW, 60, 10)
    outbox.replace(WAITING.key, NEWER, NOW + 3)
    outbox.told(taken, REF, NOW + 1)
    (left,) = outbox.take(NOW + 1, 60, 10)
    assert (left.message.title, left.ref) == ("Done: api", REF)
    outbox.told(left, REF, NOW + 2)
    assert outbox.count() == 0


def test_what_could_not_be_told_is_due_later_and_counts_its_tries(outbox: Outbox) -> None:
    outbox.put(WAITING, NOW)
    (taken,) = outbox.take(NOW, 60, 10)
    outbox.again(taken, NOW + 30)
    assert outbox.take(NOW + 29, 60, 10) == []
    (again,) = outbox.take(NOW + 30, 60, 10)
    assert again.tries == 2
    outbox.forget(again)
    assert outbox.count() == 0
