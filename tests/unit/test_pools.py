"""How large pools may be, what is wrong in a pool's file, and the files that are rendered."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.pools.files import QUERY_MS, STATEMENT_MS, node_pool, pgbouncer_ini
from service.domain.pools.node import find_faults
from service.domain.pools.size import (
    Demand,
    Pooler,
    Server,
    bounds,
    most_per_instance,
    most_pool_size,
)

FAULTY = """\
const { Pool } = require('pg');
const bouncer = require("pgbouncer");
module.exports = new Pool({
  // max: 1,
  max: 1_00,
  statement_timeout: 60000,
  query_timeout: 30000,
});
"""


def test_every_instance_has_a_pool_of_its_own() -> None:
    (bound,) = bounds(Demand(20, 100), Server(200), None)
    assert (bound.asked, bound.allowed, bound.holds) == (2_007, 157, False)
    assert bound.sentence == (
        "2,007 do not fit in the 157 that max_connections = 200 allows: 1,850 too many."
    )


def test_a_pooler_larger_than_the_server_is_refused_by_the_servers_bound() -> None:
    clients, server = bounds(Demand(20, 10), Server(200), Pooler(300, 200))
    assert clients.holds
    assert (server.asked, server.allowed, server.holds) == (307, 157, False)


def test_more_clients_than_a_pooler_takes_are_refused_by_its_own_bound() -> None:
    clients, server = bounds(Demand(20, 11), Server(200), Pooler(60, 200))
    assert (clients.asked, clients.allowed, clients.holds) == (220, 200, False)
    assert server.holds


@given(
    st.integers(1, 200),
    st.integers(1, 5_000),
    st.none() | st.builds(Pooler, st.integers(1, 50), st.integers(1, 5_000)),
)
def test_the_largest_pool_that_fits_is_the_largest(
    instances: int, max_connections: int, pooler: Pooler | None
) -> None:
    server = Server(max_connections)
    most = most_per_instance(Demand(instances, 1), server, pooler)
    first = 0 if pooler is not None else -1

    def fits(each: int) -> bool:
        return bounds(Demand(instances, each), server, pooler)[first].holds

    assert not fits(most + 1)
    assert most == 0 or fits(most)


@given(st.integers(1, 5_000))
def test_the_largest_pooler_that_fits_is_the_largest(max_connections: int) -> None:
    server, demand = Server(max_connections), Demand(1, 1)
    most = most_pool_size(demand, server)
    assert not bounds(demand, server, Pooler(most + 1, 1))[1].holds
    assert most == 0 or bounds(demand, server, Pooler(most, 1))[1].holds


def test_each_fault_of_a_file_is_found_at_its_line() -> None:
    found = find_faults(FAULTY, 10, Server(200))
    assert [(each.line, each.name) for each in found] == [
        (2, "pgbouncer is no module"),
        (5, "pools too large together"),
        (6, "statement_timeout as a startup parameter"),
        (7, "the client gives up first"),
    ]
    assert "Write max: 15, or put a pooler" in found[1].sentence


@pytest.mark.parametrize(
    ("was", "becomes", "gone"),
    [
        ('require("pgbouncer")', 'require("pg")', "pgbouncer is no module"),
        ("1_00", "15", "pools too large together"),
        ("statement_timeout: 60000,", "", "statement_timeout as a startup parameter"),
        ("query_timeout: 30000", "query_timeout: 60001", "the client gives up first"),
    ],
)
def test_a_fault_that_is_mended_is_found_no_more(was: str, becomes: str, gone: str) -> None:
    mended = FAULTY.replace(was, becomes)
    assert gone not in [each.name for each in find_faults(mended, 10, Server(200))]


def test_where_no_connection_fits_a_pooler_is_asked_for() -> None:
    found = find_faults("max: 1", 50, Server(20))
    assert found[0].sentence.endswith("Write max: 0: put a pooler before it.")


def test_the_rendered_pool_has_none_of_the_faults() -> None:
    assert find_faults(node_pool(Demand(10, 15)), 10, Server(200)) == []
    assert QUERY_MS > STATEMENT_MS


def test_pgbouncers_file_has_the_numbers_and_lends_for_a_transaction() -> None:
    read = configparser.ConfigParser(comment_prefixes=(";",))
    read.read_string(pgbouncer_ini("quizmentor", "db.example.com", Pooler(60, 400)))
    assert read["databases"]["quizmentor"] == "host=db.example.com pool_size=60"
    settings = read["pgbouncer"]
    assert (settings["pool_mode"], settings["default_pool_size"]) == ("transaction", "60")
    assert settings["max_client_conn"] == "400"


@pytest.mark.parametrize(
    ("database", "host"),
    [
        ("quiz\n[pgbouncer]", "db"),
        ("quiz = host=elsewhere", "db"),
        ("", "db"),
        ("quiz", "db password=x"),
        ("quiz", "db\nadmin_users=x"),
    ],
)
def test_a_name_that_would_write_other_settings_is_refused(database: str, host: str) -> None:
    with pytest.raises(ValueError, match=r"characters|no name or address"):
        pgbouncer_ini(database, host, Pooler(60, 400))
