"""Records with something in every field, for tests that care about a few."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from coordinator.domain.model import Agent, AgentState, Job, JobState, SoundState

START = datetime(2026, 1, 1, tzinfo=UTC)
GIB = 2**30


def at(seconds: float) -> datetime:
    """Return the time so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def a_job(job_id: int = 1, **changes: Any) -> Job:
    """Return a job of ana's with a hundred pending frames."""
    return replace(_JOB, id=job_id, pack_id=f"pack {job_id}", **changes)


def an_agent(agent_id: int = 1, **changes: Any) -> Agent:
    """Return an online agent with one slot that renders with the processor."""
    return replace(_AGENT, id=agent_id, name=f"agent {agent_id}", **changes)


_JOB = Job(
    id=1,
    name="Shot",
    pack_id="pack",
    frames="1-100",
    frame_count=100,
    state=JobState.QUEUED,
    reason=None,
    priority=50,
    min_blender=402,
    needs="{}",
    ram_needed=0,
    vram_needed=0,
    max_slots=None,
    chunk_frames=None,
    target_seconds=60.0,
    hedge=True,
    first_look=False,
    looks=0,
    stop_after=3,
    stop_on_missing=False,
    cpu_fallback=False,
    max_retries=3,
    video=False,
    render="{}",
    output="{}",
    warnings=(),
    submission=None,
    created_by="ana",
    notify=(),
    search="shot\nana\nshot.blend",
    created_at=START,
    started_at=None,
    ended_at=None,
    finished=0,
    failed=0,
    blank=0,
    doubtful=0,
    whole_failures=0,
    latest_frame=None,
    costs="",
    pending=100,
    slots=0,
    speed=0.0,
    vtime=0.0,
    granted_at=None,
    width=None,
    height=None,
    sound_state=SoundState.NONE,
    sound_lease_id=None,
    sound_failures=0,
    sound_sha256=None,
    video_sha256=None,
    stitch_claim=None,
    stitch_expires_at=None,
    stitch_claims=0,
    keep=False,
    bytes=None,
    files_swept_at=None,
    removal=None,
)

_AGENT = Agent(
    id=1,
    name="agent",
    state=AgentState.ONLINE,
    software_version="1",
    slots=1,
    hardware="{}",
    blenders="[]",
    tags="[]",
    pools="[]",
    farm_tags="[]",
    farm_pools="[]",
    engines="[]",
    device="CPU",
    platform="linux",
    ram_bytes=16 * GIB,
    vram_bytes=None,
    max_blender=405,
    speed=1.0,
    speed_count=0,
    set_aside=None,
    set_aside_at=None,
    sandboxed=True,
    drained=False,
    resting=None,
    telemetry=None,
    removed=False,
    registered_at=START,
    last_seen_at=START,
)
