"""What is asked of primary and replica over SQL, on a streaming pair of real PostgreSQL servers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

import psycopg
import pytest

from service.catalogue.supabase.replicas import fault_of
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports.supabase import Address, Sight
from service.providers.supabase_sql import SupabaseSql
from service.providers.waits import Timeouts
from tests.fakes.clock import FakeClock
from tests.fakes.database import FakeDatabase, FakeSql
from tests.fakes.runs import FakeRun, planned, request_for, works_on
from tests.postgres import PostgresServer, Standby, postgres_server

TEMPLATE = "postgresql://{user}@/postgres?host={host}"
NAME = "project-1-rr-us-east-1-1"


@dataclass(frozen=True)
class Pair:
    """A primary, its replica, and where they are."""

    server: PostgresServer
    standby: Standby

    @property
    def primary(self) -> Address:
        return Address("project-1", self.server.sockets, self.server.role)

    @property
    def replica(self) -> Address:
        return Address(NAME, self.standby.sockets, self.server.role)


@pytest.fixture(scope="module")
def made() -> Iterator[Pair]:
    with postgres_server() as server, server.standby() as standby:
        yield Pair(server, standby)


@pytest.fixture
def pair(made: Pair) -> Iterator[Pair]:
    yield made
    made.standby.execute("select pg_wal_replay_resume()")


SQL = SupabaseSql(TEMPLATE)


def until_it_follows(pair: Pair) -> Sight:
    """Looks until the replica shows a mark, however busy the machine is."""
    mark = SQL.heartbeat(pair.primary)
    for _ in range(100_000):
        sight = SQL.sight(pair.replica, mark)
        if not fault_of(sight, mark):
            return sight
    raise AssertionError(f"it never followed: {sight}")


def test_a_replica_that_streams_shows_what_the_primary_has_just_written(pair: Pair) -> None:
    sight = until_it_follows(pair)
    assert sight.in_recovery
    assert sight.behind_bytes <= 0
    assert sight.refused_with == "25006"


def test_a_replica_is_not_late_because_its_primary_is_idle(pair: Pair) -> None:
    """now() - pg_last_xact_replay_timestamp() would grow all the time."""
    until_it_follows(pair)
    first = SQL.heartbeat(pair.primary)
    lags = []
    for _ in range(100_000):
        sight = SQL.sight(pair.replica, first)
        if not fault_of(sight, first):
            lags.append(sight.lag_s)
        if len(lags) == 3:
            break
    assert lags == [0.0, 0.0, 0.0]


def test_a_paused_replay_is_behind_by_the_heartbeat_and_says_all_the_same_that_it_is_a_replica(
    pair: Pair,
) -> None:
    until_it_follows(pair)
    pair.standby.execute("select pg_wal_replay_pause()")
    mark = SQL.heartbeat(pair.primary)
    sight = SQL.sight(pair.replica, mark)
    assert sight.in_recovery
    assert sight.behind_bytes > 0
    assert f"is {sight.behind_bytes} bytes behind" in fault_of(sight, mark)


def test_a_primary_in_the_place_of_a_replica_is_found_out(pair: Pair) -> None:
    mark = SQL.heartbeat(pair.primary)
    sight = SQL.sight(pair.primary, mark)
    assert (sight.in_recovery, sight.refused_with) == (False, "")
    assert fault_of(sight, mark) == "is no replica: it takes writes of its own"


def test_a_replica_of_another_primary_is_found_out(pair: Pair) -> None:
    sight = until_it_follows(pair)
    mark = SQL.heartbeat(pair.primary)
    assert "follows another primary" in fault_of(sight, replace(mark, system_identifier="1"))


def test_open_connections_of_the_applications_roles_are_counted_and_ours_are_not(
    pair: Pair,
) -> None:
    role = pair.server.role
    assert SQL.readers(pair.replica, [role]) == 0
    uri = f"postgresql://{role}@/postgres?host={pair.standby.sockets}"
    with closing(psycopg.connect(uri)), closing(psycopg.connect(uri)):
        assert SQL.readers(pair.replica, [role]) == 2


def test_readers_of_a_role_that_is_not_known_are_not_taken_for_nobody(pair: Pair) -> None:
    with pytest.raises(VendorError, match="has no role somebody, so who reads") as raised:
        SQL.readers(pair.replica, [pair.server.role, "somebody"])
    assert raised.value.kind is FailureKind.PERMANENT


@pytest.mark.parametrize("frozen", [False, True])
def test_a_server_that_is_away_or_frozen_is_a_passing_failure_without_the_password(
    frozen: bool,
) -> None:
    quick = SupabaseSql(
        "postgresql://{user}:pass-not-real@/postgres?host={host}", Timeouts(connect=1.0, read=1.0)
    )
    with postgres_server() as server:
        at = Address("project-1", server.sockets, server.role)
        if frozen:
            with server.frozen(), pytest.raises(VendorError) as caught:
                quick.heartbeat(at)
        else:
            server.stop()
            with pytest.raises(VendorError) as caught:
                quick.heartbeat(at)
            server.start()
    assert caught.value.kind is FailureKind.TEMPORARY
    assert "pass-not-real" not in str(caught.value)
    assert "database project-1" in caught.value.sentence


def test_what_a_role_may_not_do_is_refused_for_good_and_names_the_setting(pair: Pair) -> None:
    with psycopg.connect(
        f"postgresql://{pair.server.role}@/postgres?host={pair.server.sockets}", autocommit=True
    ) as connection:
        connection.execute("create role nobody_special login")
        connection.execute("revoke execute on function pg_control_system() from public")
    with pytest.raises(VendorError) as caught:
        SQL.heartbeat(replace(pair.primary, user="nobody_special"))
    assert caught.value.kind is FailureKind.PERMANENT
    assert "SUPABASE_SQL_URL" in caught.value.sentence


# ---- A run of set_replicas, with the pair as its databases ----


class OnThePair(FakeSql):
    """A project in memory whose databases are the real pair."""

    pair: Pair

    def heartbeat(self, primary):  # type: ignore[no-untyped-def]
        return SQL.heartbeat(self.pair.primary)

    def sight(self, replica, mark):  # type: ignore[no-untyped-def]
        return SQL.sight(self.pair.replica, mark)


def run_on(pair: Pair) -> FakeRun:
    clock = FakeClock()
    database = FakeDatabase(clock, variant="ci_small")
    database.asked = OnThePair(database)
    database.asked.pair = pair
    target = SupabaseTarget(
        "database",
        "project-1",
        ("ci_micro", "ci_small"),
        replicas={
            "max": 2,
            "regions": ["us-east-1"],
            "max_lag_s": 10.0,
            "readers": ["postgres"],
        },
    )
    request = request_for("set_replicas", target, options={"replicas": 1})
    run = planned(works_on(clock, database=database), request, clock)
    run.step("setup_1")
    run.step("await_replicas")
    return run


def test_a_run_on_a_pair_whose_replay_is_paused_fails_with_the_bytes_and_the_time(
    pair: Pair,
) -> None:
    run = run_on(pair)
    until_it_follows(pair)
    pair.standby.execute("select pg_wal_replay_pause()")
    with pytest.raises(StepFailed, match=rf"Replica {NAME} .* is \d+ bytes behind for 10 s"):
        run.step("verify_replicas")


def test_a_run_on_a_pair_that_streams_is_proven_on_the_replica_itself(pair: Pair) -> None:
    until_it_follows(pair)
    run = run_on(pair)
    proof = run.step("verify_replicas")[NAME]
    assert "of the primary, 0.0 s old" in proof
