"""Web and worker do their work with no more rights than docs/operations.md gives their roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from service.bootstrap.stores import Stores
from service.settings import load_settings
from tests.crash.stand import Stand, a_stand
from tests.postgres import PostgresServer

DOCUMENT = Path(__file__).parents[2] / "docs/operations.md"
WEB, WORKER = "runbookd_web", "runbookd_worker"


def migrated(url: str) -> None:
    stores = Stores(load_settings({"DATABASE_URL": url}))
    stores.migrate()
    stores.engine.dispose()


@pytest.fixture
def address(postgres: PostgresServer) -> Iterator[sa.URL]:
    """A database whose owner has migrated it, and has granted what the document says."""
    text = postgres.create()
    migrated(text)
    grants = DOCUMENT.read_text().partition("```sql\n")[2].partition("```")[0]
    assert WEB in grants
    with psycopg.connect(text, autocommit=True) as owner:
        for role in (WEB, WORKER):
            owner.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'not-a-secret'")
        for grant in grants.strip().splitlines():
            owner.execute(grant.encode())
    yield sa.make_url(text)
    with psycopg.connect(text, autocommit=True) as owner:
        for role in (WEB, WORKER):
            owner.execute(f"DROP OWNED BY {role}")
            owner.execute(f"DROP ROLE {role}")


def as_role(address: sa.URL, role: str) -> str:
    return address.set(username=role, password="not-a-secret").render_as_string(hide_password=False)


@pytest.fixture
def stand(address: sa.URL, tmp_path: Path) -> Iterator[Stand]:
    """Alerts are admitted by web's role, and runs are executed by the worker's."""
    with a_stand(tmp_path, as_role(address, WEB)) as stand:
        stand._environment["DATABASE_URL"] = as_role(address, WORKER)
        yield stand


def test_an_alert_that_web_admits_is_acted_on_by_the_worker(address: sa.URL, stand: Stand) -> None:
    migrated(as_role(address, WEB))
    migrated(as_role(address, WORKER))
    stand.fire("High CPU Usage")
    stand.worker()
    stand.wait_for(lambda: stand.runs() == {"api.out.1": "succeeded"}, "the run to succeed")
    assert stand.instances() == 3


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO dbos.operation_outputs (workflow_uuid) VALUES ('x')",
        "UPDATE dbos.operation_outputs SET output = 'x'",
        "UPDATE dbos.queues SET partition_concurrency = 2",
        "UPDATE workers SET retired_at = 1",
        "DELETE FROM runs",
        "CREATE TABLE dbos.mine (id integer)",
    ],
)
def test_webs_role_cannot_change_what_is_the_workers(address: sa.URL, statement: str) -> None:
    with (
        psycopg.connect(as_role(address, WEB)) as web,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        web.execute(statement.encode())
