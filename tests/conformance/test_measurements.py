"""What agents measure: how their machines are, and what frames take of a graphics card."""

from coordinator.protocol import Device, GpuLoad, Telemetry
from coordinator.services import agent_views, frame_views, job_contents
from tests.conformance.farm import GIB, Farm

WARM = Telemetry(
    gpus=[GpuLoad(name="RTX 4090", celsius=61.0, watts=120.5, memory_used_bytes=GIB, utilization=0.9)],
    disk_free_bytes=5 * GIB,
)


async def telemetry(farm: Farm, agent: int) -> Telemetry | None:
    """Return how an agent's machine is, as the page shows it."""
    return (await farm.database.read(agent_views.agent_view, agent)).telemetry


async def test_how_a_machine_is_is_kept_until_it_tells_again(farm: Farm) -> None:
    ant = await farm.agent(slots=2)
    assert await telemetry(farm, ant) is None
    await farm.lease(ant, telemetry=WARM)
    assert await telemetry(farm, ant) == WARM
    farm.clock.advance(1)
    await farm.lease(ant, slot=1)
    assert await telemetry(farm, ant) == WARM

    await farm.submit("1-3")
    grant = await farm.must_lease(ant)
    idle = Telemetry(disk_free_bytes=4 * GIB)
    await farm.report(ant, grant, telemetry=idle)
    assert await telemetry(farm, ant) == idle


async def test_agent_that_is_back_tells_at_once(farm: Farm) -> None:
    ant = await farm.agent()
    farm.clock.advance(100)
    await farm.expire()
    await farm.lease(ant, telemetry=WARM)
    assert await telemetry(farm, ant) == WARM


async def test_job_is_known_to_need_the_memory_that_a_frame_took_of_the_card(farm: Farm) -> None:
    small = await farm.agent("small", device=Device.CUDA, vram_bytes=8 * GIB)
    large = await farm.agent("large", device=Device.CUDA, vram_bytes=24 * GIB)
    job = await farm.submit("1-3", chunk_frames=1)
    await farm.deliver_all(large, await farm.must_lease(large), peak_gpu_memory_bytes=12 * GIB)
    assert await farm.lease(small) is None
    assert (await farm.must_lease(large)).frames == [2]
    (frame,) = (await farm.database.read(frame_views.list_frames, job.id, 10, None)).items
    assert frame.peak_gpu_memory_bytes == 12 * GIB


async def test_energy_of_frames_is_part_of_the_cost(farm: Farm) -> None:
    ant = await farm.agent("ant", device=Device.CUDA, vram_bytes=GIB)
    bee = await farm.agent("bee")
    job = await farm.submit("1-5", chunk_frames=2)
    await farm.deliver_all(ant, await farm.must_lease(ant), energy_joules=1500.0)
    await farm.deliver_all(ant, await farm.must_lease(ant))  # its driver does not answer any more
    await farm.deliver_all(bee, await farm.must_lease(bee))
    shown = (await farm.database.read(frame_views.list_frames, job.id, 10, None)).items
    assert [frame.energy_joules for frame in shown] == [1500.0, 1500.0, None, None, None]
    cost = await farm.database.read(job_contents.cost_view, job.id)
    assert (cost.frames, cost.energy_frames, cost.energy_joules) == (5, 2, 3000.0)
    assert {it.device: (it.frames, it.energy_frames, it.energy_joules) for it in cost.devices} == {
        "CUDA": (4, 2, 3000.0),
        "CPU": (1, 0, 0.0),
    }


async def test_what_was_enough_is_not_held_to_be_too_little(farm: Farm) -> None:
    ant = await farm.agent(device=Device.CUDA, vram_bytes=8 * GIB)
    await farm.submit("1-3", chunk_frames=1)
    # Two slots' Blenders on one card, or memory that the driver lends from the machine's.
    await farm.deliver_all(ant, await farm.must_lease(ant), peak_gpu_memory_bytes=9 * GIB)
    assert (await farm.must_lease(ant)).frames == [2]


async def test_processor_needs_no_card(farm: Farm) -> None:
    ant, card = await farm.agent("ant"), await farm.agent("card", device=Device.CUDA, vram_bytes=GIB)
    await farm.submit("1-3", chunk_frames=1)
    await farm.deliver_all(ant, await farm.must_lease(ant), peak_gpu_memory_bytes=9 * GIB)
    assert (await farm.must_lease(card)).frames == [2]


async def test_what_blender_said_is_kept_as_long_as_its_frame(farm: Farm) -> None:
    ant = await farm.agent()
    job = await farm.submit("1-3", chunk_frames=2)
    said = "Fra:1 | Sample 1/4\nERROR: cannot read wood\0.png\nSaved: 'Bäume.png'\n" * 50
    await farm.deliver_all(ant, await farm.must_lease(ant), log=said)
    await farm.deliver_all(ant, await farm.must_lease(ant))

    async def log_of(frame: int) -> str | None:
        return (await farm.database.read(frame_views.frame_detail, job.id, frame)).log

    assert [await log_of(frame) for frame in (1, 2, 3)] == [said, said, None]
    await farm.requeue(job.id, "1")
    assert [await log_of(frame) for frame in (1, 2)] == [None, said]
    await farm.deliver_all(ant, await farm.must_lease(ant), log="again")
    assert await log_of(1) == "again"
