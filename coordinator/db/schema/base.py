"""What all tables have in common."""

import enum

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, MetaData, String, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def one_of(column: str, kind: type[enum.StrEnum]) -> CheckConstraint:
    """Return the CHECK that holds ``column`` to the words of ``kind``."""
    words = ", ".join(f"'{word}'" for word in kind)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """Return an index of the rows that meet a condition: a query uses it only where it says that condition."""
    return Index(name, *columns, unique=unique, sqlite_where=text(where), postgresql_where=text(where))


# SQLite counts rows by itself only in a column of type INTEGER.
Identity = BigInteger().with_variant(Integer(), "sqlite")
Digest = String(64)
