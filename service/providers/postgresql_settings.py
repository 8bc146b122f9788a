"""Settings of the application's PostgreSQL: `pg_settings`, the server's files, and ALTER SYSTEM."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from service.ports.app_database import Setting, Settings
from service.providers.postgresql_upkeep import Connection

_PARAMETER_RIGHTS = 150_000
"""From this version on a role that is no superuser may be allowed to set one parameter."""
_MAY = "has_parameter_privilege(s.name, 'ALTER SYSTEM')"
_SUPERUSER = "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)"
_SETTINGS = """
SELECT s.name, current_setting(s.name) AS now, s.context, s.source, s.pending_restart AS pending,
       coalesce(s.unit, '') AS unit, s.min_val AS least, s.max_val AS most, {may} AS may
  FROM pg_settings s WHERE s.name = ANY(%(names)s)
"""
_RIGHTS = """
SELECT has_function_privilege('pg_reload_conf()', 'EXECUTE') AS may_reload,
       has_function_privilege('pg_show_all_file_settings()', 'EXECUTE')
       AND has_table_privilege('pg_file_settings', 'SELECT') AS may_look
"""
_FILES = """
SELECT DISTINCT ON (name, is_own) name, setting AS value,
       sourcefile LIKE '%%/postgresql.auto.conf' AS is_own
  FROM pg_file_settings WHERE name = ANY(%(names)s) ORDER BY name, is_own, seqno DESC
"""
"""The last word of each file counts. That of ALTER SYSTEM is read after all others."""
_REPLICAS = """
SELECT coalesce(nullif(application_name, ''), 'without a name') AS name
  FROM pg_stat_replication WHERE coalesce(state, '') <> 'backup' ORDER BY 1
"""
_VALUE = re.compile(r"([0-9]+) *(B|kB|MB|GB|TB)?")
_UNITS = {"": 1, "B": 1, "kB": 1024, "8kB": 8192, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


def look_at_settings(connection: Connection, names: Sequence[str]) -> Settings:
    """The settings as they are, and as the server's files have them where our role may look."""
    may = _MAY if connection.info.server_version >= _PARAMETER_RIGHTS else _SUPERUSER
    asked = {"names": list(names)}
    rows = connection.execute(sql.SQL(_SETTINGS).format(may=sql.SQL(may)), asked).fetchall()
    (rights,) = connection.execute(_RIGHTS, ()).fetchall()
    files = connection.execute(_FILES, asked).fetchall() if rights["may_look"] else []
    own = {row["name"]: row["value"] for row in files if row["is_own"]}
    others = {row["name"]: row["value"] for row in files if not row["is_own"]}
    replicas = connection.execute(_REPLICAS, ()).fetchall()
    return Settings(
        {row["name"]: _setting(row, own, others) for row in rows},
        rights["may_reload"],
        rights["may_look"],
        [row["name"] for row in replicas],
    )


def _setting(row: Mapping[str, Any], own: Mapping[str, str], others: Mapping[str, str]) -> Setting:
    name, unit = row["name"], row["unit"]
    written = own.get(name, others.get(name))
    by_file = row["source"] == "configuration file"
    same = not by_file if written is None else _same(written, row["now"], unit)
    return Setting(
        now=row["now"],
        set=own.get(name, ""),
        in_force=same or row["pending"],
        pending=row["pending"],
        context=row["context"],
        source=row["source"],
        least=int(row["least"]) * _UNITS[unit],
        most=int(row["most"]) * _UNITS[unit],
        may=row["may"],
    )


def _same(written: str, now: str, unit: str) -> bool:
    """Whether both mean the same; a number without a unit is in the setting's own."""
    both = [_VALUE.fullmatch(each) for each in (written, now)]
    if not all(both):
        return written == now
    first, second = (
        int(each.group(1)) * _UNITS[each.group(2) or unit] for each in both if each is not None
    )
    return first == second


def alter_system(name: str, value: str | None) -> sql.Composed:
    """The statement that writes a setting to the server's own file, or takes it out of there."""
    if value is None:
        return sql.SQL("ALTER SYSTEM RESET {}").format(sql.Identifier(name))
    return sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
