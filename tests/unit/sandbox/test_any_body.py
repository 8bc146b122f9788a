"""Whatever is sent, the answer is the vendor's: never a fault of the sandbox itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.sandbox.support import APP, DROPLET, PROJECT, Sandbox

FIELD_NAMES = """
    spec name region services workers envs key type value scope instance_count instance_size_slug
    autoscaling min_instance_count max_instance_count metrics cpu percent github app_id components
    size disk addon_type addon_variant read_replica_region database_identifier default_pool_size
    pool_mode max_connections work_mem session_replication_role query routing_key event_action
    dedup_key payload summary source severity links images channel text blocks elements fields
    thread_ts ts timestamp user vendor method path status headers body latency_s drop times rps
    p95_ms db_connections action_seconds rate_limits extra_apps
"""
WORD_LIST = """
    api SECRET EV[1:a:b] professional-xs resize snapshot rename s-1vcpu-2gb compute_instance
    ci_small us-west-1 transaction replica trigger resolve critical #ops section header actions
    button plain_text mrkdwn digitalocean POST after quizmentor 1.000001
"""
FIELDS = st.sampled_from(FIELD_NAMES.split())
WORDS = st.sampled_from(WORD_LIST.split())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=20,
)
OBJECTS = st.dictionaries(FIELDS, BODIES, max_size=6)
ONE_APP = f"/digitalocean/v2/apps/{APP}"
ONE_PROJECT = f"/supabase/v1/projects/{PROJECT}"
OPERATIONS = [
    ("PUT", ONE_APP),
    ("POST", "/digitalocean/v2/apps/propose"),
    ("POST", f"{ONE_APP}/restart"),
    ("POST", f"/digitalocean/v2/droplets/{DROPLET}/actions"),
    ("PATCH", f"{ONE_PROJECT}/billing/addons"),
    ("POST", f"{ONE_PROJECT}/read-replicas/setup"),
    ("POST", f"{ONE_PROJECT}/read-replicas/remove"),
    ("PATCH", f"{ONE_PROJECT}/config/database/pooler"),
    ("PUT", f"{ONE_PROJECT}/config/database/postgres"),
    ("POST", f"{ONE_PROJECT}/database/query"),
    ("POST", "/pagerduty/v2/enqueue"),
    ("POST", "/pagerduty/v2/change/enqueue"),
    ("POST", "/slack/api/chat.postMessage"),
    ("POST", "/slack/api/chat.update"),
    ("POST", "/slack/api/reactions.add"),
    ("POST", "/_sandbox/load"),
    ("POST", "/_sandbox/faults"),
    ("POST", "/_sandbox/reset"),
]


def wrapped(path: str, body: Any, sandbox: Sandbox) -> Any:
    """Half-right bodies reach deeper: the app's own spec with its component changed."""
    if not path.startswith(ONE_APP) and "propose" not in path:
        return body
    spec = sandbox.spec()
    if isinstance(body, dict):
        spec["services"][0] |= body
    return {"spec": spec}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(body=BODIES | OBJECTS, wrap=st.booleans())
def test_no_body_breaks_an_operation(method: str, path: str, body: Any, wrap: bool) -> None:
    sandbox = Sandbox(action_seconds=0.0)
    sent = wrapped(path, body, sandbox) if wrap else body
    assert sandbox.call(method, path, sent).status_code < 500
    assert sandbox.call("GET", "/_sandbox/state").status_code == 200
    assert sandbox.client.get("/metrics").status_code == 200


DEEP = b"[" * 100_000


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"NaN", b'{"spec": NaN}', DEEP])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_bytes_break_an_operation(method: str, path: str, body: bytes) -> None:
    sandbox = Sandbox()
    headers = {"Authorization": "Bearer test-token-not-real", "Content-Type": "application/json"}
    answer = sandbox.client.open(path, method=method, data=body, headers=headers)
    assert answer.status_code < 500
    assert sandbox.call("GET", "/_sandbox/calls").status_code == 200


@pytest.mark.parametrize("number", ["9" * 5000, "-1", "١", "1e3", "0x1"])
def test_no_number_in_a_path_or_query_breaks_an_operation(number: str) -> None:
    sandbox = Sandbox()
    for path in (f"droplets/{number}", f"droplets/{DROPLET}/actions/{number}"):
        assert sandbox.call("GET", f"/digitalocean/v2/{path}").status_code == 404
    assert sandbox.call("GET", f"/digitalocean/v2/sizes?page={number}").status_code == 400
