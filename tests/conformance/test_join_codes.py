"""Join codes: each lets one machine in, for a while."""

import asyncio

import pytest

from coordinator.domain.tokens import TokenKind
from coordinator.protocol import ErrorCode
from coordinator.services import accounts, join_codes
from coordinator.services.accounts import Principal
from coordinator.services.agent_schemas import JoinCodeCreated
from coordinator.services.errors import Refused
from tests.conformance.farm import Farm


async def make(farm: Farm) -> JoinCodeCreated:
    """Make a code."""
    return await farm.database.write(join_codes.create, "ana")


async def who(farm: Farm, code: str) -> Principal:
    """Return who the code belongs to."""
    return await farm.database.read(accounts.authenticate, code)


async def refusal(farm: Farm, code: str) -> str:
    """Return why a code is refused."""
    with pytest.raises(Refused) as caught:
        await who(farm, code)
    assert caught.value.code == ErrorCode.TOKEN_WRONG
    assert "renderfarm join-code" in caught.value.message
    return caught.value.message


async def test_a_code_lets_one_machine_in_however_it_is_typed(farm: Farm) -> None:
    made = await make(farm)
    assert made.expires_at == farm.clock.now + join_codes.TERM
    joiner = await who(farm, made.code.lower().replace("-", " "))
    assert (joiner.kind, joiner.single_use) == (TokenKind.JOIN, True)
    answer = await farm.register("ant", joiner)
    assert (await who(farm, answer.token)).agent_id == answer.agent_id
    assert (await farm.database.read(join_codes.view, made.id)).agent == answer.agent_id
    assert "was used already" in await refusal(farm, made.code)


async def test_of_machines_that_join_at_once_with_one_code_one_gets_in(farm: Farm) -> None:
    joiner = await who(farm, (await make(farm)).code)
    names = ["ant", "bee", "cat", "dog"]
    results = await asyncio.gather(*(farm.register(name, joiner) for name in names), return_exceptions=True)
    refused = [result for result in results if isinstance(result, Refused)]
    assert [it.code for it in refused] == [ErrorCode.TOKEN_WRONG] * 3
    # Those who came too late left nothing behind.
    tokens = await farm.database.read(accounts.list_tokens)
    assert [token.kind for token in tokens] == [TokenKind.AGENT]


async def test_a_code_runs_out(farm: Farm) -> None:
    made = await make(farm)
    joiner = await who(farm, made.code)
    farm.clock.advance(join_codes.TERM.total_seconds())
    assert "has run out" in await refusal(farm, made.code)
    # One who had shown it just before is too late as well.
    with pytest.raises(Refused) as caught:
        await farm.register("ant", joiner)
    assert caught.value.code == ErrorCode.TOKEN_WRONG
    farm.clock.advance(24 * 3600)
    await farm.database.write(accounts.forget_expired)
    assert "is not known" in await refusal(farm, made.code)
    with pytest.raises(Refused, match="no join code"):
        await farm.database.read(join_codes.view, made.id)


async def test_a_name_that_is_taken_does_not_cost_the_code(farm: Farm) -> None:
    await farm.agent("ant")
    made = await make(farm)
    with pytest.raises(Refused, match="is online"):
        await farm.register("ant", await who(farm, made.code))
    assert (await farm.register("bee", await who(farm, made.code))).token


async def test_an_agent_may_bring_the_token_that_it_will_have(farm: Farm) -> None:
    own = "rf_agent_" + "t" * 43
    joined = await farm.register("ant", await who(farm, (await make(farm)).code), token=own)
    assert joined.token == own
    assert (await who(farm, own)).agent_id == joined.agent_id
    # Nobody becomes someone else by it, also not once that token is void.
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await farm.register("bee", await who(farm, (await make(farm)).code), token=own)
        assert caught.value.code == ErrorCode.INVALID
        await farm.database.write(accounts.revoke_agent, joined.agent_id)


async def test_a_code_that_was_revoked_lets_no_one_in(farm: Farm) -> None:
    made = await make(farm)
    await farm.database.write(accounts.revoke_token, made.id)
    await refusal(farm, made.code)
    assert (await farm.database.read(join_codes.view, made.id)).agent is None


async def test_the_credential_that_a_code_was_turned_into_can_be_revoked(farm: Farm) -> None:
    answer = await farm.register("ant", await who(farm, (await make(farm)).code))
    await farm.database.write(accounts.revoke_agent, answer.agent_id)
    with pytest.raises(Refused):
        await who(farm, answer.token)
