"""What `runbookd check` says of the application's database: each sentence with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.catalogue.app_database.target import AppDatabaseTarget
from tests.unit.rulebook_files import load, told

TARGET = "  app: {kind: app_database, roles: [quiz_app]}\n"
RULE = """\
rules:
  - name: slow
    match: [alertname=Slow]
    action: kill_queries
    target: app
    cooldown: 10m
"""


def file(options: str = "", target: str = TARGET) -> str:
    """A rule file whose options stand on line 9."""
    given = f"    with: {options}\n" if options else ""
    return f"targets:\n{target}{RULE}{given}"


def test_a_rule_without_options_ends_what_runs_for_half_a_minute(tmp_path: Path) -> None:
    book = load(tmp_path, file())
    assert book.rules[0].options == {"older_than": "30s", "idle_older_than": "5m", "most": 20}
    assert book.targets["app"] == AppDatabaseTarget("app", ("quiz_app",))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("{older_than: 1s}", "older_than must be a duration of 5s to 1d, such as 30s, not '1s'."),
        ("{older_than: 2d}", "older_than must be a duration of 5s to 1d, such as 30s, not '2d'."),
        ("{older_than: 30}", "older_than must be a duration of 5s to 1d, such as 30s, not 30."),
        ("{older_than: null}", "older_than must be a duration of 5s to 1d, such as 30s, not"),
        (
            '{older_than: "30 s\'; DROP TABLE a"}',
            "older_than must be a duration of 5s to 1d, such as 30s, not",
        ),
        ("{idle_older_than: soon}", "idle_older_than must be a duration of 5s to 1d, such as 30s"),
        ("{most: 0}", "most must be at least 1, not 0."),
        ("{most: 51}", "most must be at most 50, not 51."),
        ("{most: all}", "most must be a whole number"),
        ("{sql: SELECT 1}", "unknown key sql"),
        ("{roles: [postgres]}", "unknown key roles"),
    ],
)
def test_an_option_that_cannot_be_is_refused_where_it_stands(
    tmp_path: Path, options: str, sentence: str
) -> None:
    (error,) = told(tmp_path, file(options))
    assert error.startswith("1.yml:9: rule slow: with: ")
    assert sentence in error


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("{kind: app_database}", "roles is missing: the roles that the application logs in as"),
        ("{kind: app_database, roles: []}", "roles must be a list of 1 to 50 names of roles"),
        ("{kind: app_database, roles: quiz_app}", "roles must be a list of 1 to 50 names"),
        (
            '{kind: app_database, roles: ["a\\nb"]}',
            "roles[1] must be a name of 1 to 63 bytes without line breaks",
        ),
        ("{kind: app_database, roles: [a], url: b}", "unknown key url"),
        ("{kind: app_database, roles: [a], console: psql}", "console must be an address that"),
    ],
)
def test_a_target_that_cannot_be_is_refused_where_it_stands(
    tmp_path: Path, target: str, sentence: str
) -> None:
    (error,) = told(tmp_path, file(target=f"  app: {target}\n"))
    assert error.startswith("1.yml:2: target app: ")
    assert sentence in error
