"""httpx, with which the service speaks to Cloudflare, against the sandbox over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.domain.errors import FailureKind, VendorError
from service.ports.cloudflare_zone import Answered
from service.providers.cloudflare import CloudflareApi
from tests.contract.loopback import Loopback
from tests.fakes.zones import ZONE
from tests.unit.sandbox.support import TOKEN, Sandbox, Served, served

ONE = f"/cloudflare/client/v4/zones/{ZONE}"
PAGE = "https://quizmentor.app/assets/app.js"


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served(rate_limits=True) as one:
        yield one


def provider(sandbox: Served, token: str = TOKEN) -> CloudflareApi:
    base = f"{sandbox.url}/cloudflare"
    return CloudflareApi(
        token=token, base_url=base, edge_url=f"{base}/edge", origin_url=f"{base}/origin"
    )


def control(sandbox: Served, name: str, **body: Any) -> None:
    answer = httpx.post(f"{sandbox.url}/_sandbox/{name}", json=body, trust_env=False)
    assert answer.is_success, answer.text


def refused(sandbox: Served, token: str = TOKEN) -> VendorError:
    with pytest.raises(VendorError) as caught:
        provider(sandbox, token).purge(ZONE, "tags", ["news"])
    return caught.value


def test_a_zone_is_read_with_its_domain_status_and_plan(sandbox: Served) -> None:
    control(sandbox, "cloudflare", plan="pro", paused=True)
    found = provider(sandbox).zone(ZONE)
    assert (found.name, found.status, found.paused, found.plan) == (
        "quizmentor.app",
        "active",
        True,
        "pro",
    )


@pytest.mark.parametrize(
    ("by", "entries", "left"),
    [
        ("prefixes", ["quizmentor.app/assets/"], False),
        ("prefixes", ["quizmentor.app/api/"], True),
        ("hosts", ["quizmentor.app"], False),
        ("files", [PAGE], False),
        ("tags", ["news"], True),
        ("everything", [], False),
    ],
)
def test_a_purge_removes_what_it_names_from_the_edge_and_nothing_else(
    sandbox: Served, by: str, entries: list[str], left: bool
) -> None:
    cloudflare = provider(sandbox)
    assert [cloudflare.copy(PAGE).status for _ in range(2)] == ["MISS", "HIT"]
    cloudflare.purge(ZONE, by, entries)
    assert cloudflare.copy(PAGE).status == ("HIT" if left else "MISS")


def test_the_edge_is_asked_without_the_token(vendor: Loopback) -> None:
    """The address is a site's, and whoever serves it must not get the token."""
    vendor.answers(200, b"a page", {"CF-Cache-Status": "hit", "Age": "7"})
    copy = CloudflareApi(token=TOKEN, edge_url=vendor.url).copy(PAGE)
    assert (copy.status, copy.age_s) == ("HIT", 7)
    (seen,) = vendor.seen
    assert seen.path == "/quizmentor.app/assets/app.js"
    assert "authorization" not in {name.lower() for name in seen.headers}
    assert TOKEN not in str(seen.headers)


def test_a_token_without_the_permission_is_refused_with_what_it_lacks(sandbox: Served) -> None:
    control(sandbox, "tokens", cloudflare={TOKEN: ["Zone Read"]})
    provider(sandbox).zone(ZONE)
    error = refused(sandbox)
    assert (error.kind, error.status) == (FailureKind.PERMANENT, 403)
    assert "Authentication error (10000)" in error.sentence
    assert "needs the scope Cache Purge" in error.sentence
    assert "CLOUDFLARE_API_TOKEN" in error.sentence


def test_a_token_that_is_not_known_is_refused_with_its_setting(sandbox: Served) -> None:
    control(sandbox, "tokens", cloudflare={TOKEN: ["Zone Read"]})
    error = refused(sandbox, "another-token-not-real")
    assert (error.kind, error.status) == (FailureKind.PERMANENT, 403)
    assert "CLOUDFLARE_API_TOKEN" in error.sentence


def test_a_call_without_a_token_is_refused_as_the_vendor_does(sandbox: Served) -> None:
    answer = httpx.get(f"{sandbox.url}{ONE}", trust_env=False)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["code"], error["error_chain"][0]["code"]) == (6003, 6111)


def test_another_zone_is_refused_for_good(sandbox: Served) -> None:
    with pytest.raises(VendorError, match="perhaps your object identifier is invalid") as caught:
        provider(sandbox).zone("0" * 32)
    assert caught.value.kind is FailureKind.PERMANENT


def test_a_success_that_says_false_is_a_refusal_whatever_its_status(sandbox: Served) -> None:
    errors = [{"code": 1012, "message": "Request must contain something"}]
    body = {"success": False, "errors": errors, "messages": [], "result": None}
    control(sandbox, "faults", method="POST", status=200, body=body)
    error = refused(sandbox)
    assert error.kind is FailureKind.PERMANENT
    assert "Request must contain something (1012)" in error.sentence


@pytest.mark.parametrize("code", [971, 1134])
def test_a_limit_that_is_told_with_status_200_is_a_limit(sandbox: Served, code: int) -> None:
    body = {"success": False, "errors": [{"code": code, "message": "wait"}], "result": None}
    control(sandbox, "faults", method="POST", status=200, body=body)
    assert refused(sandbox).kind is FailureKind.TEMPORARY


def test_a_success_without_a_result_is_in_doubt(sandbox: Served) -> None:
    body = {"success": True, "errors": [], "messages": [], "result": None}
    control(sandbox, "faults", method="POST", status=200, body=body)
    assert refused(sandbox).kind is FailureKind.UNKNOWN


def test_a_free_zone_takes_25_purges_and_then_refuses_for_now(sandbox: Served) -> None:
    cloudflare = provider(sandbox)
    for _ in range(25):
        cloudflare.purge(ZONE, "tags", ["news"])
    error = refused(sandbox)
    assert (error.kind, error.status) == (FailureKind.TEMPORARY, 429)
    assert "Unable to purge, rate limit reached" in error.sentence


def test_a_purge_comes_back_to_a_free_zone_every_12_seconds() -> None:
    one = Sandbox(rate_limits=True)

    def ask() -> int:
        return one.call("POST", f"{ONE}/purge_cache", {"tags": ["a"]}).status_code

    assert [ask() for _ in range(26)] == [200] * 25 + [429]
    one.clock.pass_by(11.0)
    assert ask() == 429
    one.clock.pass_by(2.0)
    assert [ask(), ask()] == [200, 429]


def test_1200_calls_in_five_minutes_block_the_caller_for_five() -> None:
    one = Sandbox(rate_limits=True)
    statuses = {one.call("GET", ONE).status_code for _ in range(1200)}
    blocked = one.call("GET", ONE)
    assert (statuses, blocked.status_code) == ({200}, 429)
    assert blocked.headers["retry-after"] == "300"
    one.clock.pass_by(299.0)
    assert one.call("GET", ONE).status_code == 429
    one.clock.pass_by(2.0)
    assert one.call("GET", ONE).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, 1012),
        ({"purge_everything": True, "tags": ["a"]}, 1092),
        ({"tags": ["a"], "hosts": ["b"]}, 1012),
        ({"tags": "a"}, 1012),
        ({"tags": []}, 1094),
        ({"tags": ["a"] * 101}, 1094),
    ],
)
def test_a_purge_that_makes_no_sense_is_refused_in_the_envelope(
    body: dict[str, Any], code: int
) -> None:
    one = Sandbox()
    answer = one.call("POST", f"{ONE}/purge_cache", body)
    assert answer.status_code == 400
    assert answer.json is not None
    assert (answer.json["success"], answer.json["errors"][0]["code"]) == (False, code)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"plan": "gold"}, "plan must be one of free"),
        ({"status": "gone"}, "status must be one of"),
        ({"paused": "yes"}, "paused must be true or false"),
        ({"deaf": -1}, "deaf must be a whole number"),
        ({"cache_level": "bypass"}, "cache_level must be one of"),
        ({"cache_level_editable": 1}, "cache_level_editable must be true or false"),
        ({"origin": {"/me": "private"}}, "origin must map paths to status and headers"),
        ({"origin": {"/me": {"status": 7}}}, "origin must map paths"),
        ({"size": 1}, "The body sets plan"),
        ([], "The body sets plan"),
    ],
)
def test_the_control_refuses_what_makes_no_sense(body: Any, said: str) -> None:
    answer = Sandbox().call("POST", "/_sandbox/cloudflare", body)
    assert answer.status_code == 422
    assert answer.json is not None
    assert said in answer.json["error"]


# ---- Cache rules ----

RULE = {
    "ref": "runbookd_assets",
    "expression": '(starts_with(http.request.uri.path, "/assets/"))',
    "action": "set_cache_settings",
    "action_parameters": {"cache": False},
    "description": "d",
    "enabled": True,
}
RULES = f"{ONE}/rulesets/phases/http_request_cache_settings/entrypoint"


def test_a_zone_without_a_list_of_cache_rules_has_none_and_its_first_write_makes_one(
    sandbox: Served,
) -> None:
    cloudflare = provider(sandbox)
    assert (
        httpx.get(
            f"{sandbox.url}{RULES}", headers={"Authorization": f"Bearer {TOKEN}"}, trust_env=False
        ).json()["errors"][0]["code"]
        == 10003
    )
    assert (cloudflare.cache_rules(ZONE).version, cloudflare.cache_rules(ZONE).rules) == (0, ())
    made = cloudflare.set_cache_rules(ZONE, [RULE])
    assert (made.version, made.rules[0]["ref"]) == (1, "runbookd_assets")
    assert cloudflare.cache_rules(ZONE) == made


def test_another_zone_is_not_one_without_rules(sandbox: Served) -> None:
    with pytest.raises(VendorError, match="perhaps your object identifier is invalid"):
        provider(sandbox).cache_rules("0" * 32)


def test_a_rule_that_is_sent_back_keeps_its_id(sandbox: Served) -> None:
    cloudflare = provider(sandbox)
    (first,) = cloudflare.set_cache_rules(ZONE, [RULE]).rules
    again = {key: first[key] for key in (*RULE, "id")}
    assert cloudflare.set_cache_rules(ZONE, [again]).rules[0]["id"] == first["id"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": "1"}, "unknown field"),
        ({"action": "block"}, "needs an expression"),
        ({"action_parameters": {"edge_ttl": {"mode": "override_origin", "default": 60}}}, "short"),
        (
            {"action_parameters": {"browser_ttl": {"mode": "override_origin", "default": 9}}},
            "short",
        ),
    ],
)
def test_a_rule_that_the_plan_or_the_phase_does_not_take_is_refused(
    sandbox: Served, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(VendorError, match=said) as caught:
        provider(sandbox).set_cache_rules(ZONE, [{**RULE, **change}])
    assert caught.value.kind is FailureKind.PERMANENT
    assert provider(sandbox).cache_rules(ZONE).version == 0


def test_rules_beyond_the_plan_or_with_one_ref_twice_are_refused(sandbox: Served) -> None:
    with pytest.raises(VendorError, match="exceeded maximum number of rules"):
        provider(sandbox).set_cache_rules(ZONE, [{**RULE, "ref": str(at)} for at in range(11)])
    with pytest.raises(VendorError, match="duplicate rule ref"):
        provider(sandbox).set_cache_rules(ZONE, [RULE, RULE])


# ---- The cache level ----


@pytest.mark.parametrize(
    ("level", "statuses"),
    [
        ("aggressive", ["MISS", "MISS", "HIT"]),
        ("simplified", ["MISS", "HIT", "HIT"]),
        ("basic", ["DYNAMIC", "DYNAMIC", "DYNAMIC"]),
    ],
)
def test_a_cache_level_decides_what_the_edge_makes_of_a_query_string(
    sandbox: Served, level: str, statuses: list[str]
) -> None:
    cloudflare = provider(sandbox)
    assert cloudflare.set_cache_level(ZONE, level).value == level
    asked = [f"{PAGE}?v=1", f"{PAGE}?v=2", f"{PAGE}?v=2"]
    assert [cloudflare.copy(each).status for each in asked] == statuses
    assert [cloudflare.copy(f"{PAGE}x").status for _ in range(2)] == ["MISS", "HIT"]


def test_a_level_that_cloudflare_does_not_know_is_refused_and_a_put_is_not_routed(
    sandbox: Served,
) -> None:
    """The runbook sends a PUT, which Cloudflare does not have here."""
    with pytest.raises(VendorError, match="Invalid value for zone setting cache_level") as caught:
        provider(sandbox).set_cache_level(ZONE, "bypass")
    assert caught.value.kind is FailureKind.PERMANENT
    answer = Sandbox().call("PUT", f"{ONE}/settings/cache_level", {"value": "basic"})
    assert (answer.status_code, answer.json and answer.json["success"]) == (400, False)


def test_a_level_whose_answer_says_success_false_with_status_200_is_a_refusal(
    sandbox: Served,
) -> None:
    errors = [{"code": 1007, "message": "Invalid value for zone setting cache_level"}]
    body = {"success": False, "errors": errors, "messages": [], "result": None}
    control(sandbox, "faults", method="PATCH", status=200, body=body)
    with pytest.raises(VendorError, match="Invalid value") as caught:
        provider(sandbox).set_cache_level(ZONE, "basic")
    assert caught.value.kind is FailureKind.PERMANENT


def test_a_token_without_zone_settings_is_told_which_scope_it_lacks(sandbox: Served) -> None:
    control(sandbox, "tokens", cloudflare={TOKEN: ["Zone Settings Read"]})
    assert provider(sandbox).cache_level(ZONE).value == "aggressive"
    with pytest.raises(VendorError, match="needs the scope Zone Settings Write") as caught:
        provider(sandbox).set_cache_level(ZONE, "basic")
    assert caught.value.status == 403


# ---- What the site's own server says ----


def test_an_answer_of_the_site_is_told_by_its_headers_and_its_cookie_only_as_there(
    sandbox: Served,
) -> None:
    headers = {"Set-Cookie": "session=secret", "Cache-Control": "private", "Vary": "Cookie"}
    control(sandbox, "cloudflare", origin={"/me": {"status": 401, "headers": headers}})
    found = provider(sandbox).answer("https://origin.quizmentor.app/me", "quizmentor.app")
    assert found == Answered(401, True, "private", "Cookie")
    other = provider(sandbox).answer("https://origin.quizmentor.app/", "")
    assert other == Answered(200, False, "public, max-age=300", "")


def test_the_site_is_asked_without_the_token_under_the_host_that_is_meant_and_not_led_elsewhere(
    vendor: Loopback,
) -> None:
    vendor.answers(302, b"", {"Location": "https://elsewhere.example/", "Vary": "Authorization"})
    found = CloudflareApi(token=TOKEN).answer(f"{vendor.url}/learn/1?x=1", "quizmentor.app")
    assert found == Answered(302, False, "", "Authorization")
    (seen,) = vendor.seen
    assert seen.path == "/learn/1?x=1"
    named = {name.lower(): value for name, value in seen.headers.items()}
    assert (named["host"], "authorization" in named, "cookie" in named) == (
        "quizmentor.app",
        False,
        False,
    )
    assert TOKEN not in str(seen.headers)
