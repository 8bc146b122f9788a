"""`runbookd pool`: how large pools of database connections may be, and the files for them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.cli.findings import read_or_fail, show_findings
from service.cli.output import FAILED, MISUSED, fail, print_json, say

if TYPE_CHECKING:
    from service.domain.pools.size import Demand, Pooler

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

_Instances = Annotated[
    int, typer.Option(min=1, help="The most instances that scaling may reach (replicas.max).")
]
_Each = Annotated[int, typer.Option(min=1, help="The most connections of one instance's pool.")]
_Server = Annotated[int, typer.Option(min=1, help="The database's max_connections.")]
_Reserved = Annotated[int, typer.Option(min=0, help="Its superuser_reserved_connections.")]
_Migrations = Annotated[int, typer.Option(min=0, help="Connections for migrations.")]
_Admin = Annotated[int, typer.Option(min=0, help="Connections for people and for monitoring.")]
_Size = Annotated[
    int, typer.Option(min=0, help="Connections that a pooler opens to the database; 0 for none.")
]
_Clients = Annotated[int, typer.Option(min=1, help="Clients that the pooler takes.")]


class Wanted(StrEnum):
    """The files that can be rendered."""

    PGBOUNCER = "pgbouncer"
    NODE = "node"


@app.callback()
def _pool() -> None:
    """How large pools of database connections may be, and the files for them.

    [bold]Example[/bold]

      runbookd pool size --instances 10 --per-instance 100 --max-connections 200

      runbookd pool check db-pool.js --instances 10 --max-connections 200
    """


@app.command("size")
def size(
    *,
    instances: _Instances,
    per_instance: _Each,
    max_connections: _Server,
    migrations: _Migrations = 2,
    admin: _Admin = 5,
    reserved: _Reserved = 3,
    pooler_size: _Size = 0,
    pooler_clients: _Clients = 200,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Compute whether the pools of all instances fit in what the database takes.

    Each bound is printed with what is asked of it. The exit status is 1 where one of them breaks,
    and then the largest pool that fits is said. A fifth of the connections is left free.

    [bold]Example[/bold]

      runbookd pool size --instances 20 --per-instance 10 --max-connections 200 --pooler-size 60
    """
    from service.domain.pools.size import (
        Demand,
        Server,
        bounds,
        most_per_instance,
        most_pool_size,
    )

    demand = Demand(instances, per_instance, migrations, admin)
    server, pooler = Server(max_connections, reserved), _pooler(pooler_size, pooler_clients)
    found = bounds(demand, server, pooler)
    each, most = most_per_instance(demand, server, pooler), most_pool_size(demand, server)
    fits = all(bound.holds for bound in found)
    if as_json:
        told = [{"name": b.name, "asked": b.asked, "allowed": b.allowed} for b in found]
        print_json(
            {"fits": fits, "bounds": told, "most_per_instance": each, "most_pool_size": most}
        )
    else:
        say(_asked(demand, pooler))
        for bound in found:
            say(bound.sentence, "" if bound.holds else "red")
        if not fits:
            say(_instead(demand, each, most, pooler))
    if not fits:
        raise typer.Exit(FAILED)


def _pooler(size: int, clients: int) -> Pooler | None:
    from service.domain.pools.size import Pooler

    return Pooler(size, clients) if size else None


def _asked(demand: Demand, pooler: Pooler | None) -> str:
    pools = f"{demand.instances} instances × {demand.per_instance} = {demand.pools:,} connections"
    beside = f"{demand.migrations} for migrations, {demand.admin} for administration"
    if pooler is None:
        return f"{pools}, and {beside}: {demand.total:,} in all."
    return f"{pools} to the pooler, which opens {pooler.size}; and {beside}."


def _instead(demand: Demand, each: int, most: int, pooler: Pooler | None) -> str:
    if not most:
        return (
            "No pool fits beside what is kept free and what the others need: raise max_connections."
        )
    if pooler is not None:
        return f"What fits: a pool_size of {most}, and {each} connections for each instance."
    if each:
        return (
            f"What fits: {each} connections for each of {demand.instances} instances, or a pooler "
            f"that opens at most {most} (--pooler-size {most})."
        )
    return f"What fits: a pooler that opens at most {most} (--pooler-size {most})."


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(help="A file that configures node-postgres.")],
    instances: _Instances,
    max_connections: _Server,
    reserved: _Reserved = 3,
) -> None:
    """Find in a file for node-postgres what works on a quiet day and fails under load.

    Each finding is printed as [bold]file:line: name: what is wrong[/bold], with what to write
    instead. The exit status is 1 if there is one.

    [bold]Example[/bold]

      runbookd pool check db-pool.js --instances 10 --max-connections 200
    """
    from service.domain.pools.node import find_faults
    from service.domain.pools.size import Server

    text = read_or_fail(file, MISUSED)
    found = find_faults(text, instances, Server(max_connections, reserved))
    show_findings(file, found)
    if found:
        raise typer.Exit(FAILED)
    say(f"{file}: nothing was found.")


@app.command("render")
def render(
    what: Annotated[Wanted, typer.Argument(help="Which file.")],
    *,
    instances: _Instances,
    max_connections: _Server,
    pooler_size: _Size = 0,
    pooler_clients: _Clients = 200,
    database: Annotated[str, typer.Option(help="The database's name.")] = "postgres",
    host: Annotated[str, typer.Option(help="The database's host.")] = "127.0.0.1",
    migrations: _Migrations = 2,
    admin: _Admin = 5,
    reserved: _Reserved = 3,
) -> None:
    """Print PgBouncer's file, or a pool for node-postgres, with the largest numbers that fit.

    Nothing is written anywhere. No password stands in the files.

    [bold]Example[/bold]

      runbookd pool render pgbouncer --instances 20 --max-connections 200 > pgbouncer.ini

      runbookd pool render node --instances 20 --max-connections 200 --pooler-size 60
    """
    from service.domain.pools.files import node_pool, pgbouncer_ini
    from service.domain.pools.size import Demand, Server, bounds, most_per_instance, most_pool_size

    server, demand = Server(max_connections, reserved), Demand(instances, 1, migrations, admin)
    pooler = _pooler(pooler_size, pooler_clients)
    if what is Wanted.PGBOUNCER and pooler is None:
        pooler = _pooler(most_pool_size(demand, server), pooler_clients)
    each = most_per_instance(demand, server, pooler)
    wanted = Demand(instances, max(1, each), migrations, admin)
    broken = [bound for bound in bounds(wanted, server, pooler) if not bound.holds]
    if broken:
        fail(" ".join(bound.sentence for bound in broken))
    if what is Wanted.NODE or pooler is None:
        typer.echo(node_pool(wanted), nl=False)
        return
    try:
        typer.echo(pgbouncer_ini(database, host, pooler), nl=False)
    except ValueError as problem:
        fail(f"{problem}.", MISUSED)
