"""What can only be said of rules and targets together: references, names, rules never reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service.catalogue.registry import kinds_of
from service.catalogue.spec import ActionSpec, Effect
from service.domain.rules.rules import Origin, Rule, Target
from service.domain.rules.shadowing import Reach, find_shadowed
from service.rulebook.document import Place
from service.rulebook.errors import suggestion
from service.rulebook.rules import Draft


@dataclass(frozen=True, slots=True)
class Declared:
    """A target's name where it is written; `target` is None when it could not be read."""

    origin: Origin
    target: Target | None


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule as far as it was read, and how to note what is wrong at a place in its file."""

    draft: Draft
    complain: Callable[[Place, str], None]

    @property
    def rule(self) -> Rule:
        """The rule as far as it was read."""
        return self.draft.rule

    def note(self, key: str, sentence: str) -> None:
        """Note what is wrong with one of the rule's keys."""
        self.complain((*self.draft.place, key), sentence)


def check_references(rules: Sequence[Placed], targets: Mapping[str, Declared]) -> None:
    """Each rule's target exists and suits its action."""
    for placed in rules:
        wanted = placed.rule.target
        if wanted is None:
            continue
        declared = targets.get(wanted)
        if declared is None:
            placed.note("target", f"unknown target {wanted!r}; {suggestion(wanted, targets)}")
        elif declared.target is not None and placed.draft.action is not None:
            _check_suits(placed, placed.draft.action, declared.target)


def _check_suits(placed: Placed, action: ActionSpec, target: Target) -> None:
    if action.effect is not Effect.CHANGES:
        return
    kinds = kinds_of(action.name)
    if target.kind not in kinds:
        placed.note(
            "target",
            f"{action.name} cannot change target {target.name} of kind {target.kind}; "
            f"it needs one of kind {' or '.join(kinds)}.",
        )
    elif action.climbs and not target.sizes:
        placed.note(
            "target",
            f"{action.name} needs a ladder, and target {target.name} has none; give it sizes, "
            "smallest first.",
        )


def check_names(rules: Sequence[Placed]) -> None:
    """No two rules share a name, in whatever files they are."""
    first: dict[str, Rule] = {}
    for placed in rules:
        rule = placed.rule
        if rule.name and (earlier := first.setdefault(rule.name, rule)) is not rule:
            placed.note("name", f"another rule has the same name at {earlier.origin}.")


def check_reached(rules: Sequence[Placed]) -> None:
    """No rule stands behind one that takes everything it would match."""
    legible = [placed for placed in rules if placed.draft.matchers]
    reaches = [Reach(placed.rule.matchers, placed.rule.continue_) for placed in legible]
    for later, earlier in find_shadowed(reaches):
        before = legible[earlier].rule
        legible[later].complain(
            legible[later].draft.place,
            f"this rule is never reached: rule {before.name} ({before.origin}) before it takes "
            "every alert that it matches. Move it up, or let the other continue.",
        )


def unused(rules: Sequence[Placed], targets: Mapping[str, Declared]) -> list[str]:
    """The targets that no rule names."""
    used = {placed.rule.target for placed in rules}
    return [name for name in targets if name not in used]
