"""One suite for all vendors: each failure means the same whoever it comes from."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from service.domain.error_json import dump_error, load_error
from service.domain.errors import FailureKind, VendorError
from service.ports import Message, MessageRef, Page
from service.providers.cloudflare import CloudflareApi
from service.providers.digitalocean import DigitalOceanClient
from service.providers.digitalocean_apps import DigitalOceanApps
from service.providers.digitalocean_droplets import DigitalOceanDroplets
from service.providers.pagerduty import PagerDutyPager
from service.providers.prometheus import PrometheusMetrics
from service.providers.slack import SlackMessenger
from service.providers.supabase import SupabaseCompute
from service.providers.valkey import DigitalOceanValkey
from service.providers.waits import Timeouts
from tests.contract.loopback import LONGEST_HANG_S, Loopback, closed_port
from tests.processes import wait_until

SECRET = "test-token-not-real"
QUICK = Timeouts(connect=1.0, read=0.4, slow_read=0.4)
"""For who never answers; elsewhere a busy machine is given the time that a vendor is given."""
PAGE = Page(dedup_key="group-1", summary="High Error Rate", source="api", severity="critical")
MESSAGE = Message(title="Scaling api", text="2 → 3")
REF = MessageRef("C1", "1.0")


@dataclass(frozen=True)
class At:
    """Where a vendor is, and how long it is given."""

    url: str
    timeouts: Timeouts


def apps(at: At) -> DigitalOceanApps:
    return DigitalOceanApps(DigitalOceanClient(token=SECRET, endpoint=at.url, timeouts=at.timeouts))


def droplets(at: At) -> DigitalOceanDroplets:
    return DigitalOceanDroplets(
        DigitalOceanClient(token=SECRET, endpoint=at.url, timeouts=at.timeouts)
    )


def clusters(at: At) -> DigitalOceanValkey:
    client = DigitalOceanClient(token=SECRET, endpoint=at.url, timeouts=at.timeouts)
    return DigitalOceanValkey(client)


def supabase(at: At) -> SupabaseCompute:
    return SupabaseCompute(token=SECRET, base_url=at.url, timeouts=at.timeouts)


def pager(at: At) -> PagerDutyPager:
    return PagerDutyPager(routing_key=SECRET, base_url=at.url, timeouts=at.timeouts)


def slack(at: At) -> SlackMessenger:
    return SlackMessenger(
        token=SECRET, channel="C1", base_url=at.url, timeout=math.ceil(at.timeouts.read)
    )


def cloudflare(at: At) -> CloudflareApi:
    return CloudflareApi(token=SECRET, base_url=at.url, timeouts=at.timeouts)


def prometheus(at: At) -> PrometheusMetrics:
    return PrometheusMetrics(base_url=at.url, token=SECRET, timeouts=at.timeouts)


@dataclass(frozen=True)
class Operation:
    vendor: str
    name: str
    run: Callable[[At], Any]
    repeatable: bool
    setting: str

    @property
    def in_doubt(self) -> FailureKind:
        return FailureKind.TEMPORARY if self.repeatable else FailureKind.UNKNOWN


DO, SB, PD = "DIGITALOCEAN_TOKEN", "SUPABASE_ACCESS_TOKEN", "PAGERDUTY_ROUTING_KEY"
CF = "CLOUDFLARE_API_TOKEN"
OPERATIONS = [
    Operation("digitalocean", "get_app", lambda at: apps(at).get_app("a"), True, DO),
    Operation("digitalocean", "deployments", lambda at: apps(at).list_deployments("a"), True, DO),
    Operation("digitalocean", "app_health", lambda at: apps(at).health("a"), True, DO),
    Operation("digitalocean", "update_app", lambda at: apps(at).update_app("a", {}), False, DO),
    Operation("digitalocean", "droplet", lambda at: droplets(at).get("101"), True, DO),
    Operation("digitalocean", "snapshots", lambda at: droplets(at).snapshot_names("1"), True, DO),
    Operation("digitalocean", "sizes", lambda at: droplets(at).sizes(), True, DO),
    Operation("digitalocean", "act", lambda at: droplets(at).act("1", "power_off"), False, DO),
    Operation("digitalocean", "cluster", lambda at: clusters(at).get("c"), True, DO),
    Operation("digitalocean", "resize", lambda at: clusters(at).resize("c", "s", 1), False, DO),
    Operation("digitalocean", "policy", lambda at: clusters(at).set_policy("c", "p"), False, DO),
    Operation("supabase", "get", lambda at: supabase(at).get("ref"), True, SB),
    Operation("supabase", "health", lambda at: supabase(at).health("ref"), True, SB),
    Operation("supabase", "pool_size", lambda at: supabase(at).pool_size("ref"), True, SB),
    Operation("supabase", "ask", lambda at: supabase(at).max_connections("ref"), True, SB),
    Operation("supabase", "set_pool", lambda at: supabase(at).set_pool_size("r", 9), False, SB),
    Operation("supabase", "home", lambda at: supabase(at).home("ref"), True, SB),
    Operation("supabase", "replicas", lambda at: supabase(at).replicas("r", "o"), True, SB),
    Operation("supabase", "addresses", lambda at: supabase(at).addresses("ref"), True, SB),
    Operation("supabase", "setup", lambda at: supabase(at).setup_replica("r", "eu"), False, SB),
    Operation("supabase", "remove", lambda at: supabase(at).remove_replica("r", "x"), False, SB),
    Operation("supabase", "resize", lambda at: supabase(at).resize("r", "ci_large"), False, SB),
    Operation("cloudflare", "zone", lambda at: cloudflare(at).zone("z"), True, CF),
    Operation(
        "cloudflare", "purge", lambda at: cloudflare(at).purge("z", "tags", ["a"]), False, CF
    ),
    Operation("cloudflare", "rules", lambda at: cloudflare(at).cache_rules("z"), True, CF),
    Operation(
        "cloudflare", "set_rules", lambda at: cloudflare(at).set_cache_rules("z", []), False, CF
    ),
    Operation("cloudflare", "level", lambda at: cloudflare(at).cache_level("z"), True, CF),
    Operation(
        "cloudflare",
        "set_level",
        lambda at: cloudflare(at).set_cache_level("z", "basic"),
        False,
        CF,
    ),
    Operation("pagerduty", "trigger", lambda at: pager(at).trigger(PAGE), True, PD),
    Operation("pagerduty", "resolve", lambda at: pager(at).resolve("group-1"), True, PD),
    Operation("pagerduty", "change", lambda at: pager(at).change("s", "api", {}), True, PD),
    Operation("slack", "post", lambda at: slack(at).post(MESSAGE), False, "SLACK_BOT_TOKEN"),
    Operation(
        "slack", "update", lambda at: slack(at).update(REF, MESSAGE), True, "SLACK_BOT_TOKEN"
    ),
    Operation(
        "prometheus", "query", lambda at: prometheus(at).query("up"), True, "PROMETHEUS_TOKEN"
    ),
]
every_operation = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=lambda one: f"{one.vendor}-{one.name}"
)


def failure_of(operation: Operation, url: str, timeouts: Timeouts | None = None) -> VendorError:
    with pytest.raises(VendorError) as caught:
        operation.run(At(url, timeouts or Timeouts()))
    error = caught.value
    assert error.vendor == operation.vendor
    assert SECRET not in str(error)
    assert SECRET[-4:] not in str(error)
    assert vars(load_error(json.loads(json.dumps(dump_error(error))))) == vars(error)
    return error


@every_operation
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_credential_is_permanent_and_names_its_setting(
    vendor: Loopback, operation: Operation, status: int
) -> None:
    vendor.answers(status, {"id": "unauthorized", "message": f"no {SECRET}", "ok": False})

    error = failure_of(operation, vendor.url)

    assert (error.kind, error.status) == (FailureKind.PERMANENT, status)
    assert operation.setting in error.sentence
    assert len(vendor.seen) == 1


@every_operation
@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refusal_is_permanent_and_quotes_the_vendor(
    vendor: Loopback, operation: Operation, status: int
) -> None:
    vendor.answers(
        status, {"id": "x", "message": "size not\n  offered", "error": "size not offered"}
    )

    error = failure_of(operation, vendor.url)

    assert (error.kind, error.status) == (FailureKind.PERMANENT, status)
    assert "size not offered" in error.sentence
    assert len(vendor.seen) == 1


@every_operation
def test_what_does_not_exist_is_permanent(vendor: Loopback, operation: Operation) -> None:
    vendor.answers(404, {"id": "not_found", "message": "no such thing", "error": "no such thing"})

    error = failure_of(operation, vendor.url)

    assert (error.kind, error.status) == (FailureKind.PERMANENT, 404)
    assert "no such thing" in error.sentence


@every_operation
@pytest.mark.parametrize("status", [429, 503])
def test_a_request_turned_away_is_temporary_for_as_long_as_the_vendor_says(
    vendor: Loopback, operation: Operation, status: int
) -> None:
    vendor.answers(status, {"message": "slow down", "ok": False}, {"Retry-After": "7"})

    error = failure_of(operation, vendor.url)

    assert (error.kind, error.status) == (FailureKind.TEMPORARY, status)
    assert error.retry_after == 7
    assert len(vendor.seen) == 1


@every_operation
@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_vendor_that_broke_is_in_doubt_and_asked_only_once(
    vendor: Loopback, operation: Operation, status: int
) -> None:
    vendor.answers(status, b"<html>Bad gateway</html>")

    error = failure_of(operation, vendor.url)

    assert (error.kind, error.status) == (operation.in_doubt, status)
    assert len(vendor.seen) == 1


@every_operation
def test_a_vendor_that_never_answers_is_in_doubt_within_the_time_out(
    vendor: Loopback, operation: Operation
) -> None:
    vendor.hangs()
    began = time.monotonic()

    error = failure_of(operation, vendor.url, QUICK)

    assert error.kind is operation.in_doubt
    assert time.monotonic() - began < LONGEST_HANG_S / 2
    assert wait_until(lambda: vendor.seen, LONGEST_HANG_S)
    assert len(vendor.seen) == 1


@every_operation
def test_a_connection_closed_without_an_answer_is_in_doubt(
    vendor: Loopback, operation: Operation
) -> None:
    vendor.hangs_up()

    error = failure_of(operation, vendor.url)

    assert error.kind is operation.in_doubt
    assert len(vendor.seen) == 1


@every_operation
def test_an_answer_that_breaks_off_is_in_doubt(vendor: Loopback, operation: Operation) -> None:
    vendor.breaks_off()

    assert failure_of(operation, vendor.url).kind is operation.in_doubt
    assert len(vendor.seen) == 1


@every_operation
@pytest.mark.parametrize("body", [b"<html>Welcome</html>", b'"text"', b"[]", b"null", b"{"])
def test_a_success_that_is_not_the_vendors_is_in_doubt(
    vendor: Loopback, operation: Operation, body: bytes
) -> None:
    vendor.answers(200, body)

    assert failure_of(operation, vendor.url).kind is operation.in_doubt


WITHOUT_A_BODY = ("resize", "setup", "remove")
"""The operations whose success is documented without a body."""


@pytest.mark.parametrize(
    "operation",
    [one for one in OPERATIONS if one.name not in WITHOUT_A_BODY],
    ids=lambda one: f"{one.vendor}-{one.name}",
)
@pytest.mark.parametrize("body", [b"", b"{}"])
def test_a_success_without_the_keys_that_are_documented_is_in_doubt(
    vendor: Loopback, operation: Operation, body: bytes
) -> None:
    vendor.answers(200, body)

    assert failure_of(operation, vendor.url).kind is operation.in_doubt


@every_operation
def test_a_refused_connection_is_temporary_even_for_a_write(operation: Operation) -> None:
    error = failure_of(operation, f"http://127.0.0.1:{closed_port()}")

    assert error.kind is FailureKind.TEMPORARY
    assert operation.repeatable or "nothing was sent" in error.sentence


@every_operation
def test_a_name_that_does_not_resolve_is_temporary(operation: Operation) -> None:
    error = failure_of(operation, "http://no-such-host.invalid:9")

    assert error.kind is FailureKind.TEMPORARY
    assert operation.repeatable or "nothing was sent" in error.sentence


@pytest.mark.parametrize(
    "operation",
    [one for one in OPERATIONS if one.vendor != "slack"],
    ids=lambda one: f"{one.vendor}-{one.name}",
)
def test_a_redirect_is_not_followed(vendor: Loopback, operation: Operation) -> None:
    vendor.answers(302, {}, {"Location": f"{vendor.url}/elsewhere"})

    failure_of(operation, vendor.url)

    assert len(vendor.seen) == 1


@every_operation
def test_the_credential_is_sent(vendor: Loopback, operation: Operation) -> None:
    vendor.answers(500)

    failure_of(operation, vendor.url)

    sent = vendor.seen[0]
    if operation.vendor == "pagerduty":
        assert sent.json["routing_key"] == SECRET
    else:
        assert sent.headers["Authorization"] == f"Bearer {SECRET}"


@every_operation
def test_no_proxy_of_the_environment_stands_before_the_sandbox(
    vendor: Loopback, operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port()}")
    if operation.vendor == "slack":  # its SDK knows no way around but this one
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    vendor.answers(400)

    assert failure_of(operation, vendor.url).status == 400
