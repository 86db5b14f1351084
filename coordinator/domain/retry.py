"""What a failure costs, and whom: the frame, the agent, or the job.

A failure has a code, for programs, and a message, for people.  Whose fault it is shows only in comparison: what two
agents fail alike is the scene's fault, what one agent fails and another one renders is the agent's.
"""

import enum
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

#: Failed attempts at mixing a job's sound after which it is given up.
SOUND_ATTEMPTS = 3
#: Stitchings that were begun and never ended, after which a job fails.
STITCH_ATTEMPTS = 3
#: Frames of a job that an agent failed and another one rendered, after which the agent gets no more of the job.
SET_ASIDE_FRAMES = 2
#: Jobs that an agent gets no more of, after which it gets none at all.
SET_ASIDE_JOBS = 3

AGENT_LOST = "agent_lost"
"""The code of an attempt that ended because nothing was heard of the agent any more."""
BLANK_FRAME = "blank_frame"
"""There is nothing to be seen in the picture, and something in those beside it."""
OUT_OF_MEMORY = "out_of_memory"
OUT_OF_GPU_MEMORY = "out_of_gpu_memory"
MEMORY_FAULTS = frozenset({OUT_OF_MEMORY, OUT_OF_GPU_MEMORY})
"""The agent's memory, or its graphics card's, is too small for the frame; another one's may do."""
WORLD_FAULTS = frozenset({"no_room", "network", "no_device", "not_started", "gpu_lost"})
"""Neither the scene's fault nor its renderer's: a full disk, the network, a machine without its graphics card."""
CERTAIN = frozenset({"missing_files"})
"""What one agent has failed like this it fails again, however often it tries."""

#: What differs between two reports of one failure: paths, addresses, numbers.
_DETAILS = re.compile(r"(?:[a-z]:)?[/\\][^\s'\",;:()]*|0x[0-9a-f]+|[0-9]+(?:\.[0-9]+)*")


class Verdict(enum.StrEnum):
    """What becomes of something that failed."""

    RETRY = "retry"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt."""

    agent_id: int
    code: str
    message: str


def may_retry(attempts: int, max_retries: int) -> bool:
    """Tell whether something that failed ``attempts`` times may be tried once more."""
    return attempts <= max_retries


def is_strike(code: str, *, other_agents_can: bool) -> bool:
    """Tell whether a failure counts against what was tried.

    Being out of memory does not while another agent, with more of it, can try.
    """
    return code not in WORLD_FAULTS and not (code in MEMORY_FAULTS and other_agents_can)


def same_way(one: Failure, other: Failure) -> bool:
    """Tell whether two failures are alike: their codes, and their messages but for numbers and paths."""
    return one.code == other.code and _gist(one.message) == _gist(other.message)


def frame_verdict(attempts: Sequence[Failure], max_retries: int, *, other_agents_can: bool) -> Verdict:
    """Judge a frame (or a whole job) by its failed attempts.

    It fails when two agents failed it the same way, when its retries are used up, or when the only agent that could
    render it is certain to fail it again; but not by one agent's being lost time and again, while another could try.

    Args:
        attempts: all that were counted, in any order.
        max_retries: how often it may be tried again.
        other_agents_can: whether an agent that has not tried it could.
    """
    strikes = [attempt for attempt in attempts if is_strike(attempt.code, other_agents_can=other_agents_can)]
    # Two agents may well be lost with the same frame by chance.
    told = [attempt for attempt in strikes if attempt.code != AGENT_LOST]
    if any(one.agent_id != other.agent_id and same_way(one, other) for one, other in _pairs(told)):
        return Verdict.FAIL
    if not other_agents_can and any(attempt.code in CERTAIN for attempt in told):
        return Verdict.FAIL
    if not told and other_agents_can and len({attempt.agent_id for attempt in strikes}) < 2:
        return Verdict.RETRY
    return Verdict.RETRY if may_retry(len(strikes), max_retries) else Verdict.FAIL


def agent_verdict(frames: int) -> bool:
    """Tell whether an agent is set aside for a job of which it failed so many frames that another one rendered."""
    return frames >= SET_ASIDE_FRAMES


def set_aside_altogether(jobs: int) -> bool:
    """Tell whether an agent that was set aside for so many jobs gets no work at all."""
    return jobs >= SET_ASIDE_JOBS


def job_verdict(
    *, finished: int, failures: Sequence[tuple[int, Failure]], stop_after: int, capable_agents: int
) -> str | None:
    """Return why a job is to be stopped early, a sentence, or None to go on.

    It stops when none of its frames is finished and the first ones that failed all did so the same way; on two agents
    at least, if so many could render it.

    Args:
        finished: frames of the job that are finished.
        failures: frame and failure, in the order of time.
        stop_after: how many distinct frames it takes; 0 never stops a job.
        capable_agents: agents that could render the job.
    """
    if finished or stop_after <= 0:
        return None
    first: dict[int, Failure] = {}
    for frame, failure in failures:
        if failure.code != AGENT_LOST and is_strike(failure.code, other_agents_can=capable_agents > 1):
            first.setdefault(frame, failure)
    sample = list(first.values())[:stop_after]
    if len(sample) < stop_after or not all(same_way(sample[0], failure) for failure in sample):
        return None
    agents = {failure.agent_id for _, failure in failures if same_way(sample[0], failure)}
    if len(agents) < min(2, capable_agents):
        return None
    which = "Its first frame failed" if stop_after == 1 else f"Its first {stop_after} frames all failed the same way"
    return f"{which}, so the rest was not tried: {sample[0].message}"


def _pairs(attempts: Sequence[Failure]) -> Iterator[tuple[Failure, Failure]]:
    for index, one in enumerate(attempts):
        for other in attempts[index + 1 :]:
            yield one, other


@lru_cache(maxsize=1024)
def _gist(message: str) -> str:
    """Return a message without what differs from frame to frame and machine to machine."""
    return " ".join(_DETAILS.sub("#", message.lower()).split())
