from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import pytest

from service.domain.alerts.alert import Alert, AlertStatus
from service.domain.rules.matchers import parse_matcher, parse_matchers
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import Rule, RuleBook
from service.domain.rules.selectivity import selects
from service.domain.rules.shadowing import Reach, covers, find_shadowed


def rule(name: str, *matchers: str, continue_: bool = False) -> Rule:
    return Rule(
        name=name,
        matchers=tuple(parse_matcher(text) for text in matchers),
        action="investigate",
        continue_=continue_,
    )


def index(*rules: Rule) -> RuleIndex:
    return RuleIndex(RuleBook(rules, {}, "0" * 12))


def alert(name: str = "", **labels: str) -> Alert:
    return Alert("alertmanager", "f", AlertStatus.FIRING, name, labels=labels)


def names(rules: Sequence[Rule]) -> list[str]:
    return [found.name for found in rules]


def test_the_first_rule_that_matches_wins() -> None:
    rules = index(rule("cpu", "alertname=CPU"), rule("also", "alertname=CPU", "severity=warning"))
    assert names(rules.match(alert(alertname="CPU", severity="warning"))) == ["cpu"]


def test_after_a_rule_that_continues_the_next_match_follows_and_ends_it() -> None:
    rules = index(
        rule("tell", "severity=critical", continue_=True),
        rule("other", "alertname=Memory"),
        rule("cpu", 'alertname=~"CPU|Load"'),
        rule("late", 'alertname=~"C.*"'),
    )
    assert names(rules.match(alert(alertname="CPU", severity="critical"))) == ["tell", "cpu"]
    assert names(rules.match(alert(alertname="Load", severity="info"))) == ["cpu"]


def test_the_order_of_the_book_holds_between_names_and_patterns() -> None:
    rules = index(
        rule("pattern", 'alertname=~"C.+"', "env=prod"),
        rule("name", "alertname=CPU"),
        rule("label", "env=prod"),
    )
    assert names(rules.match(alert(alertname="CPU", env="prod"))) == ["pattern"]
    assert names(rules.match(alert(alertname="CPU", env="dev"))) == ["name"]
    assert names(rules.match(alert(alertname="X", env="prod"))) == ["label"]


def test_every_matcher_of_a_rule_must_hold() -> None:
    rules = index(rule("cpu", "alertname=CPU", "severity!=info", 'team=~"a|b"'))
    assert names(rules.match(alert(alertname="CPU", team="a"))) == ["cpu"]
    assert rules.match(alert(alertname="CPU", team="a", severity="info")) == ()
    assert rules.match(alert(alertname="CPU")) == ()


def test_two_matchers_on_the_alertname_must_both_hold() -> None:
    rules = index(rule("both", 'alertname=~"A|B"', 'alertname=~"B|C"'))
    assert names(rules.match(alert(alertname="B"))) == ["both"]
    assert rules.match(alert(alertname="A")) == ()
    assert rules.match(alert(alertname="C")) == ()


def test_a_label_asked_to_be_empty_matches_an_alert_without_it() -> None:
    rules = index(rule("no team", "team=", "alertname=CPU"))
    assert names(rules.match(alert(alertname="CPU"))) == ["no team"]
    assert rules.match(alert(alertname="CPU", team="a")) == ()


def test_the_alerts_name_stands_in_for_a_missing_alertname_only() -> None:
    rules = index(rule("cpu", "alertname=CPU"))
    assert names(rules.match(alert(name="CPU"))) == ["cpu"]
    assert rules.match(alert(name="CPU", alertname="Other")) == ()


def test_an_alert_that_no_rule_matches_leads_to_none() -> None:
    assert index(rule("cpu", "alertname=CPU")).match(alert(alertname="Disk")) == ()
    assert index().match(alert(alertname="Disk")) == ()


def test_an_explanation_tells_what_each_matcher_saw_up_to_the_rule_that_ended_the_search() -> None:
    rules = index(
        rule("memory", "alertname=Memory", "severity=critical"),
        rule("tell", "severity=critical", continue_=True),
        rule("cpu", "alertname=CPU", "team="),
        rule("never asked", "alertname=CPU"),
    )
    traces = rules.explain(alert(name="CPU", severity="critical"))
    told = [
        (
            trace.rule.name,
            trace.matched,
            [(str(seen.matcher), seen.seen, seen.matched) for seen in trace.matchers],
        )
        for trace in traces
    ]
    assert told == [
        (
            "memory",
            False,
            [('alertname="Memory"', "CPU", False), ('severity="critical"', "critical", True)],
        ),
        ("tell", True, [('severity="critical"', "critical", True)]),
        ("cpu", True, [('alertname="CPU"', "CPU", True), ('team=""', "", True)]),
    ]


def book_of(size: int, *, one_name: bool) -> RuleIndex:
    return index(
        *(
            rule(
                f"r{at}",
                "alertname=Same" if one_name else f"alertname=Alert {at}",
                f"instance=i{at}",
                'severity=~"warn.*|critical"',
            )
            for at in range(size)
        )
    )


@pytest.mark.parametrize("one_name", [False, True], ids=["a name each", "one name for all"])
def test_a_hundred_times_the_rules_cost_less_than_twice_the_time(one_name: bool) -> None:
    fired = alert(alertname="Same" if one_name else "Alert 7", instance="i7", severity="critical")
    small, large = book_of(10, one_name=one_name), book_of(1000, one_name=one_name)
    assert names(small.match(fired)) == names(large.match(fired)) == ["r7"]
    ratio = statistics.median(cost(large, fired) / cost(small, fired) for _ in range(5))
    assert ratio < 2


def cost(rules: RuleIndex, fired: Alert) -> float:
    begun = time.thread_time()
    for _ in range(2000):
        rules.match(fired)
    return time.thread_time() - begun


@pytest.mark.parametrize(
    ("earlier", "later", "covered"),
    [
        ('a="1"', 'a="1"', True),
        ('a="1"', 'a="1",b="2"', True),
        ('a="1",b="2"', 'a="1"', False),
        ('a="1"', 'a="2"', False),
        ('a=~"1|2"', 'a="1"', True),
        ('a=~"1|2"', 'a=~"2|1"', True),
        ('a=~"1|2"', 'a=~"1|2|3"', False),
        ('a="1"', 'a=~"1"', True),
        ('a=~"1.*"', 'a="12"', True),
        ('a=~"1.*"', 'a=~"1.*"', True),
        ('a=~"1.*"', 'a=~"12.*"', False),
        ('a!="1"', 'a="2"', True),
        ('a!="1"', 'a="1"', False),
        ('a!="1"', 'a!~"1|2"', True),
        ('a!~"1|2"', 'a!="1"', False),
        ('a!~"1.*"', 'a="2"', True),
        ('a!=""', 'a="2"', True),
        ('a!=""', 'a=~"2.*"', False),
        ('a=~".*",b="2"', 'b="2"', True),
        ('a=~".+",b="2"', 'b="2"', False),
        ('a!="1",b="2"', 'b="2"', False),
        ('a="1",b="2"', 'b="2",c="3",a="1"', True),
    ],
)
def test_a_rule_covers_another_when_its_matchers_follow_from_the_others(
    earlier: str, later: str, covered: bool
) -> None:
    assert covers(parse_matchers(earlier), parse_matchers(later)) is covered
    found = list(find_shadowed([Reach(parse_matchers(earlier)), Reach(parse_matchers(later))]))
    assert found == ([(1, 0)] if covered else [])


def test_a_rule_that_continues_hides_no_other() -> None:
    same = parse_matchers("a=1")
    assert list(find_shadowed([Reach(same, continue_=True), Reach(same), Reach(same)])) == [(2, 1)]


def seconds_to_compare(rules: int) -> float:
    """Of three times the shortest: the interpreter may be clearing up in one of them."""
    reaches = [Reach(parse_matchers(f"alertname=Same,instance=i{at}")) for at in range(rules)]
    taken = []
    for _ in range(3):
        begun = time.thread_time()
        assert list(find_shadowed([*reaches, Reach(reaches[7].matchers)])) == [(rules, 7)]
        taken.append(time.thread_time() - begun)
    return min(taken)


def test_four_times_as_many_rules_of_one_name_take_about_four_times_as_long() -> None:
    """Comparing each with each would take sixteen times as long."""
    assert seconds_to_compare(2_000) < 10 * seconds_to_compare(500)


@pytest.mark.parametrize(
    ("matchers", "chosen"),
    [
        ('alertname="CPU"', True),
        ('alertname=~"CPU.*"', True),
        ('severity!="info",alertname="CPU"', True),
        ('alertname=~".*"', False),
        ('alertname=~".+"', False),
        (r'alertname=~"[\s\S]+"', False),
        ('alertname=~"CPU|"', False),
        ('foo=""', False),
        ('foo!="bar"', False),
        ('foo!~"bar.*"', False),
        ('foo!=""', False),
    ],
)
def test_matchers_that_take_nearly_everything_choose_nothing(matchers: str, chosen: bool) -> None:
    assert selects(parse_matchers(matchers)) is chosen
