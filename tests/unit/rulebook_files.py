"""Rule files for tests: a good one, and ways to write it with one thing changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from service.domain.rules.rules import RuleBook
from service.rulebook import RuleBookInvalid, RuleError, load_rulebook

PACK = Path(__file__).parents[2] / "rules" / "quizmentor.yml"
ENV = {
    "API_APP_ID": "app-quizmentor",
    "DROPLET_ID": "101",
    "SUPABASE_PROJECT_REF": "quizmentorquizmentor",
}

TARGETS = """\
targets:
  api: {kind: app_platform, app: app-1, component: api, replicas: {min: 2, max: 10}}
  vm: {kind: droplet, droplet: 101, sizes: [s-1vcpu-1gb, s-1vcpu-2gb]}
  db: {kind: supabase, project: ref, sizes: [ci_micro, ci_small]}
"""
RULES = """\
rules:
  - {name: cpu, match: [alertname=CPU], action: horizontal_scale, target: api, cooldown: 10m}
  - {name: memory, match: [alertname=Memory], action: vertical_scale, target: vm, cooldown: 30m}
  - {name: pool, match: [alertname=Pool], action: scale_database, target: db, cooldown: 30m}
"""
GOOD = TARGETS + RULES
"""Eight lines of targets and rules that are in order: what a test adds begins on line 9."""


def load(folder: Path, *texts: str, env: Mapping[str, str] | None = None) -> RuleBook:
    """The rule book of files 1.yml, 2.yml … with these texts."""
    paths = []
    for number, text in enumerate(texts, start=1):
        paths.append(folder / f"{number}.yml")
        paths[-1].write_text(text)
    return load_rulebook(paths, ENV if env is None else env)


def errors_of(
    folder: Path, *texts: str, env: Mapping[str, str] | None = None
) -> tuple[RuleError, ...]:
    with pytest.raises(RuleBookInvalid) as raised:
        load(folder, *texts, env=env)
    return raised.value.errors


def told(folder: Path, *texts: str, env: Mapping[str, str] | None = None) -> list[str]:
    """The errors as they are printed, with the folder left out."""
    return [str(error).replace(f"{folder}/", "") for error in errors_of(folder, *texts, env=env)]


def with_rule(**changes: str | None) -> str:
    """The good file and one more rule, `extra`, from line 9 on: a key for each line."""
    keys: dict[str, str | None] = {
        "match": "[alertname=Extra]",
        "action": "horizontal_scale",
        "target": "api",
        "cooldown": "10m",
        **changes,
    }
    lines = [f"    {key}: {value}\n" for key, value in keys.items() if value is not None]
    return GOOD + "  - name: extra\n" + "".join(lines)


def with_zone(options: str, probe: str = "") -> str:
    """A zone, and one rule that purges it, on lines 4 to 8."""
    zone = f"kind: cloudflare_zone, zone: {'c0de' * 8}{probe and f', probe: {probe!r}'}"
    return (
        f"targets:\n  cdn: {{{zone}}}\nrules:\n  - name: stale\n    match: [alertname=Stale]\n"
        f"    action: purge\n    target: cdn\n    with: {options}\n    cooldown: 10m\n"
    )


def with_target(text: str) -> str:
    """The good rules, and their targets but for `api`, which is written as `text` on line 2."""
    lines = TARGETS.splitlines(keepends=True)
    return "".join([lines[0], f"  api: {text}\n", *lines[2:]]) + RULES
