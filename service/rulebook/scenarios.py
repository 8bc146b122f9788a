"""Scenarios from YAML: procedures of several steps, each an action of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field

from service.catalogue.registry import ACTIONS, action_spec, kind_spec, names_with
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import Effect
from service.catalogue.watch import WATCH, unknown_in
from service.domain.commands import NO_UNDO
from service.domain.decisions.approval import Approval
from service.domain.decisions.budget import Budget
from service.domain.durations import parse_duration
from service.domain.people import NAME_FORM, BadRequest, is_name
from service.domain.readings.metrics import COUNT, DOLLARS, METRICS
from service.domain.rules.rules import RESERVED_NAMES, Rule, Target
from service.domain.scenarios.scenarios import (
    RESTORE,
    STOP,
    Early,
    Scenario,
    Step,
    When,
    circle,
)
from service.domain.scenarios.signoffs import ROLES, Gate
from service.domain.watching import read_term
from service.rulebook.bounds import MAX_SCENARIO_DAYS, MAX_SCENARIO_STEPS, MAX_SETTLE_DAYS
from service.rulebook.document import Document, Place
from service.rulebook.errors import suggestion
from service.rulebook.schema import NAME_PATTERN, read_shape
from service.rulebook.substitution import Complain
from service.triggers.scenarios.wanted import TELLING, is_disruptive, step_wants

KEY = "scenarios"
_NAME = re.compile(NAME_PATTERN)
_STEP_NAME = r"[a-z0-9][a-z0-9_-]{0,30}"
_DOLLARS = re.compile(r"\$?([0-9]{1,7}(?:\.[0-9]{1,2})?)(/month)?")
_RESOLVED = "resolved"
_EARLY = re.compile(r"(?P<what>.+?)\s+for\s+(?P<for>\S+)")
_STEP_FORM = "such as {id: out, action: set_capacity, target: api, to: {replicas: 10}}"

StepId = Annotated[
    str,
    Field(
        pattern=f"^{_STEP_NAME}$",
        description="1 to 31 of a-z, 0-9, - and _, beginning with a letter or digit",
    ),
]


class _StepShape(Shape):
    id: StepId | None = None
    action: Text | None = None
    target: Text | None = None
    to: dict[str, Any] | None = None
    with_: dict[str, Any] | None = Field(default=None, alias="with")
    exact: bool = False
    after: list[StepId] | None = None
    on_failure: Literal["stop", "continue", "undo", "page"] | None = None
    undo: Literal["restore", "none"] | None = None
    confirm: Literal["person"] | None = None
    when: Any = None


class _WhenShape(Shape):
    reading: Text | None = None
    unknown: Literal["leave_out", "begin"] = "leave_out"


class _StartShape(Shape):
    person: Literal[True] = Field(default=True, description="true: people start it")
    rule: Any = None


class _ApprovalShape(Shape):
    above: Any = None
    from_: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, alias="from", description="a list of roles or groups, such as [finance]"
    )
    wait: Text | None = Field(default=None, description="a duration such as 15m")
    otherwise: Literal["hold", "page", "act"] | None = None


class _SpendShape(Shape):
    up_to: Any = None
    for_: Text | None = Field(default=None, alias="for", description="a duration such as 12h")


class _EndsShape(Shape):
    after: Text | None = Field(default=None, description="a duration such as 12h")
    or_: Text | None = Field(
        default=None,
        alias="or",
        description="what has to hold for how long, such as 'rps < 300 for 1h'",
    )


_Signs = list[Literal["devops", "finance", "cto"]]


class _SignoffShape(Shape):
    before: _Signs | None = Field(default=None, description=f"a list of {', '.join(ROLES)}")
    above_budget: _Signs | None = Field(default=None, description=f"a list of {', '.join(ROLES)}")
    after: _Signs | None = Field(default=None, description=f"a list of {', '.join(ROLES)}")
    one_person: bool = False


class _ScenarioShape(Shape):
    start: dict[str, Any] | None = None
    emergency: bool = False
    approval: dict[str, Any] | None = None
    signoff: dict[str, Any] | None = None
    spend: dict[str, Any] | None = None
    ends: dict[str, Any] | None = None
    steps: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class ReadScenario:
    """A scenario as far as it was read, where it is written, and how to note what is wrong with it.

    `indices` are the places of its steps in the list, which lack those that could not be read.
    """

    scenario: Scenario
    place: Place
    complain: Complain
    indices: tuple[int, ...]

    def note(self, step: int | None, key: str, sentence: str) -> None:
        """Note what is wrong with the scenario, or with the step of this number."""
        inner: Place = () if step is None else ("steps", self.indices[step])
        named = "" if step is None else f"step {self.scenario.steps[step].id}: "
        self.complain((*self.place, *inner, key), f"{named}{sentence}")


def read_scenarios(
    raw: Mapping[str, Any], document: Document, complain: Complain
) -> Iterator[ReadScenario]:
    """The scenarios that a file states, noting everything that is wrong with each for itself."""
    given = raw.get(KEY)
    if given is None:
        return
    if not isinstance(given, dict) or not given:
        complain((KEY,), "scenarios must be a mapping of names to scenarios.")
        return
    for name, body in given.items():
        place: Place = (KEY, name)
        if not isinstance(body, dict):
            complain(place, "a scenario is a mapping with steps.")
            continue
        written = f"{document.file}:{document.line(place)}"
        yield _Reader(name, body, place, complain).read(written)


class _Reader:
    """Reads one scenario."""

    def __init__(
        self, name: str, body: Mapping[str, Any], place: Place, complain: Complain
    ) -> None:
        self._name = name
        self._place = place
        self._complain = complain
        read = read_shape(_ScenarioShape, body, place, complain)
        self._shape, self._wrong = read.shape, read.wrong

    def read(self, written: str) -> ReadScenario:
        self._check_name()
        steps = list(self._steps())
        above, approval = self._approval()
        scenario = Scenario(
            self._name,
            tuple(step for _, step in steps),
            emergency=self._shape.emergency,
            approval=approval,
            above=above,
            lasts_s=self._lasts(),
            early=self._early(),
            dollars=self._dollars_spent(),
            covers_s=self._covers(),
            signoff=self._signoff(),
            rules=self._rules(),
            written=written,
        )
        return ReadScenario(scenario, self._place, self._complain, tuple(at for at, _ in steps))

    def _at(self, *inner: str | int) -> Place:
        return (*self._place, *inner)

    def _note(self, key: str, sentence: str) -> None:
        self._complain(self._at(key), sentence)

    def _check_name(self) -> None:
        name = self._name
        if not _NAME.fullmatch(name):
            self._complain(
                self._place, "the name must be 1 to 63 of a-z, 0-9, - and _, not - or _ first."
            )
        if name in [each.name for each in ACTIONS]:
            self._complain(
                self._place,
                "an action has the same name, and `runbookd run` takes both. Choose another.",
            )
        if name in RESERVED_NAMES:
            self._complain(self._place, "the name is taken by a rule of runbookd's own.")

    def _rules(self) -> tuple[str, ...]:
        """The rules that may start it."""
        start = self._shape.start or {}
        given = read_shape(_StartShape, start, self._at("start"), self._complain).shape.rule
        if given is None:
            return ()
        names = given if isinstance(given, list) else [given]
        if not names or not all(isinstance(each, str) and each for each in names):
            self._note("start", f"rule must be the name of a rule, or a list of names: {given!r}.")
            return ()
        return tuple(dict.fromkeys(names))

    def _approval(self) -> tuple[float, Approval | None]:
        given = self._shape.approval
        if given is None:
            return 0.0, None
        if self._shape.emergency:
            self._note("approval", "an emergency asks nobody: remove approval, or emergency.")
        shape = read_shape(_ApprovalShape, given, self._at("approval"), self._complain).shape
        known = Approval()
        for word in shape.from_ or ():
            if not is_name(word):
                form = f"a role, or a group of {NAME_FORM}"
                self._note("approval", f"from: {word!r} is no role or group; write {form}.")
        wait_s = known.wait_s
        if shape.wait is not None:
            wait_s = self._seconds("approval", "wait", shape.wait, MAX_SETTLE_DAYS) or wait_s
        above = 0.0 if shape.above is None else self._dollars("approval", "above", shape.above)
        terms = Approval(tuple(shape.from_ or known.of), wait_s, shape.otherwise or known.otherwise)
        return above or 0.0, terms

    def _signoff(self) -> Gate | None:
        given = self._shape.signoff
        if given is None:
            return None
        read = read_shape(_SignoffShape, given, self._at("signoff"), self._complain)
        shape = read.shape
        gate = Gate(
            tuple(shape.before or ()),
            tuple(shape.above_budget or ()),
            tuple(shape.after or ()),
            shape.one_person,
        )
        if not read.wrong and not (gate.before or gate.above_budget or gate.after):
            self._note(
                "signoff", f"signoff names nobody: give before a list of {', '.join(ROLES)}."
            )
        if self._shape.emergency and gate.above_budget:
            self._note(
                "signoff",
                "above_budget: an emergency is not planned first, so what it costs is not known. "
                "Remove above_budget, or emergency.",
            )
        return gate

    def _lasts(self) -> float | None:
        given = self._shape.ends
        if given is None:
            return None
        after = read_shape(_EndsShape, given, self._at("ends"), self._complain).shape.after
        if after is None:
            self._note("ends", "ends needs after: how long it is in force, such as 12h.")
            return None
        return self._seconds("ends", "after", after, MAX_SCENARIO_DAYS)

    def _early(self) -> Early | None:
        """What ends it before its time."""
        given = (self._shape.ends or {}).get("or")
        if not isinstance(given, str):
            return None
        found = _EARLY.fullmatch(given.strip())
        if found is None:
            self._note(
                "ends",
                "or must be what has to hold and for how long, such as 'rps < 300 for 1h' or "
                f"'resolved for 15m', not {given!r}.",
            )
            return None
        for_s = self._seconds("ends", "or", found["for"], MAX_SCENARIO_DAYS)
        reading = "" if found["what"] == _RESOLVED else found["what"]
        if reading and not self._limited("ends", "or", reading):
            return None
        return None if for_s is None else Early(reading, for_s)

    def _limited(self, key: str, name: str, reading: str, place: Place | None = None) -> bool:
        """Whether this is a reading with its limit; notes where it is not."""
        try:
            term = read_term(reading)
        except ValueError:
            term = None
        if term is not None and term.sign and term.name not in (COUNT, DOLLARS):
            return True
        sentence = (
            f"{name} must be a reading of the application with its limit, such as 'p95 > 500', not "
            f"{reading!r}."
        )
        self._complain(self._at(key) if place is None else place, sentence)
        return False

    def _when(self, given: Any, place: Place) -> When | None:
        """What has to hold at a step's turn."""
        if given is None:
            return None
        told = {"reading": given} if isinstance(given, str) else given
        if not isinstance(told, dict):
            self._complain(place, f"when must be a reading with its limit, not {given!r}.")
            return None
        shape = read_shape(_WhenShape, told, place, self._complain).shape
        if shape.reading is None:
            self._complain(place, "when needs reading: what has to hold, such as 'p95 > 500'.")
            return None
        if not self._limited("steps", "when", shape.reading, place):
            return None
        return When(shape.reading, shape.unknown == "begin")

    def _covers(self) -> float | None:
        """For how long what it spends is approved."""
        given = (self._shape.spend or {}).get("for")
        if not isinstance(given, str):
            return None
        return self._seconds("spend", "for", given, MAX_SCENARIO_DAYS)

    def _dollars_spent(self) -> float | None:
        given = self._shape.spend
        if given is None:
            return None
        up_to = read_shape(_SpendShape, given, self._at("spend"), self._complain).shape.up_to
        if up_to is None:
            self._note("spend", "spend needs up_to: dollars in all, such as $60.")
            return None
        return self._dollars("spend", "up_to", up_to)

    def _seconds(self, key: str, name: str, text: str, most_days: int) -> float | None:
        try:
            seconds = parse_duration(text, most_days).total_seconds()
        except ValueError as error:
            self._note(key, f"{name} {error}.")
            return None
        if not seconds:
            self._note(key, f"{name} must be longer than 0, such as 15m.")
        return seconds or None

    def _dollars(self, key: str, name: str, given: Any) -> float | None:
        found = None if isinstance(given, bool) else _DOLLARS.fullmatch(str(given))
        if found is None or not float(found[1]):
            self._note(key, f"{name} must be dollars above 0, such as $200, not {given!r}.")
            return None
        return float(found[1])

    def _steps(self) -> Iterator[tuple[int, Step]]:
        given = self._shape.steps
        if not given:
            if "steps" not in self._wrong:
                self._note("steps", f"steps is missing: what it does, {_STEP_FORM}.")
            return
        if len(given) > MAX_SCENARIO_STEPS:
            self._note("steps", f"at most {MAX_SCENARIO_STEPS} steps, not {len(given)}.")
        seen: set[str] = set()
        for index, body in enumerate(given):
            step = self._step(body, index)
            if step is None:
                continue
            if step.id in seen:
                self._complain(self._at("steps", index), f"another step has the id {step.id}.")
                continue
            seen.add(step.id)
            yield index, step

    def _step(self, body: Any, index: int) -> Step | None:
        place = self._at("steps", index)
        if not isinstance(body, dict):
            self._complain(place, f"a step is a mapping, {_STEP_FORM}.")
            return None
        read = read_shape(_StepShape, body, place, self._complain)
        shape = read.shape
        for key, why in (
            ("id", "what the other steps and messages call it"),
            ("action", f"one of {', '.join(_possible())}"),
            ("undo", "restore, to have the way back put back what was there; or none"),
        ):
            if getattr(shape, key) is None and key not in read.wrong:
                self._complain(place, f"{key} is missing: {why}.")
        if shape.id is None or shape.action is None:
            return None
        return Step(
            shape.id,
            shape.action,
            shape.target,
            MappingProxyType(shape.to or {}),
            MappingProxyType(shape.with_ or {}),
            tuple(shape.after or ()),
            shape.on_failure or STOP,
            shape.undo == RESTORE,
            shape.confirm is not None,
            shape.exact,
            self._when(shape.when, (*place, "when")),
        )


def check_scenarios(
    read: Sequence[ReadScenario],
    targets: Mapping[str, Target],
    declared: Iterable[str],
    budget: Budget | None,
    readings: Collection[str] = (),
) -> None:
    """Check scenarios against each other, the targets and the budget.

    `declared` are the names of all targets, those among them that could not be read. `readings` are
    those that the files name themselves.
    """
    first: dict[str, ReadScenario] = {}
    for each in read:
        earlier = first.setdefault(each.scenario.name, each)
        if earlier is not each:
            sentence = f"another scenario has the same name at {earlier.scenario.written}."
            each.complain(each.place, sentence)
        _check_order(each)
        signoff = each.scenario.signoff
        if signoff is not None and signoff.above_budget and budget is None:
            each.note(
                None,
                "signoff",
                "above_budget is of no use without a budget: state budget, or remove it.",
            )
        for number, step in enumerate(each.scenario.steps):
            _check_step(each, number, targets, list(declared), budget)
            if step.action == WATCH.name:
                _check_watch(each, number, list(declared), readings)
            if step.when is not None:
                _check_reading(each, number, "when", step.when.term.name, readings)
        early = each.scenario.early
        if early is not None and early.reading:
            _check_reading(each, None, "ends", read_term(early.reading).name, readings)
        if early is not None and not early.reading and not each.scenario.rules:
            each.note(
                None,
                "ends",
                "or: no rule starts it, so there is no alert that could resolve. Name one in "
                "start, or write a reading, such as 'rps < 300 for 1h'.",
            )


def check_starts(
    read: Sequence[ReadScenario], rules: Sequence[Rule], note_rule: Callable[[str, str], None]
) -> None:
    """Check that rules and the scenarios that they start say the same of each other.

    `note_rule` notes what is wrong with the rule of this name.
    """
    starting = {each.name: each for each in rules if action_spec(each.action).starts}
    known = {each.scenario.name: each.scenario for each in read}
    for each in read:
        for name in each.scenario.rules:
            _check_starter(each, name, [rule.name for rule in rules], starting)
    for rule in starting.values():
        wanted = rule.options.get("scenario")
        if wanted is None:
            continue  # It is missing, and that is noted.
        if wanted not in known:
            sentence = f"with: unknown scenario {wanted!r}; {suggestion(wanted, known)}"
            note_rule(rule.name, sentence)
        elif rule.name not in known[wanted].rules:
            note_rule(
                rule.name,
                f"with: scenario {wanted} ({known[wanted].written}) does not say that this rule "
                f"may start it: write start: {{rule: {rule.name}}} there.",
            )


def _check_starter(
    read: ReadScenario, name: str, rules: Sequence[str], starting: Mapping[str, Rule]
) -> None:
    scenario = read.scenario
    if name not in rules:
        read.note(None, "start", f"unknown rule {name!r}; {suggestion(name, rules)}")
        return
    if name not in starting or starting[name].options.get("scenario") not in (None, scenario.name):
        read.note(
            None,
            "start",
            f"rule {name} does not start it: write action: start_scenario and with: {{scenario: "
            f"{scenario.name}}} there.",
        )
    if scenario.emergency:
        read.note(
            None,
            "start",
            "an emergency lifts what people have paused and locked, so only a person starts it: "
            "remove rule, or emergency.",
        )
    elif scenario.dollars is None:
        read.note(
            None,
            "start",
            f"rule {name} starts it while nobody looks, so what it may cost has to be bounded: "
            "write spend: {up_to: $60}, with as many dollars as it may spend in all.",
        )


def used_targets(read: Sequence[ReadScenario]) -> set[str]:
    """The names of the targets that scenarios change."""
    return {name for each in read for name in each.scenario.targets}


def _check_order(read: ReadScenario) -> None:
    steps = read.scenario.steps
    known = [each.id for each in steps]
    for number, step in enumerate(steps):
        for name in step.after:
            if name not in known:
                read.note(number, "after", f"unknown step {name!r}; {suggestion(name, known)}")
    found = circle({each.id: each.after for each in steps})
    if found:
        read.note(
            known.index(found[0]),
            "after",
            f"it waits for itself: {' after '.join(found)}. Nothing of this could ever begin.",
        )


def _check_step(
    read: ReadScenario,
    number: int,
    targets: Mapping[str, Target],
    declared: Sequence[str],
    budget: Budget | None,
) -> None:
    step = read.scenario.steps[number]
    if step.action not in _possible():
        read.note(number, "action", _no_step(step.action))
        return
    if step.restores and (why := NO_UNDO.get(step.action)):
        read.note(number, "undo", f"{step.action} cannot be undone: {why}. Write undo: none.")
    if step.action in TELLING:
        if step.target is not None:
            sentence = f"target is of no use to {step.action}, which changes none."
            read.note(number, "target", sentence)
            return
    elif step.target is None:
        read.note(number, "target", f"target is missing: {step.action} must know what to change.")
        return
    elif step.target not in declared:
        sentence = f"unknown target {step.target!r}; {suggestion(step.target, declared)}"
        read.note(number, "target", sentence)
        return
    target = targets.get(step.target or "")
    if step.target is not None and target is None:
        return  # It could not be read, and that is noted.
    _check_wants(read, number, target, budget)


def _check_wants(
    read: ReadScenario, number: int, target: Target | None, budget: Budget | None
) -> None:
    scenario, step = read.scenario, read.scenario.steps[number]
    try:
        wants = step_wants(step, target)
    except BadRequest as refused:
        read.note(number, "to" if step.to else "with", refused.sentence)
        return
    if target is None:
        if step.confirm:
            sentence = f"confirm is of no use to {step.action}, which changes nothing."
            read.note(number, "confirm", sentence)
        return
    if scenario.emergency and step.confirm:
        read.note(number, "confirm", "an emergency asks nobody: remove confirm, or emergency.")
    asked = step.confirm or scenario.approval is not None
    if is_disruptive(step.action, target) and not asked:
        read.note(
            number,
            "action",
            f"{step.action} takes {target.name} down for a while, so a person has to know: give "
            "the step confirm: person, or the scenario an approval.",
        )
    if budget is None or not budget.covers(target.name) or asked or scenario.emergency:
        return
    prices = kind_spec(target.kind).prices.documented
    for each in wants.wanted:
        if each.attribute == "size" and isinstance(each.to, str) and each.to not in prices:
            read.note(
                number,
                "to",
                f"what {each.to} costs is not known, and the budget covers {target.name}: give "
                "the scenario an approval, or the step confirm: person.",
            )


def _check_reading(
    read: ReadScenario, number: int | None, key: str, name: str, own: Collection[str]
) -> None:
    """A reading that decides is one that is known. `own` are those that the files name."""
    known = [*METRICS, *(each for each in own if each not in METRICS)]
    if name not in known:
        read.note(number, key, f"{key}: unknown reading {name!r}; {suggestion(name, known)}")


def _check_watch(
    read: ReadScenario, number: int, declared: Collection[str], readings: Collection[str]
) -> None:
    """What a step watches exists: its target, and each reading by its name."""
    try:
        options = step_wants(read.scenario.steps[number], None).options
    except BadRequest:
        return  # That is noted already.
    for key, name, known in unknown_in(options, declared, readings):
        what = "reading" if key == "readings" else key
        read.note(number, "with", f"with: unknown {what} {name!r}; {suggestion(name, known)}")


def _possible() -> tuple[str, ...]:
    return (*names_with(Effect.CHANGES), *TELLING)


def _no_step(action: str) -> str:
    known = _possible()
    if action not in [each.name for each in ACTIONS]:
        return f"unknown action {action!r}; {suggestion(action, known)}"
    does = "calls a person; use tell, with page" if _calls(action) else "does nothing of its own"
    return f"{action} cannot be a step: it {does}. A step is one of {', '.join(known)}."


def _calls(action: str) -> bool:
    return action_spec(action).effect is Effect.CALLS
