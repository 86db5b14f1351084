"""Wrong tokens, counted by address."""

from coordinator.http.throttle import FailedSignIns


class Time:
    """Seconds that a test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_too_many_failures_wait_until_the_first_is_old() -> None:
    time = Time()
    attempts = FailedSignIns(time, limit=3, window_seconds=60)
    for _ in range(3):
        assert attempts.retry_after("a", b"guess") is None
        attempts.failed("a")
        time.now += 10
    assert attempts.retry_after("a", b"guess") == 30
    assert attempts.retry_after("b", b"guess") is None, "another address is not to blame"
    time.now += 30
    assert attempts.retry_after("a", b"guess") is None


def test_a_token_that_was_good_is_still_looked_at() -> None:
    attempts = FailedSignIns(Time(), limit=1)
    attempts.succeeded(b"good")
    attempts.failed("a")
    assert attempts.retry_after("a", b"good") is None
    assert attempts.retry_after("a", b"other") is not None


def test_memory_is_bounded() -> None:
    attempts = FailedSignIns(Time(), limit=1)
    for number in range(10_001):
        attempts.failed(str(number))
        attempts.succeeded(str(number).encode())
    assert attempts.retry_after("0", b"x") is None, "the oldest was forgotten"
    assert attempts.retry_after("10000", b"x") is not None
