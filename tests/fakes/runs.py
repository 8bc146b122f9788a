"""An engine in miniature: durable intents and records, and executions that may die."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.catalogue.app_database.target import AppDatabaseTarget
from service.catalogue.app_platform.target import AppTarget
from service.catalogue.context import Intent, Record, StepContext, StepFunction
from service.catalogue.droplet.target import DropletTarget
from service.catalogue.nginx.target import NginxTarget
from service.catalogue.registry import action_spec, change_of, checked_options, kind_spec
from service.catalogue.spec import Tools, Work
from service.catalogue.steps.timings import Timings
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import ALERT, REPLAY, Origin, Request
from service.domain.errors import FencedOut, StoreUnavailable
from service.domain.rules.rules import Target
from service.engine.off_duty import Duty
from service.engine.off_watch import OffDroplet
from service.ports import (
    AppPlatform,
    Clock,
    CloudflareZones,
    DatabaseCompute,
    Droplets,
    HealthProbe,
    MessageRef,
    ValkeyClusters,
)
from service.ports.app_database import AppDatabase
from service.ports.bucket import Buckets
from service.ports.cache import AppCache
from service.ports.digitalocean_account import Account
from service.ports.nginx import Nginx
from service.ports.notes import NoNotes, Notes
from service.ports.valkey_cluster import ClusterNodes
from tests.fakes.accounts import NEEDED
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.droplets import FakeDroplets
from tests.fakes.engine import FakeWorker, FlakyPager
from tests.fakes.offs import FakeOffs
from tests.fakes.telling import FakeProbe

THREAD = MessageRef("C000", "the run's message")
API = AppTarget(
    "api",
    "app-1",
    "api",
    2,
    10,
    ("professional-xs", "professional-s", "professional-m", "professional-l"),
)
WORKER = DropletTarget("worker-vm", "101", ("s-1vcpu-1gb", "s-1vcpu-2gb", "s-2vcpu-2gb", "c-2"))
DATABASE = SupabaseTarget("database", "project-1", ("ci_micro", "ci_small", "ci_medium"))
APP_DATABASE = AppDatabaseTarget("app-database", ("quiz_app", "quiz_report"), ("migrations",))

EDGE = NginxTarget(
    "edge",
    "/etc/nginx/conf.d/edge.conf",
    "/etc/nginx/nginx.conf",
    ("10.0.0.11:8080", "10.0.0.12:8080"),
)


def request_for(
    action: str,
    target: Target,
    *,
    alerts: tuple[str, ...] = ("alert-1",),
    replay: bool = False,
    **changes: Any,
) -> Request:
    """What an alert asks for by a rule, in a run that is the first of its claim."""
    spec = action_spec(action)
    options = checked_options(action, changes.get("options", {}))
    direction = spec.direction_of(options)
    facts: dict[str, Any] = {
        "id": f"{target.name}.{direction}.1",
        "action": action,
        "origin": Origin(REPLAY if replay else ALERT, "a-rule", "High CPU Usage is 93", alerts),
        "claim": f"{target.name}.{direction}",
        "direction": direction,
        "on": target,
        "wanted": spec.wanted(options),
        "options": options,
        "cooldown_s": 600.0,
        "settle_s": 120.0,
        "rules_hash": "0123456789ab",
    }
    return Request(**{**facts, **changes, "options": options})


def telling_for(action: str, run: str, subject: str = "", **changes: Any) -> Request:
    """A page or a message about a group of alerts; `subject` is the claim unless it is given."""
    claim = run.rpartition(".")[0]
    facts: dict[str, Any] = {
        "id": run,
        "action": action,
        "origin": Origin(ALERT, claim.partition(".")[0], "Something is slow", ("alert-1",)),
        "claim": claim,
        "rules_hash": "0123456789ab",
        "subject": subject or claim,
    }
    return Request(**{**facts, **changes})


ASK_DROPLET = request_for("vertical_scale", WORKER)


@dataclass(frozen=True, slots=True)
class Works:
    """The work of some kinds of target, which a run finds as it does in a worker."""

    by_kind: Mapping[str, Work]

    def observe(self, request: Request) -> Record:
        return change_of(self.by_kind, request).observe(request)

    def plan(self, request: Request) -> Plan | PlanHeld:
        return change_of(self.by_kind, request).plan(request, self.observe(request))

    def steps(self, request: Request) -> Mapping[str, StepFunction]:
        return change_of(self.by_kind, request).work.steps()

    def make_safe(self, context: StepContext, request: Request, plan: Plan) -> str:
        return change_of(self.by_kind, request).work.make_safe(context, plan)


def works_on(
    clock: Clock,
    *,
    apps: AppPlatform | None = None,
    droplets: Droplets | None = None,
    database: DatabaseCompute | None = None,
    nginx: Nginx | None = None,
    zones: CloudflareZones | None = None,
    app_database: AppDatabase | None = None,
    cache: AppCache | None = None,
    buckets: Buckets | None = None,
    notes: Notes | None = None,
    clusters: ValkeyClusters | None = None,
    nodes: ClusterNodes | None = None,
    probe: HealthProbe | None = None,
    timings: Timings | None = None,
    account: Account | None = None,
) -> Works:
    """The work of the kinds whose port is given."""
    tools = Tools(
        probe or FakeProbe(),
        clock,
        timings or Timings(),
        notes or NoNotes(),
        needed=lambda: NEEDED,
        buckets=buckets,
    )
    ports = {
        "app_platform": apps,
        "droplet": droplets,
        "supabase": database,
        "nginx": nginx,
        "cloudflare_zone": zones,
        "app_database": app_database,
        "cache": cache,
        "bucket": buckets,
        "valkey": clusters,
        "valkey_cluster": nodes,
        "digitalocean_account": account,
    }
    return Works({kind: kind_spec(kind).work(port, tools) for kind, port in ports.items() if port})


@dataclass(slots=True)
class FakeContext:
    """A StepContext whose `intents` and `worker` outlive it; `store_down` and `fenced_out` make it
    fail."""

    clock: Clock
    intents: dict[str, float]
    run_id: str = "worker-vm.up.1"
    worker: FakeWorker = field(default_factory=FakeWorker)
    fenced_out: bool = False
    told: list[str] = field(default_factory=list)
    fences: int = 0
    on_fence: Callable[[], None] | None = None
    _duty: Duty | None = None

    @property
    def store_down(self) -> bool:
        return self.worker.offs.down

    @store_down.setter
    def store_down(self, down: bool) -> None:
        self.worker.offs.down = down

    def intent(self, name: str) -> Intent:
        if self.store_down:
            raise StoreUnavailable
        repeated = name in self.intents
        recorded_at = self.intents.setdefault(name, self.clock.time())
        return Intent(name, recorded_at, repeated)

    def withdraw(self, name: str) -> None:
        self.intents.pop(name, None)

    def fence(self) -> None:
        self.fences += 1
        if self.on_fence:
            self.on_fence()
        if self.fenced_out:
            raise FencedOut(self.run_id, 1, 2)
        if self.store_down:
            raise StoreUnavailable

    def off_duty(self, droplet: str) -> Duty:
        if self._duty is None:
            off = OffDroplet(self.run_id, droplet, f"do-droplet:{droplet}")
            self._duty = Duty(self.worker.parts, off, self.fence, lambda: THREAD)
        return self._duty

    def progress(self, text: str) -> None:
        self.told.append(text)


@dataclass(slots=True)
class FakeRun:
    """A run whose plan is pinned; `execute` goes on after the last recorded step."""

    works: Works
    request: Request
    clock: Clock
    plan: Plan
    intents: dict[str, float] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    worker: FakeWorker = field(init=False)
    context: FakeContext = field(init=False)
    pages_at: list[float] = field(default_factory=list)
    """When the pager took a page."""

    def __post_init__(self) -> None:
        self.worker = self._worker(FakeOffs(), FlakyPager())
        self.worker.pager.on_taken = lambda: self.pages_at.append(self.clock.time())
        self.context = self.fresh()

    def fresh(self) -> FakeContext:
        """The context of a new execution."""
        return FakeContext(self.clock, self.intents, self.request.id, self.worker)

    def new_process(self) -> None:
        """The worker was killed: only what is stored remains."""
        self.worker = self._worker(self.worker.offs, self.worker.pager)
        self.context = self.fresh()

    def _worker(self, offs: FakeOffs, pager: FlakyPager) -> FakeWorker:
        """With a real clock nothing is watched: only a fake one moves the watches on."""
        if isinstance(self.clock, FakeClock):
            return FakeWorker(clock=self.clock, offs=offs, pager=pager, watching=True)
        return FakeWorker(offs=offs, pager=pager)

    def step(self, name: str) -> Record:
        """One step, recorded only when it returns."""
        step = self.works.steps(self.request)[name]
        record = step(self.context, self.request, self.plan, dict(self.records))
        self.records[name] = record
        return record

    def execute(self) -> dict[str, Record]:
        """A new execution: all steps that are not recorded yet."""
        self.context = self.fresh()
        for name in self.plan.steps:
            if name not in self.records:
                self.step(name)
        return self.records


def prepared() -> tuple[FakeClock, FakeDroplets, FakeRun]:
    """A droplet, and a run that is planned for it."""
    clock = FakeClock()
    droplets = FakeDroplets(clock)
    works = works_on(clock, apps=FakeApps(clock), droplets=droplets)
    return clock, droplets, planned(works, ASK_DROPLET, clock)


def before_the_section() -> tuple[FakeClock, FakeDroplets, FakeRun]:
    """The same, with the snapshot taken."""
    clock, droplets, run = prepared()
    run.step("snapshot")
    return clock, droplets, run


def planned(works: Works, request: Request, clock: Clock) -> FakeRun:
    """A run for the plan that is made of the target as it is."""
    plan = works.plan(request)
    assert isinstance(plan, Plan), plan
    return FakeRun(works, request, clock, Plan.from_json(plan.to_json()))
