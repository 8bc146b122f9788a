"""The rules that the processes have in force, in SQL; as `service.ports.rulebooks.Rulebooks`."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import sqlalchemy as sa

from service.domain.rules.told import ProcessRules
from service.ports import Message
from service.ports.outbox import Waiting
from service.store import schema
from service.store.database import begin_writing, insert_of, translated
from service.store.decode import load
from service.store.encode import dump
from service.store.facts import GOOD_RULES, RULES_ASKED, RULES_TOLD, FactStore
from service.store.outbox import keep_message
from service.store.rules_told import rules_of_processes

WORKER = "worker"
"""The role of a process that executes runs; a web process is `web`."""
_REFUSED = "refused"
_FORGOTTEN_S = 3_600.0
"""After how many seconds without a word the row of a process is deleted."""
_p, _f = schema.rules_of_processes.c, schema.facts.c


class RulebookStore:
    """The table of processes and their rules, and the facts beside it."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._facts = FactStore(engine)
        put = insert_of(engine.dialect, schema.rules_of_processes)
        self._put = put.on_conflict_do_update(
            index_elements=["process"],
            set_={each.name: put.excluded[each.name] for each in _p if each.name != "process"},
        )
        told = insert_of(engine.dialect, schema.facts)
        # It changes nothing, but makes the others wait: of two processes that say something at
        # once, the second sees what the first has said.
        self._one_at_a_time = told.on_conflict_do_update(
            index_elements=["name"], set_={"value": _f.value}
        )

    def say(self, mine: ProcessRules, refused: Message, mended: Message) -> None:
        """As `Rulebooks`."""
        row = {**asdict(mine), "refused": dump(mine.refused), "needs": dump(mine.needs)}
        old = sa.delete(schema.rules_of_processes).where(_p.seen_at < mine.seen_at - _FORGOTTEN_S)
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(self._one_at_a_time, {"name": RULES_TOLD, "value": ""})
            connection.execute(self._put, row)
            if mine.role == WORKER:
                connection.execute(old)  # web has no right to delete
            refuses = any(each.refused for each in rules_of_processes(connection, mine.seen_at))
            known = _told(connection)
            if refuses == (known == _REFUSED):
                return
            connection.execute(
                sa.update(schema.facts)
                .where(_f.name == RULES_TOLD)
                .values(value=_REFUSED if refuses else "")
            )
            message = refused if refuses else mended
            # Each has a place of its own: neither takes the other's, or that of one before.
            key = f"rules/{message.title[:40]}/{mine.seen_at:.3f}"
            waiting = Waiting(key, message, None, None, "", mine.seen_at, 0, 1)
            keep_message(connection, waiting, mine.seen_at)

    def leave(self, process: str) -> None:
        """As `Rulebooks`."""
        with translated(), self._engine.begin() as connection:
            begin_writing(connection)
            connection.execute(
                sa.update(schema.rules_of_processes)
                .where(_p.process == process)
                .values(seen_at=0.0)
            )

    def all(self, now: float) -> Sequence[ProcessRules]:
        """As `Rulebooks`."""
        with translated(), self._engine.connect() as connection:
            return rules_of_processes(connection, now)

    def ask(self, number: str) -> None:
        """As `Rulebooks`."""
        self._facts.put(RULES_ASKED, number)

    def asked(self) -> str:
        """As `Rulebooks`."""
        return self._facts.get(RULES_ASKED)

    def keep_good(self, of: str, files: Mapping[str, bytes]) -> None:
        """As `Rulebooks`."""
        text = dump({path: b64encode(body).decode() for path, body in files.items()})
        if self._facts.get(_good(of)) != text:
            self._facts.put(_good(of), text)

    def good(self, of: str) -> Mapping[str, bytes]:
        """As `Rulebooks`."""
        text = self._facts.get(_good(of))
        return {path: b64decode(body) for path, body in load(text).items()} if text else {}


def _told(connection: sa.Connection) -> str:
    query = sa.select(_f.value).where(_f.name == RULES_TOLD)
    return str(connection.execute(query).scalar_one())


def _good(of: str) -> str:
    return f"{GOOD_RULES}.{of}"
