from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

import gevent
import pytest

from service.domain.alerts.alert import Notification, PayloadFormat
from service.domain.errors import StoreUnavailable
from service.ports.admission import Delivery, Receipt
from service.web.concurrency import Greenlets
from service.web.group_commit import Bounds, GroupCommitter
from service.web.large import PartSize
from tests.unit.web.turns import read_a_pipe

SOON_S = 10.0
TWO = PartSize(alerts=2, least=2, most=2)
"""Alerts of a part, however long it takes."""


def delivery(name: str = "one", alerts: int = 0) -> Delivery:
    notification = Notification(
        source="alertmanager",
        format=PayloadFormat.ALERTMANAGER,
        receiver=name,
        group_key="",
        group_labels={},
        external_url="",
        truncated=0,
        alerts=(None,) * alerts,  # type: ignore[arg-type]  # only their number counts here
    )
    return Delivery(notification, 0.0)


class Journal:
    """Stands for admission: it commits only while `open_` is set, and remembers its batches."""

    def __init__(self) -> None:
        self.open_ = threading.Event()
        self.entered = threading.Event()
        self.batches: list[list[str]] = []
        self.poison: set[str] = set()
        self.down = False

    def admit(self, batch: Sequence[Delivery], _now: float) -> list[Receipt]:
        names = [each.notification.receiver for each in batch]
        self.batches.append(names)
        self.entered.set()
        assert self.open_.wait(SOON_S)
        if self.down:
            raise StoreUnavailable("the disk is full")
        if self.poison.intersection(names):
            raise ZeroDivisionError("nobody foresaw this")
        return [Receipt(name, (), ()) for name in names]


@contextmanager
def committing(
    journal: Journal, bounds: Bounds | None = None
) -> Iterator[tuple[GroupCommitter, Callable[[str], Future[Receipt]]]]:
    committer = GroupCommitter(journal.admit, time.time, bounds)
    with ThreadPoolExecutor(64) as pool:
        try:
            yield committer, lambda name: pool.submit(committer.submit, delivery(name))
        finally:
            journal.open_.set()
            committer.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.001)


def waiting(committer: GroupCommitter) -> int:
    return len(committer._waiting)


def test_nobody_is_answered_before_the_commit() -> None:
    journal = Journal()
    with committing(journal) as (_, submit):
        answer = submit("one")
        assert journal.entered.wait(SOON_S)
        done, _ = wait([answer], timeout=0.2)
        assert not done
        journal.open_.set()
        assert answer.result(SOON_S).delivery == "one"


def test_requests_that_wait_share_a_commit() -> None:
    journal = Journal()
    with committing(journal) as (committer, submit):
        first = submit("first")
        assert journal.entered.wait(SOON_S)
        others = [submit(f"n{number}") for number in range(40)]
        until(lambda: waiting(committer) == 40)
        journal.open_.set()
        assert first.result(SOON_S).delivery == "first"
        assert [each.result(SOON_S).delivery for each in others] == [f"n{n}" for n in range(40)]
    assert [len(batch) for batch in journal.batches] == [1, 40]


def test_a_poison_delivery_costs_only_itself() -> None:
    journal = Journal()
    journal.poison = {"poison"}
    with committing(journal) as (committer, submit):
        first = submit("first")
        assert journal.entered.wait(SOON_S)
        others = {name: submit(name) for name in ("a", "poison", "b")}
        until(lambda: waiting(committer) == 3)
        journal.open_.set()
        assert first.result(SOON_S)
        assert others["a"].result(SOON_S).delivery == "a"
        assert others["b"].result(SOON_S).delivery == "b"
        with pytest.raises(StoreUnavailable, match="nothing was kept, send it again"):
            others["poison"].result(SOON_S)


def test_a_store_that_is_down_is_told_to_all_and_asked_once() -> None:
    journal = Journal()
    with committing(journal) as (committer, submit):
        answers = [submit("first")]
        assert journal.entered.wait(SOON_S)
        answers += [submit(f"n{number}") for number in range(5)]
        until(lambda: waiting(committer) == 5)
        journal.down = True
        journal.open_.set()
        for each in answers:
            with pytest.raises(StoreUnavailable, match="the disk is full"):
                each.result(SOON_S)
        assert len(journal.batches) == 2
        journal.down = False
        assert submit("later").result(SOON_S).delivery == "later"


def test_a_batch_is_bounded_in_deliveries_and_in_alerts() -> None:
    journal = Journal()
    bounds = Bounds(deliveries=3, alerts=10)
    committer = GroupCommitter(journal.admit, time.time, bounds)
    with ThreadPoolExecutor(16) as pool:
        answers = [pool.submit(committer.submit, delivery("first"))]
        assert journal.entered.wait(SOON_S)
        for number, alerts in enumerate([10, 6, 6, 1, 1, 1, 1]):
            answers.append(pool.submit(committer.submit, delivery(f"n{number}", alerts)))
            until(lambda: waiting(committer) == len(answers) - 1)
        journal.open_.set()
        wait(answers, SOON_S)
    committer.close()
    assert journal.batches == [["first"], ["n0"], ["n1"], ["n2", "n3", "n4"], ["n5", "n6"]]


def test_a_full_queue_refuses_at_once() -> None:
    journal = Journal()
    with committing(journal, Bounds(waiting=2)) as (committer, submit):
        submit("first")
        assert journal.entered.wait(SOON_S)
        submit("second")
        submit("third")
        until(lambda: waiting(committer) == 2)
        with pytest.raises(StoreUnavailable, match="too many notifications wait"):
            committer.submit(delivery("fourth"))


def test_who_has_waited_too_long_is_refused_and_not_admitted_later() -> None:
    journal = Journal()
    with committing(journal) as (committer, submit):
        submit("first")
        assert journal.entered.wait(SOON_S)
        committer._bounds = Bounds(patience_s=0.05)
        late = submit("late")
        with pytest.raises(StoreUnavailable, match=r"longer than 0\.05 s; send it again"):
            late.result(SOON_S)
    assert journal.batches == [["first"]]


def test_closing_finishes_what_waits_and_refuses_what_comes() -> None:
    journal = Journal()
    with committing(journal) as (committer, submit):
        answers = [submit("first")]
        assert journal.entered.wait(SOON_S)
        answers.append(submit("second"))
        until(lambda: waiting(committer) == 1)
        closing = threading.Thread(target=committer.close)
        closing.start()
        until(lambda: committer._closed)
        with pytest.raises(StoreUnavailable, match="stopping"):
            committer.submit(delivery("third"))
        journal.open_.set()
        assert [each.result(SOON_S).delivery for each in answers] == ["first", "second"]
        closing.join(SOON_S)
        assert not closing.is_alive()


def test_closing_what_never_began_returns_at_once() -> None:
    GroupCommitter(Journal().admit, time.time).close()


def test_a_child_process_commits_with_a_thread_of_its_own() -> None:
    journal = Journal()
    journal.open_.set()
    committer = GroupCommitter(journal.admit, time.time)
    assert committer.submit(delivery("parent")).delivery == "parent"
    child = os.fork()
    if child == 0:
        try:
            answered = committer.submit(delivery("child")).delivery == "child"
        finally:
            os._exit(0 if answered else 1)
    deadline = time.monotonic() + SOON_S
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, 9)
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(ended[1]) == 0
    assert committer.submit(delivery("parent again")).delivery == "parent again"
    committer.close()


# ---- on greenlets ----


def test_greenlets_whose_requests_are_there_share_a_commit() -> None:
    """They are read one after the other, by a loop that has the committer wait for the last."""
    journal, greenlets = Journal(), Greenlets(1)
    journal.open_.set()
    committer = GroupCommitter(journal.admit, time.time, concurrency=greenlets)

    def request(number: int) -> str:
        read_a_pipe(greenlets)
        return committer.submit(delivery(f"n{number}")).delivery

    requests = [gevent.spawn(request, number) for number in range(8)]
    answers = [each.get(timeout=SOON_S) for each in requests]
    assert answers == [f"n{number}" for number in range(8)]
    assert [len(batch) for batch in journal.batches] == [8]
    committer.close()


class Watched(Greenlets):
    """Tells how many were there whenever it was asked to let more come."""

    def __init__(self) -> None:
        super().__init__(1)
        self.seen: list[int] = []

    def gather(self, count: Callable[[], int]) -> None:
        super().gather(count)
        self.seen.append(count())


def test_what_no_transaction_could_take_is_not_waited_for() -> None:
    journal, greenlets = Journal(), Watched()
    journal.open_.set()
    committer = GroupCommitter(journal.admit, time.time, Bounds(deliveries=2), greenlets)
    requests = [gevent.spawn(committer.submit, delivery(f"n{number}")) for number in range(5)]
    gevent.joinall(requests, timeout=SOON_S)
    assert [len(batch) for batch in journal.batches] == [2, 2, 1]
    assert greenlets.seen[:3] == [2, 2, 1]
    committer.close()


def test_other_requests_come_between_the_deliveries_of_a_batch_that_failed() -> None:
    journal, greenlets = Journal(), Greenlets(1)
    journal.open_.set()
    journal.poison = {"n3"}
    committer = GroupCommitter(journal.admit, time.time, concurrency=greenlets)

    def request(name: str) -> bool:
        try:
            return committer.submit(delivery(name)).delivery == name
        except StoreUnavailable:
            return False

    requests = [gevent.spawn(request, f"n{number}") for number in range(6)]
    requests[0].join(SOON_S)
    assert not requests[5].ready(), "the first is answered before the last is tried"
    gevent.joinall(requests, timeout=SOON_S)
    assert [each.value for each in requests] == [True, True, True, False, True, True]
    committer.close()


def test_a_committer_that_is_interrupted_refuses_its_batch_and_is_followed_by_another() -> None:
    journal = Journal()
    journal.open_.set()
    interrupted = [True]

    def admit(batch: Sequence[Delivery], now: float) -> list[Receipt]:
        if interrupted.pop():
            raise gevent.GreenletExit
        return journal.admit(batch, now)

    committer = GroupCommitter(admit, time.time, concurrency=Greenlets(1))
    with pytest.raises(StoreUnavailable, match="interrupted; send it again"):
        gevent.spawn(committer.submit, delivery("one")).get(timeout=SOON_S)
    interrupted.append(False)
    assert gevent.spawn(committer.submit, delivery("two")).get(timeout=SOON_S).delivery == "two"
    committer.close()


def test_small_deliveries_are_committed_between_the_parts_of_a_large_one() -> None:
    journal = Journal()
    journal.open_.set()
    bounds = Bounds(alerts=4, part=TWO)
    committer = GroupCommitter(journal.admit, time.time, bounds, Greenlets(1))
    large = gevent.spawn(committer.submit, delivery("large", 8))
    small = [gevent.spawn(committer.submit, delivery(f"n{number}")) for number in range(2)]
    gevent.joinall(small, timeout=SOON_S)
    assert not large.ready()
    assert large.get(timeout=SOON_S).delivery == "large"
    assert journal.batches[:2] == [["large"], ["n0", "n1"]]
    assert journal.batches[2:] == [["large"]] * 3
    committer.close()


def test_parts_and_small_deliveries_take_turns_when_both_always_wait() -> None:
    journal = Journal()
    with committing(journal, Bounds(alerts=4, part=TWO, deliveries=1)) as (committer, submit):
        answers = [submit("first")]
        assert journal.entered.wait(SOON_S)
        with ThreadPoolExecutor(2) as pool:
            answers += [pool.submit(committer.submit, delivery("large", 5)) for _ in range(2)]
            until(lambda: len(committer._parts) == 2)
            answers += [submit(f"n{number}") for number in range(4)]
            until(lambda: waiting(committer) == 4)
            journal.open_.set()
            wait(answers, SOON_S)
    kinds = ["part" if name == "large" else "small" for (name,) in journal.batches]
    assert kinds[1:5] == ["small", "part", "small", "part"]


def test_what_was_kept_of_a_large_delivery_is_told_when_a_later_part_fails() -> None:
    journal = Journal()
    journal.open_.set()
    tries = [True, True, False]

    def admit(batch: Sequence[Delivery], now: float) -> list[Receipt]:
        journal.down = not tries.pop(0)
        return journal.admit(batch, now)

    committer = GroupCommitter(admit, time.time, Bounds(alerts=4, part=TWO))
    with pytest.raises(
        StoreUnavailable, match=r"the disk is full \(the parts before, 4 of 7 alerts, were kept\)"
    ):
        committer.submit(delivery("large", 7))
    committer.close()


def test_a_committer_on_greenlets_finishes_what_waits_when_it_is_closed() -> None:
    journal = Journal()
    journal.open_.set()
    committer = GroupCommitter(journal.admit, time.time, concurrency=Greenlets(1))
    waits = gevent.spawn(committer.submit, delivery("last"))
    gevent.sleep(0)
    committer.close()
    assert waits.get(timeout=SOON_S).delivery == "last"
    with pytest.raises(StoreUnavailable, match="stopping"):
        committer.submit(delivery("late"))
