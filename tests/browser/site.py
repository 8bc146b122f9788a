"""What the person at the browser looks at: the whole service beside the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.person import Terminal
from tests.stack import Json, Options, Stack, alert

CPU, ERRORS = "High CPU Usage", "High Error Rate"
RULES = """
targets:
  api: {kind: app_platform, app: "${API_APP_ID}", component: api, replicas: {min: 2, max: 10}}
  shop: {kind: app_platform, app: app-bench-000, component: api, replicas: {min: 2, max: 10}}
  database:
    kind: supabase
    project: "${SUPABASE_PROJECT_REF}"
    sizes: [ci_micro, ci_small, ci_medium, ci_large]
budget: {monthly: 900, over: approve}
rules:
  - name: high-cpu
    match: ['alertname="High CPU Usage"']
    action: horizontal_scale
    target: api
    cooldown: 10m
  - name: high-error-rate
    match: ['alertname="High Error Rate"']
    action: horizontal_scale
    target: shop
    cooldown: 10m
    mode: approve
    approval: {from: [approver], wait: 1h, otherwise: hold}
  - name: database-connections
    match: ['alertname="Database Connection Pool Exhausted"']
    action: scale_database
    target: database
    cooldown: 10m
levels:
  - name: exams
    kind: calendar
    when: {dates: "01-10..02-10"}
    hold: {shop: {replicas: {floor: 2, ceiling: 9}}}
scenarios:
  viral-growth:
    approval: {from: [approver], wait: 15m, otherwise: hold}
    spend: {up_to: $60}
    ends: {after: 12h}
    steps:
      - {id: out, action: set_capacity, target: shop, to: {replicas: 4}, undo: restore}
"""
"""Three targets: one that alerts change, one where a person is asked first, and one at rest."""


@dataclass
class Site:
    """The running service, and the tokens of the people who look at it."""

    stack: Stack
    tokens: dict[str, str]

    @property
    def base(self) -> str:
        """The address of the web process."""
        return self.stack.web_urls["web"]

    def fire(self, name: str, **labels: str) -> str:
        """Post an alert; its id."""
        self.stack.post_alert(alert(name, **labels))
        found: str = self.stack.api("alerts")[0]["id"]
        return found

    def done(self, target: str) -> Json:
        """The newest run of a target, once every run has ended and told what it did."""
        self.stack.wait_for(lambda: self.stack.runs(target=target), f"a run of {target}")
        self.stack.wait_for(self.stack.settled, "the end of all runs")
        return self.stack.runs(target=target)[-1]


@contextmanager
def open_site(home: Path) -> Iterator[Site]:
    """Start all of it; every process ends with the block. olga is an operator, paul an approver,
    and ada an admin."""
    rules = home / "rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    options = Options(rules=(rules,), redis="none", environment={"SANDBOX_ACTION_SECONDS": "0.2"})
    with Stack(home / "stack", options) as stack:
        stack.start()
        stack.reset(extra_apps=1)
        ada = Terminal(stack).as_person("ada", "admin")
        people = {"olga": "operator", "paul": "approver"}
        tokens = {
            name: ada.ask("POST", "/tokens", {"name": name, "roles": [role]})["secret"]
            for name, role in people.items()
        }
        yield Site(stack, {"ada": ada.token, **tokens})
