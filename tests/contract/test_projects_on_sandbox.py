"""Pooler and replicas as a worker sets them: the real provider, the sandbox in Supabase's place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.catalogue.steps.timings import Timings
from service.catalogue.supabase.target import SupabaseTarget
from service.domain.decisions.planning import PlanHeld
from service.domain.errors import StepFailed
from service.providers.supabase import SupabaseCompute
from service.providers.supabase_sandbox import SandboxSql
from tests.contract.test_zone_on_sandbox import WallClock, control
from tests.fakes.runs import FakeRun, Works, planned, request_for, works_on
from tests.unit.sandbox.support import PROJECT, TOKEN, Served, served

QUICK = Timings(
    poll_max_s=0.3,
    settle_unknown_s=0.5,
    replica_listing_s=0.5,
    database_deadline_s=5.0,
    health_deadline_s=5.0,
)
TARGET = SupabaseTarget(
    "database",
    PROJECT,
    ("ci_micro", "ci_small"),
    pooler={"min": 1, "max": 60, "pools": 1, "reserved": 7},
    replicas={
        "max": 5,
        "regions": ["us-east-1", "eu-west-1"],
        "max_lag_s": 0.3,
        "readers": ["postgres"],
    },
)


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


def works(sandbox: Served) -> Works:
    base = f"{sandbox.url}/supabase"
    sql = SandboxSql(base_url=base, token=TOKEN)
    database = SupabaseCompute(token=TOKEN, base_url=base, sql=sql)
    return works_on(WallClock(), database=database, timings=QUICK)


def run_of(sandbox: Served, action: str, **options: Any) -> FakeRun:
    return planned(works(sandbox), request_for(action, TARGET, options=options), WallClock())


def at_small(sandbox: Served) -> None:
    control(sandbox, "supabase", restart_after=0)
    run_of(sandbox, "scale_database").execute()


def copies(sandbox: Served) -> list[str]:
    return [one["region"] for one in sandbox.state()["supabase"][PROJECT]["replicas"]]


def test_a_pool_size_is_set_and_read_back(sandbox: Served) -> None:
    run_of(sandbox, "set_pooler", pool_size=30).execute()
    pooler = sandbox.state()["supabase"][PROJECT]["pooler"]
    assert pooler == {"default_pool_size": 30, "pool_mode": "transaction"}


def test_a_pool_that_the_sandboxs_size_has_no_room_for_is_held(sandbox: Served) -> None:
    request = request_for("set_pooler", TARGET, options={"pool_size": 60})
    held = works(sandbox).plan(request)
    assert isinstance(held, PlanHeld)
    assert (held.guard, held.facts["most"]) == ("connections", 38)


def test_replicas_are_set_up_proven_and_removed(sandbox: Served) -> None:
    at_small(sandbox)
    records = run_of(sandbox, "set_replicas", replicas=2).execute()
    assert copies(sandbox) == ["us-east-1", "eu-west-1"]
    assert len(records["verify_replicas"]) == 2
    run_of(sandbox, "set_replicas", replicas=0, exact=True).execute()
    assert copies(sandbox) == []


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_setup_whose_answer_is_lost_takes_effect_once(sandbox: Served, drop: str) -> None:
    at_small(sandbox)
    run = run_of(sandbox, "set_replicas", replicas=1)
    control(sandbox, "faults", vendor="supabase", method="POST", path="*/setup", drop=drop)
    run.execute()
    assert copies(sandbox) == ["us-east-1"]


def test_a_replica_that_replays_no_more_fails_the_run(sandbox: Served) -> None:
    at_small(sandbox)
    run = run_of(sandbox, "set_replicas", replicas=1)
    run.step("setup_1")
    run.step("await_replicas")
    control(sandbox, "supabase", paused_bytes=112)
    with pytest.raises(StepFailed, match=r"is 112 bytes behind for 0.3 s"):
        run.step("verify_replicas")


def test_the_only_replica_is_kept_while_the_application_reads_from_it(sandbox: Served) -> None:
    at_small(sandbox)
    run_of(sandbox, "set_replicas", replicas=1).execute()
    control(sandbox, "supabase", readers=4)
    fewer = request_for("set_replicas", TARGET, options={"replicas": 0, "exact": True})
    held = works(sandbox).plan(fewer)
    assert isinstance(held, PlanHeld)
    assert held.guard == "still_read"
    assert copies(sandbox) == ["us-east-1"]


def test_the_sandbox_refuses_what_the_vendor_refuses(sandbox: Served) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def setup() -> httpx.Response:
        path = f"{sandbox.url}/supabase/v1/projects/{PROJECT}/read-replicas/setup"
        body = {"read_replica_region": "us-east-1"}
        return httpx.post(path, json=body, headers=headers, trust_env=False)

    assert "Small or larger" in setup().json()["message"]
    at_small(sandbox)
    control(sandbox, "supabase", engine="14")
    assert "Postgres 15 or newer" in setup().json()["message"]
    control(sandbox, "supabase", engine="15")
    assert [setup().status_code for _ in range(3)] == [201, 201, 400]
