"""Counts what one rule file makes of the alerts, as it happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from service.catalogue.actions import START_SCENARIO
from service.domain.backtests.tally import FLAP_S, Became, Tally
from service.domain.decisions.claims import COOLDOWN
from service.domain.decisions.decision import Verdict
from service.domain.decisions.directions import ADDING, REMOVING
from service.domain.decisions.guards import RESOLVED
from service.domain.decisions.policy import SHADOW
from service.domain.decisions.requests import Request
from service.ports.admission import NewDecision, Receipt
from service.ports.runs import AskedRun, Outcome

_Key = TypeVar("_Key")
_Asked = tuple[str, str, str]
"""An alert on record, and the action and target of a rule that it has earned."""


@dataclass(slots=True)
class Scores:
    """The numbers so far."""

    actions: dict[tuple[str, str], int] = field(default_factory=dict)
    shadow: dict[tuple[str, str], int] = field(default_factory=dict)
    holds: dict[str, int] = field(default_factory=dict)
    flaps: dict[str, int] = field(default_factory=dict)
    pages: dict[str, int] = field(default_factory=dict)
    dollars: dict[str, float] = field(default_factory=dict)
    messages: int = 0
    approvals: int = 0
    failed: int = 0
    _alerts: dict[str, dict[tuple[str, str, str], int]] = field(default_factory=dict)
    _stored: dict[str, str] = field(default_factory=dict)
    """Which alert on record an open alert here stands for."""
    _asked: dict[str, list[_Asked]] = field(default_factory=dict)
    """What the alerts have earned whose run has not ended, by run."""
    _requests: dict[str, Request] = field(default_factory=dict)
    _added_at: dict[str, float] = field(default_factory=dict)

    def admitted(self, receipt: Receipt, pasts: Sequence[str]) -> None:
        """A notification was decided on; `pasts` are the alerts on record that it tells of, in
        order, empty where alerts are judged again."""
        order: dict[str, str] = {}
        for verdicted in receipt.verdicts:
            alert, decision = verdicted.alert, verdicted.decision
            if alert not in order:
                stored = pasts[len(order)] if pasts else self._stored.get(alert, alert)
                order[alert] = self._stored[alert] = stored
            key = (order[alert], decision.action, decision.target or "")
            if decision.guard == RESOLVED:
                continue  # the end of an alert asks for nothing
            if decision.verdict is Verdict.HOLD:
                self._hold(decision.guard)
                self._note(key, f"held by {decision.guard}")
            elif decision.verdict is Verdict.ACT and decision.run in self._requests:
                self._asked.setdefault(decision.run, []).append(key)
            else:
                self._note(key, decision.verdict.value)

    def queued(self, request: Request) -> None:
        """A run begins."""
        self._requests[request.id] = request

    def ended(self, run: str, outcome: Outcome, decision: NewDecision | None, now: float) -> bool:
        """A run has ended; whether it has changed its target."""
        request = self._requests.pop(run, None)
        if request is None:
            return False
        changed = outcome.status == "succeeded" and request.on is not None
        if changed:
            _add(self.actions, (request.action, request.target.name))
            self._flap(request, now)
        elif outcome.status == SHADOW and request.on is not None:
            _add(self.shadow, (request.action, request.target.name))
        elif outcome.status == "failed":
            self.failed += 1
        elif outcome.status == "held" and decision is not None:
            self._hold(decision.decision.guard)
        for key in self._asked.pop(run, ()):
            self._note(key, _became(request, outcome, decision))
        return changed

    def approved(self, run: str, following: str) -> None:
        """A person has approved what a run asked for: another run does it."""
        self._requests.pop(run, None)
        self._asked[following] = self._asked.pop(run, [])

    def branched(self, asked: AskedRun, request: Request, child: Request) -> None:
        """A run has decided on a branch, and has asked for another run (`child`) or could not. From
        here on its alerts are about the action and target of the branch."""
        self._requests.pop(request.id, None)
        target = child.on.name if child.on is not None else ""
        keys = [(alert, child.action, target) for alert, *_ in self._asked.pop(request.id, [])]
        if asked.run is not None:
            self._asked[asked.run] = keys
            return
        self._hold(COOLDOWN)
        for key in keys:
            self._note(key, f"held by {COOLDOWN}")

    def refused(self, run: str) -> None:
        """A person has refused what a run asked for."""
        self._requests.pop(run, None)
        self._hold("approval")
        for key in self._asked.pop(run, ()):
            self._note(key, "refused")

    def tally(self, rules_hash: str, unpriced: Sequence[str]) -> Tally:
        """What has come of it in all."""
        for keys in self._asked.values():
            for key in keys:
                self._note(key, "not ended")
        self._asked = {}
        return Tally(
            rules_hash,
            dict(self.actions),
            dict(self.shadow),
            dict(self.pages),
            dict(self.holds),
            dict(self.flaps),
            dict(self.dollars),
            tuple(unpriced),
            self.messages,
            self.approvals,
            self.failed,
            {alert: _sorted(became) for alert, became in self._alerts.items()},
        )

    def _hold(self, guard: str) -> None:
        _add(self.holds, guard)

    def _note(self, key: _Asked, became: str) -> None:
        alert, action, target = key
        _add(self._alerts.setdefault(alert, {}), (action, target, became))

    def _flap(self, request: Request, now: float) -> None:
        """More, and less again within the hour."""
        name = request.target.name
        if request.direction in ADDING:
            self._added_at[name] = now
        elif request.direction in REMOVING:
            added_at = self._added_at.pop(name, None)
            if added_at is not None and now - added_at <= FLAP_S:
                _add(self.flaps, name)


def _became(request: Request, outcome: Outcome, decision: NewDecision | None) -> str:
    """What an alert's run came to, in words."""
    if outcome.status == "held":
        return f"held by {decision.decision.guard}" if decision is not None else "held"
    if request.action == START_SCENARIO.name and outcome.status in {"succeeded", SHADOW}:
        does = "start" if outcome.status == "succeeded" else "plan"
        return f"would {does} scenario {request.options['scenario']}"
    if outcome.status == SHADOW:
        return "would change it"
    if outcome.status != "succeeded":
        return outcome.status
    return "changed" if request.on is not None else "told"


def _sorted(became: Mapping[tuple[str, str, str], int]) -> tuple[Became, ...]:
    return tuple((*key, times) for key, times in sorted(became.items()))


def _add(counts: dict[_Key, int], key: _Key) -> None:
    counts[key] = counts.get(key, 0) + 1
