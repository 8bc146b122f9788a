"""The rendered file of PgBouncer, held by the real one in front of a real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg

from service.domain.pools.files import pgbouncer_ini
from service.domain.pools.size import Pooler
from tests.poolers import pooler_of
from tests.postgres import PostgresServer

CLIENTS, SERVERS = 200, 5


def test_200_clients_share_5_connections_and_none_of_them_fails(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    address = postgres.create()
    database = str(psycopg.conninfo.conninfo_to_dict(address)["dbname"])
    text = pgbouncer_ini(database, "127.0.0.1", Pooler(SERVERS, 2 * CLIENTS))
    with pooler_of(text, address, tmp_path) as behind:

        def ask(number: int) -> tuple[int, int]:
            with closing(psycopg.connect(behind, autocommit=True)) as connection:
                row = connection.execute(
                    "SELECT %s, count(*) FROM pg_stat_activity WHERE datname = current_database() "
                    "AND backend_type = 'client backend'",
                    (number,),
                ).fetchone()
                assert row is not None
                return int(row[0]), int(row[1])

        with ThreadPoolExecutor(CLIENTS) as threads:
            answers = list(threads.map(ask, range(CLIENTS)))
    assert [number for number, _ in answers] == list(range(CLIENTS))
    assert max(open_ for _, open_ in answers) <= SERVERS
