"""Executions of runs on the application's database that die between two steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import pytest

from service.catalogue.app_database.work import DatabaseWork
from service.catalogue.context import Record
from service.catalogue.registry import change_of
from service.catalogue.request_json import dump_request
from service.catalogue.spec import Tools
from service.catalogue.steps.timings import Timings
from service.domain.capacity.ledger import Value
from service.domain.decisions.requests import Request
from service.engine.execution import execute
from service.ports.admission import NewRun
from service.ports.app_database import AppDatabase
from service.ports.bucket import Buckets
from service.ports.runs import StoredRun
from service.providers.postgresql import PostgresDatabase
from service.store.admissions import add_run
from service.store.database import open_engine
from service.store.runs import RunStore
from tests.app_databases import FastClock
from tests.databases import Databases
from tests.fakes.engine import FakeWorker, ProcessEnded, Recorder
from tests.fakes.telling import FakeProbe

TIMINGS = Timings(settle_unknown_s=1.0)


@dataclass(slots=True)
class Dying(Recorder):
    """Records of a run whose process dies once: before a step is recorded, or after it."""

    dies_at: str = ""

    def __call__(self, name: str, function: Any, *arguments: object) -> Record:
        if name not in self.records and self.dies_at == f"done:{name}":
            self._call(function, *arguments)
            self._die(name)
        record = Recorder.__call__(self, name, function, *arguments)
        if self.dies_at == f"recorded:{name}":
            self._die(name)
        return record

    def _die(self, name: str) -> None:
        self.dies_at = ""
        raise ProcessEnded(name)


def boundaries(*steps: str) -> list[str]:
    """Of each step between it and its record, and after the record."""
    return [f"{when}:{step}" for step in steps for when in ("done", "recorded")]


class Ended(NamedTuple):
    """A run that has ended, and what is known of its target's values."""

    run: StoredRun | None
    known: Mapping[str, Value]


def dies_and_goes_on(
    databases: Databases,
    request: Request,
    boundary: str,
    url: str,
    meanwhile: Callable[[], object] = lambda: None,
    buckets: Buckets | None = None,
) -> Ended:
    """A run of a person whose process dies at the boundary, and which the next process takes up.

    `url` is the application's database. `meanwhile` is what happens between the two processes.
    """
    with databases.borrowed() as own:
        engine = open_engine(own, pool_size=4)
        runs = RunStore(engine, lambda _connection, _run: None)
        with engine.begin() as connection:
            add_run(connection, NewRun(request, request.target.resource, FastClock().time()))
        steps = Dying(dies_at=boundary)
        with pytest.raises(ProcessEnded):
            once(runs, request, steps, PostgresDatabase(url=url), buckets)
        meanwhile()
        once(runs, request, steps, PostgresDatabase(url=url), buckets)
        ended = Ended(runs.get(request.id), runs.known_values(request.target.name))
        engine.dispose()
    return ended


def once(
    runs: RunStore,
    request: Request,
    steps: Recorder,
    database: AppDatabase,
    buckets: Buckets | None,
) -> None:
    """One execution, in a process that has just begun."""
    clock = FastClock()
    tools = Tools(FakeProbe(), clock, TIMINGS, buckets=buckets)
    works = {"app_database": DatabaseWork(database, tools)}
    parts = replace(FakeWorker().parts, runs=runs, clock=clock, change_of=partial(change_of, works))
    execute(parts, request.id, dump_request(request), steps)
