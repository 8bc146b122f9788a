"""What the processes tell each other of their rules, on both databases."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
import sqlalchemy as sa

from service.domain.rules.told import SILENT_S, ProcessRules, wrong_with
from service.messages.rules import mended, refused
from service.store.database import open_engine
from service.store.outbox import OutboxStore
from service.store.rulebooks import RulebookStore

NOW = 1_780_000_000.0
WEB = ProcessRules(
    *("web-a-1", "web", "a", 1, "abc", NOW, (), 0.0, (), "", NOW),
)
WORKER = replace(WEB, process="worker-a-2", role="worker", pid=2)
ERRORS = ("rules.yml:3: rule one: unknown key.",)


class Installation:
    """The record of the rules, and what is queued for Slack."""

    def __init__(self, engine: sa.Engine) -> None:
        self.store, self.outbox = RulebookStore(engine), OutboxStore(engine)

    def say(self, mine: ProcessRules, at: float = 0.0, errors: tuple[str, ...] = ()) -> None:
        said = replace(mine, seen_at=NOW + at, refused=errors, refused_since=NOW + at)
        self.store.say(said, refused(said), mended(said))

    def titles(self) -> list[str]:
        waiting = self.outbox.take(NOW + 1e6, 0.0, 100)
        return [each.message.title for each in waiting]


@pytest.fixture
def installation(engine: sa.Engine) -> Installation:
    return Installation(engine)


REFUSED = "The rule files have an error: they are not in force"
MENDED = "The rule files can be used again"


def test_what_a_process_says_replaces_what_it_said_before(installation: Installation) -> None:
    installation.say(WORKER)
    installation.say(WEB)
    installation.say(replace(WEB, hash="def", needs=("A secret is not set.",)), 1.0)
    found = installation.store.all(NOW + 1.0)
    assert [(each.name, each.hash) for each in found] == [
        ("web 1 on a", "def"),
        ("worker 2 on a", "abc"),
    ]
    assert found[0].needs == ("A secret is not set.",)


def test_a_process_that_says_nothing_any_more_counts_as_gone(installation: Installation) -> None:
    installation.say(WEB)
    assert installation.store.all(NOW + SILENT_S - 1)
    assert not installation.store.all(NOW + SILENT_S + 1)


def test_a_process_that_ends_is_forgotten_at_once(installation: Installation) -> None:
    installation.say(WEB)
    installation.say(WORKER)
    installation.store.leave(WEB.process)
    assert [each.role for each in installation.store.all(NOW)] == ["worker"]


def test_refused_files_are_told_once_whoever_finds_them_and_however_often(
    installation: Installation,
) -> None:
    installation.say(WEB, errors=ERRORS)
    installation.say(WORKER, 1.0, errors=ERRORS)
    installation.say(WEB, 2.0, errors=("rules.yml:4: something else.",))
    assert installation.titles() == [REFUSED]


def test_that_all_is_well_again_is_told_once_no_process_refuses_its_files(
    installation: Installation,
) -> None:
    installation.say(WEB, errors=ERRORS)
    installation.say(WORKER, errors=ERRORS)
    installation.say(WEB, 1.0)
    assert installation.titles() == [REFUSED]
    installation.say(WORKER, 2.0)
    installation.say(WEB, 3.0)
    assert installation.titles() == [REFUSED, MENDED]
    installation.say(WEB, 4.0, errors=ERRORS)
    assert installation.titles() == [REFUSED, MENDED, REFUSED]


def test_a_process_that_was_killed_does_not_keep_the_files_refused(
    installation: Installation,
) -> None:
    installation.say(WORKER, errors=ERRORS)
    installation.say(WEB, SILENT_S / 2)
    assert installation.titles() == [REFUSED]
    installation.say(WEB, SILENT_S + 1)
    assert installation.titles() == [REFUSED, MENDED]


def test_processes_that_find_the_error_at_the_same_moment_tell_it_once(database_url: str) -> None:
    engines = [open_engine(database_url, pool_size=1) for _ in range(4)]
    start = threading.Barrier(len(engines))

    def find(number: int, errors: tuple[str, ...]) -> None:
        mine = Installation(engines[number])
        start.wait(60)
        mine.say(replace(WEB, process=f"web-{number}", pid=number), float(bool(errors)), errors)

    for errors in (ERRORS, ()):
        threads = [
            threading.Thread(target=find, args=(number, errors)) for number in range(len(engines))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(Installation(engines[0]).titles()) == sorted([MENDED, REFUSED])
    for engine in engines:
        engine.dispose()


def test_the_last_request_for_a_reload_is_found_by_all(installation: Installation) -> None:
    assert installation.store.asked() == ""
    installation.store.ask("one")
    installation.store.ask("two")
    assert installation.store.asked() == "two"


def test_good_files_are_kept_byte_by_byte_apart_for_each_set_of_files(
    installation: Installation,
) -> None:
    assert installation.store.good("mine") == {}
    installation.store.keep_good("mine", {"rules.yml": b"\x00\xff", "page.html": b""})
    installation.store.keep_good("theirs", {"other.yml": b"rules:"})
    assert installation.store.good("mine") == {"rules.yml": b"\x00\xff", "page.html": b""}


@pytest.fixture
def refusing() -> ProcessRules:
    return replace(WEB, refused=ERRORS, refused_since=NOW)


def test_nothing_is_wrong_with_processes_that_agree() -> None:
    assert wrong_with([]) == []
    assert wrong_with([WEB, WORKER]) == []


def test_processes_that_refuse_the_same_are_told_of_in_one_sentence(refusing: ProcessRules) -> None:
    other = replace(refusing, process="worker-a-2", role="worker", pid=2)
    (sentence,) = wrong_with([refusing, other])
    assert "web 1 on a, worker 2 on a" in sentence
    assert "the rules before stay in force, abc" in sentence
    assert ERRORS[0] in sentence


def test_a_refusal_without_any_rules_says_that_there_are_none(refusing: ProcessRules) -> None:
    (sentence,) = wrong_with([replace(refusing, hash="")])
    assert "there are no rules in force" in sentence


def test_processes_with_other_rules_are_named_with_theirs() -> None:
    (sentence,) = wrong_with([WEB, replace(WORKER, hash="def")])
    assert "web 1 on a has abc; worker 2 on a has def" in sentence
    assert "give all of them the same RULES" in sentence


def test_what_takes_a_restart_is_said() -> None:
    assert wrong_with([WEB, replace(WORKER, needs=("X is not set.",))]) == ["X is not set."]
