"""The types of columns: what Python holds, and how it is stored alike on every database."""

import enum
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Dialect, String, Text, TypeDecorator
from sqlalchemy.types import TypeEngine

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An aware time, stored as microseconds since 1970 in UTC: exact, sortable and alike on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return microseconds; a naive time raises ValueError."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times in the database are aware")
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return an aware time in UTC."""
        return None if value is None else _EPOCH + _MICROSECOND * value


def plain(text: str) -> str:
    """Return a text as :class:`PlainText` keeps it: with U+FFFD for every NUL."""
    return text.replace("\0", "\ufffd")


class PlainText(TypeDecorator[str]):
    """Text for people.  PostgreSQL stores no NUL, so none is kept anywhere: a stray one must not cost a report."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the text as it is kept."""
        return None if value is None else plain(value)


class SortedText(PlainText):
    """Text that every database sorts alike: by its characters' numbers, whatever language PostgreSQL was set up for."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the database's own type."""
        return Text(collation="C") if dialect.name == "postgresql" else Text()


class JsonTuple(TypeDecorator[tuple[Any, ...]]):
    """A short list of texts or numbers, stored as JSON."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[Any, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return JSON."""
        return None if value is None else json.dumps(list(value), ensure_ascii=False)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[Any, ...] | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return a tuple."""
        return None if value is None else msgspec.json.decode(value, type=tuple)


class Word(TypeDecorator[enum.StrEnum]):
    """One word of an enumeration."""

    impl = String(16)
    cache_ok = True

    def __init__(self, kind: type[enum.StrEnum]) -> None:
        """Take the enumeration."""
        super().__init__()
        self.kind = kind
        # Found by their hash: every lease and frame has a dozen such words looked up.
        self._words = {member.value: member.value for member in kind}
        self._members = {member.value: member for member in kind}

    def process_bind_param(self, value: enum.StrEnum | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the word; one that is not in the enumeration raises ValueError."""
        if value is None:
            return None
        try:
            return self._words[value]
        except KeyError:
            raise ValueError(f"{value!r} is no {self.kind.__name__}") from None

    def process_result_value(self, value: str | None, dialect: Dialect) -> enum.StrEnum | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return the member."""
        return None if value is None else self._members[value]
