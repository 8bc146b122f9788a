"""One alert about a balloon, from its rule to the changed balloon, in a copy of the project.

Prints what came of it as JSON. Everything but the store and the messages is real.
"""

from __future__ import annotations

import json
import sys
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

from werkzeug.serving import make_server

import service
from service.bootstrap.vendors import PORTS, Vendors, build_works
from service.catalogue.registry import change_of, kind_spec
from service.catalogue.request_json import dump_request
from service.domain.rules.matching import RuleIndex
from service.engine.execution import execute
from service.rulebook import load_rulebook
from service.sandbox.app import create_app
from service.sandbox.config import SandboxConfig
from service.settings import load_settings
from tests.fakes.alerts import alert
from tests.fakes.engine import FakeWorker, Recorder
from tests.fakes.runs import request_for

page, rules = Path(sys.argv[1]), Path(sys.argv[2])
rules.write_text(page.read_text().split("```yaml\n")[1].split("```")[0])
book = load_rulebook([rules], {})
(rule,) = RuleIndex(book).match(alert("Balloon Sags"))
target = book.target_of(rule)
assert target is not None
server = make_server("127.0.0.1", 0, create_app(SandboxConfig()), threaded=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
settings = load_settings({"SANDBOX_URL": f"http://127.0.0.1:{server.server_port}"})
worker = FakeWorker()
request = request_for(rule.action, target)
worker.runs.add(request, target.resource)
works = build_works(settings, worker.clock)
parts = replace(worker.parts, change_of=partial(change_of, works))
execute(parts, request.id, dump_request(request), Recorder())
look = kind_spec(target.kind).look(PORTS[target.kind].build(Vendors(settings)), target)
server.shutdown()
said = {
    "of": str(Path(service.__file__).parents[1]),
    "outcome": worker.runs.outcomes[request.id].status,
    "reason": worker.runs.outcomes[request.id].reason,
    "look": look,
    "checks": [check.guard for check in worker.runs.checks[request.id]],
}
sys.stdout.write(f"{json.dumps(said)}\n")
