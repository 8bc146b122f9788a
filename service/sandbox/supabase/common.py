"""What all of Supabase's management API shares: its error body, and finding the project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.sandbox.core.wire import Answer, Refusal
from service.sandbox.supabase.project import Project, ProjectRefusedError

if TYPE_CHECKING:
    from service.sandbox.cloud import Cloud

Args = Mapping[str, str]

UNAUTHORIZED = Answer(401, {"message": "Unauthorized"})
ONE = "/v1/projects/<ref>"
"""The pattern that every operation on a project begins with."""


def refusal(status: int, message: str) -> Refusal:
    """A refusal with Supabase's error body."""
    return Refusal(Answer(status, {"message": message}))


def forbidden(_missing: list[str]) -> Answer:
    """What a token without the scopes for an operation is answered with; its words are not
    documented."""
    return Answer(403, {"message": "Forbidden resource"})


def no_such_operation() -> Answer:
    """What a path or method the vendor (or this sandbox) doesn't have is answered with."""
    return Answer(404, {"message": "Not Found"})


@contextmanager
def refusals() -> Iterator[None]:
    """Turns a project's refusal into Supabase's answer."""
    try:
        yield
    except ProjectRefusedError as error:
        raise refusal(error.status, str(error)) from None


def project_of(cloud: Cloud, args: Args) -> Project:
    """The project of the path, or the vendor's 404."""
    project = cloud.projects.get(args["ref"])
    if project is None:
        raise refusal(404, "Project not found")
    return project
