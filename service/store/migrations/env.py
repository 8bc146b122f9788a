"""Alembic's environment: the connection comes from `service.store.migrate`."""

from alembic import context

from service.store.migrate import VERSION_TABLE
from service.store.schema import metadata


def _ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return kind != "table" or name in metadata.tables


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_object=_ours,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
