"""The operator API: the endpoints by which people change something.

This module reads the request and writes the answer. What may be done is decided in
`service.triggers.people`, which the terminal uses too.
"""

from __future__ import annotations

from functools import partial
from typing import Any, TypeVar

from flask import Blueprint, Response, g, request
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError

from service.domain.decisions.approval import APPROVED, REJECTED
from service.domain.decisions.controls import HOLD, LOCK, PAUSE
from service.domain.people import BadRequest, Conflict, Forbidden, NotFound, Person, Refusal
from service.domain.scenarios.scenarios import is_scenario_run
from service.store.audit import AuditStore
from service.store.filters import paging
from service.triggers.people.asked import Scope
from service.triggers.people.people import Asked, People
from service.triggers.people.tokens import Tokens
from service.triggers.scenarios.starting import ScenarioPeople
from service.web.answers import answer, refusal
from service.web.parts import ControlParts
from service.web.refused import Refused

LARGEST_BODY = 64 * 1024
"""Bytes of a request that changes something; the longest reason has 500 characters."""
_CONTROLS = {"pauses": PAUSE, "locks": LOCK, "holds": HOLD}
_STATUS: dict[type[Refusal], int] = {BadRequest: 422, NotFound: 404, Conflict: 409, Forbidden: 403}
_Body = TypeVar("_Body", bound=BaseModel)


class _Strict(BaseModel):
    """A body: no unknown fields, and nothing that has to be converted."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)


class ControlBody(_Strict):
    """A pause, lock or hold. `for` is a duration such as 30m: everything has an end."""

    target: StrictStr | None = None
    rule: StrictStr | None = None
    direction: StrictStr | None = None
    for_: StrictStr = Field(alias="for")
    why: StrictStr
    pin: StrictBool = False


class ReasonBody(_Strict):
    """Why, in a few words."""

    why: StrictStr = ""


class RunBody(_Strict):
    """A change that a person asks for: `to` is values, `step` is steps up or, below zero, down.
    `with` are the options of an action that moves nothing, as in a rule. What only tells or decides
    needs no target."""

    action: StrictStr
    target: StrictStr = ""
    to: dict[str, StrictStr | StrictInt] | None = None
    step: StrictInt | None = None
    with_: dict[str, Any] = Field(default_factory=dict, alias="with")
    why: StrictStr
    override: StrictStr = ""
    plan: StrictBool = False
    for_: StrictStr = Field(default="", alias="for")
    pin: StrictBool = False


class ScenarioBody(_Strict):
    """A scenario that a person starts, or with `plan` only looks at."""

    why: StrictStr
    plan: StrictBool = False


class SignoffBody(_Strict):
    """A sign-off: `as` is one of the groups of the person's token. `plan` is the hash that was
    read, so that another plan is not signed by mistake."""

    as_: StrictStr = Field(alias="as")
    why: StrictStr
    plan: StrictStr = ""


class DecisionBody(_Strict):
    """Why, and the plan's hash as it was read: another plan is not approved by mistake."""

    why: StrictStr = ""
    plan: StrictStr = ""


class TokenBody(_Strict):
    """A new token; `for` is how long it is good, for ever when it is left out."""

    name: StrictStr
    roles: list[StrictStr]
    groups: list[StrictStr] = []
    for_: StrictStr | None = Field(default=None, alias="for")


def add_control(api: Blueprint, parts: ControlParts, refused: Refused) -> None:
    """The writing endpoints, on the blueprint that knows who asks (`g.person`) and has asked for
    the role (`service.web.permissions`)."""
    _controls(api, parts.people)
    _runs(api, parts.people)
    _scenarios(api, parts.people.scenarios)
    _approvals(api, parts.people)
    _jobs(api, parts.people)
    _rules(api, parts.people)
    _tokens(api, parts.tokens)
    _records(api, parts.audit)
    api.register_error_handler(Refusal, partial(_refused, refused))


def _controls(api: Blueprint, people: People) -> None:
    @api.get("/<any(pauses, locks, holds):plural>")
    def controls(plural: str) -> Response:
        items = [each.to_json() for each in people.in_force(_CONTROLS[plural])]
        return answer({"items": items, "next": None}).to_flask()

    @api.post("/<any(pauses, locks, holds):plural>")
    def put(plural: str) -> Response:
        body = _body(ControlBody)
        scope = Scope(body.target, body.rule, body.direction, body.pin)
        control, going_on = people.put(person(), _CONTROLS[plural], scope, body.for_, body.why)
        return answer({**control.to_json(), "going_on": going_on}, 201).to_flask()

    @api.delete("/<any(pauses, locks, holds):plural>/<path:control_id>")
    def end(plural: str, control_id: str) -> Response:
        why = _body(ReasonBody).why
        ended = people.end(person(), _CONTROLS[plural], control_id, why)
        return answer(ended.to_json()).to_flask()

    @api.post("/targets/<path:name>/release")
    def release(name: str) -> Response:
        why = _body(ReasonBody).why
        ended = [each.to_json() for each in people.release(person(), name, why)]
        return answer({"target": name, "ended": ended}).to_flask()

    @api.post("/targets/<path:name>/unlock")
    def unlock(name: str) -> Response:
        why = _body(ReasonBody).why
        ended = [each.to_json() for each in people.unlock(person(), name, why)]
        return answer({"target": name, "ended": ended}).to_flask()

    @api.post("/targets/<path:name>/resume")
    def resume(name: str) -> Response:
        why = _body(ReasonBody).why
        ended = people.resume(person(), None if name == "all" else name, why)
        return answer({"target": name, "ended": [each.to_json() for each in ended]}).to_flask()


def _runs(api: Blueprint, people: People) -> None:
    @api.post("/runs")
    def ask_run() -> Response:
        body = _body(RunBody)
        asked = people.run(
            person(),
            body.action,
            body.target,
            to=body.to,
            step=body.step,
            why=body.why,
            override=body.override,
            plan_only=body.plan,
            lasts=body.for_,
            pin=body.pin,
            options=body.with_,
        )
        return _asked(asked)

    @api.post("/runs/<path:run_id>/cancel")
    def cancel(run_id: str) -> Response:
        if is_scenario_run(run_id):
            state = people.scenarios.cancel(person(), run_id, _body(ReasonBody).why)
            said = {"id": run_id, "status": state, "cancel": "asked"}
            return answer(said, 202).to_flask()
        stopping = people.cancel(person(), run_id, _body(ReasonBody).why)
        said = {"id": run_id, "status": stopping.status, "cancel": "asked"}
        return answer(said, 202).to_flask()

    @api.post("/runs/<path:run_id>/retry")
    def retry(run_id: str) -> Response:
        return _asked(people.retry(person(), run_id, _body(ReasonBody).why))

    @api.post("/runs/<path:run_id>/undo")
    def undo(run_id: str) -> Response:
        if is_scenario_run(run_id):
            people.scenarios.undo(person(), run_id, _body(ReasonBody).why)
            return answer(people.scenarios.one(run_id), 201).to_flask()
        return _asked(people.undo(person(), run_id, _body(ReasonBody).why))


def _scenarios(api: Blueprint, scenarios: ScenarioPeople) -> None:
    @api.get("/scenarios")
    def all_scenarios() -> Response:
        return answer(scenarios.all(paging(request.args).limit)).to_flask()

    @api.get("/scenarios/runs/<path:run_id>")
    def scenario_run(run_id: str) -> Response:
        return answer(scenarios.one(run_id)).to_flask()

    @api.post("/scenarios/runs/<path:run_id>/signoffs")
    def sign_off(run_id: str) -> Response:
        body = _body(SignoffBody)
        made = scenarios.sign(person(), run_id, body.as_, body.why, body.plan)
        return answer({"run": run_id, **made.to_json()}, 201).to_flask()

    @api.post("/scenarios/<path:name>/runs")
    def start_scenario(name: str) -> Response:
        body = _body(ScenarioBody)
        started = scenarios.start(person(), name, body.why, plan_only=body.plan)
        return answer(started.to_json(), 201).to_flask()


def _approvals(api: Blueprint, people: People) -> None:
    @api.get("/approvals")
    def approvals() -> Response:
        asked = paging(request.args)
        return answer({"items": people.approvals(asked.limit), "next": None}).to_flask()

    @api.before_request
    def may_decide() -> None:
        """The approval itself says who may; asked, like every role, before the body is read."""
        view = request.view_args or {}
        if request.method != "POST" or "approval_id" not in view:
            return
        if is_scenario_run(view["approval_id"]):
            people.scenarios.decidable(person(), view["approval_id"])
        else:
            people.decidable(person(), view["approval_id"])

    @api.post("/approvals/<path:approval_id>/<any(approve, reject):verb>")
    def decide(approval_id: str, verb: str) -> Response:
        body = _body(DecisionBody)
        state = APPROVED if verb == "approve" else REJECTED
        if is_scenario_run(approval_id):
            people.scenarios.decide(person(), approval_id, state, body.why, body.plan)
            said = {"id": approval_id, "state": state, "run": approval_id, "next_run": None}
            return answer(said).to_flask()
        made = people.decide(person(), approval_id, state, body.why, body.plan)
        said = {"id": made.id, "state": state, "run": made.run, "next_run": made.next_run}
        return answer(said).to_flask()


def _jobs(api: Blueprint, people: People) -> None:
    @api.get("/jobs")
    def jobs() -> Response:
        return answer({"items": people.jobs(), "next": None}).to_flask()

    @api.post("/jobs/<path:name>/run")
    def run_job(name: str) -> Response:
        return _asked(people.run_job(person(), name, _body(ReasonBody).why))


def _rules(api: Blueprint, people: People) -> None:
    @api.post("/rules/<path:name>/promote")
    def promote(name: str) -> Response:
        ended = people.promote(person(), name, _body(ReasonBody).why)
        return answer({"rule": name, "ended": ended.to_json()}).to_flask()


def _tokens(api: Blueprint, tokens: Tokens) -> None:
    @api.get("/me")
    def me() -> Response:
        return answer(person().to_json()).to_flask()

    @api.get("/tokens")
    def all_tokens() -> Response:
        return answer({"items": tokens.all(person()), "next": None}).to_flask()

    @api.post("/tokens")
    def new_token() -> Response:
        body = _body(TokenBody)
        made = tokens.new(person(), body.name, body.roles, body.groups, body.for_)
        return answer(made, 201).to_flask()

    @api.delete("/tokens/<path:name>")
    def revoke_token(name: str) -> Response:
        tokens.revoke(person(), name)
        return answer({"name": name, "revoked": True}).to_flask()


def _records(api: Blueprint, record: AuditStore) -> None:
    @api.get("/audit")
    def audit() -> Response:
        asked = paging(request.args, "who", "subject")
        page = record.entries(
            asked.limit, asked.after, request.args.get("who"), request.args.get("subject")
        )
        return answer(page.to_json()).to_flask()


def person() -> Person:
    """Who asks, as the blueprint found out."""
    found: Person = g.person
    return found


def _asked(asked: Asked) -> Response:
    return answer(asked.to_json(), 201).to_flask()


def _body(model: type[_Body]) -> _Body:
    """The body as its model; no body is an empty one.

    Raises:
        BadRequest: it is not JSON, or has a field that is wrong, missing or not known.
    """
    request.max_content_length = LARGEST_BODY
    raw = request.get_data(cache=False) or b"{}"
    try:
        body = model.model_validate_json(raw)
    except ValidationError as invalid:
        raise BadRequest(_sentence(invalid, model)) from None
    for field, value in body.model_dump(by_alias=True).items():
        if _holds_nul(value):
            raise BadRequest(f"{field}: it holds a NUL character, which cannot be stored.")
    return body


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(map(_holds_nul, value))


def _sentence(invalid: ValidationError, model: type[BaseModel]) -> str:
    error = invalid.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in error["loc"])
    known = ", ".join(info.alias or name for name, info in model.model_fields.items())
    if error["type"] == "json_invalid":
        return "The body is not JSON."
    if error["type"] == "extra_forbidden":
        return f"{field} is not known; there is {known}."
    if error["type"] == "missing":
        return f"{field} is missing. The body has {known}."
    return f"{field}: {error['msg']}." if field else f"The body must be a JSON object with {known}."


def _refused(refused: Refused, error: Refusal) -> Response:
    status = next(code for kind, code in _STATUS.items() if isinstance(error, kind))
    if isinstance(error, Forbidden):
        refused.forbidden(request.method, request.path, person(), error.sentence)
    return refusal(status, error.sentence).to_flask()
