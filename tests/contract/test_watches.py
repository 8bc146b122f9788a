"""Watches that are under way: each look by one worker, and none by one that has lost it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.watching import Seen, Term, Trace, ending, looked
from service.domain.watching import Taken as Value
from service.ports.admission import NewRun
from service.ports.runs import Outcome
from service.ports.watches import Watch, Watches
from service.store.admissions import add_run
from service.store.runs import RunStore
from service.store.watches import WatchStore
from tests.contract.admission import all_at_once
from tests.contract.leases import lease_store
from tests.fakes.runs import telling_for
from tests.fakes.watches import FakeWatches

NOW = 1_795_000_000.0
RUN, OTHER = "watch-a.notify.1", "watch-b.notify.1"
HOLD_S = 120.0
SEEN = ending(
    looked(Seen(), [Term("cpu", ">", 80.0)], {"cpu": Value(93.5)}, NOW, Value(None, "Away. “ü”")),
    "It is over.",
)


@pytest.fixture(params=["fake", "sql"])
def watches(request: pytest.FixtureRequest, engine: sa.Engine) -> Watches:
    """The record, with one watch in it that was begun now and lasts two hours."""
    store = FakeWatches() if request.param == "fake" else WatchStore(engine)
    store.put(RUN, NOW, NOW + 7_200.0)
    return store


def taken(watches: Watches, now: float = NOW) -> Watch:
    found = watches.take(now, HOLD_S)
    assert found is not None
    return found


def test_the_first_look_is_due_at_once_and_taken_by_one_until_it_is_left_for_too_long(
    watches: Watches,
) -> None:
    assert taken(watches) == Watch(RUN, NOW, NOW + 7_200.0, 1, Seen())
    assert watches.take(NOW + HOLD_S - 1, HOLD_S) is None
    assert taken(watches, NOW + HOLD_S).token == 2


def test_a_watch_is_begun_once(watches: Watches) -> None:
    taken(watches)
    watches.put(RUN, NOW, NOW + 9.0)
    assert watches.take(NOW, HOLD_S) is None
    watches.end(RUN, NOW)
    watches.put(RUN, NOW, NOW + 9.0)
    assert watches.take(NOW + 9_000.0, HOLD_S) is None


def test_what_was_seen_is_there_for_the_next_look_as_it_was(watches: Watches) -> None:
    watch = taken(watches)
    assert watches.save(watch, SEEN)
    assert watches.take(NOW, HOLD_S) is None
    assert taken(watches, NOW + HOLD_S).seen == SEEN
    assert SEEN.traces == {"cpu": Trace(93.5, 93.5, 93.5, 93.5, "", 1, 1)}


def test_once_people_were_told_the_next_look_is_due_when_it_says(watches: Watches) -> None:
    watch = taken(watches)
    assert watches.told(watch, replace(SEEN, untold=False), NOW + 300.0)
    assert watches.take(NOW + 299.0, HOLD_S) is None
    assert taken(watches, NOW + 300.0).seen == replace(SEEN, untold=False)


def test_who_has_lost_a_watch_keeps_nothing(watches: Watches) -> None:
    old = taken(watches)
    new = taken(watches, NOW + HOLD_S)
    assert not watches.owned(old)
    assert watches.owned(new)
    assert not watches.save(old, SEEN)
    assert not watches.told(old, SEEN, NOW)
    assert watches.take(NOW + HOLD_S, HOLD_S) is None
    assert taken(watches, NOW + 2 * HOLD_S).seen == Seen()


def test_a_watch_that_has_ended_is_nobodys(watches: Watches) -> None:
    watch = taken(watches)
    watches.end(RUN, NOW)
    assert not watches.owned(watch)
    assert not watches.save(watch, SEEN)
    assert not watches.told(watch, SEEN, NOW)
    assert watches.take(NOW + 9_000.0, HOLD_S) is None
    watches.end(RUN, NOW)


def test_the_watch_that_has_been_due_for_the_longest_is_taken_first(watches: Watches) -> None:
    watches.put(OTHER, NOW - 1.0, NOW + 9.0)
    assert [taken(watches).run, taken(watches).run] == [OTHER, RUN]


def test_of_many_workers_one_takes_a_look(engine: sa.Engine) -> None:
    store = WatchStore(engine)
    store.put(RUN, NOW, NOW + 7_200.0)
    found = all_at_once([lambda: store.take(NOW, HOLD_S)] * 8)
    assert len([each for each in found if each is not None]) == 1


def stored(engine: sa.Engine) -> RunStore:
    """Runs, of which one watches and one has lost its workflow."""
    runs = RunStore(engine, lambda _connection, _run: None)
    for run in (RUN, OTHER):
        request = telling_for("watch", run, options={"for": "2h"})
        with engine.begin() as connection:
            add_run(connection, NewRun(request, "message:x", NOW))
    WatchStore(engine).put(RUN, NOW, NOW + 7_200.0)
    return runs


def test_a_run_that_watches_is_not_taken_for_one_that_was_lost(engine: sa.Engine) -> None:
    runs = stored(engine)
    assert runs.unfinished() == [OTHER]
    WatchStore(engine).end(RUN, NOW)
    assert runs.unfinished() == [RUN, OTHER]


def test_a_worker_is_at_rest_while_nothing_goes_on_but_a_watch(engine: sa.Engine) -> None:
    runs, leases = stored(engine), lease_store(engine, 15.0)
    leases.register("w1", "here", 1)
    assert (signs := leases.renew("w1")) is not None
    assert signs.unended
    runs.conclude(OTHER, Outcome("failed", "lost", NOW), NOW)
    assert (signs := leases.renew("w1")) is not None
    assert not signs.unended


def test_a_cancel_has_the_watch_looked_after_now(engine: sa.Engine) -> None:
    runs, watches = stored(engine), WatchStore(engine)
    watches.told(taken(watches), Seen(), NOW + 3_600.0)
    assert watches.take(NOW, HOLD_S) is None
    assert runs.cancel(RUN, "olga", "the exam is over", NOW, lambda _connection: None)
    assert taken(watches).run == RUN


def test_a_sign_of_life_sees_a_look_that_is_due_and_no_other(engine: sa.Engine) -> None:
    watches, leases = WatchStore(engine), lease_store(engine, 15.0)
    leases.register("w1", "here", 1)
    watches.put(RUN, NOW + 3_650 * 86_400.0, NOW + 3_651 * 86_400.0)
    signs = leases.renew("w1")
    assert signs is not None
    assert not signs.watching
    watches.put(OTHER, 0.0, 1.0)
    signs = leases.renew("w1")
    assert signs is not None
    assert signs.watching
    watches.end(OTHER, NOW)
    signs = leases.renew("w1")
    assert signs is not None
    assert not signs.watching
