"""Who looks at frames stands back behind who renders them."""

import os
import sys
import threading

from coordinator.protocol.decoding import decoding_threads


def niceness() -> int:
    """Return that of the calling thread."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


def test_threads_that_decode_stand_back_behind_all_others() -> None:
    before = niceness()
    with decoding_threads(1, "test") as pool:
        behind = pool.submit(niceness).result()
    assert behind == (min(before + 10, 19) if sys.platform == "linux" else before)
    assert niceness() == before
