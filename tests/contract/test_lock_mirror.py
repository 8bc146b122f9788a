"""A person's lock as other installations see it: in memory, on each Redis, and on both stores."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest
import redis

from service.bootstrap.people import build_people
from service.bootstrap.stores import Stores
from service.domain.decisions.controls import HOLD, LOCK, PAUSE, Control
from service.domain.durations import clock_time
from service.domain.people import Person, Role
from service.domain.rules.rules import RuleBook
from service.engine.lock_mirror import LockMirrorRound
from service.ports.controls import LockMirror
from service.ports.runs import Locks
from service.settings import load_settings
from service.store.bell import bell_of
from service.store.controls import ControlStore
from service.store.coordination import LOCK_MS, connect
from service.triggers.people.asked import Scope
from service.triggers.people.people import People
from tests.fakes.alerts import NOW
from tests.fakes.engine import FakeLocks, FakeWorker
from tests.fakes.runs import API, WORKER, request_for
from tests.processes import free_port, wait_until
from tests.redis_servers import VERSIONS, RedisServer, executable

OURS, THEIRS, THIRD = "0a1b2c3d", "4e5f6a7b", "9c8d7e6f"
APP, VM = API.resource, WORKER.resource
ADA = Control("l-1", LOCK, "Ada", "I move it.", NOW, NOW + 900, "api")
BOB = replace(ADA, id="l-2", by="Bob", why="exams", until=NOW + 1_800)
BY_ADA = (
    f"Ada, a person at another runbookd (installation {OURS}) on the same Redis, until "
    f"{clock_time(ADA.until)}: I move it"
)


class Shared(Locks, LockMirror, Protocol):
    """The locks of one installation on a Redis that it shares."""


@contextmanager
def running(version: str) -> Iterator[RedisServer]:
    home = Path(tempfile.mkdtemp())
    server = RedisServer(executable(version), home)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with running(request.param) as server:
        yield server


@pytest.fixture(scope="module", params=["fake", *VERSIONS])
def server_or_none(request: pytest.FixtureRequest) -> Iterator[RedisServer | None]:
    """None where the fakes are tried."""
    if request.param == "fake":
        yield None
        return
    with running(request.param) as server:
        yield server


@pytest.fixture
def client(server: RedisServer) -> redis.Redis:
    server.client.flushall()
    return server.client


def on_redis(server: RedisServer, installation: str) -> Shared:
    return connect(server.url, 5.0, lambda: installation)


@pytest.fixture
def join(server_or_none: RedisServer | None) -> Callable[[str], Shared]:
    """Makes the locks of an installation, by its id, beside those made before."""
    if server_or_none is None:
        people: dict[tuple[str, str], Control] = {}
        return lambda installation: FakeLocks(installation=installation, people=people)
    server_or_none.client.flushall()
    return partial(on_redis, server_or_none)


# ---- What one installation shows, and another sees ----


def test_a_persons_lock_keeps_the_runs_of_other_installations_out_and_names_the_person(
    join: Callable[[str], Shared],
) -> None:
    ours, theirs = join(OURS), join(THEIRS)
    assert ours.show([APP, VM], {APP: ADA}, NOW)
    assert theirs.lock(APP, "api.out.1") == BY_ADA
    assert theirs.locked_elsewhere(APP) == BY_ADA
    assert theirs.lock(VM, "worker-vm.up.1") is None


def test_an_installations_own_runs_are_held_by_sql_and_not_by_what_it_shows(
    join: Callable[[str], Shared],
) -> None:
    ours = join(OURS)
    ours.show([APP], {APP: ADA}, NOW)
    assert ours.lock(APP, "api.out.1") is None
    assert ours.locked_elsewhere(APP) is None


def test_what_is_shown_as_free_keeps_nobody_out(join: Callable[[str], Shared]) -> None:
    ours, theirs = join(OURS), join(THEIRS)
    ours.show([APP, VM], {APP: ADA, VM: ADA}, NOW)
    ours.show([APP], {}, NOW)
    assert theirs.lock(APP, "api.out.1") is None
    assert theirs.lock(VM, "worker-vm.up.1") is not None, "nothing was said of it"


def test_a_lock_that_is_over_is_not_shown(join: Callable[[str], Shared]) -> None:
    ours, theirs = join(OURS), join(THEIRS)
    ours.show([APP], {APP: ADA}, NOW + 900)
    assert theirs.lock(APP, "api.out.1") is None


def test_a_lock_that_is_shown_again_has_its_new_end_and_owner(
    join: Callable[[str], Shared],
) -> None:
    ours, theirs = join(OURS), join(THEIRS)
    ours.show([APP], {APP: ADA}, NOW)
    ours.show([APP], {APP: BOB}, NOW)
    said = theirs.lock(APP, "api.out.1") or ""
    assert said.startswith("Bob, a person at another runbookd")
    assert said.endswith(f"until {clock_time(BOB.until)}: exams")


def test_two_installations_whose_people_lock_the_same_keep_each_other_out(
    join: Callable[[str], Shared],
) -> None:
    ours, theirs, third = join(OURS), join(THEIRS), join(THIRD)
    ours.show([APP], {APP: ADA}, NOW)
    theirs.show([APP], {APP: BOB}, NOW)
    assert (ours.lock(APP, "api.out.1") or "").startswith("Bob")
    assert (theirs.lock(APP, "api.out.1") or "").startswith("Ada")
    theirs.show([APP], {}, NOW)
    assert ours.lock(APP, "api.out.1") is None
    assert (third.lock(APP, "api.out.1") or "").startswith("Ada")


def test_a_run_that_has_its_lock_keeps_it_when_a_person_elsewhere_locks(
    join: Callable[[str], Shared],
) -> None:
    """It may have written, and what has written goes on to its end."""
    ours, theirs = join(OURS), join(THEIRS)
    assert theirs.lock(APP, "api.out.1") is None
    ours.show([APP], {APP: ADA}, NOW)
    assert theirs.lock(APP, "api.out.1") is None
    assert theirs.locked_elsewhere(APP) == BY_ADA
    theirs.unlock(APP, "api.out.1")
    assert theirs.lock(APP, "api.out.2") == BY_ADA


# ---- What only the real Redis can show ----


def test_what_is_shown_ends_in_redis_when_the_lock_ends(
    server: RedisServer, client: redis.Redis
) -> None:
    ours, theirs = on_redis(server, OURS), on_redis(server, THEIRS)
    ours.show([APP], {APP: ADA}, NOW)
    assert 890_000 < client.pttl(f"person-lock:{APP}") <= 900_000
    ours.show([APP], {APP: ADA}, NOW + 899.95)
    assert wait_until(lambda: theirs.lock(APP, "api.out.1") is None, 10)
    assert wait_until(lambda: not client.exists(f"person-lock:{APP}"), 10)


def test_a_lock_that_is_over_holds_nobody_while_another_keeps_its_key_alive(
    server: RedisServer, client: redis.Redis
) -> None:
    ours, theirs, third = (on_redis(server, each) for each in (OURS, THEIRS, THIRD))
    theirs.show([APP], {APP: BOB}, NOW)
    ours.show([APP], {APP: ADA}, NOW + 899.95)
    assert wait_until(lambda: theirs.lock(APP, "api.out.1") is None, 10)
    assert (third.lock(APP, "api.out.1") or "").startswith("Bob")
    theirs.unlock(APP, "api.out.1")
    theirs.show([APP], {APP: BOB}, NOW)
    assert list(client.hgetall(f"person-lock:{APP}")) == [THEIRS.encode()], "the other is swept"
    assert client.pttl(f"person-lock:{APP}") > 900_000


def test_a_redis_that_lost_its_data_is_shown_it_again(
    server: RedisServer, client: redis.Redis
) -> None:
    ours, theirs = on_redis(server, OURS), on_redis(server, THEIRS)
    ours.show([APP], {APP: ADA}, NOW)
    client.flushall()
    assert ours.show([APP], {APP: ADA}, NOW)
    assert theirs.lock(APP, "api.out.1") == BY_ADA


@pytest.mark.parametrize("shown", ["", "in a form of its own", '{"by": "Ada"}', "[]"])
def test_what_another_version_shows_still_keeps_others_out(
    server: RedisServer, client: redis.Redis, shown: str
) -> None:
    far = 4_000_000_000_000
    client.hset(f"person-lock:{APP}", THIRD, f"{far} {shown}")
    assert on_redis(server, OURS).lock(APP, "api.out.1") == (
        f"a person at another runbookd (installation {THIRD}) on the same Redis"
    )


def test_what_is_no_lock_at_all_is_survived(server: RedisServer, client: redis.Redis) -> None:
    client.hset(f"person-lock:{APP}", THIRD, "nothing of ours")
    assert on_redis(server, OURS).lock(APP, "api.out.1") is None
    client.set(f"person-lock:{VM}", "no hash")
    assert on_redis(server, OURS).lock(VM, "worker-vm.up.1") is None


def test_a_run_takes_its_lock_for_as_long_as_before(
    server: RedisServer, client: redis.Redis
) -> None:
    on_redis(server, OURS).lock(APP, "api.out.1")
    assert client.get(f"lock:{APP}") == f"{OURS}/api.out.1".encode()
    assert LOCK_MS - 5_000 < client.pttl(f"lock:{APP}") <= LOCK_MS


def test_without_redis_nothing_is_shown_and_nobody_is_held() -> None:
    away = connect(f"redis://127.0.0.1:{free_port()}/0", 0.1, lambda: OURS)
    assert not away.show([APP], {APP: ADA}, NOW)
    assert away.locked_elsewhere(APP) is None
    none = connect("", 0.1, lambda: OURS)
    assert none.show([APP], {APP: ADA}, NOW), "there is nobody to be shown it"
    assert none.locked_elsewhere(APP) is None


# ---- Two installations, each with its own database, on one Redis ----


BOOK = RuleBook(rules=(), targets={"api": API, "worker-vm": WORKER}, hash="0123456789ab")
RUN = request_for("vertical_scale", WORKER)


@dataclass
class Installation:
    """One of them: what its people may do, and a worker whose vendor is a fake."""

    stores: Stores
    people: People
    worker: FakeWorker

    def person(self, name: str = "anna") -> Person:
        return Person(name, frozenset({Role.OPERATOR}))

    def put(self, kind: str, target: str, lasts: str = "30m", by: str = "anna") -> Control:
        why = "I move it"
        return self.people.put(self.person(by), kind, Scope(target), lasts, why)[0]

    def ran(self, number: int) -> str:
        """What a run of its worker came to."""
        request = replace(RUN, id=f"worker-vm.up.{number}")
        self.worker.execute(request)
        outcome = self.worker.runs.outcomes[request.id]
        return outcome.status if outcome.status == "succeeded" else outcome.reason


@pytest.fixture
def install(
    server: RedisServer, client: redis.Redis, tmp_path: Path
) -> Iterator[Callable[[str], Installation]]:
    made: list[Stores] = []

    def one(name: str) -> Installation:
        settings = load_settings(
            {
                "DATABASE_URL": f"sqlite:///{tmp_path / name}.db",
                "REDIS_URL": server.url,
                "REDIS_TIMEOUT_S": "5",
                "SANDBOX_URL": "http://127.0.0.1:1",
                "RUNBOOKD_HOME": str(tmp_path),
            }
        )
        stores = Stores(settings)
        stores.migrate()
        made.append(stores)
        worker = FakeWorker(locks=stores.coordination)  # type: ignore[arg-type]
        worker.controls = ControlStore(stores.engine, bell_of(stores.engine))  # type: ignore[assignment]
        worker.book = BOOK
        return Installation(stores, build_people(stores, lambda: BOOK), worker)

    yield one
    for each in made:
        each.queue.close()
        each.engine.dispose()


def test_a_lock_at_one_installation_holds_the_run_of_another_until_it_is_ended(
    install: Callable[[str], Installation],
) -> None:
    one, other = install("one"), install("other")
    one.put(LOCK, "worker-vm")
    held = other.ran(1)
    assert held.startswith("worker-vm is locked by anna, a person at another runbookd")
    assert f"installation {one.stores.installation}" in held
    assert held.endswith(": I move it.")
    assert other.worker.runs.checks["worker-vm.up.1"][-1].guard == "locked"
    one.people.unlock(one.person(), "worker-vm")
    assert other.ran(2) == "succeeded"


@pytest.mark.parametrize("kind", [PAUSE, HOLD])
def test_what_is_no_lock_is_shown_to_nobody(
    install: Callable[[str], Installation], client: redis.Redis, kind: str
) -> None:
    install("one").put(kind, "worker-vm")
    assert client.keys("person-lock:*") == []


def test_of_two_locks_the_one_that_lasts_is_shown_and_then_the_other(
    install: Callable[[str], Installation],
) -> None:
    one, other = install("one"), install("other")
    one.put(LOCK, "worker-vm", "30m", by="anna")
    longer = one.put(LOCK, "worker-vm", "2h", by="bob")
    assert "locked by bob" in other.ran(1)
    one.people.end(one.person("bob"), LOCK, longer.id)
    assert "locked by anna" in other.ran(2)


def test_what_was_ended_while_redis_was_away_holds_its_own_installation_no_more(
    install: Callable[[str], Installation],
) -> None:
    one, other = install("one"), install("other")
    lock = one.put(LOCK, "worker-vm")
    assert "worker-vm is locked until" in one.ran(1)
    # As SQL ends it: Redis is told nothing.
    one.worker.controls.end([lock.id], "anna", lock.since + 1)  # type: ignore[attr-defined]
    assert one.ran(2) == "succeeded"
    assert "locked by anna" in other.ran(1)
    LockMirrorRound(one.worker.parts)(False)
    assert other.ran(2) == "succeeded"


def test_a_redis_that_was_restarted_has_the_lock_again_after_a_round(
    install: Callable[[str], Installation], client: redis.Redis
) -> None:
    one, other = install("one"), install("other")
    one.put(LOCK, "worker-vm")
    client.flushall()
    LockMirrorRound(one.worker.parts)(True)
    assert "locked by anna" in other.ran(1)


def test_the_owner_of_a_lock_may_run_and_only_at_the_own_installation(
    install: Callable[[str], Installation],
) -> None:
    """A name is known to one installation; the same name at another may be somebody else."""
    one, other = install("one"), install("other")
    one.put(LOCK, "worker-vm")
    asked = replace(RUN, origin=replace(RUN.origin, kind="person", by="anna"))
    for each in (one, other):
        each.worker.execute(asked)
    assert one.worker.runs.outcomes[RUN.id].status == "succeeded"
    assert "locked by anna, a person at another" in other.worker.runs.outcomes[RUN.id].reason
