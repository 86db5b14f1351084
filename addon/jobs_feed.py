"""The farm's jobs, asked for in a thread of its own, so that Blender's window never waits for the network.

The thread knows no ``bpy``.  It lives only as long as someone looks: whoever shows the jobs calls
:meth:`JobsFeed.follow` again and again, and the thread ends by itself soon after the last call.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from .client import FarmClient, FarmError
from .connection import Connection
from .farm_job import FarmJob

#: Seconds between two questions while the farm answers, and while it does not.
POLL_SECONDS, RETRY_SECONDS = 2.0, 5.0
#: Seconds without :meth:`JobsFeed.follow` after which the thread ends.
LINGER_SECONDS = 10.0


@dataclass(frozen=True)
class Heard:
    """What was last heard of one farm."""

    farm: Connection | None = None
    """Whom it is about; None: nobody was asked yet."""
    answered: bool = False
    """There was an answer, good or bad."""
    problem: str = ""
    """Why there are no news, in the artist's words; empty when all is well."""
    jobs: tuple[FarmJob, ...] = ()
    """The newest jobs, newest first; kept when the farm stops answering."""
    refusal: str = ""
    """Why the last job that was to be cancelled was not; empty when it was."""


class JobsFeed:
    """Asks one farm at a time for its jobs, for as long as someone follows.

    Args:
        client: makes the client for a farm.
        clock: seconds, never going back.
    """

    def __init__(
        self,
        client: Callable[[Connection], FarmClient] = Connection.client,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._clock = clock
        self._changed = threading.Condition()
        self._farm: Connection | None = None
        self._followed_at = 0.0
        self._at_once = False
        self._to_cancel: list[int] = []
        self._heard = Heard()
        self._thread: threading.Thread | None = None

    def follow(self, farm: Connection) -> None:
        """Keep asking ``farm`` for the next :data:`LINGER_SECONDS`; returns at once."""
        with self._changed:
            if farm != self._farm:
                self._farm = farm
                self._heard = Heard(farm)
                self._to_cancel.clear()
                self._wake()
            self._followed_at = self._clock()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="renderfarm-jobs", daemon=True)
                self._wake()
                self._thread.start()

    def ask_now(self) -> None:
        """Do not wait for the next turn: something has just been changed, or the artist wants to know."""
        with self._changed:
            self._wake()

    def forget_answer(self) -> None:
        """Ask at once, and show that the answer is awaited."""
        with self._changed:
            self._heard = replace(self._heard, answered=False, problem="")
            self._wake()

    def cancel(self, job_id: int) -> None:
        """Have a job of the farm cancelled; :attr:`Heard.refusal` tells when that failed."""
        with self._changed:
            self._to_cancel.append(job_id)
            self._wake()

    def latest(self) -> Heard:
        """Return what was last heard."""
        with self._changed:
            return self._heard

    def stop(self, wait_seconds: float = 2.0) -> None:
        """End the thread and wait for it, at most ``wait_seconds``: a question on its way cannot be recalled."""
        with self._changed:
            self._farm = None
            thread = self._thread
            self._wake()
        if thread is not None:
            thread.join(wait_seconds)

    def _wake(self) -> None:
        self._at_once = True
        self._changed.notify_all()

    def _run(self) -> None:
        while (turn := self._next_turn()) is not None:
            farm, to_cancel = turn
            heard = self._ask(farm, to_cancel)
            with self._changed:
                # Whoever has chosen another farm meanwhile does not want to hear of this one.
                if farm == self._farm and heard != self._heard:
                    self._heard = heard

    def _next_turn(self) -> tuple[Connection, list[int]] | None:
        """Wait, and return whom to ask and what to cancel there; None: nobody follows any longer."""
        with self._changed:
            pause = RETRY_SECONDS if self._heard.problem else POLL_SECONDS
            self._changed.wait_for(lambda: self._at_once, pause)
            self._at_once = False
            if self._farm is None or self._clock() - self._followed_at > LINGER_SECONDS:
                # In the same breath as the decision, so that follow() never counts on a thread that is ending.
                self._thread = None
                return None
            to_cancel, self._to_cancel = self._to_cancel, []
            return self._farm, to_cancel

    def _ask(self, farm: Connection, to_cancel: Sequence[int]) -> Heard:
        before = self.latest()
        refusal = "" if to_cancel else before.refusal
        try:
            with self._client(farm) as client:
                for job_id in to_cancel:
                    try:
                        client.cancel(job_id)
                    except FarmError as error:
                        refusal = str(error)
                jobs = tuple(FarmJob.from_answer(job) for job in client.jobs())
                return Heard(farm, answered=True, jobs=jobs, refusal=refusal)
        except FarmError as error:
            problem = str(error)
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it: this is the thread's last line
            problem = f"The list of jobs failed: {error!r}.  Please report this as a bug."
        return Heard(farm, answered=True, problem=problem, jobs=before.jobs, refusal=refusal)
