"""The application's own cache, a Redis or Valkey: what a look shows, and what is asked of it.

Every method raises `service.domain.errors.VendorError`. It is permanent where the server is
runbookd's own, which is never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CacheServer:
    """What the server says of itself.

    `run_id` is new with each start of its process. `eviction` is its maxmemory-policy, empty where
    it does not tell. `writable` is False on a replica. `clustered` is True where it holds only a
    part of the keys. `keys` is how many it holds.
    """

    run_id: str
    version: str
    eviction: str
    writable: bool
    clustered: bool
    keys: int


@dataclass(frozen=True, slots=True)
class Walked:
    """One piece of a walk over all keys: those that match, and where the next piece begins.

    `cursor` is 0 at the end of the walk.
    """

    cursor: int
    keys: tuple[bytes, ...]


class AppCache(Protocol):
    """One server."""

    def server(self) -> CacheServer:
        """The server as it is now."""
        ...

    def settings(self, key: str, names: Sequence[str]) -> Mapping[str, str]:
        """Those fields of the hash `key` that are there; of fields of other names nothing is
        said."""
        ...

    def replace_settings(self, key: str, was: Mapping[str, str], to: Mapping[str, str]) -> bool:
        """Make the fields `was` of the hash the fields `to`, all in one step.

        A field of `was` that `to` does not have is removed, and fields of other names stay. False,
        and nothing is changed, where the fields are not `was` at that moment.
        """
        ...

    def generation(self, key: str) -> int:
        """The number in `key`; 0 where there is none."""
        ...

    def replace_generation(self, key: str, was: int, to: int) -> bool:
        """Make the number `was` in `key` the number `to`. False, and nothing is changed, where
        there is another number at that moment."""
        ...

    def walk(self, prefix: str, cursor: int, count: int) -> Walked:
        """About `count` keys of the server from `cursor` on (0 begins): those with the prefix.

        Whatever is there from the beginning of a walk to its end is shown, on one server process.
        """
        ...

    def unlink(self, keys: Sequence[bytes]) -> int:
        """Remove these keys; how many there were. The server frees their memory beside its work."""
        ...
