"""What `runbookd check` says of the options of watch."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.catalogue.registry import NotInCatalogue, checked_options
from tests.unit.rulebook_files import GOOD, errors_of, load, with_rule

MANY = ", ".join(f"r{number}" for number in range(11))
OWN = "readings: {users: sum(users)}\n"


def rule(options: str) -> str:
    return with_rule(action="watch", target=None, **{"with": options})


def test_a_rule_that_watches_is_read_with_its_defaults(tmp_path: Path) -> None:
    book = load(tmp_path, rule("{for: 2h}"))
    (found,) = [each for each in book.rules if each.name == "extra"]
    assert found.options == {
        "for": "2h",
        "every": "5m",
        "target": None,
        "readings": [
            "cpu > 70",
            "memory > 80",
            "connections < 5",
            "cache < 80",
            "p95",
            "errors",
            "rps",
        ],
    }


def test_a_rule_may_watch_a_target_and_readings_of_its_own_file(tmp_path: Path) -> None:
    options = "{for: 24h, every: 1m, target: api, readings: ['users > 500', 'instances<2.5']}"
    book = load(tmp_path, OWN + rule(options))
    (found,) = [each for each in book.rules if each.name == "extra"]
    assert found.options["target"] == "api"


def test_a_target_that_is_only_watched_is_used(tmp_path: Path) -> None:
    text = GOOD.replace(
        "rules:\n", "  seen: {kind: droplet, droplet: 7, sizes: [c-2, c-4]}\nrules:\n"
    )
    watching = (
        "  - {name: w, match: [alertname=W], action: watch, cooldown: 1h, with: {for: 1h%s}}\n"
    )
    load(tmp_path, text + watching % ", target: seen")
    (error,) = errors_of(tmp_path, text + watching % "")
    assert "target seen: no rule uses it" in str(error)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("{}", "watch needs for: how long it watches"),
        ("{every: 5m}", "watch needs for: how long it watches"),
        ("{for: 25h}", "for must be a duration from 1m to 24h, such as 2h, not '25h'"),
        ("{for: 30s}", "for must be a duration from 1m to 24h"),
        ("{for: for ever}", "for must be a duration from 1m to 24h"),
        ("{for: 7200}", "for must be a duration from 1m to 24h"),
        ("{for: 2h, every: 30s}", "every must be a duration from 1m to 24h"),
        ("{for: 10m, every: 30m}", "every 30m is longer than for 10m"),
        ("{for: 2h, readings: [cpu >> 3]}", "must be a reading, alone or with its limit"),
        ("{for: 2h, readings: ['cpu > x']}", "must be a reading, alone or with its limit"),
        ("{for: 2h, readings: ['avg(cpu) > 3']}", "must be a reading, alone or with its limit"),
        ("{for: 2h, readings: []}", "readings must be"),
        (f"{{for: 2h, readings: [{MANY}]}}", "readings must be"),
        ("{for: 2h, readings: [cpu, cpu > 80]}", "readings names cpu more than once"),
        ("{for: 2h, readings: [cpuu]}", "unknown reading 'cpuu'; did you mean cpu?"),
        ("{for: 2h, readings: [users]}", "unknown reading 'users'"),
        ("{for: 2h, target: apo}", "unknown target 'apo'; did you mean api?"),
        ("{for: 2h, readings: [instances]}", "instances can only be told of one target"),
        ("{for: 2h, fro: 3h}", "unknown key fro"),
    ],
)
def test_what_cannot_be_watched_is_refused(tmp_path: Path, options: str, sentence: str) -> None:
    (error,) = errors_of(tmp_path, rule(options))
    assert sentence in str(error)
    assert "1.yml:" in str(error)


def test_a_watch_needs_a_cooldown_and_no_target_of_its_own(tmp_path: Path) -> None:
    text = with_rule(action="watch", cooldown=None, **{"with": "{for: 2h}"})
    errors = [str(each) for each in errors_of(tmp_path, text)]
    assert any("cooldown is missing: watch needs one" in each for each in errors)
    assert any("target is of no use to watch" in each for each in errors)


def test_options_that_a_version_before_has_let_through_are_refused_where_a_run_is_loaded() -> None:
    with pytest.raises(NotInCatalogue, match="for"):
        checked_options("watch", {"for": "3 days"})
