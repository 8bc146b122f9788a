"""Backtests whose numbers were computed by hand; each has its sum beside it."""

from __future__ import annotations

from pathlib import Path

from service.domain.backtests.tally import Row, told
from service.domain.decisions.present import State
from tests.fakes.alerts import CPU
from tests.unit.backtests.stage import HOUR, MINUTE, compared, cpu, file_of, fired, rule

OUT = ("horizontal_scale", "api")


def test_a_cooldown_that_is_halved_acts_once_more_on_the_alert_that_lasts(tmp_path: Path) -> None:
    # The first alert is told at 0, 10, 20, 30 and 40 minutes and ends at 50. With 20 minutes it
    # acts at 0, 20 and 40; with 10 minutes each time: 5. The other alert comes four hours later
    # and is told once: one action by either file.
    lasts = fired(1, 0, 50 * MINUTE, repeats=4)
    short = fired(2, 4 * HOUR, 5 * MINUTE, instance="b")
    found = compared(
        tmp_path, file_of(cpu(cooldown="20m")), file_of(cpu(cooldown="10m")), [lasts, short]
    )
    assert (found.alerts, found.notifications) == (2, 8)
    # api begins with 2 and may have 6, so with 10 minutes the fifth meets the maximum.
    assert (found.before.actions[OUT], found.after.actions[OUT]) == (3 + 1, 4)
    assert found.before.holds == {"cooldown": 2}
    assert found.after.holds == {"max_replicas": 2}
    (differs,) = [each for each in found.differing() if each.alert == lasts.id]
    assert told(differs.before) == "horizontal_scale api: changed ×3, held by cooldown ×2"
    assert told(differs.after) == "horizontal_scale api: changed ×4, held by max_replicas"


def test_a_rule_that_never_matches_makes_no_difference(tmp_path: Path) -> None:
    never = rule("never", "Nobody Sends This", "horizontal_scale", "api", cooldown="5m")
    found = compared(
        tmp_path, file_of(cpu()), file_of(cpu(), never), [fired(1, 0, HOUR, repeats=5)]
    )
    assert found.before.rules_hash != found.after.rules_hash
    assert found.differing() == []
    assert all(row.difference == 0 for row in found.rows())
    assert found.before.actions == {OUT: 3}  # told each 10 minutes; 0, 20 and 40


def test_what_comes_and_goes_within_the_hour_is_a_flap(tmp_path: Path) -> None:
    # Twice a day it fires for five minutes. With half an hour of calm the instance is taken back
    # 30 minutes after its end, 35 after it came: a flap each. With two hours it is none.
    short, long = (
        file_of(cpu(return_=f"{{after: {after}, when: load < 50}}")) for after in ("30m", "2h")
    )
    alerts = [fired(1, 0, 5 * MINUTE), fired(2, 12 * HOUR, 5 * MINUTE)]
    found = compared(tmp_path, long, short, alerts)
    assert found.before.actions == found.after.actions == {OUT: 4}
    assert (found.before.flaps, found.after.flaps) == ({}, {"api": 2})
    # 24 hours of 2 at $12 a month of 730 hours: $0.79. One more for twice 35 minutes, and for
    # twice 2 hours and 5 minutes.
    each = 12 / 730
    assert found.after.dollars["api"] == round(each * (48 + 70 / 60), 2)
    assert found.before.dollars["api"] == round(each * (48 + 250 / 60), 2)


def test_a_page_is_counted_once_for_an_incident_that_stays_open(tmp_path: Path) -> None:
    pages = rule("errors", "Errors", "page_oncall")
    # Two instances of one group, an hour apart, while the first still fires: one incident. When
    # both are over it is closed, so the third is a page of its own.
    alerts = [
        fired(1, 0, 3 * HOUR, name="Errors", instance="a"),
        fired(2, HOUR, HOUR, name="Errors", instance="b"),
        fired(3, 6 * HOUR, HOUR, name="Errors", instance="a"),
    ]
    found = compared(tmp_path, file_of(cpu()), file_of(cpu(), pages), alerts)
    assert (found.before.pages, found.after.pages) == ({}, {"errors": 2})
    # Without a rule each is told in Slack, once an hour for a group.
    assert Row("pages", "errors", 0, 2) in found.rows()


def test_at_its_maximum_a_target_pages_and_stays(tmp_path: Path) -> None:
    known: dict[str, State] = {"api": {"replicas": 6, "size": "professional-s"}}
    found = compared(
        tmp_path, file_of(cpu()), file_of(cpu()), [fired(1, 0, 5 * MINUTE, name=CPU)], known=known
    )
    assert found.after.actions == {}
    assert found.after.holds == {"max_replicas": 1}
    assert found.after.pages == {"cpu": 1}
    # Six of $25 for a day of a month of 730 hours.
    assert found.after.dollars["api"] == round(6 * 25 * 24 / 730, 2)
