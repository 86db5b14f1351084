"""The hours in which an agent may work: ``Mon-Fri 19:00-07:00, Sat-Sun``.

Times are those of a clock on the wall.  When it is put forward or back, a span begins and ends when that clock shows
its times: a night may last 11 or 13 hours.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
EVERY_DAY = frozenset(range(7))

#: Spans are at most a day long and come again every week: so many days show all there is.
_HORIZON = 8

_WORD = re.compile(r"[^\s,]+")
_TIMES = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?")
_DAY_MINUTES = 24 * 60


class HoursError(Exception):
    """Hours cannot be read; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time that comes again on some days."""

    days: frozenset[int]
    """On which it begins; Monday is 0."""
    begin: int
    """Minutes past midnight."""
    end: int
    """Minutes past the midnight before it begins; over 1440, it ends on the day after."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Some spans, in one time zone."""

    spans: tuple[Span, ...]
    zone: tzinfo | None = None
    """``None``: the machine's own."""

    def are_open(self, now: datetime) -> bool:
        """Tell whether an instant (aware) lies within a span: its begin does, its end does not."""
        return any(begin <= now < end for begin, end in self._around(now))

    def next_change(self, now: datetime) -> datetime | None:
        """Return when :meth:`are_open` changes next after an instant, in its zone; None if it never does."""
        spans = sorted(self._around(now))
        if not self.are_open(now):
            return next(begin for begin, _ in spans if begin > now).astimezone(self.zone)
        closes = now
        for begin, end in spans:
            if begin <= closes < end:
                closes = end
        endless = closes - now > timedelta(days=_HORIZON - 1)
        return None if endless else closes.astimezone(self.zone)

    def next_change_said(self, now: datetime) -> str | None:
        """Return when :meth:`next_change` is, as people say it: ``19:00`` today, or ``Mon 19:00``."""
        change = self.next_change(now)
        if change is None:
            return None
        today = change.date() == now.astimezone(self.zone).date()
        return f"{change:%H:%M}" if today else f"{_short(change.weekday())} {change:%H:%M}"

    def _around(self, now: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Yield the spans of the day before, today, and the week to come, as instants in UTC."""
        today = now.astimezone(self.zone).date()
        for offset in range(-1, _HORIZON + 1):
            day = today + timedelta(days=offset)
            for span in self.spans:
                begin, end = self._instant(day, span.begin), self._instant(day, span.end)
                # When the clock is put forward, there may be nothing of it.
                if day.weekday() in span.days and begin < end:
                    yield begin, end

    def _instant(self, day: date, minutes: int) -> datetime:
        """Return when the clock shows a time.

        Of a time that it shows twice that is the first one.  One that it leaves out is taken for the time that it
        would show had it not been put forward (PEP 495, ``fold=0``).
        """
        later, minutes = divmod(minutes, _DAY_MINUTES)
        shown = datetime.combine(day + timedelta(days=later), time(*divmod(minutes, 60)), tzinfo=self.zone)
        return shown.astimezone(UTC)


def parse_hours(text: str, zone: tzinfo | None = None) -> Hours:
    """Read hours: spans separated by commas, each with days, with times, or with both.

    Days are names of at least three letters, or two with a hyphen between them (``Mon-Fri``, ``Fri-Mon``), and
    several of these; times are ``19:00-07:00`` or ``19-7``.  A span that ends no later than it begins ends on the next
    day.  Without days it is for every day, without times for the whole day.

    Raises:
        HoursError: it is something else.
    """
    spans = []
    place = 0
    for part in text.split(","):
        spans.append(_parse_span(part, place))
        place += len(part) + 1
    return Hours(tuple(spans), zone)


def _parse_span(part: str, place: int) -> Span:
    """Read one span that begins at a place of the whole text."""
    days: set[int] = set()
    times: tuple[int, int] | None = None
    for found in _WORD.finditer(part.replace("–", "-")):
        word, at = found.group(), f"at character {place + found.start() + 1}"
        if times is not None:
            raise HoursError(f"{word!r} {at} stands after the times of its span; separate spans with a comma.")
        if word[0].isdigit():
            times = _parse_times(word, at)
        else:
            days |= _parse_days(word, at)
    if not days and times is None:
        raise HoursError(f"A span is missing at character {place + 1}; hours look like 'Mon-Fri 19:00-07:00, Sat-Sun'.")
    begin, end = times or (0, _DAY_MINUTES)
    return Span(frozenset(days) or EVERY_DAY, begin, end)


def _parse_days(word: str, at: str) -> set[int]:
    first, hyphen, last = word.partition("-")
    begin = _parse_day(first, at)
    end = _parse_day(last, at) if hyphen else begin
    return {(begin + offset) % 7 for offset in range((end - begin) % 7 + 1)}


def _parse_day(name: str, at: str) -> int:
    for number, day in enumerate(DAYS):
        if len(name) >= 3 and day.startswith(name.lower()):
            return number
    raise HoursError(f"{name!r} {at} is no day; days are {', '.join(map(_short, range(7)))}.")


def _parse_times(word: str, at: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(word)
    if match is None:
        raise HoursError(f"{word!r} {at} is not two times with a hyphen between them, such as 19:00-07:00.")
    begin_hour, begin_minute, end_hour, end_minute = (int(number or 0) for number in match.groups())
    begin, end = begin_hour * 60 + begin_minute, end_hour * 60 + end_minute
    if begin >= _DAY_MINUTES or end > _DAY_MINUTES or begin_minute > 59 or end_minute > 59:
        raise HoursError(f"{word!r} {at} has a time that no clock shows; a day goes from 00:00 to 24:00.")
    if begin == end:
        raise HoursError(f"{word!r} {at} ends when it begins; leave the times out for the whole day.")
    return begin, end if end > begin else end + _DAY_MINUTES


def _short(day: int) -> str:
    return DAYS[day][:3].title()
