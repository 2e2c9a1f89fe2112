"""
Step 1: the records of every family, and the revision.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables of the first version."""
    op.create_table(
        "ngrok_records",
        sa.Column("family", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("account_id", sa.String(128), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, unique=True),
        sa.Column("data", sa.Text(), nullable=False),
    )
    state = op.create_table(
        "ngrok_state",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(state, [{"name": "revision", "value": 0}])
