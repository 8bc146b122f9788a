"""A process that moves batches into files until it is killed; it gets the addresses of the database
and of the store, the bucket and the cut-off."""

from __future__ import annotations

import sys
from dataclasses import replace

from service.catalogue.app_database.archive_files import ArchiveFiles
from service.ports.app_database import Batch
from service.ports.bucket import Place
from service.providers.postgresql import PostgresDatabase
from service.providers.spaces import SpacesBuckets
from tests.contract.archiving import batch

LIST = "archived_user_sessions_files"


def into_files(cutoff: str) -> Batch:
    """Old rows of the table of the tests, into files."""
    return replace(batch(cutoff), into=LIST, rows=25)


def files(url: str, store: str, bucket: str) -> ArchiveFiles:
    """The files of the tests. Nobody else has the run."""
    buckets = SpacesBuckets(key="fake-key", secret="fake-secret")
    place = Place(store, "us-east-1", bucket)
    return ArchiveFiles(PostgresDatabase(url=url), buckets, place, "archive/", lambda: None)


def main() -> None:
    """Move until nothing is left; whoever started it kills it before."""
    url, store, bucket, cutoff = sys.argv[1:]
    ours = files(url, store, bucket)
    while ours.move(into_files(cutoff)):
        pass


if __name__ == "__main__":
    main()
