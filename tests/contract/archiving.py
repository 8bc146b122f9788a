"""A process that moves batches until it is killed; it gets the address and the cut-off."""

from __future__ import annotations

import sys

from service.ports.app_database import Batch
from service.providers.postgresql import PostgresDatabase

ROWS = 7
"""Rows of a batch: few, so that a kill comes in the middle of many."""


def batch(cutoff: str) -> Batch:
    """Old rows of the table of the tests."""
    return Batch(
        "public",
        "user_sessions",
        "archived_user_sessions",
        ("id", "created_at", "what"),
        "created_at",
        "timestamp with time zone",
        cutoff,
        ROWS,
    )


def main() -> None:
    """Move until nothing is left; whoever started it kills it before."""
    url, cutoff = sys.argv[1:]
    database = PostgresDatabase(url=url)
    while database.archive_batch(batch(cutoff)):
        pass


if __name__ == "__main__":
    main()
