"""Supabase's query operation in the sandbox, with a real PostgreSQL behind it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from service.cli.sandbox import config_of
from service.settings import SettingsInvalid, load_settings
from tests.postgres import PostgresServer
from tests.unit.sandbox.support import PROJECT, Sandbox

QUERY = f"/supabase/v1/projects/{PROJECT}/database/query"


@pytest.fixture
def sandbox(postgres: PostgresServer) -> Iterator[Sandbox]:
    address = postgres.create()
    yield Sandbox(database_url=address)
    postgres.drop(address)


def asked(sandbox: Sandbox, query: str, path: str = QUERY, **body: Any) -> tuple[int, Any]:
    answer = sandbox.call("POST", path, {"query": query, **body})
    return answer.status_code, answer.json


def test_a_query_is_answered_by_the_database_and_what_it_writes_stays(sandbox: Sandbox) -> None:
    assert asked(sandbox, "CREATE TABLE quiz (id int); INSERT INTO quiz VALUES (7)") == (201, [])
    assert asked(sandbox, "SELECT id, 'a%' AS text FROM quiz") == (201, [{"id": 7, "text": "a%"}])
    assert asked(sandbox, "SELECT 1 AS one; SELECT 2 AS two") == (201, [{"two": 2}])


@pytest.mark.parametrize(
    ("path", "body"), [(f"{QUERY}/read-only", {}), (QUERY, {"read_only": True})]
)
def test_a_query_that_may_only_read_writes_nothing(
    sandbox: Sandbox, path: str, body: dict[str, Any]
) -> None:
    status, answer = asked(sandbox, "CREATE TABLE quiz (id int)", path, **body)
    assert status == 400
    assert "25006: cannot execute CREATE TABLE in a read-only transaction" in answer["message"]
    assert asked(sandbox, "SELECT to_regclass('quiz')")[1] == [{"to_regclass": None}]


def test_what_the_database_refuses_is_told_in_its_own_words(sandbox: Sandbox) -> None:
    status, answer = asked(sandbox, "SELECT * FROM nowhere")
    assert status == 400
    assert '42P01: relation "nowhere" does not exist' in answer["message"]


def test_a_project_that_restarts_answers_no_query(sandbox: Sandbox) -> None:
    settings = f"/supabase/v1/projects/{PROJECT}/config/database/postgres"
    sandbox.call("PUT", settings, {"work_mem": "16MB"})
    status, answer = asked(sandbox, "SELECT 2 AS two")
    assert (status, answer["message"]) == (
        400,
        "The database can't be reached while the project is RESTARTING",
    )


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://db.example.org/quiz", "leads to db.example.org"),
        ("postgresql://127.0.0.1,db.example.org/quiz", "leads to 127.0.0.1, db.example.org"),
        ("nonsense", "is no address of PostgreSQL"),
    ],
)
def test_a_database_elsewhere_is_refused_at_the_start(url: str, sentence: str) -> None:
    with pytest.raises(SettingsInvalid, match=sentence):
        config_of(load_settings({"SANDBOX_DATABASE_URL": url}))
