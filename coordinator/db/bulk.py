"""One statement that writes many rows, made of one that writes a single row.

PostgreSQL reads the conditions (CHECK) of a table anew for each statement that writes to it: for a job, whose table has
two dozen, that takes several times as long as the row does.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class Bulk:
    """A statement that binds an array for each value of the other one, with an element for each of its rows."""

    text: str
    quoted: Sequence[bool]
    """By array: whether its elements are texts."""
    adds: bool
    """It adds rows, so that none can be meant twice."""

    def arrays(self, rows: Iterable[Sequence[bytes | None]]) -> list[bytes]:
        """Return what to bind for rows of values, each as PostgreSQL reads it."""
        columns = zip(*rows, strict=True)
        return [
            b"{%s}" % b",".join(map(_text if quoted else _number, column))
            for quoted, column in zip(self.quoted, columns, strict=True)
        ]


def bulk_of(text: str, types: Sequence[str]) -> Bulk | None:
    """Return what writes many rows as a statement does one; None if it is of a kind for which that is not known.

    Args:
        text: of an INSERT with VALUES, an UPDATE or a DELETE, without RETURNING, with %s for each value.
        types: of the values, as PostgreSQL names them.
    """
    numbers = count(1)
    names = [f"p{number}" for number in range(1, len(types) + 1)]
    rows = " ".join(re.sub("%[s%]", lambda it: f"v.p{next(numbers)}" if it[0] == "%s" else it[0], text).split())
    kinds = ["TEXT" if kind.startswith(("VARCHAR", "TEXT")) else kind for kind in types]
    arrays = ", ".join(f"%s::{kind}[]" for kind in kinds)
    source = f"unnest({arrays}) AS v({', '.join(names)})"
    if found := re.fullmatch(r"(INSERT INTO .*?) VALUES \((.*)\)", rows):
        many = f"{found[1]} SELECT {found[2]} FROM {source}"  # noqa: S608 - of texts that SQLAlchemy wrote
    elif found := re.fullmatch(r"(UPDATE .*?) WHERE (.*)", rows):
        many = f"{found[1]} FROM {source} WHERE {found[2]}"
    elif found := re.fullmatch(r"(DELETE FROM .*?) WHERE (.*)", rows):
        many = f"{found[1]} USING {source} WHERE {found[2]}"
    else:
        return None
    if " RETURNING " in many or not types:
        return None
    return Bulk(many, [kind == "TEXT" for kind in kinds], adds=rows.startswith("INSERT"))


def _number(value: bytes | None) -> bytes:
    return b"NULL" if value is None else value


def _text(value: bytes | None) -> bytes:
    return b"NULL" if value is None else b'"%s"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
