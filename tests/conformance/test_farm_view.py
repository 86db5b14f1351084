"""The farm at a glance, and what it did before."""

from datetime import timedelta

from sqlalchemy import func, select

from coordinator.background.farm_sampler import FarmSampler
from coordinator.db.schema import farm_samples
from coordinator.services import farm as farm_service
from coordinator.services.schemas import NeedsRequest
from tests.conformance.farm import Farm


async def test_what_the_farm_does_now(farm: Farm) -> None:
    ant = await farm.agent(slots=2)
    await farm.submit("1-10", name="first", chunk_frames=4)
    waiting = await farm.submit("1-3", name="second", needs=NeedsRequest(tags=["holodeck"]))
    await farm.must_lease(ant)
    view = await farm.database.read(farm_service.overview, 5, 9)
    assert (view.slots, view.busy_slots, view.agents) == (2, 1, {"online": 1})
    assert view.jobs == {"running": 1, "queued": 1}
    assert [(it.id, it.name, it.frames) for it in view.waiting] == [(waiting.id, "second", 3)]
    assert "holodeck" in (view.waiting[0].reason or "")
    assert view.pending_frames == 3 + 10 - 4
    assert (view.disk_free_bytes, view.disk_total_bytes) == (5, 9)


async def test_minutes_add_up_and_old_ones_go(farm: Farm) -> None:
    farm.clock.now = farm.clock.now.replace(minute=10, second=5)
    sampler = FarmSampler(farm.database)
    ant = await farm.agent()
    await farm.submit("1-4")
    assert await sampler.run_once() == 0
    await farm.render_everything(ant)
    farm.clock.now += timedelta(minutes=1)
    assert await sampler.run_once() == 4
    # Another coordinator of the same farm looks in the same minute.
    assert await FarmSampler(farm.database).run_once() == 0
    minutes = await farm.database.read(farm_service.samples, farm_service.MINUTE)
    assert [(it.frames, it.slots, it.jobs, it.pending) for it in minutes] == [(0, 1, 1, 4), (4, 1, 0, 0)]
    [hour] = await farm.database.read(farm_service.samples, farm_service.HOUR)
    assert (hour.frames, hour.at.minute, hour.slots) == (4, 0, 1)
    farm.clock.now += timedelta(days=40)
    await sampler.run_once()
    assert (
        await farm.database.read(lambda tx: tx.conn.execute(select(func.count()).select_from(farm_samples)).scalar())
        == 2
    )
