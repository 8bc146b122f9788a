"""The purge at Cloudflare, against a server that answers as its documents say."""

from __future__ import annotations

import pytest

from service.caching import Key, LayeredCache, MemoryLayer, PurgeFailed
from service.caching.cloudflare import TAGS_A_REQUEST, CloudflarePurger
from tests.contract.loopback import Loopback, closed_port
from tests.fakes.caching import MB, Cdn

TOKEN = "fake-token-of-the-tests"
DONE = {"success": True, "errors": [], "messages": [], "result": {"id": "z0"}}
DENIED = {
    "success": False,
    "errors": [{"code": 10000, "message": "Authentication error"}],
    "result": None,
}


def purger(vendor: Loopback, timeout_s: float = 10.0) -> CloudflarePurger:
    return CloudflarePurger(zone="z0", token=TOKEN, base_url=vendor.url, timeout_s=timeout_s)


def test_an_invalidation_purges_its_tag_with_the_namespace(vendor: Loopback) -> None:
    vendor.answers(200, DONE)
    cache = LayeredCache("quiz", memory=MemoryLayer(MB), purger=purger(vendor))
    assert cache.invalidate("questions").complete
    assert cache.delete(Key.shared("question", 42)).complete
    first, second = vendor.seen
    assert (first.method, first.path) == ("POST", "/client/v4/zones/z0/purge_cache")
    assert first.headers["Authorization"] == f"Bearer {TOKEN}"
    assert first.json == {"tags": ["quiz:questions"]}
    assert second.json == {"tags": [f"quiz:{Key.shared('question', 42).tag}"]}


def test_many_tags_go_in_requests_of_a_hundred(vendor: Loopback) -> None:
    vendor.answers(200, DONE)
    tags = [f"t{at}" for at in range(2 * TAGS_A_REQUEST + 1)]
    purger(vendor).purge(tags)
    assert [len(each.json["tags"]) for each in vendor.seen] == [100, 100, 1]
    assert [tag for each in vendor.seen for tag in each.json["tags"]] == tags


def test_no_tags_are_no_request(vendor: Loopback) -> None:
    vendor.answers(200, DONE)
    purger(vendor).purge([])
    assert vendor.seen == []


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, DENIED, r"refused the purge of a in zone z0 \(403\): Authentication error"),
        (200, DENIED, r"refused the purge of a in zone z0 \(200\): Authentication error"),
        (200, b"<html>a proxy</html>", r"\(200\): <html>a proxy"),
        (200, [1], r"refused"),
        (200, {"result": None}, r"refused"),
        (500, b"", r"\(500\): no reason was given"),
        (429, {"success": False, "errors": [{"message": "Rate limited"}]}, r"60 s: Rate limited"),
    ],
)
def test_what_is_not_confirmed_is_told_in_the_vendors_words(
    vendor: Loopback, status: int, body: object, said: str
) -> None:
    vendor.answers(status, body)
    with pytest.raises(PurgeFailed, match=said) as raised:
        purger(vendor).purge(["a"])
    assert TOKEN not in str(raised.value)


def test_the_limit_says_when_to_ask_again(vendor: Loopback) -> None:
    vendor.answers(429, {"success": False}, {"Retry-After": "12"})
    with pytest.raises(PurgeFailed, match=r"a, b, c and 2 more are not purged\. Ask again in 12 s"):
        purger(vendor).purge(["a", "b", "c", "d", "e"])


def test_an_answer_that_is_lost_is_told_as_unsure(vendor: Loopback) -> None:
    vendor.hangs_up()
    vendor.hangs()
    with pytest.raises(PurgeFailed, match="It may have been done; ask again"):
        purger(vendor).purge(["a"])
    with pytest.raises(PurgeFailed, match="It may have been done; ask again"):
        purger(vendor, timeout_s=0.1).purge(["a"])


def test_nobody_there_is_told(vendor: Loopback) -> None:
    nobody = CloudflarePurger(zone="z0", token=TOKEN, base_url=f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(PurgeFailed, match="has not answered"):
        nobody.purge(["a"])
    nobody.close()


def test_a_failed_purge_leaves_the_layers_invalid_and_is_reported(vendor: Loopback) -> None:
    vendor.answers(403, DENIED)
    cache = LayeredCache("quiz", memory=MemoryLayer(MB), purger=purger(vendor))
    done = cache.invalidate("questions")
    assert not done.complete
    assert done.not_purged is not None
    assert "Authentication error" in done.not_purged
    assert dict(done.owed) == {}


def test_a_tag_that_the_vendor_does_not_take_is_refused_before_anything_is_sent(
    vendor: Loopback,
) -> None:
    vendor.answers(200, DONE)
    with pytest.raises(ValueError, match="a tag of 1025 characters"):
        purger(vendor).purge(["a", "x" * 1025])
    assert vendor.seen == []


@pytest.mark.parametrize(("zone", "token"), [("", TOKEN), ("z0", "")])
def test_a_purger_without_zone_or_token_is_refused(zone: str, token: str) -> None:
    with pytest.raises(ValueError, match="Cache Purge"):
        CloudflarePurger(zone=zone, token=token)


def test_the_fake_of_the_unit_tests_purges_and_fails_as_the_purger_does(vendor: Loopback) -> None:
    vendor.answers(200, DONE)
    fake, real = Cdn(), purger(vendor)
    for each in (fake, real):
        each.purge(["a", "b"])
    assert vendor.seen[0].json["tags"] == fake.purged
    fake.error = PurgeFailed("no")
    vendor.answers(403, DENIED)
    vendor._script.popleft()
    for each in (fake, real):
        with pytest.raises(PurgeFailed):
            each.purge(["a"])
