"""Counts the files and the hops of one alert: `python -m tests.trace`.

An alert is read, decided on and queued as in the web process, on SQLite. Its run is executed as in
a worker, with the real action, on fakes for the store and the vendor. A hop is a place in one file
of `service/` that is called from another file, counted once for each file that calls it. The
figures say how far a reader has to jump who follows an alert (docs/architecture.md).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType

import service
from service.catalogue.registry import change_of
from service.catalogue.request_json import dump_request
from service.engine.execution import execute
from service.intake.parse import parse_notification
from service.ports.admission import Delivery
from tests.fakes.apps import FakeApps
from tests.fakes.engine import FakeWorker, Recorder
from tests.fakes.runs import API, request_for, works_on
from tests.fakes.web import make_stand, sqlite_url

SERVICE = str(Path(service.__file__).parent)
PAYLOAD = Path(__file__).parent / "payloads" / "alertmanager-firing.json"


@dataclass(slots=True)
class Trace:
    """The files of `service/` that were entered, and the calls that led from one into another."""

    files: set[str] = field(default_factory=set)
    hops: set[tuple[str, str, int]] = field(default_factory=set)

    def of(self, function: Callable[[], object]) -> Trace:
        """Trace a function."""
        sys.setprofile(self._entered)
        try:
            function()
        finally:
            sys.setprofile(None)
        return self

    def _entered(self, frame: FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_filename
        if event != "call" or not name.startswith(SERVICE):
            return
        self.files.add(name)
        caller = frame.f_back
        while caller is not None and not caller.f_code.co_filename.startswith(SERVICE):
            caller = caller.f_back
        if caller is not None and caller.f_code.co_filename != name:
            self.hops.add((caller.f_code.co_filename, name, frame.f_code.co_firstlineno))


def web() -> dict[str, Trace]:
    """Reading a notification, and admitting it."""
    body = PAYLOAD.read_bytes().replace(b"High Memory Usage", b"High CPU Usage")
    read = partial(
        parse_notification,
        body,
        source="alertmanager",
        content_type="application/json",
        received_at=datetime.now(UTC),
    )
    with tempfile.TemporaryDirectory() as folder:
        stand = make_stand(sqlite_url(Path(folder)))
        notification = read()
        admit = partial(stand.admit, [Delivery(notification, stand.clock())], stand.clock())
        traces = {"intake": Trace().of(read), "admission": Trace().of(admit)}
        assert stand.enqueued
        stand.engine.dispose()
    return traces


def worker() -> dict[str, Trace]:
    """One more replica of an app."""
    work = FakeWorker()
    apps = FakeApps(work.clock)
    parts = replace(
        work.parts, change_of=partial(change_of, works_on(work.clock, apps=apps).by_kind)
    )
    asked = request_for("horizontal_scale", API)
    work.runs.add(asked, API.resource)
    run = partial(execute, parts, asked.id, dump_request(asked), Recorder())
    traces = {"worker": Trace().of(run)}
    assert work.runs.outcomes[asked.id].status == "succeeded"
    return traces


if __name__ == "__main__":
    figures = {
        name: {"files": len(trace.files), "hops": len(trace.hops)}
        for name, trace in {**web(), **worker()}.items()
    }
    sys.stdout.write(f"{json.dumps(figures)}\n")
