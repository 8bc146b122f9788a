"""Two installations, each with its own web, worker and database, that share one Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.person import Terminal
from tests.stack import Options, Stack

CHANGE = "runbookd run horizontal_scale api --to replicas=3 --why 'a big exam' --yes --wait"


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Stack]]:
    home = tmp_path_factory.mktemp("installations")
    with Stack(home / "one") as one:
        one.start()
        assert one.redis is not None
        options = Options(redis="none", environment={"REDIS_URL": one.redis.url})
        with Stack(home / "other", options) as other:
            other.start()
            yield one, other


@pytest.fixture
def pair(started: tuple[Stack, Stack]) -> tuple[Stack, Stack]:
    """Both, with their sandboxes as at the start; the first one has started the Redis."""
    for each in started:
        each.reset()
    return started


def test_a_lock_typed_at_one_holds_the_other_also_after_redis_was_restarted(
    pair: tuple[Stack, Stack],
) -> None:
    one, other = pair
    here, there = Terminal(one), Terminal(other)
    here.type("runbookd lock api --for 30m --why 'I move it' --yes")
    said = held_by(there)
    assert "api is locked by local:" in said
    assert "a person at another runbookd" in said
    assert said.endswith(": I move it.")

    # Its data is in memory alone, so a restart loses it, and the first one's worker shows it again.
    redis = one.redis
    assert redis is not None
    redis.stop()
    redis.start()
    one.wait_for(lambda: redis.client.keys("person-lock:*"), "the lock to be shown again")
    assert held_by(there) == said
    assert (one.instances(), other.instances()) == (2, 2)


def test_what_was_unlocked_while_redis_was_away_holds_nobody(pair: tuple[Stack, Stack]) -> None:
    one, other = pair
    here, there = Terminal(one), Terminal(other)
    redis = one.redis
    assert redis is not None
    here.type("runbookd lock api --for 30m --why 'I move it' --yes")
    redis.save()
    redis.stop()
    here.type("runbookd unlock api")
    redis.start()
    one.wait_for(lambda: not redis.client.keys("person-lock:*"), "the lock to be taken back")
    # What was held in another test may be tried again before this, and make it three as well.
    there.run(CHANGE)
    other.wait_for(lambda: other.instances() == 3, "a change")


def held_by(terminal: Terminal) -> str:
    """Why a person's run is held."""
    done = terminal.run(CHANGE)
    assert done.returncode == 1, done.stdout + done.stderr
    held = [each["reason"] for each in terminal.stack.runs() if each["status"] == "held"]
    reason: str = held[-1]
    return reason
