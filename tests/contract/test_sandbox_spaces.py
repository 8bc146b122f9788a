"""The sandbox's Spaces, asked by the provider as the vendor is: it keeps what is put, and refuses
as S3 does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.bootstrap.vendors import PORTS, Vendors
from service.domain.errors import FailureKind, VendorError
from service.ports.bucket import NEW, Buckets, Contents, Listed, Place, Stored
from service.settings import load_settings
from tests.unit.sandbox.support import Served, served

KEY = "emergency/config.json"
MOST = 100
ONE = Contents(
    b'{"static_mode": true}',
    {"ContentType": "application/json", "CacheControl": "no-cache"},
    {"owner": "olga"},
)
OTHER = Contents(b"\x00\xff", {"ContentType": "text/plain", "ContentEncoding": "br"})
QUIZ = Place("https://nyc3.digitaloceanspaces.com", "nyc3", "quizmentor")


@pytest.fixture
def sandbox() -> Iterator[Served]:
    with served() as one:
        yield one


@pytest.fixture
def buckets(sandbox: Served) -> Buckets:
    """As a worker beside the sandbox has them: no key is set."""
    vendors = Vendors(load_settings({"SANDBOX_URL": sandbox.url}))
    made: Buckets = PORTS["bucket"].build(vendors)
    return made


def control(sandbox: Served, **body: Any) -> httpx.Response:
    return httpx.post(f"{sandbox.url}/_sandbox/spaces", json=body, trust_env=False)


def looked(buckets: Buckets, version: str = "") -> Stored:
    found = buckets.look(QUIZ, KEY, MOST, version)
    assert found is not None
    return found


@pytest.mark.parametrize("public", [True, False])
def test_what_is_put_is_read_back_with_its_headers_and_who_may_read_it(
    buckets: Buckets, public: bool
) -> None:
    assert buckets.look(QUIZ, KEY, MOST) is None
    assert buckets.put(QUIZ, KEY, ONE, NEW, public=public)
    assert (looked(buckets).contents, looked(buckets).public) == (ONE, public)
    assert buckets.put(QUIZ, KEY, OTHER, looked(buckets).etag, public=public)
    assert looked(buckets).contents == OTHER


def test_a_stale_etag_puts_nothing_and_an_object_that_is_there_is_not_new(
    buckets: Buckets, sandbox: Served
) -> None:
    buckets.put(QUIZ, KEY, ONE, NEW, public=False)
    first = looked(buckets)
    assert control(sandbox, put={KEY: "a person's"}).is_success
    assert not buckets.put(QUIZ, KEY, OTHER, first.etag, public=False)
    assert not buckets.put(QUIZ, KEY, OTHER, NEW, public=False)
    contents = looked(buckets).contents
    assert contents is not None
    assert contents.body == b"a person's"
    assert not buckets.put(QUIZ, "gone.json", ONE, first.etag, public=False)


def test_a_bucket_that_keeps_versions_gives_each_by_its_id(
    buckets: Buckets, sandbox: Served
) -> None:
    buckets.put(QUIZ, KEY, ONE, NEW, public=True)
    assert looked(buckets).version == ""
    assert control(sandbox, versioned=True).is_success
    buckets.put(QUIZ, KEY, OTHER, looked(buckets).etag, public=True)
    second = looked(buckets)
    buckets.put(QUIZ, KEY, ONE, second.etag, public=True)
    assert looked(buckets).contents == ONE
    assert looked(buckets, second.version).contents == OTHER
    assert buckets.look(QUIZ, KEY, MOST, "5eed-none") is None


def test_another_bucket_and_a_call_without_a_signature_are_refused(
    buckets: Buckets, sandbox: Served
) -> None:
    with pytest.raises(VendorError) as other:
        buckets.put(Place(QUIZ.endpoint, QUIZ.region, "other"), KEY, ONE, NEW, public=False)
    assert other.value.kind is FailureKind.PERMANENT
    assert "NoSuchBucket" in str(other.value)
    unsigned = httpx.put(f"{sandbox.url}/spaces/quizmentor/{KEY}", content=b"x", trust_env=False)
    assert (unsigned.status_code, "AccessDenied" in unsigned.text) == (403, True)
    gone = httpx.delete(f"{sandbox.url}/spaces/quizmentor/{KEY}", trust_env=False)
    assert (gone.status_code, "NotImplemented" in gone.text) == (501, True)
    listed = httpx.get(f"{sandbox.url}/spaces/quizmentor", trust_env=False)
    assert (listed.status_code, "AccessDenied" in listed.text) == (403, True)


def test_a_list_names_what_is_below_a_prefix_by_key_and_size(
    buckets: Buckets, sandbox: Served
) -> None:
    control(sandbox, put={"assets/b c+&.js": "12", "assets/a.css": "1", "other/a.js": "1"})
    assert buckets.listed(QUIZ, "assets/", 10) == (
        Listed("assets/a.css", 1),
        Listed("assets/b c+&.js", 2),
    )
    assert buckets.listed(QUIZ, "assets/", 1) == (Listed("assets/a.css", 1),)
    assert buckets.listed(QUIZ, "none/", 10) == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"versioned": "yes"}, "versioned is true or false."),
        ({"put": {"a": 1}}, "put is keys with their texts"),
        ({"emptied": True}, "Say versioned or put, not ['emptied']."),
    ],
)
def test_the_control_refuses_what_makes_no_sense(
    sandbox: Served, body: dict[str, Any], said: str
) -> None:
    refused = control(sandbox, **body)
    assert refused.status_code == 422
    assert said in refused.json()["error"]
