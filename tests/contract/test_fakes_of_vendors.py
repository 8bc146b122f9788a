"""One suite for each vendor's port: the fake that unit tests lean on, and the real thing.

The real thing is the product's provider, with the vendor's own SDK, on the sandbox over HTTP. What
only one of them can show (headers, time-outs, sentences) is in the suite of its provider.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
import pytest

from service.domain.errors import FailureKind, VendorError
from service.ports import (
    AppPlatform,
    CloudflareZones,
    DatabaseCompute,
    Droplets,
    HealthProbe,
    Message,
    MessageRef,
    Messenger,
    Metrics,
    Page,
    Pager,
    ValkeyClusters,
)
from service.ports.cloudflare_zone import Answered
from service.ports.messenger import Picture
from service.providers.cloudflare import CloudflareApi
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.providers.digitalocean_droplets import DigitalOceanDroplets
from service.providers.health import HttpHealthProbe
from service.providers.pagerduty import PagerDutyPager
from service.providers.prometheus import PrometheusMetrics
from service.providers.slack import SlackMessenger
from service.providers.supabase import SupabaseCompute
from service.providers.supabase_sandbox import SandboxSql
from service.providers.valkey import DigitalOceanValkey
from tests.contract.loopback import Loopback
from tests.fakes.apps import FakeApps
from tests.fakes.clock import FakeClock
from tests.fakes.clusters import CLUSTER, SIZES, FakeClusters
from tests.fakes.database import FakeDatabase
from tests.fakes.droplets import FakeDroplets
from tests.fakes.engine import FlakyPager
from tests.fakes.faults import vendor_error
from tests.fakes.telling import FakeMessenger, FakeMetrics, FakePager, FakeProbe
from tests.fakes.zones import ZONE, FakeZones
from tests.unit.sandbox.support import Served, served

TOKEN = "test-token-not-real"
APP, DROPLET, PROJECT = "app-quizmentor", "101", "quizmentorquizmentor"
FIRST, SECOND = "s-1vcpu-1gb", "s-1vcpu-2gb"
PATIENCE_S = 60.0
FOR_EVER_S = 3600.0


class Lab(Protocol):
    """The vendors, and what a test does to them from the outside."""

    @property
    def apps(self) -> AppPlatform: ...
    @property
    def droplets(self) -> Droplets: ...
    @property
    def database(self) -> DatabaseCompute: ...
    @property
    def zones(self) -> CloudflareZones: ...
    @property
    def clusters(self) -> ValkeyClusters: ...
    @property
    def pager(self) -> Pager: ...
    @property
    def messenger(self) -> Messenger: ...

    def take_long(self) -> None:
        """From now on nothing that is begun ends."""
        ...

    def pass_time(self) -> None:
        """Let a moment go by."""
        ...

    def lose_answer(self, *, acted: bool) -> None:
        """The next write gets no answer; `acted`: it took effect."""
        ...

    def refuse(self, kind: FailureKind) -> None:
        """The next write is refused, for now or for good."""
        ...

    def error_next_action(self, action: str) -> None:
        """The next droplet action of this type ends as errored."""
        ...

    def incidents(self) -> set[str]:
        """The incidents that are open at the pager."""
        ...

    def said(self) -> list[tuple[str, bool]]:
        """The messages as they read now, each with whether it is in a thread."""
        ...


class FakeLab:
    """The fakes."""

    def __init__(self, pager: FakePager | None = None) -> None:
        self.clock = FakeClock()
        self.apps = FakeApps(self.clock, APP)
        self.droplets = FakeDroplets(self.clock, DROPLET)
        self.database = FakeDatabase(self.clock, PROJECT, copy_takes_s=1.0)
        self.zones = FakeZones(self.clock)
        self.clusters = FakeClusters(self.clock)
        self.pager = pager or FakePager()
        self.messenger = FakeMessenger()

    def take_long(self) -> None:
        for each in (self.apps, self.droplets, self.database, self.clusters):
            each.takes_s = FOR_EVER_S

    def pass_time(self) -> None:
        self.clock.sleep(1.0)

    def lose_answer(self, *, acted: bool) -> None:
        for each in (self.apps, self.droplets, self.database, self.zones, self.clusters):
            faults = each.writes.after if acted else each.writes.before
            faults[each.writes.sent] = vendor_error(FailureKind.UNKNOWN)

    def refuse(self, kind: FailureKind) -> None:
        for each in (self.apps, self.droplets, self.database, self.clusters):
            each.writes.before[each.writes.sent] = vendor_error(kind)

    def error_next_action(self, action: str) -> None:
        self.droplets.fails.add(action)

    def incidents(self) -> set[str]:
        return set(self.pager.open)

    def said(self) -> list[tuple[str, bool]]:
        return [
            (f"{message.title}: {message.text}", self.messenger.threads[ref] is not None)
            for ref, message in self.messenger.messages.items()
        ]


class RealLab:
    """The providers, on a sandbox of the test's own."""

    def __init__(self, sandbox: Served) -> None:
        self.sandbox = sandbox
        client = DigitalOceanClient(token=TOKEN, endpoint=f"{sandbox.url}/digitalocean")
        self.apps = DigitalOceanApps(client)
        self.droplets = DigitalOceanDroplets(client)
        supabase = f"{sandbox.url}/supabase"
        sql = SandboxSql(base_url=supabase, token=TOKEN)
        self.database = SupabaseCompute(token=TOKEN, base_url=supabase, sql=sql)
        self.clusters = DigitalOceanValkey(client)
        cloudflare = f"{sandbox.url}/cloudflare"
        self.zones = CloudflareApi(
            token=TOKEN,
            base_url=cloudflare,
            edge_url=f"{cloudflare}/edge",
            origin_url=f"{cloudflare}/origin",
        )
        self.pager = PagerDutyPager(routing_key="f" * 32, base_url=f"{sandbox.url}/pagerduty")
        self.messenger = SlackMessenger(
            token=TOKEN, channel="#ops", base_url=f"{sandbox.url}/slack/api/"
        )

    def take_long(self) -> None:
        self._control("reset", action_seconds=FOR_EVER_S)
        self._control("supabase", restart_after=0)

    def pass_time(self) -> None:
        time.sleep(0.02)

    def lose_answer(self, *, acted: bool) -> None:
        for method in ("POST", "PUT", "PATCH"):
            drop = "after" if acted else "before"
            self._control("faults", method=method, drop=drop, times=1)

    def refuse(self, kind: FailureKind) -> None:
        status = 429 if kind is FailureKind.TEMPORARY else 422
        body = {"id": "unprocessable_entity", "message": "No."}
        for method in ("POST", "PUT", "PATCH"):
            self._control("faults", method=method, status=status, body=body, times=1)

    def error_next_action(self, action: str) -> None:
        path = "/v2/droplets/*/actions"
        self._control("faults", method="POST", path=path, type=action, outcome="errored", times=1)

    def incidents(self) -> set[str]:
        return {each["dedup_key"] for each in self.sandbox.state()["pagerduty"]["open"]}

    def said(self) -> list[tuple[str, bool]]:
        messages = self.sandbox.state()["slack"]["messages"]
        return [(each["text"], bool(each["thread_ts"])) for each in messages]

    def _control(self, name: str, **wanted: Any) -> None:
        address = f"{self.sandbox.url}/_sandbox/{name}"
        answer = httpx.post(address, json=wanted, trust_env=False)
        assert answer.is_success, answer.text


@pytest.fixture(params=["fake", "real"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    if request.param == "fake":
        yield FakeLab()
        return
    with served() as sandbox:
        yield RealLab(sandbox)


def wait_for(lab: Lab, condition: Callable[[], bool]) -> None:
    """Look again until it is so."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        lab.pass_time()


def spec_with(lab: Lab, count: int) -> dict[str, Any]:
    """The app's spec with another count of one component."""
    spec = copy.deepcopy(dict(lab.apps.get_app(APP).spec))
    next(one for one in spec["services"] if one["name"] == "api")["instance_count"] = count
    return spec


def act(lab: Lab, action: str, **parameters: Any) -> str:
    """A droplet action, followed to its end; how it ended."""
    begun = lab.droplets.act(DROPLET, action, **parameters)
    wait_for(lab, lambda: lab.droplets.get_action(DROPLET, begun.id).status != "in-progress")
    return lab.droplets.get_action(DROPLET, begun.id).status


# ---- A Cloudflare zone ----


ASSET = "https://quizmentor.app/assets/app.js"


def test_a_zone_is_told_by_its_domain_and_status(lab: Lab) -> None:
    found = lab.zones.zone(ZONE)
    assert (found.name, found.status, found.paused) == ("quizmentor.app", "active", False)


@pytest.mark.parametrize(
    ("by", "entries", "status"),
    [
        ("prefixes", ["quizmentor.app/assets/"], "MISS"),
        ("hosts", ["quizmentor.app"], "MISS"),
        ("files", [ASSET], "MISS"),
        ("everything", [], "MISS"),
        ("prefixes", ["quizmentor.app/api/"], "HIT"),
        ("files", [f"{ASSET}?v=2"], "HIT"),
    ],
)
def test_the_edge_keeps_a_copy_until_a_purge_names_it(
    lab: Lab, by: str, entries: list[str], status: str
) -> None:
    assert [lab.zones.copy(ASSET).status for _ in range(2)] == ["MISS", "HIT"]
    assert lab.zones.copy(ASSET).age_s in (0, 1)
    lab.zones.purge(ZONE, by, entries)
    assert lab.zones.copy(ASSET).status == status


@pytest.mark.parametrize("acted", [True, False])
def test_a_purge_without_an_answer_is_in_doubt_whether_it_was_taken_or_not(
    lab: Lab, acted: bool
) -> None:
    lab.zones.copy(ASSET)
    lab.lose_answer(acted=acted)
    with pytest.raises(VendorError) as caught:
        lab.zones.purge(ZONE, "files", [ASSET])
    assert caught.value.kind is FailureKind.UNKNOWN
    assert lab.zones.copy(ASSET).status == ("MISS" if acted else "HIT")


def test_a_cache_level_that_is_set_is_the_one_that_is_read(lab: Lab) -> None:
    found = lab.zones.cache_level(ZONE)
    assert (found.value, found.editable) == ("aggressive", True)
    assert lab.zones.set_cache_level(ZONE, "simplified").value == "simplified"
    assert lab.zones.cache_level(ZONE).value == "simplified"


def test_a_page_of_a_site_that_says_nothing_else_may_be_shared(lab: Lab) -> None:
    found = lab.zones.answer("https://origin.quizmentor.app/api/questions", "quizmentor.app")
    assert found == Answered(200, False, "public, max-age=300", "")


def test_another_zone_is_not_there_for_good(lab: Lab) -> None:
    with pytest.raises(VendorError) as caught:
        lab.zones.zone("0" * 32)
    assert caught.value.kind is FailureKind.PERMANENT


# ---- App Platform ----


def test_a_spec_that_is_sent_back_serves_once_its_deployment_is_active(lab: Lab) -> None:
    before = lab.apps.get_app(APP)
    wanted = spec_with(lab, 3)
    deployment = lab.apps.update_app(APP, wanted)

    wait_for(lab, lambda: lab.apps.get_deployment(APP, deployment).phase == "ACTIVE")

    after = lab.apps.get_app(APP)
    assert deployment != before.active_deployment
    assert (after.active_deployment, after.deploying) == (deployment, None)
    assert after.spec == wanted
    listed = lab.apps.list_deployments(APP)
    assert [one.id for one in listed][:2] == [deployment, before.active_deployment]
    assert listed[0].spec == wanted
    assert (lab.apps.health(APP)["api"].desired, lab.apps.health(APP)["api"].ready) == (3, 3)


def test_a_deployment_under_way_is_named_and_the_one_before_serves(lab: Lab) -> None:
    lab.take_long()
    before = lab.apps.get_app(APP)
    deployment = lab.apps.update_app(APP, spec_with(lab, 3))
    now = lab.apps.get_app(APP)
    assert (now.active_deployment, now.deploying) == (before.active_deployment, deployment)
    assert lab.apps.get_deployment(APP, deployment).phase not in {"ACTIVE", "ERROR", "SUPERSEDED"}
    assert lab.apps.health(APP)["api"].ready == 2


def test_a_newer_deployment_takes_the_place_of_one_under_way(lab: Lab) -> None:
    lab.take_long()
    first = lab.apps.update_app(APP, spec_with(lab, 3))
    second = lab.apps.update_app(APP, spec_with(lab, 4))
    assert lab.apps.get_deployment(APP, first).phase == "SUPERSEDED"
    assert lab.apps.get_app(APP).deploying == second


# ---- Droplets ----


def test_an_action_is_the_newest_in_the_list_and_takes_effect_when_it_ends(lab: Lab) -> None:
    assert (lab.droplets.get(DROPLET).status, lab.droplets.get(DROPLET).locked) == ("active", False)
    assert act(lab, "power_off") == "completed"
    assert act(lab, "power_on") == "completed"
    listed = lab.droplets.list_actions(DROPLET)
    assert [one.type for one in listed][:2] == ["power_on", "power_off"]
    assert listed[0].id > listed[1].id
    assert lab.droplets.get(DROPLET).status == "active"


def test_while_an_action_is_under_way_the_droplet_is_locked_and_takes_no_other(lab: Lab) -> None:
    lab.take_long()
    begun = lab.droplets.act(DROPLET, "power_off")
    assert begun.status == "in-progress"
    assert lab.droplets.get(DROPLET).locked
    assert lab.droplets.get(DROPLET).status == "active"
    with pytest.raises(VendorError) as busy:
        lab.droplets.act(DROPLET, "snapshot", name="pre-scale")
    assert (busy.value.kind, busy.value.status) == (FailureKind.TEMPORARY, 422)
    assert len(lab.droplets.list_actions(DROPLET)) == 1


def test_a_droplet_is_resized_only_while_it_is_off_and_keeps_its_disk(lab: Lab) -> None:
    with pytest.raises(VendorError) as refused:
        lab.droplets.act(DROPLET, "resize", size=SECOND, disk=False)
    assert refused.value.kind is FailureKind.PERMANENT
    act(lab, "power_off")
    act(lab, "resize", size=SECOND, disk=False)
    after = lab.droplets.get(DROPLET)
    assert (after.size, after.status, after.disk_gb) == (SECOND, "off", 25)
    assert (after.vcpus, after.memory_mb) == (1, 2048)


def test_a_droplet_takes_no_size_that_is_not_sold_or_has_a_smaller_disk(lab: Lab) -> None:
    act(lab, "power_off")
    act(lab, "resize", size=SECOND, disk=True)
    assert lab.droplets.get(DROPLET).disk_gb == 50
    for size in ("s-99vcpu-1gb", FIRST):
        with pytest.raises(VendorError) as refused:
            lab.droplets.act(DROPLET, "resize", size=size, disk=False)
        assert (refused.value.kind, refused.value.status) == (FailureKind.PERMANENT, 422)
    assert lab.droplets.get(DROPLET).size == SECOND


def test_the_newest_twenty_actions_and_deployments_are_listed(lab: Lab) -> None:
    for number in range(21):
        act(lab, "power_on" if number % 2 else "power_off")
        newest = lab.apps.update_app(APP, spec_with(lab, 2 + number % 2))
    assert [one.type for one in lab.droplets.list_actions(DROPLET)][:2] == ["power_off", "power_on"]
    assert len(lab.droplets.list_actions(DROPLET)) == 20
    assert lab.apps.list_deployments(APP)[0].id == newest
    assert len(lab.apps.list_deployments(APP)) == 20


def test_a_snapshot_is_listed_by_its_name(lab: Lab) -> None:
    assert act(lab, "snapshot", name="pre-scale-20260301-run") == "completed"
    wait_for(lab, lambda: "pre-scale-20260301-run" in lab.droplets.snapshot_names(DROPLET))
    assert lab.droplets.get(DROPLET).status == "active"


def test_one_snapshot_is_deleted_by_its_name_and_then_there_is_nothing_to_delete(
    lab: Lab,
) -> None:
    for name in ("pre-scale-1", "pre-scale-2"):
        assert act(lab, "snapshot", name=name) == "completed"
    wait_for(lab, lambda: len(lab.droplets.snapshot_names(DROPLET)) == 2)
    for _ in range(2):
        lab.droplets.delete_snapshot(DROPLET, "pre-scale-1")
        assert list(lab.droplets.snapshot_names(DROPLET)) == ["pre-scale-2"]


def test_an_action_that_ends_as_errored_has_done_nothing(lab: Lab) -> None:
    lab.error_next_action("power_off")
    assert act(lab, "power_off") == "errored"
    assert lab.droplets.get(DROPLET).status == "active"


def test_sizes_are_offered_with_their_price_and_disk(lab: Lab) -> None:
    offered = lab.droplets.sizes()
    assert (offered[FIRST].price_monthly, offered[FIRST].disk_gb) == (6, 25)
    assert (offered[SECOND].price_monthly, offered[SECOND].disk_gb) == (12, 50)
    assert offered[FIRST].available


# ---- Supabase ----


def test_a_database_is_healthy_at_its_new_size_in_the_end(lab: Lab) -> None:
    before = lab.database.get(PROJECT)
    assert (before.variant, before.status) == ("ci_micro", "ACTIVE_HEALTHY")
    assert before.prices["ci_small"] == pytest.approx(15.0, abs=0.5)
    lab.database.resize(PROJECT, "ci_small")

    def resized() -> bool:
        now = lab.database.get(PROJECT)
        return (now.variant, now.status) == ("ci_small", "ACTIVE_HEALTHY")

    wait_for(lab, resized)
    services = lab.database.health(PROJECT)
    assert {one.name for one in services} == {"db", "pooler"}
    assert all(one.healthy for one in services)


def test_a_database_that_restarts_says_that_it_resizes(lab: Lab) -> None:
    lab.take_long()
    lab.database.resize(PROJECT, "ci_small")
    wait_for(lab, lambda: lab.database.get(PROJECT).status == "RESIZING")
    assert not any(one.healthy for one in lab.database.health(PROJECT))
    with pytest.raises(VendorError) as busy:
        lab.database.resize(PROJECT, "ci_medium")
    assert (busy.value.kind, busy.value.status) == (FailureKind.PERMANENT, 409)


def test_a_database_takes_no_size_that_is_not_sold(lab: Lab) -> None:
    with pytest.raises(VendorError) as refused:
        lab.database.resize(PROJECT, "ci_enormous")
    assert (refused.value.kind, refused.value.status) == (FailureKind.PERMANENT, 400)


def test_a_pool_has_the_size_that_was_set_and_none_gives_the_choice_back(lab: Lab) -> None:
    assert lab.database.pool_size(PROJECT) == 15
    assert lab.database.max_connections(PROJECT) == 60
    lab.database.set_pool_size(PROJECT, 30)
    assert lab.database.pool_size(PROJECT) == 30
    lab.database.set_pool_size(PROJECT, None)
    assert lab.database.pool_size(PROJECT) is None
    with pytest.raises(VendorError) as refused:
        lab.database.set_pool_size(PROJECT, 3001)
    assert (refused.value.kind, refused.value.status) == (FailureKind.PERMANENT, 400)


def test_a_replica_is_listed_comes_up_follows_and_goes(lab: Lab) -> None:
    database = lab.database
    home = database.home(PROJECT)
    assert home.engine == 15
    with pytest.raises(VendorError) as refused:
        database.setup_replica(PROJECT, "eu-west-1")
    assert (refused.value.kind, refused.value.status) == (FailureKind.PERMANENT, 400)
    database.resize(PROJECT, "ci_small")
    wait_for(lab, lambda: database.get(PROJECT).variant == "ci_small")
    wait_for(lab, lambda: database.get(PROJECT).status == "ACTIVE_HEALTHY")
    assert database.replicas(PROJECT, home.organization) == []

    database.setup_replica(PROJECT, "eu-west-1")
    (made,) = database.replicas(PROJECT, home.organization)
    assert made.region == "eu-west-1"

    def healthy() -> bool:
        return database.replicas(PROJECT, home.organization)[0].status == "ACTIVE_HEALTHY"

    wait_for(lab, healthy)
    addresses = database.addresses(PROJECT)
    assert set(addresses) == {PROJECT, made.identifier}
    sql = database.sql
    assert sql is not None
    mark = sql.heartbeat(addresses[PROJECT])
    sight = sql.sight(addresses[made.identifier], mark)
    assert (sight.in_recovery, sight.behind_bytes, sight.refused_with) == (True, 0, "25006")
    assert sight.system_identifier == mark.system_identifier
    assert sql.readers(addresses[made.identifier], ["postgres"]) == 0

    database.remove_replica(PROJECT, made.identifier)
    assert database.replicas(PROJECT, home.organization) == []
    with pytest.raises(VendorError) as gone:
        database.remove_replica(PROJECT, made.identifier)
    assert (gone.value.kind, gone.value.status) == (FailureKind.PERMANENT, 404)


# ---- Managed Valkey ----


def test_a_cluster_is_online_with_its_new_size_and_nodes_in_the_end(lab: Lab) -> None:
    before = lab.clusters.get(CLUSTER)
    assert (before.engine, before.size, before.nodes) == ("valkey", SIZES[0], 1)
    assert (before.status, before.policy) == ("online", "noeviction")
    lab.clusters.resize(CLUSTER, SIZES[1], 2)

    def resized() -> bool:
        now = lab.clusters.get(CLUSTER)
        return (now.size, now.nodes, now.status) == (SIZES[1], 2, "online")

    wait_for(lab, resized)
    lab.clusters.set_policy(CLUSTER, "volatile_lru")
    assert lab.clusters.get(CLUSTER).policy == "volatile_lru"


def test_a_cluster_on_its_way_says_so_and_takes_no_other_change(lab: Lab) -> None:
    lab.take_long()
    lab.clusters.resize(CLUSTER, SIZES[1], 1)
    refusing: tuple[Callable[[], None], ...] = (
        lambda: lab.clusters.resize(CLUSTER, SIZES[2], 1),
        lambda: lab.clusters.set_policy(CLUSTER, "volatile_lru"),
    )
    for change in refusing:
        with pytest.raises(VendorError) as busy:
            change()
        assert (busy.value.kind, busy.value.status) == (FailureKind.PERMANENT, 412)
    assert lab.clusters.get(CLUSTER).size == SIZES[0]


def test_a_cluster_takes_no_size_that_is_not_sold_and_no_policy_that_is_not_known(lab: Lab) -> None:
    refusing: tuple[Callable[[], None], ...] = (
        lambda: lab.clusters.resize(CLUSTER, "db-s-99vcpu-1gb", 1),
        lambda: lab.clusters.resize(CLUSTER, SIZES[0], 2),
        lambda: lab.clusters.set_policy(CLUSTER, "allkeys_lfu"),
    )
    for change in refusing:
        with pytest.raises(VendorError) as refused:
            change()
        assert (refused.value.kind, refused.value.status) == (FailureKind.PERMANENT, 422)


# ---- What the vendor does not have ----

NOBODY, NO_DROPLET = "app-nobody", "99999"
MISSING: dict[str, Callable[[Lab], object]] = {
    "an app": lambda lab: lab.apps.get_app(NOBODY),
    "an app to change": lambda lab: lab.apps.update_app(NOBODY, {}),
    "deployments": lambda lab: lab.apps.list_deployments(NOBODY),
    "a deployment": lambda lab: lab.apps.get_deployment(APP, "dep-nobody"),
    "an app's health": lambda lab: lab.apps.health(NOBODY),
    "a droplet": lambda lab: lab.droplets.get(NO_DROPLET),
    "a droplet to act on": lambda lab: lab.droplets.act(NO_DROPLET, "power_off"),
    "actions": lambda lab: lab.droplets.list_actions(NO_DROPLET),
    "an action": lambda lab: lab.droplets.get_action(DROPLET, 99999),
    "snapshots": lambda lab: lab.droplets.snapshot_names(NO_DROPLET),
    "a project": lambda lab: lab.database.get("nobodynobodynobodyno"),
    "a project's pooler": lambda lab: lab.database.pool_size("nobodynobodynobodyno"),
    "a pooler to change": lambda lab: lab.database.set_pool_size("nobodynobodynobodyno", 9),
    "a project to resize": lambda lab: lab.database.resize("nobodynobodynobodyno", "ci_small"),
    "a project's health": lambda lab: lab.database.health("nobodynobodynobodyno"),
    "a cluster": lambda lab: lab.clusters.get("nobody"),
    "a cluster's server": lambda lab: lab.clusters.server("nobody"),
    "a cluster to resize": lambda lab: lab.clusters.resize("nobody", SIZES[1], 1),
    "a cluster's policy": lambda lab: lab.clusters.set_policy("nobody", "volatile_lru"),
}


@pytest.mark.parametrize("what", MISSING)
def test_what_the_vendor_does_not_have_is_refused_for_good_as_not_found(
    lab: Lab, what: str
) -> None:
    with pytest.raises(VendorError) as refused:
        MISSING[what](lab)
    assert (refused.value.kind, refused.value.status) == (FailureKind.PERMANENT, 404)


# ---- What every write may meet ----

WRITES: dict[str, Callable[[Lab], object]] = {
    "app": lambda lab: lab.apps.update_app(APP, spec_with(lab, 3)),
    "droplet": lambda lab: lab.droplets.act(DROPLET, "power_off"),
    "database": lambda lab: lab.database.resize(PROJECT, "ci_small"),
    "cluster": lambda lab: lab.clusters.set_policy(CLUSTER, "volatile_lru"),
}
EFFECTS: dict[str, Callable[[Lab], bool]] = {
    "app": lambda lab: lab.apps.get_app(APP).spec == spec_with(lab, 3),
    "droplet": lambda lab: bool(lab.droplets.list_actions(DROPLET)),
    "database": lambda lab: lab.database.get(PROJECT).variant == "ci_small",
    "cluster": lambda lab: lab.clusters.get(CLUSTER).policy == "volatile_lru",
}


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("kind", [FailureKind.TEMPORARY, FailureKind.PERMANENT])
def test_a_write_that_is_refused_has_had_no_effect(lab: Lab, write: str, kind: FailureKind) -> None:
    lab.refuse(kind)
    with pytest.raises(VendorError) as refused:
        WRITES[write](lab)
    assert refused.value.kind is kind
    assert refused.value.status == (429 if kind is FailureKind.TEMPORARY else 422)
    assert not EFFECTS[write](lab)


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("acted", [True, False])
def test_a_write_whose_answer_is_lost_is_unknown_whether_it_took_effect_or_not(
    lab: Lab, write: str, acted: bool
) -> None:
    lab.lose_answer(acted=acted)
    with pytest.raises(VendorError) as lost:
        WRITES[write](lab)
    assert lost.value.kind is FailureKind.UNKNOWN
    if acted:
        wait_for(lab, lambda: EFFECTS[write](lab))
    else:
        assert not EFFECTS[write](lab)


# ---- PagerDuty ----


@pytest.fixture(params=["fake", "flaky", "real"])
def paging(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """The vendors; of the fakes, the pager that can have faults as well, while it has none."""
    if request.param == "real":
        with served() as sandbox:
            yield RealLab(sandbox)
        return
    yield FakeLab(FlakyPager() if request.param == "flaky" else FakePager())


def test_an_incident_is_one_however_often_it_is_triggered_and_ends_once(paging: Lab) -> None:
    page = Page("group-1", "High Error Rate", "api", "critical", details={"run": "1"})
    paging.pager.trigger(page)
    paging.pager.trigger(page)
    assert paging.incidents() == {"group-1"}
    paging.pager.resolve("group-1")
    paging.pager.resolve("group-1")
    paging.pager.resolve("never-opened")
    assert paging.incidents() == set()


def test_a_change_event_opens_no_incident(paging: Lab) -> None:
    paging.pager.change("api 2 → 3", "runbookd", {"run": "1"})
    assert paging.incidents() == set()


# ---- Slack ----


def test_a_message_is_answered_in_its_thread_and_edited_in_place(lab: Lab) -> None:
    first = lab.messenger.post(Message("Scaling api", "2 → 3"))
    other = lab.messenger.post(Message("Deploying", "waiting"), first)
    lab.messenger.update(first, Message("Scaled api", "2 → 3"))
    assert first != other
    assert isinstance(first, MessageRef)
    assert lab.said() == [("Scaled api: 2 → 3", False), ("Deploying: waiting", True)]


def test_a_message_that_nobody_posted_cannot_be_edited(lab: Lab) -> None:
    posted = lab.messenger.post(Message("Scaling api", "2 → 3"))
    with pytest.raises(VendorError) as refused:
        lab.messenger.update(MessageRef(posted.channel, "1.000001"), Message("Scaled api", "2 → 3"))
    assert (refused.value.kind, refused.value.status) == (FailureKind.PERMANENT, 200)
    assert lab.said() == [("Scaling api: 2 → 3", False)]


def test_a_picture_is_no_message_that_replaces_another(lab: Lab) -> None:
    first = lab.messenger.post(Message("The week", "12 runs"))
    lab.messenger.picture(first, Picture("week.png", "By day", b"\x89PNG"))
    assert lab.said()[0] == ("The week: 12 runs", False)


# ---- Readings ----


@dataclass(slots=True)
class Readings:
    """Metrics and a health check, and what they answer next."""

    metrics: Metrics
    probe: HealthProbe
    address: str
    answer: Callable[[float | None], None]
    remember: Callable[[Sequence[tuple[float, float]]], None]
    be_well: Callable[[bool], None]


def fake_readings() -> Readings:
    metrics, probe = FakeMetrics(), FakeProbe()

    def answer(value: float | None) -> None:
        if value is not None:
            metrics.values["up"] = value

    def be_well(well: bool) -> None:
        probe.problem, probe.times = "It answered 503 instead of 2xx.", 0 if well else 9

    def remember(samples: Sequence[tuple[float, float]]) -> None:
        metrics.past["up"] = samples

    return Readings(metrics, probe, "http://api.example/health", answer, remember, be_well)


def real_readings(vendor: Loopback) -> Readings:
    def answer(value: float | None) -> None:
        result = [] if value is None else [{"metric": {}, "value": [1.5, str(value)]}]
        vendor.answers(
            200, {"status": "success", "data": {"resultType": "vector", "result": result}}
        )

    def be_well(well: bool) -> None:
        vendor.answers(200 if well else 503, b"")

    def remember(samples: Sequence[tuple[float, float]]) -> None:
        series = [{"metric": {}, "values": [[at, str(value)] for at, value in samples]}]
        data = {"resultType": "matrix", "result": series if samples else []}
        vendor.answers(200, {"status": "success", "data": data})

    metrics = PrometheusMetrics(base_url=vendor.url)
    return Readings(metrics, HttpHealthProbe(), f"{vendor.url}/health", answer, remember, be_well)


@pytest.fixture(params=["fake", "real"])
def readings(request: pytest.FixtureRequest, vendor: Loopback) -> Readings:
    return fake_readings() if request.param == "fake" else real_readings(vendor)


@pytest.mark.parametrize("value", [71.5, None])
def test_a_query_gives_its_value_and_none_where_there_is_no_data(
    readings: Readings, value: float | None
) -> None:
    readings.answer(value)
    assert readings.metrics.query("up") == value


@pytest.mark.parametrize("samples", [[(60.0, 1.5), (120.0, 2.0)], []])
def test_a_range_gives_its_samples_and_none_where_there_is_no_data(
    readings: Readings, samples: list[tuple[float, float]]
) -> None:
    readings.remember(samples)
    assert list(readings.metrics.history("up", 60.0, 120.0, 60.0)) == samples


@pytest.mark.parametrize("well", [True, False])
def test_a_health_check_is_silent_when_it_passes_and_says_why_when_it_does_not(
    readings: Readings, well: bool
) -> None:
    readings.be_well(well)
    problem = readings.probe.check(readings.address)
    assert (problem is None) == well
    assert problem is None or problem.endswith("instead of 2xx.")
