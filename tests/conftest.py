"""What every test gets: an event loop that must not be blocked, and Hypothesis as thorough as asked for."""

import inspect
import os
from collections.abc import Iterator

import pytest
from blockbuster import blockbuster_ctx
from hypothesis import settings

# Derandomized: a failure on one machine is the same failure on every other.
settings.register_profile("fast", max_examples=30, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=300, deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.fixture(autouse=True)
def unblocked_event_loop(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test whose event loop is blocked by a file, a socket or a sleep in our own code."""
    if not inspect.iscoroutinefunction(request.function):
        yield
        return
    with blockbuster_ctx(["agent", "coordinator"]):
        yield
