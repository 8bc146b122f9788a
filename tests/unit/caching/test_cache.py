"""What the cache promises, over layers that fail when told, with the time as an argument."""

from __future__ import annotations

from typing import Any

import pytest

from service.caching import Key, Life, MemoryLayer, NotStorable, PurgeFailed
from service.caching.cache import RETRY_S, LayeredCache
from service.caching.circuit import MOST_OWED, REST_S
from service.caching.entry import State
from service.caching.keys import user_tag
from service.caching.memory import TRUST_S
from tests.fakes.caching import MB, Source, World

HOUR = Life(fresh_s=3600, stale_s=600, error_s=86_400)
KEY = Key.shared("question", 42)
TAGS = ("questions",)


@pytest.fixture
def world() -> World:
    return World()


@pytest.mark.parametrize("value", [0, "", False, None, [], {}, 0.0, b""])
def test_a_value_that_is_false_is_a_value(world: World, value: object) -> None:
    source = Source(value)
    assert world.cache.get(KEY, source, HOUR) == value
    assert world.cache.get(KEY, source, HOUR) == value
    found = world.cache.peek(KEY)
    assert found is not None
    assert type(found.value) is type(value)
    assert source.loads == 1
    assert world.cache.counts().cache == {"loaded": 1, "hit": 1}


def test_a_key_that_was_never_loaded_is_absent_and_not_none(world: World) -> None:
    assert world.cache.peek(KEY) is None


def test_everybody_gets_a_copy_of_their_own(world: World) -> None:
    source = Source({"tags": ["a"]})
    world.cache.get(KEY, source, HOUR)["tags"].append("spoiled")
    world.cache.get(KEY, source, HOUR)["tags"].append("spoiled")
    assert world.cache.get(KEY, source, HOUR) == {"tags": ["a"]}
    assert source.value == {"tags": ["a"]}


def test_a_promoted_entry_lives_no_longer_than_where_it_came_from(world: World) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR)
    world.clock.pass_(3590)
    other = world.process()
    assert other.get(KEY, source, HOUR) == "first"
    assert source.loads == 1
    world.shared.down()
    world.table.down()
    world.clock.pass_(9)
    assert other.fetch(KEY, source, HOUR).state is State.FRESH
    world.clock.pass_(2)
    assert other.fetch(KEY, source, HOUR).state is State.STALE


def test_a_further_layer_never_revives_what_has_ended_in_a_nearer_one(world: World) -> None:
    source = Source()
    world.cache.get(KEY, source, Life(fresh_s=60))
    source.value = "second"
    world.clock.pass_(60)
    assert world.table.behind.read("quiz:s:question:n42", ("quiz:*",), world.clock()).entry is None
    assert world.process().get(KEY, source, Life(fresh_s=60)) == "second"


def test_a_stale_value_is_served_at_once_and_renewed_by_one_load_in_the_background(
    world: World,
) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR)
    source.value = "second"
    world.clock.pass_(3601)
    served = [world.cache.fetch(KEY, source, HOUR) for _ in range(5)]
    assert {(each.value, each.state) for each in served} == {("first", State.STALE)}
    assert source.loads == 1
    assert len(world.jobs.waiting) == 1
    world.jobs.run()
    assert source.loads == 2
    assert world.cache.fetch(KEY, source, HOUR).value == "second"
    assert world.process().get(KEY, source, HOUR) == "second"


def test_a_stale_value_is_not_loaded_again_where_another_process_has_loaded_it(
    world: World,
) -> None:
    source = Source()
    other = world.process()
    world.cache.get(KEY, source, HOUR)
    other.get(KEY, source, HOUR)
    source.value = "second"
    world.clock.pass_(3601)
    world.cache.get(KEY, source, HOUR)
    world.jobs.run()
    assert other.get(KEY, source, HOUR) == "second"
    assert source.loads == 2


def test_after_the_stale_time_a_get_waits_for_a_new_value(world: World) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR)
    source.value = "second"
    world.clock.pass_(4200)
    assert world.cache.get(KEY, source, HOUR) == "second"


def test_the_last_good_value_is_served_when_loading_fails(world: World) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR)
    source.error = OSError("the database is away")
    world.clock.pass_(4200 + 86_399)
    assert world.cache.fetch(KEY, source, HOUR).state is State.LAST_GOOD
    world.clock.pass_(1)
    with pytest.raises(OSError, match="the database is away"):
        world.cache.get(KEY, source, HOUR)


def test_the_last_good_value_in_memory_is_served_when_every_other_layer_is_down(
    world: World,
) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR)
    source.error = OSError("the database is away")
    world.shared.down()
    world.table.down()
    world.clock.pass_(50_000)
    assert world.cache.get(KEY, source, HOUR) == "first"


def test_a_load_that_failed_is_not_repeated_for_a_while(world: World) -> None:
    source = Source()
    source.error = OSError("the database is away")
    for _ in range(10):
        with pytest.raises(OSError, match="the database is away"):
            world.cache.get(KEY, source, HOUR)
    assert source.loads == 1
    world.clock.pass_(RETRY_S)
    source.error = None
    assert world.cache.get(KEY, source, HOUR) == "first"


def test_a_refresh_that_failed_is_not_repeated_for_a_while(world: World) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR)
    source.error = OSError("the database is away")
    world.clock.pass_(3601)
    for _ in range(10):
        assert world.cache.get(KEY, source, HOUR) == "first"
        world.jobs.run()
    assert source.loads == 2
    assert world.cache.counts().cache["refresh_failed"] == 1


def test_a_dead_layer_is_asked_once_and_then_left_alone(world: World) -> None:
    world.shared.down()
    for number in range(20):
        assert world.cache.get(Key.shared(number), Source(), HOUR) == "first"
    assert world.shared.asked == 1
    world.clock.pass_(REST_S)
    world.cache.get(Key.shared("after"), Source(), HOUR)
    assert world.shared.asked == 2
    world.shared.up()
    world.clock.pass_(REST_S)
    world.cache.get(Key.shared("back"), Source(), HOUR)
    assert world.process().get(Key.shared("back"), Source("other"), HOUR) == "first"


def test_a_layer_that_refuses_is_no_error_and_not_left_alone(world: World) -> None:
    world.shared.refuses()
    assert world.cache.get(KEY, Source(), HOUR) == "first"
    asked = world.shared.asked
    assert world.cache.get(Key.shared("next"), Source(), HOUR) == "first"
    assert world.shared.asked > asked
    assert world.cache.counts().layers["shared"]["refused"] > 0


@pytest.mark.parametrize("how", ["delete", "invalidate", "clear"])
def test_what_a_dead_layer_owes_is_delivered_before_it_is_read(world: World, how: str) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR, TAGS)
    source.value = "second"
    world.shared.down()
    done = {
        "delete": lambda: world.cache.delete(KEY),
        "invalidate": lambda: world.cache.invalidate("questions"),
        "clear": world.cache.clear,
    }[how]()
    assert dict(done.owed) == {"shared": "no answer within 0.1 s"}
    assert not done.complete
    world.shared.up()
    world.clock.pass_(REST_S)
    assert world.cache.get(KEY, source, HOUR, TAGS) == "second"
    assert world.process().get(KEY, source, HOUR, TAGS) == "second"


def test_a_layer_that_owes_very_much_owes_everything(world: World) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR, TAGS)
    world.shared.down()
    for number in range(MOST_OWED + 1):
        world.cache.invalidate(f"tag{number}")
    world.shared.up()
    world.clock.pass_(REST_S)
    world.cache.peek(Key.shared("other"))
    source.value = "second"
    alone = world.process(shared=(world.shared,))
    assert alone.get(KEY, source, HOUR, TAGS) == "second"


@pytest.mark.parametrize("how", ["delete", "invalidate"])
def test_another_process_sees_an_invalidation_when_its_copy_is_no_longer_trusted(
    world: World, how: str
) -> None:
    source, other = Source(), world.process()
    world.cache.get(KEY, source, HOUR, TAGS)
    other.get(KEY, source, HOUR, TAGS)
    source.value = "second"
    done = world.cache.delete(KEY) if how == "delete" else world.cache.invalidate("questions")
    assert done.complete
    assert world.cache.get(KEY, source, HOUR, TAGS) == "second"
    world.clock.pass_(TRUST_S)
    assert other.get(KEY, source, HOUR, TAGS) == "second"


def test_a_copy_that_is_no_longer_trusted_is_served_where_no_shared_layer_answers(
    world: World,
) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR)
    world.shared.down()
    world.table.down()
    world.clock.pass_(TRUST_S + 1)
    assert world.cache.fetch(KEY, source, HOUR).state is State.FRESH
    assert source.loads == 1


@pytest.mark.parametrize("how", ["delete", "invalidate", "clear"])
def test_a_value_whose_load_began_before_an_invalidation_is_not_kept(
    world: World, how: str
) -> None:
    source = Source()
    source.first = {
        "delete": lambda: world.cache.delete(KEY),
        "invalidate": lambda: world.cache.invalidate("questions"),
        "clear": world.cache.clear,
    }[how]
    assert world.cache.get(KEY, source, HOUR, TAGS) == "first"
    source.value, source.first = "second", lambda: None
    assert world.cache.get(KEY, source, HOUR, TAGS) == "second"
    assert world.process().get(KEY, source, HOUR, TAGS) == "second"


def test_a_far_entry_that_is_deleted_while_it_is_read_is_not_promoted(world: World) -> None:
    source = Source()
    world.cache.get(KEY, source, HOUR)
    other = world.process(shared=(world.table,))
    reads = world.table.behind.read

    def deleted_right_after(key: str, names: Any, now: float) -> Any:
        reading = reads(key, names, now)
        world.table.behind.read = reads  # type: ignore[method-assign]
        other.delete(KEY)
        return reading

    world.table.behind.read = deleted_right_after  # type: ignore[method-assign]
    other.peek(KEY)
    source.value = "second"
    assert other.get(KEY, source, HOUR) == "second"


def test_put_replaces_the_value_also_while_another_one_is_loaded(world: World) -> None:
    source = Source("old")
    source.first = lambda: world.cache.put(KEY, "put", HOUR)
    world.cache.get(KEY, source, HOUR)
    assert world.cache.get(KEY, source, HOUR) == "put"
    assert world.process().get(KEY, source, HOUR) == "put"
    assert source.loads == 1


def test_put_wins_over_a_load_that_another_process_begins_and_ends_during_it(
    world: World,
) -> None:
    other = world.process()
    world.cdn.first = lambda: other.get(KEY, Source("loaded"), HOUR)
    world.cache.put(KEY, "put", HOUR)
    assert world.cache.get(KEY, Source(), HOUR) == "put"
    assert world.process().get(KEY, Source(), HOUR) == "put"
    assert world.process(shared=(world.table,)).get(KEY, Source(), HOUR) == "put"


def test_the_life_counts_from_the_moment_at_which_the_load_began(world: World) -> None:
    source = Source()
    source.first = lambda: world.clock.pass_(30)
    world.cache.get(KEY, source, Life(fresh_s=60))
    world.clock.pass_(29)
    assert world.cache.peek(KEY) is not None
    world.clock.pass_(1)
    assert world.cache.peek(KEY) is None


def test_chance_makes_a_fresh_time_shorter_and_never_longer(world: World) -> None:
    for number, chance in enumerate((0.0, 0.5, 1.0)):
        cache = world.process(jitter=0.1, random=lambda chance=chance: chance)
        entry = cache.fetch(Key.shared(number), Source(), HOUR).entry
        assert entry.fresh_until - entry.created == pytest.approx(3600 * (1 - 0.1 * chance))
        assert entry.dead_at - entry.fresh_until == pytest.approx(600 + 86_400)


def test_a_value_that_is_too_large_is_served_and_not_kept(world: World) -> None:
    source = Source("x" * 200)
    cache = world.process(largest=100)
    assert cache.get(KEY, source, HOUR) == "x" * 200
    assert cache.peek(KEY) is None
    assert cache.counts().cache["too_large"] == 1


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1: "a"}, {"a": {(1,)}}, float("nan"), object(), {"a": b"bytes"}, {1, 2}],
    ids=["tuple", "number as key", "tuple within", "nan", "object", "bytes within", "set"],
)
def test_a_value_that_would_come_back_changed_is_refused(world: World, value: object) -> None:
    with pytest.raises(NotStorable, match=r"changed|cannot be cached"):
        world.cache.get(KEY, Source(value), HOUR)
    with pytest.raises(NotStorable):
        world.cache.put(KEY, value, HOUR)


def test_a_value_that_is_nested_without_end_is_refused(world: World) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(NotStorable):
        world.cache.put(KEY, value, HOUR)


def test_a_put_that_is_refused_replaces_nothing(world: World) -> None:
    world.cache.put(KEY, "good", HOUR)
    with pytest.raises(NotStorable):
        world.cache.put(KEY, (1,), HOUR)
    assert world.cache.get(KEY, Source(), HOUR) == "good"


def test_a_load_that_asks_for_its_own_key_is_told_so(world: World) -> None:
    def load() -> Any:
        return world.cache.get(KEY, load, HOUR)

    with pytest.raises(RuntimeError, match="asks the cache for quiz:s:question:n42 itself"):
        world.cache.get(KEY, load, HOUR)


def test_one_person_never_gets_the_entry_of_another(world: World) -> None:
    for user in (1, 2, "1"):
        world.cache.get(Key.personal(user, "progress"), Source(f"of {user!r}"), HOUR)
    other = world.process()
    for user in (1, 2, "1"):
        key = Key.personal(user, "progress")
        assert other.get(key, Source("loaded"), HOUR) == f"of {user!r}"


def test_all_entries_of_one_person_go_by_one_tag(world: World) -> None:
    keys = [Key.personal(user, part) for user in (1, 2) for part in ("progress", "name")]
    for key in keys:
        world.cache.put(key, "old", HOUR)
    world.cache.invalidate(user_tag(1))
    assert [world.cache.peek(key) is None for key in keys] == [True, True, False, False]


def test_a_namespace_does_not_see_the_entries_of_another(world: World) -> None:
    world.cache.put(KEY, "quiz", HOUR)
    other = LayeredCache("shop", memory=MemoryLayer(MB), shared=(world.shared,), clock=world.clock)
    assert other.peek(KEY) is None


def test_under_other_tags_an_entry_is_absent(world: World) -> None:
    world.cache.put(KEY, "old", HOUR, TAGS)
    assert world.cache.peek(KEY) is None
    assert world.cache.peek(KEY, ("Questions",)) is not None


def test_a_delete_purges_the_key_and_an_invalidation_the_tag(world: World) -> None:
    world.cache.delete(KEY)
    world.cache.invalidate("Questions")
    world.cache.clear()
    assert world.cdn.purged == [f"quiz:{KEY.tag}", "quiz:questions", "quiz"]


def test_a_personal_entry_is_not_purged_because_no_cdn_has_it(world: World) -> None:
    assert world.cache.delete(Key.personal(7, "progress")).complete
    assert world.cdn.purged == []


def test_a_purge_that_fails_is_reported_and_the_layers_are_invalid_all_the_same(
    world: World,
) -> None:
    world.cache.put(KEY, "old", HOUR, TAGS)
    world.cdn.error = PurgeFailed("Cloudflare's limit of purges is reached")
    done = world.cache.invalidate("questions")
    assert done.not_purged == "Cloudflare's limit of purges is reached"
    assert not done.complete
    assert world.cache.peek(KEY, TAGS) is None


def test_the_numbers_say_what_was_served_from_where(world: World) -> None:
    source = Source()
    for _ in range(3):
        world.cache.get(KEY, source, HOUR)
    other = world.process()
    other.get(KEY, source, HOUR)
    counts = world.cache.counts()
    assert counts.cache == {"loaded": 1, "hit": 2}
    assert counts.hit_ratio == pytest.approx(2 / 3)
    assert counts.layers["memory"] == {"miss": 1, "written": 1, "hit": 2}
    assert counts.layers["shared"] == {"miss": 1, "written": 1}
    assert other.counts().layers["shared"] == {"hit": 1}
    assert world.process().counts().hit_ratio is None


@pytest.mark.parametrize(
    "changed", [{"jitter": 1.0}, {"jitter": -0.1}, {"load_s": 0}, {"retry_s": -1}]
)
def test_a_setting_that_makes_no_sense_is_refused(world: World, changed: Any) -> None:
    with pytest.raises(ValueError, match="give"):
        world.process(**changed)


def test_two_layers_of_one_name_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="the same name"):
        world.process(shared=(world.shared, world.shared))
