"""What `runbookd check` says of the options of archive_rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.rulebook_files import TARGETS, load, told

RULE = "rules:\n  - {name: x, match: [alertname=X], action: page_oncall}\n"
NAMES = "table: user_sessions, column: created_at"


def with_job(options: str) -> str:
    """A database and one job, which stands in line 8."""
    target = "targets:\n  app-database: {kind: app_database, roles: [quiz_app]}\n"
    job = f"{{every: '30 3 * * sun', action: archive_rows, target: app-database, with: {options}}}"
    return f"{target}{RULE}\n\njobs:\n  archive: {job}\n"


def test_options_are_read_with_their_defaults(tmp_path: Path) -> None:
    book = load(tmp_path, with_job(f"{{{NAMES}}}"))
    assert dict(book.jobs["archive"].options) == {
        "table": "user_sessions",
        "column": "created_at",
        "older_than": "90d",
        "batch": 1_000,
        "into": None,
        "over": "5GB",
        "ignore_lag": False,
        "to": "table",
        "bucket": None,
        "region": None,
        "endpoint": None,
        "prefix": "archive/",
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{column: created_at}", "archive_rows needs table: whose rows move"),
        ("{table: user_sessions}", "archive_rows needs column: by which rows are old"),
        (f"{{{NAMES}, into: user_sessions}}", "into is the table itself"),
        (f"{{{NAMES}, older_than: 23h}}", "older_than must be a duration of 1d or more"),
        (f"{{{NAMES}, older_than: soon}}", "older_than must be a duration of 1d or more"),
        (f"{{{NAMES}, batch: 0}}", "batch must be at least 1"),
        (f"{{{NAMES}, batch: 10001}}", "batch must be at most 10000"),
        (f"{{{NAMES}, over: 5}}", "over must be"),
        (f"{{{NAMES}, over: 5XB}}", "over must be"),
        (f"{{{NAMES}, into: 'x; DROP TABLE y'}}", "into must be"),
        ("{table: 'a b', column: created_at}", "table must be"),
        (f"{{{NAMES}, to: s3}}", "to must be"),
        (f"{{{NAMES}, to: bucket}}", "archive_rows to a bucket needs bucket: its name"),
        (f"{{{NAMES}, to: bucket, bucket: quiz}}", "needs region: the region of the bucket"),
        (f"{{{NAMES}, bucket: quiz}}", "bucket is of no use without to: bucket"),
        (f"{{{NAMES}, to: bucket, bucket: Quiz, region: nyc3}}", "bucket must be"),
        (f"{{{NAMES}, to: bucket, bucket: quiz, region: nyc3, prefix: a}}", "prefix must be"),
    ],
)
def test_what_cannot_be_archived_is_refused_by_line(
    tmp_path: Path, options: str, said: str
) -> None:
    (error,) = told(tmp_path, with_job(options))
    assert error.startswith("1.yml:8: job archive: with: "), error
    assert said in error


def test_it_needs_a_target_of_its_kind(tmp_path: Path) -> None:
    job = (
        f"jobs:\n  a: {{every: '0 3 * * *', action: archive_rows, target: vm, with: {{{NAMES}}}}}\n"
    )
    errors = told(tmp_path, TARGETS + RULE + job)
    assert any("archive_rows cannot change target vm of kind droplet" in each for each in errors)
