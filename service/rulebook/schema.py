"""The shape of a rule in YAML, and sentences for whatever does not have its shape.

Every key is optional here: what an action or a kind needs is checked where it can be said why. A
key with the wrong kind of value is noted and left out, so that one slip does not hide the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel, Field, ValidationError
from pydantic.fields import FieldInfo

from service.catalogue.actions import MAX_STEP
from service.catalogue.shapes import Shape, Text
from service.rulebook.bounds import MAX_GIVE_UP, MAX_SLO_OF, MAX_TRANSITIONS, MIN_TRANSITIONS
from service.rulebook.document import Place
from service.rulebook.errors import suggestion

Note = Callable[[Place, str], None]
"""Notes what is wrong at a place of a file."""

NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
"""Names of rules and targets: they become part of run ids and PagerDuty's dedup_key."""


class RuleShape(Shape):
    """A rule; `match` is still in Alertmanager's syntax, durations in Prometheus'."""

    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")] | None = Field(
        default=None,
        description="1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit",
    )
    match: list[Text] | None = None
    action: Text | None = None
    target: Text | None = None
    with_: dict[str, Any] | None = Field(default=None, alias="with")
    cooldown: Text | None = Field(default=None, description="a duration such as 10m")
    settle: Text | None = Field(default=None, description="a duration such as 2m")
    for_: Text | None = Field(default=None, alias="for", description="a duration such as 2m")
    flapping: dict[str, Any] | None = None
    expect: Text | None = Field(default=None, description="a duration such as 10m")
    give_up: Annotated[int, Field(ge=1, le=MAX_GIVE_UP)] | None = None
    slo: dict[str, Any] | None = None
    mode: Literal["act", "approve", "shadow", "off"] | None = None
    approval: dict[str, Any] | None = None
    return_: dict[str, Any] | None = Field(default=None, alias="return")
    severity: Literal["critical", "error", "warning", "info"] | None = None
    continue_: bool = Field(default=False, alias="continue")


class FlappingShape(Shape):
    """How often an alert may turn within which time."""

    transitions: Annotated[int, Field(ge=MIN_TRANSITIONS, le=MAX_TRANSITIONS)] | None = None
    within: Text | None = Field(default=None, description="a duration such as 10m")


class SloShape(Shape):
    """Which share of how many changes has to clear its alerts."""

    cleared: Annotated[float, Field(gt=0, le=1)] | None = Field(
        default=None, description="a share above 0 and at most 1, such as 0.8"
    )
    of: Annotated[int, Field(ge=1, le=MAX_SLO_OF)] | None = None


class ApprovalShape(Shape):
    """Who may approve, how long is waited, and what follows when nobody decides."""

    from_: Annotated[list[Text], Field(min_length=1)] | None = Field(
        default=None, alias="from", description="a list of roles or groups, such as [approver]"
    )
    wait: Text | None = Field(default=None, description="a duration such as 15m")
    otherwise: Literal["hold", "page", "act"] | None = None


class ReturnShape(Shape):
    """When what alerts added is taken back, how much at once, and while which reading holds."""

    after: Text | None = Field(default=None, description="a duration such as 30m")
    step: int | None = Field(default=None, ge=1, le=MAX_STEP)
    when: Text | None = Field(default=None, description="a reading and its limit, such as x < 70")
    window: dict[str, Any] | None = None
    zone: Text | None = None


ShapeT = TypeVar("ShapeT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Read(Generic[ShapeT]):
    """What could be read, and the keys that were noted as wrong and left out."""

    shape: ShapeT
    wrong: frozenset[str]


def read_shape(
    shape: type[ShapeT], raw: Mapping[str, Any], place: Place, complain: Note
) -> Read[ShapeT]:
    """Read `raw` as `shape`, noting each key that is unknown or holds the wrong kind of value."""
    try:
        return Read(shape.model_validate(raw), frozenset())
    except ValidationError as invalid:
        wrong = frozenset(_complain_of_each(invalid, shape, place, complain))
    kept = {key: value for key, value in raw.items() if key not in wrong}
    return Read(shape.model_validate(kept), wrong)


def _complain_of_each(
    invalid: ValidationError, shape: type[BaseModel], place: Place, complain: Note
) -> Iterator[str]:
    for error in invalid.errors(include_url=False):
        where = error["loc"]
        sentence = _sentence(error["type"], where, error.get("ctx", {}), error["input"], shape)
        complain((*place, *where), sentence)
        yield str(where[0])


_WANTED = {
    "string_type": "text (a number needs quotes to be text)",
    "int_type": "a whole number, written in plain digits",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "literal_error": "{expected}",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
}
"""By pydantic's name for the fault: what was wanted."""


def _sentence(
    fault: str,
    where: tuple[int | str, ...],
    context: Mapping[str, Any],
    given: object,
    shape: type[BaseModel],
) -> str:
    name = _dotted(where)
    if fault == "extra_forbidden":
        return f"unknown key {name}; {suggestion(str(where[-1]), _known_keys(shape, where))}"
    if fault == "missing":
        return f"{name} is missing."
    if fault == "string_too_short":
        return f"{name} is empty."
    described = _described(shape, where)
    if fault == "value_error" and not described:  # a check of our own, which says what is wanted
        return f"{name} {context['error']}, not {_shown(given)}."
    wanted = described or _WANTED.get(fault, "something else").format(**context)
    return f"{name} must be {wanted}, not {_shown(given)}."


def _dotted(where: tuple[int | str, ...]) -> str:
    """`replicas.min`, `sizes[2]` (counted from 1, as people do)."""
    text = ""
    for part in where:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _known_keys(shape: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    """The keys of the mapping in which an unknown one was found."""
    fields = _innermost(shape, where).model_fields.items()
    return [field.alias or name for name, field in fields]


def _innermost(shape: type[BaseModel], where: tuple[int | str, ...]) -> type[BaseModel]:
    """The model of the mapping that holds the last key."""
    model = shape
    for part in where[:-1]:
        model = _model_in(_field(model, part)) or model
    return model


def _described(shape: type[BaseModel], where: tuple[int | str, ...]) -> str:
    """What the key itself says is wanted of it, where that tells more than pydantic's fault."""
    field = _field(shape, where[0])
    within_a_list = len(where) == 2 and isinstance(where[1], int)  # noqa: PLR2004 - key and index
    if field is None:
        return ""
    if len(where) > 1 and not within_a_list:
        return _described_within(field.annotation, where[-1])
    inner = [text for part in get_args(field.annotation) for text in _descriptions(part)]
    of_the_list = "" if within_a_list else field.description
    return of_the_list or next(iter(inner), "")


def _described_within(annotation: object, key: int | str) -> str:
    """What a key of the mappings in a list or a mapping says is wanted of it."""
    for part in get_args(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            field = _field(part, key)
            return (field.description or "") if field is not None else ""
        if found := _described_within(part, key):
            return found
    return ""


def _descriptions(annotation: object) -> list[str]:
    said = [getattr(each, "description", None) for each in getattr(annotation, "__metadata__", ())]
    return [text for text in said if text]


def _field(model: type[BaseModel], key: int | str) -> FieldInfo | None:
    fields = model.model_fields.items()
    return next((field for name, field in fields if (field.alias or name) == key), None)


def _model_in(field: FieldInfo | None) -> type[BaseModel] | None:
    """The model of a key that holds a mapping of its own, or a list of them."""
    either = get_args(field.annotation) if field else ()
    parts = [*either, *(part for each in either for part in get_args(each))]
    return next(
        (each for each in parts if isinstance(each, type) and issubclass(each, BaseModel)), None
    )


def _shown(given: object) -> str:
    if given is None:
        return "nothing"
    if isinstance(given, bool):
        return str(given).lower()
    return repr(given) if len(repr(given)) <= 60 else f"{repr(given)[:57]}..."  # noqa: PLR2004 - a line's worth
