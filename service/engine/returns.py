"""Asks for what alerts added to be taken back, once it is calm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import structlog

from service.domain.capacity.ledger import Entry
from service.domain.decisions.claims import shadow_claim
from service.domain.decisions.guards import PROSPECT_GUARDS, held_by, judge
from service.domain.decisions.policy import OFF, SHADOW
from service.domain.decisions.requests import RETURN, Origin, Request, Wanted
from service.domain.decisions.returns import Return, Step, next_step
from service.domain.durations import clock_time
from service.domain.rules.rules import Rule, RuleBook, Target
from service.engine.parts import WorkerParts
from service.engine.prospects import prospect_of
from service.ports.admission import NewRun

_log = structlog.get_logger(__name__)

ASK_EVERY_S = 10.0
"""How often a worker looks whether something can be taken back, in seconds."""


class ReturnRound:
    """Looks at everything that alerts added; by any worker. Each return takes its claim, so of
    several workers one asks for it."""

    def __init__(self, parts: WorkerParts) -> None:
        self._parts = parts
        self._next_at = 0.0
        self.lets_go: list[float | None] = []
        """When the guards let go that held something in the last round, in seconds since the epoch;
        None of one that does not say."""

    def __call__(self, _sign: bool) -> None:
        """One round."""
        book, at = self._parts.book(), self._parts.clock.monotonic()
        if book is None or at < self._next_at:
            return
        self._next_at = at + ASK_EVERY_S
        self.lets_go = []
        rules = {each.name: each for each in book.rules if _returns(each)}
        if not rules:
            return
        for entry in self._parts.ledger.entries():
            if entry.additions and entry.target in book.targets:
                self._consider(entry, rules, book)

    def _consider(self, entry: Entry, rules: Mapping[str, Rule], book: RuleBook) -> None:
        of_target = {name: each for name, each in rules.items() if each.target == entry.target}
        step = next_step(entry, {name: _of(each) for name, each in of_target.items()})
        if step is None:
            return
        request = return_request(entry, step, rules[step.addition.rule], book)
        now = self._parts.clock.time()
        checks = judge(PROSPECT_GUARDS, prospect_of(request, self._parts, now))
        held = held_by(checks)
        self._parts.ledger.waits(entry.target, entry.attribute, "" if held is None else held.saw)
        if held is not None:
            self.lets_go.append(held.until)
            return
        run = self._parts.runs.take(
            request.claim,
            lambda made: NewRun(replace(request, id=made), request.target.resource, now),
            now,
        )
        if run is not None:
            _log.info("return_asked", run=run, target=entry.target, step=f"to {step.to}")


def return_request(entry: Entry, step: Step, rule: Rule, book: RuleBook) -> Request:
    """The request that takes one step back; its id comes with its claim."""
    target, returns = book.targets[entry.target], _of(rule)
    shadow = rule.policy.mode == SHADOW
    claim = f"{entry.target}.{RETURN}"
    return Request(
        id="",
        action=rule.action,
        origin=Origin(RETURN, rule.name, _why(entry, step)),
        claim=shadow_claim(claim) if shadow else claim,
        rules_hash=book.hash,
        direction=_way_back(entry),
        on=target,
        wanted=(Wanted(entry.attribute, by=_back(entry, step, target)),),
        options=rule.options,
        cooldown_s=entry.wait_s(returns.after_s),
        settle_s=rule.settle.total_seconds(),
        policy=rule.policy,
        expects=(Wanted(entry.attribute, to=entry.value),),
    )


def _why(entry: Entry, step: Step) -> str:
    added = step.addition
    return (
        f"alerts of rule {added.rule} made {entry.attribute} {added.before} → {added.after} at "
        f"{clock_time(added.at)} (run {added.run}), and it is calm"
    )


def _back(entry: Entry, step: Step, target: Target) -> int:
    """How many instances, or steps of the ladder, it is back: below zero."""
    if isinstance(entry.value, int) and isinstance(step.to, int):
        return step.to - entry.value
    if entry.value in target.sizes and step.to in target.sizes:
        return target.sizes.index(str(step.to)) - target.sizes.index(str(entry.value))
    return -1


def _way_back(entry: Entry) -> str:
    """The direction by what was added, for a rule's action may add more than one attribute."""
    return "in" if isinstance(entry.value, int) else "down"


def _returns(rule: Rule) -> bool:
    return rule.policy.returns is not None and rule.policy.mode != OFF


def _of(rule: Rule) -> Return:
    """The rule's return, of a rule that has one.

    Raises:
        TypeError: it has none.
    """
    if rule.policy.returns is None:
        raise TypeError(f"rule {rule.name} takes nothing back")
    return rule.policy.returns
