"""A database with a long history, put in directly: a million alerts in about a minute.

The same rows for the same number: alerts of the last thirty days, two to a notification, one
decision each; two in a hundred still fire, three in a hundred were acted on.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import psycopg
import sqlalchemy as sa

from benchmarks.payloads import alert
from service.domain.alerts.episodes import identity
from service.store import schema

NAMES = (
    "High CPU Usage",
    "High Memory Usage",
    "High Error Rate",
    "Slow Response Time",
    "Database Connection Pool Exhausted",
    *(f"Other Alert {number:02d}" for number in range(45)),
)
RULES = ("high-cpu", "high-memory", "high-error-rate", "slow-response", "database-pool", "default")
TARGETS = ("api", "worker-vm", None, None, "database", None)
SPAN_S = 30 * 86_400.0
_PROCESS = "5707ed00"
_CHECKS = json.dumps([{"guard": "cooldown", "passed": False, "saw": "api.out rests"}])

Row = dict[str, Any]


def fill(database_url: str, count: int, now: float) -> None:
    """Put `count` alerts into a database that has its tables and nothing in them."""
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        _fill_sqlite(str(url.database), count, now)
    else:
        _fill_postgres(database_url, count, now)


def _tables(count: int, now: float) -> Iterator[tuple[sa.Table, Iterator[Row]]]:
    step = SPAN_S / count
    first = now - SPAN_S - 60
    yield schema.deliveries, (_delivery(n, first + 2 * n * step) for n in range(count // 2))
    yield schema.alerts, (_alert(n, first + n * step) for n in range(count))
    yield schema.decisions, (_decision(n, first + n * step) for n in range(count))


def _fill_sqlite(path: str, count: int, now: float) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA synchronous=OFF")
    connection.execute("PRAGMA cache_size=-524288")
    for table, rows in _tables(count, now):
        names = [column.name for column in table.columns]
        columns = ", ".join(f'"{name}"' for name in names)
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
        connection.executemany(statement, (tuple(row[name] for name in names) for row in rows))
        connection.commit()
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _fill_postgres(database_url: str, count: int, now: float) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table, rows in _tables(count, now):
            names = [column.name for column in table.columns]
            columns = ", ".join(f'"{name}"' for name in names)
            statement = f"COPY {table.name} ({columns}) FROM STDIN"
            with connection.cursor().copy(statement.encode()) as copy:
                for row in rows:
                    copy.write_row([row[name] for name in names])
        # What autovacuum does by itself within minutes.
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def _id(prefix: str, number: int, at: float) -> str:
    return f"{prefix}-{int(at * 1000):011x}{number & 0xFFFFF:05x}{_PROCESS}"


def _delivery(number: int, at: float) -> Row:
    name = NAMES[number * 7 % len(NAMES)]
    return {
        "id": _id("n", number, at),
        "source": _source(number),
        "format": "alertmanager",
        "receiver": "runbookd",
        "group_key": f'{{}}:{{alertname="{name}"}}',
        "group_labels": json.dumps({"alertname": name}),
        "received_at": at,
        "alerts": 2,
        "truncated": 0,
        "notes": None,
        "replay": False,
    }


def _alert(number: int, at: float) -> Row:
    name = NAMES[number // 2 * 7 % len(NAMES)]
    fingerprint, firing = f"{number:016x}", number % 50 == 0
    source, sent = _source(number // 2), alert(name, f"api-{number}", fingerprint)
    body: Row = {
        "labels": sent["labels"],
        "annotations": sent["annotations"],
        "values": {},
        "starts_at": "2026-01-01T09:28:15.481000+00:00",
        "ends_at": None,
        "generator_url": sent["generatorURL"],
        "links": {},
        "notes": [],
    }
    rule = RULES[min(number // 2 * 7 % len(NAMES), 5)]
    return {
        "id": _id("a", number, at),
        "identity": identity(source, fingerprint),
        "newest": True,
        "open": firing,
        "source": source,
        "fingerprint": fingerprint,
        "name": name,
        "kind": "condition",
        "body": json.dumps(body),
        "first_seen": at,
        "last_seen": at + 30,
        "resolved_at": None if firing else at + 60,
        "times_seen": 2,
        "delivery": _id("n", number // 2, at),
        "verdicts": json.dumps({rule: [_id("d", number, at), "hold:cooldown"]}),
    }


def _decision(number: int, at: float) -> Row:
    kind = min(number // 2 * 7 % len(NAMES), 5)
    acted = number % 33 == 0
    run = f"{TARGETS[kind] or 'default'}.out.{number}" if acted else None
    return {
        "id": _id("d", number, at),
        "alert": _id("a", number, at),
        "delivery": _id("n", number // 2, at),
        "stage": "admission",
        "verdict": "act" if acted else "hold",
        "rule": RULES[kind],
        "action": "horizontal_scale",
        "target": TARGETS[kind],
        "direction": "out",
        "guard": "cooldown",
        "reason": "cooldown of api.out until 2026-01-01 09:38:15Z, after run api.out.1",
        "checks": _CHECKS,
        "until": None if acted else at + 600,
        "run": run,
        "rules_hash": "5707ed000000",
        "decided_at": at,
        "last_at": at,
        "times": 2,
    }


def _source(number: int) -> str:
    return "grafana" if number % 10 == 0 else "alertmanager"
