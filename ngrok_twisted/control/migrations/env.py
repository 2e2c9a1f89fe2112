"""
Alembic runs this file for each upgrade; the connection, and its transaction, are the caller's.
"""

from __future__ import annotations

from alembic import context

from ngrok_twisted.control.upgrade import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
with context.begin_transaction():
    context.run_migrations()
