"""A person's process that signs a scenario, and dies where a test says: `within` the transaction of
the sign-off, right `after` it, or nowhere. Its environment is that of the installation."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from service.bootstrap import people
from service.bootstrap.rules import load_rules
from service.bootstrap.stores import Stores
from service.domain.people import AuditEntry, Conflict, Person
from service.ports.controls import Beside
from service.settings import load_settings
from service.store.audit import recorded


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _dying(recorded: Callable[[AuditEntry], Beside]) -> Callable[[AuditEntry], Beside]:
    """The last write of a sign-off is that of the audit."""

    def made(entry: AuditEntry) -> Beside:
        def write(connection: Any) -> None:
            recorded(entry)(connection)
            _die()

        return write

    return made


def main() -> None:
    """Sign as finance."""
    run, where = sys.argv[1:]
    if where == "within":
        setattr(people, "recorded", _dying(recorded))  # noqa: B010 - mypy forbids to assign a function
    settings = load_settings(dict(os.environ))
    book = load_rules(settings, dict(os.environ))
    finn = Person("finn", frozenset(), frozenset({"finance"}))
    stores = Stores(settings)
    made = people.build_people(stores, lambda: book)
    try:
        made.scenarios.sign(finn, run, "finance", "it is worth it")
    except Conflict as refused:
        sys.exit(refused.sentence)
    finally:
        # Its threads would keep the process alive.
        stores.queue.close()
        stores.engine.dispose()
    if where == "after":
        _die()


if __name__ == "__main__":
    main()
