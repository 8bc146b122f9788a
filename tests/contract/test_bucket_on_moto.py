"""One bucket in memory and one of moto's server: what is put is there, and a stale ETag puts
nothing. And what the provider makes of a store's refusals."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from service.catalogue.bucket.target import BucketTarget
from service.domain.errors import FailureKind, VendorError
from service.ports.bucket import NEW, Buckets, Contents, Listed, Place
from service.providers import spaces
from service.providers.spaces import SpacesBuckets
from service.providers.waits import Timeouts
from tests.fakes.buckets import FakeBuckets
from tests.fakes.clock import FakeClock
from tests.fakes.notes import FakeNotes
from tests.fakes.runs import planned, works_on
from tests.processes import free_port
from tests.unit.catalogue.test_bucket import FRONTEND, STATIC, put, undo
from tests.unit.catalogue.test_compress_assets import APP, SCRIPT, compress
from tests.unit.catalogue.test_compress_assets import undo as taken_back

KEY = "emergency/config.json"
MOST = 100
ONE = Contents(
    b'{"static_mode": true}',
    {"ContentType": "application/json", "CacheControl": "no-cache"},
    {"owner": "olga"},
)
OTHER = Contents(bytes(range(64)), {"ContentType": "text/plain", "ContentEncoding": "br"})
KEYS = {"key": "fake-key", "secret": "fake-secret"}


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of a store on loopback."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
def place(store: str, request: pytest.FixtureRequest) -> Place:
    """A bucket of the test's own."""
    made = Place(store, "us-east-1", f"quiz-{abs(hash(request.node.name))}")
    sdk(made).create_bucket(Bucket=made.bucket)
    return made


@pytest.fixture(params=["fake", "moto"])
def buckets(request: pytest.FixtureRequest) -> Buckets:
    return FakeBuckets(FakeClock()) if request.param == "fake" else SpacesBuckets(**KEYS)


def sdk(place: Place) -> Any:
    return SpacesBuckets(**KEYS)._made(place)


def failure(buckets: Buckets, place: Place) -> VendorError:
    with pytest.raises(VendorError) as caught:
        buckets.look(place, KEY, MOST)
    return caught.value


def test_an_object_that_is_not_there_is_none(buckets: Buckets, place: Place) -> None:
    assert buckets.look(place, KEY, MOST) is None


@pytest.mark.parametrize("contents", [ONE, OTHER])
@pytest.mark.parametrize("public", [True, False])
def test_what_was_put_is_read_back_with_its_headers_and_who_may_read_it(
    buckets: Buckets, place: Place, contents: Contents, public: bool
) -> None:
    assert buckets.put(place, KEY, contents, NEW, public=public)
    stored = buckets.look(place, KEY, MOST)
    assert stored is not None
    assert (stored.contents, stored.public) == (contents, public)
    assert stored.size == len(contents.body)


def test_an_object_is_replaced_by_its_etag_and_by_no_older_one(
    buckets: Buckets, place: Place
) -> None:
    buckets.put(place, KEY, ONE, NEW, public=True)
    first = buckets.look(place, KEY, MOST)
    assert first is not None
    assert buckets.put(place, KEY, OTHER, first.etag, public=True)
    assert not buckets.put(place, KEY, ONE, first.etag, public=True)
    stored = buckets.look(place, KEY, MOST)
    assert stored is not None
    assert stored.contents == OTHER


def test_an_object_that_is_there_is_not_taken_for_a_new_one(buckets: Buckets, place: Place) -> None:
    buckets.put(place, KEY, ONE, NEW, public=False)
    assert not buckets.put(place, KEY, OTHER, NEW, public=False)


def test_an_object_that_is_gone_is_not_made_anew(buckets: Buckets, place: Place) -> None:
    assert not buckets.put(place, KEY, ONE, '"5eed"', public=False)
    assert buckets.look(place, KEY, MOST) is None


def test_the_bytes_of_a_large_object_are_not_read(buckets: Buckets, place: Place) -> None:
    buckets.put(place, KEY, Contents(b"x" * (MOST + 1)), NEW, public=False)
    stored = buckets.look(place, KEY, MOST)
    assert stored is not None
    assert (stored.contents, stored.size) == (None, MOST + 1)


def test_a_bucket_that_is_not_there_is_named_in_the_stores_words(store: str) -> None:
    problem = failure(SpacesBuckets(**KEYS), Place(store, "us-east-1", "nobodys"))
    assert problem.kind is FailureKind.PERMANENT
    assert (
        'Spaces answered 404 to the request to read emergency/config.json in nobodys: "NoSuch'
        in (problem.sentence)
    )


@pytest.mark.parametrize("missing", ["key", "secret"])
def test_without_both_keys_nothing_is_sent(place: Place, missing: str) -> None:
    problem = failure(SpacesBuckets(**{**KEYS, missing: ""}), place)
    assert problem.kind is FailureKind.PERMANENT
    assert problem.sentence.startswith("SPACES_KEY and SPACES_SECRET are not both set")


def test_a_store_that_takes_no_connection_was_sent_nothing() -> None:
    nobody = Place(f"http://127.0.0.1:{free_port()}", "us-east-1", "quiz")
    with pytest.raises(VendorError) as caught:
        SpacesBuckets(**KEYS).put(nobody, KEY, ONE, NEW, public=False)
    assert caught.value.kind is FailureKind.TEMPORARY
    assert "nothing was sent" in caught.value.sentence


@pytest.mark.parametrize(
    ("status", "code", "headers", "kind"),
    [
        (403, "AccessDenied", {}, FailureKind.PERMANENT),
        (503, "SlowDown", {}, FailureKind.TEMPORARY),
        (409, "ConditionalRequestConflict", {}, FailureKind.TEMPORARY),
        (429, "TooManyRequests", {"Retry-After": "7"}, FailureKind.TEMPORARY),
        (500, "InternalError", {}, FailureKind.UNKNOWN),
        (502, "", {}, FailureKind.UNKNOWN),
    ],
)
def test_a_refused_write_is_sent_once_and_says_whether_it_may_have_been_taken(
    httpserver: Any, status: int, code: str, headers: dict[str, str], kind: FailureKind
) -> None:
    body = f"<Error><Code>{code}</Code><Message>not now</Message></Error>" if code else "<html>"
    httpserver.expect_request(f"/quiz/{KEY}").respond_with_data(body, status, headers)
    place = Place(httpserver.url_for("").rstrip("/"), "us-east-1", "quiz")
    with pytest.raises(VendorError) as caught:
        SpacesBuckets(**KEYS).put(place, KEY, ONE, '"5eed"', public=False)
    assert caught.value.kind is kind
    assert "fake-secret" not in caught.value.sentence
    ((request, _),) = httpserver.log
    assert request.headers["If-Match"] == '"5eed"'
    assert "x-amz-acl" not in request.headers
    assert caught.value.retry_after == (7.0 if headers else None)


# ---- A bucket that keeps versions ----


@pytest.fixture(params=["fake", "moto"])
def keeping(request: pytest.FixtureRequest, place: Place) -> Buckets:
    """A bucket that keeps versions."""
    if request.param == "fake":
        return FakeBuckets(FakeClock(), versioned=True)
    enabled = {"Status": "Enabled"}
    sdk(place).put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration=enabled)
    return SpacesBuckets(**KEYS)


def test_a_former_version_is_read_by_its_id_once_another_one_is_there(
    keeping: Buckets, place: Place
) -> None:
    keeping.put(place, KEY, ONE, NEW, public=True)
    first = keeping.look(place, KEY, MOST)
    assert first is not None
    assert first.version
    keeping.put(place, KEY, OTHER, first.etag, public=True)
    second = keeping.look(place, KEY, MOST)
    assert second is not None
    assert (second.contents, second.version != first.version) == (OTHER, True)
    former = keeping.look(place, KEY, MOST, first.version)
    assert former is not None
    assert (former.contents, former.version) == (ONE, first.version)


def test_without_versions_an_object_has_none_and_a_version_that_is_gone_is_none(
    buckets: Buckets, place: Place
) -> None:
    buckets.put(place, KEY, ONE, NEW, public=False)
    found = buckets.look(place, KEY, MOST)
    assert found is not None
    assert found.version == ""
    assert buckets.look(place, KEY, MOST, "5eed5eed-0000-4000-8000-5eed5eed5eed") is None


def test_an_undo_restores_the_former_version_with_its_headers_under_its_etag(
    place: Place,
) -> None:
    """The whole way on the real store: put, then undo by version."""
    enabled = {"Status": "Enabled"}
    sdk(place).put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration=enabled)
    buckets, notes = SpacesBuckets(**KEYS), FakeNotes()
    buckets.put(place, KEY, ONE, NEW, public=False)
    target = replace(FRONTEND, bucket=place.bucket, endpoint=place.endpoint, region=place.region)
    works = works_on(FakeClock(), buckets=buckets, notes=notes)
    run = planned(works, put(on=target), FakeClock())
    run.execute()
    replaced = buckets.look(place, KEY, MOST)
    assert replaced is not None
    assert replaced.contents is not None
    assert replaced.contents.body == STATIC.encode()
    planned(works, replace(undo(run.plan), on=target), FakeClock()).execute()
    stored = buckets.look(place, KEY, MOST)
    assert stored is not None
    assert (stored.contents, stored.public) == (ONE, False)
    assert not any(ONE.body.decode() in text for text in notes.texts.values())


# ---- Lists, and what a put would lose ----


def test_a_list_names_what_is_below_a_prefix_by_key_and_size(
    buckets: Buckets, place: Place
) -> None:
    for key in ("assets/b c+&.js", "assets/a.css", "other/a.js"):
        buckets.put(place, key, ONE, NEW, public=False)
    size = len(ONE.body)
    assert buckets.listed(place, "assets/", 10) == (
        Listed("assets/a.css", size),
        Listed("assets/b c+&.js", size),
    )
    assert buckets.listed(place, "assets/", 1) == (Listed("assets/a.css", size),)
    assert buckets.listed(place, "none/", 10) == ()


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, ()),
        ({"ACL": "public-read"}, ()),
        ({"Expires": datetime(2030, 1, 1, tzinfo=UTC)}, ("Expires",)),
        ({"Tagging": "team=web"}, ("TagCount",)),
        ({"StorageClass": "STANDARD_IA"}, ("StorageClass",)),
        ({"ACL": "authenticated-read"}, ("a grant",)),
    ],
)
def test_what_a_put_would_lose_is_named(
    place: Place, given: dict[str, Any], more: tuple[str, ...]
) -> None:
    sdk(place).put_object(Bucket=place.bucket, Key=KEY, Body=b"x", **given)
    found = SpacesBuckets(**KEYS).look(place, KEY, MOST)
    assert found is not None
    assert found.more == more


def test_assets_are_compressed_and_an_undo_puts_back_the_former_version(place: Place) -> None:
    """The whole way on the real store."""
    client = sdk(place)
    enabled = {"Status": "Enabled"}
    client.put_bucket_versioning(Bucket=place.bucket, VersioningConfiguration=enabled)
    buckets, notes = SpacesBuckets(**KEYS), FakeNotes()
    buckets.put(place, APP, SCRIPT, NEW, public=True)
    on = BucketTarget("frontend", place.bucket, place.endpoint, place.region, assets="assets/")
    works = works_on(FakeClock(), buckets=buckets, notes=notes)
    run = planned(works, compress(on), FakeClock())
    run.execute()
    served = client.get_object(Bucket=place.bucket, Key=APP)
    assert (served["ContentEncoding"], served["CacheControl"]) == ("gzip", "max-age=60")
    assert served["ContentType"] == SCRIPT.headers["ContentType"]
    assert gzip.decompress(served["Body"].read()) == SCRIPT.body
    back = replace(taken_back(run.plan), on=on)
    planned(works, back, FakeClock()).execute()
    stored = buckets.look(place, APP, 100_000)
    assert stored is not None
    assert (stored.contents, stored.public) == (SCRIPT, True)
    listed = client.list_object_versions(Bucket=place.bucket, Prefix=APP)["Versions"]
    assert len(listed) == 3, "each form is a version of its own, the first original among them"


def dripping(over: threading.Event) -> type[BaseHTTPRequestHandler]:
    """A store that always sends a byte more, before the time for one has passed."""

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            with suppress(OSError):
                while not over.wait(0.05):
                    self.wfile.write(b"a")
                    self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """It is quiet."""

    return Dripping


def test_a_store_that_only_drips_is_given_up_at_the_bound_of_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spaces, "TIMEOUTS", Timeouts(connect=0.5, read=0.5))
    over = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), dripping(over))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    place = Place(f"http://127.0.0.1:{server.server_port}", "us-east-1", "quiz")
    try:
        with pytest.raises(VendorError, match="no answer within 1 s") as given_up:
            SpacesBuckets(**KEYS).look(place, "a", 10_000_000)
    finally:
        over.set()
        server.shutdown()
        server.server_close()
    assert given_up.value.kind is FailureKind.TEMPORARY


def test_the_bound_of_a_look_is_that_of_every_vendor_call() -> None:
    assert Timeouts() == spaces.TIMEOUTS
