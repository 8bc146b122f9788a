"""Who a Redis or Valkey server is, by what it says of itself.

Two addresses may lead to one server, so addresses are never compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NO_REPLICATION = "0" * 40
"""What a server without a former primary names as its second replication."""
_IDENTITY = ("run_id", "master_replid", "master_replid2")
"""The first is of one process, the others of a primary with all its copies. After a failover the
new primary goes on with the old one's as its second."""


def ids_of(info: Mapping[str, Any]) -> frozenset[str]:
    """All ids that INFO names, of its sections server and replication. Two servers that share one
    are the same server, or copies of one."""
    found = {str(info.get(name) or _NO_REPLICATION) for name in _IDENTITY}
    return frozenset(found - {_NO_REPLICATION})
