"""INSERT … ON CONFLICT: every database here has it, and SQLAlchemy has it in each of its dialects only."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

DIALECTS = ("postgresql", "sqlite")


def insert_into(table: Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT into a table that can be told what to do where a row is there already."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
