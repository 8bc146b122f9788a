"""Web and worker do their work with no more rights than docs/operations.md gives their roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from service.bootstrap.stores import Stores
from service.domain.people import AuditEntry
from service.domain.rules.told import ProcessRules
from service.messages.rules import mended, refused
from service.settings import load_settings
from service.store.audit import AuditStore
from service.store.database import open_engine
from service.store.rulebooks import RulebookStore
from tests.contract.test_control_on_both import CONTROL, RUN, WHY, Service
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
        stand.environment["DATABASE_URL"] = as_role(address, WORKER)
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


@pytest.mark.parametrize("role", [WEB, WORKER])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET who = 'nobody'",
        "UPDATE audit SET outcome = 'done'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "DROP TABLE audit",
    ],
)
def test_no_role_changes_or_removes_what_the_audit_holds(
    address: sa.URL, role: str, statement: str
) -> None:
    with (
        psycopg.connect(as_role(address, role)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


@pytest.mark.parametrize("role", [WEB, WORKER])
def test_each_role_adds_to_the_audit_and_reads_it(address: sa.URL, role: str) -> None:
    engine = open_engine(as_role(address, role))
    audit = AuditStore(engine)
    audit.keep(AuditEntry(1.0, "anna", "api", "", "pause", "api", "exams"))
    (entry,) = audit.entries(5).items
    engine.dispose()
    assert (entry["who"], entry["verb"], entry["outcome"]) == ("anna", "pause", "done")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tokens VALUES ('eve', 'admin', '', 'x', 0, 'eve', NULL, NULL)",
        "UPDATE tokens SET revoked_at = NULL",
        "DELETE FROM tokens",
    ],
)
def test_a_worker_lets_nobody_in(address: sa.URL, statement: str) -> None:
    with (
        psycopg.connect(as_role(address, WORKER)) as worker,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        worker.execute(statement.encode())


def test_people_use_the_operator_api_with_webs_role(address: sa.URL) -> None:
    service = Service(as_role(address, WEB))
    try:
        assert service.post("olga", "/pauses", CONTROL)[0] == 201
        assert service.post("olga", "/targets/api/resume", WHY)[0] == 200
        status, made = service.post("olga", "/runs", RUN)
        assert status == 201, made
        assert service.queued(made["id"])
        assert service.post("olga", f"/runs/{made['id']}/cancel", WHY)[0] == 202
        body = {"name": "eve", "roles": ["viewer"]}
        for _ in range(2):  # the second time in place of the one that was revoked
            status, made = service.post("ada", "/tokens", body)
            assert status == 201, made
            assert service.sent(made["secret"], "GET", "/me")[0] == 200
            assert service.ask("ada", "DELETE", "/tokens/eve")[0] == 200
        assert service.post("vera", "/pauses", CONTROL)[0] == 403
        assert len(service.audited()) == 9
    finally:
        service.close()


@pytest.mark.parametrize(("role", "process"), [(WEB, "web"), (WORKER, "worker")])
def test_each_role_tells_which_rules_its_process_has_and_that_it_ends(
    address: sa.URL, role: str, process: str
) -> None:
    engine = open_engine(as_role(address, role))
    store = RulebookStore(engine)
    mine = ProcessRules(
        *("p-1", process, "host", 1, "abc", 1.0, ("rules.yml:1: no.",), 1.0, (), "", 1.0)
    )
    store.say(mine, refused(mine), mended(mine))
    store.keep_good("files", {"rules.yml": b"rules:"})
    assert store.asked() == ""
    assert [each.hash for each in store.all(1.0)] == ["abc"]
    store.leave("p-1")
    assert not store.all(1_000.0)
    engine.dispose()
