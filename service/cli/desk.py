"""The writing half of the terminal: on the local store, or through a running service over HTTP.

Both return the JSON of the operator API, so a command behaves the same beside the service and on a
laptop. `service.cli.reading` is the reading half.
"""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Protocol
from urllib.parse import quote, urlencode

import typer

from service.cli.output import say
from service.cli.reading import Reader, open_reader
from service.cli.remote import RemoteReader
from service.domain.filters import BadFilter
from service.domain.scenarios.scenarios import is_scenario_run

if TYPE_CHECKING:
    from service.domain.people import Person
    from service.triggers.people.people import People
    from service.triggers.people.tokens import Tokens


def not_empty(name: str | None) -> str | None:
    """A name as it was typed. A variable of a script that is not set must not become `all`.

    Raises:
        BadFilter: it is empty.
    """
    if name is not None and not name.strip():
        raise BadFilter("A name on the command line is empty. Nothing was done.")
    return name


Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.", show_default=False)]
Why = Annotated[str, typer.Option("--why", help="Why, for those who find it at 3 am.")]
WhyOrNot = Annotated[str, typer.Option("--why", help="Why, in a few words.")]
Lasts = Annotated[str, typer.Option("--for", help="How long: 30m, 2h.")]
_LONGEST_NAME = 64
"""Characters of a person's name on record."""
PLURALS = {"pause": "pauses", "lock": "locks", "hold": "holds"}
"""The name of each kind of control in the path of its endpoint."""


class Desk(Protocol):
    """What the terminal can change. Each method raises a `Refusal` that says why nothing was
    changed."""

    def put(self, kind: str, scope: Mapping[str, Any], lasts: str, why: str) -> Any:
        """Put a pause, lock or hold in force."""
        ...

    def resume(self, target: str | None, why: str) -> Any:
        """End the pauses of a target; None: every pause."""
        ...

    def unlock(self, target: str, why: str) -> Any:
        """End the locks of a target."""
        ...

    def release(self, target: str, why: str) -> Any:
        """End the holds and locks of a target."""
        ...

    def run(self, body: Mapping[str, Any]) -> Any:
        """Request a change. `body` is that of `POST /api/v1/runs`."""
        ...

    def on_run(self, verb: str, run: str, why: str) -> Any:
        """Cancel, retry or undo a run."""
        ...

    def scenarios(self, limit: int) -> Any:
        """The scenarios of the rules, and the newest that were started."""
        ...

    def scenario(self, run: str) -> Any:
        """One scenario that was started, with its steps."""
        ...

    def start(self, name: str, why: str, *, plan: bool) -> Any:
        """Start a scenario, or with `plan` only look at it."""
        ...

    def sign_off(self, run: str, role: str, why: str, plan: str) -> Any:
        """Sign a scenario that was started, as one of the person's groups."""
        ...

    def approvals(self) -> Any:
        """The plans that wait for approval, and those that were decided lately."""
        ...

    def decide(self, verb: str, approval: str, why: str) -> Any:
        """Approve or reject a plan that waits."""
        ...

    def jobs(self) -> Any:
        """The jobs of the rules, each with its last time and its next."""
        ...

    def run_job(self, name: str, why: str) -> Any:
        """Have a job done now."""
        ...

    def promote(self, rule: str, why: str) -> Any:
        """Let a rule that has demoted itself act again as it is written."""
        ...

    def audit(self, limit: int, filters: Mapping[str, str]) -> Any:
        """The newest `limit` records of what people did and were refused.

        `filters` are those of `GET /api/v1/audit`.
        """
        ...

    def tokens(self) -> Any:
        """Every token, without its secret."""
        ...

    def new_token(self, name: str, roles: list[str], groups: list[str], lasts: str | None) -> Any:
        """Make a token. The answer has its secret, which is never shown again."""
        ...

    def revoke(self, name: str) -> Any:
        """Revoke a token."""
        ...


class RemoteDesk:
    """Changes things through the operator API of a running service."""

    def __init__(self, reader: RemoteReader) -> None:
        self._reader = reader

    def put(self, kind: str, scope: Mapping[str, Any], lasts: str, why: str) -> Any:
        """As `Desk`."""
        return self._post(f"/{PLURALS[kind]}", {**scope, "for": lasts, "why": why})

    def resume(self, target: str | None, why: str) -> Any:
        """As `Desk`."""
        return self._post(f"/targets/{quote(target or 'all', safe='')}/resume", {"why": why})

    def unlock(self, target: str, why: str) -> Any:
        """As `Desk`."""
        return self._post(f"/targets/{quote(target, safe='')}/unlock", {"why": why})

    def release(self, target: str, why: str) -> Any:
        """As `Desk`."""
        return self._post(f"/targets/{quote(target, safe='')}/release", {"why": why})

    def run(self, body: Mapping[str, Any]) -> Any:
        """As `Desk`."""
        return self._post("/runs", body)

    def on_run(self, verb: str, run: str, why: str) -> Any:
        """As `Desk`."""
        return self._post(f"/runs/{quote(run, safe='')}/{verb}", {"why": why})

    def scenarios(self, limit: int) -> Any:
        """As `Desk`."""
        return self._reader.send("GET", f"/scenarios?{urlencode({'limit': limit})}")

    def scenario(self, run: str) -> Any:
        """As `Desk`."""
        return self._reader.send("GET", f"/scenarios/runs/{quote(run, safe='')}")

    def start(self, name: str, why: str, *, plan: bool) -> Any:
        """As `Desk`."""
        return self._post(f"/scenarios/{quote(name, safe='')}/runs", {"why": why, "plan": plan})

    def sign_off(self, run: str, role: str, why: str, plan: str) -> Any:
        """As `Desk`."""
        body = {"as": role, "why": why, "plan": plan}
        return self._post(f"/scenarios/runs/{quote(run, safe='')}/signoffs", body)

    def approvals(self) -> Any:
        """As `Desk`."""
        return self._reader.send("GET", "/approvals")

    def decide(self, verb: str, approval: str, why: str) -> Any:
        """As `Desk`."""
        return self._post(f"/approvals/{quote(approval, safe='')}/{verb}", {"why": why})

    def jobs(self) -> Any:
        """As `Desk`."""
        return self._reader.send("GET", "/jobs")

    def run_job(self, name: str, why: str) -> Any:
        """As `Desk`."""
        return self._post(f"/jobs/{quote(name, safe='')}/run", {"why": why})

    def promote(self, rule: str, why: str) -> Any:
        """As `Desk`."""
        return self._post(f"/rules/{quote(rule, safe='')}/promote", {"why": why})

    def audit(self, limit: int, filters: Mapping[str, str]) -> Any:
        """As `Desk`."""
        return self._reader.send("GET", f"/audit?{urlencode({'limit': limit, **filters})}")

    def tokens(self) -> Any:
        """As `Desk`."""
        return self._reader.send("GET", "/tokens")

    def new_token(self, name: str, roles: list[str], groups: list[str], lasts: str | None) -> Any:
        """As `Desk`."""
        return self._post("/tokens", {"name": name, "roles": roles, "groups": groups, "for": lasts})

    def revoke(self, name: str) -> Any:
        """As `Desk`."""
        return self._reader.send("DELETE", f"/tokens/{quote(name, safe='')}")

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._reader.send("POST", path, body)


def local_name() -> str:
    """Who types here, as the system knows the user of this process. What the environment says of
    that (LOGNAME, USER) anybody can set."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = f"user-{user}"  # a container may have no entry for its user
    return f"local:{name}"[:_LONGEST_NAME]


class LocalDesk:
    """Changes things in the local store, in the name of the user of this machine, with every
    role, and every group that signs."""

    def __init__(self) -> None:
        from service.bootstrap.people import build_people, build_tokens
        from service.bootstrap.rules import load_rules
        from service.bootstrap.stores import Stores
        from service.cli.beside import look_beside_dev
        from service.cli.stored import open_stored
        from service.domain.people import Person, Role
        from service.domain.scenarios.signoffs import ROLES
        from service.settings import load_settings
        from service.store.audit import AuditStore

        look_beside_dev()
        open_stored()
        settings = load_settings()
        stores = Stores(settings)
        book = load_rules(settings)
        self._people: People = build_people(stores, lambda: book)
        self._tokens: Tokens = build_tokens(stores)
        self._audit = AuditStore(stores.engine)
        self._person: Person = Person(
            local_name(), frozenset({Role.ADMIN}), frozenset(ROLES), via="terminal"
        )

    def put(self, kind: str, scope: Mapping[str, Any], lasts: str, why: str) -> Any:
        """As `Desk`."""
        from service.triggers.people.asked import Scope

        control, going_on = self._people.put(self._person, kind, Scope(**scope), lasts, why)
        return {**control.to_json(), "going_on": going_on}

    def resume(self, target: str | None, why: str) -> Any:
        """As `Desk`."""
        return _ended(target or "all", self._people.resume(self._person, target, why))

    def unlock(self, target: str, why: str) -> Any:
        """As `Desk`."""
        return _ended(target, self._people.unlock(self._person, target, why))

    def release(self, target: str, why: str) -> Any:
        """As `Desk`."""
        return _ended(target, self._people.release(self._person, target, why))

    def run(self, body: Mapping[str, Any]) -> Any:
        """As `Desk`."""
        return self._people.run(
            self._person,
            body["action"],
            body.get("target", ""),
            to=body.get("to"),
            step=body.get("step"),
            why=body["why"],
            override=body.get("override", ""),
            plan_only=body.get("plan", False),
            lasts=body.get("for", ""),
            pin=body.get("pin", False),
            options=body.get("with"),
        ).to_json()

    def on_run(self, verb: str, run: str, why: str) -> Any:
        """As `Desk`."""
        if is_scenario_run(run):
            return self._on_scenario(verb, run, why)
        if verb == "cancel":
            stopping = self._people.cancel(self._person, run, why)
            return {"id": run, "status": stopping.status, "cancel": "asked"}
        ask = {"retry": self._people.retry, "undo": self._people.undo}[verb]
        return ask(self._person, run, why).to_json()

    def _on_scenario(self, verb: str, run: str, why: str) -> Any:
        scenarios = self._people.scenarios
        if verb == "cancel":
            state = scenarios.cancel(self._person, run, why)
            return {"id": run, "status": state, "cancel": "asked"}
        if verb == "undo":
            scenarios.undo(self._person, run, why)
            return scenarios.one(run)
        raise BadFilter(f"{run} is a scenario: start it anew instead.")

    def scenarios(self, limit: int) -> Any:
        """As `Desk`."""
        return self._people.scenarios.all(limit)

    def scenario(self, run: str) -> Any:
        """As `Desk`."""
        return self._people.scenarios.one(run)

    def start(self, name: str, why: str, *, plan: bool) -> Any:
        """As `Desk`."""
        return self._people.scenarios.start(self._person, name, why, plan_only=plan).to_json()

    def sign_off(self, run: str, role: str, why: str, plan: str) -> Any:
        """As `Desk`."""
        made = self._people.scenarios.sign(self._person, run, role, why, plan)
        return {"run": run, **made.to_json()}

    def approvals(self) -> Any:
        """As `Desk`."""
        return {"items": self._people.approvals(50), "next": None}

    def decide(self, verb: str, approval: str, why: str) -> Any:
        """As `Desk`."""
        state = {"approve": "approved", "reject": "rejected"}[verb]
        if is_scenario_run(approval):
            self._people.scenarios.decide(self._person, approval, state, why)
            return {"id": approval, "state": state, "run": approval, "next_run": None}
        made = self._people.decide(self._person, approval, state, why)
        return {"id": made.id, "state": state, "run": made.run, "next_run": made.next_run}

    def jobs(self) -> Any:
        """As `Desk`."""
        return {"items": self._people.jobs(), "next": None}

    def run_job(self, name: str, why: str) -> Any:
        """As `Desk`."""
        return self._people.run_job(self._person, name, why).to_json()

    def promote(self, rule: str, why: str) -> Any:
        """As `Desk`."""
        return {"rule": rule, "ended": self._people.promote(self._person, rule, why).to_json()}

    def audit(self, limit: int, filters: Mapping[str, str]) -> Any:
        """As `Desk`."""
        return self._audit.entries(limit, **filters).to_json()

    def tokens(self) -> Any:
        """As `Desk`."""
        return {"items": self._tokens.all(self._person), "next": None}

    def new_token(self, name: str, roles: list[str], groups: list[str], lasts: str | None) -> Any:
        """As `Desk`."""
        return self._tokens.new(self._person, name, roles, groups, lasts)

    def revoke(self, name: str) -> Any:
        """As `Desk`."""
        self._tokens.revoke(self._person, name)
        return {"name": name, "revoked": True}


def _ended(target: str, controls: Any) -> dict[str, Any]:
    return {"target": target, "ended": [each.to_json() for each in controls]}


def open_desk(url: str | None, token_file: str | None) -> tuple[Desk, Reader]:
    """The desk and the reader of the service at `url`, or else of the local store.

    Raises:
        BadFilter: the address is no URL, or a token is given without an address.
        Told: the store, the rules or the token's file cannot be read.
    """
    reader = open_reader(url, token_file)
    if isinstance(reader, RemoteReader):
        return RemoteDesk(reader), reader
    return LocalDesk(), reader


def agreed(what: str, *, yes: bool) -> None:
    """Return if the person agrees to `what`, by `--yes` or at the terminal. Otherwise exit.

    Raises:
        BadFilter: standard input is no terminal, so nobody can be asked.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadFilter(f"{what} Nothing was done: say --yes, because nobody can be asked here.")
    say(what)
    if not typer.confirm("Do it?"):
        raise typer.Exit(1)
