"""Ready means that a write comes to the disk, now: real faults of disks, files and servers."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import psutil
import pytest
from flask.testing import FlaskClient

from service.domain.errors import StoreUnavailable
from service.store.admissions import SqlJournal
from service.store.database import open_engine
from service.web.app import create_app
from tests.databases import PostgresDatabases
from tests.fakes.web import Stand, make_stand, sqlite_url
from tests.integration.payloads import alert, notification
from tests.postgres import postgres_server
from tests.processes import wait_until
from tests.reliability import VendorSaw, scenario
from tests.stack import Options, Stack

AM = "/webhooks/alertmanager"
PATIENCE_S = 60.0
ANSWER_S = 15.0
"""readyz gives the database one second; the rest is a busy machine's."""


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return make_stand(sqlite_url(tmp_path))


def deleted(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    copy.replace(path)


@scenario(
    "Where runbookd itself cannot work",
    "SQLite's file is deleted or replaced while web runs.",
    "Alerts are answered 503, so the sender keeps them. `/readyz` says 503 and what to do.",
)
@pytest.mark.parametrize("gone", [deleted, replaced])
def test_nothing_is_answered_200_into_a_file_that_is_not_there_any_more(
    stand: Stand, tmp_path: Path, gone: object, vendor_saw: VendorSaw
) -> None:
    client: FlaskClient = create_app(stand).test_client()
    assert client.post(AM, json=notification(alert(name="First"))).status_code == 200
    assert callable(gone)
    gone(tmp_path / "runbookd.db")
    refused = client.post(AM, json=notification(alert(name="Second")))
    assert refused.status_code == 503
    assert "was deleted or replaced" in refused.get_json()["error"]
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "restarted" in ready.get_json()["store"]
    vendor_saw([])


def test_a_file_that_goes_in_the_middle_of_a_commit_is_noticed_before_the_answer(
    tmp_path: Path,
) -> None:
    make_stand(sqlite_url(tmp_path)).engine.dispose()
    journal = SqlJournal(open_engine(sqlite_url(tmp_path)), lambda *_: None)
    with pytest.raises(StoreUnavailable, match="deleted or replaced"), journal.transaction():
        (tmp_path / "runbookd.db").unlink()


def test_in_a_storm_alerts_that_are_being_kept_are_proof_enough(stand: Stand) -> None:
    over = threading.Event()

    def behind_the_storm() -> None:
        over.wait(PATIENCE_S)

    client = create_app(replace(stand, prove_write=behind_the_storm)).test_client()
    assert client.get("/readyz").status_code == 503

    def ready_after_an_alert() -> bool:
        assert client.post(AM, json=notification(alert())).status_code == 200
        # Within a second of the commit; the question still hangs, so this waits for nothing.
        return client.get("/readyz").status_code == 200

    assert wait_until(ready_after_an_alert, PATIENCE_S)
    over.set()


def serving_process(stack: Stack) -> int:
    (child,) = psutil.Process(stack.processes["web"].pid).children()
    return int(child.pid)


def readiness(stack: Stack) -> httpx.Response:
    began = time.monotonic()
    response = httpx.get(f"{stack.web_urls['web']}/readyz", timeout=PATIENCE_S)
    assert time.monotonic() - began < ANSWER_S
    return response


@scenario(
    "Where runbookd itself cannot work",
    "The disk is full.",
    "Alerts are answered 503, so the sender keeps them, and `/readyz` says 503. With space again, "
    "both are well without a restart.",
)
def test_on_a_full_disk_it_is_not_ready_and_with_space_it_is_again(
    tmp_path: Path, vendor_saw: VendorSaw
) -> None:
    with Stack(tmp_path, Options(redis="none")) as stack:
        stack.migrate()
        stack.start_web()
        for number in range(20):
            stack.post(notification(alert(name=f"Alert {number}")))
        web = serving_process(stack)
        log = tmp_path / "runbookd.db-wal"
        # No file may grow beyond this: what a full disk is to the log that each commit goes to.
        hard = resource.prlimit(web, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(web, resource.RLIMIT_FSIZE, (log.stat().st_size, hard))
        assert stack.post(notification(alert(name="Too much"))).status_code == 503
        assert readiness(stack).status_code == 503
        resource.prlimit(web, resource.RLIMIT_FSIZE, (hard, hard))
        assert readiness(stack).status_code == 200
        assert stack.post(notification(alert(name="Enough"))).status_code == 200
    vendor_saw([])


@contextmanager
def frozen(pids: list[int]) -> Iterator[None]:
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@scenario(
    "Where runbookd itself cannot work",
    "PostgreSQL is frozen (SIGSTOP), and as many readers wait for it as web has threads.",
    "`/readyz` says 503 within its second, and `/healthz` goes on answering. Both are well again "
    "when the database is.",
)
def test_while_postgresql_is_frozen_health_is_answered_in_time(
    tmp_path: Path, vendor_saw: VendorSaw
) -> None:
    with postgres_server() as server:
        url = PostgresDatabases(server).fresh()
        options = Options(redis="none", database_url=url)
        with Stack(tmp_path, options) as stack:
            stack.start_web()
            postmaster = server._server.get_postmaster_info().process
            with frozen([postmaster.pid, *(each.pid for each in postmaster.children(True))]):
                # As many readers as there are threads hang; health has threads of its own.
                with httpx.Client(timeout=0.2) as readers:
                    for _ in range(10):
                        with pytest.raises(httpx.TimeoutException):
                            readers.get(f"{stack.web_urls['web']}/api/v1/runs")
                for _ in range(5):
                    said = readiness(stack)
                    assert said.status_code == 503
                    assert said.json()["store"] == "the database took no write within 1 s"
                assert httpx.get(f"{stack.web_urls['web']}/healthz", timeout=ANSWER_S).is_success
            assert wait_until(lambda: readiness(stack).status_code == 200, PATIENCE_S)
    vendor_saw([])
