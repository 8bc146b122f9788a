"""The files that configure pools: PgBouncer's own, and an application's for node-postgres.

No address and no password stands in them: both come from the environment of who reads them.
"""

from __future__ import annotations

import re

from service.domain.pools.size import Demand, Pooler

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}\Z")

STATEMENT_MS, QUERY_MS = 30_000, 35_000
"""The database ends a query, and a little later the client would stop waiting for it: the other way
round the query runs on where nobody waits (the runbook has 60 s and 30 s)."""


def checked_name(name: str) -> str:
    """A database's or role's name that can stand in a file as it is.

    Raises:
        ValueError: it has other characters than letters, digits, _ and -.
    """
    if not _NAME.match(name):
        raise ValueError(f"{name!r} has characters that a name in this file cannot have")
    return name


def pgbouncer_ini(database: str, host: str, pooler: Pooler) -> str:
    """PgBouncer's file, in transaction mode, for one database at `host` (a name or an address).

    Raises:
        ValueError: a name could not stand in the file.
    """
    if not re.fullmatch(r"[A-Za-z0-9.:-]+", host):
        raise ValueError(f"{host!r} is no name or address of a host")
    return f"""\
; Rendered by `runbookd pool render pgbouncer`. User names and passwords stand in auth_file alone.
[databases]
{checked_name(database)} = host={host} pool_size={pooler.size}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = 6432
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt

; A server's connection is lent for one transaction. What a session would keep (SET, LISTEN,
; advisory locks) is lost after it.
pool_mode = transaction
default_pool_size = {pooler.size}
max_client_conn = {pooler.clients}

; Who waits longer than this for a connection hears an error, which is better than hanging.
query_wait_timeout = 10
server_idle_timeout = 60
; From PgBouncer 1.21 on, remove the semicolon before the next line: then prepared statements work.
; An older PgBouncer does not know the line, and they have to be off in the application.
;max_prepared_statements = 100
"""


def node_pool(demand: Demand) -> str:
    """A module for node-postgres; `per_instance` of the demand is the pool's maximum."""
    return f"""\
// Rendered by `runbookd pool render node`.
// At most {demand.instances} instances run. Their pools together are {demand.pools:,} connections.
// The database ends a query after {STATEMENT_MS // 1000} s. Set that once in the database, because
// a pooler refuses it at connecting:
//   ALTER ROLE <the application's role> SET statement_timeout = '{STATEMENT_MS}ms';
const {{ Pool }} = require('pg');

const pool = new Pool({{
  connectionString: process.env.DATABASE_URL,
  max: {demand.per_instance},
  idleTimeoutMillis: 30000,
  connectionTimeoutMillis: 2000,
  query_timeout: {QUERY_MS}, // longer than the database's own, so that no query runs on unseen
  keepAlive: true,
  keepAliveInitialDelayMillis: 10000,
}});

// An idle connection that breaks is no reason to stop: the pool opens another one.
pool.on('error', (error) => console.error('An idle database connection broke:', error.message));

// Give the connections back before the instance is taken away.
process.once('SIGTERM', () => pool.end());

module.exports = pool;
"""
