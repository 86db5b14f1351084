"""The hours in which an agent may work: how people write them, and what the clock on the wall makes of them."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.hours import DAYS, EVERY_DAY, Hours, HoursError, Span, parse_hours

BERLIN = ZoneInfo("Europe/Berlin")

#: Monday, 23 November 2026.
MONDAY = 23


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("19:00-07:00", [(EVERY_DAY, 19 * 60, 31 * 60)]),
        ("19-7", [(EVERY_DAY, 19 * 60, 31 * 60)]),
        ("Mon-Fri 19:00-07:00, Sat-Sun", [({0, 1, 2, 3, 4}, 19 * 60, 31 * 60), ({5, 6}, 0, 1440)]),
        ("fri-MON 8:30–12:00", [({4, 5, 6, 0}, 510, 720)]),
        ("Mon Wednesday thurs 00:00-24:00", [({0, 2, 3}, 0, 1440)]),
        ("Sun", [({6}, 0, 1440)]),
    ],
)
def test_hours_as_people_write_them(text: str, spans: list[tuple[set[int], int, int]]) -> None:
    assert parse_hours(text).spans == tuple(Span(frozenset(days), begin, end) for days, begin, end in spans)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "missing at character 1"),
        ("19:00-07:00, ", "missing at character 13"),
        ("Mon-Fry 19:00-07:00", "'Fry' at character 1 is no day; days are Mon, Tue"),
        ("Sat, Mo 19-7", "'Mo' at character 6 is no day"),
        ("Mon-Tue-Wed", "'Tue-Wed' at character 1 is no day"),
        ("Mon 19:00", "'19:00' at character 5 is not two times"),
        ("Mon 7pm-8pm", "'7pm-8pm' at character 5 is not two times"),
        ("25:00-07:00", "'25:00-07:00' at character 1 has a time that no clock shows"),
        ("12:60-13:00", "no clock shows"),
        ("24:00-07:00", "no clock shows"),
        ("00:00-24:01", "no clock shows"),
        ("7-07:00", "ends when it begins"),
        ("19-7 Mon", "'Mon' at character 6 stands after the times"),
    ],
)
def test_hours_that_cannot_be_read_are_refused_at_the_place(text: str, error: str) -> None:
    with pytest.raises(HoursError) as raised:
        parse_hours(text)
    assert error in str(raised.value)


def test_nights_and_weekends() -> None:
    hours = parse_hours("Mon-Fri 19:00-07:00, Sat-Sun", BERLIN)
    assert not hours.are_open(at(MONDAY, 6, 59)), "no night begins on Sunday"
    assert not hours.are_open(at(MONDAY, 18, 59))
    assert hours.are_open(at(MONDAY, 19))
    assert hours.next_change(at(MONDAY, 19)) == at(MONDAY + 1, 7)
    assert hours.next_change(at(MONDAY + 1, 7)) == at(MONDAY + 1, 19)
    # The night of Friday goes over into Saturday, and that into Sunday.
    assert hours.next_change(at(MONDAY + 4, 20)) == at(MONDAY + 7, 0)
    assert hours.next_change_said(at(MONDAY, 9)) == "19:00"
    assert hours.next_change_said(at(MONDAY, 20)) == "Tue 07:00"
    assert parse_hours("Sat-Sun", BERLIN).next_change_said(at(MONDAY, 20)) == "Sat 00:00"


def test_hours_that_are_always_open_never_change() -> None:
    for text in ("Mon-Sun", "7-19, 19-7", "Mon-Sat, Sun 00:00-12:00, Sun 11-24"):
        hours = parse_hours(text, BERLIN)
        assert hours.are_open(at(MONDAY, 19))
        assert hours.next_change(at(MONDAY, 19)) is None
        assert hours.next_change_said(at(MONDAY, 19)) is None


def test_night_is_as_long_as_the_clock_on_the_wall_makes_it() -> None:
    hours = parse_hours("19:00-07:00", BERLIN)
    for day, length in ((datetime(2026, 3, 28), 11), (datetime(2026, 10, 24), 13), (datetime(2026, 11, 1), 12)):  # noqa: DTZ001 - the zone follows
        begin = day.replace(hour=19, tzinfo=BERLIN)
        change = hours.next_change(begin)
        assert change is not None
        assert (change.hour, change.minute) == (7, 0)
        assert change.astimezone(UTC) - begin.astimezone(UTC) == timedelta(hours=length)


def test_span_within_the_hour_that_is_left_out_is_taken_an_hour_later() -> None:
    hours = parse_hours("02:10-02:40", BERLIN)
    before = datetime(2026, 3, 29, 1, 0, tzinfo=BERLIN)
    change = hours.next_change(before)
    assert change is not None
    assert f"{change:%H:%M}" == "03:10"
    # One that ends right after that hour has no place on that day.
    skipped = parse_hours("02:30-03:00", BERLIN).next_change(before)
    assert skipped == datetime(2026, 3, 30, 2, 30, tzinfo=BERLIN)


@pytest.fixture
def in_berlin() -> Iterator[None]:
    """Have this machine be in Berlin."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_hours_are_those_of_the_machine() -> None:
    hours = parse_hours("19:00-07:00")
    night_of_the_change = datetime(2026, 10, 24, 18, 30, tzinfo=UTC)
    change = hours.next_change(night_of_the_change)
    assert change is not None
    assert change.astimezone(UTC) == datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
    assert hours.next_change_said(datetime(2026, 10, 25, 6, 30, tzinfo=UTC)) == "19:00"


def span_of(days: int, begin: int, length: int) -> Span:
    """Return a span on the days whose bits are set."""
    return Span(frozenset(day for day in EVERY_DAY if days >> day & 1), begin, begin + length)


SPANS = st.builds(span_of, st.integers(1, 127), st.integers(0, 1439), st.integers(1, 1440))
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
INSTANTS = st.integers(0, 2 * 365 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(st.lists(SPANS, min_size=1, max_size=4), ZONES, INSTANTS)
def test_nothing_changes_before_the_next_change_and_then_it_does(spans: list[Span], zone: str, now: datetime) -> None:
    hours = Hours(tuple(spans), ZoneInfo(zone))
    open_now = hours.are_open(now)
    change = hours.next_change(now)
    assert open_now or change is not None
    until = (change.astimezone(UTC) if change else now + timedelta(days=7)) - now
    assert timedelta(0) < until
    assert hours.are_open(now + until) is (open_now if change is None else not open_now)
    for part in range(50):
        assert hours.are_open(now + until * (part / 50)) is open_now


def written(span: Span) -> str:
    days = " ".join(DAYS[day] for day in sorted(span.days))
    begin, end = span.begin, span.end if span.end <= 1440 else span.end - 1440
    return f"{days} {begin // 60:02}:{begin % 60:02}-{end // 60:02}:{end % 60:02}"


@given(st.lists(SPANS.filter(lambda span: span.end != span.begin + 1440), min_size=1, max_size=4))
def test_hours_that_are_written_down_are_read_as_they_were(spans: list[Span]) -> None:
    assert parse_hours(", ".join(map(written, spans))).spans == tuple(spans)


@given(st.text())
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    said = "."
    try:
        parse_hours(text)
    except HoursError as error:
        said = str(error)
    assert said.endswith(".")
