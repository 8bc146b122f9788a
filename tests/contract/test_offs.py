"""One contract for the record of droplets that runs switch off: on memory, SQLite, PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.capacity.refusals import Refusal
from service.ports import MessageRef
from service.ports.offs import ON, TAKEN_OVER, OffRecord, Offs, Resize, Sent
from service.store.offs import OffStore
from tests.fakes.offs import FakeOffs

NOW = 1_780_000_000.0
RUN = "worker-vm.up.1"
RESIZE = Resize(RUN, "do-droplet:101", "101", "s-1vcpu-2gb")
SHUTDOWN = Sent("shutdown", 7)


@pytest.fixture(params=["memory", "sql"])
def offs(request: pytest.FixtureRequest, engine: sa.Engine) -> Offs:
    return FakeOffs() if request.param == "memory" else OffStore(engine)


def opened(offs: Offs, at: float = NOW) -> OffRecord:
    offs.hold(RESIZE, "worker-1", at)
    offs.sending(RUN, SHUTDOWN, at)
    record = offs.get(RUN)
    assert record is not None
    return record


def test_a_record_is_made_once_and_taken_over_afterwards(offs: Offs) -> None:
    first, new = offs.hold(RESIZE, "worker-1", NOW)
    again, new_again = offs.hold(RESIZE, "worker-2", NOW + 9)
    assert (new, new_again) == (True, False)
    assert again == replace(first, holder="worker-2")
    assert offs.get(RUN) == again


def test_a_record_counts_as_open_from_the_first_action_that_is_about_to_be_sent(
    offs: Offs,
) -> None:
    offs.hold(RESIZE, "worker-1", NOW)
    assert offs.still_open() == []
    offs.sending(RUN, SHUTDOWN, NOW + 5)
    [record] = offs.still_open()
    assert (record.run, record.since, record.sent) == (RUN, NOW + 5, (SHUTDOWN,))


def test_the_time_of_the_first_action_stays(offs: Offs) -> None:
    opened(offs)
    offs.sending(RUN, Sent("power_off", 8), NOW + 60)
    record = offs.get(RUN)
    assert record is not None
    assert (record.since, len(record.sent)) == (NOW, 2)


def test_each_action_gets_its_own_id(offs: Offs) -> None:
    offs.hold(RESIZE, "worker-1", NOW)
    numbers = [offs.sending(RUN, Sent(kind, 7), NOW) for kind in ("shutdown", "power_off")]
    offs.answered(RUN, numbers[1], 9)
    record = offs.get(RUN)
    assert record is not None
    assert record.sent == (SHUTDOWN, Sent("power_off", 7, 9))


def test_an_action_that_the_vendor_did_not_take_is_forgotten_and_shifts_no_other(
    offs: Offs,
) -> None:
    offs.hold(RESIZE, "worker-1", NOW)
    first, second = (offs.sending(RUN, Sent(kind, 7), NOW) for kind in ("shutdown", "power_off"))
    offs.answered(RUN, first, None)
    assert second == 1
    offs.answered(RUN, second, 9)
    record = offs.get(RUN)
    assert record is not None
    assert record.sent == (Sent("power_off", 7, 9),)


@pytest.mark.parametrize("how", [ON, TAKEN_OVER])
def test_an_ended_record_is_not_open_and_says_how_it_ended(offs: Offs, how: str) -> None:
    opened(offs)
    offs.end(RUN, how, NOW + 9)
    record = offs.get(RUN)
    assert record is not None
    assert (offs.still_open(), record.ended, record.open) == ([], how, False)


def test_a_record_ends_once(offs: Offs) -> None:
    opened(offs)
    offs.end(RUN, TAKEN_OVER, NOW + 9)
    offs.end(RUN, ON, NOW + 10)
    record = offs.get(RUN)
    assert record is not None
    assert record.ended == TAKEN_OVER


@pytest.mark.parametrize("by", ["a further action", "a look that found it off"])
def test_an_ended_record_opens_again(offs: Offs, by: str) -> None:
    opened(offs)
    offs.end(RUN, ON, NOW + 9)
    if by == "a further action":
        offs.sending(RUN, Sent("power_off", 9), NOW + 20)
    else:
        offs.open_again(RUN)
    assert [record.run for record in offs.still_open()] == [RUN]


def test_a_look_is_counted_once_however_often_it_is_recorded(offs: Offs) -> None:
    opened(offs)
    for _ in range(2):
        offs.looked(RUN, 0, NOW + 30)
    record = offs.get(RUN)
    assert record is not None
    assert (record.tries, record.next_at) == (1, NOW + 30)


def test_where_it_is_told_is_kept(offs: Offs) -> None:
    opened(offs)
    offs.told(RUN, MessageRef("C1", "2.5"))
    record = offs.take(RUN, "worker-2")
    assert record is not None
    assert (record.line, record.holder) == (MessageRef("C1", "2.5"), "worker-2")


def test_a_run_without_a_record_has_none(offs: Offs) -> None:
    assert offs.get("api.out.1") is None
    assert offs.take("api.out.1", "worker-1") is None


def test_what_the_vendor_refused_is_listed_by_resource_oldest_first(offs: Offs) -> None:
    for number, size in enumerate(["a", "b"]):
        run = f"worker-vm.up.{number}"
        offs.hold(replace(RESIZE, run=run, size=size), "worker-1", NOW + number)
        offs.sending(run, SHUTDOWN, NOW + number)
        offs.refused(run, f"No {size}.")
    offs.hold(replace(RESIZE, run="other.up.1", resource="do-droplet:102"), "worker-1", NOW)
    assert offs.refusals(RESIZE.resource) == [
        Refusal("worker-vm.up.0", "a", NOW, "No a."),
        Refusal("worker-vm.up.1", "b", NOW + 1, "No b."),
    ]
    assert offs.refusals("do-droplet:102") == []
