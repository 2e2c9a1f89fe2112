"""
The steps in ``migrations/versions``, run in this process by Alembic. `ngrok_twisted.control.upgrade` says whether there are
any to run; this module is imported then alone, since Alembic takes a tenth of a second of each start.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from ngrok_twisted.errors import StoreUnusable

_MIGRATIONS = Path(__file__).parent / "migrations"


def run(connection: Connection, name: str, version_table: str) -> None:
    """
    Run the steps that are missing, inside the caller's transaction.

    :param name: what messages call the database.
    :param version_table: where the last step is noted.
    :raises StoreUnusable: a newer version wrote it, or its tables are not ours.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    steps = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection, opts={"version_table": version_table}).get_current_revision()
    if current is None and inspect(connection).has_table("ngrok_records"):
        raise StoreUnusable(f"the database {name} does not say which version wrote it; restore a backup")
    if current is not None:
        try:
            steps.get_revision(current)
        except CommandError:
            raise StoreUnusable(
                f"the database {name} was written by a newer version (step {current}); "
                "install that version again, or restore a backup from before"
            ) from None
    if current != steps.get_current_head():
        command.upgrade(config, "head")
