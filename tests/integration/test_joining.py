"""Machines join with codes over HTTP."""

from tests.fakes.fake_agent import FakeAgent
from tests.integration.coordinator import ADMIN, JOIN, RunningCoordinator


async def test_a_code_is_made_used_and_gone(small_farm: RunningCoordinator) -> None:
    made = await small_farm.ask("POST", "join-codes", status=201)
    assert made.keys() == {"id", "code", "expires_at"}
    shown = await small_farm.ask("GET", f"join-codes/{made['id']}")
    assert shown == {"id": made["id"], "expires_at": made["expires_at"], "agent": None}
    # A code is good for registering, and for nothing else.
    await small_farm.refused("GET", "jobs", 403, "forbidden", token=made["code"])
    agent = FakeAgent(small_farm.session, small_farm.url, made["code"].lower(), "ant")
    joined = await agent.register()
    assert agent.token.startswith("rf_agent_")
    assert (await small_farm.ask("GET", f"join-codes/{made['id']}"))["agent"] == joined.agent_id
    late = FakeAgent(small_farm.session, small_farm.url, made["code"], "bee")
    assert (await late.call("POST", "register")).status == 401
    assert (await agent.call("POST", "leave")).status == 204
    await small_farm.refused("GET", "join-codes/999", 404, "not_found")


async def test_guessing_codes_is_slowed_down(small_farm: RunningCoordinator) -> None:
    made = await small_farm.ask("POST", "join-codes", status=201)
    for number in range(20):
        error = await small_farm.refused("GET", "session", 401, "token_wrong", token=f"AAAA-AA{number:02}")
        assert "mistyped" in error["message"]
    agent = FakeAgent(small_farm.session, small_farm.url, made["code"], "ant")
    assert (await agent.call("POST", "register")).code == "too_many_requests"


async def test_only_an_admin_makes_codes(small_farm: RunningCoordinator) -> None:
    await small_farm.ask("GET", "session", token=ADMIN)
    await small_farm.refused("POST", "join-codes", 403, "forbidden", token=JOIN)
