"""Who and what is let in: tokens, agents, packs and jobs."""

import asyncio
from typing import Any

import pytest

from coordinator.domain.tokens import TokenKind
from coordinator.protocol import BlenderBuild, BlobRef, ErrorCode, Manifest, ManifestFile
from coordinator.services import accounts, agent_views, assets, job_list, submit
from coordinator.services.errors import Refused
from coordinator.services.job_list import JobFilter
from tests.conformance.farm import Farm, digest, in_store, manifest


async def refused(call: Any) -> Refused:
    """Return how an awaitable is refused."""
    with pytest.raises(Refused) as caught:
        await call
    return caught.value


# Tokens


async def test_the_first_start_makes_an_admin_and_a_join_token_once(farm: Farm) -> None:
    made = await farm.database.write(accounts.ensure_first_tokens, None, None)
    assert [token.token[:9] for token in made] == ["rf_admin_", "rf_join_" + made[1].token[8]]
    assert await farm.database.write(accounts.ensure_first_tokens, None, None) == []
    who = await farm.database.read(accounts.authenticate, made[0].token)
    assert (who.kind, who.agent_id) == (TokenKind.ADMIN, None)
    wrong = await refused(farm.database.read(accounts.authenticate, made[0].token + "x"))
    assert wrong.code == ErrorCode.TOKEN_WRONG


async def test_preset_tokens_are_taken_over_whenever_they_are_new(farm: Farm) -> None:
    first, second = "rf_admin_" + "a" * 16, "rf_admin_" + "b" * 16
    join = "rf_join_" + "c" * 16
    assert await farm.database.write(accounts.ensure_first_tokens, first, join) == []
    assert await farm.database.write(accounts.ensure_first_tokens, second, join) == []
    assert len(await farm.database.read(accounts.list_tokens)) == 3
    for token in (first, second, join):
        await farm.database.read(accounts.authenticate, token)
    short = await refused(farm.database.write(accounts.ensure_first_tokens, "secret", None))
    assert "RENDERFARM_ADMIN_TOKEN" in short.message


async def test_a_revoked_token_is_void_even_if_it_is_preset(farm: Farm) -> None:
    admin, join = "rf_admin_" + "a" * 16, "rf_join_" + "c" * 16
    await farm.database.write(accounts.ensure_first_tokens, admin, join)
    who = await farm.database.read(accounts.authenticate, join)
    await farm.database.write(accounts.revoke_token, who.token_id)
    await farm.database.write(accounts.ensure_first_tokens, admin, join)
    assert (await refused(farm.database.read(accounts.authenticate, join))).code == ErrorCode.TOKEN_WRONG
    assert (await refused(farm.database.write(accounts.revoke_token, who.token_id))).code == ErrorCode.NOT_FOUND


async def test_the_last_admin_token_stays(farm: Farm) -> None:
    first = await farm.database.write(accounts.create_token, TokenKind.ADMIN, "ana")
    assert (await refused(farm.database.write(accounts.revoke_token, first.id))).code == ErrorCode.CONFLICT
    await farm.database.write(accounts.create_token, TokenKind.ADMIN, "bea")
    await farm.database.write(accounts.revoke_token, first.id)
    by_hand = await refused(farm.database.write(accounts.create_token, TokenKind.SESSION, "x"))
    assert by_hand.code == ErrorCode.INVALID


async def test_a_browser_stays_signed_in_for_two_weeks_or_until_it_signs_out(farm: Farm) -> None:
    admin = await farm.token(TokenKind.ADMIN)
    session = await farm.database.write(accounts.open_session, admin)
    assert (await farm.database.read(accounts.authenticate, session.token)).kind == TokenKind.SESSION
    farm.clock.advance(14 * 24 * 3600)
    assert (await refused(farm.database.read(accounts.authenticate, session.token))).code == ErrorCode.TOKEN_WRONG
    session = await farm.database.write(accounts.open_session, admin)
    who = await farm.database.read(accounts.authenticate, session.token)
    await farm.database.write(accounts.close_session, who.token_id)
    assert (await refused(farm.database.read(accounts.authenticate, session.token))).code == ErrorCode.TOKEN_WRONG
    joiner = await farm.token()
    assert (await refused(farm.database.write(accounts.open_session, joiner))).code == ErrorCode.FORBIDDEN


# Agents


async def test_an_agent_joins_keeps_its_token_and_comes_back_with_it(farm: Farm) -> None:
    first = await farm.register("ant")
    assert first.token.startswith("rf_agent_")
    assert (first.lease_seconds, first.report_seconds, first.poll_seconds) == (30.0, 5.0, 25.0)
    own = await farm.database.read(accounts.authenticate, first.token)
    await farm.leave(first.agent_id)
    again = await farm.register("ant", own, slots=4)
    assert (again.agent_id, again.token) == (first.agent_id, "")
    view = await farm.database.read(agent_views.agent_view, first.agent_id)
    assert (view.state, len(view.slots)) == ("online", 4)


async def test_a_name_is_taken_only_while_its_agent_is_online(farm: Farm) -> None:
    first = await farm.register("ant")
    taken = await refused(farm.register("ant"))
    assert (taken.code, taken.fields) == (ErrorCode.INVALID, {"name": "is taken"})
    await farm.submit("1-4")
    await farm.must_lease(first.agent_id)
    farm.clock.advance(farm.timing.offline_seconds + 1)
    await farm.reap()
    second = await farm.register("ant")
    assert second.agent_id == first.agent_id
    assert (await refused(farm.database.read(accounts.authenticate, first.token))).code == ErrorCode.TOKEN_WRONG
    other = await farm.database.read(accounts.authenticate, (await farm.register("bee")).token)
    assert (await refused(farm.register("ant", other))).code == ErrorCode.INVALID


async def test_agents_with_the_wrong_token_or_version_are_told_so(farm: Farm) -> None:
    admin = await farm.token(TokenKind.ADMIN)
    assert (await refused(farm.register("ant", admin))).code == ErrorCode.FORBIDDEN
    old = await refused(farm.register("ant", protocol=99))
    assert old.code == ErrorCode.UPGRADE_REQUIRED
    assert "99" in old.message


async def test_two_agents_of_one_name_that_join_at_once_do_not_both_get_in(farm: Farm) -> None:
    joiner = await farm.token()
    results = await asyncio.gather(*(farm.register("ant", joiner) for _ in range(4)), return_exceptions=True)
    refusals = [result for result in results if isinstance(result, Refused)]
    assert len(refusals) == 3
    assert {refusal.code for refusal in refusals} == {ErrorCode.INVALID}


# Packs and blobs


async def test_a_manifest_is_answered_with_what_is_missing(farm: Farm) -> None:
    blobs = [BlobRef(sha256=digest(name), size=3) for name in ("a", "b", "a")]
    pack = Manifest(main="x.blend", files=[ManifestFile(path="x.blend", size=9, blobs=blobs)])
    first = await farm.register_pack(pack)
    assert {blob.sha256 for blob in first.missing} == {digest("a"), digest("b")}
    await farm.database.write(assets.record_blobs, [(digest("a"), 3)], in_store)
    await farm.database.write(assets.record_blobs, [(digest("a"), 3)], in_store)
    second = await farm.register_pack(pack)
    assert [blob.sha256 for blob in second.missing] == [digest("b")]
    assert second.id == first.id
    assert await farm.database.read(assets.blob_size, digest("a")) == 3
    assert await farm.database.read(assets.blob_size, digest("b")) is None


async def test_a_manifest_that_lies_about_sizes_is_refused(farm: Farm) -> None:
    await farm.database.write(assets.record_blobs, [(digest("scene"), 4)], in_store)
    lie = await refused(farm.register_pack(manifest()))
    assert lie.code == ErrorCode.INVALID
    assert "has 3 bytes, but it has 4" not in lie.message
    assert "3 bytes, but it has 4" in lie.message
    two = [BlobRef(sha256=digest("a"), size=1), BlobRef(sha256=digest("a"), size=2)]
    contradiction = Manifest(main="x.blend", files=[ManifestFile(path="x.blend", size=3, blobs=two)])
    assert (await refused(farm.register_pack(contradiction))).code == ErrorCode.INVALID
    outside = Manifest(main="../x.blend", files=[ManifestFile(path="../x.blend", size=0, blobs=[])])
    assert "'..'" in (await refused(farm.register_pack(outside))).message


async def test_an_agent_reads_only_the_packs_it_was_given_work_on(farm: Farm) -> None:
    ant, bee = await farm.agent("ant"), await farm.agent("bee")
    job = await farm.submit("1-2")
    await farm.must_lease(ant)
    scene = digest("scene")
    assert await farm.database.read(assets.pack_for_agent, ant, job.pack) == manifest()
    assert await farm.database.read(assets.blob_for_agent, ant, scene) == 3
    for call in (assets.pack_for_agent, assets.blob_for_agent):
        what = job.pack if call is assets.pack_for_agent else scene
        assert (await refused(farm.database.read(call, bee, what))).code == ErrorCode.NOT_FOUND
    # The same digest rule holds for frames: they are nobody's input.
    await farm.blob("picture")
    assert (
        await refused(farm.database.read(assets.blob_for_agent, ant, digest("picture")))
    ).code == ErrorCode.NOT_FOUND


# Jobs


async def test_a_request_is_refused_with_every_wrong_field(farm: Farm) -> None:
    await farm.agent(blenders=[BlenderBuild(version=(4, 2, 3), kind="bpy")])
    request = await farm.request("1-10,5", name="  ", blender=(5, 0))
    no = await refused(farm.database.write(submit.submit, request, "ana"))
    assert no.code == ErrorCode.INVALID
    assert set(no.fields) == {"frames", "name", "blender"}
    assert "the newest one on the farm is 4.2" in str(no.fields["blender"])
    assert "at character 6" in str(no.fields["frames"])
    assert (await farm.database.read(job_list.list_jobs, JobFilter(), 5, None)).items == []


async def test_a_job_without_its_pack_or_blobs_is_refused(farm: Farm) -> None:
    strange = await farm.request(pack="0" * 64)
    assert (await refused(farm.database.write(submit.submit, strange, "ana"))).code == ErrorCode.NOT_FOUND
    answer = await farm.register_pack(manifest("not uploaded"))
    early = await farm.request(pack=answer.id)
    no = await refused(farm.database.write(submit.submit, early, "ana"))
    assert (no.code, no.fields) == (ErrorCode.MISSING_BLOBS, {"missing": [digest("not uploaded")]})


async def test_sound_is_left_out_with_a_warning_where_it_cannot_be(farm: Farm) -> None:
    await farm.agent()
    gaps = await farm.submit("1-10x2", video=True, sound=True)
    assert (gaps.sound_state, len(gaps.warnings)) == ("none", 1)
    assert "consecutive" in gaps.warnings[0]
    silent = await farm.submit("1-10", sound=True)
    assert silent.sound_state == "none"
    good = await farm.submit("1-10", sound=True, video=True, warnings=["wood.png is missing"])
    assert (good.sound_state, good.warnings) == ("wanted", ["wood.png is missing"])


async def test_a_submission_sent_again_is_answered_with_its_job(farm: Farm) -> None:
    request = await farm.request(submission="5" * 32)
    together = await asyncio.gather(*(farm.database.write(submit.submit, request, "ana") for _ in range(4)))
    later = await farm.database.write(submit.submit, request, "ana")
    assert {job.id for job in (*together, later)} == {later.id}
    other = await farm.submit(submission="6" * 32)
    assert other.id != later.id


async def test_a_job_may_wait_for_the_first_agent(farm: Farm) -> None:
    job = await farm.submit("1")
    assert job.warnings == ["No agent has joined the farm yet; the job waits until one does."]
    assert (await farm.job(job.id)).state == "queued"
    ant = await farm.agent()
    await farm.must_lease(ant)
    assert (await farm.job(job.id)).warnings == []
