"""What `check` says of zones, and of rules that purge them or set their cache rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.catalogue.cloudflare_zone.target import ZoneTarget
from service.catalogue.registry import ACTIONS
from service.catalogue.request_json import dump_request, load_request
from service.domain.commands import NO_UNDO, UNDO, to_type
from service.rulebook.pack import packaged
from tests.fakes.runs import request_for
from tests.unit.rulebook_files import ENV, PACK, load, told, with_zone

PROBE = "https://quizmentor.app/assets/app.js"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("{}", "1.yml:8: rule stale: with: it names nothing to purge. Give prefixes, tags"),
        ("{everything: true, tags: [a]}", "1.yml:8: rule stale: with: everything: true already"),
        ("{prefixes: ['https://a.example/']}", "must be a host and a path, without https://"),
        ("{prefixes: quizmentor.app/}", "prefixes must be a list of hosts with a path"),
        ("{tags: ['a b']}", "must be a tag without spaces and commas"),
        ("{prefix: [a]}", "with: unknown key prefix; did you mean prefixes?"),
        ("{everything: maybe}", "everything must be true or false"),
    ],
)
def test_a_purge_that_cannot_be_meant_is_refused_with_its_line(
    tmp_path: Path, options: str, said: str
) -> None:
    errors = "\n".join(told(tmp_path, with_zone(options)))
    assert said in errors
    assert "1.yml:8" in errors
    assert len(errors.splitlines()) == 1, "a consequence is not told beside its cause"


@pytest.mark.parametrize(
    ("options", "probe", "said"),
    [
        ("{everything: true}", PROBE, ["empties the whole cache"]),
        ("{tags: [a]}", PROBE, ["nothing shows whether this purge takes effect"]),
        ("{prefixes: [quizmentor.app/]}", "", ["nothing shows whether"]),
        ("{prefixes: [quizmentor.app/api/]}", PROBE, ["nothing shows whether"]),
        ("{prefixes: [quizmentor.app/assets/]}", PROBE, []),
    ],
)
def test_a_purge_that_empties_all_or_that_nothing_proves_is_warned_of(
    tmp_path: Path, options: str, probe: str, said: list[str]
) -> None:
    warnings = load(tmp_path, with_zone(options, probe)).warnings
    assert len(warnings) == len(said)
    assert all(each in warning for each, warning in zip(said, warnings, strict=True))


def test_an_id_that_is_none_of_a_zone_is_warned_of(tmp_path: Path) -> None:
    text = with_zone("{hosts: [quizmentor.app]}", "https://quizmentor.app/").replace("c0de", "zone")
    (warning,) = load(tmp_path, text).warnings
    assert "does not look like the id of a zone" in warning


def test_a_zone_without_its_id_is_refused(tmp_path: Path) -> None:
    text = with_zone("{tags: [a]}").replace(f", zone: {'c0de' * 8}", "")
    assert any("zone is missing: the zone's id" in each for each in told(tmp_path, text))


def test_the_shipped_file_for_the_cdn_is_valid_beside_the_pack_and_says_what_it_lacks(
    tmp_path: Path,
) -> None:
    files = [PACK.read_text(), (PACK.parent / "cdn.yml").read_text()]
    book = load(tmp_path, *files, env={**ENV, "CLOUDFLARE_ZONE_ID": "5eed" * 8})
    assert (book.targets["cdn"].resource, book.warnings) == (f"cloudflare:{'5eed' * 8}", ())
    assert any("CLOUDFLARE_ZONE_ID" in each for each in told(tmp_path, *files, env=ENV))
    assert packaged("cdn.yml").read_text() == files[1], "an installation carries it"


def test_what_nothing_takes_back_is_what_the_catalogue_says() -> None:
    assert {each.name for each in ACTIONS if not each.undoes} == set(NO_UNDO)


@pytest.mark.parametrize("status", ["succeeded", "failed"])
def test_an_undo_is_offered_only_where_there_is_one(status: str) -> None:
    offered = {
        action: [words for words, _ in to_type("cdn.out.1", status, "cdn", action=action)]
        for action in ("purge", "horizontal_scale")
    }
    assert UNDO not in offered["purge"]
    assert UNDO in offered["horizontal_scale"]


RULED = """\
targets:
  cdn:
    kind: cloudflare_zone
    zone: c0dec0dec0dec0dec0dec0dec0dec0de
    cache_rules: {SETS}
rules:
  - name: rush
    match: [alertname=Rush]
    action: set_cache_rules
    target: cdn
    with: {OPTIONS}
    cooldown: 1h
"""
BYPASS = "{name: a, path: /a, mode: bypass}"


def ruled(sets: str, options: str = "{set: standard}") -> str:
    return RULED.replace("{SETS}", sets).replace("{OPTIONS}", options)


@pytest.mark.parametrize(
    ("sets", "options", "said"),
    [
        (f"{{standard: [{BYPASS}]}}", "{set: maximum}", "no set of cache rules 'maximum'; there"),
        ("{none: []}", "{set: none}", "'none' is no name of a set"),
        ("{standard: [{name: a, path: /a, mode: cache}]}", "{}", "mode cache needs edge"),
        (
            "{standard: [{name: a, path: /a, mode: respect, edge: 2h}]}",
            "{}",
            "mode respect takes no edge and no browser",
        ),
        ("{standard: [{name: a, path: /a}]}", "{}", "set standard, rule a: mode is missing"),
        (
            "{standard: [{name: a, path: /a, mode: cache, edge: soon}]}",
            "{}",
            "set standard, rule a: edge 'soon' is not a duration",
        ),
        (f"{{standard: [{BYPASS}, {BYPASS}]}}", "{}", "set standard names rule a more than once"),
        (
            "{standard: [{name: a, path: '/a/*', mode: bypass, sample: /a/1}]}",
            "{}",
            "only mode cache is sampled. Remove sample",
        ),
        (
            "{standard: [{name: a, path: '/a/*', mode: cache, edge: 2h, sample: /b}]}",
            "{}",
            "sample /b is not covered by /a/*",
        ),
        (
            "{standard: [{name: a, path: '/a/*', mode: cache, edge: 2h, sample: 'https://x'}]}",
            "{}",
            "sample must be a path such as /learn/1",
        ),
        (
            "{standard: [{name: a, path: 'a b', mode: bypass}]}",
            "{}",
            "[1].path must be a path such as /api/questions",
        ),
    ],
)
def test_a_set_of_cache_rules_that_cannot_be_meant_is_refused(
    tmp_path: Path, sets: str, options: str, said: str
) -> None:
    errors = "\n".join(told(tmp_path, ruled(sets, options)))
    assert said in errors


def test_a_set_is_read_with_its_times_in_seconds(tmp_path: Path) -> None:
    sets = "{standard: [{name: a, path: '/a/*', mode: cache, edge: 2h, browser: 1m}]}"
    target = load(tmp_path, ruled(sets)).targets["cdn"]
    assert isinstance(target, ZoneTarget)
    (rule,) = target.cache_rules["standard"]
    assert (rule["edge_s"], rule["browser_s"], rule["path"]) == (7200, 60, "/a/*")
    assert target.bounds == "what it has cached, cache rules standard"


def test_a_queued_set_is_pinned_with_the_sets_of_its_target(tmp_path: Path) -> None:
    target = load(tmp_path, ruled(f"{{standard: [{BYPASS}]}}")).targets["cdn"]
    request = request_for("set_cache_rules", target)
    assert load_request(json.loads(json.dumps(dump_request(request)))) == request


LEVELLED = """\
targets:
  cdn:
    kind: cloudflare_zone
    zone: c0dec0dec0dec0dec0dec0dec0dec0de
    cache_levels: {LEVELS}
rules:
  - name: rush
    match: [alertname=Rush]
    action: set_cache_level
    target: cdn
    with: {OPTIONS}
    cooldown: 1h
"""


def levelled(levels: str, options: str) -> str:
    return LEVELLED.replace("{LEVELS}", levels).replace("{OPTIONS}", options)


@pytest.mark.parametrize(
    ("levels", "options", "said"),
    [
        (
            "[basic]",
            "{level: simplified}",
            "does not allow the cache level 'simplified'; it allows",
        ),
        ("[basic]", "{}", "does not allow the cache level 'aggressive'"),
        ("[basic]", "{level: everything}", "1.yml:11: rule rush: with: level must be"),
        ("[all]", "{level: basic}", "cache_levels[1] must be"),
        ("basic", "{level: basic}", "cache_levels must be a list of basic, simplified, aggressive"),
    ],
)
def test_a_cache_level_that_cannot_be_meant_is_refused(
    tmp_path: Path, levels: str, options: str, said: str
) -> None:
    errors = "\n".join(told(tmp_path, levelled(levels, options)))
    assert said in errors


def test_the_level_that_ignores_query_strings_is_warned_of(tmp_path: Path) -> None:
    book = load(tmp_path, levelled("[basic, simplified]", "{level: simplified}"))
    (warning,) = book.warnings
    assert "?page=2" in warning
    assert load(tmp_path, levelled("[basic]", "{level: basic}")).warnings == ()
    target = book.targets["cdn"]
    assert target.bounds == "what it has cached, cache level basic or simplified"
    request = request_for("set_cache_level", target, options={"level": "simplified"})
    assert load_request(json.loads(json.dumps(dump_request(request)))) == request


def test_an_origin_is_an_address_without_a_path(tmp_path: Path) -> None:
    text = ruled(f"{{standard: [{BYPASS}]}}")
    with_origin = "    origin: {}\n    cache_rules"
    good = text.replace("    cache_rules", with_origin.format("https://origin.quizmentor.app"))
    target = load(tmp_path, good).targets["cdn"]
    assert isinstance(target, ZoneTarget)
    assert target.origin == "https://origin.quizmentor.app"
    bad = text.replace("    cache_rules", with_origin.format("https://quizmentor.app/api"))
    assert any("origin must be an address without a path" in each for each in told(tmp_path, bad))
