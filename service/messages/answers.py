"""What a person asks first of an alert or a run, answered from what is stored of it. Pure.

The questions are always the same ten, in the same order, so that nobody has to look for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.domain.commands import NO_MORE, NO_UNDO, RETRY, STOP, UNDO, to_type
from service.domain.decisions.claims import BUSY_UNTIL
from service.domain.decisions.expected import NO_EFFECT
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import NOTICES, QUARANTINED
from service.domain.durations import clock_time, lasted, moment
from service.domain.rules.rules import RESERVED_NAMES, WATCHDOG_RULE
from service.domain.scenarios.going import ACTIVE, BEGINNING
from service.messages.announcements import price_change
from service.messages.going_on import CLOSES, SILENCE

_IS_TOLD = "No rule of the file matches the alert, so it is looked into and told."
_IS_HEARD = "The rules name it as a watchdog: all that counts is that it is heard."

QUESTIONS = (
    "what happened",
    "what was done",
    "why",
    "why not",
    "now",
    "next",
    "to stop it",
    "to undo it",
    "cost",
    "decided by",
)
"""What a person asks first, in a few words each."""

_PERSON, _PLAN, _RETURN, _LEVEL = ".person", ".plan", ".return", ".level"
"""The ends of the claims of a person's run and plan, of one that takes back what alerts added, and
of one that a level asks for."""
_UNENDED = ("queued", "running")
_UNTOUCHED = "Nothing was changed."
_NOTHING = "nothing: nothing was changed"
_NOT_SEEN = "No rule sees an alert that cannot be read."
PAGE, WATCHES = "page_oncall", "watch"
"""The action whose runs tell the pager."""

Json = Mapping[str, Any]


def answers(found: Json, rests: Mapping[str, float], now: float) -> list[dict[str, str]]:
    """The ten questions, each with its answer.

    `found` is what is known of an alert, a run or an alert that could not be read
    (`service.store.explain`). `rests` tells until when each claim of its runs rests, in seconds
    since the epoch, as `now` is.
    """
    if found.get("quarantined") is not None:
        answered = _unread(found["quarantined"])
    else:
        run = _run_of(found)
        told = _Told(found, run, _decision_of(found, run), rests, now)
        started = None if run is None else found.get("started", {}).get(run["id"])
        answered = told.answers() if started is None else told.answers_of_start(started)
    return [
        {"question": question, "answer": answer}
        for question, answer in zip(QUESTIONS, answered, strict=True)
    ]


def _run_of(found: Json) -> Json | None:
    """The run that was named, or that the newest decision began or held in the worker."""
    if found["run"] is not None:
        named: Json = found["run"]
        return named
    newest = _decision_of(found, None)
    if newest is None or (newest["verdict"] != "act" and newest["stage"] != "execution"):
        return None
    return next((run for run in found["runs"] if run["id"] == newest["run"]), None)


def _decision_of(found: Json, run: Json | None) -> Json | None:
    """The newest decision, of that run where there is one."""
    decisions: list[Json] = [
        each for each in found["decisions"] if run is None or each["run"] == run["id"]
    ]
    return max(decisions, key=lambda each: (each["last_at"], each["id"]), default=None)


def _unread(item: Json) -> tuple[str, ...]:
    return (
        f"Alert {item['index'] + 1} of notification {item['notification']} could not be read.",
        "It was kept as it came. Nothing was changed, and nobody was paged.",
        str(item["reason"]),
        _NOT_SEEN,
        "Nothing is under way because of it.",
        "Nothing follows from it. Correct what sends it: what comes next is read anew.",
        "nothing: nothing is under way",
        _NOTHING,
        _NOTHING,
        "no rule: it was put aside before any was asked",
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """An alert, its run and the decision on it, each None where there is none."""

    found: Json
    run: Json | None
    decision: Json | None
    rests: Mapping[str, float]
    now: float

    def answers(self) -> tuple[str, ...]:
        """An answer for each of the QUESTIONS."""
        return (
            self._happened(),
            self._done(),
            self._why(),
            self._why_not(),
            self._state(),
            self._next(),
            self._stop(),
            self._undo(),
            self._cost(),
            self._decider(),
        )

    def answers_of_start(self, scenario: Json) -> tuple[str, ...]:
        """The same of a run that has started a scenario, which goes on by itself."""
        name, state, over = scenario["id"], scenario["state"], scenario["ended"]
        reason = f": {scenario['reason']}" if scenario["reason"] else ""
        until = _seconds(scenario["due_at"])
        lasts = f"It is in force until {clock_time(until)}. " if until and not over else ""
        follows = "It goes on by itself, and its message in Slack is edited."
        return (
            self._happened(),
            _sentence(f"Scenario {name} was started. It is {state}{reason}"),
            self._why(),
            f"Nothing held the start. What holds its steps: `runbookd scenarios {name}`.",
            " ".join(filter(None, [self._alert_now(), f"Scenario {name} is {state}."])),
            f"{lasts}{'Nothing more of it follows.' if over else follows}",
            _stop_of(name, state),
            f"runbookd undo {name}",
            f"`runbookd scenarios {name}` shows what its steps add to the bill",
            self._decider(),
        )

    @property
    def _plan(self) -> Plan | None:
        stored = self.run["plan"] if self.run is not None else None
        return Plan.from_json(stored) if stored else None

    @property
    def _status(self) -> str:
        return str(self.run["status"]) if self.run is not None else ""

    @property
    def _target(self) -> str:
        source = self.run if self.run is not None else self.decision
        return str((source or {}).get("target") or "")

    @property
    def _rule(self) -> str:
        source = self.run if self.run is not None else self.decision
        return str((source or {}).get("rule") or "")

    @property
    def _paged(self) -> bool:
        return self.run is not None and self.run["action"] == PAGE

    @property
    def _told_only(self) -> bool:
        return self.run is not None and not self._target and not self._paged

    @property
    def _by_person(self) -> bool:
        """Whether a person asked for the run itself, and no alert did."""
        return self.run is not None and str(self.run["claim"]).endswith((_PERSON, _PLAN))

    @property
    def _notice(self) -> bool:
        """Whether it tells of alerts that led to nothing."""
        return self._rule in NOTICES

    @property
    def _return(self) -> bool:
        """Whether it takes back what alerts had added."""
        return self.run is not None and str(self.run["claim"]).endswith(_RETURN)

    @property
    def _level(self) -> bool:
        """Whether a level has asked for it."""
        return self.run is not None and str(self.run["claim"]).endswith(_LEVEL)

    @property
    def _changed(self) -> bool:
        """Whether something was changed, or may have been."""
        if not self._target or self.run is None:
            return False
        return self._status == "succeeded" or bool(self.run["wrote"])

    def _happened(self) -> str:
        alert = self.found["alert"]
        if alert is None:
            return _sentence(self.run["why"] if self.run is not None else "")
        annotations = alert["annotations"]
        said = annotations.get("summary") or annotations.get("description") or ""
        since = clock_time(_seconds(alert["first_seen"]) or self.now)
        name = alert["name"] or "An alert without a name"
        return _sentence(f"{name}{': ' if said else ''}{said}") + f" It came first at {since}."

    def _done(self) -> str:
        run, plan = self.run, self._plan
        if run is None:
            return _UNTOUCHED
        if self._status in _UNENDED:
            change = f": {plan.change}" if plan else ""
            return f"Run {run['id']} of {run['action']} is {run['status']}{change}."
        return self._changed_by(run, plan) if self._target else self._told_by(run)

    def _told_by(self, run: Json) -> str:
        reason = str(run["reason"])
        how = reason[:1].upper() + reason[1:]
        if self._told_only and self._status == "succeeded":
            how = "Slack was told" if self._notice else f"Told in Slack: {reason}"
        return f"{_sentence(how)} {_UNTOUCHED}"

    def _changed_by(self, run: Json, plan: Plan | None) -> str:
        if self._status == "succeeded":
            return _sentence(run["reason"]) + " It was verified."
        if self._status == "failed" and plan is not None:
            change = plan.change
            return f"Run {run['id']} tried {self._target}: {change}, and failed."
        return f"{_UNTOUCHED} Run {run['id']} is {run['status']}."

    def _why(self) -> str:
        decision, run = self.decision, self.run
        if run is not None and self._by_person:
            return _sentence(f"{run['rule']} asked for it: {run['why']}")
        if self._return and run is not None:
            return f"What rule {self._rule} had added is taken back in calm: {run['why']}."
        if self._level and run is not None:
            return f"Level {self._rule} asked for it: {run['why']}."
        if self._notice and run is not None:
            return _sentence(run["why"])
        if self._rule in RESERVED_NAMES:
            heard = self._rule == WATCHDOG_RULE.name
            return _IS_HEARD if heard else _IS_TOLD
        action = (decision or run or {}).get("action", "")
        on = f" of {self._target}" if self._target else ""
        return f"Rule {self._rule} matches the alert, and asks for {action}{on}."

    def _why_not(self) -> str:
        decision, run = self.decision, self.run
        if run is not None and self._status not in ("succeeded", *_UNENDED):
            return _sentence(run["reason"])
        if run is None:
            return _sentence(decision["reason"]) if decision is not None else "It is not known."
        if self._rule == QUARANTINED:
            return _NOT_SEEN
        if not self._target:
            what = "tells" if self._told_only else "pages"
            return f"Nothing was to be changed: it only {what}."
        asked = len(run["checks"]) or len((decision or {}).get("checks", ()))
        return f"Nothing held it: {asked} checks passed."

    def _state(self) -> str:
        return " ".join(filter(None, [self._alert_now(), self._target_now(), self._outcome()]))

    def _alert_now(self) -> str:
        alert = self.found["alert"]
        if alert is None:
            return ""
        return f"The alert {'still fires' if alert['status'] == 'firing' else 'has resolved'}."

    def _target_now(self) -> str:
        run, plan = self.run, self._plan
        if not self._target and (run is None or self._status not in _UNENDED):
            return "Nothing is under way."
        if self._status == "succeeded" and plan is not None:
            return f"The run left {self._target} at {plan.left_at}."
        if self._status in _UNENDED and run is not None:
            return f"Run {run['id']} is {self._status}."
        if self._status == "failed":
            return f"`runbookd status {self._target}` shows how {self._target} is."
        return f"{self._target} was left as it was."

    def _outcome(self) -> str:
        """What became of a verified change, where its rule expects something of it."""
        outcome = self.run.get("outcome") if self.run is not None else None
        return "" if outcome is None else outcome_words(outcome, self.now)

    def _next(self) -> str:
        if self._status in _UNENDED:
            return "The run goes on by itself, and tells in Slack how it ended."
        if self._paged:
            return CLOSES
        if self._by_person and not self._target:
            return "Nothing follows by itself."
        until = self._until()
        if self._level and (until is None or until < BUSY_UNTIL):
            return "`runbookd levels` shows what holds next, and what it waits for."
        if until is None or until <= self.now:
            return "It is decided anew when the alert is sent again."
        return self._rested(until)

    def _rested(self, until: float) -> str:
        """What comes when the claim rests no more."""
        when = moment(until, self.now)
        if until >= BUSY_UNTIL:
            return f"A newer run of {self._target or 'it'} is under way."
        if not self._target:
            cause = "more such alerts come" if self._notice else "it still fires"
            return f"It is told again {when}, at the earliest, if {cause}."
        what = "next step may follow" if self._status == "succeeded" else "next try may be"
        if self._return:
            return f"The {what} {when}, if it is calm and there is more that alerts added."
        return f"The {what} {when}, if an alert still asks for it."

    def _until(self) -> float | None:
        """When it may go on. A run that was held knows it better than its claim, which the run
        that tries again has taken."""
        decided = _seconds(self.decision["until"]) if self.decision is not None else None
        rests = self.rests.get(self.run["claim"]) if self.run is not None else decided
        held = self._status == "held" and decided is not None and decided > self.now
        return decided if held else rests

    def _stop(self) -> str:
        if self._rule == QUARANTINED:
            return "correct what sends them; nothing is under way"
        if self._target:
            return self._typed(STOP, NO_MORE)
        if self.run is not None and self._status in _UNENDED and self.run["action"] == WATCHES:
            return f"runbookd cancel {self.run['id']} --why WHY (stop it)"
        return "nothing: it tells nothing more" if self._by_person else SILENCE

    def _undo(self) -> str:
        if self._status in _UNENDED and not self._told_only:
            return "wait until the run has ended; then undo it"
        typed = self._typed(UNDO, RETRY)
        action = "" if self.run is None else self.run["action"]
        if self._changed and action in NO_UNDO:
            return "; ".join(filter(None, [f"it cannot be undone: {NO_UNDO[action]}", typed]))
        return typed if self._changed else "; ".join(filter(None, [_NOTHING, typed]))

    def _typed(self, *wanted: str) -> str:
        """The commands that fit, each with what it does."""
        run = str(self.run["id"]) if self.run is not None else ""
        action = str(self.run["action"]) if self.run is not None else ""
        typed = to_type(run, self._status, self._target, action=action, wrote=self._changed)
        return "; ".join(
            command if words == UNDO else f"{command} ({words.lower()})"
            for words, command in typed
            if words in wanted
        )

    def _cost(self) -> str:
        plan = self._plan
        return price_change(plan) if self._changed and plan is not None else _NOTHING

    def _decider(self) -> str:
        if self.run is not None and self._by_person:
            return str(self.run["rule"])
        if self._notice:
            return "runbookd itself, and no rule"
        if self._return:
            return f"rule {self._rule}, by its `return`"
        if self._level:
            return f"level {self._rule}"
        rules = (self.decision or {}).get("rules_hash", "")
        by = f"rule {self._rule}" + (f" of rules {rules}" if rules else "")
        alert = self.found["alert"]
        if alert is None:
            return by
        return f"{by}, on an alert of {alert['credential'] or alert['source']}"


def _stop_of(scenario: str, state: str) -> str:
    """How a scenario is stopped in this state."""
    if state in BEGINNING:
        return f"runbookd cancel {scenario} --why WHY (stop it)"
    if state == ACTIVE:
        return f"runbookd undo {scenario} (take it back now)"
    return "nothing: none of its steps begins any more"


def outcome_words(outcome: Json, now: float) -> str:
    """What became of a verified change, as a sentence or two at `now` (seconds since the epoch)."""
    ended_at, due_at = _seconds(outcome["ended_at"]) or now, _seconds(outcome["due_at"]) or now
    if outcome["result"] == NO_EFFECT:
        return f"What asked for it did not clear within {lasted(due_at - ended_at)} of the change."
    cleared_at = _seconds(outcome["cleared_at"])
    if cleared_at is None:
        return f"Whether what asked for it clears is judged by {moment(due_at, now)}."
    if cleared_at <= ended_at:
        told = "What asked for it had cleared before the change was verified."
    else:
        told = f"What asked for it cleared {lasted(cleared_at - ended_at)} after the change."
    recurred_at = _seconds(outcome["recurred_at"])
    if recurred_at is None:
        return told
    return f"{told} It fired again {lasted(recurred_at - cleared_at)} later."


def _sentence(text: str) -> str:
    """The text with a full stop at its end."""
    text = text.strip()
    return text if text.endswith((".", "!", "?")) or not text else f"{text}."


def _seconds(text: str | None) -> float | None:
    """A stored moment (ISO 8601) as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() if text else None
