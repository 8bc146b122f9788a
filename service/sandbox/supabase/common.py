"""What all operations of Supabase's management API share: the error body, and the project."""

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
"""The beginning of the pattern of every operation on a project."""


def refusal(status: int, message: str) -> Refusal:
    """A refusal with Supabase's error body."""
    return Refusal(Answer(status, {"message": message}))


def forbidden(_missing: list[str]) -> Answer:
    """The answer to a token without the scopes. Supabase does not document its words."""
    return Answer(403, {"message": "Forbidden resource"})


def no_such_operation() -> Answer:
    """The answer for a path or method that the vendor, or this sandbox, does not have."""
    return Answer(404, {"message": "Not Found"})


@contextmanager
def refusals() -> Iterator[None]:
    """Turn a project's refusal into Supabase's answer."""
    try:
        yield
    except ProjectRefusedError as error:
        raise refusal(error.status, str(error)) from None


def project_of(cloud: Cloud, args: Args) -> Project:
    """The project that the path names.

    Raises:
        Refusal: 404, there is no such project.
    """
    project = cloud.projects.get(args["ref"])
    if project is None:
        raise refusal(404, "Project not found")
    return project
