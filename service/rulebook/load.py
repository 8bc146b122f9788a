"""Rule files to one checked rule book: read all, check all, and only then use any of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

from service.catalogue.prices import Kept
from service.catalogue.registry import target_fields
from service.domain.decisions.policy import Policy
from service.domain.jobs.jobs import Job
from service.domain.levels.levels import Level, Levels
from service.domain.rules.rules import Origin, Rule, RuleBook, Target
from service.domain.rules.scopes import UNSTATED, Scope, Scopes
from service.domain.scenarios.scenarios import Scenario
from service.domain.watchdogs import Watchdog
from service.rulebook.checks import (
    Declared,
    Placed,
    check_names,
    check_reached,
    check_references,
    check_resources,
    check_watches,
    unused,
)
from service.rulebook.costs import KEY as COSTS
from service.rulebook.costs import read_costs
from service.rulebook.document import Document, Place, read_document
from service.rulebook.errors import Problems, suggestion
from service.rulebook.jobs import KEY as JOBS
from service.rulebook.jobs import ReadJob, check_jobs, read_jobs, targets_of_jobs
from service.rulebook.levels import (
    ReadLevel,
    check_levels,
    held_targets,
    levels_of,
    read_levels,
    zone_of,
)
from service.rulebook.policy import KEYS as POLICY_KEYS
from service.rulebook.policy import (
    combined,
    counting,
    policy_of,
    read_policy,
    unknown_targets,
    unpriced,
)
from service.rulebook.readings import KEY as READINGS
from service.rulebook.readings import read_readings
from service.rulebook.rules import read_rule
from service.rulebook.scenarios import KEY as SCENARIOS
from service.rulebook.scenarios import (
    ReadScenario,
    check_scenarios,
    check_starts,
    read_scenarios,
    used_targets,
)
from service.rulebook.schema import NAME_PATTERN
from service.rulebook.scopes import DeclaredScope, check_scopes, read_scope
from service.rulebook.sources import Sources
from service.rulebook.substitution import Complain, substituted
from service.rulebook.targets import read_target
from service.rulebook.watchdogs import KEY as WATCHDOGS
from service.rulebook.watchdogs import read_watchdogs

_TOP = (
    *("targets", "rules", "levels", SCENARIOS, JOBS, COSTS, "scopes", READINGS, WATCHDOGS),
    *POLICY_KEYS,
)
_NAME = re.compile(NAME_PATTERN)


def load_rulebook(
    paths: Sequence[Path],
    env: Mapping[str, str],
    *,
    strict: bool = False,
    kept: Mapping[str, Kept] = MappingProxyType({}),
    sources: Sources | None = None,
) -> RuleBook:
    """The rules and targets of all files, in the order given, with `${NAME}` from `env`.

    `kept` are the vendors' own lists of sizes, by kind. They only ever make a warning: whether a
    file is valid does not depend on what a vendor sells today. `sources` reads the files; whoever
    gives one can ask it afterwards what they said.

    Raises `RuleBookInvalid` with every error in every file; with `strict`, a warning is an error.
    """
    problems, sources = Problems(), sources or Sources()
    if not paths:
        problems.add("rules", 1, "no rule file is given; name at least one.")
    documents = [read_document(path, problems, sources.rule_file) for path in paths]
    gathering = _Gathering(env, problems, kept, sources)
    for document in documents:
        if document is not None:
            gathering.take(document)
    gathering.check_together(complete=None not in documents)
    warnings = problems.concluded([str(path) for path in paths], strict=strict)
    return gathering.book(tuple(str(each) for each in warnings))


@dataclass(slots=True)
class _Gathering:
    """What the files say, so far."""

    env: Mapping[str, str]
    problems: Problems
    kept: Mapping[str, Kept]
    sources: Sources
    targets: dict[str, Declared] = field(default_factory=dict)
    rules: list[Placed] = field(default_factory=list)
    policies: list[tuple[Document, Policy]] = field(default_factory=list)
    scopes: dict[str, DeclaredScope] | None = None
    readings: dict[str, str] = field(default_factory=dict)
    costs: dict[str, Decimal] = field(default_factory=dict)
    watchdogs: dict[str, Watchdog] = field(default_factory=dict)
    levels: list[ReadLevel] = field(default_factory=list)
    jobs: list[ReadJob] = field(default_factory=list)
    scenarios: list[ReadScenario] = field(default_factory=list)
    tops: list[Mapping[str, Any]] = field(default_factory=list)
    last: Document | None = None

    def take(self, document: Document) -> None:
        """Add one file's targets, rules and scopes."""
        self.last = document
        data = substituted(document, self.env, self.complainer(document))
        if not isinstance(data, dict):
            self.note(document, (), "a rule file is a mapping with targets and rules.")
            return
        for key in data:
            if key not in _TOP:
                self.note(document, (key,), f"unknown key {key!r}; {suggestion(key, _TOP)}")
        self.take_targets(document, data.get("targets"))
        self.take_rules(document, data.get("rules"))
        self.policies.append((document, read_policy(data, self.complainer(document))))
        self.levels += read_levels(data, document, self.complainer(document))
        self.jobs += read_jobs(data, document, self.complainer(document))
        self.scenarios += read_scenarios(data, document, self.complainer(document))
        self.tops.append(data)
        if "scopes" in data:
            self.take_scopes(document, data["scopes"])
        if READINGS in data:
            self.take_readings(document, data[READINGS])
        if COSTS in data:
            self.take_costs(document, data[COSTS])
        if WATCHDOGS in data:
            self.take_watchdogs(document, data[WATCHDOGS])

    def take_targets(self, document: Document, raw: Any) -> None:
        if raw is not None and not isinstance(raw, dict):
            self.note(document, ("targets",), "targets must be a mapping of names to targets.")
            return
        for name, body in (raw or {}).items():
            self.take_target(document, name, body)

    def take_target(self, document: Document, name: str, body: Any) -> None:
        place: Place = ("targets", name)
        complain = self.complainer(document)
        if not _NAME.fullmatch(name):
            complain(place, "the name must be 1 to 63 of a-z, 0-9, - and _, not - or _ first.")
        folder = Path(document.file).parent
        beside = self.sources.beside
        target = read_target(name, body, place, complain, self.kept, folder, beside)
        declared = Declared(Origin(document.file, document.line(place)), target, place, complain)
        earlier = self.targets.setdefault(name, declared)
        if earlier is not declared:
            complain(place, f"another target has the same name at {earlier.origin}.")

    def take_rules(self, document: Document, raw: Any) -> None:
        if raw is not None and not isinstance(raw, list):
            self.note(document, ("rules",), "rules must be a list; begin each with `- name:`.")
            return
        for index, body in enumerate(raw or ()):
            place: Place = ("rules", index)
            if not isinstance(body, dict):
                self.note(document, place, "a rule is a mapping with a name, match and action.")
                continue
            complain = self.complainer(document)
            origin = Origin(document.file, document.line(place))
            self.rules.append(Placed(read_rule(body, place, origin, self.env, complain), complain))

    def take_scopes(self, document: Document, raw: Any) -> None:
        if self.scopes is None:
            self.scopes = {}
        if not isinstance(raw, dict) or not raw:
            sentence = "scopes must be a mapping of credentials to what each may do."
            self.note(document, ("scopes",), sentence)
            return
        complain = self.complainer(document)
        for name, body in raw.items():
            place: Place = ("scopes", name)
            origin = Origin(document.file, document.line(place))
            declared = read_scope(body, place, origin, complain)
            earlier = self.scopes.setdefault(name, declared)
            if earlier is not declared:
                complain(place, f"the same credential has a scope at {earlier.origin}.")

    def take_readings(self, document: Document, raw: Any) -> None:
        complain = self.complainer(document)
        for name, expression in read_readings(raw, complain).items():
            if self.readings.setdefault(name, expression) != expression:
                complain((READINGS, name), f"another file asks something else for {name}.")

    def take_costs(self, document: Document, raw: Any) -> None:
        complain = self.complainer(document)
        for name, dollars in read_costs(raw, complain).items():
            if self.costs.setdefault(name, dollars) != dollars:
                complain((COSTS, name), f"another file says something else of {name}.")

    def take_watchdogs(self, document: Document, raw: Any) -> None:
        complain = self.complainer(document)
        for name, watchdog in read_watchdogs(raw, complain).items():
            if self.watchdogs.setdefault(name, watchdog) != watchdog:
                complain((WATCHDOGS, name), f"another file says something else of {name}.")

    def check_together(self, *, complete: bool) -> None:
        """Check rules and targets against each other; references only when all files were read."""
        check_names(self.rules)
        check_reached(self.rules)
        if not complete:
            return
        check_references(self.rules, self.targets)
        check_watches(self.rules, self.targets, self.readings)
        check_resources(self.targets)
        for document, policy in self.policies:
            for place, sentence in unknown_targets(policy, self.targets):
                self.note(document, place, sentence)
            for place, sentence in unpriced(policy, self._known_targets()):
                self.note(document, place, sentence)
        check_scopes(self.scopes or {}, [placed.rule.name for placed in self.rules])
        check_levels(self.levels, self._known_targets())
        check_jobs(self.jobs, self._known_targets())
        budget = counting(combined(each for _, each in self.policies), self._known_targets()).budget
        check_scenarios(self.scenarios, self._known_targets(), self.targets, budget, self.readings)
        self.check_starts()
        held = held_targets(self.levels) | targets_of_jobs(self.jobs) | used_targets(self.scenarios)
        for name in (each for each in unused(self.rules, self.targets) if each not in held):
            origin = self.targets[name].origin
            sentence = f"target {name}: no rule uses it. Remove it, or give it a rule."
            self.problems.add(origin.file, origin.line, sentence)
        if not self.rules and self.last is not None and not self.problems.found:
            self.note(self.last, (), "there is no rule; every alert would only be told in Slack.")

    def check_starts(self) -> None:
        """Rules and the scenarios that they start say the same of each other."""
        placed = {each.rule.name: each for each in self.rules if each.draft.action is not None}
        rules = [each.rule for each in placed.values()]
        check_starts(self.scenarios, rules, lambda name, said: placed[name].note("with", said))

    def complainer(self, document: Document) -> Complain:
        return _Complaints(self, document)

    def note(
        self, document: Document, place: Place, sentence: str, *, warning: bool = False
    ) -> None:
        """Note an error or a warning at a place, naming the rule or target that it belongs to."""
        rule = _rule_name(document, place)
        if rule is not None:
            sentence = f"rule {rule}: {sentence}"
        elif place[:1] == ("levels",) and len(place) > 1:
            sentence = f"level {_level_name(document, place)}: {sentence}"
        elif place[:1] in (("targets",), ("scopes",), (JOBS,), (SCENARIOS,)) and len(place) > 1:
            sentence = f"{str(place[0])[:-1]} {place[1]}: {sentence}"
        add = self.problems.warn if warning else self.problems.add
        add(document.file, document.line(place), sentence, rule)

    def _known_targets(self) -> dict[str, Target]:
        return {
            name: declared.target
            for name, declared in self.targets.items()
            if declared.target is not None
        }

    def book(self, warnings: tuple[str, ...]) -> RuleBook:
        """The rule book; only once nothing was found wrong."""
        targets = self._known_targets()
        policy = counting(combined(each for _, each in self.policies), targets)
        rules = tuple(
            replace(placed.rule, policy=policy_of(placed.rule, policy)) for placed in self.rules
        )
        scopes = UNSTATED
        if self.scopes is not None:
            scopes = Scopes.stating({name: each.scope for name, each in self.scopes.items()})
        levels = levels_of(self.levels, targets, zone_of(self.tops))
        jobs = {read.job.name: read.job for read in self.jobs}
        scenarios = {each.scenario.name: each.scenario for each in self.scenarios}
        hash_ = _hash(
            *(rules, targets.values(), scopes, levels, jobs, scenarios.values()),
            self.watchdogs.values(),
        )
        return RuleBook(
            *(rules, MappingProxyType(targets), hash_, warnings, policy, scopes, levels),
            readings=MappingProxyType(self.readings),
            jobs=MappingProxyType(jobs),
            costs=MappingProxyType(self.costs),
            scenarios=MappingProxyType(scenarios),
            watchdogs=MappingProxyType(self.watchdogs),
        )


@dataclass(frozen=True, slots=True)
class _Complaints:
    """What is wrong at places of one file."""

    gathering: _Gathering
    document: Document

    def __call__(self, place: Place, sentence: str) -> None:
        self.gathering.note(self.document, place, sentence)

    def warn(self, place: Place, sentence: str) -> None:
        self.gathering.note(self.document, place, sentence, warning=True)


def _rule_name(document: Document, place: Place) -> str | None:
    """What to call the rule that a place is in; its number, from 1, when it has no name."""
    if place[:1] != ("rules",) or len(place) == 1:
        return None
    body = document.data["rules"][place[1]]
    name = body.get("name") if isinstance(body, dict) else None
    return str(name) if name else f"number {int(place[1]) + 1}"


def _level_name(document: Document, place: Place) -> str:
    """What to call the level that a place is in; its number, from 1, when it has no name."""
    body = document.data["levels"][place[1]]
    name = body.get("name") if isinstance(body, dict) else None
    return str(name) if name else f"number {int(place[1]) + 1}"


def _hash(
    rules: Iterable[Rule],
    targets: Iterable[Target],
    scopes: Scopes,
    levels: Levels,
    jobs: Mapping[str, Job],
    scenarios: Iterable[Scenario],
    watchdogs: Iterable[Watchdog],
) -> str:
    """12 hexadecimal digits over what is in force: the same wherever the files lie."""
    ruled = [{**asdict(rule), "origin": None} for rule in rules]
    targeted = sorted(([target.kind, target_fields(target)] for target in targets), key=str)
    # Without scopes the hash is what it was before there were any.
    scoped = [_plain(scopes.by_name)] if scopes.by_name is not None else []
    levelled = [[_level_fields(each) for each in levels.levels]] if levels.levels else []
    chores = [{"jobs": [each.to_json() for each in jobs.values()]}] if jobs else []
    told = [[each.fields() for each in found]] if (found := list(scenarios)) else []
    listened = sorted([each.alert, each.absent_s] for each in watchdogs)
    heard = [{"watchdogs": listened}] if listened else []
    text = json.dumps(
        [ruled, targeted, *scoped, *levelled, *chores, *told, *heard], default=str, sort_keys=True
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12]


def _plain(scopes: Mapping[str, Scope]) -> dict[str, Any]:
    return {
        name: [None if scope.rules is None else sorted(scope.rules), scope.may_resolve]
        for name, scope in scopes.items()
    }


def _level_fields(level: Level) -> dict[str, Any]:
    """What a level says, as plain values; where it is written does not count."""
    return {
        "name": level.name,
        "kind": level.kind,
        "windows": [window.to_json() for window in level.windows],
        "hold": [[*each, said.to_json()] for each, said in sorted(level.hold.items())],
        "otherwise": [[*each, said.to_json()] for each, said in sorted(level.otherwise.items())],
    }
