"""An agent's standing with a real coordinator: how it joins, what it is called, and how it is sent away."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import aiohttp
import pytest

from agent.backoff import Repeater
from agent.client import CoordinatorClient, RetryError, StopAgentError
from agent.identity import AgentFolder
from agent.link import Link
from coordinator.protocol import LeaseRequest, RegisterRequest, RegisterResponse
from tests.conformance.farm import machine
from tests.fakes.fake_agent import BLENDER
from tests.integration.coordinator import JOIN, RunningCoordinator

Join = Callable[..., Awaitable[Link]]


@pytest.fixture
async def join(small_farm: RunningCoordinator, tmp_path: Path) -> AsyncIterator[Join]:
    """Join as an agent does that was just started in a folder."""
    folders: list[AgentFolder] = []
    async with aiohttp.ClientSession() as http:

        async def joined(folder: str, token: str = "", names: Sequence[str] = ("ant", "ant-2", "ant-3")) -> Link:
            url = small_farm.url.rstrip("/")
            own = AgentFolder(tmp_path / folder, url)
            await asyncio.to_thread(own.claim)
            folders.append(own)
            client = CoordinatorClient(http, url)
            repeater = Repeater(random.Random(1))  # noqa: S311 - jitter, not a secret
            link = Link(client, repeater, own, machine(names[0]), token, names)
            try:
                await link.register()
            finally:
                own.release()
            return link

        yield joined


async def code(farm: RunningCoordinator) -> str:
    """Return a new join code."""
    made = await farm.ask("POST", "join-codes", status=201)
    return str(made["code"])


async def test_a_code_becomes_a_credential_of_its_own(small_farm: RunningCoordinator, join: Join) -> None:
    typed = await code(small_farm)
    link = await join("one", typed)
    assert link.client.token.startswith("rf_agent_")
    # A service that has the code in its settings for ever starts all the same.
    assert (await join("one", typed)).client.token == link.client.token
    with pytest.raises(StopAgentError, match=r"with the join code: .* was used already.*“Add a machine”"):
        await join("two", typed)
    with pytest.raises(StopAgentError, match=r"has not joined the farm yet.*--join-code"):
        await join("two")


@pytest.mark.parametrize("by", ["code", "token"])
async def test_an_answer_that_is_lost_costs_no_second_code(
    small_farm: RunningCoordinator, join: Join, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    real = CoordinatorClient.register
    tokens: list[str] = []

    async def register(client: CoordinatorClient, request: RegisterRequest, token: str) -> RegisterResponse:
        tokens.append(token)
        answer = await real(client, request, token)
        if len(tokens) == 1:
            raise RetryError("The coordinator hung up.")
        return answer

    monkeypatch.setattr(CoordinatorClient, "register", register)
    credential = await code(small_farm) if by == "code" else JOIN
    link = await join("one", credential)
    assert link.name == "ant"
    assert tokens == [credential, link.client.token]
    [shown] = (await small_farm.ask("GET", "agents"))["items"]
    assert shown["presence"] == "idle"
    monkeypatch.undo()
    assert (await join("one")).client.token == link.client.token


async def test_agents_of_one_name_are_told_apart_and_stay_who_they_are(join: Join) -> None:
    assert (await join("one", JOIN)).name == "ant"
    assert (await join("two", JOIN)).name == "ant-2"
    # Each starts again, and may have the name it had.
    assert (await join("two", names=("ant-2", "ant", "ant-3"))).name == "ant-2"
    assert (await join("one")).name == "ant"
    with pytest.raises(StopAgentError, match="is online; give this one another name"):
        await join("three", JOIN, ("ant",))


async def test_a_barred_agent_is_told_to_stop(small_farm: RunningCoordinator, join: Join) -> None:
    link = await join("one", await code(small_farm))
    [shown] = (await small_farm.ask("GET", "agents"))["items"]
    await small_farm.ask("DELETE", f"agents/{shown['id']}/credential", status=204)
    with pytest.raises(StopAgentError, match="was revoked"):
        await link.call(lambda: link.client.ask(LeaseRequest(slot=0, blender=BLENDER)))
    with pytest.raises(StopAgentError, match="with its own token"):
        await join("one")
    # A new code lets it in again, as the same agent.
    await join("one", await code(small_farm))
    [again] = (await small_farm.ask("GET", "agents"))["items"]
    assert (again["id"], again["presence"]) == (shown["id"], "idle")
