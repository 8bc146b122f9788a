"""What people press and type in Slack: /slack/interactions and /slack/commands.

Nobody is believed before the signature over the raw body is right. A press is answered within
Slack's three seconds. What came of it is told by the address that came with the press. The message
itself is edited by a worker, which also edits it when somebody decides elsewhere.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol
from urllib.parse import parse_qs

import structlog
from flask import Blueprint, Response, request
from pydantic import BaseModel, Field, StrictStr, ValidationError

from service.domain.errors import StoreConflict, StoreUnavailable, VendorError
from service.domain.filters import BadFilter
from service.domain.people import Forbidden, Person, Refusal
from service.domain.slack import is_signed, people_of, unsigned
from service.providers.slack_replies import shown
from service.triggers.people.pressing import Pressing, Said
from service.web.answers import answer, refusal
from service.web.parts import WebParts
from service.web.refused import Refused
from service.web.slack_commands import typed_answer

ANSWERED_WITHIN_S = 2.0
"""Slack waits three seconds; the way to it and back takes some of them."""
_AT_A_TIME, _MOST_WAITING = 4, 64
"""Presses that are worked on at a time, and that wait for it. Slack shows the presser a refusal."""
_MOST_FIELDS = 32
"""Fields of a form. Slack sends about twelve."""
_LONGEST_ID, _LONGEST_TEXT = 64, 1_000
"""Characters of a Slack user id, and of what is typed after `/runbook`."""
_log = structlog.get_logger(__name__)
_Short = Annotated[StrictStr, Field(max_length=200)]


class Reply(Protocol):
    """Answers a press, as `service.providers.slack_replies.reply`."""

    def __call__(self, url: str, text: str, *, thread: str = "") -> None:
        """Answer the presser alone, or with `thread` everybody in that thread."""


class _User(BaseModel):
    id: _Short


class _Action(BaseModel):
    action_id: _Short
    value: _Short = ""


class _Container(BaseModel):
    message_ts: _Short = ""


class Press(BaseModel):
    """A press of a button, in the form of Slack's `block_actions`. The rest of it is not read."""

    type: Literal["block_actions"]
    user: _User
    actions: Annotated[list[_Action], Field(min_length=1, max_length=1)]
    container: _Container = _Container()
    response_url: Annotated[StrictStr, Field(max_length=2_000)] = ""


@dataclass(slots=True)
class _Aside:
    """Works on presses beside the requests, within a bound."""

    _pool: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(_AT_A_TIME, "slack"), init=False
    )
    _room: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(_MOST_WAITING), init=False
    )

    def start(self, work: Callable[[], None]) -> bool:
        """Begin, or return False where there is no room."""
        if not self._room.acquire(blocking=False):
            return False

        def bounded() -> None:
            try:
                work()
            except Exception as error:
                _log.error("press_failed", exc_info=error)
            finally:
                self._room.release()

        self._pool.submit(bounded)
        return True


def blueprint(parts: WebParts, reply: Reply, addresses: str) -> Blueprint:
    """The endpoints. `addresses` is how each address begins that an answer may be sent to."""
    slack = Blueprint("slack", __name__, url_prefix="/slack")
    refused = Refused(parts.audit.keep, parts.clock)
    people = people_of(parts.settings.slack_people)
    pressing, aside = Pressing(parts.people), _Aside()
    _guard(slack, parts, refused)

    def tell(press: Press, said: Said) -> None:
        if not press.response_url.startswith(addresses):
            _log.warning("press_not_answered", why="the address is not one of Slack's")
            return
        thread = press.container.message_ts if said.public else ""
        try:
            reply(press.response_url, said.text, thread=thread)
        except VendorError as error:
            _log.warning("press_not_answered", why=str(error))

    @slack.post("/interactions")
    def interactions() -> Response:
        press = _press(request.get_data())
        if isinstance(press, str):
            return refusal(400, press).to_flask()
        done = threading.Event()

        def work() -> None:
            try:
                said = _said(people, pressing, press, refused)
            finally:
                done.set()
            tell(press, said)

        if not aside.start(work):
            return refusal(503, "Too many presses wait; press again.").to_flask()
        done.wait(ANSWERED_WITHIN_S)
        return Response(status=200)

    _commands(slack, parts, people, refused)
    return slack


def _commands(
    slack: Blueprint, parts: WebParts, people: Mapping[str, Person], refused: Refused
) -> None:
    @slack.post("/commands")
    def commands() -> Response:
        form = form_of(request.get_data()) or {}
        user, text = form.get("user_id", ""), form.get("text", "")
        if not user or len(user) > _LONGEST_ID or len(text) > _LONGEST_TEXT:
            return refusal(400, "The body is no slash command; nothing was done.").to_flask()
        person = people.get(user)
        said = stranger(user)
        if person is not None:
            said = _careful(lambda: typed_answer(parts, person, text), person, text, refused)
        return answer({"response_type": "ephemeral", "text": shown(said)}).to_flask()


def _careful(do: Callable[[], str], person: Person, what: str, refused: Refused) -> str:
    """What was done, or why it was not, as a sentence."""
    try:
        return do()
    except Forbidden as error:
        refused.forbidden("slack", what, person, error.sentence)
        return error.sentence
    except Refusal as error:
        return error.sentence
    except BadFilter as error:
        return str(error)
    except (StoreUnavailable, StoreConflict) as error:
        return f"Nothing was done; try again. {error}"


def _guard(slack: Blueprint, parts: WebParts, refused: Refused) -> None:
    secret = parts.settings.slack_signing_secret.get_secret_value()

    @slack.before_request
    def signed() -> Response | None:
        """The headers first, before any body is read; then the signature over the raw body."""
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        signature = request.headers.get("X-Slack-Signature", "")
        why = unsigned(secret, timestamp, signature, parts.clock())
        if not why and not _before_the_body():
            body = request.get_data(cache=True, parse_form_data=False)
            if not is_signed(secret, timestamp, signature, body):
                why = "The signature is not the one of this body."
        if not why:
            return None
        refused.unauthorized(request.method, request.path, request.remote_addr or "", why)
        return refusal(401, why).to_flask()


def _before_the_body() -> bool:
    """Whether this is the look at the head alone, whose body was not read yet."""
    return bool(request.environ.get(HEAD_ONLY))


HEAD_ONLY = "runbookd.head_only"
"""The key in a WSGI environment that says so."""


def _press(body: bytes) -> Press | str:
    """The press in a form's field `payload`, or why it is none."""
    given = form_of(body)
    payload = None if given is None else given.get("payload")
    if payload is None:
        return "The body is no form with a payload."
    try:
        return Press.model_validate_json(payload)
    except (ValidationError, RecursionError):
        return "The payload is no press of a button; nothing was done."


def form_of(body: bytes) -> dict[str, str] | None:
    """The fields of a form, of each the first; None where it is none."""
    try:
        found = parse_qs(
            body.decode(), strict_parsing=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        return None
    return {name: values[0] for name, values in found.items()}


def stranger(user: str) -> str:
    """What is told to somebody whom no setting names."""
    return (
        f"runbookd does not know you, so nothing was done. Set SLACK_PEOPLE to name you, such as "
        f"{user}=anna:approver, and start web again."
    )


def _said(people: Mapping[str, Person], pressing: Pressing, press: Press, refused: Refused) -> Said:
    """Do what was pressed; what the presser is told."""
    user, action = press.user.id, press.actions[0]
    person = people.get(user)
    if person is None:
        why = f"no entry of SLACK_PEOPLE names {user}"
        refused.unauthorized("press", f"{action.action_id} {action.value}", user, why)
        return Said(stranger(user))
    try:
        return pressing.press(person, action.action_id, action.value)
    except Forbidden as error:
        refused.forbidden("press", f"{action.action_id} {action.value}", person, error.sentence)
        return Said(error.sentence)
    except Refusal as error:
        return Said(error.sentence)
    except (StoreUnavailable, StoreConflict) as error:
        return Said(f"Nothing was done; press again. {error}")
    except Exception as error:
        _log.error("press_failed", action=action.action_id, exc_info=error)
        return Said(
            "Something unexpected went wrong; web's log says what. Look at `runbookd status` "
            "before you press again."
        )
