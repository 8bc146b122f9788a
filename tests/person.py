"""A person at a terminal, who types what a message says, and a program that asks the API."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field

import httpx

from tests.processes import ROOT, inherited
from tests.said import field_of
from tests.stack import Json, Stack

WHY = "because I say so"
_PATIENCE_S = 120.0
"""How long one command may take; the machine may be busy with other things."""


@dataclass
class Terminal:
    """`runbookd`, typed beside the store, or with a token to the service."""

    stack: Stack
    token: str = field(default="", repr=False)

    def type(self, command: str) -> str:
        """What a command prints; it must end with status 0."""
        done = self.run(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Type a command; what stands for a reason in it becomes one."""
        program, *arguments = shlex.split(re.sub(r"\bWHY\b", shlex.quote(WHY), command))
        assert program == "runbookd", command
        return subprocess.run(
            [sys.executable, "-m", "service.cli", *arguments],
            cwd=ROOT,
            env={**inherited(), **self._environment, "NO_COLOR": "1", "COLUMNS": "1000"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )

    def status(self, target: str) -> Json:
        """What `runbookd status` says of a target."""
        found: Json = json.loads(self.type(f"runbookd status {target} --json"))["targets"][target]
        return found

    def as_person(self, name: str, role: str) -> Terminal:
        """The terminal of somebody else, who has a new token and asks the service."""
        token = self.type(f"runbookd token new {name} --role {role}").strip().splitlines()[-1]
        return Terminal(self.stack, token)

    @property
    def _environment(self) -> dict[str, str]:
        if not self.token:
            return self.stack.environment
        return {"RUNBOOKD_URL": self.stack.web_urls["web"], "RUNBOOKD_TOKEN": self.token}

    def ask(self, method: str, path: str, body: Json | None = None) -> Json:
        """The API's answer to the same person; it must be a success."""
        answer: httpx.Response = self.stack.http.request(
            method,
            f"{self.stack.web_urls['web']}/api/v1{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found


def told(stack: Stack, title: str) -> Json:
    """The newest message whose title begins so.

    Raises:
        AssertionError: there is none yet.
    """
    found = [each for each in stack.state()["slack"]["messages"] if each["text"].startswith(title)]
    assert found, f"no message begins with {title!r}"
    message: Json = found[-1]
    return message


def command_in(stack: Stack, title: str, words: str) -> str:
    """What that message says to type, in the field of this name.

    Raises:
        AssertionError: there is no such message yet, or it names no such command.
    """
    message = told(stack, title)
    command = field_of(message, words).strip("`")
    assert command.startswith("runbookd "), message["text"]
    return command
