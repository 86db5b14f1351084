"""Duties go on, whatever happens to them."""

import asyncio

import pytest

from coordinator.background.runner import Waker, run_duties


class Duty:
    """Does what a test tells it."""

    interval_seconds = 3600.0

    def __init__(self, *, failures: int = 0) -> None:
        self.runs = 0
        self.failures = failures
        self.ran = asyncio.Event()

    async def run_once(self) -> None:
        """Count, and fail the first times."""
        self.runs += 1
        self.ran.set()
        if self.runs <= self.failures:
            raise ValueError("broken")


async def run_until(duty: Duty, runs: int, waker: Waker) -> None:
    """Wake a duty until it has run so often."""
    while duty.runs < runs:
        await duty.ran.wait()
        duty.ran.clear()
        waker.wake()


async def test_a_failing_duty_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    broken, good = Duty(failures=2), Duty()
    waker = Waker()
    task = asyncio.create_task(run_duties([(broken, waker), (good, Waker())]))
    async with asyncio.timeout(10):
        await run_until(broken, 3, waker)
    assert good.runs == 1, "it rests for its hour"
    assert caplog.text.count("Duty failed; it is tried again in 3600 s") == 2
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_wakes_while_it_runs_skips_the_next_rest() -> None:
    waker = Waker()
    waker.wake()
    async with asyncio.timeout(1):
        await waker.rest(3600)
    await waker.rest(0.001)
