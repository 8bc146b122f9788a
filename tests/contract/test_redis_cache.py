"""The application's cache over redis-py, on both servers, and the fake that stands in for it."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from service.domain.errors import FailureKind, VendorError
from service.ports.cache import AppCache
from service.providers.redis_cache import RedisCache
from tests.fakes.caches import FakeCache
from tests.fakes.clock import FakeClock
from tests.processes import wait_until
from tests.redis_servers import VERSIONS, RedisServer, executable

HASH, NUMBER = "runbookd:cache-settings", "quiz:generation"
FIELDS = ("strategy", "ttl", "everything")
SLOW_S = 30.0


@contextmanager
def running(program: str) -> Iterator[RedisServer]:
    started = RedisServer(program, Path(tempfile.mkdtemp()))
    started.start()
    try:
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module", params=VERSIONS)
def program(request: pytest.FixtureRequest) -> str:
    """Of which the servers of a test are."""
    return executable(request.param)


@pytest.fixture(scope="module")
def server(program: str) -> Iterator[RedisServer]:
    """One that runs."""
    with running(program) as started:
        yield started


@pytest.fixture(scope="module")
def other(program: str) -> Iterator[RedisServer]:
    """runbookd's own, beside it."""
    with running(program) as started:
        yield started


class Kept:
    """A cache, and its keys as somebody else sees and changes them."""

    def __init__(self, cache: AppCache, server: RedisServer | None = None) -> None:
        self.cache = cache
        self._server = server

    def put(self, keys: dict[str, str | dict[str, str]]) -> None:
        if isinstance(self.cache, FakeCache):
            self.cache.keys |= keys
            return
        assert self._server is not None
        for key, value in keys.items():
            if isinstance(value, str):
                self._server.client.set(key, value)
            else:
                mapping: Any = value
                self._server.client.hset(key, mapping=mapping)

    def names(self) -> set[str]:
        if isinstance(self.cache, FakeCache):
            return set(self.cache.keys)
        assert self._server is not None
        return {key.decode() for key in self._server.client.scan_iter(count=1000)}


@pytest.fixture(scope="module", params=["fake", *VERSIONS])
def place(request: pytest.FixtureRequest) -> Iterator[RedisServer | None]:
    """Where the cache is: in memory, or on a server."""
    if request.param == "fake":
        yield None
        return
    with running(executable(request.param)) as started:
        yield started


@pytest.fixture
def kept(place: RedisServer | None) -> Iterator[Kept]:
    """An empty cache."""
    if place is None:
        yield Kept(FakeCache(FakeClock()))
        return
    place.client.flushall()
    with closing(RedisCache(url=place.url)) as cache:
        yield Kept(cache, place)


def acl(server: RedisServer, *words: str) -> None:
    """Change who may do what."""
    server.client.execute_command("ACL", *words)  # type: ignore[no-untyped-call]  # as it is


def all_of(cache: AppCache, prefix: str, count: int = 50) -> set[bytes]:
    """What one whole walk shows."""
    found: set[bytes] = set()
    cursor = 0
    while True:
        piece = cache.walk(prefix, cursor, count)
        found |= set(piece.keys)
        cursor = piece.cursor
        if cursor == 0:
            return found


# ---- The same of the fake and of both servers ----


def test_settings_are_replaced_in_one_step_and_fields_of_others_stay(kept: Kept) -> None:
    kept.put({HASH: {"ttl": "600", "everything": "false", "owner": "olga"}})
    cache = kept.cache
    assert cache.settings(HASH, FIELDS) == {"ttl": "600", "everything": "false"}
    was, to = {"ttl": "600", "everything": "false"}, {"strategy": "maximum", "ttl": "7200"}
    assert cache.replace_settings(HASH, was, to)
    assert cache.settings(HASH, (*FIELDS, "owner")) == {**to, "owner": "olga"}


def test_settings_that_are_not_what_they_were_are_left_as_they_are(kept: Kept) -> None:
    kept.put({HASH: {"ttl": "900"}})
    assert not kept.cache.replace_settings(HASH, {"ttl": "600"}, {"ttl": "3600"})
    assert not kept.cache.replace_settings(HASH, {}, {"ttl": "3600"})
    assert kept.cache.settings(HASH, FIELDS) == {"ttl": "900"}


def test_settings_that_are_there_no_more_leave_no_key(kept: Kept) -> None:
    kept.put({HASH: {"ttl": "900"}})
    assert kept.cache.replace_settings(HASH, {"ttl": "900"}, {})
    assert kept.names() == set()
    assert kept.cache.settings(HASH, FIELDS) == {}


def test_a_generation_is_raised_only_from_the_number_that_was_seen(kept: Kept) -> None:
    cache = kept.cache
    assert cache.generation(NUMBER) == 0
    assert cache.replace_generation(NUMBER, 0, 1)
    assert not cache.replace_generation(NUMBER, 0, 1)
    assert cache.generation(NUMBER) == 1


def test_a_walk_shows_all_keys_with_the_prefix_and_what_is_unlinked_is_gone(kept: Kept) -> None:
    entries = {f"cache:{number}" for number in range(130)}
    others = {f"cached:{number}" for number in range(130)} | {"session:1"}
    kept.put(dict.fromkeys(sorted(entries | others), "x"))
    found = all_of(kept.cache, "cache:")
    assert {key.decode() for key in found} == entries
    assert kept.cache.unlink(sorted(found)) == 130
    assert kept.cache.unlink(sorted(found)[:3]) == 0
    assert kept.names() == others


def test_a_prefix_is_no_pattern(kept: Kept) -> None:
    kept.put(dict.fromkeys(["a*b:1", "axb:1", "a[b]:1", "ab:1", "a\\b:1", "a?b:1"], "x"))
    for prefix in ("a*b:", "a[b]:", "a\\b:", "a?b:"):
        assert all_of(kept.cache, prefix) == {f"{prefix}1".encode()}


def test_it_tells_how_many_keys_it_holds_and_that_it_takes_writes(kept: Kept) -> None:
    kept.put({"cache:1": "x", "session:1": "y"})
    server = kept.cache.server()
    assert (server.keys, server.writable, server.clustered) == (2, True, False)
    assert server.run_id
    assert kept.cache.server().run_id == server.run_id


# ---- Of real servers alone ----


@contextmanager
def a_cache(url: str, own_url: str = "", timeout_s: float = SLOW_S) -> Iterator[RedisCache]:
    with closing(RedisCache(url=url, own_url=own_url, timeout_s=timeout_s)) as cache:
        yield cache


def error_of(cache: AppCache) -> VendorError:
    with pytest.raises(VendorError) as raised:
        cache.server()
    return raised.value


def test_its_policy_is_told(server: RedisServer) -> None:
    server.client.config_set("maxmemory-policy", "allkeys-lru")
    with a_cache(server.url) as cache:
        assert cache.server().eviction == "allkeys-lru"
    server.client.config_set("maxmemory-policy", "noeviction")


def test_our_own_redis_is_refused_by_another_name_and_another_database_of_it(
    server: RedisServer,
) -> None:
    server.client.flushall()
    server.client.set("cache:1", "x")
    with a_cache(server.url.replace("127.0.0.1", "localhost").replace("/0", "/5"), server.url) as c:
        refusals = [error_of(c)]
        writes: tuple[Callable[[], object], ...] = (
            lambda: c.replace_settings(HASH, {}, {"ttl": "1"}),
            lambda: c.replace_generation(NUMBER, 0, 1),
            lambda: c.unlink([b"cache:1"]),
        )
        for write in writes:
            with pytest.raises(VendorError) as raised:
                write()
            refusals.append(raised.value)
    assert {each.kind for each in refusals} == {FailureKind.PERMANENT}
    assert all("lead to the same server" in each.sentence for each in refusals)
    assert server.client.keys() == [b"cache:1"]


def test_another_server_than_our_own_is_taken(server: RedisServer, other: RedisServer) -> None:
    with a_cache(server.url, other.url) as cache:
        assert cache.server().run_id == server.client.info("server")["run_id"]


def test_a_copy_of_our_own_redis_is_refused_too(server: RedisServer, other: RedisServer) -> None:
    server.client.config_set("repl-diskless-sync-delay", 0)
    other.client.replicaof("127.0.0.1", str(server.port))
    try:
        with a_cache(server.url) as cache:
            alone = cache.server()
        wait_for_copy(other)
        with a_cache(other.url, server.url) as cache:
            assert "or to copies of one" in error_of(cache).sentence
        with a_cache(other.url) as cache:
            copy = cache.server()
            assert (copy.writable, copy.run_id != alone.run_id) == (False, True)
            with pytest.raises(VendorError, match="read only replica"):
                cache.replace_generation(NUMBER, 0, 1)
    finally:
        other.client.replicaof("NO", "ONE")


def wait_for_copy(server: RedisServer) -> None:
    def copied() -> bool:
        return server.client.info("replication").get("master_link_status") == "up"

    assert wait_until(copied, SLOW_S)


def test_whether_it_is_our_own_must_be_told_before_anything_is_done(server: RedisServer) -> None:
    with a_cache(server.url, "redis://127.0.0.1:1/0") as cache:
        problem = error_of(cache)
        with pytest.raises(VendorError):
            cache.replace_generation(NUMBER, 0, 1)
    assert problem.kind is FailureKind.TEMPORARY
    assert "REDIS_URL does not answer" in problem.sentence
    assert server.client.get(NUMBER) is None


def test_without_its_setting_it_says_that_its_targets_are_off() -> None:
    with a_cache("") as cache:
        problem = error_of(cache)
    assert problem.kind is FailureKind.PERMANENT
    assert str(problem) == problem.sentence
    assert (
        "APP_CACHE_URL is not set, so the application's cache is off as a target"
        in problem.sentence
    )


@pytest.mark.parametrize(
    ("url", "kind", "said"),
    [
        ("redis://127.0.0.1:1/0", FailureKind.TEMPORARY, "could not be reached"),
        ("http://127.0.0.1/", FailureKind.PERMANENT, "APP_CACHE_URL is no address of a Redis"),
        ("redis://a:fake/word@127.0.0.1", FailureKind.PERMANENT, "with %2F, %23, %3F and %40"),
    ],
)
def test_an_address_without_a_server_is_told_apart_from_one_that_is_none(
    url: str, kind: FailureKind, said: str
) -> None:
    with a_cache(url) as cache:
        problem = error_of(cache)
    assert problem.kind is kind
    assert said in problem.sentence
    assert "fake" not in problem.sentence


def test_a_wrong_password_and_a_missing_right_are_told_without_the_password(
    server: RedisServer,
) -> None:
    acl(server, "SETUSER", "runbookd", "on", ">fake-password", "~*", "+info")
    address = f"127.0.0.1:{server.port}/0"
    with a_cache(f"redis://runbookd:fake-passwort@{address}") as cache:
        wrong = error_of(cache)
    with a_cache(f"redis://runbookd:fake-password@{address}") as cache:
        assert cache.server().run_id
        with pytest.raises(VendorError) as raised:
            cache.settings(HASH, FIELDS)
    acl(server, "DELUSER", "runbookd")
    for problem in (wrong, raised.value):
        assert problem.kind is FailureKind.PERMANENT
        assert "Check the user and the password in APP_CACHE_URL" in problem.sentence
        assert "fake-passwor" not in problem.sentence


RIGHTS = ("info", "hmget", "hset", "hdel", "get", "set", "scan", "unlink", "watch", "unwatch")


def test_the_rights_that_its_page_names_are_enough(server: RedisServer) -> None:
    server.client.flushall()
    page = (Path(__file__).parents[2] / "docs" / "kinds" / "cache.md").read_text(encoding="utf-8")
    rights = [*RIGHTS, "multi", "exec"]
    assert " ".join(f"+{each}" for each in rights) in page
    keys = [f"~{key}" for key in (HASH, NUMBER, "cache:*")]
    allowed = [f"+{each}" for each in rights]
    acl(server, "SETUSER", "least", "on", ">fake-password", *keys, *allowed)
    with a_cache(f"redis://least:fake-password@127.0.0.1:{server.port}/0") as cache:
        cache.server()
        assert cache.replace_settings(HASH, {}, {"ttl": "1"})
        assert cache.replace_settings(HASH, {"ttl": "1"}, {})
        assert cache.replace_generation(NUMBER, 0, 1)
        assert cache.generation(NUMBER) == 1
        cache.walk("cache:", 0, 10)
        assert cache.unlink([b"cache:1"]) == 0
    acl(server, "DELUSER", "least")


def test_a_generation_that_is_no_number_is_left(server: RedisServer) -> None:
    server.client.set(NUMBER, "v7")
    with a_cache(server.url) as cache, pytest.raises(VendorError) as raised:
        cache.replace_generation(NUMBER, 0, 1)
    assert raised.value.kind is FailureKind.PERMANENT
    assert "holds v7, which is no number of a generation" in raised.value.sentence
    assert server.client.get(NUMBER) == b"v7"


class Between:
    """Passes on what a client and a server say, but for one answer, after which it hangs up.

    It is the answer to the first request that has the word in it. With `first` that is called
    before such a request is passed on, and every answer is.
    """

    def __init__(self, port: int, word: bytes, first: Callable[[], object] | None = None) -> None:
        self._port, self._word, self._first = port, word, first
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listening.getsockname()[1]}/0"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            while sent := client.recv(65_536):
                meant = self._word in sent
                if meant:
                    self._word = b"\0nothing"
                    if self._first:
                        self._first()
                server.sendall(sent)
                answer = server.recv(65_536)
                if meant and not self._first:
                    return
                client.sendall(answer)

    def close(self) -> None:
        self._listening.close()


@pytest.mark.parametrize("word", [b"EXEC", b"UNLINK"])
def test_a_write_whose_answer_is_lost_is_unknown_although_it_took_effect(
    server: RedisServer, word: bytes
) -> None:
    server.client.flushall()
    server.client.set("cache:1", "x")
    with closing(Between(server.port, word)) as between, a_cache(between.url) as cache:
        write: dict[bytes, Callable[[], object]] = {
            b"EXEC": lambda: cache.replace_generation(NUMBER, 0, 1),
            b"UNLINK": lambda: cache.unlink([b"cache:1"]),
        }
        with pytest.raises(VendorError) as raised:
            write[word]()
        assert raised.value.kind is FailureKind.UNKNOWN
        assert (cache.generation(NUMBER) == 1) == (word == b"EXEC")
        assert bool(server.client.exists("cache:1")) == (word == b"EXEC")


def test_a_write_whose_question_before_it_is_lost_has_done_nothing(server: RedisServer) -> None:
    server.client.flushall()
    with closing(Between(server.port, b"WATCH")) as between, a_cache(between.url) as cache:
        with pytest.raises(VendorError) as raised:
            cache.replace_generation(NUMBER, 0, 1)
        assert raised.value.kind is FailureKind.TEMPORARY
    assert server.client.get(NUMBER) is None


def test_a_person_between_our_look_and_our_write_is_not_overwritten(server: RedisServer) -> None:
    server.client.flushall()
    between = Between(server.port, b"EXEC", lambda: server.client.set(NUMBER, "7"))
    with closing(between), a_cache(between.url) as cache:
        assert not cache.replace_generation(NUMBER, 0, 1)
    assert server.client.get(NUMBER) == b"7"


def test_a_server_without_an_answer_in_time_is_tried_again_later(server: RedisServer) -> None:
    with a_cache(server.url, timeout_s=0.05) as cache:
        cache.server()
        server.process.pause()
        try:
            problem = error_of(cache)
        finally:
            server.process.resume()
    assert problem.kind is FailureKind.TEMPORARY
