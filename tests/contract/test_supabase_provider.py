from __future__ import annotations

import pytest

from service.domain.errors import FailureKind, VendorError
from service.ports.supabase import Address, ComputeState, Home, Replica, ServiceHealth
from service.providers.supabase import SupabaseCompute
from service.providers.waits import Timeouts
from tests.contract.loopback import Loopback

MICRO = {"id": "ci_micro", "price": {"type": "usage", "interval": "hourly", "amount": 0.01344}}
LARGE = {"id": "ci_large", "price": {"type": "usage", "interval": "hourly", "amount": 0.1517}}
XL = {"id": "ci_xlarge", "price": {"type": "fixed", "interval": "monthly", "amount": 210}}
ADDONS = {
    "selected_addons": [
        {"type": "pitr", "variant": {"id": "pitr_7"}},
        {"type": "compute_instance", "variant": MICRO},
    ],
    "available_addons": [
        {"type": "pitr", "variants": []},
        {"type": "compute_instance", "variants": [MICRO, LARGE, XL]},
    ],
}


def provider(vendor: Loopback) -> SupabaseCompute:
    return SupabaseCompute(token="test-token-not-real", base_url=vendor.url)


def test_size_status_and_prices_a_month_are_read(vendor: Loopback) -> None:
    vendor.answers(200, {"ref": "r", "status": "ACTIVE_HEALTHY"})
    vendor.answers(200, ADDONS)

    found = provider(vendor).get("r")

    prices = {"ci_micro": 9.81, "ci_large": 110.74, "ci_xlarge": 210}
    assert found == ComputeState("r", "ci_micro", "ACTIVE_HEALTHY", prices)
    assert [one.path for one in vendor.seen] == ["/v1/projects/r", "/v1/projects/r/billing/addons"]


def test_a_project_without_a_compute_addon_has_an_empty_size(vendor: Loopback) -> None:
    vendor.answers(200, {"status": "ACTIVE_HEALTHY"})
    vendor.answers(200, {"selected_addons": [], "available_addons": []})

    assert provider(vendor).get("r").variant == ""


@pytest.mark.parametrize("answer", [b"", b"{}"])
def test_a_resize_sends_both_fields_and_needs_no_body_back(vendor: Loopback, answer: bytes) -> None:
    vendor.answers(200, answer)

    provider(vendor).resize("r", "ci_large")

    sent = vendor.seen[0]
    assert (sent.method, sent.path) == ("PATCH", "/v1/projects/r/billing/addons")
    assert sent.json == {"addon_type": "compute_instance", "addon_variant": "ci_large"}


def test_an_order_of_compute_is_waited_for_longer_than_any_other_answer(vendor: Loopback) -> None:
    """The vendor needs about 6 s for it. Given up too early, nobody knows what became of it."""
    slow = SupabaseCompute(
        token="test-token-not-real",
        base_url=vendor.url,
        timeouts=Timeouts(connect=1.0, read=0.3, slow_read=20.0),
    )
    vendor.answers(200, {}, after_s=1.0)

    slow.resize("r", "ci_large")
    with pytest.raises(VendorError) as caught:
        slow.health("r")

    assert "no answer in time" in caught.value.sentence
    assert len(vendor.seen) == 2


def test_health_is_asked_of_database_and_pooler(vendor: Loopback) -> None:
    vendor.answers(
        200,
        [
            {"name": "db", "healthy": True, "status": "ACTIVE_HEALTHY"},
            {"name": "pooler", "status": "UNHEALTHY", "error": "no upstream"},
        ],
    )

    found = provider(vendor).health("r")

    assert found == (
        ServiceHealth("db", True, "ACTIVE_HEALTHY"),
        ServiceHealth("pooler", False, "no upstream"),
    )
    assert vendor.seen[0].path == "/v1/projects/r/health?services=db&services=pooler"


def test_the_reset_of_the_limit_is_the_wait(vendor: Loopback) -> None:
    vendor.answers(429, {"message": "Too many"}, {"X-RateLimit-Reset": "41"})

    with pytest.raises(VendorError) as caught:
        provider(vendor).resize("r", "ci_large")

    assert (caught.value.kind, caught.value.retry_after) == (FailureKind.TEMPORARY, 41)


def test_a_ref_with_a_slash_stays_one_part_of_the_path(vendor: Loopback) -> None:
    vendor.answers(404, {"message": "gone"})

    with pytest.raises(VendorError):
        provider(vendor).health("../organizations")

    assert vendor.seen[0].path.startswith("/v1/projects/..%2Forganizations/")


def test_an_answer_that_trickles_in_is_bounded(vendor: Loopback) -> None:
    vendor.trickles(0.05)
    quick = SupabaseCompute(
        token="test-token-not-real", base_url=vendor.url, timeouts=Timeouts(1, 1.5)
    )

    with pytest.raises(VendorError) as caught:
        quick.health("r")

    assert "trickles" in caught.value.sentence


POOLER = [
    {"identifier": "r-rr-eu-west-1-abc", "database_type": "READ_REPLICA", "default_pool_size": 9},
    {"identifier": "r", "database_type": "PRIMARY", "default_pool_size": 15},
]


def test_the_pool_size_is_the_primarys_and_may_be_the_vendors_own(vendor: Loopback) -> None:
    vendor.answers(200, POOLER)
    vendor.answers(200, [{**POOLER[1], "default_pool_size": None}])

    assert provider(vendor).pool_size("r") == 15
    assert provider(vendor).pool_size("r") is None
    assert vendor.seen[0].path == "/v1/projects/r/config/database/pooler"


def test_a_pooler_without_a_primary_is_no_usable_answer(vendor: Loopback) -> None:
    vendor.answers(200, POOLER[:1])

    with pytest.raises(VendorError, match="another shape"):
        provider(vendor).pool_size("r")


@pytest.mark.parametrize("size", [40, None])
def test_only_the_pool_size_is_sent(vendor: Loopback, size: int | None) -> None:
    """The mode is the vendor's dedicated pooler's, which is another one than this size is of."""
    vendor.answers(200, {"default_pool_size": size, "pool_mode": "transaction"})

    provider(vendor).set_pool_size("r", size)

    assert (vendor.seen[0].method, vendor.seen[0].json) == ("PATCH", {"default_pool_size": size})


def test_the_database_says_how_many_connections_it_takes(vendor: Loopback) -> None:
    vendor.answers(201, [{"max_connections": "90"}])

    assert provider(vendor).max_connections("r") == 90
    assert vendor.seen[0].path == "/v1/projects/r/database/query/read-only"


# ---- Replicas ----


def databases(ref: str, *replicas: dict[str, str]) -> dict[str, object]:
    primary = {"identifier": ref, "region": "us-east-1", "status": "RESIZING", "type": "PRIMARY"}
    return {"ref": ref, "databases": [primary, *replicas]}


COPY = {
    "identifier": "r-rr-eu-west-1-abc",
    "region": "eu-west-1",
    "status": "INIT_READ_REPLICA",
    "type": "READ_REPLICA",
}


def test_replicas_are_found_with_their_status_in_the_organizations_list(vendor: Loopback) -> None:
    vendor.answers(200, {"projects": [databases("other"), databases("r", COPY)]})

    found = provider(vendor).replicas("r", "org")

    assert found == [Replica("r-rr-eu-west-1-abc", "eu-west-1", "INIT_READ_REPLICA")]
    assert vendor.seen[0].path.split("?")[0] == "/v1/organizations/org/projects"


def test_a_project_on_the_second_page_is_found(vendor: Loopback) -> None:
    vendor.answers(200, {"projects": [databases(f"p{at}") for at in range(100)]})
    vendor.answers(200, {"projects": [databases("r", COPY)]})

    assert len(provider(vendor).replicas("r", "org")) == 1
    assert "offset=100" in vendor.seen[1].path


def test_a_project_that_its_organization_does_not_list_has_not_no_replicas(
    vendor: Loopback,
) -> None:
    """Taken for an empty list, a further replica would be set up."""
    vendor.answers(200, {"projects": [databases("other")]})

    with pytest.raises(VendorError, match="organization org does not list the project"):
        provider(vendor).replicas("r", "org")


@pytest.mark.parametrize(("told", "engine"), [("15", 15), ("17-oriole", None), ("", None)])
def test_the_organization_and_the_version_are_read_where_they_are_told(
    vendor: Loopback, told: str, engine: int | None
) -> None:
    vendor.answers(200, {"organization_slug": "org", "database": {"postgres_engine": told}})

    assert provider(vendor).home("r") == Home("org", engine)


def test_a_setup_and_a_removal_send_what_is_documented_and_need_no_body(vendor: Loopback) -> None:
    vendor.answers(201, b"")
    vendor.answers(201, b"")

    provider(vendor).setup_replica("r", "eu-west-1")
    provider(vendor).remove_replica("r", "r-rr-eu-west-1-abc")

    setup, removal = vendor.seen
    assert (setup.path, setup.json) == (
        "/v1/projects/r/read-replicas/setup",
        {"read_replica_region": "eu-west-1"},
    )
    assert (removal.path, removal.json) == (
        "/v1/projects/r/read-replicas/remove",
        {"database_identifier": "r-rr-eu-west-1-abc"},
    )


def test_the_addresses_of_all_databases_are_read_without_a_password(vendor: Loopback) -> None:
    told = {"db_host": "aws-0.example", "db_user": "postgres.r", "connection_string": "pg://x:y@z"}
    vendor.answers(200, [{**POOLER[1], **told}])

    assert provider(vendor).addresses("r") == {"r": Address("r", "aws-0.example", "postgres.r")}
