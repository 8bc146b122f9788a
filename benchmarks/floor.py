"""The floor: the smallest Flask view that parses a notification and keeps it durably.

What a receiver that answers 2xx only for what is on disk can't do without: one INSERT with its
own commit per request, SQLite in WAL with synchronous=FULL. Everything runbookd does beside that
(matching, guards, deduplication, claims) has to be paid for by sharing commits.

    python -c "from benchmarks import floor; floor.prepare('/tmp/floor.db')"
    FLOOR_DB=/tmp/floor.db gunicorn --workers 2 --threads 8 --worker-class gthread \
        --bind 127.0.0.1:9001 "benchmarks.floor:create()"
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time

from flask import Flask, request

_local = threading.local()


def prepare(path: str) -> None:
    """Make the database, before there are processes: of two that did it at once, one would fail."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE TABLE kept (at REAL, status TEXT, body TEXT)")
    connection.close()


def create() -> Flask:
    """The application; the database file is FLOOR_DB, made by `prepare`."""
    path = os.environ["FLOOR_DB"]
    app = Flask("floor")

    @app.post("/webhooks/alertmanager")
    def keep() -> dict[str, int]:
        payload = json.loads(request.get_data())
        connection = _connection(path)
        connection.execute(
            "INSERT INTO kept VALUES (?, ?, ?)",
            (time.time(), payload["status"], json.dumps(payload)),
        )
        connection.commit()
        return {"alerts": len(payload["alerts"])}

    return app


def _connection(path: str) -> sqlite3.Connection:
    connection: sqlite3.Connection | None = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = sqlite3.connect(path, timeout=30)
        connection.execute("PRAGMA synchronous=FULL")
    return connection
