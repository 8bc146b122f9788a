"""What the sandbox answers tokens that lack a scope, or that were not ordered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.support import APP, DROPLET, PROJECT, Sandbox

DO, DB, SLACK = "/digitalocean/v2", f"/supabase/v1/projects/{PROJECT}", "/slack/api"
TOKEN = "test-token-not-real"
"""What `Sandbox.call` sends."""


def ordered(**tokens: list[str]) -> Sandbox:
    """A sandbox whose token has these scopes at one vendor, and no others."""
    sandbox = Sandbox()
    body = {vendor: {TOKEN: scopes} for vendor, scopes in tokens.items()}
    assert sandbox.call("POST", "/_sandbox/tokens", body).status_code == 200
    return sandbox


def act(sandbox: Sandbox, **action: Any) -> int:
    return sandbox.call("POST", f"{DO}/droplets/{DROPLET}/actions", action).status_code


def test_any_token_may_do_everything_until_one_is_ordered() -> None:
    assert act(Sandbox(), type="snapshot", name="s") == 201


@pytest.mark.parametrize(
    ("scopes", "action", "status"),
    [
        (["droplet:update"], {"type": "shutdown"}, 201),
        (["droplet:update"], {"type": "snapshot", "name": "s"}, 403),
        (["droplet:update", "image:create"], {"type": "snapshot", "name": "s"}, 201),
        (["image:create"], {"type": "snapshot", "name": "s"}, 403),
        (["droplet:update"], {"type": "resize", "size": "s-1vcpu-2gb"}, 403),
        (["droplet:update", "droplet:create"], {"type": "resize", "size": "s-1vcpu-2gb"}, 422),
    ],
)
def test_an_action_of_a_droplet_wants_the_scopes_of_its_type(
    scopes: list[str], action: dict[str, Any], status: int
) -> None:
    assert act(ordered(digitalocean=scopes), **action) == status


def test_a_token_without_a_scope_is_answered_as_the_vendor_does() -> None:
    answer = ordered(digitalocean=["droplet:read"]).call("GET", f"{DO}/apps/{APP}")
    assert (answer.status_code, answer.json) == (
        403,
        {"id": "Forbidden", "message": "You are not authorized to perform this operation"},
    )


def test_a_token_that_was_not_ordered_is_unknown() -> None:
    sandbox = Sandbox()
    sandbox.call("POST", "/_sandbox/tokens", {"digitalocean": {"another": ["app:read"]}})
    assert sandbox.call("GET", f"{DO}/apps/{APP}").status_code == 401
    assert sandbox.call("GET", DB).status_code == 200, "other vendors take any token"
    sandbox.call("POST", "/_sandbox/tokens", {"digitalocean": None})
    assert sandbox.call("GET", f"{DO}/apps/{APP}").status_code == 200


def test_supabase_tells_apart_what_a_token_reads_and_changes() -> None:
    sandbox = ordered(supabase=["project_admin_read", "infra_add_ons_read"])
    order = {"addon_type": "compute_instance", "addon_variant": "ci_small"}
    assert sandbox.call("GET", f"{DB}/billing/addons").status_code == 200
    assert sandbox.call("PATCH", f"{DB}/billing/addons", order).status_code == 403
    assert sandbox.call("POST", f"{DB}/database/query/read-only", {}).status_code == 403


def test_slack_names_the_scope_that_is_needed_and_tells_a_tokens_scopes() -> None:
    sandbox = ordered(slack=["reactions:write"])
    refused: Any = sandbox.call(
        "POST", f"{SLACK}/chat.postMessage", {"channel": "#ops", "text": "hello"}
    ).json
    assert (refused["error"], refused["needed"]) == ("missing_scope", "chat:write")
    told = sandbox.call("POST", f"{SLACK}/auth.test")
    assert told.headers["X-OAuth-Scopes"] == "reactions:write"


@pytest.mark.parametrize(
    "body", [{}, [], {"nobody": {}}, {"slack": ["a"]}, {"slack": {"a": "chat:write"}}]
)
def test_an_order_that_makes_no_sense_is_refused(body: Any) -> None:
    assert Sandbox().call("POST", "/_sandbox/tokens", body).status_code == 422


def test_the_answer_to_an_order_repeats_no_token() -> None:
    sandbox = Sandbox()
    answer = sandbox.call("POST", "/_sandbox/tokens", {"slack": {"a-token": ["chat:write"]}})
    assert answer.json == {"slack": 1}


@pytest.mark.parametrize(("scopes", "status"), [(["droplet:read"], 403), (["image:delete"], 404)])
def test_to_delete_a_snapshot_wants_its_own_scope(scopes: list[str], status: int) -> None:
    answer = ordered(digitalocean=scopes).call("DELETE", f"{DO}/snapshots/4711")
    assert answer.status_code == status
