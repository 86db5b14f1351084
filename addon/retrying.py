"""Calls that are repeated until they succeed, are refused for good, or the person changes their mind."""

import random
import threading
from collections.abc import Callable
from typing import TypeVar

from .transport import FarmError

#: A call that may succeed later is repeated this often, after 0.5, 1, 2, 4, 8 and 16 seconds.
RETRIES = 6
FIRST_PAUSE = 0.5

T = TypeVar("T")


class CancelledError(Exception):
    """The person changed their mind."""


class Retrying:
    """Repeats calls; for several threads."""

    def __init__(self, cancelled: threading.Event) -> None:
        """``cancelled`` is set when the person has changed their mind."""
        self._cancelled = cancelled

    def __call__(self, call: Callable[[], T]) -> T:
        """Return what ``call`` does, in the end.

        Raises:
            FarmError: it was refused, or failed time after time.
            CancelledError: it is not wanted any more.
        """
        pause = FIRST_PAUSE
        for attempt in range(RETRIES + 1):
            self.stop_if_cancelled()
            try:
                return call()
            except FarmError as error:
                if attempt == RETRIES or not error.passing:
                    raise
            # Spread out, so that many artists do not come back in the same instant.
            self._cancelled.wait(pause * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
            pause *= 2
        raise AssertionError("the last attempt returns or raises")

    def stop_if_cancelled(self) -> None:
        """Raise CancelledError if it is not wanted any more."""
        if self._cancelled.is_set():
            raise CancelledError
