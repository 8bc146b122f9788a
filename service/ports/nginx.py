"""nginx on this machine: what a look shows, and what is done to its files.

Every method raises `service.domain.errors.VendorError`: temporary where nothing was done, permanent
where nginx or the machine refuses, unknown where nobody can say whether it was done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Place:
    """Which file, of which nginx.

    `name` is the target's, by which the file's own answers are asked for. `file` is the file that
    is written, `main` nginx's main file. `check_port` is the port of this machine at which the
    written file makes nginx tell what is in force.
    """

    name: str
    file: str
    main: str
    check_port: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look shows.

    `text` is the file's, None where there is no file. `in_force` is the digest of the file by which
    nginx works now, empty where nginx does not tell it. `running` is whether nginx runs, and
    `included` whether its main file includes the file.
    """

    text: str | None
    in_force: str
    running: bool
    included: bool


class Nginx(Protocol):
    """One nginx and its files."""

    def look(self, place: Place) -> Seen:
        """The file, and what nginx does now."""
        ...

    def rehearse(self, place: Place) -> None:
        """Have nginx test its files as they are, and see whether the file may be written."""
        ...

    def write(self, place: Place, text: str | None) -> None:
        """Have nginx test the text, keep what the file holds, and put the text in its place.

        Whoever reads the file sees the old or the new one whole. None removes the file. A text that
        nginx refuses is not put there: permanent, with nginx's words.
        """
        ...

    def kept(self, place: Place, digest: str) -> str | None:
        """The text that `write` has kept, by its digest; None where there is none any more."""
        ...

    def reload(self, place: Place) -> None:
        """Have nginx read its files again. Requests under way are finished by the old ones."""
        ...

    def ask_server(self, place: Place, number: int, digest: str) -> int:
        """The status that a server answers through nginx, counted from 1.

        Temporary where nginx does not work by the file of that digest.
        """
        ...
