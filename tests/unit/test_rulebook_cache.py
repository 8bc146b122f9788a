"""The application's cache in a rule file: what is refused and warned of, by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.caching.entry import LONGEST_LIFE_S
from service.catalogue.cache.strategies import DEFAULTS
from service.catalogue.cache.target import MOST_DAYS, SETTINGS, CacheTarget
from service.catalogue.request_json import dump_request, load_request
from service.rulebook import load_rulebook
from tests.fakes.runs import request_for
from tests.unit.rulebook_files import PACK, load, told

CACHE_PACK = PACK.with_name("cache.yml")


def with_cache(
    target: str = 'prefixes: ["cache:"]',
    action: str = "set_cache_strategy",
    options: str = "{strategy: aggressive}",
) -> str:
    """A cache on line 2, and one rule about it on lines 4 to 9."""
    return (
        f"targets:\n  app-cache: {{kind: cache, {target}}}\nrules:\n  - name: spike\n"
        f"    match: [alertname=Spike]\n    action: {action}\n    target: app-cache\n"
        f"    with: {options}\n    cooldown: 10m\n"
    )


def flush(options: str, target: str = 'prefixes: ["cache:"]') -> str:
    return with_cache(target, "flush_cache", options)


def test_a_target_has_the_runbooks_strategies_and_those_of_its_own(tmp_path: Path) -> None:
    text = with_cache("settings: quiz:settings, strategies: {maximum: {ttl: 4h}}")
    target = load(tmp_path, text).targets["app-cache"]
    assert isinstance(target, CacheTarget)
    assert target.settings == "quiz:settings"
    assert target.values == {**DEFAULTS, "maximum": (14_400, True)}


def test_a_target_without_keys_has_the_usual_hash_and_may_flush_nothing(tmp_path: Path) -> None:
    text = with_cache("service: quiz")
    target = load(tmp_path, text).targets["app-cache"]
    assert isinstance(target, CacheTarget)
    assert (target.settings, target.prefixes, target.generation) == (SETTINGS, (), "")
    assert target.bounds == "the strategy in runbookd:cache-settings"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            with_cache(options="{strategy: turbo}"),
            "1.yml:8: rule spike: with: strategy must be 'standard', 'aggressive', 'maximum' or",
        ),
        (with_cache('prefixes: ["a b"]'), "1.yml:2: target app-cache: prefixes"),
        (
            with_cache('prefixes: ["runbookd:"]'),
            "1.yml:2: target app-cache: prefix runbookd: also covers runbookd:cache-settings",
        ),
        (
            with_cache('prefixes: ["quiz:"], generation: "quiz:generation"'),
            "prefix quiz: also covers quiz:generation, the key of generation",
        ),
        (
            with_cache("generation: runbookd:cache-settings"),
            "generation and settings are both runbookd:cache-settings",
        ),
        (
            with_cache("strategies: {turbo: {ttl: 1h}}"),
            "unknown strategy 'turbo'; known: standard, aggressive, maximum, multi_region",
        ),
        (with_cache("strategies: {maximum: {ttl: soon}}"), "maximum: ttl 'soon' is not a dur"),
        (with_cache('strategies: {maximum: {ttl: "0"}}'), "ttl must be at least 1s, not 0"),
        (with_cache("strategies: {maximum: {ttl: 8d}}"), "longer than 7d"),
        (with_cache("prefix: cache"), "unknown key prefix; did you mean prefixes?"),
        (
            flush("{}"),
            "1.yml:8: rule spike: with: it names nothing to flush. Give prefixes such as",
        ),
        (
            flush('{prefixes: ["session:"]}'),
            "1.yml:8: rule spike: with: prefix session: is not within what may be removed",
        ),
        (
            flush('{prefixes: [""]}'),
            "1.yml:8: rule spike: with: prefixes[1] must be how keys begin",
        ),
        (flush('{prefixes: "cache:"}'), "1.yml:8: rule spike: with: prefixes must be a list of"),
        (flush("{everything: true}"), "spike: with: unknown key everything; known: prefixes"),
        (
            with_cache(action="purge", options="{tags: [a]}"),
            "1.yml:7: rule spike: purge cannot change target app-cache of kind cache",
        ),
    ],
)
def test_what_is_wrong_is_refused_by_its_line(tmp_path: Path, text: str, sentence: str) -> None:
    assert any(sentence in each for each in told(tmp_path, text)), told(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (with_cache('prefixes: ["cache"]'), "End it with the sign that parts your keys"),
        (with_cache("strategies: {maximum: {ttl: 1m}}"), "maximum keeps entries no longer than"),
        (flush("{}", "generation: quiz:generation"), "makes every entry of the cache old at once"),
    ],
)
def test_what_is_hardly_meant_is_warned_of(tmp_path: Path, text: str, sentence: str) -> None:
    assert any(sentence in each for each in load(tmp_path, text).warnings)


def test_two_targets_for_the_one_cache_are_warned_of(tmp_path: Path) -> None:
    text = with_cache().replace("rules:\n", "  other: {kind: cache}\nrules:\n")
    text += (
        "  - {name: more, match: [a=b], action: set_cache_strategy, target: other, cooldown: 1m}\n"
    )
    (warning,) = load(tmp_path, text).warnings
    assert "it is the same as target app-cache" in warning


def test_the_pack_of_the_cache_is_in_order_beside_the_shipped_one_and_is_off_without_it() -> None:
    env = {"API_APP_ID": "app", "DROPLET_ID": "101", "SUPABASE_PROJECT_REF": "quiz" * 5}
    both = load_rulebook([PACK, CACHE_PACK], env)
    assert isinstance(both.targets["app-cache"], CacheTarget)
    assert not any("app-cache" in each for each in both.warnings)
    assert "cache" not in {each.kind for each in load_rulebook([PACK], env).targets.values()}


def test_a_request_survives_the_queue_with_the_strategies_of_its_target() -> None:
    target = CacheTarget("app-cache", strategies={**DEFAULTS, "maximum": [5, False]})
    request = request_for("set_cache_strategy", target, options={"strategy": "maximum"})
    loaded = load_request(dump_request(request)).target
    assert isinstance(loaded, CacheTarget)
    assert loaded.values == {**DEFAULTS, "maximum": (5, False)}


def test_a_life_that_the_rules_take_is_one_that_the_applications_library_takes() -> None:
    assert MOST_DAYS * 86_400 == LONGEST_LIFE_S
