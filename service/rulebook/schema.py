"""The shape of targets and rules in YAML, and sentences for what does not have it.

Every key is optional here: what an action or a kind needs is checked where it can be said why
(`targets`, `rules`). A key with the wrong kind of value is noted and left out, so that one slip
does not hide the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from service.domain.rules.rules import TargetKind
from service.rulebook.bounds import MAX_DROPLET_DIGITS, MAX_INSTANCES
from service.rulebook.document import Place
from service.rulebook.errors import suggestion
from service.rulebook.substitution import Complain

NAME_PATTERN = r"[a-z0-9][a-z0-9_-]{0,62}"
"""Names of rules and targets: they become part of run ids and PagerDuty's dedup_key."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=False)


def _digits(value: object) -> object:
    return str(value) if type(value) is int else value


Text = Annotated[str, Field(min_length=1)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+")]
Sizes = list[Text]
DropletId = Annotated[
    str,
    BeforeValidator(_digits),
    # A ${NAME} that could not be put in stays as it is written, and has been noted already.
    Field(pattern=rf"^[0-9]{{1,{MAX_DROPLET_DIGITS}}}$|\$\{{"),
]


class ReplicaBounds(_Strict):
    """How few and how many instances a component may have."""

    min: int | None = Field(default=None, ge=1, le=MAX_INSTANCES)
    max: int | None = Field(default=None, ge=1, le=MAX_INSTANCES)


class AppShape(_Strict):
    """A component of an App Platform app."""

    kind: str
    app: Text | None = None
    component: Text | None = None
    replicas: ReplicaBounds | None = None
    sizes: Sizes | None = None
    health_url: Url | None = None


class DropletShape(_Strict):
    """A droplet; its id is a number, so it may be written as one."""

    kind: str
    droplet: DropletId | None = None
    sizes: Sizes | None = None
    health_url: Url | None = None


class SupabaseShape(_Strict):
    """A Supabase project."""

    kind: str
    project: Text | None = None
    sizes: Sizes | None = None


TargetShape = AppShape | DropletShape | SupabaseShape

SHAPE_OF: Mapping[TargetKind, type[TargetShape]] = {
    TargetKind.APP_PLATFORM: AppShape,
    TargetKind.DROPLET: DropletShape,
    TargetKind.SUPABASE: SupabaseShape,
}


class RuleShape(_Strict):
    """A rule; `match` is still in Alertmanager's syntax, durations in Prometheus'."""

    name: Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")] | None = None
    match: list[Text] | None = None
    action: Text | None = None
    target: Text | None = None
    with_: dict[str, Any] | None = Field(default=None, alias="with")
    cooldown: Text | None = None
    settle: Text | None = None
    severity: Literal["critical", "error", "warning", "info"] | None = None
    continue_: bool = Field(default=False, alias="continue")


class HorizontalOptions(_Strict):
    """`with` of horizontal_scale: how many instances one step adds."""

    step: int = Field(default=1, ge=1, le=MAX_INSTANCES)


ShapeT = TypeVar("ShapeT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Read(Generic[ShapeT]):
    """What could be read, and the keys that were noted as wrong and left out."""

    shape: ShapeT
    wrong: frozenset[str]


def read_shape(
    shape: type[ShapeT], raw: Mapping[str, Any], place: Place, complain: Complain
) -> Read[ShapeT]:
    """Read `raw` as `shape`, noting each key that is unknown or holds the wrong kind of value."""
    try:
        return Read(shape.model_validate(raw), frozenset())
    except ValidationError as invalid:
        wrong = frozenset(_complain_of_each(invalid, shape, place, complain))
    kept = {key: value for key, value in raw.items() if key not in wrong}
    return Read(shape.model_validate(kept), wrong)


def _complain_of_each(
    invalid: ValidationError, shape: type[BaseModel], place: Place, complain: Complain
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

_WANTED_OF_KEY = {
    "name": "1 to 63 of a-z, 0-9, - and _, beginning with a letter or digit",
    "cooldown": "a duration such as 10m",
    "settle": "a duration such as 2m",
    "droplet": f"the droplet's id, a number of at most {MAX_DROPLET_DIGITS} digits",
    "health_url": "an address that begins with http:// or https://",
}
"""Where the key itself tells better what was wanted."""


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
    if fault == "string_too_short":
        return f"{name} is empty."
    wanted = _WANTED_OF_KEY.get(name) or _WANTED.get(fault, "something else").format(**context)
    return f"{name} must be {wanted}, not {_shown(given)}."


def _dotted(where: tuple[int | str, ...]) -> str:
    """`replicas.min`, `sizes[2]` (counted from 1, as people do)."""
    text = ""
    for part in where:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _known_keys(shape: type[BaseModel], where: tuple[int | str, ...]) -> list[str]:
    model = ReplicaBounds if len(where) > 1 else shape
    return [field.alias or name for name, field in model.model_fields.items()]


def _shown(given: object) -> str:
    if given is None:
        return "nothing"
    if isinstance(given, bool):
        return str(given).lower()
    return repr(given) if len(repr(given)) <= 60 else f"{repr(given)[:57]}..."  # noqa: PLR2004 - a line's worth
