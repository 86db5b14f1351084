"""What an e-mail about a job says (pure)."""

from collections.abc import Mapping
from typing import Any

_ENDS = {"job.completed": "is done", "job.failed": "failed", "job.attention": "needs a look"}


def letter(payload: Mapping[str, Any]) -> tuple[str, str]:
    """Return the subject and the text for what a webhook would be told of a job."""
    job = payload["job"]
    subject = f"{job['name']} {_ENDS.get(payload['event'], 'has news')}"
    lines = [f"{job['name']} (job {job['id']}) {_ENDS.get(payload['event'], 'has news')}.", ""]
    lines.append(f"{job['finished']} of {job['frame_count']} frames are finished.")
    if job["failed"]:
        lines.append(f"{job['failed']} failed.")
    if job["doubtful"]:
        lines.append(f"{job['doubtful']} may not look as they should: have a look at them.")
    if job["reason"]:
        lines += ["", job["reason"]]
    if job["url"]:
        lines += ["", job["url"]]
    lines += ["", "You get this because the job was submitted with your address."]
    return subject, "\n".join(lines)
