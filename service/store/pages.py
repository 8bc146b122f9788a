"""Pages of stored rows, newest first, found by where the last page ended.

Keyset pagination: a page costs the same at the beginning and a million rows on, and rows that
come in meanwhile move nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

_LAST_MS = 16**11 - 1
_ID = re.compile(r"[a-z]-[0-9a-f]{24}(?:\.[0-9]{1,6})?").fullmatch
"""As `service.store.ids` makes them; a quarantined alert's has its place in the notification."""


class UnknownCursor(Exception):  # noqa: N818 - it names what is wrong with a request
    """`after` names nothing that is stored."""


@dataclass(frozen=True, slots=True)
class Page:
    """Items, newest first; `next` is the cursor of the following page, None on the last."""

    items: tuple[dict[str, Any], ...]
    next: str | None

    def to_json(self) -> dict[str, Any]:
        """As the read API and `--json` show it."""
        return {"items": list(self.items), "next": self.next}


def checked_cursor(prefix: str, after: str) -> str:
    """`after`, which must look like an id of this kind: anything else sorts anywhere.

    Raises:
        UnknownCursor: it does not.
    """
    if not (after.startswith(f"{prefix}-") and _ID(after)):
        raise UnknownCursor(after)
    return after


def id_at(prefix: str, at: float) -> str:
    """The smallest id that `service.store.ids.new_id` can make at `at` (seconds, the epoch)."""
    milliseconds = min(max(int(at * 1000), 0), _LAST_MS)
    return f"{prefix}-{milliseconds:011x}"


def read_page(
    connection: sa.Connection,
    query: sa.Select[Any],
    limit: int,
    item: Callable[[sa.RowMapping], dict[str, Any]],
    key: str = "id",
) -> Page:
    """Run a query that is already ordered; one row more than asked tells whether there is more."""
    rows = connection.execute(query.limit(limit + 1)).mappings().all()
    page = rows[:limit]
    following = page[-1][key] if len(rows) > limit else None
    return Page(tuple(item(row) for row in page), following)
