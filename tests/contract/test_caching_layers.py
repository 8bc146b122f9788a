"""Every layer of the cache keeps the same promises: memory, two kinds of Redis, two databases."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis
import sqlalchemy as sa

from service.caching import Key, LayeredCache, Life
from service.caching.entry import Entry, pack
from service.caching.layers import FleetLock, Layer, LayerDown, LayerRefused
from service.caching.memory import MemoryLayer
from service.caching.redis_layer import RedisLayer, redis_layer
from service.caching.table import MARK_S, SWEEP_ROWS, TableLayer
from tests.contract.loopback import closed_port
from tests.databases import Databases, PostgresDatabases, SqliteFiles
from tests.fakes.caching import MB, Clock, Faulty, Locking, Source
from tests.postgres import PostgresServer
from tests.processes import wait_until
from tests.redis_servers import EMBEDDED, REDIS_7, RedisServer, executable

KEY = "quiz:s:question:n42"
NAMES = ("quiz:*", "quiz:t:questions")
HOUR = Life(fresh_s=3600)
LONG_S = 30.0
"""For what answers in milliseconds; a busy machine is no failure."""
REDIS, TABLES = (EMBEDDED, REDIS_7), ("sqlite", "postgresql")
SHARED = (*REDIS, *TABLES)


@pytest.fixture(scope="module", params=("memory", *SHARED))
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address of a layer's place, started once for the tests of this file."""
    if request.param in (EMBEDDED, REDIS_7):
        server = RedisServer(executable(request.param), Path(tempfile.mkdtemp()))
        server.start()
        yield server.url
        server.stop()
    elif request.param == "postgresql":
        yield PostgresDatabases(request.getfixturevalue("postgres")).empty()
    elif request.param == "sqlite":
        yield SqliteFiles(tmp_path_factory.mktemp("cache")).empty()
    else:
        yield "memory"


@pytest.fixture
def layer(place: str) -> Iterator[Layer]:
    """A layer without entries."""
    if place == "memory":
        yield MemoryLayer(MB)
    elif place.startswith("redis"):
        client = redis.Redis.from_url(place, socket_timeout=LONG_S)
        client.flushall()
        yield RedisLayer(client)
        client.close()
    else:
        engine = sa.create_engine(place)
        table = TableLayer(engine, timeout_s=LONG_S)
        table.create()
        table.create()
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM cache_entries"))
            connection.execute(sa.text("DELETE FROM cache_marks"))
        yield table
        engine.dispose()


def entry(now: float, body: bytes = b'j"old"') -> Entry:
    return Entry(body, now, now + 60, now + 120, now + 600)


def now() -> float:
    return time.time()


def keep(layer: Layer, what: Entry) -> None:
    layer.write(KEY, NAMES, what, layer.prepare(KEY, NAMES, now()).marks, now())


def found(layer: Layer) -> bytes | None:
    reading = layer.read(KEY, NAMES, now())
    return reading.entry.body if reading.entry is not None else None


def test_what_was_written_is_read_with_its_moments(layer: Layer) -> None:
    written = entry(now())
    keep(layer, written)
    read = layer.read(KEY, NAMES, now()).entry
    assert read is not None
    assert read.body == written.body
    for name in ("created", "fresh_until", "stale_until", "dead_at"):
        before, after = getattr(written, name), getattr(read, name)
        assert after <= before
        assert after == pytest.approx(before, abs=LONG_S)


def test_an_absent_entry_reads_as_none(layer: Layer) -> None:
    assert layer.read(KEY, NAMES, now()).entry is None


def test_a_dead_entry_is_not_read(layer: Layer) -> None:
    dead = Entry(b'j"old"', now() - 700, now() - 600, now() - 500, now() - 1)
    keep(layer, dead)
    reading = layer.read(KEY, NAMES, now()).entry
    assert reading is None or reading.dead_at <= now()


def test_an_entry_with_other_names_is_absent(layer: Layer) -> None:
    keep(layer, entry(now()))
    other = ("quiz:*", "quiz:t:other")
    assert layer.prepare(KEY, other, now()).entry is None
    assert layer.read(KEY, other[:1], now()).entry is None


@pytest.mark.parametrize("how", ["delete", "invalidate"])
def test_what_is_deleted_or_invalidated_is_absent_until_it_is_written_again(
    layer: Layer, how: str
) -> None:
    keep(layer, entry(now()))
    assert found(layer) == b'j"old"'
    if how == "delete":
        layer.delete(KEY, now())
    else:
        layer.invalidate(NAMES[1], now())
    assert found(layer) is None
    keep(layer, entry(now(), b'j"new"'))
    assert found(layer) == b'j"new"'


@pytest.mark.parametrize("how", ["delete", "invalidate", "both"])
def test_a_write_under_marks_from_before_an_invalidation_leaves_nothing_to_read(
    layer: Layer, how: str
) -> None:
    marks = layer.prepare(KEY, NAMES, now()).marks
    if how in ("delete", "both"):
        layer.delete(KEY, now())
    if how in ("invalidate", "both"):
        layer.invalidate(NAMES[1], now())
        layer.prepare(KEY, NAMES, now())
    layer.write(KEY, NAMES, entry(now()), marks, now())
    assert found(layer) is None


def test_a_delete_leaves_the_newer_value_that_was_put_after_it(layer: Layer) -> None:
    early = layer.prepare(KEY, NAMES, now()).marks
    layer.delete(KEY, now())
    keep(layer, entry(now(), b'j"put"'))
    layer.write(KEY, NAMES, entry(now()), early, now())
    assert found(layer) == b'j"put"'


def test_an_invalidation_leaves_the_entries_of_other_tags(layer: Layer) -> None:
    keep(layer, entry(now()))
    layer.invalidate("quiz:t:other", now())
    layer.delete("quiz:s:question:n43", now())
    assert found(layer) == b'j"old"'


def test_a_value_may_hold_any_byte(layer: Layer) -> None:
    body = b"b" + bytes(range(256)) * 100
    keep(layer, entry(now(), body))
    assert found(layer) == body


def check_locks(layer: FleetLock) -> None:
    """What a lock of the fleet promises."""
    assert layer.lock(KEY, "ours", 60)
    assert not layer.lock(KEY, "theirs", 60)
    layer.unlock(KEY, "theirs")
    assert not layer.lock(KEY, "theirs", 60)
    assert layer.lock(KEY + "other", "theirs", 60)
    layer.unlock(KEY, "ours")
    assert layer.lock(KEY, "theirs", 60)


def test_the_lock_of_the_fake_is_one_too() -> None:
    check_locks(Locking(MemoryLayer(MB), Clock()))


@pytest.mark.parametrize("place", REDIS, indirect=True)
def test_a_lock_ends_by_itself(layer: Layer) -> None:
    assert isinstance(layer, RedisLayer)
    assert layer.lock(KEY, "ours", 0.05)
    assert wait_until(lambda: layer.lock(KEY, "theirs", 60), LONG_S)


@pytest.mark.parametrize("place", REDIS, indirect=True)
def test_only_one_process_has_the_lock_of_a_key(layer: Layer) -> None:
    assert isinstance(layer, RedisLayer)
    check_locks(layer)


@pytest.mark.parametrize("place", REDIS, indirect=True)
def test_the_keys_of_redis_all_end_by_themselves(layer: Layer, place: str) -> None:
    assert isinstance(layer, RedisLayer)
    keep(layer, entry(now()))
    layer.delete("quiz:s:other", now())
    layer.lock(KEY, "ours", 60)
    client = redis.Redis.from_url(place)
    ends = {key: client.pttl(key) for key in client.scan_iter()}
    assert len(ends) == 5
    assert all(each > 0 for each in ends.values())


@pytest.mark.parametrize("raw", [b"", b"\x80\x04N.", b"rc1\n", b"rc2[1,2,3,4]\nj1", b'"text"'])
@pytest.mark.parametrize("place", SHARED, indirect=True)
def test_bytes_that_the_cache_has_not_written_are_absent(
    layer: Layer, place: str, raw: bytes
) -> None:
    keep(layer, entry(now()))
    if isinstance(layer, RedisLayer):
        redis.Redis.from_url(place).set(f"{{{KEY}}}:e", raw, px=60_000)
    elif isinstance(layer, TableLayer):
        with layer._engine.begin() as connection:
            connection.execute(sa.text("UPDATE cache_entries SET packed = :raw"), {"raw": raw})
    assert found(layer) is None


@pytest.mark.parametrize("place", REDIS, indirect=True)
def test_a_mark_that_redis_has_evicted_makes_its_entries_absent(layer: Layer, place: str) -> None:
    assert isinstance(layer, RedisLayer)
    keep(layer, entry(now()))
    redis.Redis.from_url(place).delete(NAMES[0])
    assert found(layer) is None


@pytest.mark.parametrize("place", REDIS, indirect=True)
def test_a_full_redis_refuses_and_what_is_invalidated_is_absent_all_the_same(
    layer: Layer, place: str
) -> None:
    assert isinstance(layer, RedisLayer)
    keep(layer, entry(now()))
    client = redis.Redis.from_url(place)
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(LayerRefused, match=r"Redis answers: .*memory"):
            layer.prepare(KEY, ("quiz:*", "quiz:t:new"), now())
        assert found(layer) == b'j"old"'
        layer.invalidate(NAMES[1], now())
        assert found(layer) is None
    finally:
        client.config_set("maxmemory", 0)


@pytest.mark.parametrize("place", REDIS, indirect=True)
def test_an_entry_without_an_end_in_redis_is_absent(layer: Layer, place: str) -> None:
    assert isinstance(layer, RedisLayer)
    keep(layer, entry(now()))
    redis.Redis.from_url(place).persist(f"{{{KEY}}}:e")
    assert found(layer) is None


def test_a_clock_that_is_behind_makes_no_life_longer(layer: Layer) -> None:
    """The reader's clock is an hour behind that of the writer: the entry seems to be new."""
    keep(layer, entry(now()))
    behind = now() - 3600
    read = layer.read(KEY, NAMES, behind).entry
    assert read is not None
    assert read.dead_at - behind <= 600
    assert read.fresh_until - behind <= 60


@pytest.mark.parametrize("place", TABLES, indirect=True)
def test_what_is_over_is_swept_from_the_tables(layer: Layer) -> None:
    assert isinstance(layer, TableLayer)
    at = 1_000_000.0
    marks = layer.prepare(KEY, NAMES, at).marks
    for number in range(3):
        layer.write(f"{KEY}{number}", NAMES, entry(at + number * 600), marks, at)
    assert layer.sweep(at) == 0
    assert layer.sweep(at + 601) == 1
    assert layer.sweep(at + MARK_S + 1) == 2 + len(NAMES)
    assert layer.sweep(at + MARK_S + 1) == 0
    assert SWEEP_ROWS >= 5


@pytest.mark.parametrize("place", TABLES, indirect=True)
def test_a_dead_row_that_was_not_swept_is_served_to_nobody(layer: Layer) -> None:
    clock, source = Clock(), Source()
    memory = MemoryLayer(MB)
    cache = LayeredCache("quiz", memory=memory, shared=(layer,), clock=clock, jitter=0.0)
    cache.get(Key.shared(1), source, Life(60, 60, 60))
    memory.invalidate("quiz:*", clock())
    clock.pass_(179)
    assert cache.peek(Key.shared(1)) is not None
    clock.pass_(1)
    assert cache.peek(Key.shared(1)) is None
    source.error = OSError("the source is down")
    with pytest.raises(OSError, match="the source is down"):
        cache.get(Key.shared(1), source, HOUR)


@pytest.mark.parametrize("place", SHARED, indirect=True)
def test_no_get_returns_a_value_from_before_an_invalidation_that_was_over_when_it_began(
    layer: Layer,
) -> None:
    """Eight threads on two caches that share the layer; one of the caches invalidates."""
    caches = [LayeredCache("quiz", memory=MemoryLayer(MB), shared=(layer,)) for _ in range(2)]
    key, version, seen_by_all = Key.shared("version"), [0], [0]
    changing = threading.Lock()

    def change() -> None:
        with changing:
            version[0] += 1
            assert caches[0].invalidate("questions").complete
            seen_by_all[0] = version[0]

    def work(number: int) -> None:
        for turn in range(30):
            if number == 0 and turn % 3 == 2:
                change()
            at_least = seen_by_all[0] if number % 2 == 0 else 0
            cache = caches[number % 2]
            assert cache.get(key, lambda: version[0], HOUR, ("questions",)) >= at_least

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(work, number) for number in range(8)]:
            each.result(120)
    assert version == seen_by_all == [10]


def test_a_redis_that_is_not_there_is_down() -> None:
    layer = redis_layer(f"redis://127.0.0.1:{closed_port()}/0")
    for ask in (
        lambda: layer.read(KEY, NAMES, now()),
        lambda: layer.prepare(KEY, NAMES, now()),
        lambda: layer.write(KEY, NAMES, entry(now()), ("", "a", "b"), now()),
        lambda: layer.delete(KEY, now()),
        lambda: layer.invalidate(NAMES[0], now()),
        lambda: layer.lock(KEY, "ours", 1),
        lambda: layer.unlock(KEY, "ours"),
    ):
        with pytest.raises(LayerDown, match="Redis does not answer"):
            ask()


def test_a_client_that_decodes_is_refused() -> None:
    client = redis.Redis(port=closed_port(), decode_responses=True)
    with pytest.raises(ValueError, match="without decode_responses"):
        RedisLayer(client)


def test_a_database_that_hangs_costs_one_time_out(postgres: PostgresServer) -> None:
    engine = sa.create_engine(PostgresDatabases(postgres).empty())
    layer = TableLayer(engine)
    layer.create()
    source = Source()
    # By this monotonic clock the layer rests for ever once it did not answer.
    cache = LayeredCache("quiz", memory=MemoryLayer(MB), shared=(layer,), monotonic=Clock())
    cache.get(Key.shared("before"), source, HOUR)
    began = time.monotonic()
    with postgres.frozen():
        for number in range(20):
            assert cache.get(Key.shared(number), source, HOUR) == "first"
    # The time-out is a quarter of a second, and each further get takes under a millisecond.
    assert time.monotonic() - began < 10.0
    counts = cache.counts().layers["table"]
    assert counts["error"] == 1
    assert counts["rested"] > 20
    engine.dispose()


def test_a_table_that_is_missing_is_no_error_of_the_cache(databases: Databases) -> None:
    engine = sa.create_engine(databases.empty())
    cache = LayeredCache(
        "quiz", memory=MemoryLayer(MB), shared=(TableLayer(engine, timeout_s=LONG_S),)
    )
    assert cache.get(Key.shared(1), Source(), HOUR) == "first"
    assert sum(cache.counts().layers["table"].get(each, 0) for each in ("refused", "error")) > 0
    engine.dispose()


def test_a_message_of_the_database_holds_no_statement_and_no_value(databases: Databases) -> None:
    engine = sa.create_engine(databases.empty())
    layer = TableLayer(engine, timeout_s=LONG_S)
    with pytest.raises((LayerRefused, LayerDown)) as raised:
        layer.delete("quiz:u:anna:secret", now())
    assert "anna" not in str(raised.value)
    assert "INSERT" not in str(raised.value)
    engine.dispose()


def test_another_database_is_refused() -> None:
    engine = sa.create_mock_engine("mysql://", executor=lambda *_: None)
    with pytest.raises(ValueError, match="mysql is not PostgreSQL or SQLite"):
        TableLayer(engine)  # type: ignore[arg-type]


def test_the_fake_of_the_unit_tests_fails_as_a_layer_does() -> None:
    behind = MemoryLayer(MB)
    layer = Faulty(behind)
    keep(layer, entry(now()))
    assert found(layer) == b'j"old"'
    layer.down()
    with pytest.raises(LayerDown):
        found(layer)


def test_the_envelope_is_no_pickle() -> None:
    packed = pack(entry(1.0), ("a", "b"))
    assert packed == b'rc1[1.0, 61.0, 121.0, 601.0, "a", "b"]\nj"old"'
