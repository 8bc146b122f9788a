"""A sandbox, a database and workers that die on order, for one crash at a time."""

from __future__ import annotations

import json
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import sqlalchemy as sa

from service.bootstrap.people import build_people
from service.bootstrap.rules import build_admitter, in_force, load_rules
from service.bootstrap.stores import Stores
from service.bootstrap.worker import LOST_RUN_EXIT
from service.intake.parse import parse_notification
from service.ports.admission import Delivery
from service.providers.supabase import SupabaseCompute
from service.sandbox.app import create_app
from service.sandbox.config import SandboxConfig
from service.sandbox.server import make_server
from service.settings import load_settings
from service.store import schema
from tests.crash.forked_worker import ForkedWorker
from tests.crash.worker_process import Failpoint
from tests.databases import nobody_writes
from tests.processes import is_stopped
from tests.stack import APP, DROPLET, PROJECT, alert, notification

LEASE_S = 2.0
"""As short as a machine that is busy with several crashes at once allows."""
SHIPPED_LEASE_S = 15.0
"""For workers that must not lose theirs, whatever the machine does meanwhile."""
ACTION_S = 0.1
PATIENCE_S = 60.0
"""How long a condition may take on a machine that is busy with other things."""
_POLL_S = 0.03
T = TypeVar("T")
Json = dict[str, Any]


class Stand:
    """One installation. `home` holds the logs; `rules` are those in force, the shipped ones where
    none are given; `settings` are more of the environment. `people` is what people may do,
    `environment` that of the workers."""

    def __init__(
        self,
        home: Path,
        database_url: str,
        sandbox_url: str,
        rules: str = "",
        **settings: str,
    ) -> None:
        self._home = home
        self._log = home / "workers.log"
        self._sandbox_url = sandbox_url
        self.environment = {
            "DATABASE_URL": database_url,
            "SANDBOX_URL": sandbox_url,
            "API_APP_ID": APP,
            "DROPLET_ID": DROPLET,
            "SUPABASE_PROJECT_REF": PROJECT,
            "WORKER_LEASE_S": str(LEASE_S),
            "WORKER_POLL_S": "0.05",
            "REDIS_URL": "",
            "RUNBOOKD_HOME": str(home),
            **settings,
        }
        if rules:
            file = home / "rules.yml"
            file.write_text(rules, encoding="utf-8")
            self.environment["RULES"] = str(file)
        self._settings = load_settings(self.environment)
        self.stores = Stores(self._settings)
        book = load_rules(self._settings, self.environment)
        self._admitter = build_admitter(self.stores, lambda: in_force(book))
        self.people = build_people(self.stores, lambda: book)
        self._workers: list[ForkedWorker] = []
        self._replaced: set[int] = set()

    # ---- What happens ----

    def fire(self, name: str, **labels: str) -> None:
        """Admit an alert, as the web process does."""
        self.deliver("alertmanager", notification(alert(name, **labels)))

    def deliver(self, source: str, payload: Json) -> None:
        """Admit a whole notification."""
        now = time.time()
        told = parse_notification(
            json.dumps(payload).encode(),
            source=source,
            content_type="application/json",
            received_at=datetime.fromtimestamp(now, UTC),
        )
        self._admitter.admit([Delivery(told, now)], now)

    def worker(self, failpoint: str = "none", lease_s: float = LEASE_S) -> ForkedWorker:
        """Start a worker that dies or waits at `failpoint`, unless another one did."""
        environment = {**self.environment, "WORKER_LEASE_S": str(lease_s)}
        process = ForkedWorker(environment, self._failpoint(failpoint), self._log)
        self._workers.append(process)
        return process

    def end(self, process: ForkedWorker) -> None:
        """End a worker in good order."""
        process.send(signal.SIGTERM)
        self.wait_for(lambda: not process.is_alive(), "the worker to end")

    def pause(self, process: ForkedWorker) -> None:
        """Stop a worker (SIGSTOP) between two of its writes."""
        with nobody_writes(self.stores.engine):
            process.send(signal.SIGSTOP)
            self.wait_for(lambda: is_stopped(process.pid), "the worker to stop")

    def go_on(self, process: ForkedWorker, failpoint: str = "none") -> None:
        """Let a paused worker go on, and its write that waits at `failpoint`."""
        self._failpoint(failpoint).passed.touch()
        process.send(signal.SIGCONT)

    def slow_down(self, action_seconds: float) -> None:
        """Make the cloud's actions take that long."""
        self._control("reset", {"action_seconds": action_seconds, "rate_limits": False})

    def fault(self, **fault: Any) -> None:
        """Make DigitalOcean fail."""
        self._control("faults", {"vendor": "digitalocean", **fault})

    def clear_faults(self) -> None:
        """Let all vendors be well again."""
        answer = httpx.delete(f"{self._sandbox_url}/_sandbox/faults", trust_env=False)
        assert answer.is_success, answer.text

    def droplet_control(self, **change: Any) -> None:
        """What a person does to the droplet, or what it is like."""
        self._control("droplet", change)

    def resize_project(self, variant: str) -> None:
        """The project has another compute size, by somebody's hand."""
        self._control("supabase", {"restart_after": 0})
        base = f"{self._sandbox_url}/supabase"
        project = SupabaseCompute(token="test-token-not-real", base_url=base)
        project.resize(PROJECT, variant)
        self.wait_for(lambda: project.get(PROJECT).status == "ACTIVE_HEALTHY", "the project")
        project.close()

    def replicas(self) -> list[Json]:
        """The project's read replicas, those that are not billed any more left out."""
        found: list[Json] = self.state()["supabase"][PROJECT]["replicas"]
        return found

    def end_resize(self) -> None:
        """Let the cluster's resize that is under way end."""
        self._control("valkey", {"end": True})

    def look_again(self, run_id: str) -> None:
        """Queue a fresh look at a run's target."""
        run = self.stores.runs.get(run_id)
        assert run is not None
        self.stores.queue.reconcile(run_id, run.partition, "test", 0.0)

    # ---- What is seen ----

    def state(self) -> Json:
        """The sandbox's cloud now."""
        return dict(self._get("state"))

    def droplet(self) -> tuple[str, str]:
        """Its power and its size."""
        droplet = self.state()["droplets"][DROPLET]
        return droplet["status"], droplet["size"]

    def writes(self) -> Counter[str]:
        """How often each kind of write that changes a target was taken by the vendor."""
        return Counter(self.write_list())

    def write_list(self) -> list[str]:
        """Those writes, in their order."""
        return [
            call["body"].get("type", "update_app")
            for call in self._get("calls")
            if call["vendor"] == "digitalocean" and call["method"] in ("POST", "PUT")
            if call["acted"] and call["status"] is not None and call["status"] < 300
        ]

    def incidents(self) -> list[str]:
        """The incidents that are open at the pager."""
        return [one["dedup_key"] for one in self.state()["pagerduty"]["open"]]

    def page_count(self) -> int:
        """How many incidents there ever were."""
        pager = self.state()["pagerduty"]
        return len(pager["open"]) + len(pager["resolved"])

    def instances(self) -> int:
        """How many instances of the API run."""
        count: int = self.state()["apps"][APP]["components"]["api"]["instances"]
        return count

    def announcements(self) -> list[str]:
        """The titles of the messages that are no replies."""
        return [
            call["body"]["text"]
            for call in self._get("calls")
            if call["path"].endswith("chat.postMessage") and not call["body"].get("thread_ts")
        ]

    def replies(self) -> list[str]:
        """What was told in the threads of the messages."""
        return [
            call["body"]["text"]
            for call in self._get("calls")
            if call["path"].endswith("chat.postMessage") and call["body"].get("thread_ts")
        ]

    def runs(self) -> dict[str, str]:
        """The status of each run."""
        with self.stores.engine.connect() as connection:
            rows = connection.execute(sa.select(schema.runs.c.id, schema.runs.c.status))
            return {row[0]: row[1] for row in rows}

    def workflows(self) -> dict[str, str]:
        """The engine's own status of each workflow."""
        with self.stores.engine.connect() as connection:
            schema_name = None if connection.dialect.name == "sqlite" else "dbos"
            table = sa.table(
                "workflow_status",
                sa.column("workflow_uuid"),
                sa.column("status"),
                schema=schema_name,
            )
            rows = connection.execute(sa.select(table.c.workflow_uuid, table.c.status))
            return {row[0]: row[1] for row in rows}

    def nginx_calls(self) -> list[str]:
        """What the sandbox's nginx has taken that changes something, in order."""
        calls = [each for each in self._get("calls") if each["vendor"] == "nginx"]
        return [f"{each['method']} {each['path']}" for each in calls if each["method"] != "GET"]

    def zone_calls(self) -> list[str]:
        """What the sandbox's Cloudflare has taken that changes something, in order."""
        calls = [each for each in self._get("calls") if each["vendor"] == "cloudflare"]
        return [
            f"{each['method']} {each['path'].rpartition('/')[2]}"
            for each in calls
            if each["method"] != "GET"
        ]

    def reached(self, failpoint: str) -> bool:
        """Whether a worker came to `failpoint`."""
        return self._failpoint(failpoint).once.exists()

    def killed(self) -> int:
        """How many workers have died at a failpoint."""
        return [process.exitcode for process in self._workers].count(-signal.SIGKILL)

    def lease_until(self, process: ForkedWorker) -> float:
        """When this worker counts as dead unless it shows life before."""
        workers = schema.workers.c
        query = sa.select(workers.lease_until).where(workers.pid == process.pid)
        with self.stores.engine.connect() as connection:
            return float(connection.execute(query).scalar_one())

    def put_lease_ahead(self, process: ForkedWorker, seconds: float) -> None:
        """Let a worker's lease end that much later, as if its clock had stepped back since."""
        workers = schema.workers.c
        with self.stores.engine.begin() as connection:
            connection.execute(
                sa.update(schema.workers)
                .where(workers.pid == process.pid)
                .values(lease_until=workers.lease_until + seconds)
            )

    def retired(self, process: ForkedWorker) -> bool:
        """Whether another worker took this one for dead."""
        workers = schema.workers.c
        query = sa.select(workers.retired_at).where(workers.pid == process.pid)
        with self.stores.engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none() is not None

    def started(self, process: ForkedWorker) -> bool:
        """Whether this worker shows life and has made all that it begins with."""
        log = self._log.read_text() if self._log.exists() else ""
        return re.search(rf"worker_started .*-{process.pid}-", log) is not None

    def wait_for(self, condition: Callable[[], T], what: str, *, report: bool = True) -> T:
        """Look until the condition holds, and return what it gave."""
        until = time.monotonic() + PATIENCE_S
        while True:
            self._start_anew()
            if found := condition():
                return found
            if time.monotonic() > until:
                more = self.report() if report else ""
                raise AssertionError(f"Waited {PATIENCE_S:g} s for {what}.\n{more}")
            time.sleep(_POLL_S)

    def _failpoint(self, text: str) -> Failpoint:
        return Failpoint(text, self._home / f"reached-{text.replace(':', '-')}")

    def _start_anew(self) -> None:
        """A worker that ended itself is started again, as any platform does; it dies where that
        one was to die."""
        for process in self._workers:
            if process.exitcode == LOST_RUN_EXIT and process.pid not in self._replaced:
                self._replaced.add(process.pid)
                reached = process.failpoint.once.exists()
                self.worker("none" if reached else process.failpoint.text)
                return

    def report(self) -> str:
        """What there is to read when a test fails."""
        calls = [
            f"{call['at']} {call['vendor']} {call['method']} {call['path']} {call['status']}"
            f" {str(call['body'])[:90]}"
            for call in self._get("calls")
            if call["method"] != "GET"
        ]
        return "\n".join(
            [
                f"runs {self.runs()}",
                f"workflows {self.workflows()}",
                f"droplet {self.droplet()}",
                *calls[-40:],
                self._log.read_text()[-6000:] if self._log.exists() else "no log",
            ]
        )

    def stop(self) -> None:
        """End all workers that still live."""
        for process in self._workers:
            if process.is_alive():
                process.send(signal.SIGKILL)
        for process in self._workers:
            process.join(10)
        self.stores.queue.close()
        self.stores.engine.dispose()

    def _control(self, what: str, body: Json) -> None:
        answer = httpx.post(f"{self._sandbox_url}/_sandbox/{what}", json=body, trust_env=False)
        assert answer.is_success, answer.text

    def _get(self, what: str) -> Any:
        answer = httpx.get(f"{self._sandbox_url}/_sandbox/{what}", trust_env=False)
        assert answer.is_success, answer.text
        return answer.json()


# Making routes parses Python, which before CPython 3.11.8 raises SystemError at times when another
# thread parses too (python/cpython#106905).
_ROUTES = threading.Lock()


@contextmanager
def a_stand(
    home: Path,
    database_url: str,
    rules: str = "",
    **settings: str,
) -> Iterator[Stand]:
    """A stand with its sandbox, ended whatever happens."""
    config = SandboxConfig(action_seconds=ACTION_S, rate_limits=False)
    with _ROUTES:
        app = create_app(config)
    server = make_server(app, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    sandbox_url = f"http://127.0.0.1:{server.port}"
    stand = Stand(home, database_url, sandbox_url, rules, **settings)
    try:
        yield stand
    finally:
        stand.stop()
        server.shutdown()
        server.server_close()
        thread.join(5)
