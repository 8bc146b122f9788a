"""The values that the shell completes. They need neither a store nor a service."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from service.domain.filters import ACTIONS, RUN_STATUSES, SOURCES
from service.environment import Unreadable, given

_PACK = "rules/quizmentor.yml"
"""The default of RULES (`service.settings`, which is too slow to load here)."""
_INSTALLED = Path(__file__).parents[1] / "rulebook" / "packs"
"""Where the installed pack is. It is used when the working directory has none."""


def _complete(known: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [value for value in known() if value.startswith(incomplete)]

    return complete


def targets_of_rules() -> list[str]:
    """The names of the targets in the rule files. A file that cannot be read gives none."""
    return list(dict.fromkeys(name for path in _rule_files() for name in _targets_in(path)))


def _rule_files() -> Iterator[Path]:
    try:
        named = given("RULES")
    except Unreadable:
        return
    for name in (named or _PACK).split(","):
        path = Path(name.strip())
        yield path if named or path.exists() else _INSTALLED / path.name


def _targets_in(path: Path) -> list[str]:
    import yaml

    try:
        document: Any = yaml.safe_load(path.read_bytes())
    except (OSError, ValueError, yaml.YAMLError):
        return []
    targets = document.get("targets") if isinstance(document, dict) else None
    return [name for name in targets if isinstance(name, str)] if isinstance(targets, dict) else []


complete_target = _complete(targets_of_rules)
complete_run_status = _complete(lambda: RUN_STATUSES)
complete_action = _complete(lambda: ACTIONS)
complete_source = _complete(lambda: SOURCES)
