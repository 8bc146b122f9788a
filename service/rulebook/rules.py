"""Rules from YAML: what an action needs of a rule, and what it has no use for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from service.catalogue.actions import branches_of
from service.catalogue.registry import ACTIONS, action_spec, names_with
from service.catalogue.shapes import Shape
from service.catalogue.spec import ActionSpec, Effect
from service.domain.alerts.flapping import Flapping
from service.domain.decisions.approval import Approval, default_terms
from service.domain.decisions.expected import Expected, Slo
from service.domain.decisions.policy import ACT, APPROVE, OFF, Policy
from service.domain.decisions.returns import Return
from service.domain.durations import parse_duration
from service.domain.people import NAME_FORM, is_name
from service.domain.rules.matchers import MatcherError, parse_matchers
from service.domain.rules.rules import DEFAULT_RULE, RESERVED_NAMES, Matcher, Origin, Rule
from service.domain.rules.selectivity import selects
from service.rulebook.bounds import (
    MAX_COOLDOWN_DAYS,
    MAX_EXPECT_DAYS,
    MAX_FLAPPING_DAYS,
    MAX_FOR_DAYS,
    MAX_RETURN_DAYS,
    MAX_SETTLE_DAYS,
)
from service.rulebook.document import Place
from service.rulebook.errors import MISSPELT, suggestion
from service.rulebook.schema import (
    ApprovalShape,
    FlappingShape,
    Read,
    ReturnShape,
    RuleShape,
    SloShape,
    read_shape,
)
from service.rulebook.substitution import Complain, substituted_matcher
from service.rulebook.windows import read_window, read_zone

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
USUAL_LABELS = ("alertname", "severity")
"""Labels that most rules match on; one that is nearly the same is a slip."""


_NEEDS_EXPECT = (
    "{key} needs expect: within which time the alerts should clear, such as expect: 10m."
)


@dataclass(frozen=True, slots=True)
class Draft:
    """A rule as far as it could be read: enough to check it against the others.

    `matchers` is None when one of them could not be read; `rule` lacks nothing only if no
    error was noted. `wrong_options` is whether some of its options were left out.
    """

    place: Place
    rule: Rule
    action: ActionSpec | None
    matchers: tuple[Matcher, ...] | None
    wrong_options: bool = False


def read_rule(
    raw: Mapping[str, Any], place: Place, origin: Origin, env: Mapping[str, str], complain: Complain
) -> Draft:
    """Read one rule, noting everything that is wrong with it by itself."""
    return _Reader(read_shape(RuleShape, raw, place, complain), place, env, complain).draft(origin)


@dataclass(frozen=True, slots=True)
class _Reader:
    read: Read[RuleShape]
    place: Place
    env: Mapping[str, str]
    complain: Complain

    @property
    def shape(self) -> RuleShape:
        return self.read.shape

    def draft(self, origin: Origin) -> Draft:
        action = self.action()
        matchers = self.matchers()
        cooldown, settle = self.cooldown(action), self.settle(action)
        if timedelta() < cooldown < settle:
            self.doubt(
                "settle",
                f"settle {self.shape.settle} is longer than cooldown {self.shape.cooldown}: when "
                "the cooldown is over, the next step is held until the target has settled.",
            )
        options = self.options(action)
        self.no_return_of(action, options)
        rule = Rule(
            name=self.name(),
            matchers=matchers or (),
            action=action.name if action else DEFAULT_RULE.action,
            target=self.target(action),
            cooldown=cooldown,
            settle=settle,
            after=self.after(action),
            flapping=self.flapping(action),
            options={} if options is None else options.shape.model_dump(),
            severity=self.severity(action),
            policy=Policy(
                mode=self.mode(action),
                approval=self.approval(action),
                expected=self.expected(action),
                returns=self.returns(action),
            ),
            continue_=self.shape.continue_,
            origin=origin,
        )
        wrong_options = options is not None and bool(options.wrong)
        return Draft(self.place, rule, action, matchers, wrong_options)

    def note(self, key: str, sentence: str) -> None:
        self.complain((*self.place, key), sentence)

    def doubt(self, key: str, sentence: str) -> None:
        self.complain.warn((*self.place, key), sentence)

    def lacks(self, key: str, given: object) -> bool:
        """Whether the key is missing, rather than present and already noted as wrong."""
        return given is None and key not in self.read.wrong

    def name(self) -> str:
        if self.lacks("name", self.shape.name):
            self.note("name", "name is missing: decisions and messages call the rule by it.")
        if self.shape.name in RESERVED_NAMES:
            self.note("name", f"the name {self.shape.name} is taken by a rule of runbookd's own.")
        return self.shape.name or ""

    def action(self) -> ActionSpec | None:
        given = self.shape.action
        known = [each.name for each in ACTIONS]
        if given is None:
            if self.lacks("action", given):
                self.note("action", f"action is missing: one of {', '.join(known)}.")
            return None
        if given not in known:
            self.note("action", f"unknown action {given!r}; {suggestion(given, known)}")
            return None
        return action_spec(given)

    def matchers(self) -> tuple[Matcher, ...] | None:
        given = self.shape.match
        if not given:
            if "match" not in self.read.wrong:
                state = "is missing" if given is None else "is empty"
                self.note("match", f"match {state}: such a rule would match every alert.")
            return None
        parsed = [self.parsed(text, index) for index, text in enumerate(given)]
        matchers = tuple(matcher for some in parsed if some for matcher in some)
        if None in parsed:
            return None
        for matcher in matchers:
            if likely := _misspelt(matcher.label):
                self.doubt("match", f"label {matcher.label}: did you mean {likely}?")
        if not selects(matchers):
            self.note(
                "match",
                "match takes nearly every alert: no matcher says what the alert is. Add one such "
                'as alertname="High CPU Usage"; what no rule matches is investigated anyway.',
            )
        return matchers

    def parsed(self, text: str, index: int) -> tuple[Matcher, ...] | None:
        place = (*self.place, "match", index)
        try:
            return tuple(
                substituted_matcher(matcher, place, self.env, self.complain)
                for matcher in parse_matchers(text)
            )
        except MatcherError as error:
            self.complain(place, f"a matcher cannot be read: {error}")
            return None

    def target(self, action: ActionSpec | None) -> str | None:
        if action is None:
            return self.shape.target
        changes = action.effect is Effect.CHANGES
        if changes and self.lacks("target", self.shape.target):
            self.note("target", f"target is missing: {action.name} must know what to change.")
        if not changes and self.shape.target is not None:
            sentence = f"target is of no use to {action.name}, which changes none. Remove it."
            self.note("target", sentence)
        return self.shape.target

    def cooldown(self, action: ActionSpec | None) -> timedelta:
        given = self.shape.cooldown
        if action and action.effect is Effect.CALLS:
            if given is not None:
                self.note(
                    "cooldown",
                    f"{action.name} takes no cooldown: repeats of one group are one incident "
                    "anyway, and a page must not be held back. Remove it.",
                )
            return timedelta()
        if action and action.effect is Effect.NOTHING:
            if given is not None:
                self.note(
                    "cooldown", f"{action.name} takes no cooldown: no run follows. Remove it."
                )
            return timedelta()
        if given is None:
            if action and self.lacks("cooldown", given):
                self.note("cooldown", f"cooldown is missing: {action.name} needs one, such as 10m.")
            return timedelta()
        cooldown = self.duration("cooldown", given, MAX_COOLDOWN_DAYS)
        if cooldown == timedelta():
            self.note("cooldown", "cooldown must be longer than 0, such as 10m.")
        return cooldown or timedelta()

    def settle(self, action: ActionSpec | None) -> timedelta:
        given = self.shape.settle
        changes = action is None or action.effect is Effect.CHANGES or action.asks
        if given is not None and action and not changes:
            self.note("settle", f"settle is of no use to {action.name}, which changes no target.")
        if given is None:
            return timedelta()
        return self.duration("settle", given, MAX_SETTLE_DAYS) or timedelta()

    def after(self, action: ActionSpec | None) -> timedelta:
        given = self.shape.for_
        if given is None:
            return timedelta()
        if action and action.effect not in (Effect.CHANGES, Effect.TELLS):
            self.note("for", f"for is of no use to {action.name}, which waits for nothing.")
        return self.duration("for", given, MAX_FOR_DAYS) or timedelta()

    def flapping(self, action: ActionSpec | None) -> Flapping | None:
        given = self.shape.flapping
        if given is None:
            return None
        self.only_of_changes("flapping", action)
        read = read_shape(FlappingShape, given, (*self.place, "flapping"), self.complain)
        transitions, within = read.shape.transitions, read.shape.within
        if read.wrong:
            return None
        if transitions is None or within is None:
            self.note(
                "flapping",
                "flapping needs transitions and within, such as {transitions: 4, within: 10m}.",
            )
            return None
        lasts = self.duration("flapping", within, MAX_FLAPPING_DAYS, "within")
        if lasts == timedelta():
            self.note("flapping", "within must be longer than 0, such as 10m.")
        return Flapping(transitions, lasts.total_seconds()) if lasts else None

    def expected(self, action: ActionSpec | None) -> Expected | None:
        given = self.shape.expect
        for key in ("give_up", "slo"):
            if getattr(self.shape, key) is not None and self.lacks("expect", given):
                self.note(key, _NEEDS_EXPECT.format(key=key))
        slo = self.slo()
        if given is None:
            return None
        self.only_of_changes("expect", action)
        within = self.duration("expect", given, MAX_EXPECT_DAYS)
        if within == timedelta():
            self.note("expect", "expect must be longer than 0, such as 10m.")
        return Expected(within.total_seconds(), self.shape.give_up or 0, slo) if within else None

    def slo(self) -> Slo | None:
        given = self.shape.slo
        if given is None:
            return None
        read = read_shape(SloShape, given, (*self.place, "slo"), self.complain)
        if read.wrong:
            return None
        if read.shape.cleared is None or read.shape.of is None:
            self.note("slo", "slo needs cleared and of, such as {cleared: 0.8, of: 10}.")
            return None
        return Slo(read.shape.cleared, read.shape.of)

    def only_of_changes(self, key: str, action: ActionSpec | None) -> None:
        """Note a key that only a rule that changes a target has use for."""
        if action and action.effect is not Effect.CHANGES:
            self.note(key, f"{key} is of no use to {action.name}, which changes nothing.")

    def duration(self, key: str, text: str, most_days: int, name: str = "") -> timedelta | None:
        """The duration that stands at `key`; `name` is what it is called, where that differs."""
        try:
            return parse_duration(text, most_days)
        except ValueError as error:
            self.note(key, f"{name or key} {error}.")
            return None

    def severity(self, action: ActionSpec | None) -> str | None:
        if self.shape.severity and action and action.effect is not Effect.CALLS:
            callers = " or ".join(names_with(Effect.CALLS))
            self.note("severity", f"severity is of no use to {action.name}, only to {callers}.")
        return self.shape.severity

    def mode(self, action: ActionSpec | None) -> str:
        given = self.shape.mode or ACT
        if action is None or given in (ACT, OFF) or action.governed:
            return given
        if given == APPROVE:
            self.note("mode", f"mode approve is of no use to {action.name}, which changes nothing.")
        elif action.effect is not Effect.CALLS:
            self.note("mode", f"mode shadow is of no use to {action.name}, which only tells.")
        return given

    def approval(self, action: ActionSpec | None) -> Approval:
        given = self.shape.approval
        known = default_terms(by_approval=action is not None and action.by_approval)
        if given is None:
            return known
        if action is None or not action.governed:
            self.only_of_changes("approval", action)
        shape = read_shape(ApprovalShape, given, (*self.place, "approval"), self.complain).shape
        wait = None
        if shape.wait is not None:
            wait = self.duration("approval", shape.wait, MAX_SETTLE_DAYS, "wait")
            if wait is not None and not wait:
                self.note("approval", "wait must be longer than 0, such as 15m.")
        if action and action.by_approval and shape.otherwise == ACT:
            self.note(
                "approval",
                f"{action.name} is never done because nobody decided: write otherwise: hold or "
                "page.",
            )
        for word in shape.from_ or ():
            if not is_name(word):
                form = f"a role, or a group of {NAME_FORM}"
                self.note("approval", f"from: {word!r} is no role or group; write {form}.")
        return Approval(
            tuple(shape.from_ or known.of),
            wait.total_seconds() if wait else known.wait_s,
            shape.otherwise or known.otherwise,
        )

    def returns(self, action: ActionSpec | None) -> Return | None:
        given = self.shape.return_
        if given is None:
            return None
        self.only_of_changes("return", action)
        if action and (action.absolute or not action.returns):
            self.note("return", f"return is of no use to {action.name}, which adds nothing.")
        place = (*self.place, "return")
        shape = read_shape(ReturnShape, given, place, self.complain).shape
        after = None
        if shape.after is None:
            self.note("return", "return needs after: how long it has to be calm, such as 30m.")
        else:
            after = self.duration("return", shape.after, MAX_RETURN_DAYS, "after")
            if after is not None and not after:
                self.note("return", "after must be longer than 0, such as 30m.")
        reading, below = self.when(shape.when)
        zone = read_zone(shape.zone, (*place, "zone"), self.complain) or "UTC"
        window = None
        if shape.window is not None:
            window = read_window(shape.window, (*place, "window"), zone, self.complain)
        return Return(
            after.total_seconds() if after else 0.0, shape.step or 1, reading, below, window
        )

    def when(self, given: str | None) -> tuple[str, float | None]:
        """The reading and its limit, from `reading < limit`."""
        if given is None:
            return "", None
        reading, less, limit = given.rpartition("<")
        if not less or not reading.strip() or not _NUMBER.fullmatch(limit.strip()):
            self.note(
                "return",
                "when must be a reading in PromQL and the limit that it stays below, such as "
                f"'avg(cpu_usage) < 70', not {given!r}.",
            )
            return "", None
        return reading.strip(), float(limit)

    def no_return_of(self, action: ActionSpec | None, options: Read[Shape] | None) -> None:
        """Refuse to take back what, with these options, adds nothing."""
        if action is None or options is None or options.wrong or self.shape.return_ is None:
            return
        if action.settles(options.shape.model_dump()):
            self.note("return", f"return is of no use to {action.name} with these options.")

    def options(self, action: ActionSpec | None) -> Read[Shape] | None:
        given = self.shape.with_
        if action is None:
            return None
        if given and not action.options.model_fields:
            for key in given:
                place = (*self.place, "with", key)
                self.complain(place, f"with: unknown key {key}; {action.name} takes no options.")
            return None
        place = (*self.place, "with")
        read = read_shape(action.options, given or {}, place, self.note_option)
        if not read.wrong and (lacking := action.lacking(read.shape.model_dump())):
            self.note_option(place, lacking)
        return self.branches(action, read, place) if action.asks else read

    def branches(self, action: ActionSpec, read: Read[Shape], place: Place) -> Read[Shape]:
        """The options of a rule that decides, with each branch's own options checked and their
        defaults put in. A branch that is wrong is noted and left out."""
        checked = read.shape.model_dump()
        wrong = set(read.wrong)
        for name, branch in branches_of(checked).items():
            options = self.branch(action, branch, (*place, name))
            checked[name] = None if options is None else {**branch, "with": options}
            wrong |= {name} if options is None else set()
        return Read(action.options.model_validate(checked), frozenset(wrong))

    def branch(
        self, action: ActionSpec, branch: Mapping[str, Any], place: Place
    ) -> dict[str, Any] | None:
        """The options of one branch's action; None where something is wrong, which is noted."""
        known = list(names_with(Effect.CHANGES))
        name = branch["action"]
        if name == action.name:
            self.complain((*place, "action"), f"{name} cannot be a branch of itself.")
            return None
        if name in [each.name for each in ACTIONS] and name not in known:
            sentence = f"{name} changes nothing; a branch asks for a change: {', '.join(known)}."
            self.complain((*place, "action"), sentence)
            return None
        if name not in known:
            self.complain((*place, "action"), f"unknown action {name!r}; {suggestion(name, known)}")
            return None
        spec, at = action_spec(name), (*place, "with")
        read = read_shape(spec.options, branch["with"], at, self.note_option)
        if read.wrong:
            return None
        if lacking := spec.lacking(read.shape.model_dump()):
            self.note_option(at, lacking)
            return None
        return read.shape.model_dump()

    def note_option(self, place: Place, sentence: str) -> None:
        self.complain(place, f"with: {sentence}")


def _misspelt(label: str) -> str:
    """The usual label that this one is a slip of; empty where it is none."""
    if label in USUAL_LABELS:
        return ""
    close = difflib.get_close_matches(label.lower(), USUAL_LABELS, n=1, cutoff=MISSPELT)
    return close[0] if close else ""
