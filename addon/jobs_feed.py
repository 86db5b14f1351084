"""The farm's jobs, asked for in a thread of its own, so that Blender's window never waits for the network.

The thread knows no ``bpy``.  It lives only as long as someone looks: whoever shows the jobs calls
:meth:`JobsFeed.follow` again and again, and the thread ends by itself soon after the last call.
"""

import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from .client import FarmClient, FarmError
from .connection import Connection
from .farm_facts import FarmFacts, read_facts
from .farm_job import FarmJob
from .job_pictures import JobPictures, LatestFrame

#: Seconds between two questions while the farm answers, and while it does not.
POLL_SECONDS, RETRY_SECONDS = 2.0, 5.0
#: Seconds for which what the farm can do is taken to stay as it is.
FACTS_SECONDS = 30.0
#: Seconds without :meth:`JobsFeed.follow` after which the thread ends.
LINGER_SECONDS = 10.0

#: What the farm says of a token that is not good there, or not for this.
_TURNED_AWAY = ("token_missing", "token_wrong", "forbidden")

#: Something done with the farm's jobs.
Action = Callable[[FarmClient], object]


@dataclass(frozen=True)
class Heard:
    """What was last heard of one farm."""

    farm: Connection | None = None
    """Whom it is about; None: nobody was asked yet."""
    answered: bool = False
    """There was an answer, good or bad."""
    problem: str = ""
    """Why there are no news, in the artist's words; empty when all is well."""
    turned_away: bool = False
    """The problem is that the farm does not know the token: being let in anew mends it."""
    jobs: tuple[FarmJob, ...] = ()
    """The newest jobs, newest first; kept when the farm stops answering."""
    refusal: str = ""
    """Why what was last to be done with a job was not; empty when it was."""
    facts: FarmFacts = field(default_factory=FarmFacts)
    """What the farm can do."""
    pictures: Mapping[int, str] = field(default_factory=dict)
    """Paths of small pictures of the jobs' latest frames, by the job."""
    latest_frame: LatestFrame | None = None
    """Of the job whose frames are shown as they arrive."""


class JobsFeed:
    """Asks one farm at a time for its jobs, for as long as someone follows.

    Args:
        client: makes the client for a farm.
        clock: seconds, never going back.
        folder: where the thread keeps its pictures; it is removed at the end.
    """

    def __init__(
        self,
        client: Callable[[Connection], FarmClient] = Connection.client,
        clock: Callable[[], float] = time.monotonic,
        folder: Path | None = None,
    ) -> None:
        self._client = client
        self._clock = clock
        self._pictures = JobPictures(folder or Path(tempfile.gettempdir(), f"renderfarm-pictures-{id(self):x}"))
        self._facts_at: float | None = None
        self._shown_job: int | None = None
        self._changed = threading.Condition()
        self._farm: Connection | None = None
        self._followed_at = 0.0
        self._at_once = False
        self._to_do: list[Action] = []
        self._heard = Heard()
        self._thread: threading.Thread | None = None

    def follow(self, farm: Connection) -> None:
        """Keep asking ``farm`` for the next :data:`LINGER_SECONDS`; returns at once."""
        with self._changed:
            if farm != self._farm:
                self._farm = farm
                self._heard = Heard(farm)
                self._to_do.clear()
                self._facts_at = None
                self._shown_job = None
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
            self._facts_at = None
            self._wake()

    def carry_out(self, action: Action) -> None:
        """Have something done with a job of the farm; :attr:`Heard.refusal` tells when that failed."""
        with self._changed:
            self._to_do.append(action)
            self._wake()

    def show_frames_of(self, job_id: int | None) -> None:
        """Fetch the whole picture of a job's latest frame whenever there is a new one; None: of no job."""
        with self._changed:
            self._shown_job = job_id
            self._wake()

    @property
    def shown_job(self) -> int | None:
        """The job whose frames are shown as they arrive."""
        with self._changed:
            return self._shown_job

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
        self._pictures.remove()

    def _wake(self) -> None:
        self._at_once = True
        self._changed.notify_all()

    def _run(self) -> None:
        asked: Connection | None = None
        while (turn := self._next_turn()) is not None:
            farm, to_do, shown_job = turn
            if farm != asked:
                self._pictures.forget()
                asked = farm
            self._ask(farm, to_do, shown_job)

    def _next_turn(self) -> tuple[Connection, list[Action], int | None] | None:
        """Wait, and return whom to ask, what to do there and whose frames to fetch; None: nobody follows any longer."""
        with self._changed:
            pause = RETRY_SECONDS if self._heard.problem else POLL_SECONDS
            self._changed.wait_for(lambda: self._at_once, pause)
            self._at_once = False
            if self._farm is None or self._clock() - self._followed_at > LINGER_SECONDS:
                # In the same breath as the decision, so that follow() never counts on a thread that is ending.
                self._thread = None
                return None
            to_do, self._to_do = self._to_do, []
            return self._farm, to_do, self._shown_job

    def _ask(self, farm: Connection, to_do: Sequence[Action], shown_job: int | None) -> None:
        before = self.latest()
        heard = replace(
            before, farm=farm, answered=True, problem="", turned_away=False, refusal="" if to_do else before.refusal
        )
        try:
            with self._client(farm) as client:
                for action in to_do:
                    try:
                        action(client)
                    except FarmError as error:
                        heard = replace(heard, refusal=str(error))
                heard = replace(heard, jobs=tuple(FarmJob.from_answer(job) for job in client.jobs()))
                heard = replace(heard, facts=self._facts(client, before.facts))
                # The list need not wait for its pictures.
                self._tell(farm, heard)
                self._tell(farm, self._with_pictures(client, heard, shown_job))
                return
        except FarmError as error:
            heard = replace(heard, turned_away=error.code in _TURNED_AWAY)
            problem = f"{error.message} Press Connect… to be let in." if heard.turned_away else str(error)
        except Exception as error:  # noqa: BLE001 - nobody else would hear of it: this is the thread's last line
            problem = f"The list of jobs failed: {error!r}.  Please report this as a bug."
        self._tell(farm, replace(heard, problem=problem))

    def _facts(self, client: FarmClient, known: FarmFacts) -> FarmFacts:
        now = self._clock()
        if self._facts_at is not None and now - self._facts_at < FACTS_SECONDS:
            return known
        facts = read_facts(client)
        self._facts_at = now
        return facts

    def _with_pictures(self, client: FarmClient, heard: Heard, shown_job: int | None) -> Heard:
        shown = next((job for job in heard.jobs if job.id == shown_job), None)
        # What cannot be had is tried again at the next turn; what the farm says of itself is told then, too.
        with suppress(FarmError):
            heard = replace(heard, latest_frame=self._pictures.fetch_latest(client, shown))
        with suppress(FarmError):
            heard = replace(heard, pictures=self._pictures.fetch_small(client, heard.jobs))
        return heard

    def _tell(self, farm: Connection, heard: Heard) -> None:
        with self._changed:
            # Whoever has chosen another farm meanwhile does not want to hear of this one.
            if farm == self._farm and heard != self._heard:
                self._heard = heard
