"""
Bringing a database's tables up to date, if they are not.
"""

from __future__ import annotations

from importlib import import_module

from sqlalchemy import Connection, inspect, text

#: The table in which Alembic notes the last step; ours by name, so that a database can be shared with others.
VERSION_TABLE = "ngrok_schema_version"

#: The last of the steps in ``migrations/versions``.
NEWEST = "0001"


def to_newest(connection: Connection, name: str) -> None:
    """
    Run the steps that are missing, inside the caller's transaction.

    :param name: what messages call the database.
    :raises StoreUnusable: a newer version wrote it, or its tables are not ours.
    """
    if noted_step(connection) != NEWEST:
        import_module("ngrok_twisted.control.steps").run(connection, name, VERSION_TABLE)


def noted_step(connection: Connection) -> str | None:
    """The last step that a database has seen; ``None`` if there is no note of any."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    step: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return step
