"""The operator API, and people who use it by name."""

from __future__ import annotations

import json
from typing import Any

from flask.testing import FlaskClient

from service.ports.admission import NewRun
from service.store.runs import RunStore
from service.web.app import create_app
from tests.fakes.web import Stand, make_stand

TOKENS = (
    "vera:viewer:test-vera,olga:operator+devops:test-olga,paul:approver:test-paul,"
    "ada:admin:test-ada,oscar:operator:test-oscar"
)
PAUSE = {"target": "api", "for": "30m", "why": "the vendor is down"}
RUN = {"action": "horizontal_scale", "target": "api", "to": {"replicas": 5}, "why": "a big exam"}


class Operators:
    """The API, and people who use it by name."""

    def __init__(self, url: str, tokens: str = TOKENS, **environment: str) -> None:
        given = {"API_TOKENS": tokens, **environment} if tokens else environment
        self.stand: Stand = make_stand(url, **given)
        self.app = create_app(self.stand)
        self.client: FlaskClient = self.app.test_client()

    def ask(
        self, who: str, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        if who:
            headers["Authorization"] = f"Bearer test-{who}"
        response = self.client.open(
            f"/api/v1{path}",
            method=method,
            data=None if body is None else json.dumps(body),
            content_type="application/json" if body is not None else None,
            headers=headers,
        )
        return response.status_code, response.json

    def post(self, who: str, path: str, body: Any = None) -> tuple[int, Any]:
        return self.ask(who, "POST", path, body)

    def audit(self) -> list[dict[str, Any]]:
        return list(self.stand.audit.entries(200).items)

    def enqueue(self, _connection: object, run: NewRun) -> None:
        self.stand.enqueued.append(run.request.id)

    @property
    def runs(self) -> RunStore:
        return RunStore(self.stand.engine, lambda _connection, _run: None)
