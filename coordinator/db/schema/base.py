"""What all tables have in common."""

import enum

from sqlalchemy import BigInteger, CheckConstraint, Integer, MetaData, String

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


# SQLite counts rows by itself only in a column of type INTEGER.
Identity = BigInteger().with_variant(Integer(), "sqlite")
Digest = String(64)
