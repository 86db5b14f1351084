"""A coordinator that breaks on demand, for the tests of what talks to one."""

from collections.abc import Iterator

import pytest

from tests.fakes.faulty_coordinator import FaultyCoordinator, faulty_coordinator


@pytest.fixture
def coordinator() -> Iterator[FaultyCoordinator]:
    with faulty_coordinator() as coordinator:
        yield coordinator
