"""Inspections: one agent at a time looks into a pack, and a lost one costs nobody the answer."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from coordinator.domain.inspections import MAX_ATTEMPTS, InspectionState
from coordinator.protocol import (
    BlenderBuild,
    ErrorCode,
    InspectionGrant,
    InspectionReport,
    InspectionRequest,
    InspectionResult,
    Stage,
)
from coordinator.services import agent_control, agents, assets, inspections
from coordinator.services.errors import Refused
from coordinator.services.inspection_schemas import InspectionAsk, InspectionView
from tests.conformance.farm import Farm, manifest
from tests.fakes.findings import FINDINGS


async def ask(farm: Farm, pack: str, blender: tuple[int, int] | None = None) -> InspectionView:
    """Ask what is in a pack."""
    return await farm.database.write(inspections.ask, pack, InspectionAsk(blender=blender))


async def view(farm: Farm, pack: str) -> InspectionView:
    """Return how far it is."""
    return await farm.database.read(inspections.view, pack)


async def claim(farm: Farm, agent: int, version: tuple[int, int, int] = (4, 5, 15)) -> InspectionGrant | bool:
    """Have an agent ask for a pack."""
    return await farm.database.write(inspections.claim, agent, InspectionRequest(blender=version), farm.timing)


async def must_claim(farm: Farm, agent: int, version: tuple[int, int, int] = (4, 5, 15)) -> InspectionGrant:
    """Have an agent ask for a pack that is there."""
    grant = await claim(farm, agent, version)
    assert isinstance(grant, InspectionGrant)
    return grant


async def finish(farm: Farm, agent: int, grant: InspectionGrant, result: InspectionResult) -> None:
    """Tell what an agent found."""
    await farm.database.write(inspections.finish, agent, grant.claim, result)


async def test_what_is_found_stays(farm: Farm) -> None:
    ant, pack = await farm.agent("ant"), await farm.pack()
    assert await claim(farm, ant) is False
    assert (await ask(farm, pack)).state == InspectionState.WAITING
    assert (await ask(farm, pack)).state == InspectionState.WAITING
    grant = await must_claim(farm, ant)
    assert grant.pack_id == pack
    assert await claim(farm, ant) is False
    await farm.database.write(inspections.report, ant, grant.claim, InspectionReport(stage=Stage.OPENING), farm.timing)
    seen = await view(farm, pack)
    assert (seen.state, seen.stage, seen.agent, seen.main) == ("running", "opening", "ant", "scene.blend")
    await finish(farm, ant, grant, InspectionResult(findings=FINDINGS))
    seen = await ask(farm, pack)
    assert (seen.state, seen.findings, seen.problem) == (InspectionState.DONE, FINDINGS, None)
    assert await claim(farm, ant) is False


async def test_only_whole_packs_that_the_farm_can_open_are_looked_into(farm: Farm) -> None:
    await farm.agent("ant")
    answer = await farm.register_pack(manifest("not uploaded"))
    for pack, code in ((answer.id, ErrorCode.MISSING_BLOBS), ("0" * 64, ErrorCode.NOT_FOUND)):
        with pytest.raises(Refused) as caught:
            await ask(farm, pack)
        assert caught.value.code == code
    pack = await farm.pack()
    with pytest.raises(Refused, match=r"saved by Blender 5\.1, and the newest one on the farm is 4\.5"):
        await ask(farm, pack, (5, 1))
    with pytest.raises(Refused, match="no inspection"):
        await view(farm, pack)


async def test_of_agents_that_ask_at_once_one_looks(farm: Farm) -> None:
    names = ["ant", "bee", "cat", "dog"]
    ids = [await farm.agent(name) for name in names]
    pack = await farm.pack()
    await ask(farm, pack)
    grants = await asyncio.gather(*(claim(farm, agent) for agent in ids))
    assert sum(isinstance(grant, InspectionGrant) for grant in grants) == 1


async def test_a_lost_agent_costs_an_attempt_and_its_reports_are_refused(farm: Farm) -> None:
    ant, bee, pack = await farm.agent("ant"), await farm.agent("bee"), await farm.pack()
    await ask(farm, pack)
    lost = await must_claim(farm, ant)
    farm.clock.advance(farm.timing.lease_seconds - 1)
    assert not await farm.database.read(inspections.any_to_reap)
    await farm.database.write(inspections.report, ant, lost.claim, InspectionReport(stage=Stage.FETCHING), farm.timing)
    farm.clock.advance(farm.timing.lease_seconds)
    assert await farm.database.read(inspections.any_to_reap)
    assert await farm.database.write(inspections.reap) == 1
    assert await farm.database.write(inspections.reap) == 0
    again = await must_claim(farm, bee)
    for call in (
        finish(farm, ant, lost, InspectionResult(findings=FINDINGS)),
        finish(farm, ant, again, InspectionResult(findings=FINDINGS)),
        farm.database.write(inspections.report, ant, lost.claim, InspectionReport(stage=Stage.OPENING), farm.timing),
    ):
        with pytest.raises(Refused) as caught:
            await call
        assert caught.value.code == ErrorCode.LEASE_LOST
    await finish(farm, bee, again, InspectionResult(findings=FINDINGS))
    assert (await view(farm, pack)).agent == "bee"


async def test_a_file_that_brings_every_agent_down_is_given_up_until_someone_asks_again(farm: Farm) -> None:
    ant, pack = await farm.agent("ant"), await farm.pack()
    await ask(farm, pack)
    for _ in range(MAX_ATTEMPTS):
        await must_claim(farm, ant)
        farm.clock.advance(farm.timing.lease_seconds)
        await farm.database.write(inspections.reap)
    seen = await view(farm, pack)
    assert seen.state == InspectionState.FAILED
    assert "damaged" in (seen.reason or "")
    assert await claim(farm, ant) is False
    assert (await ask(farm, pack)).reason is None
    grant = await must_claim(farm, ant)
    # What is the file's own fault is not tried elsewhere.
    await finish(farm, ant, grant, InspectionResult(failure="It is no scene."))
    assert (await view(farm, pack)).reason == "It is no scene."


async def test_an_agent_that_does_not_manage_leaves_it_to_another(farm: Farm) -> None:
    ant, pack = await farm.agent("ant"), await farm.pack()
    await ask(farm, pack)
    for _ in range(MAX_ATTEMPTS):
        grant = await must_claim(farm, ant)
        await finish(farm, ant, grant, InspectionResult(failure="Its disk is full.", again=True))
    assert (await view(farm, pack)).reason == "Its disk is full."


async def test_a_file_of_a_newer_blender_goes_to_the_agent_that_has_it(farm: Farm) -> None:
    old, pack = await farm.agent("old"), await farm.pack()
    await ask(farm, pack)
    newer = msgspec.structs.replace(FINDINGS, file_version=(5, 0, 0))
    await finish(farm, old, await must_claim(farm, old), InspectionResult(findings=newer))
    # Nobody has it: what the old one could read is told, and that no job would be taken.
    seen = await view(farm, pack)
    assert seen.state == InspectionState.DONE
    assert "saved by Blender 5.0, and the newest one on the farm is 4.5" in (seen.problem or "")

    new = await farm.agent("new", blenders=[BlenderBuild(version=(5, 0, 2), kind="bpy")])
    second = await farm.pack("second")
    await ask(farm, second)
    await finish(farm, old, await must_claim(farm, old), InspectionResult(findings=newer))
    assert (await view(farm, second)).state == InspectionState.WAITING
    assert await claim(farm, old) is True
    grant = await must_claim(farm, new, (5, 0, 2))
    await finish(farm, new, grant, InspectionResult(findings=msgspec.structs.replace(newer, blender=(5, 0, 2))))
    assert (await view(farm, second)).problem is None


async def test_agents_that_get_no_work_look_into_nothing(farm: Farm) -> None:
    ant, pack = await farm.agent("ant"), await farm.pack()
    await ask(farm, pack)
    await farm.database.write(agent_control.drain, ant, "ana")
    assert await claim(farm, ant) is True
    await farm.database.write(agent_control.resume, ant, "ana")
    await must_claim(farm, ant)
    # One that leaves hands it back at once, and no attempt is counted.
    await farm.database.write(agents.leave, ant)
    bee = await farm.agent("bee")
    for _ in range(MAX_ATTEMPTS):
        await must_claim(farm, bee)
        await farm.database.write(inspections.give_back, bee)
    assert (await view(farm, pack)).state == InspectionState.WAITING


async def test_what_no_one_waits_for_is_not_handed_out_and_forgotten_in_the_end(farm: Farm) -> None:
    ant, pack = await farm.agent("ant"), await farm.pack()
    await ask(farm, pack)
    farm.clock.advance((inspections.WANTED + timedelta(seconds=1)).total_seconds())
    assert await claim(farm, ant) is False
    await ask(farm, pack)
    await must_claim(farm, ant)
    farm.clock.advance((inspections.KEPT + timedelta(seconds=1)).total_seconds())
    assert await farm.database.write(inspections.forget_old) == 0
    await farm.database.write(inspections.reap)
    assert await farm.database.write(inspections.forget_old) == 1
    with pytest.raises(Refused, match="no inspection"):
        await view(farm, pack)


async def test_an_agent_may_read_what_it_looks_into(farm: Farm) -> None:
    ant, bee, pack = await farm.agent("ant"), await farm.agent("bee"), await farm.pack()
    blob = manifest().files[0].blobs[0].sha256
    await ask(farm, pack)
    await must_claim(farm, ant)
    assert (await farm.database.read(assets.pack_for_agent, ant, pack)).main == "scene.blend"
    assert await farm.database.read(assets.blob_for_agent, ant, blob) == 3
    for call in (assets.pack_for_agent, assets.blob_for_agent):
        with pytest.raises(Refused):
            await farm.database.read(call, bee, pack if call is assets.pack_for_agent else blob)
