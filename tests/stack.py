"""The whole service as its users run it, on free loopback ports, for tests that need all of it.

A Stack is a gunicorn web process, a worker, the sandbox cloud, Redis and a database: real
processes that share nothing but what they share in production. A test starts what it needs, may
kill, pause and restart each by name, and always ends with `stop`:

    with Stack(tmp_path) as stack:
        stack.start()
        stack.post_alert(alert("High CPU Usage"))
        stack.wait_for(lambda: stack.instances() == 3, "three instances")

Nothing here waits for a fixed time; `wait_for` looks again until a generous bound and then fails
with the state of the sandbox and the end of every log.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from service.bootstrap.stores import Stores
from service.settings import load_settings
from service.store.database import open_engine
from tests.databases import nobody_writes
from tests.processes import Process, free_port
from tests.redis_servers import RedisServer, executable

TOKEN = "test-token-not-real"
"""What Alertmanager shows to be let in."""

CONFIG = "python:service.web.gunicorn_conf"
"""gunicorn's configuration, as it ships."""

APP, DROPLET, PROJECT = "app-quizmentor", "101", "quizmentorquizmentor"
"""The ids that the sandbox starts with."""

PATIENCE_S = 90.0
"""How long a condition may take by default; the machine may be busy with other things."""

_ANSWER_S = 30.0
"""How long one answer may take; a web process gives up after 20 s."""
_POLL_S = 0.1
_T = TypeVar("_T")
Json = dict[str, Any]


def alert(name: str, *, status: str = "firing", **labels: str) -> Json:
    """One alert as Alertmanager sends it. Alerts with the same labels are the same alert."""
    all_labels = {"alertname": name, "severity": "critical", **labels}
    return {
        "status": status,
        "labels": all_labels,
        "annotations": {"summary": f"{name} for a test"},
        "startsAt": "2026-01-01T00:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-01-01T00:05:00Z",
        "generatorURL": "http://prometheus.example.com/graph",
        "fingerprint": hashlib.sha256(repr(sorted(all_labels.items())).encode()).hexdigest()[:16],
    }


def notification(*alerts: Json, **group_labels: str) -> Json:
    """One delivery of a group by Alertmanager (payload version 4)."""
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "version": "4",
        "groupKey": json.dumps(group_labels, sort_keys=True),
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": "runbookd",
        "groupLabels": group_labels or {"alertname": alerts[0]["labels"]["alertname"]},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": list(alerts),
    }


def new_sender() -> httpx.Client:
    """A client for one thread.

    One pool is not for several of them: it may close a connection that it has just handed to
    another thread, whose request then waits for its answer until the time is over (httpcore #1110).
    """
    # Everything here is plain HTTP; to read the certificates takes 20 ms for each client.
    return httpx.Client(timeout=_ANSWER_S, verify=False)  # noqa: S501


@dataclass(frozen=True)
class Options:
    """How a stack differs from the default one.

    `rules` are rule files (the shipped pack when empty), `database_url` a migrated or empty
    database (SQLite in the stack's home when empty), `redis` one of `redis_servers.VERSIONS`,
    "none", or whichever there is. `environment` are further settings of all processes.
    """

    rules: Sequence[Path] = ()
    database_url: str = ""
    redis: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class Stack:
    """The processes of one service and its sandbox; `home` holds their data and logs."""

    def __init__(self, home: Path, options: Options | None = None) -> None:
        self.home = home
        self._options = options or Options()
        home.mkdir(parents=True, exist_ok=True)
        self.sandbox_url = f"http://127.0.0.1:{free_port()}"
        self.web_urls = {"web": f"http://127.0.0.1:{free_port()}"}
        self.processes: dict[str, Process] = {}
        self.redis: RedisServer | None = None
        self.http = new_sender()
        if self._options.redis != "none":
            self.redis = RedisServer(executable(self._options.redis), home / "redis")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    # ---- Processes ----

    def start(self) -> None:
        """Redis, the tables, then sandbox, worker and web together; returns when all answer."""
        if self.redis is not None:
            self.redis.start()
        self.start_sandbox(wait=False)
        self.migrate()
        self.start_worker(wait=False)
        self.start_web()
        self._wait_for_sandbox()
        self.wait_for(self._a_worker_lives, "a worker with a lease")

    def migrate(self) -> None:
        """Make the tables; a copy of those made before in this session, where that is the same."""
        if self._options.database_url:
            self._migrate()
            return
        path = self.home / "runbookd.db"
        if not path.exists():
            shutil.copyfile(_migrated_file(self.home), path)

    def start_sandbox(self, *, wait: bool = True) -> Process:
        """The stand-in cloud."""
        port = self.sandbox_url.rpartition(":")[2]
        process = self._start("sandbox", _cli("sandbox"), {"SANDBOX_PORT": port})
        if wait:
            self._wait_for_sandbox()
        return process

    def start_web(
        self, name: str = "web", *, wait: bool = True, config: str = CONFIG, **environment: str
    ) -> Process:
        """A web process, each under its own name and port (`web_urls`); `config` is gunicorn's."""
        url = self.web_urls.setdefault(name, f"http://127.0.0.1:{free_port()}")
        port = url.rpartition(":")[2]
        command = [sys.executable, "-m", "gunicorn", "-c", config]
        process = self._start(name, command, {"PORT": port, **environment})
        if wait:
            self.wait_for(lambda: self._ok(f"{url}/readyz"), f"{name} to be ready")
        return process

    def start_worker(
        self, name: str = "worker", *, wait: bool = True, **environment: str
    ) -> Process:
        """A worker process. With `wait`, a web process must be there to tell of it."""
        before = self._live_workers() if wait else 0
        process = self._start(name, _cli("worker"), environment)
        if wait:
            self.wait_for(lambda: self._live_workers() > before, f"{name} to have a lease")
        return process

    def pause_worker(self) -> Process:
        """Stop the worker (SIGSTOP) between two of its writes."""
        worker, engine = self.processes["worker"], open_engine(self.database_url)
        with nobody_writes(engine):
            worker.pause()
        engine.dispose()
        return worker

    def stop(self) -> None:
        """End everything in good order, all at once, and Redis last."""
        self.http.close()
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.stop()
        if self.redis is not None:
            self.redis.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The settings that all processes share; `load_settings(stack.environment)` reads them."""
        rules = [str(path) for path in self._options.rules] or ["rules/quizmentor.yml"]
        return {
            "RUNBOOKD_HOME": str(self.home),
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis.url if self.redis is not None else "",
            "RULES": ",".join(rules),
            "SANDBOX_URL": self.sandbox_url,
            "SANDBOX_RATE_LIMITS": "false",
            "SANDBOX_ACTION_SECONDS": "0.5",
            "API_APP_ID": APP,
            "DROPLET_ID": DROPLET,
            "SUPABASE_PROJECT_REF": PROJECT,
            "ALERTMANAGER_TOKENS": TOKEN,
            "GRAFANA_TOKENS": TOKEN,
            "PYTHONUNBUFFERED": "1",
            **self._options.environment,
        }

    @property
    def database_url(self) -> str:
        """Where it keeps everything."""
        return self._options.database_url or f"sqlite:///{self.home / 'runbookd.db'}"

    # ---- What goes in ----

    def post_alert(self, *alerts: Json, web: str = "web") -> Json:
        """Send alerts as one notification, as Alertmanager would; the answer."""
        response = self.post(notification(*alerts), web=web)
        assert response.status_code == httpx.codes.OK, response.text
        answer: Json = response.json()
        return answer

    def post(
        self, payload: Json, web: str = "web", *, sender: httpx.Client | None = None
    ) -> httpx.Response:
        """Send a whole notification; whoever sends beside others does so by a `new_sender`."""
        return (sender or self.http).post(
            f"{self.web_urls[web]}/webhooks/alertmanager",
            json=payload,
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    def load(self, **load: float | None) -> None:
        """What QuizMentor's users do: rps, memory_percent, errors_per_s, p95_ms, …"""
        self._control("load", load)

    def fault(self, **fault: Any) -> None:
        """Make a vendor fail (`POST /_sandbox/faults`)."""
        self._control("faults", fault)

    def droplet(self, **changes: Any) -> None:
        """Set how the sandbox's droplet behaves, or act on it (`POST /_sandbox/droplet`)."""
        self._control("droplet", changes)

    def reset(self, **changes: Any) -> None:
        """The sandbox as at its start, or with other `action_seconds`, `extra_apps`, …"""
        self._control("reset", changes)

    # ---- What comes out ----

    def state(self) -> Json:
        """The sandbox's cloud as it is (`GET /_sandbox/state`)."""
        found: Json = self._get(f"{self.sandbox_url}/_sandbox/state")
        return found

    def instances(self) -> int:
        """How many instances of the API run."""
        count: int = self.state()["apps"][APP]["components"]["api"]["instances"]
        return count

    def calls(self, vendor: str = "", method: str = "") -> list[Json]:
        """The vendor calls that arrived, in order."""
        found: list[Json] = self._get(f"{self.sandbox_url}/_sandbox/calls")
        return [
            call
            for call in found
            if vendor in ("", call["vendor"]) and method in ("", call["method"])
        ]

    def api(self, path: str, web: str = "web", **filters: str) -> list[Json]:
        """The newest items of a list of the read API: `api("runs", target="api")`."""
        page = self._get(f"{self.web_urls[web]}/api/v1/{path}", limit="200", **filters)
        items: list[Json] = page["items"]
        return items

    def one(self, path: str, web: str = "web") -> Json:
        """One thing of the read API: `one("runs/api.out.1")`."""
        found: Json = self._get(f"{self.web_urls[web]}/api/v1/{path}")
        return found

    def runs(self, **filters: str) -> list[Json]:
        """Runs, oldest first."""
        return self.api("runs", **filters)[::-1]

    # ---- Waiting ----

    def wait_for(
        self, condition: Callable[[], _T | None], what: str, timeout_s: float = PATIENCE_S
    ) -> _T:
        """Look until the condition holds, and return what it gave.

        An AssertionError or a connection that fails within the condition means: not yet. Fails
        with the state and the logs when the time is over, or at once when a process has ended by
        itself.
        """
        until, last = time.monotonic() + timeout_s, "it was false"
        while True:
            try:
                if found := condition():
                    return found
            except (AssertionError, httpx.TransportError) as error:
                last = str(error) or type(error).__name__
            if gone := self._ended():
                raise AssertionError(f"Waiting for {what}, but {gone}.\n{self.report()}")
            if time.monotonic() > until:
                raise AssertionError(f"Waited {timeout_s:g} s for {what}: {last}.\n{self.report()}")
            time.sleep(_POLL_S)

    def settled(self) -> bool:
        """Whether every run has ended, and told what it had to tell."""
        return all(_told(self.one(f"runs/{run['id']}")) for run in self.runs())

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Add the report to an assertion that fails within."""
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.report()}") from error

    def report(self) -> str:
        """The sandbox's state and the end of each log, for a failed assertion."""
        parts = [
            f"--- {each.name} (exit {each.exit_status})\n{each.tail()}" for each in self._all()
        ]
        try:
            parts.append(f"--- state\n{json.dumps(self.state(), indent=1)[:12_000]}")
            parts.append(f"--- runs\n{json.dumps(self.runs(), indent=1)[:6_000]}")
        except (httpx.HTTPError, KeyError) as error:
            parts.append(f"--- no more state to be had: {error}")
        return "\n".join(parts)

    # ---- Parts ----

    def _start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Process:
        process = Process(
            name, command, self.home / f"{name}.log", {**self.environment, **environment}
        )
        self.processes[name] = process
        process.start()
        return process

    def _all(self) -> list[Process]:
        redis = [] if self.redis is None else [self.redis.process]
        return [*self.processes.values(), *redis]

    def _ended(self) -> str:
        """Which process has ended with an error of its own; killed ones were the test's doing."""
        for process in self.processes.values():
            if (status := process.exit_status) is not None and status > 0:
                return f"{process.name} has ended with status {status}"
        return ""

    def _migrate(self) -> None:
        stores = Stores(load_settings(self.environment))
        stores.migrate()
        stores.engine.dispose()

    def _wait_for_sandbox(self) -> None:
        url = f"{self.sandbox_url}/_sandbox/state"
        self.wait_for(lambda: self._ok(url), "the sandbox to answer")

    def _a_worker_lives(self) -> bool:
        return self._live_workers() > 0

    def _live_workers(self) -> int:
        ready = self._get(f"{self.web_urls['web']}/readyz")
        return int(ready["workers"] or 0)

    def _ok(self, url: str) -> bool:
        return self.http.get(url).status_code == httpx.codes.OK

    def _get(self, url: str, **query: str) -> Any:
        response = self.http.get(url, params=query)
        assert response.status_code == httpx.codes.OK, f"{url}: {response.text}"
        return response.json()

    def _control(self, what: str, body: Json) -> None:
        response = self.http.post(f"{self.sandbox_url}/_sandbox/{what}", json=body)
        assert response.is_success, response.text


def _told(run: Json) -> bool:
    """A run that changes something reports after its end; one that only tells ends with that."""
    last = "report" if run["target"] else "conclude"
    return any(step["name"] == last and step["ended_at"] for step in run["steps"])


_migrated: list[Path] = []


def _migrated_file(home: Path) -> Path:
    """An SQLite file with all tables, made once for a session; the migration takes a second."""
    if not _migrated or not _migrated[0].exists():
        path = home / "migrated.db"
        stores = Stores(load_settings({"DATABASE_URL": f"sqlite:///{path}"}))
        stores.migrate()
        with stores.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        stores.engine.dispose()
        _migrated[:] = [path]
    return _migrated[0]


def _cli(command: str) -> list[str]:
    return [sys.executable, "-m", "service.cli", command]
