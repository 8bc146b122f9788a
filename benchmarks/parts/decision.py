"""The decision for one alert, without any I/O: how long it takes as rules grow in number."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator
from datetime import timedelta
from types import MappingProxyType
from typing import cast

from benchmarks.report import Line, below
from benchmarks.rounds import percentile
from benchmarks.workbench import Options
from service.catalogue.app_platform.target import AppTarget
from service.domain.alerts.alert import Alert, AlertStatus, Notification, PayloadFormat
from service.domain.alerts.episodes import Transition
from service.domain.decisions.claims import Cooldown
from service.domain.rules.matchers import parse_matcher
from service.domain.rules.matching import RuleIndex
from service.domain.rules.rules import Rule, RuleBook
from service.ports.admission import Changes, Delivery, EpisodeRecord, GateReply, Transaction
from service.triggers.alerts.candidates import RulesInForce, match_delivery
from service.triggers.alerts.notices import hold_claim
from service.triggers.alerts.runs import RunMaker
from service.triggers.alerts.verdicts import Verdicts

FEW, MANY = 10, 1_000
DECISIONS = 4_000
NOW = 1_800_000_000.0


def decision(options: Options) -> Iterator[Line]:
    """Match and guards for one alert with few and with many rules, in turn."""
    few, many = Decider(FEW), Decider(MANY)
    costs: dict[int, list[float]] = {FEW: [], MANY: []}
    p99s: list[float] = []
    for _ in range(options.rounds):
        for count, decider in ((FEW, few), (MANY, many)):
            times = decider.timed()
            costs[count].append(statistics.median(times))
            if count == MANY:
                p99s.append(percentile(times, 0.99))
    p99, cost = statistics.median(p99s), {n: statistics.median(c) for n, c in costs.items()}
    yield below(f"decision for one alert, {MANY:,} rules: p99", p99, 100, " µs", f"{p99:.0f} µs")
    growth = cost[MANY] / cost[FEW]
    yield below(
        f"the same, {FEW} → {MANY:,} rules: growth of the median",
        growth,
        2,
        " ×",
        f"{growth:.2f} × ({cost[FEW]:.1f} → {cost[MANY]:.1f} µs)",
    )


class Decider:
    """Decides on alerts that rules with `count` names match, each resting: nothing is claimed."""

    def __init__(self, count: int) -> None:
        self._count = count
        book = _book(count)
        self._rules = RulesInForce(book, RuleIndex(book))
        runs = RunMaker(book, Changes(book.hash), NOW, 120.0)
        # A transaction is asked only for what does not rest, and everything here does.
        nothing = cast("Transaction", None)
        self._verdicts = Verdicts(nothing, runs, GateReply({}, available=True), NOW)
        self._verdicts.begin(
            {
                f"t{n}.out": Cooldown(f"t{n}.out", 1, NOW + 600, f"t{n}.out.1", "scaled")
                for n in range(count)
            },
            {
                hold_claim(f"t{n}.out"): Cooldown(hold_claim(f"t{n}.out"), 1, NOW + 600, "told")
                for n in range(count)
            },
        )

    def timed(self) -> list[float]:
        """Microseconds of each of many decisions, over alerts for all of the rules."""
        deliveries = [_delivery(n * 7 % self._count) for n in range(DECISIONS)]
        record = EpisodeRecord("a-1", open=True, last_seen=NOW, resolved_at=None, verdicts={})
        times = []
        gc.collect()
        for delivery in deliveries:
            began = time.perf_counter_ns()
            for matched in match_delivery(delivery, self._rules):
                for candidate in matched.candidates:
                    judged = self._verdicts.judge(
                        candidate, matched, record, delivery, Transition.OPENED
                    )
                    self._verdicts.conclude(judged)
            times.append((time.perf_counter_ns() - began) / 1000)
        return times


def _book(count: int) -> RuleBook:
    targets = {f"t{n}": AppTarget(f"t{n}", f"app-{n}", "api", 2, 10) for n in range(count)}
    rules = tuple(
        Rule(
            name=f"rule-{n}",
            matchers=(
                parse_matcher(f'alertname="Alert {n}"'),
                parse_matcher('severity=~"warning|critical"'),
            ),
            action="horizontal_scale",
            target=f"t{n}",
            cooldown=timedelta(minutes=10),
        )
        for n in range(count)
    )
    return RuleBook(rules, MappingProxyType(targets), "bench")


def _delivery(number: int) -> Delivery:
    name = f"Alert {number}"
    alert = Alert(
        source="alertmanager",
        fingerprint=f"{number:016x}",
        status=AlertStatus.FIRING,
        name=name,
        labels={"alertname": name, "severity": "critical", "instance": f"api-{number}"},
    )
    notification = Notification(
        source="alertmanager",
        format=PayloadFormat.ALERTMANAGER,
        receiver="runbookd",
        group_key=name,
        group_labels={"alertname": name},
        external_url="http://alertmanager.example.com",
        truncated=0,
        alerts=(alert,),
    )
    return Delivery(notification, NOW)
