"""What a job is made of and what it has cost: the files of its scene, its log as text, its render time.  Reads only."""

from collections import defaultdict
from dataclasses import dataclass, field

import msgspec

from coordinator.db import agents as agent_rows
from coordinator.db import events as event_rows
from coordinator.db import frames as frame_rows
from coordinator.db import packs
from coordinator.db.engine import Transaction
from coordinator.protocol import Hardware, Manifest
from coordinator.services.errors import not_found, require_files
from coordinator.services.frame_schemas import CostView, DeviceCost, PackFileView, PackView
from coordinator.services.frame_views import cards_of
from coordinator.services.views import cursor_number, known_job


def pack_view(tx: Transaction, job_id: int, limit: int, cursor: str | None) -> PackView:
    """Return the files of a job's scene, the largest first.

    Raises:
        Refused: NOT_FOUND; INVALID, the cursor is none of ours.
    """
    job = known_job(tx, job_id)
    # Without its files, a scene that another job has is there still.
    encoded = packs.manifest(tx.conn, job.pack_id)
    if encoded is None:
        require_files(job)
        raise not_found(f"list of files of job {job_id}")
    manifest = msgspec.json.decode(encoded, type=Manifest)
    files = sorted(manifest.files, key=lambda file: (-file.size, file.path))
    start = max(0, cursor_number(cursor) or 0)
    end = start + limit
    return PackView(
        main=manifest.main,
        file_count=len(files),
        size=sum(file.size for file in files),
        items=[PackFileView(path=file.path, size=file.size) for file in files[start:end]],
        next=str(end) if end < len(files) else None,
    )


def cost_view(tx: Transaction, job_id: int) -> CostView:
    """Return what a job's finished frames took, by what rendered them.

    Raises:
        Refused: NOT_FOUND.
    """
    known_job(tx, job_id)
    groups: dict[tuple[str, str], _Group] = defaultdict(_Group)
    for took in frame_rows.by_agent(tx.conn, job_id):
        agent = agent_rows.get(tx.conn, took.agent_id)
        if agent is None:
            continue
        hardware = ", ".join(cards_of(agent)) or msgspec.json.decode(agent.hardware, type=Hardware).cpu
        group = groups[agent.device, hardware]
        group.agents.append(agent.name)
        group.frames += took.frames
        group.seconds += took.seconds
        group.energy_frames += took.measured
        group.energy_joules += took.joules
    devices = [
        DeviceCost(
            device=device,
            hardware=hardware,
            agents=it.agents,
            frames=it.frames,
            seconds=it.seconds,
            energy_frames=it.energy_frames,
            energy_joules=it.energy_joules,
        )
        for (device, hardware), it in sorted(groups.items(), key=lambda entry: -entry[1].seconds)
    ]
    return CostView(
        frames=sum(it.frames for it in devices),
        seconds=sum(it.seconds for it in devices),
        gpu_seconds=sum(it.seconds for it in devices if it.device != "CPU"),
        energy_frames=sum(it.energy_frames for it in devices),
        energy_joules=sum(it.energy_joules for it in devices),
        devices=devices,
    )


def log_lines(tx: Transaction, job_id: int, after: int | None, limit: int) -> tuple[str, int | None]:
    """Return a part of a job's history as text, a line for each event, and where it goes on."""
    events = event_rows.page(tx, job_id, after, limit)
    text = "".join(f"{event.at:%Y-%m-%d %H:%M:%SZ}  {_one_line(event.message)}\n" for event in events)
    return text, events[-1].id if len(events) == limit else None


@dataclass
class _Group:
    """What agents of one kind have done."""

    agents: list[str] = field(default_factory=list)
    frames: int = 0
    seconds: float = 0.0
    energy_frames: int = 0
    energy_joules: float = 0.0


def _one_line(message: str) -> str:
    return message.replace("\r\n", "\n").replace("\n", "\n    ")
