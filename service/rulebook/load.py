"""Rule files to one checked rule book: read all, check all, and only then use any of it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from service.catalogue.registry import target_fields
from service.domain.rules.rules import Origin, Rule, RuleBook, Target
from service.rulebook.checks import (
    Declared,
    Placed,
    check_names,
    check_reached,
    check_references,
    unused,
)
from service.rulebook.document import Document, Place, read_document
from service.rulebook.errors import Problems, suggestion
from service.rulebook.rules import read_rule
from service.rulebook.schema import NAME_PATTERN
from service.rulebook.substitution import Complain, substituted
from service.rulebook.targets import read_target

_TOP = ("targets", "rules")
_NAME = re.compile(NAME_PATTERN)


def load_rulebook(paths: Sequence[Path], env: Mapping[str, str]) -> RuleBook:
    """The rules and targets of all files, in the order given, with `${NAME}` from `env`.

    Raises `RuleBookInvalid` with every error in every file.
    """
    problems = Problems()
    if not paths:
        problems.add("rules", 1, "no rule file is given; name at least one.")
    documents = [read_document(path, problems) for path in paths]
    gathering = _Gathering(env, problems)
    for document in documents:
        if document is not None:
            gathering.take(document)
    gathering.check_together(complete=None not in documents)
    problems.raise_if_any([str(path) for path in paths])
    return gathering.book()


@dataclass(slots=True)
class _Gathering:
    """What the files say, so far."""

    env: Mapping[str, str]
    problems: Problems
    targets: dict[str, Declared] = field(default_factory=dict)
    rules: list[Placed] = field(default_factory=list)
    last: Document | None = None

    def take(self, document: Document) -> None:
        """Add one file's targets and rules."""
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
        target = read_target(name, body, place, complain)
        declared = Declared(Origin(document.file, document.line(place)), target)
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

    def check_together(self, *, complete: bool) -> None:
        """Check rules and targets against each other; references only when all files were read."""
        check_names(self.rules)
        check_reached(self.rules)
        if not complete:
            return
        check_references(self.rules, self.targets)
        for name in unused(self.rules, self.targets):
            origin = self.targets[name].origin
            sentence = f"target {name}: no rule uses it. Remove it, or give it a rule."
            self.problems.add(origin.file, origin.line, sentence)
        if not self.rules and self.last is not None and not self.problems.found:
            self.note(self.last, (), "there is no rule; every alert would only be told in Slack.")

    def complainer(self, document: Document) -> Complain:
        return lambda place, sentence: self.note(document, place, sentence)

    def note(self, document: Document, place: Place, sentence: str) -> None:
        """Note an error at a place, naming the rule or target that it belongs to."""
        rule = _rule_name(document, place)
        if rule is not None:
            sentence = f"rule {rule}: {sentence}"
        elif place[:1] == ("targets",) and len(place) > 1:
            sentence = f"target {place[1]}: {sentence}"
        self.problems.add(document.file, document.line(place), sentence, rule)

    def book(self) -> RuleBook:
        """The rule book; only once nothing was found wrong."""
        rules = tuple(placed.rule for placed in self.rules)
        targets = {
            name: declared.target
            for name, declared in self.targets.items()
            if declared.target is not None
        }
        return RuleBook(rules, MappingProxyType(targets), _hash(rules, targets.values()))


def _rule_name(document: Document, place: Place) -> str | None:
    """What to call the rule that a place is in; its number, from 1, when it has no name."""
    if place[:1] != ("rules",) or len(place) == 1:
        return None
    body = document.data["rules"][place[1]]
    name = body.get("name") if isinstance(body, dict) else None
    return str(name) if name else f"number {int(place[1]) + 1}"


def _hash(rules: Iterable[Rule], targets: Iterable[Target]) -> str:
    """12 hexadecimal digits over what is in force: the same wherever the files lie."""
    ruled = [{**asdict(rule), "origin": None} for rule in rules]
    targeted = sorted(([target.kind, target_fields(target)] for target in targets), key=str)
    text = json.dumps([ruled, targeted], default=str, sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12]
