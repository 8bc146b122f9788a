"""The fields that the vendors' published documents require, and the types they give them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.support import APP, DROPLET, PROJECT, Sandbox

Shape = dict[str, type | tuple[type, ...]]

ACCOUNT: Shape = {
    "droplet_limit": int,
    "floating_ip_limit": int,
    "email": str,
    "uuid": str,
    "email_verified": bool,
    "status": str,
    "status_message": str,
}
REGION: Shape = {"available": bool, "features": list, "name": str, "sizes": list, "slug": str}
SIZE: Shape = {
    "available": bool,
    "disk": int,
    "memory": int,
    "price_hourly": float,
    "price_monthly": float,
    "regions": list,
    "slug": str,
    "transfer": float,
    "vcpus": int,
    "description": str,
}
NULL = type(None)
DROPLET_SHAPE: Shape = {
    "id": int,
    "name": str,
    "memory": int,
    "vcpus": int,
    "disk": int,
    "locked": bool,
    "status": str,
    "created_at": str,
    "features": list,
    "backup_ids": list,
    "next_backup_window": (dict, NULL),
    "snapshot_ids": list,
    "image": dict,
    "volume_ids": list,
    "size": dict,
    "size_slug": str,
    "networks": dict,
    "region": dict,
    "tags": list,
}
ACTION: Shape = {
    "id": int,
    "status": str,
    "type": str,
    "started_at": str,
    "completed_at": (str, NULL),
    "resource_id": int,
    "resource_type": str,
    "region": dict,
    "region_slug": str,
}
SNAPSHOT: Shape = {
    "id": int,
    "name": str,
    "created_at": str,
    "regions": list,
    "min_disk_size": int,
    "size_gigabytes": float,
    "type": str,
}
APP_SIZE: Shape = {
    "bandwidth_allowance_gib": str,
    "cpu_type": str,
    "cpus": str,
    "deprecation_intent": bool,
    "memory_bytes": str,
    "name": str,
    "scalable": bool,
    "single_instance_only": bool,
    "slug": str,
    "tier_slug": str,
    "usd_per_month": str,
    "usd_per_second": str,
}
APP_SHAPE: Shape = {
    "id": str,
    "owner_uuid": str,
    "spec": dict,
    "active_deployment": dict,
    "created_at": str,
    "updated_at": str,
    "default_ingress": str,
    "live_url": str,
    "region": dict,
    "tier_slug": str,
}
DEPLOYMENT: Shape = {
    "id": str,
    "cause": str,
    "spec": dict,
    "services": list,
    "phase": str,
    "phase_last_updated_at": str,
    "created_at": str,
    "updated_at": str,
    "progress": dict,
    "tier_slug": str,
}
HEALTH: Shape = {
    "name": str,
    "cpu_usage_percent": float,
    "memory_usage_percent": float,
    "replicas_desired": int,
    "replicas_ready": int,
    "state": str,
}
PROPOSAL: Shape = {
    "app_is_static": bool,
    "app_name_available": bool,
    "existing_static_apps": str,
    "spec": dict,
    "app_cost": int,
}
PROJECT_SHAPE: Shape = {
    "id": str,
    "ref": str,
    "organization_id": str,
    "organization_slug": str,
    "name": str,
    "region": str,
    "created_at": str,
    "status": str,
    "database": dict,
}
DATABASE: Shape = {"host": str, "version": str, "postgres_engine": str, "release_channel": str}
SERVICE: Shape = {"name": str, "healthy": bool, "status": str}
PRICE: Shape = {"description": str, "type": str, "interval": str, "amount": (int, float)}
POOL: Shape = {
    "identifier": str,
    "database_type": str,
    "is_using_scram_auth": bool,
    "db_user": str,
    "db_host": str,
    "db_port": int,
    "db_name": str,
    "connection_string": str,
    "connectionString": str,
    "default_pool_size": (int, NULL),
    "max_client_conn": (int, NULL),
    "pool_mode": str,
}

DO, SUPABASE = "/digitalocean/v2", f"/supabase/v1/projects/{PROJECT}"
ANSWERS: list[tuple[str, tuple[str | int, ...], Shape]] = [
    (f"{DO}/account", ("account",), ACCOUNT),
    (f"{DO}/sizes", ("sizes", 0), SIZE),
    (f"{DO}/droplets", ("droplets", 0), DROPLET_SHAPE),
    (f"{DO}/droplets/{DROPLET}", ("droplet",), DROPLET_SHAPE),
    (f"{DO}/droplets/{DROPLET}", ("droplet", "size"), SIZE),
    (f"{DO}/droplets/{DROPLET}", ("droplet", "region"), REGION),
    (f"{DO}/droplets/{DROPLET}/actions", ("actions", 0), ACTION),
    (f"{DO}/droplets/{DROPLET}/snapshots", ("snapshots", 0), SNAPSHOT),
    (f"{DO}/apps", ("apps", 0), APP_SHAPE),
    (f"{DO}/apps/{APP}", ("app",), APP_SHAPE),
    (f"{DO}/apps/{APP}", ("app", "active_deployment"), DEPLOYMENT),
    (f"{DO}/apps/{APP}/deployments", ("deployments", 0), DEPLOYMENT),
    (f"{DO}/apps/{APP}/health", ("app_health", "components", 0), HEALTH),
    (f"{DO}/apps/tiers/instance_sizes", ("instance_sizes", 0), APP_SIZE),
    (f"{DO}/apps/tiers/instance_sizes/basic-xs", ("instance_size",), APP_SIZE),
    ("/supabase/v1/projects", (0,), PROJECT_SHAPE),
    (SUPABASE, (), PROJECT_SHAPE),
    (SUPABASE, ("database",), DATABASE),
    (f"{SUPABASE}/health?services=db", (0,), SERVICE),
    (f"{SUPABASE}/config/database/pooler", (0,), POOL),
    (f"{SUPABASE}/billing/addons", ("selected_addons", 0, "variant", "price"), PRICE),
    (f"{SUPABASE}/billing/addons", ("available_addons", 0, "variants", 0, "price"), PRICE),
]


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """One that has taken a snapshot already, so that no list is empty."""
    one = Sandbox()
    one.done("snapshot", name="pre-scale-20260101-run")
    return one


def found(answer: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        answer = answer[step]
    return answer


def misfits(body: Any, shape: Shape) -> list[str]:
    wrong = [name for name, kind in shape.items() if not isinstance(body.get(name, ...), kind)]
    # bool is an int to Python, not to JSON.
    return wrong + [n for n, k in shape.items() if k is int and isinstance(body.get(n), bool)]


@pytest.mark.parametrize(("path", "steps", "shape"), ANSWERS)
def test_an_answer_has_the_fields_and_types_of_the_vendors_document(
    sandbox: Sandbox, path: str, steps: tuple[str | int, ...], shape: Shape
) -> None:
    answer = sandbox.call("GET", path)
    assert answer.status_code == 200
    assert misfits(found(answer.json, steps), shape) == []


def test_a_proposal_has_the_fields_and_types_of_the_vendors_document(sandbox: Sandbox) -> None:
    body = {"spec": sandbox.spec(), "app_id": APP}
    answer = sandbox.call("POST", f"{DO}/apps/propose", body)
    assert misfits(answer.json, PROPOSAL) == []


@pytest.mark.parametrize("path", ["sizes", "droplets", "apps", f"apps/{APP}/deployments"])
def test_a_list_has_links_and_a_total(sandbox: Sandbox, path: str) -> None:
    answer = sandbox.call("GET", f"{DO}/{path}").json
    assert answer is not None
    assert isinstance(answer["links"], dict)
    assert isinstance(answer["meta"]["total"], int)
