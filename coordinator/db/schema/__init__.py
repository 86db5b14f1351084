"""The tables, with CHECKs that repeat what they can of the invariants in docs/ARCHITECTURE.md.

The migrations build the same schema step by step; a test compares the two on every database.
"""

from coordinator.db.schema.assets import blobs, inspections, pack_blobs, packs
from coordinator.db.schema.base import metadata
from coordinator.db.schema.history import attempts, deliveries, events, farm_samples, job_dependencies, set_asides
from coordinator.db.schema.members import agents, connect_requests, tokens, users
from coordinator.db.schema.work import chunks, extra_files, frame_logs, frames, jobs, leases

__all__ = [
    "agents",
    "attempts",
    "blobs",
    "chunks",
    "connect_requests",
    "deliveries",
    "events",
    "extra_files",
    "farm_samples",
    "frame_logs",
    "frames",
    "inspections",
    "job_dependencies",
    "jobs",
    "leases",
    "metadata",
    "pack_blobs",
    "packs",
    "set_asides",
    "tokens",
    "users",
]
