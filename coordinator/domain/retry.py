"""What a failure costs."""

#: Failed attempts at mixing a job's sound after which it is given up.
SOUND_ATTEMPTS = 3
#: Stitchings that were begun and never ended, after which a job fails.
STITCH_ATTEMPTS = 3

AGENT_LOST = "agent_lost"
"""The code of an attempt that ended because nothing was heard of the agent any more."""


def may_retry(attempts: int, max_retries: int) -> bool:
    """Tell whether something that failed ``attempts`` times may be tried once more."""
    return attempts <= max_retries
