"""httpx, with which the service speaks to Supabase, against the sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.unit.sandbox.support import PROJECT, TOKEN, Served, served

ONE = f"/v1/projects/{PROJECT}"


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


def client(sandbox: Served, token: str = TOKEN) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=f"{sandbox.url}/supabase", headers=headers, timeout=30)


def test_a_compute_size_is_ordered_and_runs_once_the_project_is_healthy(sandbox: Served) -> None:
    body = {"addon_type": "compute_instance", "addon_variant": "ci_small"}
    with client(sandbox) as vendor:
        assert vendor.get(ONE).json()["status"] == "ACTIVE_HEALTHY"
        assert vendor.patch(f"{ONE}/billing/addons", json=body).status_code == 200
        assert vendor.get(ONE).json()["status"] == "ACTIVE_HEALTHY"
        (selected,) = vendor.get(f"{ONE}/billing/addons").json()["selected_addons"]
    assert selected["variant"]["id"] == "ci_small"
    assert sandbox.state()["supabase"][PROJECT]["compute"] == "ci_small"
    assert sandbox.state()["metrics"]["db_connections_available"] == 70


def test_a_resize_under_way_is_seen_by_polling() -> None:
    with served(action_seconds=3600.0) as sandbox, client(sandbox) as vendor:
        body = {"addon_type": "compute_instance", "addon_variant": "ci_medium"}
        httpx.post(f"{sandbox.url}/_sandbox/supabase", json={"restart_after": 0})
        vendor.patch(f"{ONE}/billing/addons", json=body)
        assert vendor.get(ONE).json()["status"] == "RESIZING"
        (service,) = vendor.get(f"{ONE}/health", params={"services": ["db"]}).json()
        assert service["status"] == "COMING_UP"
        assert sandbox.state()["supabase"][PROJECT]["compute"] == "ci_micro"


def test_the_limit_is_told_in_headers_until_it_is_reached(sandbox: Served) -> None:
    with client(sandbox) as vendor:
        seen = [vendor.get(ONE) for _ in range(121)]
    assert {one.status_code for one in seen[:120]} == {200}
    assert seen[-1].status_code == 429
    assert seen[-1].headers["X-RateLimit-Remaining"] == "0"
    assert 0 < int(seen[-1].headers["X-RateLimit-Reset"]) <= 60


def test_errors_are_a_message(sandbox: Served) -> None:
    with client(sandbox, token="") as nobody:
        assert nobody.get(ONE).status_code == 401
    with client(sandbox) as vendor:
        answer = vendor.patch(f"{ONE}/billing/addons", json={"addon_type": "compute_instance"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"message"}
