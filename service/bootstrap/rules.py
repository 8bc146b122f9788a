"""Loads the rules, and builds admission by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from service.domain.rules.matching import RuleIndex
from service.rulebook import load_rulebook, packaged
from service.settings import rule_variables

if TYPE_CHECKING:
    # Commands that only read the rules must not load what decides by them.
    from service.bootstrap.stores import Stores
    from service.domain.rules.rules import RuleBook
    from service.settings import Settings
    from service.triggers.alerts.admit import Admitter
    from service.triggers.alerts.candidates import RulesInForce


def load_rules(settings: Settings, environment: Mapping[str, str] | None = None) -> RuleBook:
    """The rules that the settings name.

    Raises:
        RuleBookInvalid: every error, by file and line.
    """
    return load_rulebook(rule_paths(settings), rule_variables(settings, environment))


def rule_paths(settings: Settings) -> list[Path]:
    """The rule files that RULES names. Without RULES: the pack of this directory, or the installed
    one."""
    paths = [Path(name) for name in settings.rules]
    if "rules" in settings.model_fields_set or all(path.exists() for path in paths):
        return paths
    return [packaged(path.name) for path in paths]


def in_force(book: RuleBook) -> RulesInForce:
    """The rules with the index that matches alerts."""
    from service.triggers.alerts.candidates import RulesInForce  # noqa: PLC0415 - see above

    return RulesInForce(book, RuleIndex(book))


def build_admitter(stores: Stores, rules: Callable[[], RulesInForce]) -> Admitter:
    """Admission on the real stores, by the rules that are in force with each batch."""
    from service.store.ids import new_id  # noqa: PLC0415 - see above
    from service.triggers.alerts.admit import Admitter  # noqa: PLC0415 - see above

    return Admitter(
        journal=stores.journal,
        gate=stores.coordination,
        rules=rules,
        new_id=new_id,
        refire_grace_s=stores.settings.refire_grace_s,
    )
