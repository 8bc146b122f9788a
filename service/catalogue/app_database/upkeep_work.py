"""Every operation of `optimize_database`: what it looks at, and which steps it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from service.catalogue.app_database.index_work import IndexWork, wanted_index
from service.catalogue.app_database.partition_work import PartitionWork
from service.catalogue.app_database.table_work import TableWork
from service.catalogue.app_database.upkeep import columns_of, index_name, operation_of
from service.catalogue.context import Record, StepContext, StepFunction
from service.catalogue.spec import Tools
from service.catalogue.steps.polling import read
from service.domain.decisions.planning import Plan
from service.domain.decisions.requests import Request
from service.ports.app_database import AppDatabase, NoTable


class Upkeep:
    """The steps of `optimize_database` over one port."""

    def __init__(self, database: AppDatabase, tools: Tools) -> None:
        self._database = database
        self._tools = tools
        self._indexes = IndexWork(database, tools)
        self._tables = TableWork(database, tools)
        self._partitions = PartitionWork(database, tools)

    def observe(self, request: Request) -> Record:
        """The server, the table of the operation, and what the operation needs to know of it."""
        tools = self._tools
        return read(lambda: self._observe(request), clock=tools.clock, timings=tools.timings)

    def _observe(self, request: Request) -> Record:
        name, given = operation_of(request.options)
        server = asdict(self._database.server())
        table = self._database.table(given["table"])
        if isinstance(table, NoTable):
            return {"server": server, "table": None, "close": list(table.close)}
        seen: Record = {"server": server, "table": asdict(table)}
        known = set(columns_of(given)) <= set(table.columns)
        if name == "index" and known and table.ours and not server["replica"]:
            whole = {**given, "name": index_name(given)}
            state = self._database.index(wanted_index(whole, table.schema, table.name))
            seen["index"] = asdict(state)
        if name == "reindex":
            found = self._database.indexes(table.schema, table.name)
            seen["indexes"] = [asdict(each) for each in found]
        if name == "partition":
            seen.update(self._partitions.observe(given, table))
        return seen

    def steps(self) -> Mapping[str, StepFunction]:
        """Those of all operations."""
        return {
            **self._indexes.steps(),
            **self._tables.steps(),
            **self._partitions.steps(),
        }

    def make_safe(self, context: StepContext, plan: Plan) -> str:
        """What was begun and serves nobody is taken away: an invalid index, a constraint."""
        if "index" in plan.wanted:
            return self._indexes.make_safe(context, plan)
        if "add" in plan.wanted:
            return self._partitions.make_safe(context, plan)
        return self._tables.make_safe(context, plan)
