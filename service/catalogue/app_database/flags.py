"""Feature flags in a table of the application: what a rule may say of them, and the plan.

Pure. A target names the table, two of its columns and each flag that may be set. What is `observed`
is the record of `service.catalogue.app_database.flag_work.FlagWork.observe`.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from service.catalogue.app_database.target import AppDatabaseTarget, Name
from service.catalogue.shapes import Shape
from service.catalogue.steps.bounds import nothing_to_do
from service.domain.decisions.planning import Plan, PlanHeld
from service.domain.decisions.requests import Request, Wanted

ON, OFF = "on", "off"
"""The values of a flag, as people read them."""
ENABLE, DISABLE = "enable", "disable"
"""The options. They are not called on and off, which YAML reads as true and false."""
FLAG_STEPS = ("set_flags", "verify_flags")
MOST_FLAGS = 20
"""Flags of one run: a list that a person can read at night."""
LONGEST_ATTRIBUTE = 24
"""Characters of an attribute's name in the ledger (`store/schema.py`)."""
_MARK = "flag "
_DIGEST = 8

FlagNames = Annotated[list[Name], Field(max_length=MOST_FLAGS, default_factory=list)]


class FlagOptions(Shape):
    """The flags that are switched on, and those that are switched off."""

    enable: FlagNames
    disable: FlagNames


def lacks_flags(options: Mapping[str, Any]) -> str:
    """What is wrong with the options as a whole; empty where nothing is."""
    if not options[ENABLE] and not options[DISABLE]:
        return "set_flags needs enable, disable or both, such as {disable: [ai_recommendations]}."
    both = sorted(set(options[ENABLE]) & set(options[DISABLE]))
    if both:
        return f"set_flags cannot both enable and disable {', '.join(both)}."
    return ""


def flag_refusals(target: AppDatabaseTarget, options: Mapping[str, Any]) -> Iterable[str]:
    """What of the options can never be done on this target."""
    if not target.flag_names:
        yield (
            f"target {target.name} names no flags; give it flags: {{table: feature_flags, names: "
            "[…]}, with each flag that may be set."
        )
        return
    for name in (*options[ENABLE], *options[DISABLE]):
        if name not in target.flag_names:
            close = difflib.get_close_matches(name, target.flag_names, n=3, cutoff=0.5)
            known = ", ".join(close or target.flag_names)
            yield f"target {target.name} names no flag {name!r}; it names {known}."


def attribute_of(flag: str) -> str:
    """The attribute of the target that a flag is: its name, or its beginning and a digest where
    the ledger has no room for it."""
    room = LONGEST_ATTRIBUTE - len(_MARK)
    if len(flag) <= room:
        return _MARK + flag
    digest = hashlib.sha256(flag.encode()).hexdigest()[:_DIGEST]
    return f"{_MARK}{flag[: room - _DIGEST - 1]}~{digest}"


def flag_values(observed: Mapping[str, Any]) -> dict[str, int | str]:
    """Each flag that is there, as an attribute with its value."""
    found = (observed.get("flags") or {}).get("values", {})
    return {attribute_of(name): _shown(value) for name, value in found.items() if value is not None}


def flags_changed(plan: Plan) -> dict[str, tuple[Any, Any]]:
    """Each flag that a plan changes, before and after."""
    was, to = plan.wanted["was"], plan.wanted["to"]
    return {attribute_of(name): (_shown(was[name]), _shown(to[name])) for name in to}


def plan_flags(
    target: AppDatabaseTarget, request: Request, observed: Mapping[str, Any]
) -> Plan | PlanHeld:
    """The flags that are not as they are wanted, all of them in one transaction."""
    if not request.wanted:
        for sentence in flag_refusals(target, request.options):
            return PlanHeld("options", f"set_flags of {target.name}: {sentence}")
    wanted, unknown = _wanted(target, request)
    if unknown:
        return PlanHeld(
            "options",
            f"set_flags of {target.name}: the target does not name {', '.join(unknown)} any more. "
            "Nothing was changed.",
        )
    if held := _held(target, wanted, observed):
        return held
    values: Mapping[str, bool] = observed["flags"]["values"]
    theirs = _changed_by_a_person(request.expects, {name: values[name] for name in wanted})
    to = {name: on for name, on in wanted.items() if name not in theirs and values[name] != on}
    if not to:
        return _left(target, theirs, values) if theirs else nothing_to_do(target)
    was = {name: values[name] for name in to}
    return Plan(
        what=f"flag {next(iter(to))}" if len(to) == 1 else "flags",
        before=_listed(was),
        after=_listed(to),
        steps=FLAG_STEPS,
        wanted={
            "place": {
                "table": observed["flags"]["table"],
                "key": target.flag_key,
                "value": target.flag_value,
            },
            "was": was,
            "to": to,
        },
        price_before=0.0,
        price_after=0.0,
        downtime=_told(theirs, values),
    )


def _wanted(target: AppDatabaseTarget, request: Request) -> tuple[dict[str, bool], list[str]]:
    """Each flag with the value it shall have, and the attributes that the target does not know."""
    if not request.wanted:
        options = request.options
        enabled = dict.fromkeys(options[ENABLE], True)
        return {**enabled, **dict.fromkeys(options[DISABLE], False)}, []
    flags = {attribute_of(name): name for name in target.flag_names}
    expected = {each.attribute: each.to for each in request.expects}
    found: dict[str, bool] = {}
    for each in request.wanted:
        if each.attribute in flags:
            # A return only says that it is back: then it is what the last change had not made.
            back = each.to if each.to is not None else _other(expected.get(each.attribute))
            found[flags[each.attribute]] = back == ON
    return found, [each.attribute for each in request.wanted if each.attribute not in flags]


def _other(value: object) -> str:
    return OFF if value == ON else ON


def _changed_by_a_person(expects: Iterable[Wanted], values: Mapping[str, bool]) -> list[str]:
    """The flags that are no longer what a run had made of them."""
    expected = {each.attribute: each.to for each in expects}
    shown = {name: _shown(value) for name, value in values.items()}
    return [name for name in shown if expected.get(attribute_of(name), shown[name]) != shown[name]]


def _left(target: AppDatabaseTarget, theirs: list[str], values: Mapping[str, bool]) -> PlanHeld:
    return PlanHeld(
        "changed_by_a_person",
        f"{target.name}: somebody changed {', '.join(theirs)} since. Left as it is: "
        f"{_listed({name: values[name] for name in theirs})}.",
        by_person=True,
    )


def _told(theirs: list[str], values: Mapping[str, bool]) -> str:
    said = (
        "No downtime. All of it is one transaction. The application sees it when it next reads the "
        "table, so a cache of its own may show the old value for a while."
    )
    if not theirs:
        return said
    kept = ", ".join(f"{name} {_shown(values[name])}" for name in theirs)
    return f"{said} Left as it is, because a person changed it since: {kept}."


def _held(
    target: AppDatabaseTarget, wanted: Mapping[str, bool], observed: Mapping[str, Any]
) -> PlanHeld | None:
    """Why these flags cannot be set in the table as it is."""
    server, seen = observed["server"], observed["flags"]
    table = target.flag_table
    if server["replica"]:
        return PlanHeld(
            "replica",
            f"{target.name} is a replica, which takes no changes. Nothing was changed. Set "
            "APP_DATABASE_URL to the primary.",
        )
    if seen is None or seen["table"] == "":
        close = ", ".join(observed.get("close", ()))
        meant = f"Close to it: {close}." if close else "No table has a name like it."
        return PlanHeld(
            "unknown_table",
            f"{target.name} has no table {table}. {meant} Nothing was changed. Correct the "
            "target's flags.",
        )
    for column in (target.flag_key, target.flag_value):
        if column not in seen["columns"]:
            close = ", ".join(difflib.get_close_matches(column, seen["columns"], n=3, cutoff=0.5))
            return PlanHeld(
                "unknown_column",
                f"Table {seen['table']} has no column {column}. "
                f"{'Close to it' if close else 'It has'}: {close or ', '.join(seen['columns'])}. "
                "Nothing was changed. Correct the target's flags.",
            )
    if seen["type"] != "boolean":
        return PlanHeld(
            "not_boolean",
            f"Column {target.flag_value} of {seen['table']} is of type {seen['type']}, and a flag "
            "is a boolean. Nothing was changed. Correct the target's flags.",
        )
    if not seen["may"]:
        return PlanHeld("rights", _lacks(target, server, seen))
    return _not_one_row(target, wanted, seen)


def _lacks(target: AppDatabaseTarget, server: Mapping[str, Any], seen: Mapping[str, Any]) -> str:
    key, value, role = target.flag_key, target.flag_value, server["role"]
    return (
        f"{target.name}: role {role} may not read and set flags in {seen['table']}. Nothing was "
        f"changed. Run this as the table's owner: GRANT SELECT ({key}, {value}), UPDATE ({value}) "
        f"ON {seen['table']} TO {role};"
    )


def _not_one_row(
    target: AppDatabaseTarget, wanted: Mapping[str, bool], seen: Mapping[str, Any]
) -> PlanHeld | None:
    rows: Mapping[str, int] = seen["rows"]
    for name in wanted:
        count = rows.get(name, 0)
        if count == 0:
            return PlanHeld(
                "unknown_flag",
                f"{target.name}: {seen['table']} has no row for flag {name}, or role policies hide "
                "it. Nothing was changed: none is made, because only the application knows what "
                "else belongs to it.",
            )
        if count > 1:
            return PlanHeld(
                "several_rows",
                f"{target.name}: {seen['table']} has {count} rows for flag {name}, and which one "
                "is meant is not known. Nothing was changed.",
            )
        if seen["values"][name] is None:
            return PlanHeld(
                "no_value",
                f"{target.name}: flag {name} is null in {seen['table']}, neither on nor off. "
                "Nothing was changed, because it could not be put back.",
            )
    return None


def _shown(on: bool) -> str:
    return ON if on else OFF


def _listed(flags: Mapping[str, bool]) -> str:
    """`on` of one flag; `ai_recommendations on, quiz_hints off` of several."""
    if len(flags) == 1:
        return _shown(next(iter(flags.values())))
    return ", ".join(f"{name} {_shown(on)}" for name, on in flags.items())
