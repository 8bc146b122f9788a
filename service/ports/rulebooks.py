"""What the processes of an installation tell each other of their rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from service.domain.rules.told import ProcessRules
from service.ports.messenger import Message


class Rulebooks(Protocol):
    """The record of the rules that are in force, process by process. Every method raises
    StoreUnavailable."""

    def say(self, mine: ProcessRules, refused: Message, mended: Message) -> None:
        """Keep what this process has in force.

        If it refuses its files and nobody was told yet, `refused` is queued for the messenger in
        the same transaction. Once no process refuses any, `mended` is. So of any number of
        processes one tells it.
        """
        ...

    def leave(self, process: str) -> None:
        """Forget a process that ends."""
        ...

    def all(self, now: float) -> Sequence[ProcessRules]:
        """The processes that were heard of lately, in the order of their names."""
        ...

    def ask(self, number: str) -> None:
        """Ask every process to read its files; `number` names this request."""
        ...

    def asked(self) -> str:
        """The name of the last request; empty before any."""
        ...

    def keep_good(self, of: str, files: Mapping[str, bytes]) -> None:
        """Keep the bytes of files that made good rules, by their paths; `of` names whose they
        are."""
        ...

    def good(self, of: str) -> Mapping[str, bytes]:
        """The files that were kept last; none where there are no such."""
        ...
