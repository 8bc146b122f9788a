"""Sets of cache rules as a rule file names them, and what Cloudflare keeps of them. Pure.

In Cloudflare's phase the last rule that matches wins. So the rules that bypass the cache come last
in a set, whatever the order in the file: else one visitor could be given what is another's.

A rule of ours has a ref that begins with `runbookd_`, and a description that names its set and the
hash of the whole set. So a look tells which set is there, and whether somebody has edited it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from service.catalogue.cloudflare_zone.samples import covers
from service.catalogue.shapes import Shape, Text
from service.catalogue.spec import Noted
from service.domain.durations import parse_duration

ATTRIBUTE = "cache_rules"
NONE = "none"
"""The name of a zone that has no rule of ours."""
EDITED = "edited by hand"
"""The value of a zone whose rules of ours are not as they were set."""
BYPASS = "bypass"
_REF = "runbookd_"
_MARK = re.compile(r"runbookd set ([a-z0-9_-]+) ([0-9a-f]{12}): .*")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_GIVEN_BACK = ("version", "last_updated")
"""What Cloudflare tells of a rule and does not take back."""
MOST_DAYS = 366
MOST_RULES = {"free": 10, "pro": 25, "business": 50, "enterprise": 300}
LEAST_S = {"free": 7200, "pro": 3600}
"""Cache rules of a zone, and the shortest time of a copy at the edge or in a browser, in seconds,
by Cloudflare's plans. Of others the shortest is a second."""

Rule = Mapping[str, Any]
"""A rule as the API has it."""


class CacheRuleShape(Shape):
    """One cache rule of a set."""

    name: Annotated[str, Field(pattern=rf"^{_NAME.pattern}$")] | None = Field(
        default=None, description="1 to 31 of a-z, 0-9, - and _"
    )
    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/%-]*\*?$")] | None = Field(
        default=None, description="a path such as /api/questions, or with * at its end"
    )
    host: Annotated[str, Field(pattern=r"^[a-z0-9.-]+$")] | None = Field(
        default=None, description="the name of a host, in small letters"
    )
    mode: Literal["cache", "respect", "bypass"] | None = None
    edge: Text | None = Field(default=None, description="a duration such as 2h")
    browser: Text | None = Field(default=None, description="a duration such as 1m")
    sample: Annotated[str, Field(pattern=r"^/[!-~]*$", max_length=500)] | None = Field(
        default=None, description="a path such as /learn/1, without spaces"
    )


class CacheRulesOptions(Shape):
    """Which set of the target's `cache_rules`; `none` removes ours."""

    set: Text = "standard"


def read_sets(
    given: Mapping[str, Sequence[CacheRuleShape]] | None, noted: Noted
) -> dict[str, list[dict[str, Any]]]:
    """The sets as plain JSON, durations in seconds; what is wrong with them is noted."""
    sets: dict[str, list[dict[str, Any]]] = {}
    for name, shapes in (given or {}).items():
        if name == NONE or not _NAME.fullmatch(name):
            noted.at(ATTRIBUTE, f"{name!r} is no name of a set: 1 to 31 of a-z, 0-9, - and _.")
            continue
        sets[name] = [_read(name, shape, noted) for shape in shapes]
        names = [each["name"] for each in sets[name]]
        for twice in sorted({each for each in names if each and names.count(each) > 1}):
            noted.at(ATTRIBUTE, f"set {name} names rule {twice} more than once.")
    return sets


def _read(of: str, shape: CacheRuleShape, noted: Noted) -> dict[str, Any]:
    where = f"set {of}, rule {shape.name or '?'}"
    for key in ("name", "path", "mode"):
        if getattr(shape, key) is None:
            noted.at(ATTRIBUTE, f"{where}: {key} is missing.")
    if shape.mode == "cache" and shape.edge is None:
        noted.at(ATTRIBUTE, f"{where}: mode cache needs edge: how long the edge keeps a copy.")
    if shape.mode in ("respect", BYPASS) and (shape.edge or shape.browser):
        noted.at(
            ATTRIBUTE,
            f"{where}: mode {shape.mode} takes no edge and no browser. Write mode: cache to set "
            "times, whatever the origin says.",
        )
    if shape.sample is not None and shape.mode != "cache":
        noted.at(ATTRIBUTE, f"{where}: only mode cache is sampled. Remove sample.")
    elif shape.sample is not None and not covers(shape.path or "", shape.sample.partition("?")[0]):
        noted.at(ATTRIBUTE, f"{where}: sample {shape.sample} is not covered by {shape.path}.")
    return {
        "name": shape.name or "",
        "path": shape.path or "",
        "host": shape.host or "",
        "mode": shape.mode or "",
        "edge_s": _seconds(shape.edge, f"{where}: edge", noted),
        "browser_s": _seconds(shape.browser, f"{where}: browser", noted),
        **({"sample": shape.sample} if shape.sample else {}),
    }


def _seconds(given: str | None, what: str, noted: Noted) -> int | None:
    if given is None:
        return None
    try:
        return int(parse_duration(given, MOST_DAYS).total_seconds())
    except ValueError as error:
        noted.at(ATTRIBUTE, f"{what} {error}.")
        return None


def compiled(name: str, rules: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """A set as Cloudflare takes it: what bypasses the cache comes last, and each rule is marked."""
    ordered = sorted(rules, key=lambda rule: rule["mode"] == BYPASS)
    bare = [
        {
            "ref": f"{_REF}{rule['name']}",
            "expression": _expression(rule),
            "action": "set_cache_settings",
            "action_parameters": _parameters(rule),
            "enabled": True,
        }
        for rule in ordered
    ]
    digest = _digest(bare)
    return [
        {**rule, "description": f"runbookd set {name} {digest}: {made['name']}"}
        for rule, made in zip(bare, ordered, strict=True)
    ]


def _expression(rule: Mapping[str, Any]) -> str:
    """The pattern of a path allows no sign that would have to be escaped."""
    path = rule["path"]
    on_path = (
        f'starts_with(http.request.uri.path, "{path[:-1]}")'
        if path.endswith("*")
        else f'http.request.uri.path eq "{path}"'
    )
    return f'(http.host eq "{rule["host"]}" and {on_path})' if rule["host"] else f"({on_path})"


def _parameters(rule: Mapping[str, Any]) -> dict[str, Any]:
    if rule["mode"] == BYPASS:
        return {"cache": False}
    return {
        "cache": True,
        "edge_ttl": _ttl(rule["edge_s"]),
        "browser_ttl": _ttl(rule["browser_s"]),
    }


def _ttl(seconds: int | None) -> dict[str, Any]:
    if seconds is None:
        return {"mode": "respect_origin"}
    return {"mode": "override_origin", "default": seconds}


_MEANING = ("ref", "expression", "action", "action_parameters", "enabled")


def _digest(rules: Sequence[Rule]) -> str:
    """The hash of what rules do, and in which order."""
    meant = [{key: rule.get(key) for key in _MEANING} for rule in rules]
    text = json.dumps(meant, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def is_ours(rule: Rule) -> bool:
    """Whether a rule at Cloudflare is one of ours, by its ref."""
    return str(rule.get("ref", "")).startswith(_REF)


def ours(rules: Sequence[Rule]) -> list[Rule]:
    """Our own rules among those at Cloudflare, in their order."""
    return [rule for rule in rules if is_ours(rule)]


def others(rules: Sequence[Rule]) -> list[Rule]:
    """The rules of people, in their order, without what only Cloudflare says of them."""
    return [_given_back(rule) for rule in rules if not is_ours(rule)]


def _given_back(rule: Rule) -> dict[str, Any]:
    return {key: value for key, value in rule.items() if key not in _GIVEN_BACK}


def same(one: Sequence[Rule], another: Sequence[Rule]) -> bool:
    """Whether two lists of our rules do the same in the same order, under the same name."""
    marks = [[rule.get("description") for rule in rules] for rules in (one, another)]
    return _digest(one) == _digest(another) and marks[0] == marks[1]


def value_of(rules: Sequence[Rule]) -> str:
    """Which of our sets is at Cloudflare, by its marks: a name, none, or edited by hand."""
    found = ours(rules)
    if not found:
        return NONE
    marks = {
        (mark[1], mark[2])
        for rule in found
        if (mark := _MARK.fullmatch(str(rule.get("description", ""))))
    }
    names = {name for name, digest in marks if digest == _digest(found)}
    whole = all(_MARK.fullmatch(str(rule.get("description", ""))) for rule in found)
    return next(iter(names)) if whole and len(marks) == 1 and names else EDITED


def merged(present: Sequence[Rule], wanted: Sequence[Rule]) -> list[Rule]:
    """All rules of the zone with ours replaced. People's rules keep their order, and their place
    between ours. Where we have none yet, ours come first: then what people wrote wins."""
    left = list(wanted)
    merged: list[Rule] = []
    after = 0
    for rule in present:
        if not is_ours(rule):
            merged.append(_given_back(rule))
        elif left:
            merged.append(left.pop(0))
            after = len(merged)
    return [*merged[:after], *left, *merged[after:]]


def problems(plan: str, present: Sequence[Rule], wanted: Sequence[Rule]) -> str:
    """Why the zone's plan at Cloudflare does not take these rules; empty where it does."""
    most = MOST_RULES.get(plan)
    count = len(others(present)) + len(wanted)
    if most is not None and count > most:
        return f"it would have {count} cache rules, and plan {plan} takes {most}"
    least = LEAST_S.get(plan, 1)
    for rule in wanted:
        times = [rule["action_parameters"].get(key, {}) for key in ("edge_ttl", "browser_ttl")]
        shortest = min(each.get("default", least) for each in times)
        if shortest < least:
            return (
                f"rule {rule['ref'].removeprefix(_REF)} keeps copies for {shortest} s, and plan "
                f"{plan} takes no less than {least} s"
            )
    return ""


def differences(before: Sequence[Rule], after: Sequence[Rule]) -> list[str]:
    """What a change does to each of our rules, in words: `+ assets`, `- users`, `~ questions`."""
    was, now = _by_name(before), _by_name(after)
    added = [f"+ {name}" for name in now if name not in was]
    gone = [f"- {name}" for name in was if name not in now]
    changed = [f"~ {name}" for name in changing(before, after) if name in was]
    return [*added, *gone, *changed]


def changing(before: Sequence[Rule], after: Sequence[Rule]) -> list[str]:
    """The names of our rules that a change adds, or makes do something else."""
    was = _by_name(before)
    return [
        name
        for name, rule in _by_name(after).items()
        if name not in was or _digest([was[name]]) != _digest([rule])
    ]


def _by_name(some: Sequence[Rule]) -> dict[str, Rule]:
    return {str(rule["ref"]).removeprefix(_REF): rule for rule in some}
