"""How the application caches, and flushes of its cache: plans as tables, and steps on a cache in
memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from service.catalogue.cache.kind import KIND
from service.catalogue.cache.removal import PIECE
from service.catalogue.cache.strategies import DEFAULTS, fields_from, fields_of, value_of
from service.catalogue.cache.target import SETTINGS, CacheTarget
from service.catalogue.registry import checked_options
from service.catalogue.steps.timings import Timings
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted
from service.domain.errors import FailureKind, StepFailed, TargetChanged, VendorError
from tests.fakes.caches import FakeCache
from tests.fakes.clock import FakeClock
from tests.fakes.faults import vendor_error
from tests.fakes.runs import FakeRun, planned, request_for, works_on

GENERATION = "quiz:generation"
CACHE = CacheTarget("app-cache", prefixes=("cache:", "page:"), generation=GENERATION, zone="cdn")
STANDARD, AGGRESSIVE = (fields_of(name, DEFAULTS) for name in ("standard", "aggressive"))
ENTRIES = {f"cache:{number}": "x" for number in range(3 * PIECE)}
SESSIONS = {f"session:{number}": "me" for number in range(500)}


def cache(**keys: Any) -> FakeCache:
    return FakeCache(FakeClock(), {name.replace("__", ":"): value for name, value in keys.items()})


def strategy(name: str = "aggressive", target: CacheTarget = CACHE) -> Request:
    return request_for("set_cache_strategy", target, options={"strategy": name})


def set_to(value: str) -> Request:
    """What an undo asks for."""
    return request_for("set_cache_strategy", CACHE, wanted=(Wanted("strategy", to=value),))


def flush(*prefixes: str, target: CacheTarget = CACHE) -> Request:
    return request_for("flush_cache", target, options={"prefixes": list(prefixes)})


def plan_of(fake: FakeCache, request: Request) -> Plan | PlanHeld:
    return works_on(fake.clock, cache=fake).plan(request)


def made(fake: FakeCache, request: Request) -> Plan:
    plan = plan_of(fake, request)
    assert isinstance(plan, Plan), plan
    return plan


def held(fake: FakeCache, request: Request) -> PlanHeld:
    plan = plan_of(fake, request)
    assert isinstance(plan, PlanHeld), plan
    return plan


def run_of(fake: FakeCache, request: Request, timings: Timings | None = None) -> FakeRun:
    return planned(works_on(fake.clock, cache=fake, timings=timings), request, fake.clock)


# ---- Strategies ----


@pytest.mark.parametrize(
    ("name", "ttl", "everything"),
    [
        ("standard", "300", "false"),
        ("aggressive", "3600", "true"),
        ("maximum", "7200", "true"),
        ("multi_region", "3600", "true"),
    ],
)
def test_a_strategy_sets_all_its_fields_at_once(name: str, ttl: str, everything: str) -> None:
    fake = cache()
    run_of(fake, strategy(name)).execute()
    assert fake.keys == {SETTINGS: {"strategy": name, "ttl": ttl, "everything": everything}}
    assert fake.writes.effective == ["settings"]


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({}, "none"),
        (AGGRESSIVE, "aggressive"),
        ({**AGGRESSIVE, "ttl": "60"}, "strategy=aggressive ttl=60 everything=true"),
        ({"ttl": "600"}, "ttl=600"),
        ({"ttl": "", "everything": "yes, please = all"}, None),
        ({"strategy": "standard ttl=1", "ttl": "Ω\n"}, None),
    ],
)
def test_any_settings_are_one_value_from_which_an_undo_makes_them_again(
    fields: dict[str, str], value: str | None
) -> None:
    found = value_of(fields, DEFAULTS)
    assert value in (None, found)
    assert fields_from(found, DEFAULTS) == fields


def test_an_undo_puts_back_what_a_person_had_set_there() -> None:
    by_hand = {"ttl": "600", "owner": "olga"}
    fake = FakeCache(FakeClock(), {SETTINGS: dict(by_hand)})
    plan = made(fake, strategy("maximum"))
    assert (plan.what, plan.before, plan.after) == ("strategy", "ttl=600", "maximum")
    run_of(fake, strategy("maximum")).execute()
    run_of(fake, set_to(plan.before)).execute()
    assert fake.keys == {SETTINGS: by_hand}


def test_the_values_of_a_target_are_set_in_place_of_the_usual_ones() -> None:
    fake = cache()
    target = replace(CACHE, strategies={**DEFAULTS, "maximum": [14_400, False]})
    run_of(fake, strategy("maximum", target)).execute()
    assert fake.keys[SETTINGS] == {"strategy": "maximum", "ttl": "14400", "everything": "false"}


def test_a_plan_says_what_the_application_will_do_and_that_the_cdn_is_another_target() -> None:
    plan = made(cache(), strategy())
    assert plan.downtime == (
        "No downtime. From the application's next look on, what is cached is kept for 1 h, and "
        "everything is cached. The CDN is another target: set_cache_rules of cdn changes it."
    )
    assert (plan.price_before, plan.price_after) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("policy", "warned"), [("allkeys-lru", True), ("volatile-lru", False), ("", False)]
)
def test_a_plan_warns_where_a_full_server_would_evict_the_settings(
    policy: str, warned: bool
) -> None:
    fake = cache()
    fake.is_ = replace(fake.is_, eviction=policy)
    assert ("evicts any key when it is full (allkeys-lru)" in made(fake, strategy()).downtime) == (
        warned
    )


def test_nothing_is_set_where_it_is_so_already() -> None:
    fake = FakeCache(FakeClock(), {SETTINGS: dict(AGGRESSIVE)})
    assert held(fake, strategy()).guard == "already_there"


@pytest.mark.parametrize("value", ["turbo", "owner=olga", "ttl", "= "])
def test_what_is_no_strategy_and_no_former_value_is_held(value: str) -> None:
    hold = held(cache(), set_to(value))
    assert hold.guard == "options"
    assert "there is standard, aggressive, maximum, multi_region, none" in hold.reason


def test_what_an_undo_could_not_put_back_is_left() -> None:
    fake = FakeCache(FakeClock(), {SETTINGS: {"ttl": "9" * 300}})
    hold = held(fake, strategy())
    assert (hold.guard, hold.by_person) == ("not_ours", True)
    assert "ttl in runbookd:cache-settings holds 300 characters" in hold.reason


@pytest.mark.parametrize(
    ("change", "guard"), [({"writable": False}, "replica"), ({"clustered": True}, "cluster")]
)
@pytest.mark.parametrize("request_", [strategy(), flush(), flush("cache:")])
def test_a_replica_and_a_node_of_a_cluster_are_left_as_they_are(
    change: dict[str, bool], guard: str, request_: Request
) -> None:
    fake = cache()
    fake.is_ = replace(fake.is_, **change)  # type: ignore[arg-type]
    assert held(fake, request_).guard == guard


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_sets_it_once(when: str) -> None:
    fake = cache()
    getattr(fake.writes, when)[0] = vendor_error(FailureKind.UNKNOWN)
    run_of(fake, strategy()).execute()
    assert fake.keys == {SETTINGS: AGGRESSIVE}
    assert fake.writes.effective == ["settings"]


def test_what_a_person_sets_between_plan_and_write_is_left_and_the_intent_is_withdrawn() -> None:
    fake = FakeCache(FakeClock(), {SETTINGS: dict(STANDARD)})
    run = run_of(fake, strategy())
    fake.keys[SETTINGS] = {"ttl": "5"}
    with pytest.raises(TargetChanged, match="it holds ttl=5, which is not what this run was"):
        run.execute()
    assert fake.keys[SETTINGS] == {"ttl": "5"}
    assert run.intents == {}


def test_what_a_person_sets_between_our_look_and_our_write_is_left() -> None:
    fake = FakeCache(FakeClock(), {SETTINGS: dict(STANDARD)})
    run = run_of(fake, strategy())
    fake.before_write = lambda: fake.keys.update({SETTINGS: {"ttl": "5"}})
    with pytest.raises(TargetChanged):
        run.execute()
    assert fake.keys[SETTINGS] == {"ttl": "5"}


def test_a_setting_that_is_gone_a_moment_later_fails_the_run() -> None:
    fake = cache()
    run = run_of(fake, strategy())
    run.step("set_strategy")
    del fake.keys[SETTINGS]
    with pytest.raises(StepFailed, match="holds nothing a moment later"):
        run.step("verify_strategy")
    assert run.works.make_safe(run.context, run.request, run.plan) == (
        "runbookd:cache-settings holds nothing now, so the application caches as it does by itself."
    )


# ---- Flushes by generation ----


def test_a_flush_by_generation_is_one_write_and_touches_nothing_else() -> None:
    fake = FakeCache(FakeClock(), {GENERATION: "41", **ENTRIES, **SESSIONS})
    plan = made(fake, flush())
    assert (plan.what, plan.before, plan.after) == ("generation", "41", "42")
    run_of(fake, flush()).execute()
    assert fake.keys == {GENERATION: "42", **ENTRIES, **SESSIONS}
    assert fake.writes.effective == ["generation"]


def test_a_generation_that_somebody_has_raised_further_is_as_good() -> None:
    fake = cache()
    run = run_of(fake, flush())
    fake.keys[GENERATION] = "7"
    run.execute()
    assert fake.keys[GENERATION] == "7"
    assert fake.writes.effective == []


def test_a_generation_that_was_set_back_is_not_raised_by_an_old_plan() -> None:
    fake = FakeCache(FakeClock(), {GENERATION: "41"})
    run = run_of(fake, flush())
    fake.keys[GENERATION] = "1"
    with pytest.raises(TargetChanged, match="it was 41 when this run looked, and is 1 now"):
        run.execute()
    assert fake.keys[GENERATION] == "1"


def test_a_generation_that_is_lost_after_the_flush_fails_the_run() -> None:
    fake = FakeCache(FakeClock(), {GENERATION: "41"})
    run = run_of(fake, flush())
    run.step("next_generation")
    del fake.keys[GENERATION]
    with pytest.raises(StepFailed, match="was set to 42, and is 0 a moment later"):
        run.step("verify_generation")


# ---- Flushes by prefix ----


def test_a_flush_by_prefix_removes_what_has_it_and_keeps_500_sessions() -> None:
    fake = FakeCache(FakeClock(), {**ENTRIES, "page:1": "x", **SESSIONS, GENERATION: "41"})
    run = run_of(fake, flush("cache:", "page:"))
    records = run.execute()
    assert fake.keys == {**SESSIONS, GENERATION: "41"}
    assert records["remove"]["removed"] == len(ENTRIES) + 1


@pytest.mark.parametrize(
    ("keys", "prefixes", "before"),
    [
        ({**ENTRIES, **SESSIONS}, ("cache:",), "cache: (about {share:,} of 2,000 keys)"),
        ({"cache:1": "x", "s": "y"}, ("cache:",), "cache: (1 of 2 keys)"),
        ({"cache:1": "x", "cache:2": "x"}, ("cache:1",), "cache:1 (at most 2 of 2 keys)"),
        ({}, ("cache:",), "cache: (of 0 keys)"),
    ],
)
def test_a_plan_says_about_how_many_keys_will_go(
    keys: dict[str, Any], prefixes: tuple[str, ...], before: str
) -> None:
    fake = FakeCache(FakeClock(), dict(keys))
    found = fake.walk("cache:", 0, 1000)
    share = round(2000 * len(found.keys) / 1000)
    assert made(fake, flush(*prefixes)).before == before.format(share=share)


def test_an_execution_that_is_fenced_out_removes_nothing_more() -> None:
    fake = FakeCache(FakeClock(), dict(ENTRIES))
    run = run_of(fake, flush("cache:"))
    left: list[int] = []

    def fenced() -> None:
        left.append(len(fake.keys))
        if len(left) == 2:
            raise vendor_error(FailureKind.PERMANENT)

    run.context = run.fresh()
    run.context.on_fence = fenced
    with pytest.raises(VendorError):
        run.step("remove")
    assert len(fake.keys) == left[-1] == 2 * PIECE, "the fence is asked before each piece"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_is_looked_for_and_only_what_is_left_is_removed_again(when: str) -> None:
    fake = FakeCache(FakeClock(), {**ENTRIES, **SESSIONS})
    getattr(fake.writes, when)[1] = vendor_error(FailureKind.UNKNOWN)
    run = run_of(fake, flush("cache:"))
    run.execute()
    assert fake.keys == SESSIONS
    assert fake.writes.effective == ["unlink"] * 3
    assert any("Looking what is still there" in told for told in run.context.told)


def test_a_server_that_loses_every_answer_ends_the_run_with_what_is_left() -> None:
    fake = FakeCache(FakeClock(), dict(ENTRIES))
    fake.writes.before.update({k: vendor_error(FailureKind.UNKNOWN) for k in range(9)})
    run = run_of(fake, flush("cache:"))
    with pytest.raises(StepFailed, match="0 keys were removed, and the rest stays as it is"):
        run.execute()
    assert run.intents, "one of them may still arrive"


def test_a_refusal_before_anything_is_removed_withdraws_the_intent() -> None:
    fake = FakeCache(FakeClock(), dict(ENTRIES))
    fake.writes.before[0] = vendor_error(FailureKind.PERMANENT, "no permission")
    run = run_of(fake, flush("cache:"))
    with pytest.raises(VendorError):
        run.execute()
    assert run.intents == {}


def test_a_server_that_restarts_meanwhile_is_walked_over_again() -> None:
    fake = FakeCache(FakeClock(), {**ENTRIES, **SESSIONS})
    run = run_of(fake, flush("cache:"))
    fences: list[int] = []

    def restart() -> None:
        fences.append(1)
        if len(fences) == 2:
            fake.restart()
            fake.keys["cache:from an older copy"] = "x"
            fake._places["cache:from an older copy"] = 1  # the walk has passed it

    run.context = run.fresh()
    run.context.on_fence = restart
    run.step("remove")
    assert fake.keys == SESSIONS
    assert "The cache's server was restarted: walking over it once more." in run.context.told


def test_a_server_that_is_replaced_after_the_walk_fails_the_verification() -> None:
    fake = FakeCache(FakeClock(), dict(ENTRIES))
    run = run_of(fake, flush("cache:"))
    run.step("remove")
    fake.restart()
    with pytest.raises(StepFailed, match="entries from before may be there again"):
        run.step("verify_removal")


def test_a_flush_that_takes_too_long_ends_and_a_retry_goes_on_with_the_rest() -> None:
    fake = FakeCache(FakeClock(), dict(ENTRIES))
    run = run_of(fake, flush("cache:"), Timings(flush_deadline_s=0.0))
    with pytest.raises(StepFailed, match="500 keys were removed, and the rest stays as it is"):
        run.execute()
    assert len(fake.keys) == 2 * PIECE
    run_of(fake, flush("cache:")).execute()
    assert fake.keys == {}


def test_it_tells_how_far_it_is() -> None:
    fake = FakeCache(FakeClock(), dict(ENTRIES))
    run = run_of(fake, flush("cache:"))
    run.context = run.fresh()
    run.context.on_fence = lambda: fake.clock.sleep(6.0)
    run.step("remove")
    assert run.context.told[0] == "500 keys removed; now at cache:."


@pytest.mark.parametrize(
    ("target", "prefixes", "said"),
    [
        (replace(CACHE, generation=""), (), "it names nothing to flush. Give prefixes such as c"),
        (CACHE, ("session:",), "prefix session: is not within what may be removed of app-cache"),
        (CACHE, ("ca",), "prefix ca is not within what may be removed"),
        (replace(CACHE, prefixes=()), ("cache:",), "may be removed of app-cache: none"),
        (CACHE, ("cache:", "cache:quiz:"), "prefix cache: already covers cache:quiz:"),
        (CACHE, ("cache:", "cache:"), "prefix cache: already covers cache:"),
    ],
)
def test_what_may_not_be_flushed_is_refused_in_the_file_and_by_the_worker(
    target: CacheTarget, prefixes: tuple[str, ...], said: str
) -> None:
    options = checked_options("flush_cache", {"prefixes": list(prefixes)})
    sentences = list(KIND.refuses(target, "flush_cache", options))
    assert len(sentences) == 1
    assert said in sentences[0]
    fake = FakeCache(FakeClock(), dict(ENTRIES))
    hold = held(fake, flush(*prefixes, target=target))
    assert (hold.guard, said in hold.reason) == ("options", True)


def test_make_safe_after_a_flush_says_that_nothing_is_to_be_done() -> None:
    fake = FakeCache(FakeClock(), dict(ENTRIES))
    run = run_of(fake, flush("cache:"))
    assert "serves what is left in it" in run.works.make_safe(run.context, run.request, run.plan)
