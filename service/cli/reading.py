"""The reading half of the terminal: from the local store, or from a running service over HTTP.

Both return the JSON of the read API, so a command behaves the same beside the service and on a
laptop. `service.cli.desk` is the writing half.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Protocol

import typer

from service.domain.filters import BadFilter
from service.environment import content, given

URL = "RUNBOOKD_URL"
TOKEN = "RUNBOOKD_TOKEN"  # noqa: S105 - a name

Url = Annotated[
    str | None,
    typer.Option(
        "--url", help="Ask the runbookd at this address, not the local store.", show_default=False
    ),
]
TokenFile = Annotated[
    str | None,
    typer.Option("--token-file", help=f"A file with the token for it; otherwise {TOKEN}."),
]
AsJson = Annotated[bool, typer.Option("--json", help="The same for programs.")]


class Reader(Protocol):
    """What a command can read. Filters are those of the read API, by name and as text.

    Every method raises `service.domain.errors.Told` when nothing can be read now, and BadFilter for
    a filter that cannot be used.
    """

    def page(self, what: str, filters: Mapping[str, str]) -> dict[str, Any]:
        """`{"items": […], "next": …}` of alerts, decisions, runs or quarantine."""
        ...

    def run(self, run_id: str) -> dict[str, Any] | None:
        """One run with its steps and decisions."""
        ...

    def explain(self, of: str | None) -> dict[str, Any] | None:
        """What led to what (`service.store.explain`). None stands for the alert that came last."""
        ...

    def status(self, target: str | None) -> dict[str, Any]:
        """How things are now (`service.store.status`)."""
        ...

    def levels(self, at: float | None, days: int) -> dict[str, Any]:
        """What should hold at a moment, now without one, and what changes in so many days."""
        ...

    def targets(self) -> tuple[str, ...]:
        """The names of the targets in the rules in force."""
        ...


def open_reader(url: str | None, token_file: str | None) -> Reader:
    """The reader of the service at `url` or at RUNBOOKD_URL, or else of the local store.

    An empty `url` is the local store, even if RUNBOOKD_URL is set.

    Raises:
        BadFilter: the address is no URL, or a token is given without an address.
        Told: the token's file, or the store, cannot be read.
    """
    address = given(URL) if url is None else url
    if not address:
        if token_file is not None:
            raise BadFilter(f"--token-file is for a service: name it with --url or {URL}.")
        from service.cli.local import LocalReader

        return LocalReader()
    from service.cli.remote import RemoteReader

    token = given(TOKEN) if token_file is None else content(token_file, "--token-file names")
    return RemoteReader(address, token)


def filters(**named: str | int | float | None) -> dict[str, str]:
    """The filters that are given, as the read API takes them."""
    return {
        name: f"{value:.6f}" if isinstance(value, float) else str(value)
        for name, value in named.items()
        if value is not None
    }
