"""What is wrong in a pool's configuration for node-postgres, by line.

Each finding works on a quiet day and fails under load. The texts are read by their words, not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from service.domain.findings import Finding
from service.domain.pools.size import Demand, Server, most_per_instance

_COMMENT = re.compile(r"//.*$")
_MODULE = re.compile(r"""\brequire\(\s*['"]pgbouncer['"]\s*\)|\bfrom\s+['"]pgbouncer['"]""")
_NUMBER = r"\b{}\s*:\s*([0-9][0-9_]*)"


def find_faults(text: str, instances: int, server: Server) -> Sequence[Finding]:
    """The faults of a file, in the order of its lines.

    `instances` is the most that scaling may reach, each with a pool of its own.
    """
    lines = [_COMMENT.sub("", line) for line in text.splitlines()]
    found = [
        *_no_such_module(lines),
        *_pools_too_large(lines, instances, server),
        *_startup_parameter(lines),
        *_client_gives_up_first(lines),
    ]
    return sorted(found, key=lambda each: each.line)


def _number(lines: Sequence[str], key: str) -> tuple[int, int] | None:
    """The line and the value of a key that is given a number."""
    pattern = re.compile(_NUMBER.format(key))
    for line, text in enumerate(lines, 1):
        if found := pattern.search(text):
            return line, int(found[1].replace("_", ""))
    return None


def _no_such_module(lines: Sequence[str]) -> Iterator[Finding]:
    for line, text in enumerate(lines, 1):
        if _MODULE.search(text):
            yield Finding(
                line,
                "pgbouncer is no module",
                "PgBouncer is a program of its own that stands before PostgreSQL, and Node cannot "
                "load it. Remove the line, and give its address in DATABASE_URL.",
            )


def _pools_too_large(lines: Sequence[str], instances: int, server: Server) -> Iterator[Finding]:
    found = _number(lines, "max")
    if found is None:
        return
    line, most = found
    demand = Demand(instances, most)
    fits = most_per_instance(demand, server, None)
    if most > fits:
        yield Finding(
            line,
            "pools too large together",
            f"max is for each instance: {instances} instances may open {demand.pools:,} "
            f"connections, and max_connections = {server.max_connections} leaves them "
            f"{max(0, server.usable - demand.beside):,}. Write max: {fits}"
            + (", or put a pooler before the database." if fits else ": put a pooler before it."),
        )


def _startup_parameter(lines: Sequence[str]) -> Iterator[Finding]:
    found = _number(lines, "statement_timeout")
    if found is not None:
        yield Finding(
            found[0],
            "statement_timeout as a startup parameter",
            "node-postgres sends it as it connects, and PgBouncer in transaction mode refuses "
            "every connection with it (unsupported startup parameter). Remove it, and set it once "
            f"in the database: ALTER ROLE … SET statement_timeout = '{found[1]}ms'.",
        )


def _client_gives_up_first(lines: Sequence[str]) -> Iterator[Finding]:
    client, server = _number(lines, "query_timeout"), _number(lines, "statement_timeout")
    if client is not None and server is not None and client[1] <= server[1]:
        yield Finding(
            client[0],
            "the client gives up first",
            f"after query_timeout = {client[1]} ms the application hears an error, and the query "
            f"runs on in the database until statement_timeout = {server[1]} ms. Make "
            "query_timeout the longer of the two.",
        )
