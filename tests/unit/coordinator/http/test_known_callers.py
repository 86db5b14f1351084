"""Callers are remembered for a moment, and never longer than their tokens are known to be good."""

from coordinator.domain.tokens import TokenKind
from coordinator.http.known_callers import KnownCallers
from coordinator.services.accounts import Principal


class Time:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


ANT = Principal(kind=TokenKind.AGENT, name="ant", token_id=1, agent_id=1)


def test_a_caller_is_remembered_for_some_seconds() -> None:
    time = Time()
    known = KnownCallers(time, seconds=5)
    assert known.find(b"token") is None
    known.remember(b"token", ANT, known.revocations)
    time.now += 4
    assert known.find(b"token") == ANT
    assert known.find(b"another") is None
    time.now += 1
    assert known.find(b"token") is None


def test_being_asked_for_makes_no_one_remembered_longer() -> None:
    time = Time()
    known = KnownCallers(time, seconds=5)
    known.remember(b"token", ANT, known.revocations)
    for _ in range(5):
        time.now += 1
        known.find(b"token")
    assert known.find(b"token") is None


def test_a_revocation_makes_all_be_asked_for_again() -> None:
    known = KnownCallers(Time())
    known.remember(b"token", ANT, known.revocations)
    known.forget_all()
    assert known.find(b"token") is None


def test_what_was_read_before_a_revocation_is_not_remembered_after_it() -> None:
    known = KnownCallers(Time())
    revocations = known.revocations
    known.forget_all()
    known.remember(b"token", ANT, revocations)
    assert known.find(b"token") is None


def test_memory_is_bounded() -> None:
    known = KnownCallers(Time())
    for number in range(10_001):
        known.remember(str(number).encode(), ANT, known.revocations)
    assert known.find(b"0") is None, "the oldest was forgotten"
    assert known.find(b"10000") == ANT
