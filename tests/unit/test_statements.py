"""Which texts of sessions are plain queries, and which would leave something half done."""

from __future__ import annotations

import pytest

from service.catalogue.app_database.statements import is_plain, verbs

PLAIN = [
    "SELECT 1",
    "select pg_sleep(600);",
    "  (SELECT 1) UNION (SELECT 2)",
    "/* route=/quiz; ALTER */ WITH a AS (SELECT 1) SELECT * FROM a",
    "-- CREATE INDEX\nUPDATE questions SET topic = 'a;b''c' WHERE id = 1",
    "BEGIN; SET LOCAL work_mem = '64MB'; SELECT 1",
    "SELECT 'VACUUM; REINDEX'",
    'SELECT "drop; table" FROM questions',
    "SELECT $$; ALTER TABLE a$$",
    "SELECT $body$ it's; $$ $body$",
    r"SELECT E'it\'s; x'",
]
SPARED = [
    "",
    ";",
    "<insufficient privilege>",
    "VACUUM questions",
    "vacuum (analyze) questions",
    "CREATE INDEX CONCURRENTLY a ON b (c)",
    "CREATE UNIQUE INDEX a ON b (c)",
    "REINDEX TABLE CONCURRENTLY questions",
    "COPY questions TO STDOUT",
    "ALTER TABLE questions ADD COLUMN a int",
    "ANALYZE questions",
    "CLUSTER questions",
    "REFRESH MATERIALIZED VIEW scores",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CALL move_partitions()",
    "SELECT 1; ALTER TABLE questions ADD COLUMN a int",
    "/* a comment */ -- and one more\n  ALTER TABLE questions ADD COLUMN a int",
    "/* /* */ SELECT 1 */ ALTER TABLE questions ADD COLUMN a int",
    r"SELECT E'\''; ALTER TABLE questions ADD COLUMN a int",
    "START_REPLICATION SLOT a LOGICAL 0/0",
    "EXPLAIN ANALYZE SELECT 1",
]


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_query_may_be_ended_whatever_its_texts_and_comments_hold(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize("text", SPARED)
def test_what_is_not_known_to_be_a_plain_query_is_spared(text: str) -> None:
    assert not is_plain(text)


def test_the_first_word_of_each_statement_is_told() -> None:
    assert verbs("begin; (select 1); 5") == ("BEGIN", "SELECT", "?")
