"""The cooldown gate and the locks, on the Redis that is embedded and on the one of servers."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from service.domain.decisions.claims import BUSY_UNTIL, Cooldown
from service.domain.decisions.decision import Decision, Verdict
from service.ports.admission import Delivery
from service.store.coordination import HOLD_MS, LOCK_MS, Coordination, connect
from service.store.database import open_engine
from tests.contract.admission import SqlDesk, all_at_once
from tests.databases import SqliteFiles
from tests.fakes.alerts import ERRORS, MEMORY, NOW, alert, delivery
from tests.fakes.journal import saw
from tests.processes import free_port, wait_until
from tests.redis_servers import VERSIONS, RedisServer, executable

ACT, HOLD = Verdict.ACT, Verdict.HOLD
OURS, THEIRS = "0a1b2c3d", "4e5f6a7b"
"""Two installations on one Redis."""
TIMEOUT_S = 0.1
"""The product's own: Redis is given 100 ms."""
TOO_LONG_S = 2.0
"""More than that time-out on a busy machine, and less than if Redis were asked again and again."""


@pytest.fixture(scope="module", params=VERSIONS)
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    home = Path(tempfile.mkdtemp())
    running = RedisServer(executable(request.param), home)
    running.start()
    yield running
    running.stop()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def client(server: RedisServer) -> redis.Redis:
    server.client.flushall()
    return server.client


@pytest.fixture
def gate(server: RedisServer, client: redis.Redis) -> Coordination:
    """The gate, patient enough for a busy machine; how long it waits is tested by itself."""
    return _gate(server.url)


@pytest.fixture(scope="module")
def sqlite_files(tmp_path_factory: pytest.TempPathFactory) -> SqliteFiles:
    return SqliteFiles(tmp_path_factory.mktemp("gate"))


@pytest.fixture
def sql(sqlite_files: SqliteFiles) -> Iterator[sa.Engine]:
    opened = open_engine(sqlite_files.fresh())
    yield opened
    opened.dispose()


def _gate(url: str, timeout_s: float = 5.0, installation: str = OURS) -> Coordination:
    return connect(url, timeout_s, lambda: installation)


def _key(claim: str) -> bytes:
    return f"cooldown:{OURS}:{claim}".encode()


def _cooldown(until: float, run: str = "api.out.1") -> Cooldown:
    return Cooldown(run.rpartition(".")[0], int(run.rpartition(".")[2]), until, run)


# ---- the gate ----


def test_free_claims_are_held_and_resting_ones_named_in_one_round_trip(
    gate: Coordination, client: redis.Redis
) -> None:
    gate.ask(["warm-up"], "t0")
    client.set(_key("api.out"), "api.out.7")
    client.config_resetstat()
    reply = gate.ask(["api.out", "worker-vm.up", "database.up"], "t1")
    told = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
    calls = client.info("commandstats")["cmdstat_evalsha"]["calls"]
    assert (reply.available, dict(reply.cooling)) == (True, {"api.out": "api.out.7"})
    assert calls == 1
    assert told - {"info", "config|resetstat", "config"} == {"evalsha", "get", "set"}
    assert client.get(_key("worker-vm.up")) == b"hold:t1"
    assert 0 < client.pttl(_key("worker-vm.up")) <= HOLD_MS


def test_anothers_hold_is_no_rest_and_is_left_alone(
    gate: Coordination, client: redis.Redis
) -> None:
    gate.ask(["api.out"], "t1")
    assert gate.ask(["api.out"], "t2").cooling == {}
    assert client.get(_key("api.out")) == b"hold:t1"


def test_a_hold_of_a_process_that_died_expires(gate: Coordination, client: redis.Redis) -> None:
    gate.ask(["api.out"], "t1")
    client.pexpire(_key("api.out"), 20)
    assert wait_until(lambda: not client.exists(_key("api.out")), 10)
    assert gate.ask(["api.out"], "t2").cooling == {}
    assert client.get(_key("api.out")) == b"hold:t2"


def test_only_its_own_holds_are_given_back(gate: Coordination, client: redis.Redis) -> None:
    gate.ask(["theirs"], "t1")
    client.set(_key("resting"), "resting.1")
    gate.ask(["ours", "theirs", "resting"], "t2")
    gate.give_back(["ours", "theirs", "resting", "never asked"], "t2")
    assert {key: client.get(key) for key in client.scan_iter()} == {
        _key("theirs"): b"hold:t1",
        _key("resting"): b"resting.1",
    }


def test_after_the_commit_the_gate_knows_what_sql_decided(
    gate: Coordination, client: redis.Redis
) -> None:
    gate.ask(["api.out", "worker-vm.up", "database.up"], "t1")
    gate.settle(
        [
            _cooldown(BUSY_UNTIL),
            _cooldown(NOW + 60, "worker-vm.up.4"),
            _cooldown(NOW, "database.up.2"),
        ],
        "t1",
        NOW,
    )
    assert client.get(_key("api.out")) == b"api.out.1"
    assert client.get(_key("worker-vm.up")) == b"worker-vm.up.4"
    assert 59_000 < client.pttl(_key("worker-vm.up")) <= 60_000
    assert client.get(_key("database.up")) is None


def test_the_end_of_a_run_sets_how_long_its_claim_rests(
    gate: Coordination, client: redis.Redis
) -> None:
    client.set(_key("api.out"), "api.out.1")
    gate.cool_down("api.out", "api.out.1", NOW + 600, NOW)
    assert 599_000 < client.pttl(_key("api.out")) <= 600_000
    gate.cool_down("api.out", "api.out.1", NOW, NOW)
    assert client.get(_key("api.out")) is None
    gate.cool_down("api.out", "api.out.1", NOW + 600, NOW)
    assert client.get(_key("api.out")) == b"api.out.1"


@pytest.mark.parametrize("value", [b"api.out.2", b"hold:t1"])
def test_the_end_of_a_run_takes_nothing_from_a_later_one(
    gate: Coordination, client: redis.Redis, value: bytes
) -> None:
    client.set(_key("api.out"), value)
    gate.cool_down("api.out", "api.out.1", NOW + 600, NOW)
    gate.cool_down("api.out", "api.out.1", NOW, NOW)
    assert client.get(_key("api.out")) == value


def test_a_run_that_is_not_over_changes_nothing(gate: Coordination, client: redis.Redis) -> None:
    gate.cool_down("api.out", "api.out.1", BUSY_UNTIL, NOW)
    assert client.keys() == []


def test_what_somebody_else_wrote_there_is_survived(
    gate: Coordination, client: redis.Redis
) -> None:
    client.set(_key("api.out"), b"\xff\xfe")
    assert gate.ask(["api.out"], "t1").available
    client.delete(_key("api.out"))
    client.lpush(_key("api.out"), "a list")
    assert not gate.ask(["api.out"], "t1").available


def test_a_thousand_claims_are_asked_at_once(gate: Coordination) -> None:
    reply = gate.ask([f"claim-{number}" for number in range(1_000)], "t1")
    assert reply.available
    assert reply.cooling == {}


# ---- locks ----


def test_a_lock_keeps_others_out_and_names_its_owner(gate: Coordination) -> None:
    assert gate.lock("do-app:1", "api.out.1") is None
    assert gate.lock("do-app:1", "api.out.2") == "run api.out.1"
    assert gate.lock("do-app:2", "api.out.2") is None


def test_the_same_run_may_take_its_lock_again(gate: Coordination, client: redis.Redis) -> None:
    gate.lock("do-app:1", "api.out.1")
    client.pexpire("lock:do-app:1", 500)
    assert gate.lock("do-app:1", "api.out.1") is None
    assert LOCK_MS - 5_000 < client.pttl("lock:do-app:1") <= LOCK_MS


def test_only_the_owner_gives_a_lock_back(gate: Coordination) -> None:
    gate.lock("do-app:1", "api.out.1")
    gate.unlock("do-app:1", "api.out.2")
    assert gate.lock("do-app:1", "api.out.2") == "run api.out.1"
    gate.unlock("do-app:1", "api.out.1")
    assert gate.lock("do-app:1", "api.out.2") is None


def test_a_persons_lock_is_named_as_it_was_set(gate: Coordination, client: redis.Redis) -> None:
    client.set("lock:do-app:1", "Ada")
    assert gate.lock("do-app:1", "api.out.1") == "Ada"


def test_a_lock_keeps_the_run_of_the_same_name_of_another_installation_out(
    server: RedisServer, gate: Coordination
) -> None:
    other = _gate(server.url, installation=THEIRS)
    assert gate.lock("do-droplet:1", "worker-vm.up.1") is None
    assert other.lock("do-droplet:1", "worker-vm.up.1") == (
        f"run worker-vm.up.1 of another runbookd (installation {OURS}) on the same Redis"
    )
    other.unlock("do-droplet:1", "worker-vm.up.1")
    assert other.lock("do-droplet:1", "worker-vm.up.1") is not None


def test_a_cooldown_of_another_installation_is_neither_seen_nor_ended_nor_held(
    server: RedisServer, gate: Coordination
) -> None:
    other = _gate(server.url, installation=THEIRS)
    gate.settle([_cooldown(BUSY_UNTIL)], "t1", NOW)
    assert other.ask(["api.out"], "t2").cooling == {}
    other.cool_down("api.out", "api.out.1", NOW, NOW)
    other.give_back(["api.out"], "t1")
    assert gate.ask(["api.out"], "t3").cooling == {"api.out": "api.out.1"}


def test_a_lock_that_nobody_renews_is_free_again(gate: Coordination, client: redis.Redis) -> None:
    gate.lock("do-app:1", "api.out.1")
    client.pexpire("lock:do-app:1", 20)
    assert wait_until(lambda: gate.lock("do-app:1", "api.out.2") is None, 10)


def test_of_many_at_once_one_gets_the_lock(gate: Coordination) -> None:
    owners = [f"run-{number}" for number in range(8)]
    held = all_at_once([partial(gate.lock, "do-app:1", owner) for owner in owners])
    assert held.count(None) == 1


# ---- without Redis ----


def test_an_unreachable_redis_is_left_alone_for_a_second() -> None:
    now = [100.0]
    asked: list[float] = []

    class Dead(redis.Redis):
        def execute_command(self, *args: object, **options: object) -> object:
            asked.append(now[0])
            raise redis.ConnectionError("refused")

    gate = Coordination(Dead(), lambda: OURS, lambda: now[0])
    assert not gate.ask(["api.out"], "t1").available
    now[0] = 100.999
    assert not gate.ask(["api.out"], "t2").available
    assert gate.lock("do-app:1", "api.out.1") is None
    gate.settle([_cooldown(BUSY_UNTIL)], "t2", NOW)
    gate.give_back(["api.out"], "t2")
    assert asked == [100.0]
    now[0] = 101.0
    gate.ask(["api.out"], "t3")
    assert asked == [100.0, 101.0]


def test_a_refused_connection_costs_a_decision_no_more_than_the_time_out() -> None:
    gate = _gate(f"redis://127.0.0.1:{free_port()}/0", TIMEOUT_S)
    began = time.monotonic()
    assert not gate.ask(["api.out"], "t1").available
    assert time.monotonic() - began < TOO_LONG_S
    assert "does not answer" in (gate.ping() or "")


def test_a_redis_that_hangs_costs_a_decision_no_more_than_the_time_out(
    server: RedisServer, client: redis.Redis
) -> None:
    gate = _gate(server.url, TIMEOUT_S)
    server.process.pause()
    try:
        began = time.monotonic()
        reply = gate.ask(["api.out"], "t1")
        took = time.monotonic() - began
    finally:
        server.process.resume()
    assert not reply.available
    assert took < TOO_LONG_S


def test_without_an_address_decisions_are_made_on_sql_alone() -> None:
    gate = _gate("")
    assert not gate.ask(["api.out"], "t1").available
    assert gate.lock("do-app:1", "api.out.1") is None
    assert gate.ping() == "REDIS_URL is not set: decisions are made on SQL alone"


# ---- the whole decision ----


def _saw(decision: Decision) -> str:
    return saw(decision, "redis_gate")


def _fires(at: float) -> Delivery:
    return delivery(alert(), at=at)


def test_an_act_leaves_the_run_at_the_gate(
    gate: Coordination, client: redis.Redis, sql: sa.Engine
) -> None:
    desk = SqlDesk(sql, gate)
    (decision,) = desk.verdicts(_fires(NOW))
    assert (decision.verdict, _saw(decision)) == (ACT, "Redis: no cooldown of api.out")
    assert client.get(_key("api.out")) == b"api.out.1"
    (decision,) = desk.verdicts(_fires(NOW + 1))
    assert (decision.verdict, _saw(decision)) == (
        HOLD,
        "Redis: cooldown of api.out, after api.out.1",
    )


def test_with_redis_down_sql_decides_and_says_so(sql: sa.Engine) -> None:
    desk = SqlDesk(sql, _gate(f"redis://127.0.0.1:{free_port()}/0", TIMEOUT_S))
    decisions = [desk.verdicts(_fires(NOW + each))[0] for each in range(3)]
    assert [decision.verdict for decision in decisions] == [ACT, HOLD, HOLD]
    assert {_saw(each) for each in decisions} == {"Redis did not answer: decided on SQL alone"}


def test_flushed_in_between_what_rests_in_sql_is_held(
    gate: Coordination, client: redis.Redis, sql: sa.Engine
) -> None:
    desk = SqlDesk(sql, gate)
    desk.admit(_fires(NOW))
    client.flushall()
    (decision,) = desk.verdicts(_fires(NOW + 1))
    assert decision.verdict is HOLD
    assert [(check.guard, check.passed) for check in decision.checks] == [
        ("resolved", True),
        ("paused", True),
        ("person_lock", True),
        ("redis_gate", True),
        ("in_progress", False),
    ]
    assert client.get(_key("api.out")) == b"api.out.1"


def test_restored_from_an_old_snapshot_sql_decides_both_ways(
    server: RedisServer, client: redis.Redis, sql: sa.Engine
) -> None:
    """The snapshot says that `api` rests and knows nothing of `worker-vm`; SQL has it the other
    way round."""
    desk = SqlDesk(sql, _gate(server.url))
    desk.admit(_fires(NOW))
    snapshot = server.save()
    desk.admit(delivery(alert(MEMORY)))
    desk.rest("api.out", NOW + 600)
    server.restore(snapshot)
    desk = SqlDesk(sql, _gate(server.url))
    api, worker = desk.verdicts(delivery(alert(), alert(MEMORY), at=NOW + 600))
    assert (api.verdict, api.run) == (ACT, "api.out.2")
    assert _saw(api) == (
        "Redis still has a cooldown of api.out, after api.out.1; SQL, which decides, has none"
    )
    assert (worker.verdict, worker.guard) == (HOLD, "in_progress")
    assert client.get(_key("api.out")) == b"api.out.2"
    assert client.get(_key("worker-vm.up")) == b"worker-vm.up.1"


def test_the_hold_of_another_process_does_not_hold_ours_back(
    gate: Coordination, client: redis.Redis, sql: sa.Engine
) -> None:
    gate.ask(["api.out"], "another process that decides now")
    (decision,) = SqlDesk(sql, gate).verdicts(_fires(NOW))
    assert decision.verdict is ACT
    assert client.get(_key("api.out")) == b"api.out.1"


def test_a_failed_commit_gives_its_holds_back_and_no_others(
    gate: Coordination, client: redis.Redis, sql: sa.Engine
) -> None:
    def refuse(_connection: sa.Connection, _run: object) -> None:
        raise LookupError("the queue refuses")

    gate.ask(["worker-vm.up"], "theirs")
    with pytest.raises(LookupError):
        SqlDesk(sql, gate, refuse).admit(delivery(alert(), alert(MEMORY)))
    assert client.keys() == [_key("worker-vm.up")]


def test_pages_do_not_ask_the_gate(client: redis.Redis, gate: Coordination, sql: sa.Engine) -> None:
    (decision,) = SqlDesk(sql, gate).verdicts(delivery(alert(ERRORS)))
    assert decision.verdict is ACT
    assert client.keys() == []
