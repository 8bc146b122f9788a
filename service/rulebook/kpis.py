"""A file of KPIs, read and checked whole."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from service.catalogue.shapes import Shape, Text
from service.domain.durations import parse_duration
from service.domain.kpis.kpi import Compared, Kpi
from service.rulebook.document import Document, Place, read_document
from service.rulebook.errors import Problems
from service.rulebook.schema import read_shape

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SHARE = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,4})?)%")
_NEEDED = ("what", "value", "better", "target", "objective", "good", "total", "signal")
_FOR_ALERTS = ("for", "severity")
_LONGEST_FOR_DAYS = 1


class _KpiShape(Shape):
    name: Annotated[str, Field(pattern=rf"^{_NAME.pattern}$")] | None = Field(
        default=None, description="1 to 63 of a-z, 0-9 and _, beginning with a letter"
    )
    what: Text | None = None
    value: Text | None = None
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    target: float | None = Field(default=None, description="a number")
    alert: float | None = Field(default=None, description="a number")
    for_: Text | None = Field(default=None, alias="for", description="a duration such as 5m")
    severity: Literal["critical", "error", "warning", "info"] | None = None
    signal: Annotated[str, Field(pattern=rf"^{_NAME.pattern}$")] | None = Field(
        default=None, description="the label `signal` of its alerts, such as latency"
    )
    objective: Annotated[str, Field(pattern=rf"^{_SHARE.pattern}$")] | None = Field(
        default=None, description="a share in percent, such as 99.9%"
    )
    good: Text | None = None
    total: Text | None = None
    alerts: dict[str, Any] | None = None


def load_kpis(path: Path) -> tuple[Kpi, ...]:
    """The KPIs of a file, in its order.

    Raises:
        RuleBookInvalid: with every error in it, by line.
    """
    problems = Problems()
    document = read_document(path, problems)
    found: list[Kpi] = []
    if document is not None:
        data = document.data if isinstance(document.data, dict) else {}
        for key in data:
            if key != "kpis":
                problems.add(document.file, document.line((key,)), f"unknown key {key!r}.")
        listed = data.get("kpis")
        if not isinstance(listed, list) or not listed:
            problems.add(document.file, 1, "a file of KPIs has a list `kpis`.")
        else:
            for index, raw in enumerate(listed):
                if kpi := _kpi(document, ("kpis", index), raw, problems):
                    found.append(kpi)
            _check_names(document, found, problems)
    problems.concluded([str(path)])
    return tuple(found)


def alert_expressions(path: Path) -> Mapping[str, str]:
    """The expressions of the alerts in a rule file of Prometheus, by name; none of another file."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        rules = [rule for group in data["groups"] for rule in group["rules"]]
        return {str(rule["alert"]): str(rule["expr"]) for rule in rules if "alert" in rule}
    except (yaml.YAMLError, KeyError, TypeError):
        return {}


def _kpi(document: Document, place: Place, raw: Any, problems: Problems) -> Kpi | None:
    wrong: list[str] = []

    def complain(where: Place, sentence: str) -> None:
        wrong.append(sentence)
        problems.add(document.file, document.line(where), sentence)

    if not isinstance(raw, dict):
        complain(place, "a KPI is a mapping with a name, a target and expressions.")
        return None
    shape = read_shape(_KpiShape, raw, place, complain).shape
    if wrong:
        return None
    if shape.name is None:
        complain(place, "name is missing.")
    needed = (*_NEEDED, *(_FOR_ALERTS if shape.alert is not None else ()))
    given = shape.model_dump(by_alias=True)
    for key in needed:
        if given[key] is None:
            complain(place, f"KPI {shape.name}: {key} is missing.")
    if not wrong:
        _check_values(shape, place, complain)
    return None if wrong else _built(shape, document.line(place))


def _check_values(shape: _KpiShape, place: Place, complain: Any) -> None:
    higher = shape.better == "higher"
    share = _share(shape.objective or "")
    if not 0 < share < 1:
        complain((*place, "objective"), "objective must be above 0% and below 100%.")
    if shape.alert is not None and shape.target is not None:
        stricter = shape.alert > shape.target if higher else shape.alert < shape.target
        if stricter:
            complain(
                (*place, "alert"),
                f"KPI {shape.name}: alert {shape.alert:g} is stricter than its target "
                f"{shape.target:g}, so it would alert while the target is met.",
            )
    if shape.for_ is not None:
        try:
            parse_duration(shape.for_, _LONGEST_FOR_DAYS)
        except ValueError as error:
            complain((*place, "for"), f"for: {error}.")
    for name, factor in (shape.alerts or {}).items():
        if isinstance(factor, bool) or not isinstance(factor, int | float | str) or not factor:
            sentence = f"alerts.{name} must be a factor to this unit, or why there is none."
            complain((*place, "alerts", name), sentence)


def _built(shape: _KpiShape, line: int) -> Kpi:
    given = shape.model_dump()
    return Kpi(
        **{key: given[key] for key in ("name", "what", "unit", "value", "good", "total", "target")},
        alert=shape.alert,
        for_=shape.for_ or "",
        higher=shape.better == "higher",
        signal=shape.signal or "",
        severity=shape.severity or "",
        objective=_share(shape.objective or ""),
        alerts={name: _compared(factor) for name, factor in (shape.alerts or {}).items()},
        line=line,
    )


def _compared(factor: float | str) -> Compared:
    return Compared(not_because=factor) if isinstance(factor, str) else Compared(float(factor))


def _share(text: str) -> float:
    found = _SHARE.fullmatch(text)
    return round(float(found[1]) / 100, 9) if found else 0.0


def _check_names(document: Document, found: list[Kpi], problems: Problems) -> None:
    seen: dict[str, int] = {}
    for kpi in found:
        if kpi.name in seen:
            sentence = f"KPI {kpi.name} is already on line {seen[kpi.name]}."
            problems.add(document.file, kpi.line, sentence)
        seen.setdefault(kpi.name, kpi.line)
