"""Old rows that go into files of a bucket: each batch is a file, which is read back before its rows
are deleted.

A file has the rows in PostgreSQL's own text form of COPY, compressed by gzip. Its key names what is
in it by a SHA-256, so a file that a former execution has put is found again and not put twice. The
table that lists the files is written in the transaction that deletes the rows: a file that is not
listed counts for nothing, and its rows are still in their table.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from service.domain.errors import FailureKind, StepFailed, VendorError
from service.ports.app_database import AppDatabase, Batch, Filed, OldRows
from service.ports.bucket import NEW, Buckets, Contents, Place

MOST_BYTES = 64 * 1024 * 1024
"""Rows of one file before they are compressed: all of it is in memory, a few times over."""
_TYPE = "application/gzip"
_DIGEST = 32


@dataclass(frozen=True, slots=True)
class ArchiveFiles:
    """Files below `prefix` in a bucket. `fence` is called right before each write."""

    database: AppDatabase
    buckets: Buckets
    place: Place
    prefix: str
    fence: Callable[[], None]

    def move(self, batch: Batch) -> int:
        """One batch: how many rows went into a file, 0 where no row is there to take.

        Raises:
            StepFailed: the store gives back something else than was put. Nothing was deleted.
            VendorError: also TEMPORARY, where a row was changed while its file was written; nothing
                was deleted then.
        """
        rows = self.database.old_rows(batch)
        if not rows.lines:
            return 0
        contents, filed = packed(batch, rows, self.prefix)
        self.fence()
        self.buckets.put(self.place, filed.key, contents, NEW, public=False)
        self._verify(contents, filed)
        self.fence()
        if not self.database.delete_filed(batch, rows, filed):
            raise VendorError(
                "postgresql",
                f"delete rows of {batch.table}",
                FailureKind.TEMPORARY,
                f"Rows of {batch.table} were changed while they were written to {filed.key}, so "
                "none of this batch was deleted.",
            )
        return filed.rows

    def _verify(self, contents: Contents, filed: Filed) -> None:
        """Read the file back, unpack it, and count; also one that a former execution has put."""
        stored = self.buckets.look(self.place, filed.key, len(contents.body))
        body = stored.contents.body if stored and stored.contents else b""
        if not holds(body, filed):
            raise StepFailed(
                "move_rows",
                f"{filed.key} in bucket {self.place.bucket} was put, and does not hold the "
                f"{filed.rows:,} rows when it is read back. No row of it was deleted. Look at the "
                "object, and at the store's status page.",
            )


def packed(batch: Batch, rows: OldRows, prefix: str) -> tuple[Contents, Filed]:
    """The file of a batch, and its entry in the list.

    Raises:
        StepFailed: the rows are too large for one file.
    """
    text = b"".join(line + b"\n" for line in rows.lines)
    if len(text) > MOST_BYTES:
        raise StepFailed(
            "move_rows",
            f"{len(rows.lines):,} rows of {batch.table} have {len(text):,} bytes, and a file holds "
            f"at most {MOST_BYTES:,}. Nothing of this batch was moved. Give a smaller batch.",
        )
    sha256 = hashlib.sha256(text).hexdigest()
    # Without a time in it, the same rows make the same bytes.
    body = gzip.compress(text, mtime=0)
    key = f"{prefix}{batch.schema}.{batch.table}/{sha256[:_DIGEST]}.copy.gz"
    about = {"rows": str(len(rows.lines)), "sha256": sha256}
    contents = Contents(body, {"ContentType": _TYPE}, about)
    return contents, Filed(key, len(rows.lines), sha256, len(body))


def holds(body: bytes, filed: Filed) -> bool:
    """Whether these bytes are the file that is meant: its checksum and its count of rows."""
    try:
        text = gzip.decompress(body)
    except (OSError, EOFError):
        return False
    return hashlib.sha256(text).hexdigest() == filed.sha256 and text.count(b"\n") == filed.rows
