"""Jobs and leases for the agent's tests."""

from coordinator.protocol import ImageFormat, JobSpec, LeaseGrant, OutputSpec, RenderSpec

PACK = "a" * 64
OTHER_PACK = "b" * 64


def job(pack_id: str = PACK, job_id: int = 1, *, persistent_data: bool = True, processor: bool = False) -> JobSpec:
    """Return a job for 64 × 48 PNGs."""
    return JobSpec(
        job_id=job_id,
        name="Shot",
        pack_id=pack_id,
        render=RenderSpec(scene="Scene", persistent_data=persistent_data, processor=processor),
        output=OutputSpec(format=ImageFormat.PNG, width=64, height=48),
    )


def grant(lease_id: str, *frames: int, of: JobSpec | None = None, sound: bool = False) -> LeaseGrant:
    """Return a lease for some frames."""
    return LeaseGrant(
        lease_id=lease_id,
        job=of or job(),
        frames=list(frames),
        mix_sound=sound,
        sound_range=(1, 10) if sound else None,
    )
